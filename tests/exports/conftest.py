"""One export of the small model for all tests, because tracing takes seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

import ghmpp as gh
from ghmpp.exports.report import ExportReport
from tests.exports.small import program


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> ExportReport:
    """The small model's network in float64, as what it can be made again from, and as ONNX."""
    folder: Path = tmp_path_factory.mktemp("exports") / "small"
    return gh.export(program().network(), folder, ("json", "onnx", "mermaid", "dot", "latex"))
