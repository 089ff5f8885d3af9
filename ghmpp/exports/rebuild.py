"""From exported files back to the network."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ghmpp.backends.network import Network
from ghmpp.backends.origin import Origin
from ghmpp.compiler import Program, compile
from ghmpp.errors import FormatError, GhmppError
from ghmpp.exports.spec import FileRecord, digest, read_spec
from ghmpp.exports.weights import fill, read_weights
from ghmpp.models.forest import Forest
from ghmpp.models.model import Model

WEIGHTS, CERTIFICATE = "weights.safetensors", "certificate.json"


def load_network(folder: Path, *, trusted: bool = False) -> Network:
    """The network of an exported folder.

    Parameters
    ----------
    folder
        What :func:`ghmpp.export` wrote.
    trusted
        Whether weights other than those that were exported are taken, too.

    Raises
    ------
    FormatError
        As :func:`ghmpp.load`.
    """
    spec = read_spec(folder)
    if not trusted:
        for record in spec.files:
            if record.format == "json" and changed(folder, record):
                raise FormatError(
                    f"{folder / record.name}: is not the file that was exported (missing, or "
                    "SHA-256 differs); export it again.",
                    path=str(folder / record.name),
                )
    path = folder / WEIGHTS
    return rebuild(spec.origin(), spec.schedule, read_weights(path), path)


def rebuild(origin: Origin, schedule: str, tensors: Mapping[str, Tensor], path: Path) -> Network:
    """The network of an origin, with weights.

    Parameters
    ----------
    origin
        What it was made from.
    schedule
        Digest of its schedule.
    tensors
        Its weights.
    path
        The file of the weights, for messages.

    Raises
    ------
    FormatError
        If the schedule is another one now, or the weights do not fit.
    """
    options: Mapping[str, Any] = origin.options
    try:
        network = program_of(origin).network(**options)
    except (GhmppError, TypeError) as error:
        raise FormatError(
            f"{path.parent}: its network cannot be made again: {error}", path=str(path.parent)
        ) from error
    if digest(network.schedule) != schedule:
        raise FormatError(
            f"{path.parent}: the model compiles to another schedule than when it was exported; "
            "read it with the ghmpp that wrote it.",
            path=str(path.parent),
        )
    fill(network, tensors, path)
    return network


def program_of(origin: Origin) -> Program:
    """The program that a network was made from, compiled again."""
    return compile(origin.model, origin.queries, origin.given, simplify=origin.simplify)


def certified_model(network: Network) -> Model | Forest:
    """What the certificate of a network is about: its model, or what simplification left of it."""
    assert network.origin is not None
    simplified = program_of(network.origin).simplified if network.origin.simplify else None
    return network.origin.model if simplified is None else simplified.forest


def changed(folder: Path, record: FileRecord) -> bool:
    """Whether a file is not the one that was exported."""
    try:
        return sha256(folder / record.name) != record.sha256
    except OSError:
        return True


def sha256(path: Path) -> str:
    """SHA-256 of the content of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
