"""Scaled factors have the same law, in a range where pgmpy is right."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from ghmpp.errors import ResourceError
from ghmpp.models.convert import to_pgmpy
from ghmpp.models.ghm import GHM
from ghmpp.models.model import Model
from ghmpp.verification import pgmpy_engines
from ghmpp.verification.pgmpy_scaling import LOG_MASS, require_span, scale
from tests.tolerances import PGMPY


def sharp(exponent: float) -> Model:
    """A binary tree of seven variables whose neighbours like to agree."""
    table = np.exp([[exponent, -exponent], [-exponent, exponent]])
    return GHM(states=(2, 2, 2), branching=(2, 2), tables=[table, table])


def log_mass(network) -> float:
    """Log of the sum over all configurations of the factors of a network, by brute force."""
    names = sorted(network.nodes)
    logs = []
    for states in product(range(2), repeat=len(names)):
        at = dict(zip(names, states, strict=True))
        logs.append(
            sum(np.log(f.values[tuple(at[v] for v in f.variables)]) for f in network.get_factors())
        )
    return float(np.logaddexp.reduce(logs))


@pytest.mark.parametrize("exponent", [0.1, 20.0, 300.0])
def test_mass_is_in_range_and_what_was_divided_out_is_known(exponent):
    model = sharp(exponent)
    network = to_pgmpy(model, kind="markov")
    before = log_mass(network)

    divided = scale(network, model.log_partition())

    assert log_mass(network) == pytest.approx(LOG_MASS, rel=PGMPY)
    assert log_mass(network) + divided == pytest.approx(before, rel=PGMPY)


def test_wide_spans_are_refused_with_the_number():
    with pytest.raises(ResourceError, match=r"span e\^2,400, too much for its division"):
        require_span(to_pgmpy(sharp(200.0), kind="markov"))
    with pytest.raises(ResourceError, match="too much for its division"):
        pgmpy_engines.belief_propagation(sharp(200.0), {})


def test_moderate_spans_are_allowed():
    require_span(to_pgmpy(sharp(10.0), kind="markov"))
