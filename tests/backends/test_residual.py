"""The residual network as a module: checks, training, other networks of the same sizes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ghmpp.approximation.curves import curve
from ghmpp.approximation.knots import widest
from ghmpp.approximation.residual import certify_residual, residual_weights
from ghmpp.backends.residual import ResidualNetwork
from ghmpp.errors import CertificateError

WEIGHTS = residual_weights(
    np.array([[0.0, 0.4], [0.4, 0.0]]), 1.0, np.zeros(2), widest(curve("tanh"), 8)
)


def network(**options):
    return ResidualNetwork(WEIGHTS, 5, certificate=certify_residual(WEIGHTS, 5), **options)


@pytest.mark.parametrize("tied", [True, False])
def test_copies_of_the_weights_start_alike(tied):
    z = torch.randn(7, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = network(tied=tied)

    assert torch.equal(found(z), network()(z))
    assert len(found.w_1) == (1 if tied else 5)
    assert found.certify() == found.certificate


def test_certificates_are_checked_against_the_weights():
    found = network()

    assert found.check().verdict == "holds"
    with torch.no_grad():
        found.w_2[0][: 2 * 8, -1] -= 0.01  # all knots
    assert found.check().verdict == "bound broken"
    with torch.no_grad():
        found.w_1[0][0, 0] = 0.5
    with pytest.raises(CertificateError, match="w_1 is not that of an iteration"):
        found.check()


def test_layers_that_differ_have_no_certificate():
    found = network(tied=False)
    with torch.no_grad():
        found.w_1[3][0, 0] += 1e-9

    with pytest.raises(CertificateError, match="layers have different weights"):
        found.certify()


def test_networks_without_a_certificate_have_nothing_to_check():
    with pytest.raises(CertificateError, match="made without a certificate"):
        ResidualNetwork(WEIGHTS, 5).check()


def test_weights_are_free_only_where_they_are_to_be_trained():
    assert all(part.requires_grad for part in network(trainable=True).parameters())
    assert not any(part.requires_grad for part in network().parameters())
    assert repr(network(tied=False)).startswith("ResidualNetwork(5 layers with weights of th")
