"""What the steps of the demo share: data, the model so far, what was found, and the folder."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ghmpp._files import replaced
from ghmpp.demo.earlier import NUMBERS
from ghmpp.demo.report import Picture, Section, Table
from ghmpp.errors import VerificationError
from ghmpp.examples import DigitsSplit
from ghmpp.models.model import Model
from ghmpp.schedule.picture import save_picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TOLERANCE = 1e-9

Json: TypeAlias = "int | float | str | bool | list[str] | Mapping[str, Json]"


@dataclass
class Stage:
    """Where a run of the demo stands; each step reads it and adds to it.

    Parameters
    ----------
    folder
        Where files go; exists.
    split
        Images to learn from, and images that no step learns from.
    model
        The model in use: the one that ships, and after learning the one that was learned.
    quick
        Whether to learn with few iterations.
    seed
        Seed of every random number.
    numbers
        What was measured, by step.
    sections
        The report so far.
    pictures
        Number of pictures so far.
    files
        Names of the files that the run writes, as it comes to them.
    """

    folder: Path
    split: DigitsSplit
    model: Model
    quick: bool = False
    seed: int = 0
    numbers: dict[str, Json] = field(default_factory=dict)
    sections: list[Section] = field(default_factory=list)
    pictures: int = 0
    files: list[str] = field(default_factory=list)

    def path(self, name: str) -> Path:
        """Path of a file that the run writes, recorded as one."""
        if name not in self.files:
            self.files.append(name)
        return self.folder / name

    def say(self, text: str) -> None:
        """Print a line under the heading of the step."""
        print(f"      {text}", flush=True)

    def say_table(self, table: Table) -> None:
        """Print a table in aligned columns."""
        cells = [table.head, *table.rows]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        for name, *numbers in cells:
            padded = (cell.rjust(width) for cell, width in zip(numbers, widths[1:], strict=True))
            self.say("   ".join((name.ljust(widths[0]), *padded)))

    def save_picture(self, name: str, figure: Figure, caption: str) -> Picture:
        """Write a figure as PNG under the next number, and return it for the report."""
        self.pictures += 1
        picture = Picture(self.pictures, f"{self.pictures}-{name}.png", caption)
        save_picture(figure, self.path(picture.file))
        self.say(f"picture: {self.folder / picture.file}")
        return picture

    def save_text(self, name: str, text: str) -> None:
        """Write a text file; it appears complete or not at all."""
        with replaced(self.path(name)) as draft:
            draft.write_text(text, encoding="utf-8")

    def save_numbers(self, *, finished: bool = False) -> None:
        """Write what was measured so far, and which files there are, as JSON."""
        models = [name for name in self.files if name.endswith(".json")]
        arrays = [f.name for m in models for f in self.folder.glob(f"{Path(m).stem}.*.npz")]
        record = {**self.numbers, "finished": finished, "files": [*self.files, *arrays]}
        self.save_text(NUMBERS, json.dumps(record, indent=2) + "\n")


def require_agreement(engine: str, deviation: float) -> None:
    """Refuse a deviation from an independent engine that rounding does not explain.

    Raises
    ------
    VerificationError
        If it exceeds :data:`TOLERANCE`, or is not a number.
    """
    if not deviation <= TOLERANCE:
        raise VerificationError(
            f"demo: inference deviates by {deviation:.1e} from {engine}, and {TOLERANCE:.0e} is "
            "allowed; this is a bug in ghmpp."
        )


@contextmanager
def busy(what: str) -> Iterator[None]:
    """Say on a terminal what is being waited for, and take it back afterwards."""
    terminal = sys.stderr.isatty()
    if terminal:
        print(f"      {what} ...", end="", file=sys.stderr, flush=True)
    try:
        yield
    finally:
        if terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
