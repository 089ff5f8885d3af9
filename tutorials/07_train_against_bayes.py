# %% [markdown]
# # Training against Bayes
#
# A U-Net that is trained on samples of a known model can be compared with the best denoiser that
# there is, exact inference, while it learns. Here the excess over the Bayes risk is followed step
# by step, the messages that the network has found are compared with those of belief propagation,
# layer by layer, and a U-Net of handwritten digits is set beside the exact one.

# %%
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

import ghmpp as gh
from ghmpp.schedule.picture import save_picture

# %% [markdown]
# ## A random model of 16 leaves
#
# Four levels of hidden variables with four states, and Gaussian noise on the leaves. The U-Net has
# the shape of belief propagation, but each message is a small ReLU network with random weights.

# %%
model = gh.zoo.random_ghm([4, 4, 4, 4, range(1, 5)], (2, 2, 2, 2), bound=10, seed=0)
program = gh.compile(model, gh.mean("x4"), given=gh.noisy("x4", sigma=1))
network = program.network("trainable")
data = gh.streams.noisy(model, sigma=1, n=100_000)
trained = gh.train(network, data, steps=1000)
trained

# %% [markdown]
# How much is that? The best linear denoiser is the yardstick: what lies between its risk and the
# Bayes risk is all that a network can gain.

# %%
linear = gh.linear_denoiser(program).risk
gap = linear - gh.bayes_risk(program).square.value
risk = gh.excess_risk(trained.network, program)
print(f"best linear denoiser {linear:.4f}, Bayes {linear - gap:.4f}, network {risk.risk:.4f}")
print(f"{risk.excess.value / gap:.1%} of the gap is left")

# %% [markdown]
# ## Which messages has it learned?
#
# Nobody told the network what its layers should say, so they may say it in their own units: the
# next layer undoes any change of coordinates. Up to such a change (an affine map, fitted on half of
# the inputs and judged on the other half) each layer is compared with the exact message in its
# place.


# %%
def sent(network, z):
    """What each message layer sends, in logs around their mean: (messages, batch, states)."""
    found = {}

    def catch(name):
        def hook(layer, arguments, output):
            logs = (output if network.family != "exact" else output.log()).double()
            logs = (logs - logs.mean(1, keepdim=True)).permute(0, 2, 3, 1)  # ranks, parents, batch
            found[name] = logs.flatten(0, 1).numpy()

        return hook

    hooks = []
    for direction in ("collect", "distribute"):
        layers = getattr(network, direction)
        for name in layers:
            hooks.append(layers[name].register_forward_hook(catch(f"{direction}.{name}")))
    with torch.no_grad():
        network(z)
    for hook in hooks:
        hook.remove()
    return found


def compared(learned, true):
    """True messages, what an affine map makes of the learned ones, and the share explained."""
    half = learned.shape[1] // 2
    exact = true - true.mean(1, keepdims=True)
    ours = np.concatenate([learned, np.ones_like(learned[..., :1])], axis=2)
    predicted = np.stack(
        [
            new @ np.linalg.lstsq(old, target, rcond=None)[0]
            for old, new, target in zip(
                ours[:, :half], ours[:, half:], exact[:, :half], strict=True
            )
        ]
    )
    exact = exact[:, half:]
    return exact, predicted, 1 - ((exact - predicted) ** 2).sum() / (exact**2).sum()


z = gh.streams.noisy(model, sigma=1, seed=1).batch(0, 2000).inputs[0]
true, ours = sent(program.network(), z.double()), sent(trained.network, z)
start = sent(network, z)
names = [f"collect.x{k}" for k in (4, 3, 2, 1)] + [f"distribute.x{k}" for k in (1, 2, 3, 4)]
matches = {name: compared(ours[name], true[name]) for name in names}
before = {name: compared(start[name], true[name])[2] for name in names}
for name, (exact, _, share) in matches.items():
    print(
        f"{name:13} varies by {exact.std():.2f}, of this explained {share:.3f}, "
        f"before training {before[name]:.3f}"
    )

# %% [markdown]
# What varies little, near the root, changes the answer little, and is learned least.

# %% [markdown]
# ## Handwritten digits
#
# The same for the model of digits that ships with the package: its samples are the data, and its
# exact denoiser, belief propagation on 85 variables, is the best there is for them. Real digits
# show how close the trained network comes to it.

# %%
digits = gh.examples.digits()
denoise = gh.compile(digits, gh.mean("pixel"), given=gh.noisy("pixel", sigma=4))
unet = gh.train(denoise.network("trainable"), steps=800, batch=64, validation=512)
unet

# %%
_, test, _, labels = gh.examples.digits_split()
rows = [int(np.flatnonzero(labels == digit)[0]) for digit in range(10)]
images = torch.tensor(test[rows])
noisy = images + 4 * torch.tensor(np.random.default_rng(0).standard_normal(images.shape))
with torch.no_grad():
    best, learned = denoise.network()(noisy), unet.network(noisy)
print(
    f"mean squared error: noisy {(noisy - images).square().mean():.2f}, exact "
    f"{(best - images).square().mean():.2f}, trained {(learned - images).square().mean():.2f}"
)

# %%
figure = Figure(figsize=(9.6, 8.6), layout="constrained")
top, middle, bottom = figure.subfigures(3, 1, height_ratios=(1.15, 1.25, 1.35))
history = trained.history
left, right = top.subplots(1, 2)
left.plot(history["step"], history["loss"], lw=0.8, alpha=0.6, label="training")
left.plot(history["step"], history["validation"], label="held out")
left.axhline(linear, color="0.5", ls=":", label="best linear denoiser")
left.axhline(linear - gap, color="k", ls="--", lw=1, label="Bayes risk")
left.set(ylim=(0.95 * (linear - gap), 1.15 * linear), xlabel="step", title="squared error per leaf")
left.legend(fontsize=8)
right.semilogy(history["step"], history["excess"], color="C3", label="U-Net")
right.axhline(gap, color="0.5", ls=":", label="best linear denoiser")
right.axhline(0.03 * gap, color="0.8", lw=0.8, label="3 % of it")
right.set(xlabel="step", title="excess over the Bayes risk")
right.legend(fontsize=8)
for axes, name in zip(middle.subplots(2, 4).flat, names, strict=True):
    exact, found, share = matches[name]
    axes.plot(exact.ravel()[::29], found.ravel()[::29], ".", ms=1.5, rasterized=True)
    ends = np.quantile(exact, [0.001, 0.999])
    axes.plot(ends, ends, lw=0.6, color="k")
    axes.set(xlim=1.1 * ends, ylim=1.1 * ends)
    axes.set_title(f"{name}: {share:.2f} (untrained {before[name]:.2f})", fontsize=8)
    axes.tick_params(labelsize=7)
middle.supxlabel("exact message (log, around its mean)", fontsize=9)
middle.supylabel("learned, after an affine map", fontsize=9)
grid = bottom.subplots(4, 10)
for row, (title, batch) in enumerate(
    zip(("clean", "noisy", "exact", "trained"), (images, noisy, best, learned), strict=True)
):
    for axes, pixels in zip(grid[row], batch, strict=True):
        axes.imshow(pixels.view(8, 8).numpy(), cmap="gray", vmin=0, vmax=16)
        axes.set_xticks([])
        axes.set_yticks([])
    grid[row, 0].set_ylabel(title, rotation=0, ha="right", va="center")
picture = Path("07_train_against_bayes.png").resolve()
save_picture(figure, picture)
print("picture:", picture)
