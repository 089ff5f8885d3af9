# %% [markdown]
# # A tree of species
#
# From the DNA of nine species, exact inference tells which sites evolve fast, what their ancestors
# had, and how far apart they are. The model is Felsenstein's: a tree with one table per branch,
# given by a process of substitutions, and sites that differ in their rate.
#
# The alignment is simulated, so that every answer can be compared with the truth; the tree and its
# branch lengths (substitutions per site) are of realistic size, but made up.

# %%
import re
from pathlib import Path

import numpy as np
import torch
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from scipy.linalg import expm

import ghmpp as gh
from ghmpp.schedule.picture import save_picture

newick = """
((((human:0.03, chimp:0.03)hominini:0.03, gorilla:0.05)hominidae:0.07,
  (macaque:0.06, baboon:0.05)monkeys:0.08)primates:0.12,
 (mouse:0.12, rat:0.13)rodents:0.35,
 (dog:0.18, cow:0.21)laurasia:0.08)root;
"""

# %% [markdown]
# ## Declare
#
# HKY85: transitions (A-G, C-T) happen more often than transversions, and bases are not equally
# frequent. Four equally probable categories of sites have rates from a gamma law. The category is
# a variable of its own; it keeps its state on all branches.

# %%
process = gh.zoo.hky85(kappa=4.0, frequencies=[0.3, 0.2, 0.2, 0.3])
rates = gh.zoo.gamma_rates(shape=0.6, categories=4)
model = gh.zoo.phylogeny(newick, process, rates=rates, category="rate")
print(process, "\nrates", rates.round(2))
print(model)

# %% [markdown]
# ## An alignment
#
# Sites are rows of a batch; species are columns. We keep the ancestors aside, as the truth.

# %%
tree = gh.zoo.read_newick(newick)
labels = dict(tree.nodes(data="label"))
species = [labels[node] for node in tree if tree.out_degree(node) == 0]
ancestors = [labels[node] for node in tree if tree.out_degree(node) > 0]
sites = 2000
truth = {name: states[:, 0] for name, states in model.sample(sites, seed=0).items()}
alignment = {name: truth[name] for name in species}
for name in species:
    print(f"{name:8s}", "".join("ACGT"[base] for base in alignment[name][:70]))

# %% [markdown]
# ## Likelihood
#
# Felsenstein's pruning is the collect pass of belief propagation. Here it is once more, by hand.

# %%
engine = gh.Inference(model)
beliefs = engine.posteriors(alignment)


def pruned(rate: float) -> np.ndarray:
    """Likelihood of every site at one rate."""
    below = {node: np.ones((sites, 4)) for node in tree}
    for node in reversed(list(tree)):
        if labels[node] in alignment:
            below[node] = np.eye(4)[alignment[labels[node]]]
        for parent in tree.predecessors(node):
            length = tree.edges[parent, node]["length"]
            below[parent] *= below[node] @ expm(process.rates * length * rate).T
    return below[0] @ process.frequencies


by_hand = np.log(np.mean([pruned(rate) for rate in rates], axis=0))
print(f"log likelihood {beliefs.log_evidence.sum():.6f}, by hand {by_hand.sum():.6f}")
print(f"largest difference of a site {abs(beliefs.log_evidence - by_hand).max():.0e}")

# %% [markdown]
# One rate for all sites explains the same data much worse:

# %%
single = gh.Inference(gh.zoo.phylogeny(newick, process)).log_evidence(alignment).sum()
print(f"log likelihood with one rate {single:.1f}, with four {by_hand.sum():.1f}")

# %% [markdown]
# ## Ancestors
#
# The posterior of every ancestor at every site, with the rate summed out. It is honest: as many
# bases are right as it expects.

# %%
restored = {}
for name in ancestors:
    posterior = beliefs[name]
    right = posterior.argmax(axis=1) == truth[name]
    restored[name] = right.mean()
    print(f"{name:10s} {right.mean():6.1%} restored, {posterior.max(axis=1).mean():6.1%} expected")

# %% [markdown]
# And the rate of each site, from nine bases only:

# %%
expected_rate = beliefs["rate"] @ rates
for k, rate in enumerate(rates):
    print(f"true rate {rate:.2f}: found {expected_rate[truth['rate'] == k].mean():.2f} on average")

# %% [markdown]
# ## Branch lengths
#
# With `lengths="free"` the length of each branch is a symbol in its table. Without lengths in the
# tree they are learned, by EM with exact expectations. (An unrooted tree has one length less than
# a rooted one: the root above has three children.)

# %%
shape = re.sub(r":[\d.]+", "", newick)
free = gh.zoo.phylogeny(shape, process, rates=rates, category="rate", lengths="free")
fitted = gh.fit(free, alignment, smoothing=0, iterations=40, progress=False)
print(f"log likelihood {gh.Inference(fitted).log_evidence(alignment).sum():.1f}")
true_length = {labels[b]: tree.edges[a, b]["length"] for a, b in tree.edges}
for name, length in true_length.items():
    print(f"{name:10s} true {length:.3f}  learned {fitted.parameters[f't_{name}']:.3f}")

# %% [markdown]
# The compiled network has the same symbols as parameters. So the gradient of the log likelihood
# comes from automatic differentiation; at the learned lengths it has almost gone.

# %%
columns = [torch.as_tensor(alignment[name]) for name in species]
for said, lengths in (("true", true_length), ("learned", fitted.parameters)):
    at = {f"t_{name}": lengths.get(name, lengths.get(f"t_{name}")) for name in true_length}
    network = gh.compile(free.bind(**at), gh.log_evidence(), given=species).network()
    symbols = [value.requires_grad_() for name, value in network.named_parameters() if "t_" in name]
    slopes = torch.autograd.grad(network(*columns).sum(), symbols)
    print(f"largest slope at the {said} lengths: {max(abs(slope.item()) for slope in slopes):.2f}")

# %%
INK, BLUE, GREY = "#1f2733", "#4556c9", "#9aa3af"
FILLS, STROKES = (
    ("#d7efe6", "#dfe3fb", "#fdebd0", "#fbe0e6"),
    ("#1b8a6b", BLUE, "#c9821b", "#c43d5d"),
)
shown = 44
figure = Figure(figsize=(13, 4.4), dpi=140, layout="constrained")
grid = figure.add_gridspec(
    2, 3, width_ratios=(1.15, 2.1, 1.05), height_ratios=(1, 3.4), hspace=0.02
)
drawn, letters = figure.add_subplot(grid[1, 0]), figure.add_subplot(grid[1, 1])
speed, learned = figure.add_subplot(grid[0, 1]), figure.add_subplot(grid[:, 2])

across, height = {0: 0.0}, {}
for parent, node in tree.edges:
    across[node] = across[parent] + tree.edges[parent, node]["length"]
for node in reversed(list(tree)):
    below = [height[child] for child in tree.successors(node)]
    height[node] = np.mean(below) if below else species.index(labels[node])
    if below:
        drawn.vlines(across[node], min(below), max(below), color=INK, lw=1.4)
        share = f"{100 * restored[labels[node]]:.0f}"
        drawn.plot(across[node], height[node], "o", color="white", ms=14, mec=BLUE, zorder=3)
        drawn.text(across[node], height[node], share, color=BLUE, ha="center", va="center", size=7)
    else:
        drawn.text(0.68, height[node], labels[node], ha="right", va="center")
        drawn.plot([across[node] + 0.008, 0.52], [height[node]] * 2, ":", color=GREY, lw=0.8)
for parent, node in tree.edges:
    drawn.hlines(height[node], across[parent], across[node], color=INK, lw=1.4)
drawn.set(xlim=(-0.03, 0.68), ylim=(8.5, -0.5), xticks=np.arange(6) / 10, yticks=[])
drawn.set_xlabel("substitutions per site", x=0.38)
drawn.spines["bottom"].set_bounds(0, 0.5)
drawn.set_title("true tree; % of each ancestor restored", fontsize=10)

bases = np.array([alignment[name][:shown] for name in species])
palette = ListedColormap(FILLS)
letters.imshow(bases, cmap=palette, vmin=0, vmax=3, aspect="auto", interpolation="nearest")
for (row, column), base in np.ndenumerate(bases):
    letters.text(column, row, "ACGT"[base], color=STROKES[base], size=7, ha="center", va="center")
letters.set(yticks=[], xticks=[], xlabel=f"first {shown} of {sites:,} sites")
speed.bar(range(shown), expected_rate[:shown], color="#b4bbec", label="expected")
speed.plot(range(shown), rates[truth["rate"][:shown]], "_", color=INK, ms=6, label="true")
speed.set(xlim=(-0.5, shown - 0.5), xticks=[], ylabel="rate")
speed.legend(frameon=False, ncols=2, fontsize=8, loc="upper left", bbox_to_anchor=(0, 1.4))

most = 1.1 * max(true_length.values())
learned.plot([0, most], [0, most], color=GREY, lw=1)
for name, length in true_length.items():
    learned.plot(length, fitted.parameters[f"t_{name}"], "o", color=BLUE, ms=5)
learned.set(xlim=(0, most), ylim=(0, most), aspect="equal", xlabel="true", ylabel="learned")
learned.set_title(f"branch lengths, from {sites:,} sites", fontsize=10)
for axes, sides in (
    (drawn, ["top", "right", "left"]),
    (letters, ["top", "right", "left", "bottom"]),
    (speed, ["top", "right", "bottom"]),
    (learned, ["top", "right"]),
):
    axes.spines[sides].set_visible(False)
save_picture(figure, "04_phylogeny.png")
print("picture:", Path("04_phylogeny.png").resolve())
figure
