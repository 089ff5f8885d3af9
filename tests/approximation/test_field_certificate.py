"""Certificates of fields: closed forms, checks against a network, files."""

from __future__ import annotations

import math

import pytest
import torch

from ghmpp.approximation.field_certificate import FieldCertificate
from ghmpp.errors import CertificateError, FormatError
from tests.approximation.spins import ENGINES, program


def test_the_bound_of_mean_field_is_the_geometric_sum():
    network = program(ENGINES["naive"]).network("relu", width=64, dtype="float64")
    zeta = next(each.own for each in network.certificate.budgets if each.net)
    # The last tanh is read off exactly, and its field is a linear map of eleven rounds.
    total = sum(0.6**k for k in range(1, 12)) * zeta * math.sqrt(8)

    assert network.certificate.bound == pytest.approx(total, rel=1e-6)
    assert network.certificate.arithmetic == "exact"


def test_certificates_are_checked_against_the_numbers_that_a_network_holds():
    network = program(ENGINES["self"]).network("relu", width=32)
    certificate = network.certificate

    assert certificate.check(network).verdict == "holds"
    assert "tanh at x" in repr(certificate)
    with torch.no_grad():
        network.fields.local["tanh"].values[3] += 0.1
    check = certificate.check(network)
    assert check.verdict == "bound broken"
    assert [each.name for each in check.weights] == ["tanh.values"]
    with pytest.raises(CertificateError, match="expected a network of fields"):
        certificate.check(program(ENGINES["self"]).network())


def test_other_couplings_break_it():
    network = program(ENGINES["naive"]).network("relu", width=32, dtype="float64")
    key = next(iter(network.fields.couplings))
    with torch.no_grad():
        network.fields.couplings[key].add_(0.01)

    assert network.certificate.check(network).verdict == "bound broken"


@pytest.mark.parametrize("span", [math.inf, 50.0])
def test_certificates_come_back_from_files(tmp_path, span):
    network = program(ENGINES["self"]).network("relu", width=32, evidence_span=span)
    path = tmp_path / "certificate.json"
    network.certificate.save(path)

    assert FieldCertificate.load(path) == network.certificate
    path.write_text(path.read_text().replace('"budgets"', '"other"'))
    with pytest.raises(FormatError, match="is broken"):
        FieldCertificate.load(path)
