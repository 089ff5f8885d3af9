# %% [markdown]
# # The phase transition of diffusion
#
# Noise fades the words of a random grammar slowly, but erases its class at once: at a critical
# noise with a closed form, found again here by exact inference on half a million leaves. At
# the same point the leaves change in the largest blocks, as matter does where it melts.
#
# The grammar is the Random Hierarchy Model (Cagnetta, Petrini, Tomasini, Favero, Wyart 2024), the
# transition that of Sclocchi, Favero and Wyart (PNAS 2025).

# %%
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import ghmpp as gh
from ghmpp.observables import change_correlations, softened
from ghmpp.schedule.picture import save_picture

# %% [markdown]
# ## A grammar without ambiguity
#
# Each of v symbols is replaced by one of its m pairs of symbols, level after level. The rules are
# drawn at random, but no two symbols share a pair, so a string of leaves can come from one class
# only.

# %%
v, m, depth = 16, 4, 7
model = gh.zoo.random_hierarchy(v=v, m=m, s=2, L=depth, seed=0)
print(model)
drawn = model.sample(3, seed=0)
print(drawn["x7"][:, :24])

# %% [markdown]
# Exact inference undoes the grammar. A string with one wrong leaf is no sentence of it; we are told
# where it breaks.

# %%
engine = gh.Inference(model, dtype="float32")
print("true classes", drawn["x0"][:, 0], "found", engine.classify({"x7": drawn["x7"]}))
wrong = drawn["x7"].copy()
wrong[1, 5] = (wrong[1, 5] + 1) % v
try:
    engine.classify({"x7": wrong})
except gh.errors.ImpossibleEvidenceError as error:
    print(error)

# %% [markdown]
# ## Where the class is lost, in closed form
#
# Soften what is known of each leaf: belief 1 - noise + noise / v in its true symbol, the rest
# spread over the others. Averaged over the rules, a belief p in the true symbols of two siblings
# makes the belief F(p) in that of their parent. F has three fixed points, certainty, ignorance and
# an unstable one between them, (m - 1) / (v - m): beliefs above it grow from level to level, those
# below it fade. So the class is lost where the leaves' belief starts at that point.

# %%
field = gh.theory.MeanField(v=v, m=m, s=2)
print(f"unstable belief {field.threshold}, critical noise {field.critical_noise}")

# %% [markdown]
# ## What exact inference finds
#
# Eight grammars with a hundred strings each. At every noise we ask for the posterior probability of
# the true class and of the true leaves, and draw a new string from the posterior: this is what
# diffusion does when it adds noise and takes it away again. `change_correlations` tells which
# leaves change together.

# %%
noises = np.array([0.4, 0.5, 0.6, 0.65, 0.7, 0.725, 0.75, 0.775, 0.8, 0.825, 0.85, 0.9, 0.95])
grammars, strings = 8, 100


def measure(depth: int) -> tuple[np.ndarray, np.ndarray]:
    """Posteriors of the true root and leaves (noises, 2), and susceptibilities (noises,)."""
    leaves = f"x{depth}"
    posteriors = np.zeros((len(noises), 2))
    covariances = np.zeros((len(noises), 2**depth, 2**depth))
    for seed in range(grammars):
        model = gh.zoo.random_hierarchy(v, m, 2, depth, seed=seed)
        true = model.sample(strings, seed=100 + seed)
        engine = gh.Inference(model, dtype="float32")
        for k, noise in enumerate(noises):
            evidence = {leaves: softened(true[leaves], noise, v)}
            beliefs = engine.posteriors(evidence, classes=["x0", leaves])
            root = np.take_along_axis(beliefs["x0"], true["x0"], axis=1)
            leaf = np.take_along_axis(beliefs[leaves], true[leaves][..., None], axis=2)
            posteriors[k] += root.mean() / grammars, leaf.mean() / grammars
            new = engine.posterior_sample(evidence, n=2, seed=k, classes=[leaves])[leaves]
            covariances[k] += change_correlations(true[leaves], new) / grammars
    together = covariances.sum(axis=(1, 2)) / np.trace(covariances, axis1=1, axis2=2)
    return posteriors, together


posteriors, together = measure(depth)
theory = np.array([field.posteriors(noise, depth)[[0, -1]] for noise in noises])
print("noise  class  mean field  leaves  mean field  susceptibility")
for noise, found, expected, chi in zip(noises, posteriors, theory, together, strict=True):
    print(
        f"{noise:.3f}  {found[0]:.3f}    {expected[0]:.3f}     {found[1]:.3f}     "
        f"{expected[1]:.3f}        {chi:.2f}"
    )

# %% [markdown]
# Below the critical noise the class is known better than the leaves that it was read from. Above,
# it is lost while most leaves are still right: a sample drawn there keeps words and changes its
# meaning.
#
# ## Deeper trees
#
# The curves of the class steepen with depth and cross at one point, the critical noise and the
# unstable belief, as in a phase transition; the leaves hardly notice how deep the tree is. The
# susceptibility, the number of leaves that change together, peaks at the transition, more
# sharply the deeper the tree: only there do changes reach all over it.

# %%
results = {5: measure(5), 7: (posteriors, together), 9: measure(9)}
for levels, (_, chi) in results.items():
    print(f"{2**levels:4d} leaves: peak {chi.max():.2f} at noise {noises[chi.argmax()]:g}")

# %%
INK, BLUE, RED, GREY = "#1f2733", "#4556c9", "#c43d5d", "#9aa3af"
figure = Figure(figsize=(11.5, 3.9), dpi=140, layout="constrained")
growth, curves, changes = figure.subplots(1, 3)

belief = np.linspace(0, 1, 201)
growth.plot(belief, belief, color=GREY, lw=1)
growth.plot(belief, [field.upward(p) for p in belief], color=INK, lw=1.8)
for start, colour in ((0.3, BLUE), (0.2, RED)):
    chain = [start]
    for _ in range(9):
        chain.append(field.upward(chain[-1]))
    # Up to the curve, across to the diagonal: each corner is one level.
    growth.plot(np.repeat(chain, 2)[:-1], np.repeat(chain, 2)[1:], color=colour, lw=1)
fixed = np.array([1 / v, 1.0])
growth.plot(fixed, fixed, "o", color=INK, ms=5, clip_on=False)
growth.plot(field.threshold, field.threshold, "o", color=INK, mfc="white", ms=5.5, zorder=3)
growth.text(0.94, 0.99, "certain", ha="right", va="center")
growth.text(0.31, 0.2, f"unstable: (m - 1) / (v - m) = {field.threshold:g}")
growth.text(0.12, 0.045, f"ignorant: 1 / v = 1/{v}")
growth.set(xlim=(0, 1), ylim=(0, 1), xlabel="belief in the children", ylabel="belief in the parent")
growth.set_title("A belief, one level up")

fine = np.linspace(0.4, 1, 121)
for (levels, (found, chi)), shade in zip(
    results.items(), ("#b4bbec", "#7f8bdd", BLUE), strict=True
):
    expected = np.array([field.posteriors(noise, levels)[[0, -1]] for noise in fine])
    curves.plot(fine, expected[:, 0], color=shade, lw=1.4)
    curves.plot(noises, found[:, 0], "o", color=shade, ms=4.5)
    changes.plot(noises, chi, "o-", color=shade, lw=1.4, ms=4, label=f"{2**levels} leaves")
curves.plot(fine, expected[:, 1], color=RED, lw=1.4)
curves.plot(noises, found[:, 1], "o", color=RED, ms=4.5)
curves.text(0.45, 0.85, "class", color=BLUE, weight="bold")
curves.text(0.87, 0.44, "leaves", color=RED, weight="bold")
curves.text(0.41, 0.08, "dots: exact inference\nlines: mean field", color=GREY)
curves.set(xlabel="noise", ylabel="posterior probability of the truth", ylim=(0, 1.03))
curves.set_title(f"{grammars} grammars, {strings} strings each")
changes.legend(frameon=False, loc="upper left", labelcolor="linecolor", reverse=True)
changes.set(xlabel="noise", ylabel="leaves that change together", ylim=(1, None))
changes.set_title("Susceptibility")

for axes in (curves, changes):
    axes.axvline(field.critical_noise, color=INK, lw=0.9, ls=(0, (4, 3)), zorder=0)
curves.text(field.critical_noise + 0.012, 0.93, f"critical noise {field.critical_noise:g}")
for axes in (growth, curves, changes):
    axes.spines[["top", "right"]].set_visible(False)
save_picture(figure, "03_random_hierarchy.png")
print("picture:", Path("03_random_hierarchy.png").resolve())
figure
