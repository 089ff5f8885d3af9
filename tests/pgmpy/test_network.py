"""A network that was read, whatever its names, and what stands for the impossible."""

from __future__ import annotations

import numpy as np
import pytest
from pgmpy.factors.discrete import DiscreteFactor

from ghmpp.errors import ConversionError, ImpossibleEvidenceError, QueryError
from ghmpp.pgmpy import VariableElimination
from tests.pgmpy.networks import example, factor_graph, random_network, state_names, truth
from tests.tolerances import ENUMERATION

ODD_NAMES = ["a b", 7, ("x", 1), "\N{LATIN SMALL LETTER E WITH ACUTE}", "pixel", "pixel[0]", "b->c"]


@pytest.mark.parametrize("as_factors", [True, False])
def test_virtual_evidence_of_any_scale_on_names_of_any_type(as_factors):
    network = random_network(5, ODD_NAMES)
    likelihoods = {
        name: np.arange(1.0, 1 + len(state_names(network, name))) * 50 for name in ODD_NAMES[1:4]
    }
    given = likelihoods
    if as_factors:
        given = [
            DiscreteFactor([n], [len(v)], v, state_names={n: state_names(network, n)})
            for n, v in likelihoods.items()
        ]
    evidence = {"b->c": "s0", "pixel[0]": "s1"}
    found = VariableElimination(network).query([("x", 1), "a b"], evidence, given)
    expected = truth(network, [("x", 1), "a b"], evidence, likelihoods)

    assert found.variables == [("x", 1), "a b"]
    np.testing.assert_allclose(found.values, expected / expected.sum(), atol=ENUMERATION)


def test_masses_out_of_range_are_refused():
    huge = [DiscreteFactor([f"x{k}", "y"], [2, 2], np.full(4, 1e200)) for k in range(2)]
    engine = VariableElimination(factor_graph(*huge))

    with pytest.raises(QueryError, match=r"BeliefPropagation.query gives probabilities"):
        engine.query(["y"])


def test_virtual_evidence_against_the_evidence_is_impossible():
    engine = VariableElimination(example("asia"))
    with pytest.raises(ImpossibleEvidenceError, match="virtual evidence of 'smoke'"):
        engine.query(["lung"], {"smoke": "yes"}, {"smoke": [0.0, 1.0]})

    found = engine.query(["lung"], {"smoke": "yes"}, {"smoke": [0.3, 1.0]})
    assert found == engine.query(["lung"], {"smoke": "yes"})


def test_names_that_look_alike_stay_apart():
    table = DiscreteFactor(["pixel", "pixel[0]", "pixel(0)"], [2, 2, 2], range(8))
    found = VariableElimination(factor_graph(table)).query(["pixel(0)", "pixel[0]"])

    np.testing.assert_allclose(found.values, table.values.sum(0).T)


def test_names_that_are_the_same_text_are_refused():
    with pytest.raises(ConversionError, match="would both be called '1'"):
        VariableElimination(factor_graph(DiscreteFactor([1, "1"], [2, 2], range(4))))
