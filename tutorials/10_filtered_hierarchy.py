# %% [markdown]
# # What a network believes while it learns
#
# A network that learns a tree of symbols passes, from the leaves up, through the exact inference of
# simpler trees, in which correlations above some level are ignored. These trees can be made, so
# that at every moment of the training one can ask which of them the network believes in.
#
# The filtered hierarchies, and the staircase for transformers, are of Garnier-Brun, Mezard, Moscato
# and Saglietti, How transformers learn structured data (arXiv:2408.15138).

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from matplotlib.figure import Figure

import ghmpp as gh
from ghmpp.observables import softened
from ghmpp.schedule.picture import save_picture

# %% [markdown]
# ## Five trees with the same rules
#
# Each of q symbols produces q of the pairs, with random weights, on all four levels of a binary
# tree. Filtered at k, the nodes of level k depend on the root alone, each with its true law, and no
# longer on each other; below, nothing changes. At k = 4 all leaves are independent given the
# root; k = 0 is the full tree.

# %%
q, depth, strings = 4, 4, 3000
leaves = f"x{depth}"
models = [gh.zoo.filtered_hierarchy(q=q, L=depth, k=k, seed=0) for k in range(depth + 1)]
print(models[0])
print(models[3])

# %% [markdown]
# ## Matched and mismatched inference
#
# BP_k is exact inference of the root in the tree filtered at k. On data of the same tree it is the
# best that there is; on data of another tree it leaves out correlations that are there (k too
# large), or relies on those that are not (k too small).

# %%
engines = [gh.Inference(model) for model in models]
data = [model.sample(strings, seed=1) for model in models]


def posteriors(engine, x, noise=0.0):
    """Posterior of the root given noisy leaves, (strings, q)."""
    seen = softened(x, noise, q) if noise else x
    return engine.posteriors({leaves: seen}, classes=["x0"])["x0"].reshape(-1, q)


def accuracy(belief, drawn):
    """How often the most probable root is the true one."""
    return (belief.argmax(1) == drawn["x0"][:, 0]).mean()


matched = np.array([[accuracy(posteriors(e, d[leaves]), d) for e in engines] for d in data])
print("accuracy of   " + "  ".join(f"BP_{k}" for k in range(depth + 1)))
for k, row in enumerate(matched):
    print(f"data, k = {k}   " + "  ".join(f"{found:.2f}" for found in row))

# %% [markdown]
# Noise softens what is known of each leaf, as in tutorial 03. It takes the advantage of the
# full tree away: its long correlations are the first to drown.

# %%
noises = np.linspace(0, 0.9, 10)
fading = np.array(
    [
        [accuracy(posteriors(e, data[0][leaves], noise), data[0]) for noise in noises]
        for e in engines
    ]
)

# %% [markdown]
# ## A network on its way
#
# A convolutional network learns to tell the root of the full tree. At times we stop it, and
# compare what it says, string by string, with BP_k: the distance is half the sum of absolute
# differences of probabilities. With `checkpoint=`, a later call goes on where the one before
# has stopped.

# %%
program = gh.compile(models[0], gh.posterior("x0"), given=leaves)
network = gh.baseline(program, "cnn", width=128, seed=0)
stream = gh.streams.labelled(models[0], seed=0)
exact = np.array([posteriors(engine, data[0][leaves]) for engine in engines])
seen = torch.tensor(data[0][leaves])
moments = [0, 10, 20, 40, 80, 160, 226, 320, 453, 640, 760, 905, 1076, 1280, 1600, 2000]
distances = []
with TemporaryDirectory() as folder:
    for step in moments:
        if step:
            trained = gh.train(
                network,
                stream,
                steps=step,
                batch=128,
                rate=3e-3,
                schedule="constant",
                warmup=0,
                every=1000,
                validation=0,
                checkpoint=folder,
            )
        with torch.no_grad():
            said = (trained.network if step else network)(seen).double().numpy()
        distances.append(abs(exact - said).sum(axis=2).mean(axis=1) / 2)
        nearest = int(np.argmin(distances[-1]))
        print(f"step {step:4}: {accuracy(said, data[0]):.3f} right, nearest to BP_{nearest}")
distances = np.array(distances)

# %% [markdown]
# First the network weighs leaves one by one, as BP_4; then pairs of them, as BP_3; and so on up
# the tree. It has never seen a filtered tree: correlations of short range are the stronger
# ones, and are learned first.

# %%
INK, GREY = "#1f2733", "#9aa3af"
COLOURS = ["#1f2733", "#4556c9", "#2f8f6b", "#d08a1d", "#c43d5d"]
figure = Figure(figsize=(12.4, 4.1), dpi=140, layout="constrained")
table, noise, training = figure.subplots(1, 3, width_ratios=(0.9, 1, 1.25))

table.imshow(matched, cmap="Greys", vmin=0.25, vmax=2)
for (row, column), found in np.ndenumerate(matched):
    best = row == column
    table.text(
        column,
        row,
        f"{found:.2f}",
        ha="center",
        va="center",
        weight="bold" if best else "normal",
        color=COLOURS[4] if best else INK,
    )
table.set_xticks(range(depth + 1), [f"BP_{k}" for k in range(depth + 1)])
table.set_yticks(range(depth + 1), [f"k = {k}" for k in range(depth + 1)])
table.set(xlabel="inference", ylabel="data")
table.set_title("Accuracy, matched in bold")

for k, curve in enumerate(fading):
    noise.plot(noises, curve, "o-", color=COLOURS[k], ms=3.5, lw=1.5, label=f"BP_{k}")
noise.axhline(1 / q, color=GREY, lw=0.9, ls=(0, (4, 3)), zorder=0)
noise.text(0, 1 / q + 0.01, "guess", color=GREY)
noise.set(xlabel="noise", ylabel="accuracy on the full tree", ylim=(0.2, 1.02))
noise.set_title("Noise drowns long correlations first")
noise.legend(frameon=False, labelcolor="linecolor", handlelength=0, markerscale=0)

later = slice(1, None)  # a logarithmic axis has no 0
nearest = distances.argmin(axis=1)
for k, curve in enumerate(distances.T):
    training.plot(moments[later], curve[later], color=COLOURS[k], lw=1.6)
    label = {"color": COLOURS[k], "ha": "right", "va": "center"}
    training.text(moments[1] * 0.9, curve[1], f"BP_{k}", **label)
dots = distances.min(axis=1)[later], [COLOURS[k] for k in nearest[later]]
training.scatter(moments[later], dots[0], c=dots[1], s=30, zorder=3)
training.set_xscale("log")
training.set(xlabel="training step", ylabel="distance of the network from BP_k")
training.set(xlim=(4, None), ylim=(-0.02, None))
training.set_title("The network is nearest to BP_4, then BP_3, ...")
for axes in (noise, training):
    axes.spines[["top", "right"]].set_visible(False)
save_picture(figure, "10_filtered_hierarchy.png")
print("picture:", Path("10_filtered_hierarchy.png").resolve())
figure
