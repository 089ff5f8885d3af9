"""The files of an earlier run: kept apart while a new run is under way, so that none is lost."""

from __future__ import annotations

import json
from pathlib import Path

NUMBERS = "results.json"
PREVIOUS = "previous"


def set_aside(folder: Path) -> None:
    """Move the files of an earlier run into the folder "previous".

    There an unfinished run never takes the place of another: its files are removed then. Only
    files that a run has recorded as its own are touched.
    """
    files, previous = _files(folder), folder / PREVIOUS
    if _files(previous) and not _finished(folder):
        _remove(files)
        return
    if files:
        forget(folder)
        previous.mkdir(exist_ok=True)
    for file in files:
        file.replace(previous / file.name)


def forget(folder: Path) -> None:
    """Remove the files of an earlier run, once they are no longer needed."""
    previous = folder / PREVIOUS
    _remove(_files(previous))
    if previous.is_dir() and not any(previous.iterdir()):
        previous.rmdir()


def aside(folder: Path) -> Path | None:
    """Where the files of an earlier run are, if there are any."""
    return folder / PREVIOUS if _files(folder / PREVIOUS) else None


def _remove(files: list[Path]) -> None:
    for file in files:
        file.unlink(missing_ok=True)


def _finished(folder: Path) -> bool:
    """Whether the run that wrote a folder came to its end."""
    return _numbers(folder).get("finished") is True


def _files(folder: Path) -> list[Path]:
    """What the run that wrote a folder has recorded as its files; the record comes last."""
    names = _numbers(folder).get("files")
    if not isinstance(names, list):
        return []
    found = [folder / Path(str(name)).name for name in names if name != NUMBERS]
    return [file for file in found if file.is_file()] + [folder / NUMBERS]


def _numbers(folder: Path) -> dict[str, object]:
    """The record of a run; empty where there is none that can be read."""
    try:
        numbers: object = json.loads((folder / NUMBERS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return numbers if isinstance(numbers, dict) else {}
