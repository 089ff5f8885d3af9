"""The step on trust: a branch is a marginal of the whole tree, and a wrong one is found out."""

from __future__ import annotations

import numpy as np
import pytest

from ghmpp.demo.checked import against_enumeration, branch, engines
from ghmpp.examples import digits
from ghmpp.verification.enumeration import configurations
from ghmpp.verification.report import Check, Report
from tests.tolerances import ENUMERATION


@pytest.fixture(scope="module")
def model():
    return digits()


def test_branch_is_small_and_normalised(model):
    small = branch(model)

    assert configurations(small.forest()) == 10 * 64 * 32 * 2**2
    assert small.log_partition() == pytest.approx(0, abs=ENUMERATION)


def test_whole_tree_agrees_with_the_sum_over_its_branch(model):
    assert against_enumeration(model, branch(model)) < ENUMERATION


def test_branch_of_another_model_is_found_out(model):
    tables = model.forest().data["quadrant->block"]
    other = model.with_tables({"quadrant->block": np.roll(tables, 1, axis=0)})

    assert against_enumeration(other, branch(model)) > 1e-3


def test_table_has_the_worst_deviation_of_each_engine():
    checks = [
        Check(engine, quantity, worst, "", 1e-9, 0.0, "")
        for engine, quantity, worst in (("a", "x", 1e-15), ("a", "y", 3e-12), ("b", "x", 0.0))
    ]

    assert engines(Report("", tuple(checks))).rows == [["a", "2", "3e-12"], ["b", "1", "0e+00"]]
