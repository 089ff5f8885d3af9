"""Networks come back bit for bit, and files that are broken or of others are refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

import ghmpp as gh
from ghmpp.errors import FormatError
from tests.exports.small import Z, model, program


@pytest.fixture
def copied(exported, tmp_path):
    """The exported folder, to be spoilt."""
    return shutil.copytree(exported.folder, tmp_path / "copy")


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_network_comes_back_bit_for_bit(exported):
    found, expected = gh.load(exported.folder), program().network()

    assert found.given == expected.given
    assert found.answers == expected.answers
    assert found.schedule.ops == expected.schedule.ops
    assert found.state_dict().keys() == expected.state_dict().keys()
    for name, tensor in expected.state_dict().items():
        assert torch.equal(found.state_dict()[name], tensor)
    symbols = torch.tensor([[1]] * 5)
    for a, b in zip(found(Z, symbols), expected(Z, symbols), strict=True):
        assert torch.equal(a, b)


def test_a_network_that_has_learned_comes_back_with_what_it_learned(tmp_path):
    network = gh.compile(model(), gh.posterior("digit"), given="symbol").network(dtype="float32")
    with torch.no_grad():
        network.potentials["digit->symbol"].mul_(torch.rand(1, 2, 4))
    gh.export(network, tmp_path / "out", "json")

    found = gh.load(tmp_path / "out")

    assert found.dtype == torch.float32
    for name, tensor in network.state_dict().items():
        assert torch.equal(found.state_dict()[name], tensor)


def test_a_network_that_was_cast_comes_back_as_it_is(tmp_path):
    network = gh.compile(model(), gh.posterior("digit"), given="symbol").network().float()
    gh.export(network, tmp_path / "out", "json")

    assert gh.load(tmp_path / "out").dtype == torch.float32


def test_what_is_shared_is_stored_once_and_stays_shared(tmp_path):
    chain = gh.Model("chain")
    steps = chain.chain("step", 5, 2, potential=[[0.9, 0.1], [0.2, 0.8]], prior=[0.5, 0.5])
    steps.children("seen", 1, 2, potential=[[0.7, 0.3], [0.4, 0.6]])
    network = gh.compile(chain, gh.posterior("step"), given="seen").network()
    gh.export(network, tmp_path / "out", "json")

    assert load_file(tmp_path / "out" / "weights.safetensors").keys() == {
        "potentials.step",
        "potentials.step->step",
        "potentials.step->seen",
    }
    found = gh.load(tmp_path / "out")
    before = found(torch.tensor([[0, 1, 0, 1, 0]]))
    with torch.no_grad():
        found.potentials["step->step"].copy_(torch.tensor([[[0.5, 0.5], [0.5, 0.5]]]))
    assert not torch.equal(found(torch.tensor([[0, 1, 0, 1, 0]])), before)


def test_simplified_programs_come_back(tmp_path):
    program = gh.compile(model(), gh.posterior("digit"), given="pixel", simplify=True)
    gh.export(program.network(), tmp_path / "out", "json")

    seen = torch.tensor([[0, 2]])
    assert torch.equal(gh.load(tmp_path / "out")(seen), program.network()(seen))


def test_models_are_loaded_without_torch(tmp_path):
    model().save(tmp_path / "small.json")
    code = "import sys, ghmpp; ghmpp.load(sys.argv[1]); assert 'torch' not in sys.modules"

    subprocess.run([sys.executable, "-c", code, tmp_path / "small.json"], check=True)


class TestBadFiles:
    def test_a_folder_of_something_else(self, tmp_path):
        with pytest.raises(FormatError, match=r"spec\.json: cannot be read .* is a folder with it"):
            gh.load(tmp_path)

    def test_a_record_of_something_else(self, copied):
        (copied / "spec.json").write_text('{"format": "other"}')

        with pytest.raises(FormatError, match="is not a network of ghmpp"):
            gh.load(copied)

    def test_a_record_that_is_no_json(self, copied):
        (copied / "spec.json").write_text("{")

        with pytest.raises(FormatError, match=r"spec\.json: is not JSON"):
            gh.load(copied / "spec.json")

    def test_a_newer_version(self, copied):
        edit(copied / "spec.json", version=2)

        with pytest.raises(FormatError, match="has version 2, but this ghmpp reads version 1"):
            gh.load(copied)

    @pytest.mark.parametrize("program", [{}, {"queries": [{"sort": 1}]}, 7])
    def test_a_broken_record(self, copied, program):
        edit(copied / "spec.json", program=program)

        with pytest.raises(FormatError, match=r"spec\.json: is broken"):
            gh.load(copied)

    def test_unknown_options(self, copied):
        spec = json.loads((copied / "spec.json").read_text())
        spec["program"]["options"]["family"] = "quantum"
        edit(copied / "spec.json", **spec)

        with pytest.raises(FormatError, match=r"cannot be made again: .*'quantum'"):
            gh.load(copied)

    def test_no_weights(self, tmp_path):
        network = program().network()
        gh.export(network, tmp_path / "out", "mermaid")

        with pytest.raises(FormatError, match="was exported without weights; export with 'json'"):
            gh.load(tmp_path / "out")

    def test_another_schedule(self, copied):
        edit(copied / "spec.json", schedule="0" * 64)

        with pytest.raises(FormatError, match="compiles to another schedule"):
            gh.load(copied)

    @pytest.mark.parametrize("name", ["weights.safetensors", "model.json"])
    def test_changed_files(self, copied, name):
        content = bytearray((copied / name).read_bytes())
        content[-3] ^= 1
        (copied / name).write_bytes(content)

        with pytest.raises(FormatError, match=f"{name}: is not the file that was exported"):
            gh.load(copied)

    def test_weights_of_something_else(self, copied):
        save_file({"a": torch.zeros(2)}, copied / "weights.safetensors")

        with pytest.raises(FormatError, match="not a network's weights; expected metadata"):
            gh.verify_export(copied)

    def test_weights_that_do_not_fit(self, copied):
        metadata = {"format": "ghmpp-weights"}
        tensors = load_file(copied / "weights.safetensors")
        wrong = {**tensors, "potentials.digit": tensors["potentials.digit"].float()}
        for changed, found in (
            (wrong, r"must be torch.float64 of shape \(1, 2\), got torch.float32"),
            ({}, "has no 'potentials.digit', which the network needs"),
            ({**tensors, "more": torch.zeros(1)}, "has 'more', which the network lacks"),
        ):
            save_file(changed, copied / "weights.safetensors", metadata)
            with pytest.raises(FormatError, match=found):
                gh.verify_export(copied)

    def test_weights_cut_off(self, copied):
        content = (copied / "weights.safetensors").read_bytes()
        (copied / "weights.safetensors").write_bytes(content[:50])

        with pytest.raises(FormatError, match=r"weights\.safetensors: is broken"):
            gh.verify_export(copied)
