# %% [markdown]
# # Diffusion with an exact denoiser
#
# Where the denoiser is exact inference, a diffusion sampler has no error but its own: one sees
# when a sample makes up its mind about what it will be, and how many steps each sampler needs.

# %%
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import ghmpp as gh
from ghmpp.diffusion import (
    StochasticLocalization,
    VariancePreserving,
    bits_per_token,
    joint_probabilities,
    sampling_floor,
    total_variation,
    true_posteriors,
)
from ghmpp.schedule.picture import save_picture

# %% [markdown]
# ## Digits from noise
#
# The quad-tree of handwritten digits has learned what images look like; its denoiser is one run of
# belief propagation. `diffuse` starts from noise and follows it. Whatever noise a process adds, the
# same network serves all of its times.

# %%
digits = gh.examples.digits()
samples = gh.diffuse(
    digits, 3, sampler="euler", steps=64, process=VariancePreserving(), seed=30, trajectory=True
)
print(samples)
print(samples.trajectory)

# %% [markdown]
# Samples of a known model can be judged by the model itself: in bits per pixel, they cannot be told
# from samples that are drawn from the root to the leaves, without any diffusion.

# %%
n = 1000
drawn = {
    "diffusion": gh.diffuse(digits, n, sampler="euler", steps=32).states,
    "root to leaves": digits.sample(n, seed=1)["pixel"],
}
for name, states in drawn.items():
    bits = bits_per_token(states, digits)
    print(f"{name:>14}: {bits.mean():.3f} +- {bits.std() / n**0.5:.3f} bits per pixel")

# %% [markdown]
# A condition is evidence: clamp the root, and all samples are of one digit. Missing pixels need no
# diffusion: `inpaint` draws them exactly.

# %%
threes = gh.diffuse(digits, 200, sampler="euler", steps=32, given={"digit": 3})
found = gh.Inference(digits).classify(threes.states)
print(f"of 200 samples given the digit 3, {np.mean(found == 3):.0%} are read as a 3")
half = np.where(np.arange(64) < 32, digits.sample(1, seed=5)["pixel"][0], np.nan)
print("four lower halves for one upper half:", gh.inpaint(digits, half, 4).shape)

# %% [markdown]
# ## The root freezes first
#
# How sure is the exact posterior of the truth, at each level, while the noise fades? The digit is
# settled when single pixels are still all but unknown: at one noise level the sampler chooses what
# to draw, and long after, how. From here on, guidance by the class comes too late.

# %%
times = np.geomspace(1e-3, 60, 40)
sure = true_posteriors(digits, [0, *times, 400], 800, noise=StochasticLocalization())
settled = {name: (p[1:-1] - p[0]) / (p[-1] - p[0]) for name, p in sure.items()}
for name, share in settled.items():
    print(f"{name:>8}: half known at localization time {times[np.argmax(share > 0.5)]:.3f}")

# %% [markdown]
# ## Six samplers
#
# A tree of four leaves with three states has 81 configurations, so the law of samples can be
# compared with the truth. A call is one run of the denoiser. Equal steps, as in arXiv:2404.18444,
# waste most of them; the probability flow with steps of second order needs about ten.

# %%
table = np.full((3, 3), 0.03) + 0.91 * np.eye(3)
tree = gh.GHM(states=3, branching=(2, 2), tables=[table, table], state_values=[1, 2, 3])
n = 50_000
floor = sampling_floor(joint_probabilities(tree), n)
samplers = {
    "Euler, equal steps": {"sampler": "euler", "grid": "uniform"},
    "DDIM": {"sampler": "ddim"},
    "Euler (DDPM)": {"sampler": "euler"},
    "marginal jumps": {"sampler": "jump"},
    "Heun": {"sampler": "heun"},
    "Adams-Bashforth 2": {"sampler": "ab2"},
}
curves = {}
for name, how in samplers.items():
    steps = (4, 8, 16, 32) if name == "Heun" else (5, 7, 11, 15, 31, 63)
    runs = [gh.diffuse(tree, n, steps=k, seed=k, **how) for k in steps]
    curves[name] = [(run.calls, total_variation(run, tree)) for run in runs]
    listed = ", ".join(f"{calls}: {distance:.3f}" for calls, distance in curves[name])
    print(f"{name:>18}, total variation by calls: {listed}")
print(f"exact samples have {floor:.3f}")

# %% [markdown]
# ## The picture
#
# Above, samples on their way: what the sampler sees, and what it makes of it, with the most
# probable digit. Below, when levels are settled, and what a call is worth.

# %%
COLORS = ("#1f4e79", "#2e86ab", "#7fb069", "#d1495b", "#8d6a9f", "#e08e2b")
way, process = samples.trajectory, samples.trajectory.process
taus = np.array([process.localization_time(t) for t in way.times])
shown = [int(np.argmin(abs(np.log(taus / tau)))) for tau in (0.003, 0.01, 0.03, 0.1, 0.5, 2, 20)]
engine = gh.Inference(digits)


def paint(axes, pixels, title, **range_of_grey):
    axes.imshow(pixels.reshape(8, 8), cmap="gray", **range_of_grey)
    axes.set_title(title, fontsize=8, pad=2)
    axes.set_xticks([])
    axes.set_yticks([])


figure = Figure(figsize=(10.5, 9.6), layout="constrained")
top, bottom = figure.subfigures(2, 1, height_ratios=(1.65, 1))
strips = top.subfigures(3, 1, hspace=0.04)
for row, strip in enumerate(strips):
    images = strip.subplots(2, len(shown) + 1)
    for column, step in enumerate(shown):
        t, z = float(way.times[step]), way.z[step, [row]]
        beliefs = engine.posteriors({"pixel": gh.Observed(z, process.channel(t))})
        means, digit = beliefs["pixel"] @ np.arange(17), beliefs["digit"][0]
        best = digit.argmax()
        paint(images[0, column], z, f"t = {taus[step]:.2g}" if row == 0 else "")
        paint(images[1, column], means, f"{best}: {digit[best]:.0%}", vmin=0, vmax=16)
    paint(images[1, -1], samples.states[row], "sample", vmin=0, vmax=16)
    images[0, -1].set_visible(False)
    for name, axes in zip(("seen", "answer"), images[:, 0], strict=True):
        axes.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8)

left, right = bottom.subplots(1, 2)
for color, (name, share) in zip(COLORS, settled.items(), strict=False):
    left.plot(times, share, color=color, label=name)
left.axhline(0.5, lw=0.5, color="0.6")
left.set(
    xscale="log", xlabel="localization time t (noise fades)", ylabel="share of the truth known"
)
left.set_title("the digit is settled before its pixels", fontsize=10)
left.legend(frameon=False, fontsize=8)
for color, (name, points) in zip(COLORS, curves.items(), strict=True):
    right.plot(*zip(*points, strict=True), "o-", ms=3, lw=1.2, color=color, label=name)
right.axhline(floor, lw=0.8, ls="--", color="0.4")
right.annotate(
    "exact samples, on average", (6, floor), xytext=(0, -9), textcoords="offset points", fontsize=8
)
right.set(xscale="log", yscale="log", xlabel="calls of the denoiser", ylabel="total variation")
right.set_xticks([6, 8, 12, 16, 32, 64], labels=["6", "8", "12", "16", "32", "64"], minor=False)
right.set_xticks([], minor=True)
right.set_title("six samplers", fontsize=10)
right.set_ylim(top=4)
right.legend(frameon=False, fontsize=8, ncols=2, loc="upper right")

picture = Path("08_diffusion.png").resolve()
save_picture(figure, picture)
print("picture:", picture)
