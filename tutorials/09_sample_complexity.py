# %% [markdown]
# # How much data a hierarchy takes
#
# A deep network learns a random grammar from a number of examples with a closed form, a network
# with the shape of belief propagation from fewer, and the rules themselves, learned on the true
# tree, from fewer still. Measured by one sweep, whose finished cells are kept.
#
# The grammar and the law are those of Cagnetta, Petrini, Tomasini, Favero and Wyart, How deep
# neural networks learn compositional data: the Random Hierarchy Model (Phys. Rev. X 2024).

# %%
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import ghmpp as gh
from ghmpp.schedule.picture import save_picture

# %% [markdown]
# ## The task
#
# A class is replaced by one of its m pairs of symbols, each symbol by one of its m pairs, and so
# on; after two levels, four symbols are left, from which the class is to be told. A class has m**3
# strings. What saves a learner from meeting them all is to see which pairs are synonyms: they go
# with the same classes.

# %%
v, depth, synonyms = 8, 2, (4, 8)
model = gh.zoo.random_hierarchy(v=v, m=synonyms[0], s=2, L=depth, seed=0)
print(model)
drawn = model.sample(4, seed=0)
for label, string in zip(drawn["x0"][:, 0], drawn[f"x{depth}"], strict=True):
    print(f"class {label}: {string}")
print("exact inference finds", gh.Inference(model).classify({"x2": drawn["x2"]}))

# %% [markdown]
# A pair tells of the class only through a correlation that is small, about one part in m**L for
# each of the n_c classes. It stands out from the noise of sampling when there are
# about P* = n_c m**L examples; this is how many a deep network takes, however wide it is.
#
# ## Three learners
#
# - `cnn`: convolutions whose patch is the stride is the number of children. It knows where the
#   tree is, not what a message is.
# - `bp`: the network that belief propagation would be if we knew the rules, with all its messages
#   replaced by small networks that are trained.
# - `em`: the rules themselves, learned by expectation maximisation from the same strings and
#   labels. Then the class is inferred exactly.
#
# `gh.sweep` runs every combination, here in two processes, and keeps each finished cell in a file:
# when it is interrupted, or the grid grows, it goes on where it was.

# %%
ratios = [0.5, 1.0, 2.0, 4.0]
tables = {
    learner: gh.sweep(
        "rhm",
        {"ratio": ratios[::-1], "m": list(synonyms), "learner": [learner], **options},
        folder="09_sample_complexity",
        workers=2,
    )
    for learner, options in {
        "cnn": {"width": [64], "steps": [1500]},
        "bp": {"width": [64], "steps": [1000]},
        "em": {"seed": [0, 1, 2]},
    }.items()
}
print("examples / P*  learner  " + "  ".join(f"m = {m}" for m in synonyms))
for ratio in ratios:
    for learner, table in tables.items():
        found = table[table["ratio"] == ratio].groupby("m")["relative_error"].mean()
        print(f"{ratio:13g}  {learner:7}  " + "  ".join(f"{found[m]:5.3f}" for m in synonyms))

# %% [markdown]
# Errors are those on fresh strings, over the error of a guess: at P* the convolutional network is
# still wrong half of the time, at four times as many examples hardly ever. The second grammar takes
# four times as many examples as the first; in units of P* the curves of both nearly coincide.

# %%
INK, GREY = "#1f2733", "#9aa3af"
COLOURS = {"cnn": "#c43d5d", "bp": "#4556c9", "em": "#2f8f6b"}
NAMES = {
    "cnn": "convolutional network",
    "bp": "messages of belief propagation, trained",
    "em": "rules on the true tree, by EM",
}
figure = Figure(figsize=(10.4, 4.3), dpi=140, layout="constrained")
left, right = figure.subplots(1, 2, sharey=True)
for learner, table in tables.items():
    for m, style in zip(synonyms, ("o-", "s--"), strict=True):
        part = table[table["m"] == m].groupby("scaled")["relative_error"].mean()
        scaled, errors = part.index.to_numpy(), part.to_numpy()
        for axes, x in ((left, scaled * v * m**depth), (right, scaled)):
            named = axes is right and m == synonyms[0]
            axes.plot(
                x,
                errors,
                style,
                color=COLOURS[learner],
                ms=5,
                lw=1.6,
                mfc=COLOURS[learner] if m == synonyms[0] else "white",
                label=NAMES[learner] if named else None,
            )
for m in synonyms:
    left.axvline(v * m**depth, color=GREY, lw=0.9, ls=(0, (4, 3)), zorder=0)
    left.text(v * m**depth * 1.05, 0.97, f"P* = {v * m**depth}", color=GREY, va="top")
right.axvline(1, color=GREY, lw=0.9, ls=(0, (4, 3)), zorder=0)
left.set(xlabel="examples P", ylabel="test error / error of a guess", ylim=(-0.02, 1))
left.set_title("Grammars with m = 4 (full) and m = 8 (open)")
right.set(xlabel="examples P / (n_c m^L)")
right.set_title("In units of the law, they are alike")
right.legend(
    frameon=False, loc="upper right", labelcolor="linecolor", handlelength=0, markerscale=0
)
for axes in (left, right):
    axes.set_xscale("log", base=2)
    axes.spines[["top", "right"]].set_visible(False)
ticks = np.array(ratios)
right.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
left.set_xticks(2.0 ** np.arange(6, 12), [str(2**k) for k in range(6, 12)])
save_picture(figure, "09_sample_complexity.png")
print("picture:", Path("09_sample_complexity.png").resolve())
figure
