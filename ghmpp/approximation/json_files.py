"""Records as JSON files: each says its format and version, and is read no other way."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ghmpp._files import replaced
from ghmpp.errors import FormatError


def write_record(path: Path, form: str, version: int, content: Mapping[str, Any]) -> None:
    """Write a record; an existing file is replaced at once or not at all.

    Parameters
    ----------
    path, form, version
        Where, and what the file says that it is.
    content
        Of JSON; floats that JSON does not have become null.

    Raises
    ------
    MissingFolderError
        If the folder does not exist.
    OSError
        If the file cannot be written.
    """
    whole = {"format": form, "version": version} | _finite(dict(content))
    with replaced(path) as draft:
        draft.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", "utf-8")


def read_record(path: Path, form: str, version: int, what: str) -> dict[str, Any]:
    """The content of a record that :func:`write_record` wrote.

    Raises
    ------
    FormatError
        If the file is missing, is not JSON, or has another format or version.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}).") from error
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path}: is not JSON ({error}).") from error
    if not isinstance(content, dict) or content.pop("format", None) != form:
        raise FormatError(f'{path}: holds no {what} of ghmpp; expected "format": "{form}".')
    found = content.pop("version", None)
    if found != version:
        raise FormatError(
            f"{path}: has version {found!r}, but this ghmpp reads version {version}; read it "
            "with the ghmpp that wrote it, or update ghmpp."
        )
    return content


def broken(path: Path, error: Exception) -> FormatError:
    """What to raise for a file whose content is not as it was written."""
    return FormatError(f"{path}: is broken ({type(error).__name__}: {error}).")


def _finite(value: Any) -> Any:
    """Floats that JSON does not have, as None."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
