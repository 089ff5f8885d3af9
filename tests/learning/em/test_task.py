from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

import ghmpp as gh
from ghmpp.learning.em.fit import EM, fit
from ghmpp.models.model import Model
from ghmpp.verification.enumeration import enumeration
from tests.tolerances import ENUMERATION, EXACT, SEARCH

beta = sp.Symbol("beta", positive=True)
field = sp.Symbol("field")


def ising(depth: int, with_field: bool) -> Model:
    """A binary tree of spins with one coupling, and one field on all but the root."""

    def weight(s: int, a: int) -> sp.Expr:
        return sp.exp(beta * s * a + (field * a if with_field else 0))

    model = Model("ising")
    spin = model.root("s0", 2, values=[-1, 1])
    for level in range(depth):
        spin = spin.children(f"s{level + 1}", 2, 2, potential=weight, values=[-1, 1])
    return model


def noisy(values: int = 4) -> Model:
    """Free tables above a formula whose rows have different sums."""
    model = Model("noisy")
    middle = model.root("root", 2).children("middle", 2, values)
    middle.children("leaf", 2, values, potential=lambda s, x: sp.exp(-beta * (x - s) ** 2))
    return model


def log_likelihood(model: Model, data: dict[str, np.ndarray]) -> float:
    return float(gh.Inference(model).log_evidence(data).sum())


def test_an_observed_ising_tree_has_the_closed_form_coupling() -> None:
    data = ising(2, False).bind(beta=0.6).sample(50, seed=3)

    fitted = fit(ising(2, False), data, tolerance=0)

    spins = {name: 2 * states - 1 for name, states in data.items()}
    products = [
        (spins["s1"] * spins["s0"]).ravel(),
        (spins["s2"] * spins["s1"].repeat(2, axis=1)).ravel(),
    ]
    closed = np.arctanh(np.concatenate(products).mean())
    assert fitted.parameters["beta"] == pytest.approx(closed, rel=SEARCH)


def test_a_formula_on_a_kept_prior_stays_as_declared() -> None:
    model = ising(1, False)
    data = model.bind(beta=0.4).sample(20, seed=0)

    fitted = fit(model, data)

    assert (fitted.forest().formulas["s0->s1"] == model.forest().formulas["s0->s1"]).all()


def test_moments_match_where_the_partition_function_matters() -> None:
    model = ising(2, True)
    data = model.bind(beta=0.5, field=0.3).sample(60, seed=5)

    fitted = fit(model, data, tolerance=0)

    def moments(posteriors: dict[str, np.ndarray], edges: dict[str, np.ndarray]) -> np.ndarray:
        sign = np.array([-1.0, 1.0])
        single = sum((posteriors[name] @ sign).sum(axis=1).mean() for name in ("s1", "s2"))
        pair = sum(
            np.einsum("bnsa,s,a->b", edges[name], sign, sign).mean() for name in ("s1", "s2")
        )
        return np.array([single, pair])

    logs = {
        name: np.where(np.eye(2, dtype=bool)[states], 0.0, -np.inf) for name, states in data.items()
    }
    seen, alone = enumeration(fitted.forest(), logs), enumeration(fitted.forest())
    np.testing.assert_allclose(
        moments(dict(alone.posteriors), dict(alone.edges)),
        moments(dict(seen.posteriors), dict(seen.edges)),
        rtol=SEARCH,
        atol=SEARCH,
    )


@pytest.mark.slow
def test_hidden_spins_reach_a_maximum_of_the_declared_likelihood() -> None:
    model = ising(2, True)
    data = {"s2": model.bind(beta=0.8, field=0.2).sample(80, seed=1)["s2"]}
    start = model.bind(beta=0.5, field=0.1)

    em = EM(model, iterations=300, tolerance=1e-9, start=start).fit(data)

    found = em.model_.parameters
    best = log_likelihood(model.bind(**found), data)
    assert best == pytest.approx(em.history_[-1].log_likelihood, rel=ENUMERATION)
    for name, step in (("beta", 0.02), ("beta", -0.02), ("field", 0.02), ("field", -0.02)):
        moved = found | {name: (found[name] or 0.0) + step}
        assert log_likelihood(model.bind(**moved), data) < best


def test_a_formula_below_learned_tables_reaches_a_maximum() -> None:
    truth = noisy().bind(beta=0.7).initialise(1)
    data = {"leaf": truth.sample(60, seed=2)["leaf"]}

    fitted = fit(noisy(), data, iterations=150, tolerance=1e-7, smoothing=0)

    best, value = log_likelihood(fitted, data), fitted.parameters["beta"] or 0.0
    for factor in (0.97, 1.03):
        assert log_likelihood(fitted.bind(beta=factor * value), data) < best


def test_a_symbol_in_two_places_is_one_parameter() -> None:
    model = Model("two")
    root = model.root("root", 2)
    root.children("a", 1, 2, potential=lambda s, a: beta if s == a else 1)
    root.children("b", 3, 2, potential=lambda s, a: beta**2 if s == a else 1)
    root_states, a, b = (
        [0, 1, 1, 0],
        [[0], [1], [0], [0]],
        [[0, 0, 0], [1, 1, 0], [1, 1, 1], [0] * 3],
    )

    fitted = fit(model, root=root_states, a=a, b=b, tolerance=0)

    grid = np.linspace(0.5, 6, 20_001)
    logs = 3 * np.log(grid) + 11 * np.log(grid**2)
    logs -= 4 * np.log(1 + grid) + 12 * np.log(1 + grid**2)
    assert fitted.parameters["beta"] == pytest.approx(grid[logs.argmax()], abs=1e-3)


def test_a_symbol_in_a_prior_is_learned() -> None:
    model = Model("prior")
    model.root("root", 3, prior=lambda s: sp.exp(-beta * s)).children("leaf", 1, 2)

    fitted = fit(model, root=[0, 0, 1, 2, 0], leaf=[[0], [1], [0], [1], [0]], tolerance=0)

    weights = np.exp(-(fitted.parameters["beta"] or 0) * np.arange(3))
    mean = (weights @ np.arange(3)) / weights.sum()
    assert mean == pytest.approx(3 / 5, rel=SEARCH)


@given(seed=st.integers(0, 500))
def test_objectives_with_symbols_never_fall(seed: int) -> None:
    rng = np.random.default_rng(seed)
    data = rng.integers(-1, 4, size=(5, 4))

    em = EM(noisy(), iterations=5, tolerance=0, seed=seed).fit(data)

    objectives = np.array([step.objective for step in em.history_])
    assert (np.diff(objectives) >= -ENUMERATION * np.abs(objectives[:-1])).all()
    assert em.history_[-1].log_likelihood == pytest.approx(
        log_likelihood(em.model_, {"leaf": data}), rel=EXACT
    )


def test_symbols_with_a_bounded_domain_stay_inside() -> None:
    share = sp.Symbol("share", positive=True)
    model = Model("channel")
    bit = model.root("bit", 2, prior=[0.5, 0.5])
    bit.children("copy", 4, 2, potential=[[1 - share, share], [share, 1 - share]])

    fitted = fit(model, bit=[0, 1], copy=[[0, 0, 0, 1], [1, 1, 1, 1]], tolerance=0)

    assert fitted.parameters["share"] == pytest.approx(1 / 8, rel=SEARCH)


def test_bound_symbols_stay() -> None:
    model = ising(2, True).bind(field=0.25)
    data = model.bind(beta=0.5).sample(30, seed=0)

    fitted = fit(model, data)

    assert fitted.parameters["field"] == 0.25
    assert fitted.parameters["beta"] is not None
