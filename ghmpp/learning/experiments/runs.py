"""Saved runs: one folder per run, which says what was run, with what seed and versions."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ghmpp._files import replaced, replaced_folder, require_folder_place
from ghmpp._version import __version__
from ghmpp.errors import FolderExistsError, QueryError
from ghmpp.schedule.picture import save_picture

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

VERSION = 1
CONFIG, SUMMARY = "config.json", "summary.json"
# All that a run writes.
FILES = (
    CONFIG,
    SUMMARY,
    "cells",
    "checkpoint.pt",
    "history.csv",
    "history.png",
    "network",
    "picture.png",
    "samples.csv",
    "table.csv",
)


@dataclass(frozen=True, slots=True)
class SavedRun:
    """The folder of a run.

    Parameters
    ----------
    folder
        Where it is.
    config
        What ``config.json`` says: ``command``, ``settings``, ``seed``, ``versions``.
    resumed
        Whether the same run has left something here before.
    """

    folder: Path
    config: Mapping[str, Any]
    resumed: bool

    def save_table(self, name: str, table: pd.DataFrame) -> Path:
        """Write a table as CSV."""
        path = self.folder / name
        with replaced(path) as draft:
            table.to_csv(draft, index=False)
        return path

    def save_picture(self, name: str, figure: Figure) -> Path:
        """Write a picture."""
        path = self.folder / name
        save_picture(figure, path)
        return path

    def finish(self, **found: object) -> Path:
        """Write what came out; a run with this file is complete."""
        path = self.folder / SUMMARY
        _write(path, found)
        return path


def open_run(
    folder: str | PathLike[str],
    command: str,
    settings: Mapping[str, object],
    *,
    seed: int,
    free: Collection[str] = (),
    overwrite: bool = False,
) -> SavedRun:
    """Begin a run in a folder of its own, or go on with the one that is there.

    Parameters
    ----------
    folder
        Made if it is not there.
    command
        What kind of run it is.
    settings
        All that it depends on, as JSON has it.
    seed
        Of its random numbers.
    free
        Settings in which a run that goes on may differ, such as its number of steps.
    overwrite
        Whether another run in the folder is removed.

    Returns
    -------
    SavedRun
        With ``config.json`` written.

    Raises
    ------
    FolderExistsError
        If the folder has results of another run, and ``overwrite`` is false; or content that is
        no run, which is never removed.
    MissingFolderError
        If the folder that it is to be in does not exist.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as place:
    ...     first = open_run(f"{place}/run", "train", {"width": 8}, seed=0)
    ...     _ = first.finish(loss=0.5)
    ...     again = open_run(f"{place}/run", "train", {"width": 8}, seed=0)
    >>> first.resumed, again.resumed, again.config["settings"]
    (False, True, {'width': 8})
    """
    place = Path(folder)
    config = json.loads(json.dumps(_config(command, settings, seed)))
    require_folder_place(place)
    if place.is_dir() and any(place.iterdir()):
        before = _read(place)
        if before is None:
            raise FolderExistsError(
                f"{place}: has content that is no run, which is never replaced; choose another "
                "folder."
            )
        different = _difference(before, config, free)
        begun = any(each.name != CONFIG for each in place.iterdir())
        if not different and not overwrite:
            _write(place / CONFIG, {**config, "versions": before["versions"]})
            return SavedRun(place, config, begun)
        if begun and not overwrite:
            raise FolderExistsError(
                f"{place}: has another run ({different}); pass --overwrite (overwrite=True) to "
                "remove it, or choose another folder."
            )
        _remove(place)
    with replaced_folder(place) as draft:
        _write(draft / CONFIG, config)
    return SavedRun(place, config, False)


def _config(command: str, settings: Mapping[str, object], seed: int) -> dict[str, object]:
    """What is run, and with what."""
    versions = {name: version(name) for name in ("numpy", "torch")}
    return {
        "version": VERSION,
        "command": command,
        "settings": dict(settings),
        "seed": seed,
        "versions": {"ghmpp": __version__, "python": platform.python_version(), **versions},
    }


def _read(place: Path) -> dict[str, Any] | None:
    """The configuration of a run; None where there is none."""
    try:
        found = json.loads((place / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    known = isinstance(found, dict) and found.get("version") == VERSION
    parts = {"command", "settings", "seed", "versions"}
    return found if known and parts <= found.keys() else None


def _difference(before: Mapping[str, Any], now: Mapping[str, Any], free: Collection[str]) -> str:
    """In what two runs differ first, in words; empty where in nothing that counts."""
    old = {"command": before["command"], **before["settings"], "seed": before["seed"]}
    new = {"command": now["command"], **now["settings"], "seed": now["seed"]}
    for name in dict.fromkeys((*new, *old)):
        if name not in free and old.get(name) != new.get(name):
            return f"{name} was {old.get(name)!r}, is {new.get(name)!r}"
    return ""


def _remove(place: Path) -> None:
    """Empty the folder of a run.

    Raises
    ------
    FolderExistsError
        If something in it is of no run.
    """
    for each in sorted(place.iterdir()):
        if each.name not in FILES:
            raise FolderExistsError(
                f"{place}: has {each.name!r}, which is of no run; move it away, or choose another "
                "folder."
            )
    for each in place.iterdir():
        if each.is_dir():
            shutil.rmtree(each)
        else:
            each.unlink()


def _write(path: Path, content: Mapping[str, object]) -> None:
    try:
        text = json.dumps(content, indent=1, allow_nan=True) + "\n"
    except TypeError as error:
        raise QueryError(f"{path.name}: holds numbers, texts and lists of them: {error}.") from None
    with replaced(path) as draft:
        draft.write_text(text, encoding="utf-8")
