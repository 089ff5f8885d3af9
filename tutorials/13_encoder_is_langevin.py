# %% [markdown]
# # An encoder is a Langevin walk
#
# The encoder of a VAE can be written down instead of trained: gradient steps to the inverse of the
# decoder and noisy steps around it are the layers of a deep network. Its law is then a formula, so
# one sees how near it comes to the true posterior, and what every layer buys.
#
# The construction is of Pareek and Risteski, The Effects of Invertibility on the Representational
# Complexity of Encoders in Variational Autoencoders (arXiv:2107.04652).

# %%
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

import ghmpp as gh
from ghmpp.diffusion import sampler_layers
from ghmpp.schedule.picture import save_picture

# %% [markdown]
# ## A decoder that bends
#
# z is standard normal, x = G(z) + noise. G goes from one dimension to three and back, with a skip;
# its slope lies between 1.2 and 2.85, as is measured when the model is made. A torch module
# would do as well.

# %%
bent = [
    (np.array([[3.0], [3.0], [-3.0]]), np.array([0.5, -1.0, 0.3]), "tanh"),
    (np.array([[0.5, 0.25, 0.0]]), None, None, np.array([[1.2]])),  # the last matrix is the skip
]
model = gh.LatentGaussian(bent, noise=0.5)
print(model)
print(model.invertibility)

# %% [markdown]
# ## The compiled encoder
#
# A gradient step runs the decoder forward, compares with x, and runs it backward: the same weights
# transposed, and the slope of each activation as a gate. A Langevin step adds a pull to the prior,
# and noise. Weights do not depend on x: one network encodes every observation.

# %%
x = model.generator(np.array([-0.8]))
program = gh.compile(model, [gh.draw("z"), gh.code("z")], ["x"])
print(program.schedule)
draws, codes = program.network()(np.repeat(x[None], 2000, axis=0), seed=1)
print(f"most probable z: {codes[0]:.3f}; draws: {draws.mean():.3f} +- {draws.std():.3f}")

# %% [markdown]
# ## Its law, without sampling
#
# In one dimension the density can be followed from layer to layer. The posterior is skewed, so
# every encoder with a normal law is wrong by at least 5.5 %, however it was trained. The walk
# beats it with large steps already. It starts at a point, widens, and ends slightly too wide, by
# less the smaller the steps; on the way it passes through a law that is nearer than the last.

# %%
largest = model.invertibility.largest
shares = (0.5, 0.1, 0.02)


def step_size(share):
    """A share of the scale of the posterior, (noise / slope)^2."""
    return share * (model.noise / largest) ** 2


laws = {share: gh.encoder_law(model, x, gh.Langevin(step=step_size(share))) for share in shares}
mean, deviation, best = laws[0.02].best_normal
for share, law in laws.items():
    layers = law.engine.gradient_steps + law.engine.steps
    print(f"step {share:4}: {layers:5} layers, total variation {law.total_variation:.4f}")
print(f"best normal encoder:      total variation {best:.4f}")

counts = np.unique(np.geomspace(1, 3000, 40).astype(int))
curves = {
    share: [
        gh.encoder_law(model, x, gh.Langevin(steps=n, step=step_size(share))).total_variation
        for n in counts
    ]
    for share in shares
}

# %% [markdown]
# ## A linear decoder
#
# Here all layers are linear and all laws normal, so that everything is exact. With more layers the
# divergence falls to a floor, which the step size sets: a fifth of the step, a 25th of the floor.

# %%
rng = np.random.default_rng(0)
left, right = (np.linalg.qr(rng.normal(size=(5, 5)))[0] for _ in range(2))
linear = gh.LatentGaussian([(left @ np.diag(np.linspace(1, 2, 5)) @ right, None)], noise=0.2)
seen = linear.sample(1, seed=5)["x"][0]
energy = 1 + (linear.invertibility.largest / linear.noise) ** 2
divergences = {
    share: [
        gh.encoder_law(linear, seen, gh.Langevin(steps=n, step=share / energy)).divergence
        for n in counts
    ]
    for share in shares
}
for share, curve in divergences.items():
    print(f"step {share:4}: divergence {curve[-1]:.1e} nats after {counts[-1]} Langevin steps")

# %% [markdown]
# ## What cannot be encoded so
#
# The walk needs a decoder that is smooth and strongly invertible. If it is not, the paper shows
# (Theorem 2) that small encoders need not exist, so such decoders are refused, with what was
# measured.

# %%
circuit = [(50 * np.eye(3), None, "tanh"), (np.eye(3)[[1, 2, 0]], None)]  # nearly the signs of z
kinked = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.ReLU(), torch.nn.Linear(3, 3))
for refused in (circuit, kinked):
    try:
        gh.LatentGaussian(refused, noise=0.1)
    except gh.errors.ModelError as error:
        print(error)

# %% [markdown]
# ## A diffusion sampler has the same layers
#
# Each layer of the encoder has a mean and a variance; so has each step of a diffusion sampler. With
# the same random numbers, the layers give the samples of the sampler bit for bit.

# %%
tree = gh.GHM(2, (2, 2), [[[9, 1], [1, 9]]] * 2, state_values=[-1, 1])
layers = sampler_layers(gh.denoiser(tree), np.linspace(0, 20, 65).tolist())
print(layers)
print(layers.sample(4, torch.Generator().manual_seed(0)).sign())

# %% [markdown]
# ## The picture
#
# Left, the laws on the line; in the middle what layers buy there, on the right what they buy for
# the linear decoder.

# %%
COLORS = ("#d1495b", "#2e86ab", "#1f4e79")
figure = Figure(figsize=(11.5, 3.9), layout="constrained")
line, distance, divergence = figure.subplots(1, 3)
law = laws[0.02]
line.fill_between(law.z, law.posterior, color="0.87", lw=0, label="posterior")
normal = np.exp(-(((law.z - mean) / deviation) ** 2) / 2) / (deviation * np.sqrt(2 * np.pi))
line.plot(law.z, normal, "--", color="0.4", lw=1.2, label="best normal encoder")
for color, share in zip(COLORS[:2], shares[:2], strict=True):
    line.plot(laws[share].z, laws[share].density, color=color, lw=1.4, label=f"step {share}")
line.hist(
    draws.numpy(), bins=36, density=True, histtype="step", color="0.65", lw=0.7, label="2000 draws"
)
line.set(xlabel="z", ylabel="density given x", xlim=(-1.9, 0.9))
line.set_title("Laws of the encoder", fontsize=10)
line.legend(frameon=False, fontsize=8)
for axes, found in ((distance, curves), (divergence, divergences)):
    for color, (share, curve) in zip(COLORS, found.items(), strict=True):
        axes.plot(counts, curve, color=color, lw=1.4, label=f"step {share}")
    axes.set(xscale="log", yscale="log", xlabel="Langevin layers")
distance.axhline(best, color="0.4", lw=1, ls="--")
distance.text(counts[-1], best * 1.06, "best normal encoder", ha="right", fontsize=8, color="0.3")
distance.set_ylabel("total variation to the posterior")
distance.set_title("A decoder that bends", fontsize=10)
divergence.set_ylabel("divergence from the posterior, nats")
divergence.set_title("A linear decoder in five dimensions", fontsize=10)
divergence.legend(frameon=False, fontsize=8)
for axes in (line, distance, divergence):
    axes.spines[["top", "right"]].set_visible(False)
save_picture(figure, "13_encoder_is_langevin.png")
print("picture:", Path("13_encoder_is_langevin.png").resolve())
figure
