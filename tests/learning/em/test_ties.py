from __future__ import annotations

import numpy as np
import pytest

import ghmpp as gh
from ghmpp.errors import ModelError
from ghmpp.learning.em.families import learnable_families
from ghmpp.learning.em.fit import EM, fit
from ghmpp.learning.em.learnable import learnable
from ghmpp.learning.em.ties import added, spread, tied
from ghmpp.models.assembly import model_of
from ghmpp.models.factors import Factor, Factors, Node
from ghmpp.models.junction import junction_model
from ghmpp.models.model import Model
from tests.learning.em.slow_networks import CROSSED
from tests.tolerances import EXACT

RULES = gh.Rules([0, 0, 1, 1, 1], [[0, 1], [1, 1], [1, 0], [0, 0], [1, 1]])


def coins() -> Model:
    """Three classes of tosses below one coin."""
    model = Model("coins")
    coin = model.root("coin", 2)
    for name in ("first", "second"):
        coin.children(name, 2, ["heads", "tails"])
    coin.children("third", 3, ["heads", "tails"])
    return model


def test_ties_join_into_groups() -> None:
    model = Model("chain")
    above = model.root("x0", 2)
    for t in range(1, 5):
        above = above.children(f"x{t}", 1, 2)

    parts = tied(learnable(model), {"x4": "x2", "x2": "x1"})

    assert parts.ties == {"x0->x1": ("x0->x1", "x1->x2", "x3->x4")}
    assert list(parts.shared) == ["x0", "x2->x3", "x0->x1"]


def test_counts_are_added_and_tables_are_spread() -> None:
    parts = tied(learnable(coins()), {"second": "first"})
    counts = {
        key: np.full(table.shape, 1.0 + k) for k, (key, table) in enumerate(parts.tables.items())
    }

    total = added(parts, counts)
    tables = spread(parts, total)

    np.testing.assert_array_equal(
        total["coin->first"], counts["coin->first"] + counts["coin->second"]
    )
    assert total.keys() == parts.shared.keys()
    assert tables.keys() == parts.tables.keys()
    assert tables["coin->second"] is tables["coin->first"]


def test_tied_classes_are_counted_together() -> None:
    data = {
        "coin": [0, 0, 1],
        "first": [[0, 0], [0, 1], [1, 1]],
        "second": [[1, 0], [1, 1], [0, 1]],
    }

    em = EM(coins(), tie={"second": "first"}, smoothing=0.25).fit(data)

    found = em.model_.forest().data["coin->first"]
    expected = [[[2.25, 2.25], [1.25, 1.25]], [[2.25, 2.25], [0.25, 2.25]]]
    expected = np.array(expected) / np.sum(expected, axis=-1, keepdims=True)
    np.testing.assert_allclose(found, expected, rtol=EXACT)
    np.testing.assert_array_equal(em.model_.forest().data.get("coin->second", found), found)
    logs = sum(np.log(em.model_.forest().data[key]).sum() for key in ("coin", "coin->first"))
    third = em.model_.declarations["third"].potential
    assert third is not None
    logs += np.log(third.entries).sum()
    assert em.history_[-1].log_prior == pytest.approx(0.25 * logs, rel=EXACT)


def test_levels_may_share_the_weights_of_their_rules() -> None:
    model = Model("levels")
    model.root("a", 2).children("b", 2, 2, rules=RULES).children("c", 2, 2, rules=RULES)
    data = model.initialise(0).sample(60, seed=1)

    found = fit(model, data, tie={"c": "b"}, smoothing=0).forest().data

    above = np.concatenate([data["a"].ravel(), data["b"].ravel()])
    below = np.concatenate([data["b"], data["c"].reshape(-1, 2)])
    for (parent, children), weight in zip(RULES, found["b rule"][0], strict=True):
        share = (below[above == parent] == children).all(axis=1).mean()
        assert weight == pytest.approx(share, rel=EXACT)
    np.testing.assert_array_equal(found["b rule"], found["c rule"])


def test_roots_may_share_their_prior() -> None:
    nodes = {name: Node(2) for name in "abc"}
    parts = [Factor((name,), None, name) for name in "ab"]
    model = model_of(Factors("v", nodes, (*parts, Factor(("a", "b", "c"), None, "c"))))

    found = fit(model, a=[0, 0, 1], b=[0, 1, 0], tie={"a": "b"}, smoothing=0).forest().data

    np.testing.assert_allclose(found["a"], [[4 / 6, 2 / 6]], rtol=EXACT)
    np.testing.assert_array_equal(found["a"], found["b"])


def test_names_without_a_learned_table_are_refused() -> None:
    model = Model("given")
    root = model.root("root", 2, prior=[1, 3])
    root.children("given", 1, 2, potential=[[0.5, 0.5], [0.2, 0.8]])
    root.children("free", 1, 2)

    for name in ("root", "given", "nowhere"):
        with pytest.raises(
            ModelError, match=f"tie: '{name}' has no table .* those that have: free"
        ):
            tied(learnable(model), {"free": name})


def test_tables_of_other_states_parents_or_ranks_are_refused() -> None:
    crossed = learnable_families(junction_model(CROSSED.factors({})))
    for one, other in (("a", "b"), ("c", "d"), ("a", "c")):
        with pytest.raises(ModelError, match=f"'{one}' cannot share the table of '{other}'"):
            tied(crossed, {one: other})
    with pytest.raises(ModelError, match=r"found \(0, 1\) x \(heads, tails\)"):
        tied(learnable(coins()), {"third": "first"})


def test_other_rules_are_refused() -> None:
    other = gh.Rules([0, 0, 1, 1, 1], [[0, 0], [1, 1], [1, 0], [0, 0], [1, 1]])
    model = Model("levels")
    model.root("a", 2).children("b", 2, 2, rules=RULES).children("c", 2, 2, rules=other)

    with pytest.raises(ModelError, match="'c' cannot share the table of 'b'"):
        tied(learnable(model), {"c": "b"})
