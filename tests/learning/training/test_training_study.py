"""How close default training comes to the Bayes risk, and when fine-tuning pays.

``pytest -m study -s tests/learning/training/test_training_study.py`` prints the figures.
"""

from __future__ import annotations

import time

import numpy as np
import pytest

import ghmpp as gh
from ghmpp.compiler import Program
from tests.tolerances import SIGMAS

# Random models of 16 leaves with 4 states.
TREES = [(4, 4), (2, 2, 2, 2)]
SAMPLES = 100_000


def programs(branching: tuple[int, ...]) -> tuple[Program, Program]:
    """The denoiser and the classifier of a random model."""
    states = [*[4] * len(branching), range(1, 5)]
    model = gh.zoo.random_ghm(states, branching, bound=10, seed=0)
    leaves = f"x{len(branching)}"
    denoise = gh.compile(model, gh.mean(leaves), gh.noisy(leaves, sigma=1.0))
    return denoise, gh.compile(model, gh.posterior("x0"), leaves)


def linear_risk(program: Program) -> float:
    """Mean squared error of the best linear denoiser, by least squares on many draws."""
    batch = gh.streams.of(program, seed=8).batch(0, 200_000)
    z, x = batch.inputs[0].double().numpy(), batch.target.double().numpy()
    columns = np.hstack([z, np.ones((len(z), 1))])
    solution = np.linalg.lstsq(columns[:100_000], x[:100_000], rcond=None)[0]
    return float(((columns[100_000:] @ solution - x[100_000:]) ** 2).mean())


@pytest.mark.study
@pytest.mark.parametrize("branching", TREES, ids=str)
def test_trained_unet_closes_the_gap_between_linear_and_bayes(branching) -> None:
    program = programs(branching)[0]
    began = time.process_time()
    trained = gh.train(program.network("trainable"), gh.streams.of(program, n=SAMPLES))
    seconds = time.process_time() - began
    risk = gh.excess_risk(trained.network, program, 20_000, seed=9)
    gap = linear_risk(program) - risk.bayes.value

    print(f"\nU-Net {branching}: {risk}\ngap {gap:.4f}, {risk.excess.value / gap:.2%} of it left")
    print(f"{seconds:.0f} s of CPU")
    assert risk.interval[1] <= 0.03 * gap


@pytest.mark.study
@pytest.mark.parametrize("branching", TREES, ids=str)
def test_trained_convnet_comes_within_a_hundredth_of_a_nat(branching) -> None:
    program = programs(branching)[1]
    began = time.process_time()
    trained = gh.train(program.network("trainable"), gh.streams.of(program, n=SAMPLES))
    seconds = time.process_time() - began
    risk = gh.excess_risk(trained.network, program, 20_000, seed=9)

    print(f"\nConvNet {branching}: {risk}\n{seconds:.0f} s of CPU")
    assert risk.interval[1] <= 0.01


@pytest.mark.study
@pytest.mark.parametrize(("place", "width"), [(0, 12), (0, 20), (1, 12)])
def test_fine_tuning_improves_on_the_compiled_network_with_enough_samples(place, width) -> None:
    program = programs((4, 4))[place]
    compiled = program.network("trainable", init="relu", width=width)
    before = gh.excess_risk(compiled, program, 10_000, seed=9)
    better = []
    print(f"\n{program}, width {width}: compiled {before.excess}")
    for n in (300, 1000, 3000, 10_000, 30_000):
        data = gh.streams.of(program, n=n)
        trained = gh.train(compiled, data, steps=500, validation=0)
        stopped = gh.train(compiled, data, steps=500, validation=2000, early_stopping=5)
        after = gh.excess_risk(trained.network, program, 10_000, seed=9)
        kept = gh.excess_risk(stopped.network, program, 10_000, seed=9)
        better.append(after.interval[1] < before.interval[0])
        print(f"n = {n:7,}: last weights {after.excess}, best on held-out data {kept.excess}")

        noise = SIGMAS * (before.excess.error**2 + kept.excess.error**2) ** 0.5
        assert kept.excess.value <= before.excess.value + noise
    assert better[-1]
    assert better == sorted(better)
