"""Networks of real variables are verified against one joint normal distribution."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import ghmpp as gh
from ghmpp.errors import ConversionError, QueryError
from ghmpp.verification.conformance import conformance
from ghmpp.verification.gaussian import normal
from ghmpp.verification.subjects import read_subject
from tests.dense_gaussians import Seen, solve
from tests.gaussians import LABELLED, MIXED, RANKS
from tests.tolerances import DENSE

PROGRAMS = {
    "real": gh.compile(
        RANKS, [gh.mean("x3"), gh.variance("x0"), gh.log_evidence()], gh.noisy("x3", sigma=0.5)
    ),
    "labelled": gh.compile(
        LABELLED,
        [gh.posterior("label"), gh.mean("x0"), gh.log_evidence()],
        ["label", gh.noisy("x2", sigma=0.5, scale=-2.0)],
    ),
    "mixed": gh.compile(
        MIXED, [gh.posterior("x1"), gh.variance("y1")], [gh.localized("y1", time=2.0)]
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_pass_and_so_do_the_laws_of_all_networks(name):
    report, laws = gh.verify(PROGRAMS[name], rows=4), conformance(PROGRAMS[name], rows=2)

    assert report.passed, str(report)
    assert {check.engine for check in report.checks} == {"normal"}
    assert {check.quantity for check in report.checks} >= {
        kind.replace("_", " ") for kind, _ in PROGRAMS[name].network().answers
    }
    assert laws.passed, str(laws)
    assert {check.engine for check in laws.checks} >= {"chunks", "state_dict", "siblings reversed"}


def test_the_engine_is_the_dense_solve_of_the_tests():
    z = np.random.default_rng(3).normal(size=(2, 12))
    z[0, 4] = np.nan
    subject = read_subject(PROGRAMS["real"])
    asked = subject.read({"x3": gh.Observed(z, gh.Gaussian(0.5))})

    found = normal(subject, asked.logs)

    for row in range(2):
        expected = solve(RANKS.forest(), {"x3": Seen(z[row], 0.5)})
        assert abs(found.log_evidence[row] - expected.log_evidence) <= DENSE
        for name in RANKS.layers:
            assert np.abs(found.means[name][row] - expected.mean[name]).max() <= DENSE
            assert np.abs(found.variances[name][row] - expected.variance[name]).max() <= DENSE


def test_a_network_that_is_wrong_fails():
    network = PROGRAMS["real"].network()
    network.collect["x3"].forward = lambda kernel, potential, x, block: (
        0.999 * potential.to_root(kernel, x)
    )

    assert not gh.verify(network).passed


def test_a_network_is_verified_for_the_densities_that_it_holds():
    network = PROGRAMS["real"].network()
    with torch.no_grad():
        network.potentials["x2->x3"][..., 2] *= 3

    assert gh.verify(network).passed


def test_large_models_are_left_out_with_the_reason():
    model = gh.GaussianGHM(branching=(10, 10, 10))
    program = gh.compile(model, gh.mean("x0"), gh.noisy("x3", sigma=1.0))

    report = gh.verify(program)

    assert not report.checks
    assert "1,111 real variables" in report.skipped[0].reason


def test_engines_of_states_are_for_other_models():
    report = gh.verify(PROGRAMS["real"], engines=["normal", "recursion"])

    assert [each.reason for each in report.skipped] == ["is for models and their messages."]
    with pytest.raises(QueryError, match=r"known: .*normal"):
        gh.verify(PROGRAMS["real"], engines=["dense"])


def test_a_model_is_verified_by_its_own_question():
    report = gh.verify(MIXED)

    assert report.passed
    assert {check.quantity for check in report.checks} == {"mean"}


@pytest.mark.parametrize("use", [gh.infer, gh.Inference])
def test_what_is_for_discrete_models_says_what_to_do(use):
    with pytest.raises(
        ConversionError, match=r"is a GaussianGHM and no discrete model; gh\.compile"
    ):
        use(RANKS)
