import math

import pytest
import torch

import ghmpp as gh
from ghmpp.errors import QueryError
from ghmpp.learning.experiments.decomposition import theorem_bound
from tests.learning.experiments.questions import classify, denoise, tree
from tests.tolerances import ENUMERATION


@pytest.mark.parametrize("question", [classify, denoise])
def test_parts_sum_to_the_whole_and_the_certificate_holds(question):
    program = question(tree())
    network = program.network("trainable", width=12)

    parts = gh.decompose_risk(network, program, n=200)
    whole = gh.excess_risk(network, program, n=200).d2

    total = parts.approximation.value + parts.estimation.value
    assert total == pytest.approx(parts.total.value, abs=ENUMERATION)
    assert parts.total == whole
    assert parts.approximation.value <= parts.guaranteed
    assert parts.width == 12
    assert parts.bound is None
    assert "width 12" in repr(parts)


def test_the_compiled_network_has_no_estimation_error():
    program = classify(tree())

    parts = gh.decompose_risk(program.network("relu", width=20), program)

    assert parts.estimation.value == 0


def test_the_bound_is_that_of_the_theorems():
    model = gh.GHM((3, 3, range(3)), (2, 3), [[[2, 1, 1], [1, 2, 1], [1, 1, 2]]] * 2)
    states, bound, depth, leaves, width, n = 3, 2.0, 2, 6, 50, 10**6
    size = width * (width + 2 * states + 1) * 5
    first = states**4 * bound**4 * leaves**2 * 9**depth / width**2
    logs = math.log(leaves * 5 * width * states * 3**depth)
    second = math.sqrt((depth * size * logs + math.log(1 / 0.05)) / n)

    classified = theorem_bound(classify(model), width, n)

    assert classified == pytest.approx(first + second, rel=ENUMERATION)
    assert theorem_bound(denoise(model), width, n) > classified
    twice = theorem_bound(classify(model), width, n, constant=2.0)
    assert twice == pytest.approx(2 * classified, rel=ENUMERATION)
    program = classify(model)
    parts = gh.decompose_risk(program.network("trainable"), program, n=50, samples=n)
    assert parts.bound == theorem_bound(classify(model), 64, n)
    assert parts.theorem == "Theorem 1"


def test_no_theorem_speaks_of_zeros_or_chains():
    hierarchy = gh.zoo.random_hierarchy(v=3, m=2, s=2, L=1)
    chain = gh.zoo.hidden_markov(3, [[2, 1], [1, 2]], [[2, 1], [1, 2]])

    assert theorem_bound(gh.compile(hierarchy, gh.posterior("x0"), "x1"), 10, 10) is None
    assert theorem_bound(gh.compile(chain, gh.posterior("state"), "symbol"), 10, 10) is None


def test_an_unknown_width_is_asked_for():
    program = classify(tree())
    with pytest.raises(QueryError, match="pass width="):
        gh.decompose_risk(torch.nn.Linear(1, 1), program)
    with pytest.raises(QueryError, match="n must"):
        gh.decompose_risk(program.network("trainable", width=8), program, samples=0)
