"""A network as a traced program with a batch of any size: what ONNX and torch files hold."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from ghmpp.backends.network import Network
from ghmpp.backends.plain.inputs import shared_parameters
from ghmpp.backends.plain.network import PlainNetwork
from ghmpp.backends.prepare import PRECISIONS
from ghmpp.errors import MissingDependencyError, QueryError
from ghmpp.exports.parity import TRACED_ROWS, answer_name, probes


@dataclass(frozen=True, slots=True)
class Port:
    """An input of a file.

    Parameters
    ----------
    name
        The given class, or a parameter of its channel.
    dtype, shape
        Type, and sizes; "batch" for the number of rows.
    meaning
        In words.
    default
        Of channel parameters: the network's own value.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]
    meaning: str
    default: float | None = None


@dataclass(frozen=True)
class Traced:
    """A network that was followed by ``torch.export``.

    Parameters
    ----------
    program
        What was found.
    ports
        Its inputs, in order.
    answers
        Names of its results, in order.
    places
        What operations are called by, such as messages, by the submodule that they come from.
    """

    program: ExportedProgram
    ports: tuple[Port, ...]
    answers: tuple[str, ...]
    places: Mapping[str, str]


def trace(network: Network) -> Traced:
    """Follow a network's arithmetic.

    Raises
    ------
    QueryError
        If it is given nothing, or no file can hold it: see
        :class:`ghmpp.backends.plain.network.PlainNetwork`.
    """
    return _trace(PlainNetwork(network), network, ports(network))


def trace_convolutions(network: Network) -> Traced:
    """Follow the standard form of a network; its channel parameters are fixed.

    Raises
    ------
    QueryError
        If it is given nothing, has no form in plain convolutions, or is in float64, for which
        runtimes have no convolutions.
    """
    if network.dtype != torch.float32:
        raise QueryError(
            "export: onnxruntime has no convolutions in float64; make the network with "
            "dtype='float32', or ask for 'onnx'."
        )
    fixed = tuple(port for port in ports(network) if port.default is None)
    return _trace(network.as_convolutions(), network, fixed)


def _trace(module: nn.Module, network: Network, inputs: tuple[Port, ...]) -> Traced:
    if not network.given:
        raise QueryError(
            "export: the network is given nothing, so that a program of it would be a constant; "
            "compile with given=, or ask for 'json' and pictures only."
        )
    rows = torch.export.Dim("batch", min=1)
    example = tuple(x[:TRACED_ROWS] for x in probes(network)[1].inputs)
    arguments = complete(inputs, example, {})
    shapes = tuple({0: rows} if x.ndim else None for x in arguments)
    with quiet(), torch.no_grad():
        program = torch.export.export(module, arguments, dynamic_shapes=(shapes,), strict=False)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # names files of this machine
    answers = tuple(answer_name(*key) for key in network.answers)
    return Traced(program, inputs, answers, _places(module))


def _places(module: nn.Module) -> dict[str, str]:
    """The message of each layer and step, or else its name, by path."""
    return {
        path: getattr(part, "message", path.partition(".")[2])
        for path, part in module.named_modules()
        if path.count(".") == 1
    }


def ports(network: Network) -> tuple[Port, ...]:
    """The inputs of the files of a network."""
    dtype = PRECISIONS[network.dtype]
    found: list[Port] = []
    for given in network.given:
        shape = ("batch", network.variables[given.variable].nodes)
        if given.channel is None:
            meaning = "state indices, -1 where missing"
            found.append(Port(given.variable, "int64", shape, meaning))
        else:
            meaning = f"values observed through {type(given.channel).__name__}, NaN where missing"
            found.append(Port(given.variable, dtype, shape, meaning))
    taken = {port.name for port in found}
    for name, value in shared_parameters(network.given).items():
        free = f"channel.{name}" if name in taken else name
        found.append(Port(free, dtype, (), "parameter of the channel", value))
    return tuple(found)


def complete(
    ports: Sequence[Port], inputs: Sequence[Tensor], channel: Mapping[str, float]
) -> tuple[Tensor, ...]:
    """All inputs of a call: those given, and channel parameters, by default the network's own."""
    found = list(inputs)
    for port in ports:
        if port.default is not None:
            value = channel.get(port.name.removeprefix("channel."), port.default)
            found.append(torch.tensor(value, dtype=getattr(torch, port.dtype)))
    return tuple(found)


@contextmanager
def quiet() -> Iterator[None]:
    """Without what exporters say of themselves and of packages that they would also support."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def require(name: str) -> ModuleType:
    """An optional package.

    Raises
    ------
    MissingDependencyError
        If it is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingDependencyError(
            f'export: {name} is not installed; pip install "ghmpp[export]".'
        ) from error
