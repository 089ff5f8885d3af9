"""A message from a factor is what its side of the graph says about the variable."""

from __future__ import annotations

import numpy as np
import pytest

from ghmpp.models.factors import Factor, Factors, Node
from ghmpp.pgmpy.messages import MessageTree
from tests.pgmpy.networks import truth
from tests.tolerances import ENUMERATION

SIZES = {"A": 2, "B": 3, "C": 2, "D": 3, "E": 2}
# Of each message, the factors on the sender's side.
SIDES = {
    (("A", "B"), "B"): [("A",), ("A", "B")],
    (("A", "B"), "A"): [("A", "B"), ("B", "C", "D"), ("D", "E")],
    (("B", "C", "D"), "C"): [("A",), ("A", "B"), ("B", "C", "D"), ("D", "E")],
    (("D", "E"), "D"): [("D", "E")],
}


class Table:
    """As much of a factor of pgmpy as enumeration needs."""

    def __init__(self, variables, values):
        self.variables, self.values = variables, values
        self.state_names = {name: list(range(SIZES[name])) for name in variables}


@pytest.fixture
def tables():
    rng = np.random.default_rng(0)
    scopes = [("A",), ("A", "B"), ("B", "C", "D"), ("D", "E")]
    return {scope: rng.random([SIZES[name] for name in scope]) for scope in scopes}


@pytest.fixture
def tree(tables):
    factors = tuple(Factor(scope, table) for scope, table in tables.items())
    return MessageTree(Factors("tree", {name: Node(size) for name, size in SIZES.items()}, factors))


@pytest.mark.parametrize("arrow", SIDES, ids=lambda arrow: f"{','.join(arrow[0])} to {arrow[1]}")
@pytest.mark.parametrize("seen", [{}, {"E": 1}])
def test_messages_are_marginals_of_the_senders_side(tables, tree, arrow, seen):
    side = type("Side", (), {"factors": [Table(scope, tables[scope]) for scope in SIDES[arrow]]})
    relevant = {name: s for name, s in seen.items() if any(name in scope for scope in SIDES[arrow])}
    expected = truth(side, [arrow[1]], relevant)
    found = tree.toward([arrow[1]], seen, {})[arrow]

    np.testing.assert_allclose(found, expected / expected.sum(), atol=ENUMERATION)


def test_observed_variables_let_nothing_through(tree):
    arrows = tree.toward(["C"], {"D": 0}, {})

    assert set(arrows) == {(("B", "C", "D"), "C"), (("A", "B"), "B"), (("A",), "A")}


def test_the_message_of_a_factor_over_one_variable_is_its_table(tables, tree):
    np.testing.assert_array_equal(tree.toward(["A"], {}, {})[("A",), "A"], tables["A",])
