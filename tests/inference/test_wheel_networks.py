"""The discrete networks inside the pgmpy package: posteriors against pgmpy, and in two ways.

Posteriors of random variables given random evidence agree with pgmpy's variable elimination where
that survives (some of its queries run out of memory); the posteriors of all variables agree
between two triangulations with different roots.
"""

from __future__ import annotations

import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

import ghmpp as gh
from ghmpp.errors import NormalizationWarning, TreewidthError
from ghmpp.models.convert_pgmpy import factors_from_pgmpy
from ghmpp.models.junction import junction_model
from tests.tolerances import ENUMERATION, PGMPY

QUICK = ["asia"]
SLOW = [
    *["survey", "alarm"],
    *["cancer", "earthquake", "sachs", "child", "insurance", "hailfinder", "hepar2", "win95pts"],
    *["pathfinder", "mildew", "diabetes"],
    *["water", "pigs", "andes"],  # wider than 8, but not large
]
STUDIES = ["barley", "munin2", "munin3", "munin4", "munin"]
ALL = [
    *QUICK,
    *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW),
    *(pytest.param(name, marks=pytest.mark.study) for name in STUDIES),
]
QUERIES, SECONDS = 10, 60


def network(name):
    """A network of the package, with CPDs that sum to 1."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        from pgmpy.utils import get_example_model

        found = get_example_model(name)
    for cpd in found.cpds:
        cpd.normalize()
    return found


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Ends what takes longer with a TimeoutError."""

    def stop(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("name", ALL)
def test_posteriors_agree_with_pgmpy_and_with_another_triangulation(name):
    from pgmpy.inference import VariableElimination

    given = network(name)
    graph = factors_from_pgmpy(given)
    engine = gh.Inference(graph)
    names, rng = list(graph.nodes), np.random.default_rng(0)
    drawn = engine.sample(QUERIES)
    states = {cpd.variable: cpd.state_names[cpd.variable] for cpd in given.cpds}

    def evidence(row, count):
        observed = [str(name) for name in rng.choice(names, count, replace=False)]
        return {name: [states[name][drawn[name][row, 0]]] for name in observed}

    compared = 0
    for row in range(QUERIES):
        seen = evidence(row, int(rng.integers(1, min(6, len(names)))))
        asked = str(rng.choice([name for name in names if name not in seen]))
        found = engine.posteriors(seen, classes=[asked])[asked][0]
        named = {name: state for name, (state,) in seen.items()}
        try:
            with at_most(SECONDS):
                truth = VariableElimination(given).query([asked], named, show_progress=False)
        except (MemoryError, TimeoutError):
            continue
        compared += 1
        np.testing.assert_allclose(found, truth.values / truth.values.sum(), atol=PGMPY)
    assert compared > QUERIES // 2

    seen = evidence(0, max(1, len(names) // 4))
    other = junction_model(graph, heuristic="min_weight", root=names[-1])
    first, second = engine.posteriors(seen), gh.infer(other, seen)
    for variable in names:
        np.testing.assert_allclose(first[variable], second[variable], atol=ENUMERATION)
    np.testing.assert_allclose(first.log_evidence, second.log_evidence, rtol=ENUMERATION)


@pytest.mark.slow
def test_the_width_is_known_and_a_network_that_is_too_wide_is_refused():
    graph = factors_from_pgmpy(network("alarm"))

    assert junction_model(graph).treewidth == 4
    message = (
        r"treewidth 4; .*limit is 2\.0 KiB \(max_memory\).*largest cliques: "
        r"\(.*\) with 144 joint states; "
    )
    with pytest.raises(TreewidthError, match=message):
        junction_model(graph, max_memory=2048)


@pytest.mark.slow
def test_columns_of_a_network_that_miss_one_are_reported():
    given = network("asia")
    cpd = given.get_cpds("asia")
    cpd.values = cpd.values * 1.004

    assert given.check_model()
    with pytest.warns(NormalizationWarning, match=r"up to 0.004 \(distribution of 'asia'\)"):
        model = gh.from_pgmpy(given)
    np.testing.assert_allclose(model.log_partition(), 0, atol=ENUMERATION)
