"""Cells of a sweep: one experiment with its settings, and the small file that holds its result."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from numbers import Number
from pathlib import Path
from typing import Any, TypeAlias

from ghmpp._files import replaced
from ghmpp._version import __version__
from ghmpp.errors import LearningError, QueryError

VERSION = 1

Result: TypeAlias = "Mapping[str, object] | float"
Experiment: TypeAlias = Callable[..., Result]


@dataclass(frozen=True, slots=True)
class Cell:
    """One point of a grid.

    Parameters
    ----------
    experiment
        Name of what is run.
    settings
        Its arguments, each of a kind that JSON has.
    """

    experiment: str
    settings: Mapping[str, object]

    @property
    def key(self) -> str:
        """Tells this cell from every other one: 16 hexadecimal digits."""
        return sha256(self._identity().encode()).hexdigest()[:16]

    def path(self, folder: Path) -> Path:
        """Where its result is kept."""
        return folder / f"{self.key}.json"

    def read(self, folder: Path) -> dict[str, object] | None:
        """What an earlier run has found; None where nothing that can be used is there."""
        try:
            record = json.loads(self.path(folder).read_text(encoding="utf-8"))
            same = record["version"] == VERSION and record["experiment"] == self.experiment
            if not same or record["settings"] != json.loads(json.dumps(dict(self.settings))):
                return None
            return {name: record[name] for name in ("result", "seconds", "failure")}
        except (OSError, ValueError, KeyError, TypeError):
            return None  # absent, or of an interrupted disk: it is run again

    def write(self, folder: Path, found: Mapping[str, object]) -> None:
        """Keep what was found: the whole file, or none."""
        record = {
            "version": VERSION,
            "ghmpp": __version__,
            "experiment": self.experiment,
            "settings": dict(self.settings),
            **found,
        }
        with replaced(self.path(folder)) as draft:
            draft.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")

    def _identity(self) -> str:
        return json.dumps([self.experiment, dict(self.settings)], sort_keys=True)


def run_cell(experiment: Experiment, cell: Cell) -> dict[str, object]:
    """The result of a cell, or the error that stopped it, and how many seconds it took."""
    began = time.perf_counter()
    found: dict[str, object] = {}
    failure = None
    try:
        found = read_result(experiment(**cell.settings), cell)
    except Exception as error:  # whatever it is belongs into the table
        failure = f"{type(error).__name__}: {error}"
    return {"result": found, "seconds": time.perf_counter() - began, "failure": failure}


def read_result(found: object, cell: Cell) -> dict[str, object]:
    """Named plain numbers, texts and truth values of what an experiment returned.

    Raises
    ------
    LearningError
        If it is neither a number nor a mapping of such, or a name is that of a setting.
    """
    if not isinstance(found, Mapping):
        found = {"value": found}
    taken = {*cell.settings, "seconds", "failure"} & found.keys()
    if taken:
        raise LearningError(
            f"{cell.experiment}: the result {sorted(taken)[0]!r} is called like a setting or "
            "column of the table; give it another name."
        )
    return {str(name): _scalar(value, f"result {name!r}") for name, value in found.items()}


def read_setting(name: str, value: object) -> object:
    """A setting as JSON has it: arrays and tuples as lists, numbers of numpy as plain ones.

    Raises
    ------
    QueryError
        If it is anything else.
    """
    if isinstance(value, (tuple, list)):
        return [read_setting(name, each) for each in value]
    try:
        return _scalar(value, name)
    except LearningError as error:
        raise QueryError(
            f"sweep: {error} Settings are numbers, texts, None, and lists of them; make larger "
            "things inside the experiment."
        ) from None


def _scalar(value: Any, what: str) -> object:
    """A plain Python scalar."""
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()  # of numpy and torch
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, Number) and hasattr(value, "__float__"):
        return float(value)  # fractions
    raise LearningError(f"{what}: expected a number or text, got {type(value).__name__}.")
