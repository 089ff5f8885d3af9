"""The arrays of a network, wherever they are: a mapping, a network, or a file of one."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from os import PathLike
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ghmpp._arrays import AnyArray
from ghmpp.errors import CertificateError, FormatError, MissingDependencyError


def read_weights(source: object) -> dict[str, AnyArray]:
    """Arrays by name.

    Parameters
    ----------
    source
        A mapping from names to arrays or tensors; what has a ``state_dict()``; or the path of a
        .safetensors or .onnx file (there, the initializers), or of a folder with one
        .safetensors file.

    Raises
    ------
    CertificateError
        If it is none of these.
    FormatError
        If a file is missing, broken or of another kind.
    MissingDependencyError
        If the package that reads a file is not installed.
    """
    if isinstance(source, (str, PathLike)):
        return _read_file(Path(source))
    state = getattr(source, "state_dict", None)
    found = state() if callable(state) else source
    if not isinstance(found, Mapping):
        raise CertificateError(
            "weights: expected arrays by name, a network, or the path of a .safetensors file, a "
            f".onnx file or an export folder, got {type(source).__name__}."
        )
    return {str(name): _array(str(name), value) for name, value in found.items()}


def _array(name: str, value: Any) -> AnyArray:
    """An array, also of a tensor."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        # numpy has no bfloat16; float64 holds its numbers.
        value = value.double().numpy() if "bfloat16" in str(value.dtype) else value.numpy()
    found = np.asarray(value)
    if found.dtype.kind not in "fiub":
        raise CertificateError(f"weights: {name!r} must hold numbers, got {found.dtype}.")
    return found


def _read_file(path: Path) -> dict[str, AnyArray]:
    if path.is_dir():
        files = sorted(path.glob("*.safetensors"))
        if len(files) != 1:
            names = ", ".join(file.name for file in files) or "none"
            raise FormatError(
                f"{path}: expected one .safetensors file in the folder, found {names}; name the "
                "file itself.",
                path=str(path),
            )
        path = files[0]
    if path.suffix not in (".safetensors", ".onnx"):
        raise FormatError(
            f"{path}: expected a .safetensors file, a .onnx file or an export folder.",
            path=str(path),
        )
    if not path.is_file():
        raise FormatError(f"{path}: cannot be read (no such file).", path=str(path))
    read = _safetensors if path.suffix == ".safetensors" else _onnx
    return read(path)


def _safetensors(path: Path) -> dict[str, AnyArray]:
    package, arrays = _require("safetensors"), _require("safetensors.numpy")
    try:
        found: dict[str, AnyArray] = arrays.load_file(path)
    except (OSError, package.SafetensorError) as error:
        raise FormatError(f"{path}: is broken ({error}).", path=str(path)) from error
    return found


def _onnx(path: Path) -> dict[str, AnyArray]:
    package, helper = _require("onnx"), _require("onnx.numpy_helper")
    try:
        graph = package.load(path).graph
        return {each.name: helper.to_array(each) for each in graph.initializer}
    except Exception as error:  # protobuf and onnx share no class of errors
        raise FormatError(f"{path}: is broken ({error}).", path=str(path)) from error


def _require(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingDependencyError(
            f"reading weights needs the package {name.partition('.')[0]}; install it with "
            'pip install "ghmpp[export]".'
        ) from error
