"""The paper's widths, from its formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest

import ghmpp as gh
from ghmpp.approximation.paper import largest_entry, theorem_3_width, theorem_6_width
from tests.tolerances import EXACT


@pytest.mark.parametrize(
    ("states", "entry", "leaves", "depth", "delta"),
    [(2, 1.5, 4, 2, 0.01), (3, 10.0, 27, 3, 0.1), (4, 3.0, 256, 8, 1.0)],
)
def test_widths_are_those_of_the_theorems(states, entry, leaves, depth, delta):
    three = 4 * math.ceil(states**2 * entry**2 * leaves * 3**depth / delta - 1e-6)
    six = 4 * math.ceil(states**3 * entry**2 * leaves * 18**depth / delta - 1e-6)

    assert theorem_3_width(states, entry, leaves, depth, delta) == three
    assert theorem_6_width(states, entry, leaves, depth, delta) == six


def test_large_errors_need_what_the_proof_needs():
    # 4 X = 4, but S (ceil(2 X / S) + 1) + 1 = 21
    assert theorem_3_width(10, 1.0, leaves=1, depth=0, delta=100.0) == 21


def test_width_may_exceed_every_float():
    assert theorem_6_width(4, 3.0, leaves=2, depth=1000, delta=0.01) > 10**1000


def test_largest_entry_does_not_depend_on_the_scale_of_a_table():
    def entry(scale):
        model = gh.GHM(states=2, branching=(2,), tables=[scale * np.array([[4.0, 1], [1, 4]])])
        return largest_entry(model.forest())

    assert entry(1.0) == pytest.approx(2.0, rel=EXACT)
    assert entry(1e6) == pytest.approx(2.0, rel=EXACT)


def test_largest_entry_is_infinite_with_zeros():
    assert largest_entry(gh.GHM(states=2, branching=(2,), tables=[np.eye(2)]).forest()) == math.inf
