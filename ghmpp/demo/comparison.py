"""Estimates of the same images by several methods: their errors as a table and as a picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ghmpp._arrays import FloatArray, IntArray
from ghmpp.demo.baselines import mean_squared_error
from ghmpp.demo.figures import Group, Images, image_grid
from ghmpp.demo.report import Table
from ghmpp.examples import SIDE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OURS = "ghmpp"


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One kind of damage, and what each method makes of it.

    Parameters
    ----------
    title
        What was done to the images.
    damaged
        Images as they are given, shape (batch, pixels); NaN where missing.
    truth
        The images, same shape.
    estimates
        Images by method, same shape; :data:`OURS` is one of them.
    """

    title: str
    damaged: FloatArray
    truth: IntArray
    estimates: Mapping[str, FloatArray]

    @property
    def errors(self) -> dict[str, float]:
        """Mean squared error by method: per missing pixel, or per pixel if none is missing."""
        missing = np.isnan(self.damaged)
        counted = missing if missing.any() else ~missing
        return {
            name: mean_squared_error(images[counted], self.truth[counted])
            for name, images in self.estimates.items()
        }

    @property
    def best(self) -> str:
        """The method with the smallest error."""
        errors = self.errors
        return min(errors, key=errors.__getitem__)


def table(caption: str, trials: Sequence[Trial]) -> Table:
    """Errors of each method (rows) in each trial (columns), the best of a column marked."""
    names = list(trials[0].estimates)
    rows = [[name, *(f"{trial.errors[name]:.2f}" for trial in trials)] for name in names]
    best = {(names.index(trial.best), column) for column, trial in enumerate(trials, 1)}
    return Table(caption, ["", *(trial.title for trial in trials)], rows, OURS, frozenset(best))


def grid(trials: Sequence[Trial], shown: Sequence[int]) -> Figure:
    """Some of the images as given, by each method, and as they are; errors beside the rows."""
    groups = []
    for trial in trials:
        rows: list[Images] = [trial.damaged, *trial.estimates.values(), trial.truth]
        notes = ["", *(f"{error:.2f}" for error in trial.errors.values()), ""]
        groups.append(Group(trial.title, [images[shown] for images in rows], notes))
    return image_grid(["given", *trials[0].estimates, "truth"], groups, ours=OURS)


def winners(trials: Iterable[Trial]) -> str:
    """Which method has the smallest error where, as a sentence.

    Examples
    --------
    >>> image = np.zeros((1, 4), dtype=np.int64)
    >>> winners([Trial("noise 2", image + 1.0, image, {"ghmpp": image + 0.5, "mean": image - 1.0})])
    'Smallest error: ghmpp (noise 2).'
    """
    where: dict[str, list[str]] = {}
    for trial in trials:
        where.setdefault(trial.best, []).append(trial.title)
    said = [f"{name} ({', '.join(titles)})" for name, titles in where.items()]
    return f"Smallest error: {', '.join(said)}."


def one_of_each(digits: IntArray, count: int) -> list[int]:
    """Index of the first image of each of the digits 0 to ``count - 1``."""
    return [int(np.flatnonzero(digits == digit)[0]) for digit in range(count)]


def without_right_half(images: IntArray) -> FloatArray:
    """Images of shape (batch, pixels) whose right halves are missing (NaN)."""
    seen = images.astype(np.float64)
    seen[:, np.arange(images.shape[1]) % SIDE >= SIDE // 2] = np.nan
    return seen
