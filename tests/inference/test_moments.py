import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ghmpp as gh
from ghmpp.errors import QueryError
from ghmpp.inference import moments
from ghmpp.inference.moments import value_moments
from tests.tolerances import ENUMERATION


def brute_force(tables, prior, order):
    """Moments of the values 0, 1, ... of two classes from the joint weights, by einsum."""
    first, second = tables
    joint = np.einsum("a,ab,ac,bd,be,cf,cg->bcdefg", prior, *first, *second, *second)
    joint = joint / joint.sum()
    values = np.indices(joint.shape).reshape(6, -1).astype(float)
    values = np.concatenate([values[:2], values[2:][np.argsort(order)]])
    mean = values @ joint.ravel()
    return mean, (values * joint.ravel()) @ values.T - np.outer(mean, mean)


@settings(max_examples=5)
@given(st.integers(0, 1000))
def test_moments_are_those_of_the_joint_distribution(seed):
    rng = np.random.default_rng(seed)
    tables = rng.uniform(0.1, 1, (2, 2, 3)), rng.uniform(0.1, 1, (2, 3, 2))
    prior, order = rng.uniform(0.1, 1, 2), rng.permutation(4)
    model = gh.GHM((2, range(3), range(2)), (2, 2), tables, prior=prior, order=order)

    mean, covariance = value_moments(model, ["x1", "x2"])

    expected = brute_force(tables, prior, order)
    assert mean == pytest.approx(expected[0], abs=ENUMERATION)
    assert covariance == pytest.approx(expected[1], abs=ENUMERATION)


def test_many_nodes_are_done_in_parts(monkeypatch):
    model = gh.zoo.random_ghm((2, 2, range(2)), (2, 2), bound=3)
    whole = value_moments(model, ["x2"])

    monkeypatch.setattr(moments, "ENTRIES", 1)
    parts = value_moments(model, ["x2"])

    assert parts[1] == pytest.approx(whole[1], abs=ENUMERATION)


def test_values_that_cannot_occur_do_no_harm():
    model = gh.GHM((2, range(3)), (2,), [[[1.0, 0, 1], [0.5, 0, 1]]])

    assert np.isfinite(value_moments(model, ["x1"])[1]).all()


def test_unknown_classes_and_states_without_values_are_refused():
    model = gh.zoo.broadcast(1, 0.1)
    with pytest.raises(QueryError, match="unknown class 'y'"):
        value_moments(model, ["y"])
    with pytest.raises(QueryError, match="no numeric values"):
        value_moments(model, ["x1"])
