"""The classes of a junction tree, and what is refused before it is built."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import sympy

from ghmpp.errors import ConversionError, ModelError, TreewidthError
from ghmpp.models.assembly import model_of
from ghmpp.models.factors import Factor, Factors, Node
from ghmpp.models.junction import junction_model, projection
from ghmpp.models.model import Model
from tests.tolerances import EXACT

ODD = np.array([[[3.0, 1], [1, 3]], [[1, 3], [3, 1]]])


def graph(*factors, **sizes):
    """Factors over variables a, b, ... of two states, unless said otherwise."""
    names = dict.fromkeys([*(name for factor in factors for name in factor.variables), *sizes])
    nodes = {name: Node(sizes.get(name, 2)) for name in names}
    return Factors("small", nodes, factors)


def chain_of_triples(length):
    """A chain in which every variable depends on the two before it."""
    names = [f"v{k}" for k in range(length)]
    triples = zip(names, names[1:], names[2:], strict=False)
    table = ODD / ODD.sum(-1, keepdims=True)
    return graph(*(Factor(scope, table, scope[-1]) for scope in triples))


def test_cliques_separators_and_families_are_hidden():
    model = junction_model(chain_of_triples(5))
    hidden = {n: d for n, d in model.declarations.items() if d.hidden}

    assert list(model.variables) == ["v0", "v1", "v2", "v3", "v4"]
    kinds = [name.split()[0] for name in hidden]
    assert kinds == ["clique", "separator", "clique", "separator", "clique", *["family"] * 3]
    assert {n: d.scope for n, d in hidden.items() if d.child} == {
        "family v2": ("v0", "v1", "v2"),
        "family v3": ("v1", "v2", "v3"),
        "family v4": ("v2", "v3", "v4"),
    }
    assert {d.child for d in hidden.values()} == {"", "v2", "v3", "v4"}
    for declared in hidden.values():
        assert len(declared.space) == 2 ** len(declared.scope)
        assert isinstance(declared.space.names, range)


def test_every_class_hangs_off_the_smallest_one_that_has_its_variables():
    model = junction_model(chain_of_triples(5))
    declared = model.declarations

    assert declared["v2"].parent in {"separator 1", "separator 2"}
    assert declared["v0"].parent.startswith("clique")
    for name in ("family v2", "family v3", "family v4"):
        assert set(declared[declared[name].parent].scope) == set(declared[name].scope)


def test_equal_separators_below_one_clique_are_one_class():
    fan = graph(*(Factor(("hub", f"v{k}", f"w{k}"), ODD) for k in range(5)))
    model = junction_model(fan)

    parents = [d.parent for n, d in model.declarations.items() if n.startswith("separator")]
    assert len(parents) == len(set(parents)) < 4 + 1


def test_the_axis_of_the_child_comes_last():
    table = np.arange(12.0).reshape(2, 3, 2) + 1
    factors = graph(Factor(("c", "a", "b"), table / table.sum(0), "c"), a=3)
    declared = junction_model(factors).declarations["family c"]

    assert declared.scope == ("a", "b", "c")
    expected = (table / table.sum(0)).transpose(1, 2, 0).reshape(1, 12)
    np.testing.assert_allclose(declared.prior.entries, expected, rtol=EXACT)


def test_factors_on_the_same_variables_multiply_and_constants_count():
    factors = graph(
        Factor(("a", "b", "c"), ODD),
        Factor(("c", "b", "a"), ODD),
        Factor(("a",), np.array([1.0, 2])),
        Factor(("a",), np.array([3.0, 4])),
        Factor((), np.array(5.0)),
    )
    model = junction_model(factors)

    tables = [d for d in model.declarations.values() if d.hidden and d.prior is not None]
    assert [d.scope for d in tables] == [("a", "b", "c")]
    np.testing.assert_allclose(tables[0].prior.entries[0], (ODD**2).ravel(), rtol=EXACT)
    total = (ODD**2 * np.array([3, 8])[:, None, None]).sum() * 5
    np.testing.assert_allclose(model.log_partition(), np.log(total), rtol=EXACT)


def test_a_sets_own_order_is_kept_and_makes_a_clique():
    model = junction_model(chain_of_triples(5), together=[("v4", "v0"), ("v4", "v0")])

    assert model.declarations["set v4, v0"].scope == ("v4", "v0")
    assert model.treewidth >= 2


def test_helpers_give_way_to_the_names_of_variables():
    factors = graph(Factor(("clique 0", "factor 0", "set clique 0, factor 0"), ODD))
    model = junction_model(factors, together=[("clique 0", "factor 0")])

    hidden = [name for name, declared in model.declarations.items() if declared.hidden]
    assert hidden == ["clique 0'", "factor 0'", "set clique 0, factor 0'"]
    assert model_of(graph(Factor(("a b", "ü", "('t', 1)"), ODD))).treewidth == 2


def test_tables_may_be_exact_or_have_symbols():
    beta = sympy.Symbol("beta", positive=True)
    exact = np.array([[[Fraction(1, 3), 2], [beta, 1]]], dtype=object)
    model = junction_model(graph(Factor(("a", "b", "c"), exact), a=1))

    assert model.parameters == {"beta": None}
    expected = np.log(1 / 3 + 2 + 0.5 + 1)
    np.testing.assert_allclose(model.bind(beta=0.5).log_partition(), expected, rtol=EXACT)


def test_the_headline_says_how_wide_the_model_is():
    text = repr(junction_model(graph(Factor(("a", "b", "c"), ODD), Factor(("c", "d"), ODD[0]))))

    headline = "4 variables, treewidth 2, largest clique (a, b, c) with 8 states"
    assert text.splitlines()[0] == f"Model 'small': 4 classes, {headline}"
    assert "1 per clique" in text
    assert "factor 0" not in text


def test_treewidth_of_trees_and_rules():
    tree = Model()
    tree.root("a", 2)
    assert tree.treewidth == 0
    pair = Model()
    pair.root("a", 2).children("b", 3, 2, potential=np.eye(2))
    assert pair.treewidth == 1
    rules = Model()
    rules.root("a", 2).children("b", 3, 2, rules=np.ones((2, 2, 2, 2)))
    assert rules.treewidth == 3


def test_files_keep_junction_trees(tmp_path):
    model = junction_model(chain_of_triples(4), together=[("v0", "v3")])
    model.save(tmp_path / "model.json")
    again = Model.load(tmp_path / "model.json")

    assert repr(again) == repr(model)
    kept = [(d.name, d.hidden, d.scope, d.child) for d in model.declarations.values()]
    assert [(d.name, d.hidden, d.scope, d.child) for d in again.declarations.values()] == kept
    assert again.log_partition() == model.log_partition()


def test_cliques_that_do_not_fit_are_refused_with_their_names(monkeypatch):
    factors = graph(Factor(("a", "b", "c"), ODD))

    message = (
        r"model 'small': treewidth 2; its cliques need about .*, but the limit is 64 B "
        r"\(max_memory\);.*largest cliques: \(a, b, c\) with 8 joint states"
    )
    with pytest.raises(TreewidthError, match=message):
        junction_model(factors, max_memory=64)
    with pytest.raises(MemoryError):
        junction_model(factors, max_memory=64)
    monkeypatch.setattr("ghmpp.models.junction.physical_memory", lambda: 64)
    with pytest.raises(TreewidthError, match="64 B \\(the machine's physical memory\\)"):
        model_of(factors)
    monkeypatch.setattr("ghmpp.models.junction.physical_memory", lambda: None)
    assert model_of(factors).treewidth == 2


def test_nothing_large_is_made_before_the_refusal():
    names = [f"v{k}" for k in range(45)]
    nodes = {name: Node(2) for name in names}
    pairs = [(a, b) for k, a in enumerate(names) for b in names[k + 1 :]]
    dense = Factors("dense", nodes, tuple(Factor(pair, np.ones((2, 2))) for pair in pairs))

    with pytest.raises(TreewidthError, match=r"treewidth 44; .* PiB"):
        model_of(dense)


@pytest.mark.parametrize(
    ("factor", "message"),
    [
        (Factor(("a", "b", "z"), ODD), r"factor over \(a, b, z\): unknown variable 'z'.*are: a, b"),
        (Factor(("a", "b", "a"), ODD), r"factor over \(a, b, a\): names a variable twice"),
        (Factor(("a", "b", "c"), None), r"factor over \(a, b, c\): has no table"),
        (Factor(("a", "b", "c"), ODD[0]), r"\(a, b, c\).*shape \(2, 2, 2\), got \(2, 2\)"),
        (Factor(("a",), np.ones(3)), r"factor over \(a\).*shape \(2,\), got \(3,\)"),
    ],
)
def test_factors_that_do_not_fit_are_refused(factor, message):
    nodes = {name: Node(2) for name in "abc"}

    with pytest.raises(ConversionError, match=message):
        junction_model(Factors("wrong", nodes, (factor,)))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (-ODD, "'factor 0'.*must be >= 0"),
        (ODD * np.nan, "'factor 0'.*must be finite"),
        (0 * ODD, "'factor 0'.* only zeros"),
    ],
)
def test_entries_that_are_no_weights_are_refused(table, message):
    with pytest.raises(ModelError, match=message):
        junction_model(graph(Factor(("a", "b", "c"), table)))


def test_wrong_sets_constants_and_names_are_refused():
    triple = Factor(("a", "b", "c"), ODD)
    with pytest.raises(ConversionError, match="together: unknown variable 'z'"):
        junction_model(graph(triple), together=[("a", "z")])
    with pytest.raises(ConversionError, match="together: names a variable twice: a, a"):
        junction_model(graph(triple), together=[("a", "a")])
    with pytest.raises(ModelError, match="factor over no variables must be a number > 0, got 0"):
        junction_model(graph(triple, Factor((), np.array(0.0))))
    with pytest.raises(ConversionError, match="model 'small' has no variables"):
        junction_model(graph())
    with pytest.raises(ModelError, match="without '->': 'a->b'"):
        junction_model(graph(Factor(("a->b", "c", "d"), ODD)))


def test_no_possible_configuration_is_an_error():
    never = graph(
        Factor(("a", "b", "c"), np.where(ODD > 1, 1.0, 0.0)),
        Factor(("c", "b", "a", "d"), np.where(ODD > 1, 0.0, 1.0)[..., None] * np.ones(2)),
    )

    with pytest.raises(ModelError, match="no configuration has positive weight"):
        junction_model(never).log_partition()


@pytest.mark.parametrize("onto", [[], ["a"], ["b"], ["c", "a"], ["b", "c", "a"]])
def test_projections_are_those_of_arrays(onto):
    sizes = {"a": 2, "b": 3, "c": 4}
    states = np.indices(tuple(sizes.values())).reshape(3, -1)
    kept = [states[list(sizes).index(name)] for name in onto]
    expected = np.ravel_multi_index(kept, [sizes[name] for name in onto]) if onto else 0

    assert (projection(sizes, onto) == expected).all()
