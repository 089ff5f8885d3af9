from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

from ghmpp.errors import ModelError
from ghmpp.learning.em.conditional import read_formulas
from ghmpp.learning.em.families import is_junction, learnable_families
from ghmpp.learning.em.learnable import learnable
from ghmpp.learning.em.ties import tied
from ghmpp.models.factors import Factor, Factors, Node
from ghmpp.models.ghm import GHM
from ghmpp.models.junction import junction_model
from ghmpp.models.model import Model
from tests.learning.em.slow_networks import CROSSED

UNIFORM = np.full((2, 2), 0.5)


def loop(*parts: Factor, **priors: list[float]) -> Model:
    """A network of a, b, c, where c given the others is to be learned."""
    nodes = {name: Node(2, None, priors.get(name)) for name in "abc"}
    return junction_model(Factors("loop", nodes, (*parts, Factor(("a", "b", "c"), None, "c"))))


def test_only_junction_trees_have_families() -> None:
    assert is_junction(junction_model(CROSSED.factors({})))
    assert not is_junction(GHM(states=(2, 2), branching=(2,)))


def test_families_sum_to_one_over_the_child() -> None:
    parts = learnable_families(junction_model(CROSSED.factors({})))

    assert list(parts.tables) == ["family c", "family d", "a", "b"]
    assert all(allowed.all() for allowed in parts.tables.values())
    assert parts.groups["family c"].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert parts.groups["a"].tolist() == [0, 0, 0]


def test_given_priors_may_have_any_scale() -> None:
    parts = learnable_families(loop(Factor(("a", "b"), 3 * UNIFORM, "b"), a=[2.0, 6.0]))

    assert list(parts.tables) == ["family c"]


@pytest.mark.parametrize(
    ("parts", "priors", "words"),
    [
        ([Factor(("a", "b"), UNIFORM)], {}, r"factor over \(a, b\) is no conditional"),
        (
            [Factor(("a", "b"), np.array([[1.0, 1], [1, 2]]), "b")],
            {},
            r"factor over \(a, b\) is no conditional",
        ),
        ([], {"c": [1.0, 2.0]}, "product of the 2 factors that weigh 'c'"),
        (
            [Factor(("c", "a"), UNIFORM, "a")],
            {},
            r"distributions of \(?(a, c|c, a)\)? in a circle",
        ),
    ],
)
def test_what_is_no_bayesian_network_is_refused(
    parts: list[Factor], priors: dict[str, list[float]], words: str
) -> None:
    with pytest.raises(ModelError, match=f"{words}.*the total mass depends on what is learned"):
        learnable_families(loop(*parts, **priors))


def test_a_formula_beside_learned_tables_must_be_a_distribution() -> None:
    beta = sp.Symbol("beta", positive=True)
    shares = np.array([[1 / (1 + beta), beta / (1 + beta)]] * 2)

    read_formulas(learnable_families(loop(Factor(("a", "b"), shares, "b"))))

    with pytest.raises(ModelError, match="formula of 'b' given its parents is no conditional"):
        read_formulas(learnable_families(loop(Factor(("a", "b"), shares * beta, "b"))))


def test_formulas_alone_need_no_distributions() -> None:
    beta = sp.Symbol("beta", positive=True)
    table = np.array([[beta, 1], [1, beta]])
    parts = tuple(Factor(pair, table) for pair in (("a", "b"), ("b", "c"), ("c", "a")))
    model = junction_model(Factors("ring", {name: Node(2) for name in "abc"}, parts))

    found = learnable_families(model)

    assert not found.tables
    assert list(found.symbols) == ["beta"]


def test_a_complete_network_has_nothing_to_learn() -> None:
    tables = CROSSED.draw(np.random.default_rng(0))

    with pytest.raises(ModelError, match="nothing to learn"):
        learnable_families(junction_model(CROSSED.factors(tables)))


def test_untied_tables_stand_for_themselves() -> None:
    for parts in (
        learnable(GHM(states=(2, 2), branching=(2,))),
        tied(learnable_families(junction_model(CROSSED.factors({}))), {}),
    ):
        assert parts.shared == {key: (key,) for key in parts.tables}
