"""The split of sampling error, against densities carried along by quadrature."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import ghmpp as gh
from ghmpp.diffusion import sampling_floor, total_variation
from ghmpp.diffusion.error_split import distance
from ghmpp.errors import QueryError, ResourceError
from tests.diffusion.models import broadcast, sticky
from tests.tolerances import EXACT, SIGMAS

UP, STEPS, N = 0.4, 8, 40_000
SHIFT = np.log(UP / (1 - UP)) / 2


def coins():
    """Two independent leaves, 1 with probability UP and -1 otherwise: means are tanh(z + SHIFT)."""
    return gh.GHM((1, 2), (2,), [[[1 - UP, UP]]], state_values=(-1, 1))


def biased(z, t):
    return torch.tanh(z + 0.4)


class Quadrature:
    """Euler's steps for one of the coins: the density of z instead of samples."""

    z = np.linspace(-25, 25, 2001)
    step = z[1] - z[0]

    def __init__(self, mean):
        times = (21 ** np.linspace(0, 1, STEPS + 1) - 1) / 4  # geometric in 1 + 4 t, up to 5
        self.lengths = np.diff(times)
        first = mean(np.zeros(1))
        self.squares = [(first - np.tanh(SHIFT)).item() ** 2]
        density = self.normal(self.z, self.lengths[0] * first, self.lengths[0])
        for length in self.lengths[1:]:
            self.squares.append(self.integral(density, (mean(self.z) - self.exact()) ** 2))
            centre = self.z + length * mean(self.z)
            density = self.step * self.normal(self.z[:, None], centre, length) @ density
        up = self.integral(density, (1 + mean(self.z)) / 2)
        self.law = np.outer([1 - up, up], [1 - up, up]).ravel()
        self.decoding = 2 * self.integral(density, abs(mean(self.z) - self.exact()) / 2)

    def exact(self):
        return np.tanh(self.z + SHIFT)

    def integral(self, density, values):
        return self.step * float(density @ values)

    @staticmethod
    def normal(z, centre, variance):
        return np.exp(-((z - centre) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)


def test_every_part_is_that_of_the_densities():
    truth = np.outer([1 - UP, UP], [1 - UP, UP]).ravel()
    ours = Quadrature(lambda z: np.tanh(z + 0.4))
    theirs = Quadrature(lambda z: np.tanh(z + SHIFT))
    kl = 2 * np.dot(ours.lengths, ours.squares) / 2
    total, discrete, between = (
        abs(one - other).sum() / 2
        for one, other in ((ours.law, truth), (theirs.law, truth), (ours.law, theirs.law))
    )

    found = gh.sampling_error(biased, coins(), N, steps=STEPS)

    for estimate, expected in (
        (found.total, total),
        (found.discretisation, discrete),
        (found.denoiser, total - discrete),
        (found.divergence, kl),
        (found.decoding, ours.decoding),
    ):
        assert estimate.value == pytest.approx(expected, abs=SIGMAS * estimate.error)
        assert estimate.error < 0.005
    assert (abs(found.squares - ours.squares) <= SIGMAS * found.square_errors + EXACT).all()
    np.testing.assert_allclose(found.lengths, ours.lengths, rtol=EXACT)
    assert found.moved.value + SIGMAS * found.moved.error > between
    assert found.bound > total
    assert between < np.sqrt(kl / 2) + ours.decoding


def test_samples_are_those_of_diffuse_with_the_same_seed():
    model = sticky()
    program = gh.compile(model, gh.posterior("x2"), gh.localized("x2", time=1.0))
    network = program.network("relu", width=6, dtype="float32")
    options = {"steps": 6, "sampler": "euler", "seed": 3, "chunk": 300}

    found = gh.sampling_error(network, model, 1000, **options)
    ours = gh.diffuse(network, 1000, **options)
    theirs = gh.diffuse(model, 1000, **options, dtype="float32")

    assert found.total.value == pytest.approx(total_variation(ours, model), abs=EXACT)
    assert found.discretisation.value == pytest.approx(total_variation(theirs, model), abs=EXACT)
    assert found.moved.value == (ours.states != theirs.states).any(1).mean()
    assert found.floor == pytest.approx(
        sampling_floor(gh.diffusion.joint_probabilities(model), 1000), abs=EXACT
    )


@pytest.mark.parametrize("sampler", ["ab2", "ddim", "ddpm", "euler", "heun", "heun_flow", "jump"])
@pytest.mark.parametrize("decode", ["draw", "argmax", "mean", "round"])
def test_exact_denoisers_have_no_error_of_their_own(sampler, decode):
    found = gh.sampling_error(broadcast(1), broadcast(1), 50, sampler=sampler, decode=decode)

    assert found.total == found.discretisation
    for part in (found.denoiser, found.moved, found.divergence, found.decoding):
        assert (part.value, part.error) == (0, 0)
    assert len(found.times) == len(found.lengths) == found.steps == 16
    assert found.times[0] == 0
    assert found.lengths.sum() == pytest.approx(20, rel=EXACT)
    bound = found.discretisation.value if sampler in ("ddpm", "euler") else None
    assert found.bound == bound


@pytest.mark.parametrize("decode", ["draw", "argmax", "mean", "round"])
def test_decoding_with_the_same_way_differs_in_as_many_samples(decode):
    # Exact until the last call: what is decoded otherwise is all that moves.
    def late(z, t):
        return torch.tanh(z + SHIFT) if t < 4.9 else torch.tanh(3 * z + 5)

    found = gh.sampling_error(late, coins(), 5000, steps=5, decode=decode)

    assert found.divergence.value == pytest.approx(0, abs=EXACT)
    assert found.moved.value <= found.decoding.value + SIGMAS * found.moved.error
    assert (found.decoding.value > 0) == (decode != "round")


def test_errors_of_total_variations_are_their_spread():
    law, n = np.array([0.5, 0.3, 0.2]), 300
    wrong = np.array([0.35, 0.45, 0.2])
    rng = np.random.default_rng(0)
    found = [distance(rng.choice(3, size=n, p=wrong), law)[0] for _ in range(1000)]

    spread = np.std([each.value for each in found])
    assert np.mean([each.error for each in found]) == pytest.approx(spread, rel=0.1)


def test_table_and_frame_say_what_was_found():
    found = gh.sampling_error(biased, coins(), 200, steps=4, sampler="ab2")
    frame = found.frame()

    assert list(frame.columns) == ["time", "length", "square", "error"]
    assert len(frame) == 4
    half = 2 * (frame["length"] * frame["square"]).sum() / 2
    assert half == pytest.approx(found.divergence.value, rel=EXACT)
    said = repr(found)
    for words in ("200 samples by ab2: 4 steps", "discretisation", "nats", "none for 'ab2'"):
        assert words in said


@pytest.mark.parametrize(
    ("source", "options", "error", "match"),
    [
        (coins, {"sampler": "masked"}, QueryError, "needs Gaussian noise, by 'ab2'.* got 'masked'"),
        (coins, {"n": 1}, QueryError, "n must be a whole number >= 2, got 1"),
        (coins, {"decode": "best"}, QueryError, "unknown decode='best'"),
        (coins, {"limit": 3}, ResourceError, "4 configurations, the limit is 3"),
        (
            lambda: broadcast(1),
            {},
            QueryError,
            r"values \[1.0, 2.0\], 'x1' of the model",
        ),
        (
            lambda: gh.denoiser(coins(), given={"x0": 0}),
            {},
            QueryError,
            "must know no evidence; leave given= out",
        ),
    ],
)
def test_what_cannot_be_split_is_refused(source, options, error, match):
    with pytest.raises(error, match=match):
        gh.sampling_error(source(), coins(), **options)
