"""Nets of fields as narrow as a wished error allows, and what no net can do."""

from __future__ import annotations

import math

import pytest

import ghmpp as gh
from ghmpp.errors import GuaranteeWarning, QueryError
from tests.approximation.spins import ENGINES, program
from tests.models.generators import latent, residual


def test_wished_errors_take_the_narrowest_nets():
    compiled = program(ENGINES["naive"])
    network = compiled.network("relu", delta=1e-3, dtype="float64")
    knots = len(network.fields.local["tanh"].knots)

    assert network.certificate.bound <= 1e-3
    narrower = compiled.network("relu", width=knots - 1, dtype="float64")
    assert narrower.certificate.bound > 1e-3


def test_errors_that_are_out_of_reach_are_refused_with_numbers():
    with pytest.warns(GuaranteeWarning):
        compiled = program(gh.NaiveMeanField(40, 0.0), norm=1.8)
    rough = compiled.network("relu", width=64, dtype="float64")

    assert math.isfinite(rough.certificate.bound)
    with pytest.raises(QueryError, match=r"delta=0.0001 is out of reach: with 65,536 knots the bo"):
        compiled.network("relu", delta=1e-4, dtype="float64")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delta": 0.1, "width": 10}, "width= or delta=, not both"),
        ({"width": 2}, "at least 3 knots, got 2"),
        ({"delta": 0.0}, "delta must be finite and > 0"),
        ({"evidence_span": 0.0}, "evidence_span must be > 0"),
    ],
)
def test_impossible_sizes_are_refused(options, message):
    with pytest.raises(QueryError, match=message):
        program(ENGINES["naive"]).network("relu", **options)


def test_unbounded_products_are_refused():
    compiled = gh.compile(latent(residual()), gh.code("z"), "x", engine=gh.Langevin(1, 0))

    with pytest.raises(QueryError, match=r"needs bounded inputs.*evidence_span="):
        compiled.network("relu", width=64)
