"""ONNX files: nodes called by messages, initializers by the names in ``state_dict()``.

The exporter's optimizer is off: it deletes additions of small constants, and with them answers.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ghmpp._arrays import AnyArray
from ghmpp._version import __version__
from ghmpp.errors import FormatError
from ghmpp.exports.parity import Run
from ghmpp.exports.tracing import Port, Traced, quiet, require

if TYPE_CHECKING:
    from onnx import ModelProto

LEAST_OPSET = 18
SCOPES = "pkg.torch.onnx.name_scopes"


def check_opset(opset: int) -> None:
    """Refuse versions of the operators that cannot express a network.

    Raises
    ------
    FormatError
        If the version is below 18, or above what the installed onnx knows.
    MissingDependencyError
        If onnx is not installed.
    """
    latest = require("onnx").defs.onnx_opset_version()
    if not isinstance(opset, int) or isinstance(opset, bool) or not LEAST_OPSET <= opset <= latest:
        raise FormatError(
            f"export: opset must be {LEAST_OPSET} to {latest} (older ones lack operators that a "
            f"network needs), got {opset!r}."
        )


def onnx_model(traced: Traced, opset: int) -> ModelProto:
    """A traced network as an ONNX model.

    Inputs are called by the given classes and the channel parameters; the latter have defaults
    and may be left out. Results are called ``"posterior(digit)"``; nodes are called by the
    message or step that they belong to, ``"pixel -> block/ReduceLogSumExp"``.

    Raises
    ------
    MissingDependencyError
        If onnx or onnxscript is not installed.
    """
    require("onnx")
    require("onnxscript")
    names = [port.name for port in traced.ports]
    arguments = tuple(traced.program.example_inputs[0])
    with quiet():
        found = torch.onnx.export(
            traced.program,
            arguments,
            dynamo=True,
            optimize=False,
            opset_version=opset,
            input_names=names,
            output_names=list(traced.answers),
            verbose=False,
        )
    assert found is not None
    model = found.model_proto
    _name_nodes(model, traced.places)
    _name_constants(model, set(traced.program.state_dict))
    _name_rows(model)
    _add_defaults(model, traced.ports)
    model.producer_name, model.producer_version = "ghmpp", __version__
    require("onnx").checker.check_model(model, full_check=True)
    return model


def _name_nodes(model: ModelProto, places: Mapping[str, str]) -> None:
    """Call nodes by the submodule that they come from, and drop what else tracing noted down."""
    counted: dict[str, int] = {}
    for node in model.graph.node:
        scopes = {entry.key: entry.value for entry in node.metadata_props}.get(SCOPES, "")
        name = f"{_place(scopes, places)}/{node.op_type}"
        counted[name] = counted.get(name, 0) + 1
        node.name = name if counted[name] == 1 else f"{name} {counted[name]}"
        del node.metadata_props[:]
        node.doc_string = ""
    del model.graph.metadata_props[:], model.metadata_props[:]
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]


def _name_constants(model: ModelProto, weights: set[str]) -> None:
    """Call constants of layers so that nobody takes them for weights."""
    layers = ("collect.", "distribute.")
    for tensor in model.graph.initializer:
        if tensor.name.startswith(layers) and tensor.name not in weights:
            old, tensor.name = tensor.name, f"constants.{tensor.name}"
            for node in model.graph.node:
                for position, name in enumerate(node.input):
                    if name == old:
                        node.input[position] = tensor.name


def _place(scopes: str, places: Mapping[str, str]) -> str:
    """The innermost known place in a list such as ``['', 'steps.pixel -> block', 'sum_1']``."""
    found = ast.literal_eval(scopes) if scopes else []
    return next((places[scope] for scope in reversed(found) if scope in places), "network")


def _name_rows(model: ModelProto) -> None:
    """Call the size of the batch "batch", where the tracer made up a symbol."""
    dims = [
        dim
        for value in (*model.graph.value_info, *model.graph.input, *model.graph.output)
        for dim in value.type.tensor_type.shape.dim
        if dim.dim_param
    ]
    shapes = [value.type.tensor_type.shape.dim for value in model.graph.input]
    symbols = [shape[0].dim_param for shape in shapes if shape and shape[0].dim_param]
    for dim in dims:
        dim.dim_param = re.sub(rf"\b{symbols[0]}\b", "batch", dim.dim_param)


def _add_defaults(model: ModelProto, ports: Sequence[Port]) -> None:
    """Values of the channel parameters, for calls that leave them out."""
    helper = require("onnx.numpy_helper")
    for port in ports:
        if port.default is not None:
            value = np.array(port.default, dtype=port.dtype)
            model.graph.initializer.append(helper.from_array(value, port.name))


def onnx_bytes(model: ModelProto, notes: Mapping[str, str]) -> bytes:
    """The content of a file, with notes in its metadata."""
    require("onnx").helper.set_model_props(model, dict(notes))
    found: bytes = model.SerializeToString()
    return found


def onnx_runner(content: bytes) -> Run:
    """What runs a file: onnxruntime on the CPU.

    Raises
    ------
    FormatError
        If onnxruntime cannot read it.
    MissingDependencyError
        If onnxruntime is not installed.
    """
    runtime = require("onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level = 3  # errors only
    try:
        session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its own exceptions have no common class
        raise FormatError(f"onnxruntime cannot read the file: {error}") from error
    required = [each.name for each in session.get_inputs()]
    optional = {each.name: each.type for each in session.get_overridable_initializers()}

    def run(inputs: Sequence[Tensor], channel: Mapping[str, float]) -> Sequence[AnyArray]:
        try:
            feed = dict(zip(required, (x.numpy() for x in inputs), strict=True))
            for name, value in channel.items():
                free = f"channel.{name}" if f"channel.{name}" in optional else name
                feed[free] = np.array(value, "float64" if "double" in optional[free] else "float32")
            found: Sequence[AnyArray] = session.run(None, feed)
        except Exception as error:  # other inputs than the network's, or what onnxruntime refuses
            raise FormatError(f"the file does not run as its network does: {error!r}") from error
        return found

    return run
