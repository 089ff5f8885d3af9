import numpy as np
import pytest
import torch

import ghmpp as gh
from ghmpp.backends.families.norms import operator_norms, project
from ghmpp.errors import QueryError
from tests.backends.families.nets import mixed
from tests.tolerances import EXACT


def network(family="trainable", **options):
    program = gh.compile(mixed(), gh.mean("x2"), gh.noisy("x2", sigma=1.0))
    return program.network(family, dtype="float64", **options)


def test_norms_are_the_largest_singular_values_of_each_matrix():
    found = network(width=8)
    norms = operator_norms(found)

    assert list(norms) == ["collect.x2", "collect.x1", "distribute.x1", "distribute.x2"]
    nets = found.distribute["x2"].free
    for matrices, norm in zip(nets.parameters(), norms["distribute.x2"], strict=True):
        singular = [np.linalg.svd(each.detach().numpy())[1].max() for each in matrices]
        assert norm == pytest.approx(max(singular), rel=EXACT)


def test_compiled_networks_have_norms_too():
    """Those of the same network with free weights."""
    compiled = operator_norms(network("relu", delta=0.1))
    free = operator_norms(network("trainable", init="relu", delta=0.1))

    for name, norms in compiled.items():
        np.testing.assert_allclose(norms, free[name], rtol=1e-9)


def test_projection_changes_only_what_is_too_large():
    found = network(width=8)
    before = {name: p.detach().clone() for name, p in found.named_parameters()}
    project(found, 1.5)

    for name, parameter in found.named_parameters():
        if ".free." not in name:
            assert (parameter == before[name]).all()
            continue
        for old, new in zip(before[name], parameter.detach(), strict=True):
            left, values, right = np.linalg.svd(old.numpy(), full_matrices=False)
            np.testing.assert_allclose(new, left * np.minimum(values, 1.5) @ right, atol=1e-12)
    assert max(max(norms) for norms in operator_norms(found).values()) <= 1.5 + EXACT


def test_projection_leaves_gradients_alone():
    found = network(width=8)
    project(found, 1.5)
    found(torch.randn(3, 6, dtype=torch.float64)).sum().backward()

    assert found.collect["x1"].free.first.grad.abs().max() > 0


@pytest.mark.parametrize("bound", [0.0, -1.0, float("nan")])
def test_bounds_are_positive(bound):
    with pytest.raises(QueryError, match="project: the bound must be > 0"):
        project(network(width=8), bound)


def test_nets_with_proofs_are_not_projected():
    with pytest.raises(QueryError, match="'trainable'; this network is 'relu'"):
        project(network("relu", delta=0.1), 1.0)
