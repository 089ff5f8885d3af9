"""Plain networks and files of Gaussian models give what their networks give."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import ghmpp as gh
from ghmpp.backends.network import Network
from ghmpp.backends.plain.network import PlainNetwork
from ghmpp.models.channels import Given
from ghmpp.schedule.gaussian_tree import GaussianTree
from tests.gaussians import FORESTS, LABELLED, draw, everything
from tests.tolerances import EXACT


@pytest.mark.parametrize("name", FORESTS)
def test_the_plain_network_gives_what_the_network_gives(name):
    forest, seen = FORESTS[name], draw(FORESTS[name], seed=3)
    schedule = GaussianTree().build(forest, everything(forest), list(seen))
    given = tuple(
        Given(key, gh.Gaussian(rows[0].sigma, rows[0].scale)) for key, rows in seen.items()
    )
    network = Network(schedule, given=given)
    inputs = [torch.tensor(np.stack([row.z for row in rows])) for rows in seen.values()]

    found, expected = PlainNetwork(network)(*inputs), network(*inputs)

    for one, other in zip(found, expected, strict=True):
        scale = max(1.0, float(other.abs().max()))
        assert (one - other).abs().max() <= EXACT * scale


def test_localization_runs_in_plain_networks():
    asked = [gh.variance("x2"), gh.log_evidence(), gh.posterior("label")]
    network = gh.compile(LABELLED, asked, gh.localized("x2", time=0.0)).network()
    z = torch.tensor([[0.5, np.nan, -1.0, 2.0]], dtype=torch.float64)

    for one, other in zip(PlainNetwork(network)(z), network(z), strict=True):
        assert (one - other).abs().max() <= EXACT


@pytest.mark.slow
def test_exported_files_agree_with_the_network(tmp_path):
    asked = [gh.mean("x2"), gh.variance("x0"), gh.posterior("label"), gh.log_evidence()]
    network = gh.compile(LABELLED, asked, ["label", gh.noisy("x2", sigma=0.5)]).network()

    report = gh.export(network, tmp_path / "out", formats=("onnx", "pt2"))

    assert report.passed
    assert all(row.error is not None and row.error <= EXACT for row in report.rows)
