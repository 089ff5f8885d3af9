from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import sympy as sp
from pgmpy.models import DiscreteBayesianNetwork

import ghmpp as gh
from ghmpp.learning.em.fit import EM, fit
from ghmpp.models.assembly import model_of
from ghmpp.models.convert import to_pgmpy
from ghmpp.models.factors import Factor, Factors, Node
from tests.learning.em.slow_networks import (
    CROSSED,
    SPRINKLER,
    Network,
    Tables,
    columns,
    holes,
    learned,
)
from tests.tolerances import DIFFERENCES, ENUMERATION, EXACT, SEARCH, SIGMAS


def sprinkler(rows: int, missing: float, seed: int = 0) -> tuple[Tables, np.ndarray]:
    """True tables of the sprinkler network, and data from them."""
    rng = np.random.default_rng(seed)
    tables = SPRINKLER.draw(rng)
    return tables, holes(SPRINKLER.sample(tables, rows, rng), missing, rng)


def frame(rows: np.ndarray) -> pd.DataFrame:
    """Data as a user has them: states by name, NaN where missing."""
    names = np.array(["few", "many", "no"], dtype=object)
    values = np.where(rows < 0, np.nan, names[rows])
    return pd.DataFrame(values, columns=list(SPRINKLER.sizes))


def test_complete_data_are_counted_in_one_step() -> None:
    data = frame(sprinkler(400, 0.0)[1])

    em = EM(DiscreteBayesianNetwork(SPRINKLER.edges), smoothing=0).fit(data)

    network = to_pgmpy(em.model_)
    for name, parents in SPRINKLER.parents.items():
        cpd = network.get_cpds(name)
        shares = data.groupby(list(parents))[name] if parents else data[name]
        counted = shares.value_counts(normalize=True)
        assert list(cpd.variables) == [name, *parents]
        for states, share in counted.items():
            at = dict(zip([*parents, name], np.atleast_1d(states), strict=True))
            assert cpd.get_value(**at) == pytest.approx(share, rel=EXACT)
    assert len(em.history_) == 3
    assert em.history_[2].objective == pytest.approx(em.history_[1].objective, rel=EXACT)


@pytest.mark.parametrize("network", [SPRINKLER, CROSSED])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_em_follows_enumeration_with_scattered_missing_values(
    network: Network, smoothing: float
) -> None:
    rng = np.random.default_rng(5)
    rows = holes(network.sample(network.draw(rng), 40, rng), 0.3, rng)
    tables = network.draw(rng)
    start = model_of(network.factors(tables))

    em = EM(
        model_of(network.factors({})), iterations=4, smoothing=smoothing, tolerance=0, start=start
    ).fit(columns(network, rows))

    objectives = []
    for step in em.history_:
        likelihood = network.posteriors(tables, rows)[1]
        prior = smoothing * sum(float(np.log(table).sum()) for table in tables.values())
        objectives.append(likelihood + prior)
        assert step.log_likelihood == pytest.approx(likelihood, rel=ENUMERATION)
        assert step.objective == pytest.approx(objectives[-1], rel=ENUMERATION)
        last, tables = tables, network.step(tables, rows, smoothing)[0]
    assert (np.diff(objectives) > 0).all()
    found = learned(network, em.model_.forest().data)
    for name, table in last.items():
        np.testing.assert_allclose(found[name], table, rtol=ENUMERATION)


def test_the_slope_of_the_objective_vanishes_where_em_stops() -> None:
    rows = sprinkler(60, 0.15, seed=2)[1]

    em = EM(model_of(SPRINKLER.factors({})), iterations=400, smoothing=0.5, tolerance=0)
    tables = learned(SPRINKLER, em.fit(columns(SPRINKLER, rows)).model_.forest().data)

    def objective(name: str, logs: np.ndarray) -> float:
        weights = np.exp(logs)
        moved = {**tables, name: weights / weights.sum(-1, keepdims=True)}
        prior = 0.5 * sum(float(np.log(table).sum()) for table in moved.values())
        return SPRINKLER.posteriors(moved, rows)[1] + prior

    for name, table in tables.items():
        for at in np.ndindex(table.shape):
            up, down = np.log(table), np.log(table)
            up[at] += 1e-5
            down[at] -= 1e-5
            slope = (objective(name, up) - objective(name, down)) / 2e-5
            assert slope == pytest.approx(0, abs=DIFFERENCES * len(rows))


def test_known_tables_are_recovered_within_sampling_error() -> None:
    truth, rows = sprinkler(5000, 0.2, seed=3)

    found = learned(
        SPRINKLER,
        fit(model_of(SPRINKLER.factors({})), columns(SPRINKLER, rows), smoothing=0).forest().data,
    )

    names = list(SPRINKLER.sizes)
    for name, table in truth.items():
        scope = rows[:, [names.index(v) for v in SPRINKLER.scope(name)]]
        whole = scope[(scope >= 0).all(axis=1)]  # EM knows at least these
        for parents in np.ndindex(table.shape[:-1]):
            seen = (whole[:, :-1] == parents).all(axis=1).sum()
            sigma = np.sqrt(table[parents] * (1 - table[parents]) / max(seen, 1))
            assert (np.abs(found[name][parents] - table[parents]) <= SIGMAS * sigma).all()


def test_a_hidden_variable_explains_what_is_seen() -> None:
    counts = {(0, 0): 31, (0, 1): 7, (1, 0): 12, (1, 1): 50}
    data = pd.DataFrame([pair for pair, n in counts.items() for _ in range(n)], columns=["a", "b"])
    network = DiscreteBayesianNetwork([("hidden", "a"), ("hidden", "b"), ("a", "b")])

    em = EM(network, states={"hidden": 3}, smoothing=0).fit(data)

    shares = np.array(list(counts.values())) / 100
    best = pytest.approx(100 * float(shares @ np.log(shares)), rel=SEARCH)
    assert em.history_[-1].log_likelihood == best
    pairs = gh.Inference(em.model_).log_evidence({"a": [0, 0, 1, 1], "b": [0, 1, 0, 1]})
    np.testing.assert_allclose(np.exp(pairs), shares, rtol=SEARCH)


def test_restarts_begin_elsewhere_and_seeds_repeat() -> None:
    network = DiscreteBayesianNetwork([("h", "a"), ("h", "b"), ("a", "b"), ("b", "c"), ("h", "c")])
    rng = np.random.default_rng(0)
    data = {name: rng.integers(0, 3, size=12) for name in "abc"}

    def fitted(**options: int) -> EM:
        return EM(network, states={"h": 2}, smoothing=0, iterations=3, **options).fit(data)

    alone = [fitted(seed=seed).history_[-1].objective for seed in (0, 1)]
    assert alone[0] != alone[1]
    assert fitted(restarts=2).history_[-1].objective == max(alone)
    again = fitted(seed=1).model_.forest().data["family c"]
    np.testing.assert_array_equal(fitted(seed=1).model_.forest().data["family c"], again)


def test_a_family_of_many_parents_is_learned_in_the_order_of_the_edges() -> None:
    network = DiscreteBayesianNetwork([("b", "d"), ("a", "d"), ("c", "d")])
    rng = np.random.default_rng(4)
    data = pd.DataFrame({name: rng.integers(0, 2, size=200) for name in "abcd"})

    cpd = to_pgmpy(fit(network, data, smoothing=1.0)).get_cpds("d")

    assert list(cpd.variables) == ["d", "b", "a", "c"]
    found = data[(data.a == 1) & (data.b == 0) & (data.c == 1)]
    share = (found.d.sum() + 1) / (len(found) + 2)
    assert cpd.get_value(a=1, b=0, c=1, d=1) == pytest.approx(share, rel=EXACT)


def test_given_distributions_stay() -> None:
    rng = np.random.default_rng(6)
    given = {name: table for name, table in SPRINKLER.draw(rng).items() if name in ("rain", "wet")}
    rows = sprinkler(30, 0.2)[1]
    tables = SPRINKLER.draw(rng)
    start = model_of(SPRINKLER.factors(tables))

    em = EM(model_of(SPRINKLER.factors(given)), iterations=1, smoothing=0, start=start)
    found = learned(SPRINKLER, em.fit(columns(SPRINKLER, rows)).model_.forest().data)

    expected = SPRINKLER.step({**tables, **given}, rows)[0]
    for name in SPRINKLER.sizes:
        np.testing.assert_allclose(found[name], given.get(name, expected[name]), rtol=ENUMERATION)


def test_tied_families_are_one_table() -> None:
    slices = Network(
        {f"{name}{t}": size for t in range(3) for name, size in (("x", 2), ("y", 3))},
        {"x0": (), "y0": ("x0",)}
        | {f"x{t}": (f"x{t - 1}", f"y{t - 1}") for t in (1, 2)}
        | {f"y{t}": (f"y{t - 1}", f"x{t}") for t in (1, 2)},
    )
    tie = {"x2": "x1", "y2": "y1"}
    rng = np.random.default_rng(7)
    rows = holes(slices.sample(slices.draw(rng), 30, rng), 0.2, rng)
    tables = slices.draw(rng)
    tables.update(x2=tables["x1"], y2=tables["y1"])

    em = EM(
        model_of(slices.factors({})),
        iterations=3,
        smoothing=0.1,
        tolerance=0,
        start=model_of(slices.factors(tables)),
        tie=tie,
    ).fit(columns(slices, rows))

    for step in em.history_:
        last, (tables, likelihood) = tables, slices.step(tables, rows, 0.1, tie)
        prior = 0.1 * sum(float(np.log(t).sum()) for name, t in last.items() if name not in tie)
        assert step.objective == pytest.approx(likelihood + prior, rel=ENUMERATION)
    found = learned(slices, em.model_.forest().data)
    for name, table in last.items():
        np.testing.assert_allclose(found[name], table, rtol=ENUMERATION)
    np.testing.assert_array_equal(found["y1"], found["y2"])


def test_symbols_in_a_network_with_a_cycle_are_learned_beside_its_tables() -> None:
    leak, left, right = sp.symbols("leak left right", positive=True)
    off = [[(1 - leak) * (1 - left) ** a * (1 - right) ** b for b in (0, 1)] for a in (0, 1)]
    noisy_or = np.array([[[p, 1 - p] for p in row] for row in off])
    parts = (
        Factor(("a",), None, "a"),
        Factor(("a", "b"), None, "b"),
        Factor(("a", "b", "y"), noisy_or, "y"),
    )
    model = model_of(Factors("or", {name: Node(2) for name in "aby"}, parts))
    rng = np.random.default_rng(8)
    data = {name: rng.integers(-1, 2, size=80) for name in "aby"}

    em = EM(model, smoothing=0, tolerance=0, iterations=60).fit(data)

    tables = learned(
        Network(dict.fromkeys("aby", 2), {"a": (), "b": ("a",), "y": ("a", "b")}),
        em.model_.forest().data,
    )
    network = Network(dict.fromkeys("aby", 2), {"a": (), "b": ("a",), "y": ("a", "b")})
    rows = np.stack([data[name] for name in "aby"], axis=1)
    names, best = ("leak", "left", "right"), em.model_.parameters
    numeric = sp.lambdify((leak, left, right), noisy_or.tolist())

    def likelihood(**values: float) -> float:
        weights = np.array(numeric(*[values[name] for name in names]), dtype=np.float64)
        return network.posteriors({**tables, "y": weights}, rows)[1]

    assert em.history_[-1].log_likelihood == pytest.approx(likelihood(**best), rel=ENUMERATION)
    for name in names:
        up, down = ({**best, name: best[name] + move} for move in (1e-5, -1e-5))
        slope = (likelihood(**up) - likelihood(**down)) / 2e-5
        assert slope == pytest.approx(0, abs=1e3 * DIFFERENCES)


def test_a_ring_of_formulas_matches_the_moments() -> None:
    beta = sp.Symbol("beta", positive=True)
    pairs = ["ab", "bc", "cd", "da"]
    weights = np.array([[sp.exp(beta), sp.exp(-beta)], [sp.exp(-beta), sp.exp(beta)]])
    ring = tuple(Factor(tuple(pair), weights) for pair in pairs)
    model = model_of(Factors("ring", {name: Node([-1, 1]) for name in "abcd"}, ring))
    spins = np.random.default_rng(9).choice([-1, 1], p=[0.3, 0.7], size=(4, 50))
    data = dict(zip("abcd", spins, strict=True))

    found = fit(model, data, iterations=1).parameters["beta"]

    def moment(strength: float) -> float:
        states = np.array(np.meshgrid(*[[-1, 1]] * 4)).reshape(4, -1)
        products = sum(states["abcd".index(p)] * states["abcd".index(q)] for p, q in pairs)
        mass = np.exp(strength * products)
        return float(mass @ products / mass.sum())

    assert found is not None
    seen = sum((data[p] * data[q]).mean() for p, q in pairs)
    assert moment(found) == pytest.approx(seen, rel=SEARCH)
