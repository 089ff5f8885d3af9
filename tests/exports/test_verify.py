"""Verification from the files alone."""

from __future__ import annotations

import json
import shutil

import pytest
from safetensors.torch import load_file, save_file

import ghmpp as gh
from ghmpp.errors import FormatError
from tests.exports.small import program


@pytest.fixture
def copied(exported, tmp_path):
    """The exported folder, to be spoilt."""
    return shutil.copytree(exported.folder, tmp_path / "copy")


def failures(report) -> dict[str, str]:
    return {row.name: row.note for row in report.rows if not row.passed}


def test_what_was_exported_passes(exported):
    report = gh.verify_export(exported.folder)

    assert report.passed
    assert {row.name for row in report.rows if row.error is not None} == {"network.onnx"}


def test_changed_weights_are_found_and_so_is_what_no_longer_agrees(copied):
    tensors = load_file(copied / "weights.safetensors")
    tensors["potentials.digit->pixel"][0, 0, 0] *= 1.01
    save_file(tensors, copied / "weights.safetensors", {"format": "ghmpp-weights"})

    found = failures(gh.verify_export(copied))

    assert found.keys() == {"weights.safetensors", "network.onnx"}
    assert "is not the file that was exported" in found["weights.safetensors"]


def test_files_that_are_broken_or_missing_are_found(copied):
    (copied / "network.onnx").write_bytes(b"no model")
    (copied / "schedule.mmd").unlink()

    found = failures(gh.verify_export(copied))

    assert found.keys() == {"network.onnx", "schedule.mmd"}
    assert "onnxruntime cannot read" in found["network.onnx"]


@pytest.mark.slow
def test_a_file_of_another_network_is_found(copied, tmp_path):
    other = gh.GHM(states=2, branching=(2, 3), tables=[[[2, 1], [1, 2]]] * 2)
    network = gh.compile(other, gh.posterior("x0"), ["x2", "x1"]).network()
    gh.export(network, tmp_path / "other", ("onnx",))
    shutil.copy(tmp_path / "other" / "network.onnx", copied / "network.onnx")

    found = failures(gh.verify_export(copied))

    assert found.keys() == {"network.onnx"}
    assert "does not run as its network does" in found["network.onnx"]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (lambda files: [], r"does not list 'weights\.safetensors'"),
        (lambda files: [{**files[0], "name": "/etc/passwd"}], "must lie in the folder itself"),
        (lambda files: [{**files[0], "name": 3}], "must lie in the folder itself"),
    ],
)
def test_records_that_leave_files_out_or_name_others_are_refused(copied, files, words):
    spec = json.loads((copied / "spec.json").read_text())
    (copied / "spec.json").write_text(json.dumps({**spec, "files": files(spec["files"])}))

    with pytest.raises(FormatError, match=words):
        gh.verify_export(copied)


def test_without_weights_there_is_nothing_to_compare_with(tmp_path):
    gh.export(program().network(), tmp_path / "out", ("mermaid", "dot"))

    assert gh.verify_export(tmp_path / "out").passed
