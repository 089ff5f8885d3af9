"""One battery for the networks of all declarations: laws, other ways to run them, files."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

import ghmpp as gh
from ghmpp.backends.network import Network
from ghmpp.compiler import Program
from ghmpp.errors import ConversionError
from ghmpp.exports.formats import default_formats
from ghmpp.models.queries import Query
from ghmpp.schedule.check import check_schedule
from ghmpp.schedule.passes import unrolled
from ghmpp.verification.conformance import conformance
from tests.tolerances import ENUMERATION, EXACT


def spins() -> gh.PairwiseSpins:
    return gh.PairwiseSpins.sherrington_kirkpatrick(6, beta=0.3, seed=1)


def boltzmann() -> gh.PairwiseSpins:
    weights = 0.3 * np.random.default_rng(0).normal(size=(4, 3))
    return gh.PairwiseSpins.boltzmann(weights)


def sparse() -> gh.SparseCoding:
    dictionary = np.random.default_rng(1).normal(size=(6, 4)) / 3
    return gh.SparseCoding(dictionary, 0.3, prior=([-1.0, 0.0, 1.0], [0.2, 0.6, 0.2]))


def latent() -> gh.LatentGaussian:
    inner, outer = np.array([[1.2, 0.2], [-0.1, 1.1]]), np.array([[1.5, 0.1], [0.2, 1.4]])
    return gh.LatentGaussian(
        [(inner, [0.1, 0.0], "softplus"), (outer, [0.0, 0.2], None)], noise=0.5
    )


def layers() -> gh.LinearHierarchy:
    rng = np.random.default_rng(2)
    unit = [
        each / np.linalg.norm(each, axis=0)
        for each in (rng.normal(size=(5, 8)), rng.normal(size=(8, 4)))
    ]
    return gh.LinearHierarchy(dictionaries=unit, thresholds=0.05)


def hierarchy() -> gh.Model:
    return gh.zoo.random_ghm(states=3, branching=(2, 2), bound=3, seed=0)


NOISY = gh.noisy("x", sigma=0.8)
SHORT = {"gradient_steps": 12, "steps": 20}
PROGRAMS: dict[str, Callable[[], Program]] = {
    "hierarchy": lambda: gh.compile(hierarchy(), gh.posterior("x0"), given="x2"),
    "exact spins": lambda: gh.compile(spins(), gh.mean("x"), NOISY, engine="exact"),
    "naive": lambda: gh.compile(spins(), gh.mean("x"), NOISY, engine=gh.NaiveMeanField(steps=9)),
    "naive, states": lambda: gh.compile(
        spins(), gh.posterior("x"), "x", engine=gh.NaiveMeanField(steps=5, damping=0.3)
    ),
    "TAP": lambda: gh.compile(spins(), gh.mean("x"), NOISY, engine=gh.TAP(steps=8)),
    "TAP, constant": lambda: gh.compile(
        spins(), gh.mean("x"), NOISY, engine=gh.TAP(steps=8, onsager="constant")
    ),
    "loopy": lambda: gh.compile(spins(), gh.mean("x"), NOISY, engine=gh.LoopyBP(steps=6)),
    "Boltzmann machine": lambda: gh.compile(
        boltzmann(),
        [gh.mean("x"), gh.mean("theta")],
        gh.noisy("x", sigma=1.0),
        engine=gh.NaiveMeanField(steps=6),
    ),
    "sparse coding": lambda: gh.compile(
        sparse(), [gh.mean("x"), gh.mean("theta")], gh.noisy("x", sigma=0.5), engine=gh.TAP(steps=9)
    ),
    "latent Gaussian, code": lambda: gh.compile(
        latent(), gh.code("z"), given="x", engine=gh.Langevin(**SHORT)
    ),
    "latent Gaussian, draw": lambda: gh.compile(
        latent(), gh.draw("z"), given="x", engine=gh.Langevin(**SHORT)
    ),
    "thresholding": lambda: gh.compile(
        layers(), [gh.code("x1"), gh.code("x2")], given="x0", engine=gh.LayeredThresholding()
    ),
    "ISTA": lambda: gh.compile(layers(), gh.code("x2"), given="x0", engine=gh.ISTA(steps=7)),
    "ML-ISTA": lambda: gh.compile(layers(), gh.code("x2"), given="x0", engine=gh.MLISTA(steps=7)),
    "LISTA": lambda: gh.compile(layers(), gh.code("x2"), given="x0", engine=gh.LISTA(steps=3)),
    "Gaussian": lambda: gh.compile(
        gh.GaussianGHM(branching=(2, 2), weights=0.8, noises=0.4),
        [gh.mean("x2"), gh.variance("x0")],
        gh.noisy("x2", sigma=0.7),
    ),
}
BY_SYSTEM = pytest.mark.parametrize("name", PROGRAMS)


@BY_SYSTEM
def test_networks_obey_the_laws(name: str) -> None:
    report = conformance(PROGRAMS[name](), rows=2)

    assert report.passed, str(report)


@BY_SYSTEM
def test_networks_do_what_their_instructions_mean(name: str) -> None:
    report = gh.verify(PROGRAMS[name](), rows=2)

    assert report.passed, str(report)
    own = [check for check in report.checks if check.engine in ("reference", "unrolled")]
    others = [check for check in report.checks if not check.engine.startswith("pgmpy")]
    assert others
    assert all(check.worst <= EXACT for check in own)
    assert all(check.worst <= ENUMERATION for check in others)


@BY_SYSTEM
def test_schedules_are_legal_and_print(name: str) -> None:
    schedule = PROGRAMS[name]().schedule
    check_schedule(schedule)
    check_schedule(unrolled(schedule))

    assert str(schedule).count("\n") > 5


@pytest.mark.slow
@BY_SYSTEM
def test_files_agree_with_their_network(name: str, tmp_path) -> None:
    network = PROGRAMS[name]().network()
    if name == "latent Gaussian, draw":
        with pytest.raises(gh.errors.QueryError, match="draws noise"):
            gh.export(network, tmp_path / "out", formats=("onnx",))
        assert [row.format for row in gh.export(network, tmp_path / "out").rows] == ["mermaid"]
        return

    report = gh.export(network, tmp_path / "out", formats=("onnx", "mermaid"))
    assert report.passed


def test_what_is_no_hierarchical_model_has_no_archive(tmp_path) -> None:
    network = PROGRAMS["naive"]().network()
    with pytest.raises(gh.errors.FormatError, match="leave 'json' out"):
        gh.export(network, tmp_path / "out", formats=("json",))
    assert "json" not in default_formats(network)
    assert "json" in default_formats(PROGRAMS["hierarchy"]().network())


def test_networks_that_draw_say_so_to_laws() -> None:
    network = PROGRAMS["latent Gaussian, draw"]().network()
    x = torch.zeros(2, 2, dtype=torch.float64)

    assert torch.equal(network(x, seed=1), network(x, seed=1))
    assert not torch.equal(network(x, seed=1), network(x, seed=2))


@pytest.mark.slow
@pytest.mark.parametrize(
    "declared", [spins, boltzmann, sparse, latent, layers, hierarchy], ids=lambda f: f.__name__
)
def test_declarations_verify_as_they_are(declared: Callable[[], object]) -> None:
    report = gh.verify(declared(), rows=2)

    assert report.passed, str(report)


def test_networks_of_fields_say_what_engines_they_have() -> None:
    program = PROGRAMS["naive"]()
    with pytest.raises(gh.errors.QueryError, match="reference"):
        gh.verify(program, engines=["nothing"])
    report = gh.verify(program, engines=["enumeration", "reference"])
    assert [skipped.engine for skipped in report.skipped] == ["enumeration"]
    assert report.passed


def test_what_is_for_trees_refuses_other_programs() -> None:
    program = PROGRAMS["naive"]()
    with pytest.raises(gh.errors.QueryError, match="PairwiseSpins"):
        _ = program.model
    with pytest.raises(ConversionError):
        gh.verify(3)


def test_unknown_engines_are_refused() -> None:
    with pytest.raises(gh.errors.QueryError, match="unknown engine 'magic'"):
        gh.compile(spins(), gh.mean("x"), NOISY, engine="magic")
    with pytest.raises(gh.errors.QueryError, match="no hierarchical model"):
        gh.compile(hierarchy(), gh.posterior("x0"), "x2", engine=gh.TAP())


def test_questions_of_real_classes_are_checked() -> None:
    with pytest.raises(gh.errors.QueryError, match="draw"):
        gh.compile(spins(), Query("draw", "x"), NOISY, engine=gh.TAP())


def test_trainable_networks_start_where_they_are_asked_to() -> None:
    program = PROGRAMS["ISTA"]()
    exact = program.network()
    x = torch.randn(3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    same = program.network("trainable", init="relu", dtype="float64")
    other = program.network("trainable", seed=1, dtype="float64")
    assert torch.allclose(same(x), exact(x), rtol=0, atol=EXACT)
    assert not torch.allclose(other(x), exact(x))
    assert all(parameter.requires_grad for parameter in same.parameters())
    assert torch.equal(other(x), program.network("trainable", seed=1, dtype="float64")(x))


def test_sizes_belong_to_relu() -> None:
    with pytest.raises(gh.errors.QueryError, match="'relu'"):
        PROGRAMS["naive"]().network("exact", width=5)
    with pytest.raises(gh.errors.QueryError, match="construction= is for nets that stand for mess"):
        PROGRAMS["naive"]().network("relu", construction="paper")


def test_networks_are_one_class() -> None:
    assert all(type(make().network()) is Network for make in PROGRAMS.values())


def test_schedules_are_stated_for_the_precision_that_is_asked_for() -> None:
    for dtype in ("float32", "float64"):
        program = gh.compile(spins(), gh.mean("x"), NOISY, engine=gh.TAP(steps=2), dtype=dtype)
        assert program.schedule.domain is not None
        assert program.schedule.domain.dtype == dtype


def test_numbers_that_nothing_reads_are_left_out() -> None:
    network = PROGRAMS["naive"]().network("trainable")
    x = torch.zeros(1, 6)
    network(x).sum().backward()

    assert all(parameter.grad is not None for parameter in network.parameters())


def test_evidence_against_both_states_is_refused() -> None:
    program = gh.compile(spins(), gh.mean("x"), "x", engine=gh.TAP(steps=2))
    nothing = torch.ones(2, 6, 2, dtype=torch.float64)
    nothing[1, 3] = 0

    with pytest.raises(gh.errors.ImpossibleEvidenceError, match="rules out both"):
        program.network()(nothing)
