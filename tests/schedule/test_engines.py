"""Engines by name, and models that they are not for."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import ghmpp as gh
from ghmpp.errors import QueryError
from ghmpp.schedule.engines import ENGINES, engine_named
from ghmpp.schedule.gaussian_tree import GaussianTree
from tests.tolerances import EXACT

SPINS = gh.PairwiseSpins([[0, 0.5], [0.5, 0]])
LAYERS = gh.LinearHierarchy(dictionaries=[np.eye(3)], thresholds=0.1)
TREE = gh.GaussianGHM(branching=(2,))
FAMILIES = ("exact", "relu", "trainable")
NOISY = gh.noisy("x1", sigma=1.0)


def test_every_name_but_exact_is_an_engine():
    for name in ENGINES[1:]:
        assert hasattr(engine_named(name), "build"), name


@pytest.mark.parametrize("engine", ["tap", gh.TAP, 3])
def test_what_is_no_engine_is_refused(engine):
    with pytest.raises(QueryError, match=r"unknown engine .*; pass an engine with its options"):
        gh.compile(SPINS, gh.mean("x"), "x", engine=engine)


@pytest.mark.parametrize("engine", [gh.NaiveMeanField(), gh.TAP(), gh.TAP(onsager="constant")])
def test_mean_field_needs_sites(engine):
    with pytest.raises(QueryError, match="'hierarchy' has no spins with pairwise couplings"):
        gh.compile(LAYERS, gh.code("x1"), "x0", engine=engine)
    with pytest.raises(QueryError, match="'gaussian' has no spins with pairwise couplings"):
        gh.compile(TREE, gh.mean("x0"), NOISY, engine=engine)


def test_trees_of_messages_do_not_leave_couplings_out():
    with pytest.raises(QueryError, match="GaussianTree: model 'spins' is no tree but has coupl"):
        gh.compile(SPINS, gh.mean("x"), "x", engine=GaussianTree())


@pytest.mark.parametrize(
    ("engine", "family"),
    [
        ("exact", "exact"),
        *itertools.product([gh.NaiveMeanField(), gh.TAP(), gh.LoopyBP()], FAMILIES),
    ],
)
def test_spins_without_couplings_and_fields_have_networks(engine, family):
    free = gh.PairwiseSpins(np.zeros((3, 3)))
    seen = np.array([[0.3, -2.0, 0.0]])

    program = gh.compile(free, gh.mean("x"), gh.noisy("x", sigma=1.0), engine=engine)
    found = program.network(family, dtype="float64")(seen).detach().numpy()

    np.testing.assert_allclose(found, np.tanh(seen), atol=0.01 if family == "relu" else EXACT)
