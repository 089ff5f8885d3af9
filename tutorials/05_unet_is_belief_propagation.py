# %% [markdown]
# # A U-Net is belief propagation
#
# In a tree of hidden variables, the best denoiser is belief propagation: messages go up from the
# noisy leaves and down again. Written as layers, that is a U-Net (S. Mei, arXiv:2404.18444). Here
# every layer of an emitted network is compared with the message that it is, first on a small tree
# that can be enumerated, then on handwritten digits, with ReLU layers.

# %%
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

import ghmpp as gh
from ghmpp.schedule.picture import save_picture
from ghmpp.verification.enumeration import enumeration

# %% [markdown]
# ## A small tree, by the book
#
# A root with two children, who have three each; three states, and a table for each child. The
# state of a leaf is seen through Gaussian noise.

# %%
rng = np.random.default_rng(0)
children = {1: 2, 2: 3}
tables = {level: rng.uniform(0.2, 2, size=(m, 3, 3)) for level, m in children.items()}
model = gh.GHM(states=3, branching=(2, 3), tables=[*tables.values()], state_values=[1, 2, 3])
z = rng.normal(2, 2, size=6)

# %% [markdown]
# These are the equations of the paper, literally: logs of messages toward the root (`q`), what a
# node knows from below (`h`), and what it knows from everywhere (`b`). The child's own message is
# taken out of what its parent knows before it is sent back.


# %%
def log_sum(x):
    return np.logaddexp.reduce(x, axis=-1)


def normalize(x):
    return x - x.max(axis=-1, keepdims=True)


def softmax(x):
    return np.exp(x - log_sum(x)[..., None])


values = np.array([1, 2, 3])
h = {2: normalize(values * z[:, None] - values**2 / 2)}
q, b = {}, {}
for level in (2, 1):
    m, logs = children[level], np.log(tables[level])
    q[level] = np.array([log_sum(logs[k % m] + h[level][k]) for k in range(len(h[level]))])
    h[level - 1] = normalize(q[level].reshape(-1, m, 3).sum(axis=1))
b[0] = h[0]
for level in (1, 2):
    m, logs = children[level], np.log(tables[level])
    above = [normalize(b[level - 1][k // m] - q[level][k]) for k in range(len(q[level]))]
    b[level] = h[level] + [log_sum(logs[k % m].T + u) for k, u in enumerate(above)]

# %% [markdown]
# Propositions 2 and 5: softmax(b) is the posterior of a node. It holds at every node of every
# level, not at the leaves alone, so the decoder says what each hidden variable is. The truth comes
# from summing over all configurations.

# %%
truth = enumeration(model.forest(), {"x2": h[2][None]}).posteriors
for level in range(3):
    worst = abs(softmax(b[level]) - truth[f"x{level}"][0]).max()
    print(f"level {level}: {len(b[level])} nodes, largest deviation {worst:.1e}")

# %% [markdown]
# ## The same as a network
#
# `compile` makes the schedule, `network` the module. Collect is the encoder, distribute the
# decoder; a hook on each layer catches what passes.

# %%
program = gh.compile(model, gh.mean("x2"), given=gh.noisy("x2", sigma=1))
print(program.schedule)


# %%
def caught(network, *inputs):
    """What message layers send, in logs with largest entry 0: (batch, ranks, parents, states)."""
    found = {}

    def catch(name, logs):
        def hook(layer, arguments, output):
            logarithms = output if logs else output.log()
            found[name] = normalize(logarithms.permute(3, 0, 2, 1).double().numpy())

        return hook

    hooks = []
    for direction in ("collect", "distribute"):
        layers = getattr(network, direction)
        for name in layers:
            hook = catch(f"{direction}.{name}", logs=network.family != "exact")
            hooks.append(layers[name].register_forward_hook(hook))
    with torch.no_grad():
        network(*inputs)
    for hook in hooks:
        hook.remove()
    return found


messages = caught(program.network(), torch.tensor(z[None]))
for level, m in children.items():
    direct = normalize(q[level]).reshape(-1, m, 3).swapaxes(0, 1)  # ranks first
    worst = abs(messages[f"collect.x{level}"][0] - direct).max()
    print(f"collect.x{level} sends q of level {level}: largest deviation {worst:.1e}")
    direct = normalize(b[level] - h[level]).reshape(-1, m, 3).swapaxes(0, 1)
    worst = abs(messages[f"distribute.x{level}"][0] - direct).max()
    print(f"distribute.x{level} sends b - h of level {level}: largest deviation {worst:.1e}")

# %% [markdown]
# ## Handwritten digits, with ReLU layers
#
# In place of each message, a ReLU network of two hidden layers. Given a wished error, widths are
# chosen such that the certificate holds for every image and every noise: no posterior mean is off
# by more than half a grey level of 17.

# %%
digits = gh.examples.digits()
denoise = gh.compile(digits, gh.mean("pixel"), given=gh.noisy("pixel", sigma=4))
relu, exact = denoise.network("relu", delta=0.5, dtype="float64"), denoise.network()
print(relu.certificate)

# %%
_, test, _, labels = gh.examples.digits_split()
rows = [int(np.flatnonzero(labels == digit)[0]) for digit in range(8)]
images = torch.tensor(test[rows])
noisy = images + 4 * torch.tensor(np.random.default_rng(0).standard_normal(images.shape))
with torch.no_grad():
    difference = (relu(noisy) - exact(noisy)).abs().max()
print(f"largest difference of a pixel: {difference:.1e}; proved: {relu.certificate.bound:.2f}")

# %% [markdown]
# Message by message: each point is one entry of one message, as the exact network sends it and as
# the ReLU network does.

# %%
true, ours = caught(exact, noisy), caught(relu, noisy)
figure = Figure(figsize=(9.6, 6.2), layout="constrained")
top, bottom = figure.subfigures(2, 1, height_ratios=(1.15, 1))
titles = ("clean", "noisy", "exact U-Net", "ReLU U-Net")
for column, image in enumerate(zip(images, noisy, exact(noisy), relu(noisy), strict=True)):
    for row, (title, pixels) in enumerate(zip(titles, image, strict=True)):
        axes = top.add_subplot(4, 8, 8 * row + column + 1)
        axes.imshow(pixels.view(8, 8).numpy(), cmap="gray", vmin=0, vmax=16)
        axes.set_xticks([])
        axes.set_yticks([])
        if column == 0:
            axes.set_ylabel(title, rotation=0, ha="right", va="center")
layers = ["collect.pixel", "collect.block", "collect.quadrant"]
layers += ["distribute.quadrant", "distribute.block", "distribute.pixel"]
for column, name in enumerate(layers):
    axes = bottom.add_subplot(1, 6, column + 1)
    axes.plot(true[name].ravel()[::7], ours[name].ravel()[::7], ".", ms=1.5, rasterized=True)
    lowest = true[name].min()
    axes.plot([lowest, 0], [lowest, 0], lw=0.6, color="k")
    axes.set_title(name, fontsize=8)
    axes.tick_params(labelsize=7)
    if column == 0:
        axes.set_ylabel("ReLU message (log)")
bottom.supxlabel("exact message (log)")
picture = Path("05_unet_is_belief_propagation.png").resolve()
save_picture(figure, picture)
print("picture:", picture)
