"""Exports of every family and kind of model: slow, because each is traced anew."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import load_file, save_file

import ghmpp as gh
from ghmpp.approximation.certificate import Certificate
from ghmpp.backends.network import Network
from ghmpp.models.assembly import model_of
from ghmpp.models.factors import Factor, Factors, Node
from ghmpp.models.model import Model

pytestmark = pytest.mark.slow


def levels() -> Model:
    """Two states over three over four numeric ones, with fan-outs 2 and 3."""
    rng = np.random.default_rng(0)
    model = gh.Model("levels")
    middle = model.root("top", 2).children("middle", 2, 3, potential=rng.uniform(0.2, 1, (2, 3)))
    middle.children("low", 3, range(4), potential=rng.uniform(0.2, 1, (3, 3, 4)))
    return model


def loopy() -> Model:
    """A loop, zeros, and single variables of different sizes: a junction tree."""
    rng = np.random.default_rng(1)
    sizes = {"a": 2, "b": 3, "c": 2, "d": 3, "e": 2}
    scopes = [("a", "b"), ("b", "c"), ("c", "a"), ("c", "d", "e")]
    factors = []
    for scope in scopes:
        table = rng.uniform(0.1, 1, [sizes[name] for name in scope])
        table.flat[1] = 0.0
        factors.append(Factor(scope, table))
    nodes = {name: Node(size, prior=None) for name, size in sizes.items()}
    return model_of(Factors("loopy", nodes, tuple(factors)))


def untied() -> Model:
    """An irregular tree whose variables were declared one by one."""
    rng = np.random.default_rng(2)
    edges = ["ab", "ac", "ad", "be", "bf", "cg"]
    factors = tuple(Factor(tuple(edge), rng.uniform(0.1, 1, (3, 3))) for edge in edges)
    return model_of(Factors("tree", {name: Node(3, prior=None) for name in "abcdefg"}, factors))


def network(case: str) -> Network:
    pixels = gh.compile(levels(), gh.mean("low"), gh.noisy("low", sigma=0.7))
    states = gh.compile(levels(), gh.posterior("top"), given="low")
    match case:
        case "exact, float32":
            answers = [gh.posterior("top"), gh.log_evidence()]
            return gh.compile(levels(), answers, gh.noisy("low", sigma=0.7)).network(
                dtype="float32"
            )
        case "relu, values":
            return pixels.network("relu", delta=0.05)
        case "relu, states, float64":
            return states.network("relu", delta=0.05, dtype="float64")
        case "trainable":
            return pixels.network("trainable", width=8)
        case "time zero":
            given = gh.localized("low", time=0.0)
            return gh.compile(levels(), gh.posterior("top"), given).network()
        case "junction tree, float32":
            asked = [gh.posterior("a"), gh.log_evidence()]
            return gh.compile(loopy(), asked, ["d", "e"]).network(dtype="float32")
        case "untied tree":
            return gh.compile(untied(), gh.posterior("a"), ["d", "e", "f"]).network()
    raise AssertionError(case)


CASES = [
    "exact, float32",
    "relu, states, float64",
    "trainable",
    "time zero",
    "junction tree, float32",
    "untied tree",
]


@pytest.mark.parametrize("case", CASES)
def test_files_are_as_good_as_they_should_be(case, tmp_path):
    made = network(case)
    opset = 18 if case == "time zero" else 20

    report = gh.export(made, tmp_path / "out", ("json", "onnx"), opset=opset)

    allowed = 5e-6 if made.dtype == torch.float32 else 1e-12
    assert {row.name: row.tolerance for row in report.rows if row.tolerance is not None} == {
        "weights.safetensors": 0.0,
        "network.onnx": allowed,
    }
    assert report.passed
    assert gh.verify_export(tmp_path / "out").passed


@pytest.fixture(scope="module")
def certified(tmp_path_factory) -> Path:
    """An exported ReLU network."""
    folder = tmp_path_factory.mktemp("exports") / "relu"
    gh.export(network("relu, values"), folder, ("json", "onnx", "convolutions"))
    return folder


def test_certified_networks_pass(certified):
    rows = {row.name: row for row in gh.verify_export(certified).rows}

    assert all(row.passed for row in rows.values())
    assert rows["certificate.json"].note == "holds"


@pytest.mark.parametrize("file", ["weights.safetensors", "network.onnx"])
def test_certificates_are_checked_against_either_file(certified, file):
    found = Certificate.load(certified / "certificate.json").check(certified / file, levels())

    assert found.verdict == "holds"


def test_a_changed_weight_breaks_the_bound_where_it_is(certified, tmp_path):
    folder = shutil.copytree(certified, tmp_path / "copy")
    tensors = load_file(folder / "weights.safetensors")
    tensors["collect.low.exp_log.exp_slopes"].view(-1)[-1] *= 1.01
    save_file(tensors, folder / "weights.safetensors", {"format": "ghmpp-weights"})

    rows = {row.name: row for row in gh.verify_export(folder).rows}

    assert not rows["weights.safetensors"].passed
    assert rows["certificate.json"].note == "bound broken at low -> middle"
    assert not rows["certificate.json"].passed


def test_nets_are_relu_units_and_weights_have_their_names(certified):
    made = network("relu, values")

    graph = onnx.load(certified / "network.onnx").graph

    initializers = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    kinds = {node.op_type for node in graph.node if " -> " in node.name}
    assert "Relu" in kinds
    assert {"Exp", "Log", "ReduceLogSumExp"}.isdisjoint(kinds)
    for name, tensor in made.state_dict().items():
        if name.startswith(("collect.", "distribute.")):
            np.testing.assert_array_equal(initializers[name], tensor)


def test_the_standard_form_is_convolutions_called_by_messages(certified):
    graph = onnx.load(certified / "convolutions.onnx").graph

    names = [node.name for node in graph.node if node.op_type in ("Conv", "ConvTranspose")]
    messages = {name.partition("/")[0] for name in names}
    assert {"low -> middle", "middle -> top", "top -> middle", "middle -> low"} <= messages
    assert [each.name for each in graph.input] == ["low"]
    rows = {row.name: row for row in gh.verify_export(certified).rows}
    assert rows["convolutions.onnx"].error <= 5e-6
