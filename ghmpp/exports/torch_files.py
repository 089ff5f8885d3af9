"""Torch's own files: exported programs (.pt2), and packages compiled for one machine."""

from __future__ import annotations

import io
import platform
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ghmpp._arrays import AnyArray
from ghmpp.errors import FormatError, MissingDependencyError
from ghmpp.exports.parity import Run, as_arrays
from ghmpp.exports.tracing import Port, Traced, complete, quiet

NOTES = "ghmpp.json"
_BROKEN = (AssertionError, KeyError, OSError, RuntimeError, TypeError, ValueError)


def program_bytes(traced: Traced, notes: str) -> bytes:
    """The content of a .pt2 file, with notes (JSON) beside the program."""
    buffer = io.BytesIO()
    with quiet():
        torch.export.save(traced.program, buffer, extra_files={NOTES: notes})
    return buffer.getvalue()


def program_runner(content: bytes, ports: Sequence[Port]) -> Run:
    """What runs a .pt2 file.

    Parameters
    ----------
    content
        The file.
    ports
        Its inputs.

    Raises
    ------
    FormatError
        If torch cannot read it.
    """
    if not zipfile.is_zipfile(io.BytesIO(content)):
        raise FormatError("is no exported program of torch (no archive).")
    try:
        with quiet():
            module = torch.export.load(io.BytesIO(content)).module()
    except _BROKEN as error:
        raise FormatError(f"torch cannot read the program: {error}") from error

    def run(inputs: Sequence[Tensor], channel: Mapping[str, float]) -> Sequence[AnyArray]:
        with torch.no_grad():
            return as_arrays(module(*complete(ports, inputs, channel)))

    return run


def compile_package(traced: Traced, path: Path) -> None:
    """Compile a network for this machine with AOTInductor.

    Raises
    ------
    MissingDependencyError
        If there is no C++ compiler.
    """
    from torch._inductor import aoti_compile_and_package
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        with quiet():
            aoti_compile_and_package(traced.program, package_path=str(path))
    except InvalidCxxCompiler as error:
        raise MissingDependencyError(
            "export: 'aoti' needs a C++ compiler; install g++ or clang, or leave 'aoti' out."
        ) from error


def package_runner(path: Path, ports: Sequence[Port]) -> Run:
    """What runs a compiled package.

    Raises
    ------
    FormatError
        If torch cannot load it, such as on a machine of another kind.
    """
    from torch._inductor import aoti_load_package

    try:
        with quiet():
            package = aoti_load_package(str(path))
    except _BROKEN as error:
        raise FormatError(
            f"{path.name} cannot be loaded; it was compiled for one kind of machine: {error}"
        ) from error

    def run(inputs: Sequence[Tensor], channel: Mapping[str, float]) -> Sequence[AnyArray]:
        with torch.no_grad():
            return as_arrays(package(*complete(ports, inputs, channel)))

    return run


def machine() -> str:
    """What a compiled package runs on."""
    return f"{platform.system()} {platform.machine()}, torch {torch.__version__}"
