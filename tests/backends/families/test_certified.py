"""No input that anybody has found has a larger error than the certificate says."""

import numpy as np
import pytest
import torch

import ghmpp as gh
from ghmpp.backends.kernels import Log
from ghmpp.backends.observe import encode
from ghmpp.models.observations import LogLikelihoods, observe

MODELS, INPUTS, PARTS = 500, 20, 10
SIZES = (0.0, 0.5, 1.0, 3.0, 30.0, 1e3)
ASCENT_STEPS, ASCENT_RATE = 8, 0.3


def random_program(rng):
    """A regular model of up to three levels, any tables, and one of the two questions."""
    depth = int(rng.integers(1, 4))
    branching = tuple(rng.integers(1, 4, size=depth).tolist())
    states = tuple(rng.integers(2, 5, size=depth + 1).tolist())
    if rng.random() < 0.3:
        states = (2,) * (depth + 1)
    largest = rng.uniform(0.2, 2.5)
    tables = [
        np.exp(rng.uniform(-largest, largest, size=(m if rng.random() < 0.5 else 1, a, b)))
        for m, a, b in zip(branching, states, states[1:], strict=False)
    ]
    tables = [table[0] if len(table) == 1 else table for table in tables]
    leaf = f"x{depth}"
    model = gh.GHM(
        states=states,
        branching=branching,
        tables=tables,
        prior=np.exp(rng.uniform(-1, 1, size=states[0])),
        state_values=np.sort(rng.normal(size=states[-1])) * 2,
    )
    noisy = gh.noisy(leaf, sigma=float(rng.uniform(0.3, 3)))
    if rng.random() < 0.5:
        return gh.compile(model, gh.mean(leaf), noisy), leaf
    asked = f"x{rng.integers(0, depth)}"
    return gh.compile(model, gh.posterior(asked), noisy), leaf


def hard_inputs(rng, values, nodes):
    """Values of all sizes, ambiguous between two states or far out."""
    z = rng.normal(size=(INPUTS, nodes)) * rng.choice(SIZES, size=(INPUTS, 1))
    middles = (values[1:] + values[:-1]) / 2
    tied = rng.random((INPUTS, nodes)) < 0.3
    return np.where(tied, rng.choice(middles, size=(INPUTS, nodes)), z)


def answer(kind, result):
    return result.log() if kind == "posterior" else result


def climbed(program, network, z):
    """Inputs with a larger error, found by gradient ascent from given ones."""
    kind, exact = program.queries[0].kind, program.network()
    z = z.clone().double()
    for _ in range(ASCENT_STEPS):
        z.requires_grad_()
        error = answer(kind, network(z)).double() - answer(kind, exact(z))
        error.abs().reshape(len(z), -1).amax(1).sum().backward()
        z = (z + ASCENT_RATE * z.grad.sign() * (1 + z.abs() / 10)).detach()
    return z


def own_likelihoods(network, leaf, z):
    """Log-likelihoods of the leaves as the network itself has rounded them, in float64."""
    from ghmpp.backends.observe import read_inputs, to_tensor

    variable = network.variables[leaf]
    seen = read_inputs((z,), network.given, network.variables, {})[leaf]
    setting = network.setting(tracked=False)
    found = encode(
        Log(),
        to_tensor(seen, variable, network.like.device),
        network.schedule.forest.variables[leaf],
        columns=None,
        grid=setting.grids[leaf],
        like=setting.like,
        with_offset=False,
    )
    return found.value.permute(2, 1, 0).double()


@pytest.mark.parametrize(
    "part",
    [pytest.param(k, marks=pytest.mark.slow if k < 3 else pytest.mark.study) for k in range(PARTS)],
)
def test_no_input_has_a_larger_error_than_the_certificate(part):
    """Random, extreme, ambiguous and adversarial inputs, in float64 and in float32."""
    closest = 0.0
    for seed in range(part * MODELS // PARTS, (part + 1) * MODELS // PARTS):
        rng = np.random.default_rng(seed)
        program, leaf = random_program(rng)
        kind, forest = program.queries[0].kind, program.model.forest()
        variable = forest.variables[leaf]
        delta = float(10 ** rng.uniform(-2, 0)) * (1 if kind == "posterior" else 0.3)
        z = torch.tensor(hard_inputs(rng, variable.values, variable.nodes))

        network = program.network("relu", delta=delta, dtype="float64")
        assert network.certificate.bound <= delta
        z = torch.cat((z, climbed(program, network, z[:6])))
        exact = program.network()(z)
        error = answer(kind, network(z)) - answer(kind, exact)
        assert float(error.abs().max()) <= network.certificate.bound, seed
        closest = max(closest, float(error.abs().max()) / network.certificate.bound)

        # What float32 rounds is part of the error, and no width makes up for it.
        coarse = max(delta, 0.1)
        single = program.network("relu", delta=coarse)
        assert single.certificate.bound <= coarse
        z = z.float()
        logs = own_likelihoods(single, leaf, z)
        soft = gh.compile(program.model, program.queries[0], leaf).network()
        exact = soft.evaluate({leaf: observe(variable, LogLikelihoods(logs.numpy()))})[
            kind, program.queries[0].variable
        ]
        found = single(z).double().reshape(exact.shape)
        error = (answer(kind, found) - answer(kind, exact)).abs()
        assert float(error.max()) <= single.certificate.bound, seed
    assert closest > 0.2  # the inputs are hard enough to tell
