"""Where a run stands, in a file that is safe to load: tensors and plain values only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from ghmpp._files import replaced
from ghmpp.errors import FormatError

NAME = "checkpoint.pt"
VERSION = 1
# Differences that an error lists.
LISTED = 4

Facts = Mapping[str, Mapping[str, str]]
Row = dict[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """All that a run needs to go on as if it had not stopped.

    Parameters
    ----------
    facts
        What the run is, by topic: network, start, data, loss, options.
    step
        Steps done.
    module, optimizer
        Their ``state_dict``.
    average
        That of the moving average of weights; None without.
    rows
        The history.
    best
        Weights with the lowest validation loss; None without early stopping.
    best_step, best_loss, stale
        Where they were found, and evaluations since.
    """

    facts: dict[str, dict[str, str]]
    step: int
    module: dict[str, Tensor]
    optimizer: dict[str, Any]
    average: dict[str, Tensor] | None
    rows: list[Row]
    best: dict[str, Tensor] | None
    best_step: int
    best_loss: float
    stale: int

    def save(self, folder: Path) -> None:
        """Write it, in place of the one before."""
        content = {each.name: getattr(self, each.name) for each in fields(self)}
        with replaced(folder / NAME) as draft:
            torch.save({"version": VERSION, **content}, draft)

    @staticmethod
    def load(folder: Path, facts: Facts) -> Checkpoint | None:
        """The checkpoint of a folder, if there is one, for the run that ``facts`` describe.

        Raises
        ------
        FormatError
            If it is broken, of another version, or of another run; says what differs.
        """
        path = folder / NAME
        if not path.exists():
            return None
        found = _read(path)
        if found.get("version") != VERSION:
            raise FormatError(
                f"{path}: is of version {found.get('version')!r}, this ghmpp reads {VERSION}; "
                "train again with another folder, or resume=False.",
                path=str(path),
            )
        try:
            checkpoint = Checkpoint(**{each.name: found[each.name] for each in fields(Checkpoint)})
        except KeyError as error:
            raise _broken(path, f"{error} is missing") from None
        different = list(_differences(checkpoint.facts, facts))
        if different:
            more = f"; and {len(different) - LISTED} more" if len(different) > LISTED else ""
            raise FormatError(
                f"{path}: is of another run: {'; '.join(different[:LISTED])}{more}. Use another "
                "folder, or resume=False to begin anew in this one.",
                path=str(path),
            )
        return checkpoint


def _read(path: Path) -> dict[str, Any]:
    """The content of a file; nothing in it is executed."""
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        why = str(error).partition("\n")[0] or type(error).__name__
        raise _broken(path, why) from error
    if not isinstance(found, dict):
        raise _broken(path, "it holds no dictionary")
    return found


def _broken(path: Path, why: str) -> FormatError:
    return FormatError(
        f"{path}: is no checkpoint of gh.train, or broken ({why}); remove it, or use another "
        "folder.",
        path=str(path),
    )


def _differences(before: Facts, now: Facts) -> Iterator[str]:
    """What a checkpoint's run has that the present one has not, and the reverse, in words."""
    for topic in dict.fromkeys((*before, *now)):
        old, new = before.get(topic, {}), now.get(topic, {})
        for name in dict.fromkeys((*old, *new)):
            if old.get(name) != new.get(name):
                was, now_is = (each.get(name, "nothing") for each in (old, new))
                yield f"{topic}: {name} was {was}, is {now_is}"
