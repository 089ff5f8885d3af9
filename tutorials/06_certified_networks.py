# %% [markdown]
# # Networks with a certificate
#
# A ReLU network whose error is proved for every input: how wide it must be, how far the proof is
# from the worst input that gradient ascent finds, and how a single changed weight is noticed.

# %%
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

import ghmpp as gh
from ghmpp.schedule.picture import save_picture

# %% [markdown]
# ## Width against error
#
# A tree of four children per node and three levels, four states, with entries of the tables
# between 1/3 and 3. The question is the state of the root given the 64 leaves. The paper (S. Mei,
# arXiv:2404.18444, Theorem 3) proves that some width is enough. Much less is: errors shrink on
# their way through a message, and knots can lie where they matter.

# %%
rng = np.random.default_rng(0)
tables = [np.exp(np.log(3) * rng.uniform(-1, 1, size=(4, 4, 4))) for _ in range(3)]
model = gh.GHM(states=4, branching=(4, 4, 4), tables=tables, state_values=[1, 2, 3, 4])
curve = gh.width_curve(model, gh.posterior("x0"), deltas=(1, 0.3, 0.1, 0.03, 0.01, 0.003))
print(curve)

# %% [markdown]
# ## The worst input that we can find
#
# Against the exact network: noisy leaves of all sizes, values between two states, and inputs that
# gradient ascent has made worse. The certificate is never broken; how much of it is used says how
# sharp the proof is.

# %%
program = gh.compile(model, gh.mean("x3"), given=gh.noisy("x3", sigma=1))
exact = program.network()


def worst(network, rows=200, steps=20):
    """The largest error over random inputs, and after ascent from the worst of them."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(rows, 64)) * rng.choice([0.5, 2, 10, 1000], size=(rows, 1)) + 2.5
    z = torch.tensor(np.where(rng.random(z.shape) < 0.3, rng.choice([1.5, 2.5, 3.5], z.shape), z))
    errors = (network(z) - exact(z)).abs()
    found = errors.max()
    z = z[errors.amax(1).topk(20).indices]
    for _ in range(steps):
        z.requires_grad_()
        error = (network(z) - exact(z)).abs().amax(1)
        found = torch.maximum(found, error.max())
        (slope,) = torch.autograd.grad(error.sum(), z)
        z = (z + 0.2 * slope.sign()).detach()
    return float(found.detach())


measured = []
for delta in (1, 0.3, 0.1, 0.03, 0.01):
    network = program.network("relu", delta=delta, dtype="float64")
    measured.append((delta, network.certificate.bound, worst(network)))
    print("asked {:<5} proved {:.4f}  found {:.5f}".format(*measured[-1]))

# %% [markdown]
# ## The certificate, checked from the weights
#
# The bound is not remembered but derived, from the numbers in the network and the potentials of the
# model alone, and rounded outwards. So it survives rounding to float32 and files; and a weight that
# somebody has changed either still allows the bound, or is named.

# %%
network = program.network("relu", delta=0.1)
print(network.certificate.check(network, model))

# %%
weights = {name: value.clone() for name, value in network.state_dict().items()}
weights["distribute.x2.exp_log.inner"][0, 1, 2] *= 1.01
print(network.certificate.check(weights, model))

# %%
figure = Figure(figsize=(9, 3.8), layout="constrained")
left, right = figure.subplots(1, 2)
deltas = [each.delta for each in curve.bounds]
left.loglog(deltas, [each.paper_width for each in curve.bounds], "s--", label="the paper's")
left.loglog(deltas, [each.width for each in curve.bounds], "o-", label="certified here")
left.set(xlabel="guaranteed error", ylabel="width of the hidden layers", title="classification")
left.legend()
asked, proved, found = zip(*measured, strict=True)
right.loglog(asked, proved, "o-", label="proved")
right.loglog(asked, found, "x-", label="worst input found")
right.set(xlabel="error asked for", ylabel="error of a posterior mean", title="denoising")
right.legend()
picture = Path("06_certified_networks.png").resolve()
save_picture(figure, picture)
print("picture:", picture)
