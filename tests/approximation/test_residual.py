"""Weights of residual networks, and certificates that are read off them."""

from __future__ import annotations

import numpy as np
import pytest

from ghmpp.approximation.curves import curve
from ghmpp.approximation.knots import widest
from ghmpp.approximation.residual import certify_residual, residual_weights
from ghmpp.errors import CertificateError
from tests.tolerances import EXACT

NET = widest(curve("tanh"), 16)
FIELD = np.array([0.3, -0.1, 0.0])


def weights(norm=0.5):
    """Of three spins."""
    matrix = np.array([[0.0, 1.0, -2.0], [1.0, 0.0, 0.5], [-2.0, 0.5, 0.0]])
    matrix *= norm / np.linalg.norm(matrix, 2)
    return matrix, residual_weights(matrix, 1.7, FIELD, NET)


@pytest.mark.parametrize("layers", [0, 1, 5])
def test_layers_are_rounds_of_the_iteration(layers):
    matrix, found = weights()
    z = np.random.default_rng(0).normal(size=(50, 3)) * 3
    u = np.concatenate([z, np.ones((50, 1))], axis=1) @ found["w_in"].T
    m = np.zeros_like(z)
    for _ in range(layers):
        u = u + np.maximum(u @ found["w_2"].T, 0) @ found["w_1"].T
        m = NET(m @ matrix + 1.7 * z + FIELD)

    assert np.abs(u @ found["w_out"].T - m).max() < EXACT


def test_the_bound_is_the_formula():
    _, found = weights(0.5)
    certificate = certify_residual(found, 4)
    zeta = certificate.net_error

    assert certificate.contraction == pytest.approx(0.5, rel=EXACT)
    assert certificate.start == pytest.approx(0.5**4 * 3**0.5, rel=EXACT)
    assert certificate.nets == pytest.approx(zeta * 3**0.5 * (1 - 0.5**4) / 0.5, rel=EXACT)
    assert (certificate.spins, certificate.knots, certificate.layers) == (3, 16, 4)
    assert "from nets of tanh" in repr(certificate)


def test_other_knots_are_noticed():
    _, found = weights()
    certificate = certify_residual(found, 4)
    found["w_2"][: 3 * 16, -1] -= 0.01
    check = certificate.compared(certify_residual(found, 4))

    assert check.verdict == "bound broken"
    assert [each.name for each in check.weights] == ["w_2"]


@pytest.mark.parametrize("name", ["w_in", "w_1", "w_2", "w_out"])
def test_weights_of_something_else_are_refused(name):
    _, found = weights()
    found[name][-1, 0] += 0.5

    with pytest.raises(CertificateError, match=f"{name} is not that of an iteration"):
        certify_residual(found, 4)


def test_weights_of_other_shapes_are_refused():
    _, found = weights()

    with pytest.raises(CertificateError, match="weights for 3 spins have other shapes"):
        certify_residual(found | {"w_2": found["w_2"][1:]}, 4)


def test_no_certificate_without_contraction():
    _, found = weights(1.01)

    with pytest.raises(CertificateError, match=r"norm of A - K is 1\.01"):
        certify_residual(found, 4)
