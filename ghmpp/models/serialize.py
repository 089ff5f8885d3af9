"""Models as files: versioned JSON for the declaration, and an npz file beside it for the arrays.

The npz file carries the start of its SHA-256 in its name, so a new one never overwrites the old:
first it is written, then the JSON file that names it takes its place, then the old npz file goes.
Whenever that is interrupted, the JSON file and the arrays that it names belong together. Nothing
is pickled, and nothing that is read is evaluated as code.
"""

from __future__ import annotations

import glob
import hashlib
import io
import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from ghmpp._arrays import AnyArray
from ghmpp._files import replaced, require_folder
from ghmpp.errors import FormatError
from ghmpp.models.expressions import Symbol
from ghmpp.models.formulas import Json, decode, decode_symbol, encode, encode_symbol
from ghmpp.models.model import Model
from ghmpp.models.records import read_class, write_class

FORMAT = "ghmpp-model"
VERSION = 1
NAMED_DIGITS = 8
HEX = "[0-9a-f]"
# What reading a tampered record may end in.
_BROKEN = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
    BadZipFile,
)


def save(model: Model, path: str | PathLike[str]) -> None:
    """Write a model: ``save(model, "digits.json")`` makes digits.json and digits.<hash>.npz.

    Everything is kept exactly: names, states, orders, float64 tables, fractions, formulas with
    their symbols, and the values of bound symbols. Functions are kept as the entries they gave.

    Parameters
    ----------
    model
        Any model, complete or not.
    path
        Name of the JSON file; must end in ".json". Existing files are replaced.

    Raises
    ------
    FormatError
        If the path does not end in ".json", a state name is no str, int, float, bool, None or
        tuple of these, or a formula uses an unusual function.
    MissingFolderError
        If the folder does not exist.
    OSError
        If the files cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> model = Model("coins")
    >>> coin = model.root("bias", 2).children("coin", 3, ["heads", "tails"])
    >>> with TemporaryDirectory() as folder:
    ...     save(model, f"{folder}/coins.json")
    ...     load(f"{folder}/coins.json")
    Model 'coins': 2 classes, 4 variables
      bias  1 node   2 states  root
      coin  3 nodes  2 states  3 per bias, free
    """
    target = writable_path(path)
    target = target.resolve() if target.is_symlink() else target  # the arrays belong beside it
    arrays: dict[str, Any] = {}
    classes = [
        write_class(declared, f"class{k}", arrays)
        for k, declared in enumerate(model.declarations.values())
    ]
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    packed = buffer.getvalue()
    digest = hashlib.sha256(packed).hexdigest()
    beside = target.with_name(f"{target.stem}.{digest[:NAMED_DIGITS]}.npz")
    content = {
        "format": FORMAT,
        "version": VERSION,
        "name": model.name,
        "symbols": _write_symbols(model),
        "classes": classes,
        "arrays": {"file": beside.name, "sha256": digest},
    }
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    with replaced(beside) as draft:
        draft.write_bytes(packed)
    with replaced(target) as draft:
        draft.write_text(text, encoding="utf-8")
    for old in target.parent.glob(f"{glob.escape(target.stem)}.{HEX * NAMED_DIGITS}.npz"):
        if old != beside:
            old.unlink(missing_ok=True)


def load(path: str | PathLike[str]) -> Model:
    """Read a model that :func:`save` wrote.

    Parameters
    ----------
    path
        Name of the JSON file; the npz file must lie beside it.

    Raises
    ------
    FormatError
        If a file is missing, broken, of another format or a newer version, or the two files do
        not belong together.
    """
    target = _json_path(path)
    content = _read_json(target)
    try:
        arrays = _read_arrays(target.resolve().parent, content["arrays"])
        symbols = {
            name: decode_symbol(name, item["assumptions"])
            for name, item in content["symbols"].items()
        }
        model = Model(str(content["name"]))
        for item in content["classes"]:
            read_class(model, item, arrays, symbols)
        bound = {
            name: decode(item["value"], {})
            for name, item in content["symbols"].items()
            if item["value"] is not None
        }
        return model.bind(**bound) if bound else model
    except FormatError as error:
        raise FormatError(f"{target}: {error}") from error
    except _BROKEN as error:
        raise FormatError(f"{target}: is broken ({type(error).__name__}: {error}).") from error


def writable_path(path: str | PathLike[str]) -> Path:
    """The path of a model's file, refused before anything is computed for it if it cannot be one.

    Raises
    ------
    FormatError
        If it does not end in ".json".
    MissingFolderError
        If its folder does not exist.
    OSError
        If it is a folder itself.
    """
    target = _json_path(path)
    require_folder(target)
    return target


def _json_path(path: str | PathLike[str]) -> Path:
    """The path, which must end in ".json"."""
    target = Path(path)
    if target.suffix != ".json":
        raise FormatError(
            f"{target}: a model's file ends in .json (its arrays lie beside it in an .npz file); "
            f"use '{target.stem or 'model'}.json'."
        )
    return target


def _write_symbols(model: Model) -> dict[str, Json]:
    """Assumptions and values of the symbols, by name."""
    symbols: dict[str, Symbol] = {}
    for declared in model.declarations.values():
        symbols |= declared.symbols
    return {
        name: {
            "assumptions": encode_symbol(symbol),
            "value": encode(model.bound[name]) if name in model.bound else None,
        }
        for name, symbol in sorted(symbols.items())
    }


def _read_json(path: Path) -> dict[str, Any]:
    """The content of the JSON file, of a format and version that we can read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}).") from error
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path}: is not JSON ({error}).") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise FormatError(f'{path}: is not a model of ghmpp; expected "format": "{FORMAT}".')
    if content.get("version") != VERSION:
        raise FormatError(
            f"{path}: has version {content.get('version')!r}, but this ghmpp reads version "
            f"{VERSION}; read it with the ghmpp that wrote it, or update ghmpp."
        )
    return content


def _read_arrays(folder: Path, record: Mapping[str, Any]) -> dict[str, AnyArray]:
    """The arrays in the npz file beside the JSON file."""
    name = Path(record["file"]).name
    try:
        packed = (folder / name).read_bytes()
    except OSError as error:
        raise FormatError(
            f"its arrays in {name} cannot be read ({error.strerror}); keep the two files together."
        ) from error
    if hashlib.sha256(packed).hexdigest() != record["sha256"]:
        raise FormatError(
            f"{name} is not the file that it was saved with (SHA-256 differs); save it again."
        )
    with np.load(io.BytesIO(packed), allow_pickle=False) as file:
        return dict(file)
