"""Sweeps: an experiment at every point of a grid, resumable, on one machine or on a cluster."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from importlib import import_module
from itertools import product
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ghmpp._files import require_folder_place
from ghmpp.errors import QueryError
from ghmpp.learning.experiments.cells import Cell, Experiment, read_setting
from ghmpp.learning.experiments.engines import Engine, Executor, require_engine, run_cells

if TYPE_CHECKING:
    import pandas as pd

# Experiments by name, and where they are.
EXPERIMENTS = {
    "denoise": ("ghmpp.learning.experiments.named", "denoise"),
    "rhm": ("ghmpp.learning.experiments.named", "rhm"),
}
# Seconds before a progress bar shows up.
PATIENCE = 2.0


def sweep(
    experiment: Experiment | str,
    grid: Mapping[str, Iterable[object]],
    *,
    folder: str | PathLike[str],
    workers: int | None = 1,
    engine: Engine | Executor = "joblib",
    seed: int = 0,
    progress: bool | None = None,
) -> pd.DataFrame:
    """Run an experiment at every point of a grid, and keep what it finds.

    Each finished cell is one small file in ``folder``, so that a sweep that was interrupted, or
    whose grid has grown, goes on where it was. Cells that failed are tried again.

    Parameters
    ----------
    experiment
        A function of the grid's names and of ``seed`` that returns a number, or numbers and
        texts by name; or the name of one: "rhm" (:func:`~ghmpp.learning.experiments.named.rhm`, the
        Random Hierarchy Model learned from n examples) or "denoise"
        (:func:`~ghmpp.learning.experiments.named.denoise`, excess risk of a trained U-Net). A
        function that has changed since is not noticed: take another folder.
    grid
        Values of each setting: numbers, texts, None, or lists of them. All combinations are run.
    folder
        Where cells are kept, made if it is not there.
    workers
        Processes on this machine that run cells at one time; None = one per core. With one,
        joblib runs them in this process. A cluster that is there already has its own.
    engine
        "joblib": processes on this machine. "dask": the cluster of the present Dask client, or a
        local one if there is none. Or what has ``submit``: a Dask client, or an executor as in
        ``concurrent.futures``; it has workers of its own.
    seed
        Given to every cell, unless the grid itself has ``seed``.
    progress
        Whether to show a progress bar; None: on a terminal, after two seconds.

    Returns
    -------
    DataFrame
        One row per cell in the grid's order (the last setting changes fastest): settings,
        ``seed``, results, ``seconds``, and ``failure``: the error that stopped the cell, or None.

    Raises
    ------
    QueryError
        If the experiment or engine is unknown, or a setting is: known ones are listed; if the
        experiment has no name, the grid is empty, or ``workers`` is no count.
    MissingDependencyError
        If the engine is not installed.
    MissingFolderError
        If the folder in which ``folder`` is to be does not exist.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> def area(width, height, seed):
    ...     return {"area": width * height}
    >>> with TemporaryDirectory() as folder:
    ...     table = sweep(area, {"width": [1, 2], "height": [3, 4]}, folder=folder)
    >>> table[["width", "height", "area"]].to_numpy().tolist()
    [[1, 3, 3], [1, 4, 4], [2, 3, 6], [2, 4, 8]]
    """
    require_engine(engine, workers)
    name, function = _experiment(experiment)
    cells = _cells(name, function, grid, seed)
    place = _folder(folder)
    found = {cell.key: record for cell in cells if (record := cell.read(place))}
    open_cells = [c for c in cells if c.key not in found or found[c.key]["failure"] is not None]
    done = len(cells) - len(open_cells)
    with (
        closing(run_cells(function, open_cells, engine, workers)) as finished,
        _bar(name, len(cells), done, progress) as bar,
    ):
        for cell, record in finished:
            cell.write(place, record)
            found[cell.key] = record
            bar.update()
    return _table(cells, found)


def _experiment(experiment: Experiment | str) -> tuple[str, Experiment]:
    """Name and function."""
    if callable(experiment):
        if not inspect.isfunction(experiment) or experiment.__name__ == "<lambda>":
            raise QueryError(
                "sweep: an experiment is kept by its name, so it must be a function made with "
                f"def, got {experiment!r}; what is fixed goes into the grid, as one value."
            )
        return f"{experiment.__module__}:{experiment.__qualname__}", experiment
    if experiment not in EXPERIMENTS:
        known = ", ".join(map(repr, EXPERIMENTS))
        raise QueryError(
            f"sweep: unknown experiment {experiment!r}; known: {known}, or pass a function."
        )
    module, name = EXPERIMENTS[experiment]
    function: Experiment = getattr(import_module(module), name)
    return experiment, function


def _cells(
    name: str, function: Experiment, grid: Mapping[str, Iterable[object]], seed: int
) -> list[Cell]:
    """All points of the grid, each once."""
    if not grid:
        raise QueryError("sweep: the grid is empty; give values, such as {'n': [100, 1000]}.")
    for setting, values in grid.items():
        if isinstance(values, (str, Mapping)) or not isinstance(values, Iterable):
            raise QueryError(f"sweep: {setting}: expected a list of values, got {values!r}.")
    axes = {**({} if "seed" in grid else {"seed": [seed]}), **grid}
    _check_names(name, function, axes)
    known = {key: [read_setting(key, each) for each in values] for key, values in axes.items()}
    for setting, values in known.items():
        if not values:
            raise QueryError(f"sweep: {setting} has no values.")
    cells = (Cell(name, dict(zip(known, point, strict=True))) for point in product(*known.values()))
    return list({cell.key: cell for cell in cells}.values())


def _check_names(name: str, function: Experiment, axes: Mapping[str, object]) -> None:
    """Refuse settings that the function does not have, and a lack of those that it needs."""
    signature = inspect.signature(function)
    try:
        signature.bind(**axes)
    except TypeError as error:
        known = ", ".join(signature.parameters)
        raise QueryError(f"sweep: {name}: {error}; its settings are: {known}.") from None


def _folder(folder: str | PathLike[str]) -> Path:
    """The folder of the cells."""
    place = Path(folder)
    require_folder_place(place)
    place.mkdir(exist_ok=True)
    return place


def _bar(name: str, cells: int, done: int, progress: bool | None) -> Any:
    from tqdm import tqdm

    return tqdm(
        total=cells,
        initial=done,
        desc=f"sweep {name}",
        unit="cell",
        disable=not (sys.stderr.isatty() if progress is None else progress),
        delay=PATIENCE if progress is None else 0.0,
    )


def _table(cells: Sequence[Cell], found: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """One row per cell."""
    import pandas as pd

    records = [found[cell.key] for cell in cells]
    rows = [{**c.settings, **r["result"]} for c, r in zip(cells, records, strict=True)]
    table = pd.DataFrame(rows, columns=list(dict.fromkeys(name for row in rows for name in row)))
    table["seconds"] = [record["seconds"] for record in records]
    table["failure"] = pd.Series([record["failure"] for record in records], dtype=object)
    return table
