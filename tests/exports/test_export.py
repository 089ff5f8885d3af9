"""Exporting: what is written, what is refused, and that every file says how good it is."""

from __future__ import annotations

import json
import sys

import numpy as np
import onnx
import pytest
import torch
from safetensors import safe_open

import ghmpp as gh
from ghmpp.backends.network import Network
from ghmpp.errors import (
    ConversionError,
    FolderExistsError,
    FormatError,
    MissingDependencyError,
    MissingFolderError,
    ParityError,
    QueryError,
)
from ghmpp.exports import formats
from ghmpp.models.channels import Given
from tests.exports.small import Z, model, program
from tests.tolerances import EXACT


def network(given: object = "symbol") -> Network:
    return gh.compile(model(), gh.posterior("digit"), given=given).network()


def test_every_file_is_as_good_as_it_should_be(exported):
    assert exported.passed
    assert {row.format for row in exported.rows} == {"json", "onnx", "mermaid", "dot", "latex"}
    assert "FAILED" not in str(exported)
    assert str(exported.folder) in exported._repr_html_()


def test_the_record_lists_every_file_and_every_input(exported):
    spec = json.loads((exported.folder / "spec.json").read_text())

    listed = {record["name"] for record in spec["files"]} | {"spec.json"}
    assert listed == {each.name for each in exported.folder.iterdir()}
    assert [(port["name"], port["shape"]) for port in spec["inputs"]] == [
        ("pixel", ["batch", 2]),
        ("symbol", ["batch", 1]),
        ("sigma", []),
        ("scale", []),
    ]
    assert spec["outputs"] == ["posterior(digit)", "mean(pixel)", "log_evidence"]


def test_files_say_how_good_they_are(exported):
    with safe_open(exported.folder / "weights.safetensors", framework="np") as file:
        weights = file.metadata()
    model = onnx.load(exported.folder / "network.onnx")
    file = {entry.key: entry.value for entry in model.metadata_props}

    assert float(weights["ghmpp.parity.error"]) == 0.0
    assert 0.0 <= float(file["ghmpp.parity.error"]) <= EXACT
    assert file["ghmpp.parity.where"]
    assert file["ghmpp.given"] == "pixel Gaussian(sigma=0.7, scale=1.0), symbol states"


def test_files_name_no_place_of_this_machine(exported):
    for each in exported.folder.iterdir():
        content = each.read_bytes()
        assert b"site-packages" not in content
        assert str(exported.folder.parent).encode() not in content


def test_pictures_are_text(exported):
    assert (exported.folder / "schedule.mmd").read_text().startswith("flowchart TD")
    assert (exported.folder / "schedule.dot").read_text().startswith("digraph")
    text = (exported.folder / "schedule.tex").read_text()
    assert r"\mathrm{softmax}" in text
    assert text.rstrip().endswith(r"\end{document}")


@pytest.mark.slow
def test_a_drawing(tmp_path):
    gh.export(network(), tmp_path / "out", "svg")

    assert "<svg" in (tmp_path / "out" / "schedule.svg").read_text()


class TestFolders:
    def test_content_is_not_replaced_unless_asked(self, tmp_path):
        gh.export(network(), tmp_path / "out", "mermaid")

        with pytest.raises(FolderExistsError, match=r"not empty; pass overwrite=True"):
            gh.export(network(), tmp_path / "out", "mermaid")
        gh.export(network(), tmp_path / "out", "dot", overwrite=True)

        assert {each.name for each in (tmp_path / "out").iterdir()} == {"spec.json", "schedule.dot"}

    def test_an_empty_folder_is_taken(self, tmp_path):
        assert gh.export(network(), tmp_path, "mermaid").passed

    def test_what_is_no_export_is_never_replaced(self, tmp_path):
        (tmp_path / "thesis.txt").write_text("years of work")

        with pytest.raises(FolderExistsError, match="no export, which is never replaced"):
            gh.export(network(), tmp_path, "mermaid", overwrite=True)

    def test_foreign_files_in_an_export_keep_it(self, tmp_path):
        gh.export(network(), tmp_path / "out", "mermaid")
        (tmp_path / "out" / "notes.txt").write_text("mine")

        with pytest.raises(FolderExistsError, match=r"'notes\.txt', which is not of the export"):
            gh.export(network(), tmp_path / "out", "mermaid", overwrite=True)

    def test_a_failure_leaves_nothing(self, tmp_path):
        with pytest.raises(FormatError):
            gh.export(network(), tmp_path / "out", ("mermaid", "onnx"), opset=17)

        assert list(tmp_path.iterdir()) == []

    def test_the_folder_above_must_exist(self, tmp_path):
        with pytest.raises(MissingFolderError, match="mkdir -p"):
            gh.export(network(), tmp_path / "missing" / "out", "mermaid")

    def test_a_file_in_its_place(self, tmp_path):
        (tmp_path / "out").write_text("")

        with pytest.raises(NotADirectoryError, match="is a file; name a folder"):
            gh.export(network(), tmp_path / "out", "mermaid")


class TestRefusals:
    def test_unknown_formats(self, tmp_path):
        with pytest.raises(FormatError, match=r"unknown format 'tflite'; known: json, onnx, conv"):
            gh.export(network(), tmp_path / "out", ("json", "tflite"))

    def test_no_format(self, tmp_path):
        with pytest.raises(FormatError, match="no format was asked for; known: json"):
            gh.export(network(), tmp_path / "out", ())

    @pytest.mark.parametrize("opset", [17, 10_000, "20", True])
    def test_opsets_out_of_range(self, tmp_path, opset):
        with pytest.raises(FormatError, match="opset must be 18 to"):
            gh.export(network(), tmp_path / "out", "onnx", opset=opset)

    def test_what_is_no_network(self, tmp_path):
        with pytest.raises(ConversionError, match=r"got a Program; .* program\.network\(\)"):
            gh.export(program(), tmp_path / "out")

    def test_networks_that_are_given_nothing_have_no_program(self, tmp_path):
        with pytest.raises(QueryError, match="given nothing"):
            gh.export(network(()), tmp_path / "out", "onnx")

    def test_convolutions_in_float64(self, tmp_path):
        with pytest.raises(QueryError, match=r"no convolutions in float64; .* dtype='float32'"):
            gh.export(network(), tmp_path / "out", "convolutions")

    @pytest.mark.parametrize("format", ["json", "onnx"])
    def test_channels_that_are_functions(self, tmp_path, format):
        laplace = gh.LogLikelihood(lambda values, z: -abs(z[..., None] - values))
        given = Given("pixel", laplace)

        with pytest.raises((FormatError, QueryError), match="Python function, which no file"):
            gh.export(network(given), tmp_path / "out", format)

    def test_networks_of_an_unknown_model(self, tmp_path):
        bare = Network(program().schedule, given=program().given)

        with pytest.raises(FormatError, match=r"needs the model, which only .* leave 'json' out"):
            gh.export(bare, tmp_path / "out", "json")

    @pytest.mark.parametrize(("format", "package"), [("json", "safetensors"), ("onnx", "onnx")])
    def test_missing_packages_are_named_with_the_cure(self, tmp_path, monkeypatch, format, package):
        for name in [each for each in sys.modules if each.partition(".")[0] == package]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, package, None)

        with pytest.raises(MissingDependencyError, match=r'pip install "ghmpp\[export\]"'):
            gh.export(network(), tmp_path / "out", format)


class TestParity:
    @pytest.fixture
    def wrong(self, monkeypatch):
        """Networks that are read back give answers that are off by a thousandth."""
        right = formats.network_runner

        def shifted(network):
            return lambda *call: [answer + 1e-3 for answer in right(network)(*call)]

        monkeypatch.setattr(formats, "network_runner", shifted)

    def test_files_that_disagree_are_refused(self, tmp_path, wrong):
        with pytest.raises(ParityError, match=r"weights.safetensors differs .* by 1.0e-03 at post"):
            gh.export(network(), tmp_path / "out", "json")

        assert list(tmp_path.iterdir()) == []

    def test_or_written_and_marked(self, tmp_path, wrong):
        report = gh.export(network(), tmp_path / "out", "json", check=False)

        assert not report.passed
        assert "FAILED in 1 of 3 files" in str(report)
        spec = json.loads((tmp_path / "out" / "spec.json").read_text())
        np.testing.assert_allclose(spec["files"][-1]["error"], 1e-3)


@pytest.mark.slow
def test_a_program_of_torch(tmp_path):
    gh.export(program().network(), tmp_path / "out", "pt2")

    files = {"ghmpp.json": ""}
    loaded = torch.export.load(tmp_path / "out" / "network.pt2", extra_files=files)
    z, symbols = torch.tensor(Z), torch.tensor([[1]] * 5)
    sigma, scale = torch.tensor(0.3), torch.tensor(1.0)
    found = loaded.module()(z, symbols, sigma.double(), scale.double())
    for a, b in zip(found, program().network()(z, symbols, sigma=float(sigma)), strict=True):
        torch.testing.assert_close(a, b, rtol=EXACT, atol=EXACT)
    assert float(json.loads(files["ghmpp.json"])["ghmpp.parity.error"]) <= EXACT


@pytest.mark.slow
def test_a_package_compiled_for_this_machine(tmp_path):
    report = gh.export(network(), tmp_path / "out", "aoti")

    assert report.passed
    assert "only" in report.rows[0].note
