# %% [markdown]
# # An Ising denoiser is a ResNet
#
# The best denoiser of spins is a fixed point, its iteration is a residual network, and how far
# the network is from the fixed point is proved; how far the fixed point is from the truth is
# measured.
#
# That variational inference, step by step, is a residual network that learns scores is from Mei
# and Wu (arXiv:2309.11420).

# %%
from pathlib import Path

import networkx as nx
import numpy as np
import torch
from matplotlib.figure import Figure

import ghmpp as gh
from ghmpp.errors import CertificateError
from ghmpp.schedule.picture import save_picture

# %% [markdown]
# ## Twelve spins that all see each other
#
# Spins of -1 and +1 with random couplings of both signs, seen through Gaussian noise. The
# denoiser is the mean of each spin given all observations. Twelve spins have 4,096
# configurations, so that the truth is at hand; the report says beforehand what is guaranteed.

# %%
d = 12
spins = gh.PairwiseSpins.sherrington_kirkpatrick(d, 0.3, seed=0)
seen = gh.noisy("x", sigma=1.0)
print(spins.report(seen))

# %% [markdown]
# ## One declaration, several engines
#
# Naive mean field takes all spins for independent: `m = tanh(A m + z / sigma^2)`, again and again.
# TAP takes back what each spin hears of its own echo. Belief propagation keeps one message for
# each pair. All three are schedules of the same five instructions, and each can be run exactly,
# as a ReLU network, or trained.

# %%
program = gh.compile(spins, gh.mean("x"), seen, engine=gh.NaiveMeanField(steps=20, damping=0.0))
print(program.schedule)

# %%
engines = {
    "no couplings": None,
    "naive": gh.NaiveMeanField(),
    "TAP": gh.TAP(),
    "belief propagation": gh.LoopyBP(),
}
sigmas = np.geomspace(0.4, 4, 9)
rng = np.random.default_rng(0)
truth = 2.0 * spins.sample(1000, seed=0)["x"] - 1
noise = rng.standard_normal(truth.shape)
errors = {name: [] for name in engines}
for sigma in sigmas:
    given, z = gh.noisy("x", sigma=sigma), torch.tensor(truth + sigma * noise)
    exact = gh.compile(spins, gh.mean("x"), given, engine="exact").network()(z)
    for name, engine in engines.items():
        if engine is None:
            means = torch.tanh(z / sigma**2)
        else:
            means = gh.compile(spins, gh.mean("x"), given, engine=engine).network()(z)
        errors[name].append(float((means - exact).square().mean()))
for name, found in errors.items():
    print(f"{name:<20}", "  ".join(f"{error:.1e}" for error in found))

# %% [markdown]
# ## The network, literally
#
# With `u = [a; m; 1]` the iteration is `u + W1 ReLU(W2 u)`: tanh becomes a piecewise-linear net of
# N knots, so that a layer has width `2 d + 1` and `d (N + 2) + 1` units. All layers have the same
# weights, and nothing is trained.

# %%
network = gh.residual_network(spins, seen, steps=40, knots=64)
print(network)
print(network.certificate)

# %% [markdown]
# The certificate is read off the weights. Each layer shrinks the distance to the fixed point by the
# norm of A, and the nets of tanh add their error:
#
# `|m - m*| <= alpha^L sqrt(d) + zeta sqrt(d) (1 - alpha^L) / (1 - alpha)`.
#
# More layers help until the knots are the limit, and the other way round. Where the norm is 1
# or more there may be two fixed points, and no certificate.

# %%
z = torch.tensor(truth + noise)
fixed = z
for _ in range(400):
    fixed = torch.tanh(fixed @ torch.tensor(spins.couplings) + z)
grid = {}
for knots in (8, 16, 32, 64, 128):
    for layers in (2, 4, 8, 16, 32):
        each = gh.residual_network(spins, seen, steps=layers, knots=knots)
        away = float((each(z) - fixed).norm(dim=1).max())
        grid[knots, layers] = away, each.certificate.bound
for knots, layers in ((8, 2), (8, 32), (128, 4), (128, 32)):
    away, bound = grid[knots, layers]
    print(f"{knots:>4} knots, {layers:>2} layers: at most {bound:.2e}, found {away:.2e}")

# %%
try:
    gh.residual_network(gh.PairwiseSpins.curie_weiss(d, 1.6), seen, steps=20)
except CertificateError as error:
    print(error)

# %% [markdown]
# For use there is a faster form of the same function: the family "relu" of any engine, evaluated
# by segments instead of units, with a certificate of its own against the exact schedule.

# %%
print(program.network("relu", delta=1e-3).certificate)

# %% [markdown]
# ## Three errors of a score
#
# What a network gets wrong has three parts: that of the fixed point (no layer removes it), that of
# finitely many layers and knots, and what training does. With stronger couplings the fixed point
# itself is the limit. Three layers with eight knots are far from it, which is no harm; their twin,
# trained as a denoiser on samples, starts there and ends closer to the truth than the fixed point.

# %%
strong = gh.PairwiseSpins.sherrington_kirkpatrick(d, 0.6, seed=0)
short = gh.residual_network(strong, seen, steps=3, knots=8, certificate=False)
twin = gh.residual_network(strong, seen, steps=3, knots=8, trainable=True, dtype="float32")
x = torch.tensor(2.0 * strong.sample(40_000, seed=1)["x"] - 1, dtype=torch.float32)
torch.manual_seed(0)
batches = x.repeat(4, 1).split(500)
optimizer = torch.optim.Adam(twin.parameters(), lr=2e-4)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, len(batches))
for batch in batches:
    optimizer.zero_grad()
    loss = (twin(batch + torch.randn_like(batch)) - batch).square().mean()
    loss.backward()
    optimizer.step()
    schedule.step()
fixed_point = gh.NaiveMeanField(damping=0.1)
compiled = gh.diffusion.score_error(strong, seen, short, engine=fixed_point)
split = gh.diffusion.score_error(strong, seen, short, trained=twin, engine=fixed_point)
print(split)
print("compiled, not trained:", compiled.total)

# %% [markdown]
# ## More layers can hurt
#
# On a graph with cycles, belief propagation is no descent: on a grid of strong couplings, messages
# that went around a cycle are taken for news. A few layers are better than many; `tune_depth` finds
# how many, where the truth is at hand.

# %%
edges = nx.grid_2d_graph(3, 4)
depths = (1, 2, 3, 4, 6, 8, 16, 64)
tuned = {}
for coupling, sigma in ((0.4, 1.1), (0.6, 3.2)):
    matrix = coupling * nx.to_numpy_array(edges)
    lattice = gh.PairwiseSpins(matrix, name=f"grid, couplings {coupling}")
    tuned[coupling] = gh.tune_depth(
        lattice, gh.LoopyBP(damping=0.0), gh.noisy("x", sigma=sigma), depths=depths, n=500
    )
    print(tuned[coupling])

# %%
INK, BLUE, GOLD, RED, GREY = "#333333", "#2f6db5", "#c08a1e", "#b5402f", "#999999"
figure = Figure(figsize=(11, 7.4), layout="constrained")
(noise_axes, proof_axes), (split_axes, depth_axes) = figure.subplots(2, 2)

colours = dict(zip(engines, (GREY, RED, GOLD, BLUE), strict=True))
for name, found in errors.items():
    noise_axes.loglog(sigmas, found, "o-", color=colours[name], ms=4, label=name)
noise_axes.set(xlabel="noise sigma", ylabel="mean square error to the exact denoiser")
noise_axes.set_xticks([0.5, 1, 2, 4], ["0.5", "1", "2", "4"])
noise_axes.minorticks_off()
noise_axes.set_title("Twelve spins: engines against enumeration")
noise_axes.legend(frameon=False, loc="lower right", labelcolor="linecolor")

layers = (2, 4, 8, 16, 32)
for knots, colour in zip((8, 32, 128), (RED, GOLD, BLUE), strict=True):
    away, bound = np.array([grid[knots, each] for each in layers]).T
    proof_axes.loglog(layers, bound, "--", color=colour)
    proof_axes.loglog(layers, away, "o-", color=colour, ms=4)
    proof_axes.text(34, away[-1], f"{knots} knots", color=colour, va="center")
proof_axes.plot([], [], "--", color=INK, label="certificate")
proof_axes.plot([], [], "o-", color=INK, ms=4, label="worst of 1,000 inputs")
proof_axes.set_xticks(layers, layers)
proof_axes.minorticks_off()
proof_axes.set(xlabel="layers", ylabel="distance to the fixed point", xlim=(1.8, 64))
proof_axes.set_title("The residual network and its proof")
proof_axes.legend(frameon=False, loc="lower left")

bars = {
    "fixed\npoint": split.variational,
    "compiled,\n3 layers": compiled.total,
    "trained,\n3 layers": split.total,
}
split_axes.bar(
    list(bars),
    [bar.value for bar in bars.values()],
    yerr=[2 * bar.error for bar in bars.values()],
    color=[GREY, GOLD, BLUE],
    width=0.6,
)
split_axes.set(ylabel="mean square error to the exact denoiser")
split_axes.set_title("Stronger couplings: fewer layers, then training")

for (coupling, found), colour in zip(tuned.items(), (BLUE, RED), strict=True):
    depth_axes.loglog(depths, found.errors, "o-", color=colour, ms=4)
    best = found.depths.index(found.best)
    depth_axes.plot(found.best, found.errors[best], "o", ms=11, mfc="none", color=colour)
    depth_axes.text(66, found.errors[-1], f"couplings\n{coupling}", color=colour, va="center")
depth_axes.set_xticks(depths, depths)
depth_axes.minorticks_off()
depth_axes.set(xlabel="layers", ylabel="mean square error to the exact denoiser", xlim=(0.9, 150))
depth_axes.set_title("Belief propagation on a 3 x 4 grid: more can hurt")
for axes in (noise_axes, proof_axes, split_axes, depth_axes):
    axes.spines[["top", "right"]].set_visible(False)
picture = Path("12_ising_denoiser_is_a_resnet.png").resolve()
save_picture(figure, picture)
print("picture:", picture)
figure
