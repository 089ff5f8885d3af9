"""Renamed models mean the same, by enumeration."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ghmpp.models.ghm import GHM
from ghmpp.verification.answers import compare
from ghmpp.verification.enumeration import enumeration
from ghmpp.verification.relabel import reverse_siblings, reverse_states
from tests import strategies
from tests.tolerances import ENUMERATION


@given(st.data())
def test_reversing_states_reverses_posteriors(data: st.DataObject) -> None:
    model = data.draw(strategies.models(limit=500))
    logs = data.draw(strategies.evidence(model)).logs
    expected = enumeration(model.forest(), logs)
    mirrored = {name: each[..., ::-1] for name, each in logs.items()}
    found = enumeration(reverse_states(model.forest()), mirrored)

    for name, posterior in expected.posteriors.items():
        assert np.allclose(found.posteriors[name][..., ::-1], posterior, atol=ENUMERATION)
    for name, mean in expected.means.items():
        assert np.allclose(found.means[name], mean, atol=ENUMERATION)


@given(st.data())
def test_reversing_siblings_changes_nothing_for_the_user(data: st.DataObject) -> None:
    model = data.draw(strategies.models(limit=500))
    logs = data.draw(strategies.evidence(model)).logs
    found, expected = (
        enumeration(reverse_siblings(model.forest()), logs),
        enumeration(model.forest(), logs),
    )

    assert max(each.worst for each in compare(found, expected)) < ENUMERATION


def test_siblings_move_with_their_tables() -> None:
    tables = [np.arange(1.0, 13.0).reshape(3, 2, 2)]
    forest = GHM(states=(2, 2), branching=(3,), tables=tables).forest()
    moved = reverse_siblings(forest)
    order = moved.variables["x1"].order

    assert order is not None
    assert order.tolist() == [2, 1, 0]
    assert np.array_equal(moved.data[moved.edges["x1"].key], forest.data["x0->x1"][::-1])
