import math
import re

import numpy as np
import pytest
import torch

import ghmpp as gh
from ghmpp.errors import EvidenceError, QueryError
from ghmpp.models.channels import Given
from tests.learning.experiments.questions import classify, denoise, enumerated_posteriors, tree
from tests.tolerances import ENUMERATION, EXACT, SIGMAS, SINGLE


class Answers(torch.nn.Module):
    """A module that gives what a function says."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs, **channel):
        return self.function(*inputs, **channel)


def constant(shape, value):
    return Answers(lambda x: torch.full((len(x), *shape), value, dtype=torch.float64))


@pytest.mark.parametrize("top", ["x0", "x1"])
def test_the_bayes_risk_of_a_posterior_is_that_of_all_configurations(top):
    model = tree()
    weights, posteriors = enumerated_posteriors(model, top)

    found = gh.bayes_risk(classify(model, top))

    entropy = -(posteriors * np.log(posteriors)).sum(-1).mean(1)
    square = (1 - (posteriors**2).sum(-1)).mean(1)
    assert found.exact
    assert found.rows == 81
    assert found.cross_entropy.value == pytest.approx(weights @ entropy, abs=ENUMERATION)
    assert found.square.value == pytest.approx(weights @ square, abs=ENUMERATION)
    assert found.square.error == 0


def test_the_excess_of_a_wrong_network_is_that_of_all_configurations():
    model = tree()
    weights, posteriors = enumerated_posteriors(model)

    found = gh.excess_risk(constant((3,), 1 / 3), classify(model))

    divergence = (posteriors * np.log(3 * posteriors)).sum(-1)[:, 0]
    distance = ((posteriors - 1 / 3) ** 2).sum(-1)[:, 0]
    assert found.excess.value == pytest.approx(weights @ divergence, abs=ENUMERATION)
    assert found.d2.value == pytest.approx(weights @ distance, abs=ENUMERATION)
    assert found.risk == pytest.approx(math.log(3), abs=ENUMERATION)


def test_drawn_inputs_agree_with_all_inputs():
    model = tree()
    program, network = classify(model), classify(tree(1)).network()

    exact = gh.excess_risk(network, program)
    drawn = [gh.excess_risk(network, program, n=80, seed=seed) for seed in range(3)]

    assert exact.exact
    for found in drawn:
        assert not found.exact
        for name in ("excess", "d2", "bayes"):
            one, other = getattr(found, name), getattr(exact, name)
            assert abs(one.value - other.value) <= SIGMAS * one.error


def test_intervals_hold_the_truth_as_often_as_they_say():
    program, network = classify(tree()), classify(tree(1)).network()
    truth = gh.excess_risk(network, program).excess.value

    hits = [
        low <= truth <= high
        for seed in range(60)
        for low, high in [gh.excess_risk(network, program, n=60, seed=seed).interval]
    ]

    assert sum(hits) >= 60 * 0.95 - SIGMAS * math.sqrt(60 * 0.95 * 0.05)


@pytest.mark.parametrize("question", [classify, denoise])
def test_the_exact_network_has_no_excess(question):
    program = question(tree())

    found = gh.excess_risk(program.network(), program, n=200)

    assert found.excess.value < EXACT
    assert found.d2.value < EXACT


def test_impossible_inputs_do_not_count():
    model = gh.zoo.random_hierarchy(v=3, m=2, s=2, L=1)
    program = gh.compile(model, gh.posterior("x0"), given="x1")

    found = gh.bayes_risk(program)

    assert found.rows == 6  # each of 3 symbols has 2 pairs of its own, of 9
    assert found.cross_entropy.value == pytest.approx(0, abs=EXACT)


def test_the_bayes_risk_of_a_sign_in_noise_is_the_known_integral():
    model = gh.GHM(2, (1,), [[[0.5, 0.5], [0.5, 0.5]]], state_values=[-1, 1])
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    for sigma in (0.7, 2.0):
        program = denoise(model, "x1", sigma=1.0)

        found = gh.bayes_risk(program, n=20_000, sigma=sigma).square

        average = weights @ np.tanh((1 + sigma * nodes) / sigma**2) / weights.sum()
        assert abs(found.value - (1 - average)) <= SIGMAS * found.error


def test_channel_parameters_change_the_question_and_reach_the_network():
    model = tree()
    other = denoise(model, sigma=3.0)

    found = gh.excess_risk(constant((4,), 1.0), other, n=200).risk
    network = Answers(lambda z, sigma: torch.ones_like(z) if sigma == 3.0 else None)
    changed = gh.excess_risk(network, denoise(model), n=200, sigma=3.0).risk

    assert changed == pytest.approx(found, abs=EXACT)


def test_a_seed_gives_the_same_inputs_again():
    program = denoise(tree())
    network = constant((4,), 1.0)

    one, same, other = (gh.excess_risk(network, program, n=50, seed=s) for s in (1, 1, 2))

    assert one == same
    assert one.excess != other.excess


def test_a_certain_error_costs_infinitely_much():
    found = gh.excess_risk(
        Answers(lambda x: torch.eye(3)[torch.zeros(len(x), dtype=torch.int64)]), classify(tree())
    )

    assert found.excess.value == math.inf
    assert found.d2.value < 2


def test_what_single_precision_cannot_hold_is_no_error():
    table = [[1.0, 1e-60], [1e-60, 1.0]]
    program = classify(gh.GHM(2, (1,), [table]), leaf="x1")
    certain = Answers(lambda x: torch.eye(2)[x[:, 0]])

    assert gh.excess_risk(certain, program).excess.value < SINGLE


def test_a_network_keeps_the_mode_that_it_had():
    network = torch.nn.Sequential(torch.nn.Dropout(0.5), constant((3,), 1 / 3))
    network[0].eval()
    program = classify(tree())

    first, second = (gh.excess_risk(network.train(mode), program) for mode in (True, False))

    assert first == second
    assert not network.training


def test_reports_say_what_was_found():
    program = classify(tree())

    assert re.search(r"cross-entropy [\d.]+, square [\d.]+ \(all 81", repr(gh.bayes_risk(program)))
    text = repr(gh.excess_risk(constant((3,), 1 / 3), program, n=50))
    assert re.search(r"Bayes [\d.]+ \+ excess [\d.]+ \(95 %: .*D_2\^2 .*50 inputs drawn", text)


def test_wrong_answers_are_refused():
    program = classify(tree())
    for network, words in (
        (constant((4,), 0.25), r"shape \(81, 3\), got \(81, 4\)"),
        (constant((3,), math.nan), "not finite"),
        (constant((3,), 1.0), "sum to 1"),
        (Answers(lambda x: (x, x)), "one tensor"),
    ):
        with pytest.raises(QueryError, match=words):
            gh.excess_risk(network, program)


def test_wrong_questions_are_refused():
    model = tree()
    network = constant((3,), 1 / 3)
    two = gh.compile(model, [gh.posterior("x0"), gh.posterior("x1")], given="x2")
    nothing = gh.compile(model, gh.posterior("x0"))
    laplace = gh.LogLikelihood(lambda values, z: -abs(z[..., None] - values))
    function = gh.compile(model, gh.mean("x2"), given=Given("x2", laplace))
    rules = gh.zoo.random_hierarchy(v=3, m=2, s=2, L=1)
    helper = gh.compile(rules, gh.posterior("x1 rule"), given="x1")
    with pytest.raises(QueryError, match="helper class"):
        gh.bayes_risk(helper)
    for program, words in ((two, "one query"), (nothing, "nothing is given"), (function, "noisy")):
        with pytest.raises(QueryError, match=words):
            gh.excess_risk(network, program)
    with pytest.raises(QueryError, match="n must be a whole number >= 2"):
        gh.bayes_risk(classify(model), n=1)
    with pytest.raises(QueryError, match="torch module"):
        gh.excess_risk(len, classify(model))
    with pytest.raises(EvidenceError, match="no parameter 'time'"):
        gh.bayes_risk(denoise(model), time=1.0)
