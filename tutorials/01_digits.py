# %% [markdown]
# # A tree of handwritten digits
#
# A tree of 85 variables learns handwritten digits, and then recognises, completes and restores
# unseen ones with exact posteriors; compiled, it is a ConvNet and a U-Net.
#
# The images are those of scikit-learn: 8 x 8 pixels with 17 grey levels, 1,347 to learn from and
# 450 held out.

# %%
from pathlib import Path

import numpy as np

import ghmpp as gh
from ghmpp.demo.baselines import NormalImages
from ghmpp.demo.comparison import Trial, one_of_each
from ghmpp.demo.overview import overview
from ghmpp.schedule.picture import save_picture

train, test, train_digits, test_digits = gh.examples.digits_split()

# %% [markdown]
# ## Declare
#
# A digit has four quadrants, a quadrant four blocks, a block four pixels. The states of quadrants
# and blocks are hidden: whatever helps to explain the pixels. No potential is given, so that each
# edge has a free table per child rank (upper left, upper right, lower left, lower right), which
# all nodes of the level share. `order` says which pixel each leaf is.

# %%
model = gh.Model("digits")
digit = model.root("digit", 10)
quadrant = digit.children("quadrant", 4, 64)
block = quadrant.children("block", 4, 32)
pixel = block.children("pixel", 4, range(17), order=gh.morton_order(8))
print(model)

# %% [markdown]
# ## Learn
#
# Expectation maximisation, with exact posteriors of all hidden variables in every step. It takes
# some ten seconds.

# %%
model = gh.fit(model, train, digit=train_digits, iterations=80, seed=0)

# %% [markdown]
# ## Ask
#
# An engine is compiled once and answers in batches. What an image costs in bits, and which digit
# it is, come from one pass from the pixels to the root. Guessing grey levels blindly would cost
# 4.09 bits per pixel.

# %%
engine = gh.Inference(model)
bits = -engine.log_evidence(test).mean() / np.log(2) / 64
accuracy = (engine.classify(test) == test_digits).mean()
print(f"{bits:.3f} bits per pixel, {accuracy:.1%} of the unseen digits recognised")

# %% [markdown]
# What is missing needs no imputation: it sends no message. Here is the left half of an image, and
# what it leaves open.

# %%
half = np.where(np.arange(64) % 8 < 4, test[:1], np.nan)
beliefs = engine.posteriors({"pixel": half})
print("digit    ", beliefs["digit"][0].round(3))
print("pixel[4] ", beliefs["pixel"][0, 4].round(3))
print("log evidence", beliefs.log_evidence[0].round(3), " image shows a", test_digits[0])

# %% [markdown]
# ## Trust
#
# The same answers from independent engines: a recursion in logarithms, node by node, and the
# gradient of the log evidence by automatic differentiation. Engines that do not fit a model of
# this size say so; the demo (`ghmpp demo`) also asks pgmpy, and sums over all configurations of a
# branch.

# %%
report = gh.verify(model, rows=2, engines=["recursion", "gradient"])
print(report)

# %% [markdown]
# ## Compile
#
# A query and what is given make a program: a schedule of messages. For the digit the messages go
# one way, and the schedule is a ConvNet. For the pixels they go up and down again, and what the
# way up has computed is used on the way down: a U-Net, with skip connections.

# %%
classify = gh.compile(model, gh.posterior("digit"), given="pixel")
denoise = gh.compile(model, gh.mean("pixel"), given=gh.noisy("pixel", sigma=4))
print(denoise.schedule)

# %% [markdown]
# As a torch module, its layers are the messages. One network serves all noise levels.

# %%
network = denoise.network()
print(network)

# %% [markdown]
# ## Denoise
#
# The posterior mean is the best estimate there is under the model. It beats the Wiener filter,
# the best linear estimate, which knows the covariance of all pairs of pixels.

# %%
sigma = 4.0
noisy = test + sigma * np.random.default_rng(0).standard_normal(test.shape)
wiener = NormalImages.fitted(train).denoise(noisy, sigma)
trial = Trial(
    "noise", noisy, test, {"Wiener filter": wiener, "ghmpp": engine.denoise(noisy, sigma)}
)
print({name: round(error, 2) for name, error in trial.errors.items()})

# %%
figure = overview(trial, one_of_each(test_digits, 9), model.forest(), rival="Wiener filter")
save_picture(figure, "01_digits.png")
print("picture:", Path("01_digits.png").resolve())
figure
