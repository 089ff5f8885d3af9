# %% [markdown]
# # What can this tree correlate?
#
# Before any table is learned, the shape of a tree says which groups of leaves it can correlate,
# and how much: the cheapest variables that separate them are the bound. Its likelihood is a
# network of sums and products, and sent back through its messages the log-odds of a digit become
# a map of pixels.
#
# That trees of tensors obey cuts, and that products and sums of such trees are convolutional
# networks, is from Cohen, Sharir and Shashua (arXiv:1509.05009) and Levine, Yakira, Cohen and
# Shashua (arXiv:1704.01552).

# %%
import math
from pathlib import Path

import networkx as nx
import numpy as np
import torch
from matplotlib.figure import Figure

import ghmpp as gh
from ghmpp.errors import PrecisionError
from ghmpp.schedule.picture import save_picture

# %% [markdown]
# ## Three models of eight leaves
#
# A binary tree of three levels, a wide tree in which four leaves share a parent, and a hidden
# chain; three states everywhere, random tables.

# %%
states, leaves = 3, 8
rng = np.random.default_rng(0)
transition, emission = np.exp(rng.uniform(-3, 3, size=(2, states, states)))
chain = gh.zoo.hidden_markov(leaves, transition, emission)
(symbol,) = chain.forest().leaves
models = {
    "binary tree": (gh.zoo.random_ghm(states, (2, 2, 2), bound=20, seed=0), "x3"),
    "wide tree": (gh.zoo.random_ghm(states, (2, 4), bound=20, seed=0), "x2"),
    "chain": (chain, symbol),
}

# %% [markdown]
# ## Cut and rank
#
# Write the joint law of the leaves as a matrix: states of some leaves as rows, states of all
# others as columns. Given the variables of a cut, both sides are independent, so that the rank is
# at most the product of the numbers of states in the cut, for any tables. With random tables it
# is that product, to the unit: `mincut` looks at the tree alone, `schmidt` at the numbers.
#
# Variables have to be counted, not edges. Where a parent has children on either side, it is one
# variable but several edges, and counting those promises a rank of 81 where there is 9.

# %%
partitions = {
    "first half": [0, 1, 2, 3],
    "every other pair": [0, 1, 4, 5],
    "first and last": [0, 7],
    "every other leaf": [0, 2, 4, 6],
}


def edge_reading(model, name, part):
    """The bound that one gets by cutting edges in place of variables, all of `states` states."""
    graph = model.graph().to_undirected()
    nx.set_edge_attributes(graph, 1, "capacity")
    for k in range(leaves):
        graph.add_edge("part" if k in part else "rest", f"{name}[{k}]")
    return states ** nx.minimum_cut_value(graph, "part", "rest")


found = {}
for title, part in partitions.items():
    for kind, (model, name) in models.items():
        measured = gh.schmidt(model, {name: part})
        edges = edge_reading(model, name, part)
        found[title, kind] = measured, edges
        print(f"{kind:11}  {title:16}  {measured}; by edges {edges}")

# %% [markdown]
# ## Entropy
#
# The rank counts; the entropy of the squared singular values says how much of it is used. It
# stays under the log of the cut, here for all 127 ways to part eight leaves in two. Random tables
# use little. If children mostly have the state of their parent, leaves are one state repeated:
# they share about ln 3, nearly all that a cut of one variable allows, and hardly more than that
# across larger cuts.

# %%
mostly = np.where(np.eye(states) > 0, 0.98, 0.01)
parted = {
    "binary tree": models["binary tree"],
    "chain": models["chain"],
    "tree of near copies": (gh.GHM(states, (2, 2, 2), [mostly] * 3), "x3"),
}
entropies = {}
for kind, (model, name) in parted.items():
    ways = [[k for k in range(leaves) if code >> k & 1] for code in range(1, 2 ** (leaves - 1))]
    measured = [gh.schmidt(model, {name: part}) for part in ways]
    entropies[kind] = np.array([(each.cut.value, each.entropy) for each in measured])
    share = (entropies[kind][:, 1] / entropies[kind][:, 0]).max()
    print(f"{kind}: at most {share:.0%} of what the cut allows")

# %% [markdown]
# ## Hundreds of leaves
#
# What can a block of neighbours share with all others? In a chain it is two variables, one at each
# end, however long the block. In a tree it is one if the block is a subtree; in the worst of
# a dozen places, it is a number that grows with the log of the length. Leaves that lie scattered
# cost one variable each, in both.

# %%
depth = 9
large = {
    "binary tree": (gh.GHM(2, (2,) * depth), f"x{depth}"),
    "chain": (gh.zoo.hidden_markov(2**depth, np.ones((2, 2)), np.ones((2, 2))), symbol),
}
lengths = [2**k for k in range(8)]


def variables(model, name, part):
    """How many variables are in the cut."""
    return len(gh.mincut(model, {name: part}).variables)


growth = {}
for kind, (model, name) in large.items():
    for length in lengths:
        starts = rng.integers(2**depth - length, size=12)
        worst = max(variables(model, name, range(at, at + length)) for at in starts)
        growth[kind, length] = worst, variables(model, name, range(0, 2 * length, 2))
    block, scattered = growth[kind, lengths[-1]]
    print(f"{kind}: a block of {lengths[-1]} leaves costs {block}, scattered ones {scattered}")

# %% [markdown]
# ## The likelihood as a network
#
# The messages toward the root, without logs: 1 x 1 convolutions by the tables, one group of
# channels per child rank, and products of siblings. This is a convolutional arithmetic circuit,
# and it gives the same likelihood as inference does, as long as numbers do not get too small.

# %%
digits = gh.examples.digits()
_, images, _, labels = gh.examples.digits_split()
circuit = gh.arithmetic_circuit(digits)
print(circuit)
seen = torch.tensor(images[:50])
logs = gh.infer(digits, images[:50]).log_evidence
ratio = np.exp(circuit.log_evidence(seen).numpy() - logs)
print(f"likelihoods of about {circuit(seen).log().mean().exp():.0e}; as inference has them, to")
print(f"within {abs(ratio - 1).max():.0e} of each")
try:
    gh.arithmetic_circuit(digits, dtype="float32")(seen)
except PrecisionError as error:
    print(error)

# %% [markdown]
# ## Why is this a nine?
#
# What the pixels change in the log-odds of a digit is divided among the messages that have said
# it: first the four quadrants, then their blocks, then the pixels. Nothing gets lost on the way,
# at every level the sum is the same.

# %%
rows = [int(np.flatnonzero(labels == digit)[1]) for digit in (0, 1, 3, 4, 6, 7, 8, 9)]
belief = gh.infer(digits, images[rows])["digit"]
first, second = belief.argsort(axis=1)[:, ::-1][:, :2].T
why = gh.relevance(digits, images[rows], state=first)
rather = gh.relevance(digits, images[rows], state=first, against=second)
print(why)
for name in ("quadrant", "block", "pixel"):
    print(f"{name:9} sums differ by {abs(why[name].sum(axis=1) - why.total).max():.0e} nats")

# %% [markdown]
# Paper speaks as well as ink: a digit is also where it is not.

# %%
blank = images[rows] == 0
loud = abs(why["pixel"])
print(f"{loud[blank].sum() / loud.sum():.0%} of the relevance is that of blank pixels")

# %% [markdown]
# Above, ranks, entropies and cuts. Below, red pixels speak for the digit, blue ones against it:
# first compared with all other digits, then with the runner-up.

# %%
INK, GREY, RED, BLUE, GREEN = "#1f2733", "#9aa3af", "#c43d5d", "#4556c9", "#2f8f6b"
GOLD = "#d08a1d"
COLOURS = {"binary tree": BLUE, "wide tree": GREEN, "chain": RED, "tree of near copies": GOLD}
figure = Figure(figsize=(12.4, 8.8), dpi=120, layout="constrained")
top, bottom = figure.subfigures(2, 1, height_ratios=(1, 1.08), hspace=0.03)
ranks, entropy, blocks = top.subplots(1, 3, width_ratios=(1.25, 1, 0.95))

for column, title in enumerate(partitions):
    for kind, shift in zip(models, (-0.28, 0, 0.28), strict=True):
        measured, edges = found[title, kind]
        at, colour = column + shift, COLOURS[kind]
        ranks.bar(at, measured.cut.rank, width=0.25, color=colour, alpha=0.22)
        ranks.plot(at, measured.rank, "o", color=colour, ms=6, label=None if column else kind)
        if edges > measured.cut.rank:
            ranks.plot([at - 0.125, at + 0.125], [edges] * 2, color=GREY, lw=2)
ranks.text(3, 81 * 1.25, "by edges", ha="center", color=GREY)
ranks.set_yscale("log", base=3)
ranks.set_yticks([1, 3, 9, 27, 81], ["1", "3", "9", "27", "81"])
ranks.minorticks_off()
ranks.set(ylim=(1, 420), ylabel="rank (dots), product of the cut (bars)")
ranks.set_xticks(range(4), [title.replace(" ", "\n", 1) for title in partitions])
ranks.set_title("Eight leaves: the rank is the cut of variables")
ranks.legend(frameon=False, loc="upper left", labelcolor="linecolor", handletextpad=0.1, ncols=3)

for (kind, points), shift in zip(entropies.items(), (-0.06, 0, 0.06), strict=True):
    cuts, values = points.T
    entropy.plot(cuts + shift, values, "o", color=COLOURS[kind], ms=4, alpha=0.35, mew=0)
line = np.array([0, 4 * math.log(3) + 0.3])
entropy.plot(line, line, color=INK, lw=1)
entropy.fill_between(line, line, 3, color=INK, alpha=0.05, lw=0)
entropy.text(0.1, 1.5, "impossible", color=INK)
entropy.text(4.6, 1.2, "near copies", ha="right", color=GOLD)
entropy.text(4.6, 0.22, "random chain", ha="right", color=RED)
entropy.text(4.6, 0.06, "random binary tree", ha="right", color=BLUE)
entropy.set_xticks([k * math.log(3) for k in range(1, 5)], ["ln 3", "ln 9", "ln 27", "ln 81"])
entropy.set(xlabel="log of the cut", ylabel="entropy of entanglement (nats)")
entropy.set(xlim=(0, 4.75), ylim=(-0.03, 1.9))
entropy.set_title("All ways to part them: entropy stays below")

for kind in large:
    worst, scattered = np.array([growth[kind, length] for length in lengths]).T
    blocks.plot(lengths, worst, "o-", color=COLOURS[kind], ms=4)
    blocks.plot(lengths, scattered, "-", color=GREY, lw=1.5)
end = lengths[-1]
blocks.text(end, growth["binary tree", end][0] + 0.35, "block in a tree", ha="right", color=BLUE)
blocks.text(end, growth["chain", end][0] - 0.65, "block in a chain", ha="right", color=RED)
blocks.text(11.5, 9.2, "scattered\nleaves", color=GREY)
blocks.set_xscale("log", base=2)
blocks.set_xticks(lengths, lengths)
blocks.minorticks_off()
blocks.set(xlabel="leaves, of 512", ylabel="variables in the cut", ylim=(0, 11))
blocks.set_title("What a block can share with the rest")
for axes in (ranks, entropy, blocks):
    axes.spines[["top", "right"]].set_visible(False)

bottom.suptitle("Which pixels have said so (red: for it, blue: against; nats)", fontsize=12)
scale = np.quantile(loud, 0.995)
sides = ("image", "against\nall others", "against\nrunner-up")
for column, row in enumerate(rows):
    titles = (
        f"a {labels[row]}",
        f"{first[column]}: {why.total[column]:+.1f}",
        f"{first[column]} not {second[column]}: {rather.total[column]:+.1f}",
    )
    maps = images[row], why["pixel"][column], rather["pixel"][column]
    for line, (title, pixels) in enumerate(zip(titles, maps, strict=True)):
        axes = bottom.add_subplot(3, len(rows), len(rows) * line + column + 1)
        axes.set_title(title, fontsize=9, pad=3)
        axes.set_xticks([])
        axes.set_yticks([])
        low, colours = (-scale, "RdBu_r") if line else (0, "Greys")
        axes.imshow(pixels.reshape(8, 8), cmap=colours, vmin=low, vmax=scale if line else 16)
        if column == 0:
            axes.set_ylabel(sides[line], rotation=0, ha="right", va="center")
picture = Path("14_what_can_this_tree_correlate.png").resolve()
save_picture(figure, picture)
print("picture:", picture)
figure
