"""Weights from wherever they are: mappings, networks, and files of three kinds."""

from __future__ import annotations

import sys

import numpy as np
import onnx
import pytest
import safetensors.numpy
import torch
from onnx import TensorProto, helper, numpy_helper

import ghmpp as gh
from ghmpp.approximation.stored import read_weights
from ghmpp.errors import CertificateError, FormatError, MissingDependencyError

ARRAYS = {"a": np.arange(6.0).reshape(2, 3), "b.c": np.float32([1, 2])}


class Stateful:
    def state_dict(self):
        return {name: torch.tensor(array) for name, array in ARRAYS.items()}


def assert_same(found):
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


@pytest.fixture(params=["arrays", "tensors", "network", "safetensors", "folder", "onnx"])
def source(request, tmp_path):
    """The same arrays in each of the forms."""
    if request.param == "arrays":
        return ARRAYS
    if request.param == "tensors":
        return Stateful().state_dict()
    if request.param == "network":
        return Stateful()
    if request.param == "onnx":
        path = tmp_path / "net.onnx"
        made = [numpy_helper.from_array(array, name) for name, array in ARRAYS.items()]
        value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
        graph = helper.make_graph([], "g", [value], [value], made)
        onnx.save(helper.make_model(graph), path)
        return path
    path = tmp_path / "net.safetensors"
    safetensors.numpy.save_file(ARRAYS, path)
    return str(path) if request.param == "safetensors" else tmp_path


def test_arrays_come_out_as_they_are(source):
    assert_same(read_weights(source))


def test_tensors_that_numpy_does_not_know_become_wider():
    found = read_weights({"a": torch.tensor([1.5, 2.0], dtype=torch.bfloat16)})

    np.testing.assert_array_equal(found["a"], [1.5, 2.0])


@pytest.mark.parametrize("weights", [3, [1.0], None])
def test_what_has_no_names_is_refused(weights):
    with pytest.raises(CertificateError, match=r"expected arrays by name, a network, or the path"):
        read_weights(weights)


def test_what_holds_no_numbers_is_refused():
    with pytest.raises(CertificateError, match="'a' must hold numbers"):
        read_weights({"a": np.array(["x"])})


@pytest.mark.parametrize("name", ["net.safetensors", "net.onnx"])
def test_missing_and_broken_files_are_refused(tmp_path, name):
    with pytest.raises(FormatError, match="no such file"):
        read_weights(tmp_path / name)
    (tmp_path / name).write_bytes(b"no weights at all")
    with pytest.raises(FormatError, match="is broken"):
        read_weights(tmp_path / name)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(FormatError, match=r"expected a \.safetensors file, a \.onnx file or"):
        read_weights(tmp_path / "net.pt")


@pytest.mark.parametrize("names", [(), ("a", "b")])
def test_folders_need_one_file(tmp_path, names):
    for name in names:
        safetensors.numpy.save_file(ARRAYS, tmp_path / f"{name}.safetensors")

    with pytest.raises(FormatError, match=r"expected one \.safetensors file .* found"):
        read_weights(tmp_path)


@pytest.mark.parametrize(
    ("name", "package"), [("n.safetensors", "safetensors"), ("n.onnx", "onnx")]
)
def test_missing_packages_are_named(tmp_path, monkeypatch, name, package):
    (tmp_path / name).write_bytes(b"")
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(MissingDependencyError, match=rf"package {package}; .*ghmpp\[export\]"):
        read_weights(tmp_path / name)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_networks_and_their_files_hold_what_they_certify(tmp_path, dtype):
    model = gh.GHM(
        states=(2, 3, 2),
        branching=(2, 2),
        tables=[np.ones((2, 3)) + np.eye(2, 3), np.ones((3, 2)) + np.eye(3, 2)],
        state_values=[0.0, 1.0],
        prior=[0.3, 0.7],
    )
    program = gh.compile(model, gh.mean("x2"), gh.noisy("x2", sigma=1.0))
    network = program.network("relu", dtype=dtype, delta=0.05)
    certificate, state = network.certificate, network.state_dict()
    path = tmp_path / "net.safetensors"
    safetensors.numpy.save_file({name: each.numpy() for name, each in state.items()}, path)

    for weights in (network, state, path):
        assert certificate.check(weights, model).verdict == "holds"
    changed = {name: each.clone() for name, each in state.items()}
    changed["collect.x2.exp_log.exp_slopes"][0, 1] *= 1.01
    assert certificate.check(changed, model).verdict != "holds"
    with torch.no_grad():
        network.potentials["x0"][0, 0] *= 1.5
    assert not certificate.check(network, model)
