"""Strong invertibility, as measured: constants in closed form, and hard examples refused."""

from __future__ import annotations

import numpy as np
import pytest

import ghmpp as gh
from ghmpp.errors import ModelError, ResourceError
from ghmpp.models.latent_check import measure
from tests.models.generators import BENT, linear, residual
from tests.tolerances import EXACT, SEARCH


def folded():
    """``z^2`` but for a constant, near 0: the derivative changes its sign."""
    return [
        ([[1.0], [1.0]], [1.0, -1.0], "softplus"),
        ([[1.0, 1.0]], [0.0], None, [[-1.0]]),
    ]


def test_constants_of_a_linear_generator_are_its_singular_values():
    found = gh.LatentGaussian(linear(), 0.2).invertibility

    assert found.smallest == pytest.approx(1, abs=EXACT)
    assert found.largest == pytest.approx(2, abs=EXACT)
    assert found.curvature == pytest.approx(4, rel=SEARCH)
    assert found.condition == pytest.approx(2, abs=EXACT)


def test_constants_of_a_curve_bound_its_slope():
    model = gh.LatentGaussian(BENT, 0.5)
    slopes = model.generator.jacobian(np.linspace(-6, 6, 5001)[:, None]).ravel()
    found = model.invertibility

    assert slopes.min() - EXACT <= found.smallest < 1.05 * slopes.min()
    assert 0.95 * slopes.max() < found.largest <= slopes.max() + EXACT
    assert found.curvature >= found.largest**2 * 0.95


def test_report_says_what_was_measured():
    text = repr(gh.LatentGaussian(residual(), 0.3).check(64, seed=2))

    assert "3 -> 3 dimensions, on 64 samples" in text
    assert "accepted: yes" in text


def test_map_into_more_dimensions_is_refused():
    with pytest.raises(ModelError, match=r"maps 2 to 3 dimensions.*Theorem 2 of arXiv:2107.04652"):
        gh.LatentGaussian([(np.eye(3, 2), None)], 0.1)


def test_map_that_folds_is_refused():
    with pytest.raises(ModelError, match="determinant of its Jacobian is positive at some"):
        gh.LatentGaussian(folded(), 0.1)


def test_singular_map_is_refused_with_the_measured_ratio():
    with pytest.raises(ModelError, match=r"smallest singular value is m = .* largest M = 2 on 50"):
        gh.LatentGaussian([(np.diag([2.0, 1e-6]), None)], 0.1, samples=50)


def test_smooth_circuit_of_signs_is_refused():
    """The hard generators of Theorem 2 are circuits of the signs of z."""
    steep = [(50 * np.eye(3), None, "tanh"), (np.eye(3)[[1, 2, 0]], None)]

    with pytest.raises(ModelError, match="exponentially large"):
        gh.LatentGaussian(steep, 0.1)


def test_distances_of_pairs_lie_between_the_singular_values():
    found = gh.LatentGaussian(linear(), 0.2).check(samples=2, seed=5)

    assert 1 - EXACT <= found.smallest <= found.largest <= 2 + EXACT


def test_tolerance_is_the_users():
    nearly = [(np.diag([1.0, 1e-4]), None)]

    with pytest.raises(ModelError, match=r"not above the tolerance 0\.001"):
        gh.LatentGaussian(nearly, 0.1)
    assert gh.LatentGaussian(nearly, 0.1, tolerance=1e-5).invertibility.reason == ""


@pytest.mark.parametrize("samples", [1, 2.5, True])
def test_one_sample_is_refused(samples):
    with pytest.raises(ModelError, match="at least 2 samples"):
        gh.LatentGaussian(linear(), 0.2).check(samples)


def test_distances_that_do_not_fit_are_refused():
    with pytest.raises(ResourceError, match=r"distances of 10,000,000 samples need .*take fewer"):
        gh.LatentGaussian(linear(), 0.2).check(10**7)


def test_weights_that_overflow_are_refused():
    with np.errstate(over="ignore", invalid="ignore"), pytest.raises(ModelError, match="infinity"):
        gh.LatentGaussian([([[1e300]], None), ([[1e300]], None)], 0.1)


class Wound:
    """A plane wound up around 0: no derivative is singular, but turns come to lie together."""

    inputs = outputs = 2

    def __call__(self, z):
        found = np.exp(z[..., 0] / 2 + 3j * z[..., 1])
        return np.stack([found.real, found.imag], -1)

    def jacobian(self, z):
        x = self(z)
        return np.stack([x / 2, 3 * np.stack([-x[..., 1], x[..., 0]], -1)], -1)

    def gradient(self, z, x):
        return ((self(z) - x)[..., None, :] @ self.jacobian(z))[..., 0, :]


def test_points_that_are_brought_together_are_seen_where_derivatives_are_not_singular():
    found = measure(Wound(), 0.1, 256, 0, 1e-3)
    singular = np.linalg.svd(
        Wound().jacobian(np.random.default_rng(0).standard_normal((256, 2))), compute_uv=False
    )

    assert not found.folded
    assert 0 < found.smallest < singular.min() / 2
