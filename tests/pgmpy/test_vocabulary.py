"""Evidence in pgmpy's names of variables and states."""

from __future__ import annotations

import numpy as np
import pytest
from pgmpy.factors.discrete import DiscreteFactor, TabularCPD

from ghmpp.errors import QueryError, UnknownStateError
from ghmpp.pgmpy import VariableElimination
from ghmpp.pgmpy.vocabulary import Known, Vocabulary, listed
from tests.pgmpy.networks import example, random_network, state_names, truth
from tests.tolerances import EXACT


def test_virtual_evidence_in_another_order_of_states_is_aligned():
    network = random_network(6)
    names = state_names(network, "d")[::-1]
    given = [
        DiscreteFactor(["d"], [len(names)], range(1, len(names) + 1), state_names={"d": names})
    ]
    found = VariableElimination(network).query(["a"], virtual_evidence=given)
    expected = truth(network, ["a"], likelihoods={"d": list(range(len(names), 0, -1))})

    np.testing.assert_allclose(found.values, expected / expected.sum(), atol=EXACT)


def test_virtual_evidence_of_one_variable_multiplies():
    network = random_network(7)
    half = TabularCPD("c", 2, [[0.2], [0.8]], state_names={"c": ["s0", "s1"]})
    if len(state_names(network, "c")) != 2:
        half = TabularCPD("c", 3, [[0.2], [0.7], [0.1]], state_names={"c": ["s0", "s1", "s2"]})
    engine = VariableElimination(network)
    twice = engine.query(["a"], virtual_evidence=[half, half]).values
    square = engine.query(["a"], virtual_evidence={"c": half.values**2}).values

    np.testing.assert_allclose(twice, square, atol=EXACT)


def test_states_are_named_or_counted():
    engine = VariableElimination(example("asia"))

    assert engine.query(["lung"], {"smoke": 1}) == engine.query(["lung"], {"smoke": "no"})


def test_numbers_are_names_where_states_have_numbers():
    known = Known("x", "x", (5, 7, 0))

    assert [known.state(value) for value in (5, 7.0, np.int64(0))] == [0, 1, 2]
    with pytest.raises(UnknownStateError, match="'x' has no state 1; its states are 5, 7, 0"):
        known.state(1)


def test_unknown_states_are_key_errors_too_with_a_plain_message():
    with pytest.raises(KeyError) as caught:
        Known("x", "x", ("a", "b")).state("c")

    assert str(caught.value) == "evidence: 'x' has no state 'c'; its states are 'a', 'b'."


def test_long_lists_of_names_are_cut():
    many = Vocabulary(Known(f"v{k}", f"v{k}", (0, 1)) for k in range(40))
    with pytest.raises(QueryError, match=r"'v9', \.\.\., 'v39'"):
        many.find("w1")

    assert listed("abc") == "'a', 'b', 'c'"


def test_names_that_cannot_be_looked_up_are_unknown():
    with pytest.raises(QueryError, match=r"no variable \['a'\]"):
        Vocabulary([Known("a", "a", (0,))]).find(["a"])
