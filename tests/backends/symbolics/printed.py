"""Printed code, run: numpy and torch source is executed, C is compiled with the C compiler."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ghmpp.backends.symbolics.program import SymbolicProgram

Array = NDArray[np.float64]
CC = shutil.which("cc") or shutil.which("gcc")
FLAGS = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]


def python_function(source: str, name: str = "infer") -> Callable[..., dict[str, object]]:
    """The function that printed numpy or torch code defines; it may use nothing else of ours."""
    assert "ghmpp" not in source
    space: dict[str, object] = {}
    exec(source, space)
    return space[name]  # type: ignore[return-value]


def python_results(
    program: SymbolicProgram, language: str, arguments: Sequence[object]
) -> list[Array]:
    """The answers of printed numpy or torch code, in order."""
    found = python_function(getattr(program, language)())(*arguments)
    return [np.asarray(array) for array in found.values()]


def build(folder: Path, sources: Mapping[str, str]) -> ctypes.CDLL:
    """One library of several C files; any warning is an error."""
    assert CC is not None
    for name, text in sources.items():
        (folder / f"{name}.c").write_text(text, "utf-8")
    library = folder / "library.so"
    files = [str(folder / f"{name}.c") for name in sources]
    subprocess.run([CC, *FLAGS, *files, "-o", str(library), "-lm"], check=True, timeout=100)
    return ctypes.CDLL(str(library))


def c_results(
    library: ctypes.CDLL,
    function: str,
    arguments: Sequence[object],
    shapes: Sequence[tuple[int, ...]],
) -> list[Array]:
    """The answers of a compiled function for one row; arguments are arrays or numbers."""
    outputs = [np.full(shape, np.nan) for shape in shapes]
    inputs = [_argument(each) for each in arguments]
    assert getattr(library, function)(*inputs, *map(_pointer, outputs)) == 0
    return outputs


def c_rows(
    library: ctypes.CDLL, function: str, logs: Sequence[Array], like: Sequence[Array]
) -> list[Array]:
    """The answers for every row of a batch, in the shapes of others, batch first."""
    rows = [
        c_results(library, function, [array[row] for array in logs], [a.shape[1:] for a in like])
        for row in range(len(like[0]))
    ]
    return [np.stack(parts) for parts in zip(*rows, strict=True)]


def _argument(value: object) -> object:
    if isinstance(value, np.ndarray):
        return _pointer(np.ascontiguousarray(value, np.float64))
    return ctypes.c_double(float(value))  # type: ignore[arg-type]


def _pointer(array: Array) -> object:
    pointer = array.ctypes.data_as(ctypes.POINTER(ctypes.c_double))
    pointer.array = array  # keeps the memory alive
    return pointer
