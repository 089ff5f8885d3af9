"""ONNX files give the true answers in onnxruntime, where nothing of this package is known."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from ghmpp.errors import FormatError
from ghmpp.exports.onnx_file import onnx_runner
from tests.exports.small import PIXEL, SIGMA, SYMBOLS, Array, Z, answers, program
from tests.tolerances import EXACT

ALONE = """
import sys
sys.modules["ghmpp"] = sys.modules["torch"] = None  # importing them fails
import numpy as np, onnxruntime
path, *batches = sys.argv[1:]
options = onnxruntime.SessionOptions()
options.log_severity_level = 3
session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
for batch in batches:
    feed = dict(np.load(batch))
    names = [each.name for each in session.get_outputs()]
    np.savez(batch, **dict(zip(names, session.run(None, feed))))
"""


def alone(path: Path, folder: Path, feeds: list[dict[str, Array]]) -> list[dict[str, Array]]:
    """Answers of onnxruntime in a process of its own."""
    batches = [folder / f"batch{k}.npz" for k in range(len(feeds))]
    for batch, feed in zip(batches, feeds, strict=True):
        np.savez(batch, **feed)
    subprocess.run([sys.executable, "-c", ALONE, path, *batches], check=True)
    return [dict(np.load(batch)) for batch in batches]


@pytest.fixture(scope="module")
def graph(exported) -> onnx.GraphProto:
    return onnx.load(exported.folder / "network.onnx").graph


def test_answers_are_true_without_this_package(exported, tmp_path):
    feeds = [
        {"pixel": Z, "symbol": SYMBOLS},  # with -inf, NaN, and what 1e-30 decides
        {"pixel": Z[:1], "symbol": SYMBOLS[:1]},
        {"pixel": Z * 1e3, "symbol": SYMBOLS * 0},
        {"pixel": Z, "symbol": SYMBOLS, "sigma": np.array(0.31)},
    ]

    found = alone(exported.folder / "network.onnx", tmp_path, feeds)

    for feed, outputs in zip(feeds, found, strict=True):
        sigma = float(feed.get("sigma", SIGMA))
        if np.nanmax(np.abs(feed["pixel"])) < 100:  # beyond, the sum underflows
            expected = answers(feed["pixel"], feed["symbol"], sigma)
        else:
            network = program().network()
            expected = [np.asarray(x) for x in network(feed["pixel"], feed["symbol"])]
        names = ("posterior(digit)", "mean(pixel)", "log_evidence")
        for name, truth in zip(names, expected, strict=True):
            np.testing.assert_allclose(outputs[name], truth, rtol=EXACT, atol=EXACT)


def test_nodes_are_called_by_messages(graph):
    places = {node.name.partition("/")[0] for node in graph.node}

    assert {"pixel -> digit", "symbol -> digit", "digit -> pixel"} <= places
    assert len({node.name for node in graph.node}) == len(graph.node)
    names = [node.name for node in graph.node if node.op_type == "ReduceLogSumExp"]
    assert "pixel -> digit/ReduceLogSumExp" in names


def test_initializers_are_the_parameters(graph):
    initializers = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}

    for name, tensor in program().network().state_dict().items():
        np.testing.assert_array_equal(initializers[name], tensor)
    np.testing.assert_array_equal(initializers["potentials.digit->pixel"], PIXEL)


def test_the_batch_may_have_any_size(graph):
    for value in (*graph.input[:2], *graph.output):
        assert value.type.tensor_type.shape.dim[0].dim_param == "batch"


def test_nothing_that_onnxruntime_lacks_in_float64(graph):
    assert {"Conv", "ConvTranspose"}.isdisjoint(node.op_type for node in graph.node)


def test_other_files_are_refused():
    with pytest.raises(FormatError, match="onnxruntime cannot read the file"):
        onnx_runner(b"no model")
