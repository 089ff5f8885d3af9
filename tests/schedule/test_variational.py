"""Mean field, TAP and belief propagation as schedules, against sums over all configurations."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import ghmpp as gh
from ghmpp.backends.algebras import LogFloat
from ghmpp.backends.reference import run
from ghmpp.errors import GuaranteeWarning, QueryError
from ghmpp.models.channels import Given
from ghmpp.schedule.check import check_schedule
from ghmpp.schedule.domain import choose_domain
from tests.spins import diffused, drawn, means, random_couplings
from tests.tolerances import EXACT

RNG = np.random.default_rng(0)
ENGINES = {
    "naive": gh.NaiveMeanField(),
    "constant": gh.TAP(onsager="constant"),
    "self": gh.TAP(),
    "loopy": gh.LoopyBP(),
}


def logs(fields):
    """Log-likelihoods (batch, nodes, 2) of spins in these fields, which may be infinite."""
    return np.stack([-2 * np.maximum(fields, 0), 2 * np.minimum(fields, 0)], axis=-1)


def answer(spins, engine, fields, *, kind="mean", of="x", given=()):
    """What the reference interpreter makes of an engine's schedule; fields by class."""
    schedule = engine.build(spins.forest(given), [(kind, of)], list(fields))
    check_schedule(schedule)
    leaves = {name: logs(np.asarray(field)) for name, field in fields.items()}
    (found,) = run(choose_domain(schedule), leaves, LogFloat()).values()
    return found


def error(spins, engine, t, rows=300, seed=0):
    """Mean squared error of the means of noisy spins at time t."""
    rng = np.random.default_rng(seed)
    x = drawn(spins.couplings, spins.fields, rows, rng)
    z, lam, sig = diffused(x, t, rng)
    fields = lam / sig**2 * z
    given = (gh.noisy("x", sigma=sig, scale=lam),)
    found = answer(spins, engine, {"x": fields}, given=given)
    return float(((found - means(spins.couplings, spins.fields, fields)) ** 2).mean())


@pytest.mark.filterwarnings("ignore::ghmpp.errors.GuaranteeWarning")
def test_each_step_is_the_formula():
    matrix, b = random_couplings(5, RNG), RNG.normal(size=5)
    a = RNG.normal(size=(3, 5))
    spins = gh.PairwiseSpins(matrix, b)
    given = (gh.noisy("x", sigma=1.5),)
    echo = spins.forest(given).data["x onsager"]

    def naive(m):
        return a + b + m @ matrix

    def constant(m):
        return naive(m) - echo * m

    def self_consistent(m):
        return naive(m) - m * ((1 - m**2) @ matrix**2)

    for engine, field in (
        (gh.NaiveMeanField(steps=4, damping=0.3), naive),
        (gh.TAP(steps=4, damping=0.3, onsager="constant"), constant),
        (gh.TAP(steps=4, damping=0.3), self_consistent),
    ):
        m = np.zeros((3, 5))
        for _ in range(3):
            m = 0.3 * m + 0.7 * np.tanh(field(m))
        expected = np.tanh(field(m))
        found = answer(spins, engine, {"x": a}, given=given)
        np.testing.assert_allclose(found, expected, atol=EXACT)


@pytest.mark.parametrize("t", [0.3, 1.0])
def test_weak_glasses_are_solved_as_well_as_each_engine_promises(t):
    spins = [gh.PairwiseSpins.sherrington_kirkpatrick(12, 0.2, seed) for seed in range(4)]

    found = {
        name: np.array([error(each, engine, t, seed=seed) for seed, each in enumerate(spins)])
        for name, engine in ENGINES.items()
    }

    assert found["naive"].max() <= 3e-4
    assert found["constant"].max() <= 1e-5
    assert found["self"].max() <= 1e-5
    assert found["loopy"].max() <= 5e-6
    assert found["naive"].mean() > found["constant"].mean() > found["self"].mean()
    assert found["self"].mean() > found["loopy"].mean()


@pytest.mark.parametrize(
    ("beta", "d", "naive", "tap"), [(0.5, 6, 1.4e-4, 9.8e-6), (0.9, 12, 2.4e-3, 6.4e-4)]
)
def test_ferromagnets_have_the_errors_of_the_literature(beta, d, naive, tap):
    spins = gh.PairwiseSpins.curie_weiss(d, beta)

    assert error(spins, ENGINES["naive"], 1.0, rows=1000) == pytest.approx(naive, rel=0.4)
    for name in ("constant", "self", "loopy"):
        assert error(spins, ENGINES[name], 1.0, rows=1000) == pytest.approx(tap, rel=0.4)


def test_posteriors_and_means_agree():
    spins = gh.PairwiseSpins(random_couplings(4, RNG, scale=0.2))
    fields = {"x": RNG.normal(size=(3, 4))}

    for engine in ENGINES.values():
        posterior = answer(spins, engine, fields, kind="posterior")
        np.testing.assert_allclose(posterior.sum(-1), 1, atol=EXACT)
        np.testing.assert_allclose(
            posterior[..., 1] - posterior[..., 0], answer(spins, engine, fields), atol=EXACT
        )


@pytest.mark.parametrize("name", ENGINES)
def test_known_and_missing_spins(name):
    rng = np.random.default_rng(2)
    matrix, b = random_couplings(5, rng, scale=0.2), rng.normal(size=5)
    spins = gh.PairwiseSpins(matrix, b)
    seen = np.array([[np.inf, -np.inf, 0.0, 0.0, 0.7], [0.0] * 5])

    found = answer(spins, ENGINES[name], {"x": seen})

    expected = means(matrix, b, np.nan_to_num(seen, posinf=40.0, neginf=-40.0))
    assert found[0, :2].tolist() == [1.0, -1.0]
    np.testing.assert_allclose(found, expected, atol=0.1)


@pytest.mark.parametrize("name", ENGINES)
def test_networks_compute_what_the_definition_says(name):
    spins = gh.PairwiseSpins(random_couplings(6, RNG, scale=0.2), 0.1, {"x": 4, "theta": 2})
    z = RNG.normal(size=(5, 4))
    given = gh.noisy("x", sigma=0.8)

    program = gh.compile(spins, [gh.mean("theta"), gh.mean("x")], given, engine=ENGINES[name])
    theta, x = (each.numpy() for each in program.network()(z))

    fields = {"x": z / 0.64}
    np.testing.assert_allclose(x, answer(spins, ENGINES[name], fields, given=(given,)), atol=EXACT)
    np.testing.assert_allclose(
        theta, answer(spins, ENGINES[name], fields, of="theta", given=(given,)), atol=EXACT
    )
    assert gh.verify(program, rows=2).passed


def rbm(visible, hidden, seed, norm):
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(visible, hidden))
    table *= norm / np.linalg.norm(table, 2)
    return gh.PairwiseSpins.boltzmann(
        table, 0.3 * rng.normal(size=visible), 0.3 * rng.normal(size=hidden)
    )


def test_the_steps_of_a_boltzmann_machine_alternate_and_reach_the_joint_fixed_point():
    spins = rbm(8, 6, 0, 0.9)
    a = RNG.normal(size=(4, 8))
    table, visible, hidden = spins.couplings[:8, 8:], spins.fields[:8], spins.fields[8:]

    twice = answer(spins, gh.NaiveMeanField(steps=2), {"x": a})
    found = [answer(spins, gh.NaiveMeanField(steps=300), {"x": a}, of=c) for c in ("x", "theta")]

    h = np.tanh(np.tanh(a + visible) @ table + hidden)
    np.testing.assert_allclose(twice, np.tanh(h @ table.T + a + visible), atol=EXACT)
    m = np.zeros((4, 14))
    for _ in range(2000):
        m = np.tanh(m @ spins.couplings + spins.fields + np.pad(a, ((0, 0), (0, 6))))
    np.testing.assert_allclose(np.concatenate(found, axis=1), m, atol=1e-10)


def test_boltzmann_machines_with_the_hidden_spins_summed_out():
    spins = rbm(8, 6, 1, 0.9)
    rng = np.random.default_rng(0)
    x = drawn(spins.couplings, spins.fields, 200, rng)[:, :8]
    z, lam, sig = diffused(x, 1.0, rng)
    a = lam / sig**2 * z

    table, visible, hidden = spins.couplings[:8, 8:], spins.fields[:8], spins.fields[8:]
    every = np.stack(np.meshgrid(*[[-1.0, 1.0]] * 8, indexing="ij"), -1).reshape(-1, 8)
    exponent = (a + visible) @ every.T + np.log(2 * np.cosh(every @ table + hidden)).sum(1)
    law = np.exp(exponent - exponent.max(1, keepdims=True))
    marginal = law @ every / law.sum(1, keepdims=True)
    joint = means(spins.couplings, spins.fields, np.pad(a, ((0, 0), (0, 6))))[:, :8]
    np.testing.assert_allclose(marginal, joint, atol=EXACT)

    given = (gh.noisy("x", sigma=sig, scale=lam),)
    errors = [
        float(((answer(spins, engine, {"x": a}, given=given) - marginal) ** 2).mean())
        for engine in (ENGINES["naive"], ENGINES["self"], ENGINES["loopy"])
    ]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] <= 1e-4


def test_a_conditional_ising_model_has_its_condition_as_states():
    rng = np.random.default_rng(1)
    spins = gh.PairwiseSpins(random_couplings(7, rng, scale=0.15), 0.1, {"x": 5, "theta": 2})
    theta = np.array([[1, -1], [-1, -1], [1, 1]])
    a = rng.normal(size=(3, 5))
    extra = theta @ spins.couplings[5:, :5]
    expected = means(spins.couplings[:5, :5], spins.fields[:5], a + extra)

    given = (gh.localized("x", time=1.0), Given("theta"))
    errors = []
    for name in ("naive", "constant", "self", "loopy"):
        found = answer(spins, ENGINES[name], {"x": a, "theta": np.inf * theta}, given=given)
        errors.append(((found - expected) ** 2).mean())
    assert errors == sorted(errors, reverse=True)
    assert errors[0] < 1e-2
    assert errors[3] < 1e-5


def test_steps_and_damping_are_chosen_by_the_spectrum():
    spins = gh.PairwiseSpins(-0.3 * (np.ones((8, 8)) - np.eye(8)))  # eigenvalues -2.1 and 0.3
    a = {"x": RNG.normal(size=(3, 8))}

    chosen = answer(spins, gh.NaiveMeanField(), a)
    long = answer(spins, gh.NaiveMeanField(steps=3000, damping=0.5), a)
    with pytest.warns(GuaranteeWarning, match="with damping=0 steps may never settle"):
        undamped = answer(spins, gh.NaiveMeanField(steps=3000, damping=0.0), a)

    np.testing.assert_allclose(chosen, long, atol=1e-6)
    assert np.abs(undamped - long).max() > 0.1


@pytest.mark.parametrize(
    ("engine", "told"),
    [
        (gh.NaiveMeanField(), "NaiveMeanField: A has the operator norm 1.467 and the largest "),
        (gh.NaiveMeanField(3, 0.5), "largest eigenvalue 1.467: one fixed point is guaranteed only"),
        (gh.TAP(onsager="constant"), "TAP: A - K has the operator norm 1.467"),
        (gh.TAP(), "TAP: A - K has the operator norm 1.271"),
        (gh.LoopyBP(), "LoopyBP: messages stretch errors by up to 1.325"),
        (gh.LoopyBP(3, 0.5), "LoopyBP: messages stretch errors by up to 1.325"),
    ],
)
def test_what_nothing_guarantees_is_warned_of_once_with_the_number(engine, told):
    spins = gh.PairwiseSpins.curie_weiss(12, 1.6)

    with pytest.warns(GuaranteeWarning, match=told) as seen:
        gh.compile(spins, gh.mean("x"), "x", engine=engine)

    assert len(seen) == 1
    assert seen[0].filename == __file__


@pytest.mark.parametrize("engine", ENGINES.values())
def test_weak_couplings_are_not_warned_of(engine):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gh.compile(gh.PairwiseSpins.curie_weiss(12, 0.5), gh.mean("x"), "x", engine=engine)


def test_options_out_of_range_are_refused():
    for engine in (gh.NaiveMeanField, gh.TAP, gh.LoopyBP):
        with pytest.raises(QueryError, match=f"{engine.__name__}: steps must be a whole number"):
            engine(steps=0)
        with pytest.raises(QueryError, match=r"must lie in \[0, 1\), got 1"):
            engine(damping=1)
    with pytest.raises(QueryError, match="unknown onsager='none'; known: 'constant', 'self'"):
        gh.TAP(onsager="none")


def test_what_a_fixed_point_does_not_know_is_refused():
    spins = gh.PairwiseSpins.curie_weiss(3, 0.5)

    with pytest.raises(QueryError, match="compile with engine='exact'"):
        gh.compile(spins, gh.log_evidence(), "x", engine=gh.TAP())
