"""Means, variances and densities of Gaussian models are those of one dense linear solve."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import ghmpp as gh
from ghmpp._arrays import FloatArray
from ghmpp.backends import reference
from ghmpp.backends.algebras import Exact, LogFloat
from ghmpp.backends.leaves import log_leaves
from ghmpp.backends.network import Network
from ghmpp.errors import EvidenceError, ModelError, QueryError
from ghmpp.models.observations import Observation
from ghmpp.schedule.build import LOG_EVIDENCE
from ghmpp.schedule.check import check_schedule
from ghmpp.schedule.gaussian_tree import GaussianTree
from tests.dense_gaussians import Seen, solve
from tests.gaussians import (
    FORESTS,
    LABELLED,
    PLAIN,
    RANKS,
    draw,
    everything,
    in_users_order,
    observed,
)
from tests.tolerances import DENSE, EXACT, GRADIENT


@pytest.mark.parametrize("name", FORESTS)
def test_all_results_are_those_of_a_dense_solve(name):
    forest, seen = FORESTS[name], draw(FORESTS[name], seed=1)
    schedule = GaussianTree().build(forest, everything(forest), list(seen))
    check_schedule(schedule)

    found = Network(schedule).evaluate(observed(seen))

    for row in range(3):
        expected = solve(forest, {name: rows[row] for name, rows in seen.items()})
        wanted = {("log_evidence", ""): expected.log_evidence}
        for kind in ("mean", "variance", "posterior"):
            wanted |= {(kind, key): array for key, array in getattr(expected, kind).items()}
        assert wanted.keys() == found.keys()
        for key, array in wanted.items():
            scale = max(1.0, float(np.abs(array).max()))
            assert np.abs(found[key][row].numpy() - array).max() <= DENSE * scale, (key, row)


@pytest.mark.parametrize("name", FORESTS)
def test_torch_agrees_with_the_reference_interpreter(name):
    forest, seen = FORESTS[name], draw(FORESTS[name], seed=2)
    schedule = GaussianTree().build(forest, everything(forest), list(seen))
    leaves = log_leaves(observed(seen), forest.variables)

    found = Network(schedule, chunk=2).evaluate(observed(seen))
    expected = reference.run(schedule, leaves, LogFloat())

    assert np.isfinite(expected["log_evidence", ""]).all()
    mass = reference.run(schedule, {}, LogFloat())["log_evidence", ""]
    for key, array in expected.items():
        array = array - mass if key == LOG_EVIDENCE else in_users_order(array, forest, key[1])
        scale = np.maximum(1, np.abs(array))
        assert (np.abs(found[key].numpy() - array) <= EXACT * scale).all(), key


def test_the_network_is_affine_in_what_is_observed_and_variances_do_not_depend_on_it():
    program = gh.compile(RANKS, [gh.mean("x3"), gh.variance("x3")], gh.noisy("x3", sigma=0.7))
    network = program.network()
    rng = np.random.default_rng(0)
    first, second = (torch.tensor(rng.normal(size=(1, 12))) for _ in range(2))
    share = 0.3

    (one, spread), (two, _), (zero, _) = (network(z) for z in (first, second, 0 * first))
    both, others = network(share * first + (1 - share) * second)

    assert (both - (share * one + (1 - share) * two)).abs().max() <= EXACT
    assert (network(first + second)[0] - (one + two - zero)).abs().max() <= EXACT
    assert torch.equal(others, spread)


def test_noise_may_change_at_every_call():
    network = gh.compile(RANKS, gh.mean("x3"), gh.noisy("x3", sigma=0.7)).network()
    z = np.random.default_rng(0).normal(size=12)

    found = network(torch.tensor(z)[None], sigma=3.0, scale=0.5)[0]

    expected = solve(RANKS.forest(), {"x3": Seen(z, 3.0, 0.5)}).mean["x3"]
    assert np.abs(found.numpy() - expected).max() <= DENSE


def test_localization_at_time_t_is_gaussian_noise_and_a_density_relative_to_it():
    time, z = 2.5, np.array([0.3, -4.0])
    asked = [gh.mean("x1"), gh.log_evidence()]
    localized = gh.compile(PLAIN, asked, gh.localized("x1", time=time)).network()
    noisy = gh.compile(PLAIN, asked, gh.noisy("x1", sigma=time**0.5, scale=time)).network()

    found, expected = (network(torch.tensor(z)[None]) for network in (localized, noisy))

    relative = (-(z**2) / (2 * time) - np.log(2 * np.pi * time) / 2).sum()
    assert (found[0] - expected[0]).abs().max() <= EXACT
    assert abs(float(found[1] - expected[1]) + relative) <= EXACT


def test_nothing_observed_leaves_the_prior():
    mean, covariance = RANKS.moments()
    asked = [gh.mean("x1"), gh.variance("x1"), gh.log_evidence()]

    means, variances, density = gh.compile(RANKS, asked).network()()

    assert np.abs(means.numpy()[0] - mean[1:3]).max() <= EXACT
    assert np.abs(variances.numpy()[0] - np.diag(covariance)[1:3]).max() <= EXACT
    assert float(density) == 0.0


def test_states_of_discrete_variables_are_classified_from_real_leaves():
    network = gh.compile(LABELLED, gh.posterior("label"), gh.noisy("x2", sigma=0.5)).network()
    drawn = LABELLED.sample(400, seed=3)

    posterior = network(torch.tensor(drawn["x2"])).numpy()

    right = (posterior.argmax(1) == drawn["label"][:, 0]).mean()
    assert right > 0.8  # means three standard deviations apart
    assert np.abs(posterior.sum(1) - 1).max() <= EXACT


def test_discrete_evidence_picks_the_component():
    given = ["label", gh.noisy("x2", sigma=0.5)]
    network = gh.compile(LABELLED, gh.mean("x0"), given).network()
    z = torch.zeros(3, 4, dtype=torch.float64)

    found = network(torch.arange(3), z).numpy()

    for state, mean in enumerate((-3.0, 0.0, 3.0)):
        alone = gh.GaussianGHM(
            branching=(2, 2), weights=0.8, root_mean=mean, root_variance=[1.0, 0.5, 0.1][state]
        )
        expected = solve(alone.forest(), {"x2": Seen(np.zeros(4), 0.5)}).mean["x0"][0]
        assert abs(found[state] - expected) <= DENSE


def test_impossible_evidence_has_density_zero_and_no_nan():
    model = gh.Model("label")
    model.root("label", 2, prior=[1.0, 0.0])
    mixed = gh.GaussianGHM(branching=(2,), root_mean=[0.0, 5.0], above=model)
    asked = [gh.log_evidence(), gh.mean("x1"), gh.variance("x0"), gh.posterior("label")]

    density, *others = gh.compile(mixed, asked, ["label", gh.noisy("x1", sigma=1.0)]).network()(
        torch.tensor([0, 1]), torch.zeros(2, 2)
    )

    assert np.isfinite(float(density[0]))
    assert density[1] == -np.inf
    assert all((each[1] == 0).all() for each in others)


def test_gradients_of_the_log_evidence_are_finite_differences():
    forest, seen = FORESTS["mixed"], draw(FORESTS["mixed"], seed=4)
    schedule = GaussianTree().build(forest, [LOG_EVIDENCE], list(seen))
    network = Network(schedule)
    network.potentials["y0->y1"].requires_grad_(True)

    network.evaluate(observed(seen))["log_evidence", ""].sum().backward()

    gradient = network.potentials["y0->y1"].grad.numpy()
    for at in ((0, 0, 0), (1, 2, 1), (0, 1, 2)):
        ends = []
        for step in (1e-4, -1e-4):
            moved = forest.data["y0->y1"].copy()
            moved[at] += step
            there = replace(forest, data={**forest.data, "y0->y1": moved})
            rows = ({name: rows[k] for name, rows in seen.items()} for k in range(3))
            ends.append(sum(solve(there, row).log_evidence for row in rows))
        assert gradient[at] == pytest.approx((ends[0] - ends[1]) / 2e-4, abs=1e-6)


def test_the_score_of_the_density_is_tweedies():
    sigma = 0.9
    asked = [gh.mean("x3"), gh.log_evidence()]
    network = gh.compile(RANKS, asked, gh.noisy("x3", sigma=sigma)).network()
    z = torch.tensor(np.random.default_rng(7).normal(size=(1, 12)), requires_grad=True)

    mean, density = network(z)
    density.sum().backward()

    assert (z.grad - (mean.detach() - z.detach()) / sigma**2).abs().max() <= GRADIENT


def test_float32_networks_run_in_float64():
    program = gh.compile(RANKS, gh.mean("x3"), gh.noisy("x3", sigma=1.0))
    z = torch.randn(2, 12, generator=torch.Generator().manual_seed(0))

    single, double = program.network(dtype="float32"), program.network()

    assert single.domain.dtype == "float64"
    assert single.domain.kind == "log"
    assert "Gaussian factors are added" in single.domain.reason
    assert single(z).dtype == torch.float32
    assert (single(z) - double(z.double())).abs().max() < 1e-5


def test_65536_leaves_take_ten_messages_a_level():
    model = gh.GaussianGHM(branching=(4,) * 8, weights=0.9, noises=0.3)
    program = gh.compile(model, [gh.mean("x8"), gh.log_evidence()], gh.noisy("x8", sigma=1.0))

    mean, density = program.network()(torch.ones(1, 4**8, dtype=torch.float64))

    assert len(program.schedule.ops) < 10 * 9
    assert torch.isfinite(density).all()
    assert (mean > 0).all()
    assert float(mean.max() - mean.min()) <= EXACT  # all leaves are alike


@pytest.mark.parametrize(("factor", "place"), [(np.nan, 0), (np.inf, 1), (0.0, 2), (-1.0, 2)])
def test_densities_that_training_broke_are_refused(factor, place):
    network = gh.compile(PLAIN, gh.mean("x1"), gh.noisy("x1", sigma=1.0)).network()
    with torch.no_grad():
        network.potentials["x0->x1"][..., place] = factor

    with pytest.raises(ModelError, match="variances positive"):
        network(torch.zeros(1, 2))


@pytest.mark.parametrize("family", ["relu", "trainable"])
def test_nothing_is_approximated(family):
    program = gh.compile(PLAIN, gh.mean("x1"), gh.noisy("x1", sigma=1.0))

    with pytest.raises(QueryError, match="linear in what is observed"):
        program.network(family)


@pytest.mark.parametrize(
    ("z", "options", "message"),
    [
        (np.zeros((1, 3)), {}, r"shape \(batch, 2\), got"),
        (np.zeros((1, 2, 1)), {}, r"shape \(batch, 2\), got"),
        (np.full((1, 2), np.inf), {}, "finite"),
        (np.full((1, 2), 1e200), {}, "so little noise"),
        (np.zeros((1, 2)), {"sigma": 1e-40}, "so little noise"),
        (np.zeros((1, 2)), {"sigma": 0.0}, "finite and > 0"),
        (np.zeros((1, 2)), {"time": 1.0}, "no parameter 'time'"),
    ],
)
def test_bad_observations_are_refused(z: FloatArray, options, message):
    network = gh.compile(PLAIN, gh.mean("x1"), gh.noisy("x1", sigma=1.0)).network()

    with pytest.raises(EvidenceError, match=message):
        network(torch.tensor(z), **options)


def test_numbers_without_noise_are_refused_by_a_network_too():
    network = gh.compile(PLAIN, gh.mean("x1"), gh.noisy("x1", sigma=1.0)).network()

    with pytest.raises(EvidenceError, match=r"gh\.noisy"):
        network.evaluate({"x1": Observation("numbers", np.zeros((1, 2)))})


def test_only_floats_run_through_the_reference():
    schedule = GaussianTree().build(PLAIN.forest(), [("mean", "x1")], [])

    with pytest.raises(QueryError, match="LogFloat"):
        reference.run(schedule, {}, Exact())


def test_plain_convolutions_and_formulas_are_refused():
    program = gh.compile(PLAIN, gh.mean("x1"), gh.noisy("x1", sigma=1.0))

    with pytest.raises(QueryError, match="real numbers"):
        program.network().as_convolutions()
    with pytest.raises(QueryError, match="real variables have no formulas"):
        program.symbolic()
