"""Weights as safetensors: every parameter by its name in ``state_dict()``, bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ghmpp.backends.network import Network
from ghmpp.errors import FormatError
from ghmpp.exports.tracing import require

FORMAT = "ghmpp-weights"


def weights_bytes(network: Network, notes: Mapping[str, str]) -> bytes:
    """The content of a file with the parameters of a network, and notes in its metadata.

    What several messages share is one parameter of the network, and one entry of the file.

    Raises
    ------
    MissingDependencyError
        If safetensors is not installed.
    """
    own = torch.contiguous_format
    tensors = {
        name: each.detach().cpu().clone(memory_format=own)
        for name, each in network.state_dict().items()
    }
    found: bytes = require("safetensors.torch").save(tensors, {"format": FORMAT, **notes})
    return found


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors in a file.

    Raises
    ------
    FormatError
        If it is missing, broken, or not written here.
    MissingDependencyError
        If safetensors is not installed.
    """
    package = require("safetensors")
    try:
        with package.safe_open(path, framework="pt") as file:
            kind = (file.metadata() or {}).get("format")
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error}).", path=str(path)) from error
    except package.SafetensorError as error:
        raise FormatError(f"{path}: is broken ({error}).", path=str(path)) from error
    if kind != FORMAT:
        raise FormatError(
            f"{path}: is not a network's weights; expected metadata format {FORMAT!r}, got "
            f"{kind!r}.",
            path=str(path),
        )
    return tensors


def fill(network: Network, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Give a network the weights of a file, bit for bit.

    Raises
    ------
    FormatError
        If names, shapes or types are not those of the network.
    """
    expected = network.state_dict()
    if missing := sorted(expected.keys() - tensors.keys()):
        raise FormatError(
            f"{path}: has no {missing[0]!r}, which the network needs.", path=str(path)
        )
    if extra := sorted(tensors.keys() - expected.keys()):
        raise FormatError(f"{path}: has {extra[0]!r}, which the network lacks.", path=str(path))
    for name, own in expected.items():
        found = tensors[name]
        if (found.shape, found.dtype) != (own.shape, own.dtype):
            raise FormatError(
                f"{path}: {name!r} must be {own.dtype} of shape {tuple(own.shape)}, got "
                f"{found.dtype} of shape {tuple(found.shape)}.",
                path=str(path),
            )
    network.load_state_dict(dict(tensors))
