"""Sweeps: an experiment at every point of a grid, resumable, on one machine or on a cluster."""

from __future__ import annotations

import errno
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib import import_module
from itertools import product
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from ghmpp.errors import MissingDependencyError, MissingFolderError, QueryError
from ghmpp.learning.cells import Cell, Experiment, read_setting, run_cell

if TYPE_CHECKING:
    import pandas as pd

Engine = Literal["joblib", "dask"]

# Experiments by name, and where they are.
EXPERIMENTS = {
    "denoise": ("ghmpp.learning.experiments", "denoise"),
    "rhm": ("ghmpp.learning.experiments", "rhm"),
}
# Seconds before a progress bar shows up.
PATIENCE = 2.0


def sweep(
    experiment: Experiment | str,
    grid: Mapping[str, Iterable[object]],
    *,
    folder: str | PathLike[str],
    workers: int | None = 1,
    engine: Engine = "joblib",
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
        texts by name; or the name of one: "rhm" (:func:`~ghmpp.learning.experiments.rhm`, the
        Random Hierarchy Model learned from n examples) or "denoise"
        (:func:`~ghmpp.learning.experiments.denoise`, excess risk of a trained U-Net). A
        function that has changed since is not noticed: take another folder.
    grid
        Values of each setting: numbers, texts, None, or lists of them. All combinations are run.
    folder
        Where cells are kept, made if it is not there.
    workers
        Processes that run cells at one time; None = one per core, or all of a cluster. With one,
        cells run in this process.
    engine
        "joblib": processes on this machine. "dask": the same on the cluster of the present Dask
        client, or on a local one if there is none.
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
    if engine not in get_args(Engine):
        known = ", ".join(map(repr, get_args(Engine)))
        raise QueryError(f"sweep: unknown engine {engine!r}; known: {known}.")
    whole = isinstance(workers, int) and not isinstance(workers, bool) and workers >= 1
    if workers is not None and not whole:
        raise QueryError(f"sweep: workers must be a whole number >= 1 or None, got {workers!r}.")
    name, function = _experiment(experiment)
    cells = _cells(name, function, grid, seed)
    place = _folder(folder)
    found = {cell.key: record for cell in cells if (record := cell.read(place))}
    open_cells = [c for c in cells if c.key not in found or found[c.key]["failure"] is not None]
    done = len(cells) - len(open_cells)
    with (
        _engine(engine, workers) if open_cells else nullcontext(map) as run,
        _bar(name, len(cells), done, progress) as bar,
    ):
        for cell, record in run(_Task(function), open_cells):
            cell.write(place, record)
            found[cell.key] = record
            bar.update()
    return _table(cells, found)


class _Task:
    """Runs a cell, wherever it is sent to."""

    def __init__(self, function: Experiment) -> None:
        self.function = function

    def __call__(self, cell: Cell) -> tuple[Cell, dict[str, object]]:
        return cell, run_cell(self.function, cell)


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
    if place.exists() and not place.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "is a file; name a folder", str(place))
    if not place.absolute().parent.is_dir():
        raise MissingFolderError(
            f"{place}: the folder that it is to be in does not exist; make it first "
            f"(mkdir -p {place.parent}), or choose another path."
        )
    place.mkdir(exist_ok=True)
    return place


_Mapped = Callable[[_Task, Sequence[Cell]], Iterator[tuple[Cell, dict[str, object]]]]


@contextmanager
def _engine(engine: Engine, workers: int | None) -> Iterator[_Mapped]:
    """What runs a task on all cells, and gives results as they come."""
    if engine == "joblib" and workers == 1:
        yield map
        return
    try:
        from joblib import Parallel, delayed, parallel_config
    except ImportError as error:
        raise MissingDependencyError(
            "sweep: workers need joblib, which is not installed; pip install joblib."
        ) from error

    def run(task: _Task, cells: Sequence[Cell]) -> Iterator[Any]:
        parallel = Parallel(return_as="generator_unordered", batch_size=1)
        found: Iterator[Any] = parallel(delayed(task)(cell) for cell in cells)
        return found

    count = -1 if workers is None else workers
    with _cluster(workers) if engine == "dask" else nullcontext():
        backend = "dask" if engine == "dask" else "loky"
        with parallel_config(backend=backend, n_jobs=count):
            yield run


def _cluster(workers: int | None) -> AbstractContextManager[object]:
    """The present client of Dask, or that of a cluster of local processes."""
    try:
        from distributed import Client, get_client
    except ImportError as error:
        raise MissingDependencyError(
            'sweep: engine="dask" needs Dask, which is not installed; pip install "ghmpp[sweep]", '
            'or take engine="joblib".'
        ) from error
    try:
        return nullcontext(get_client())
    except ValueError:
        client: AbstractContextManager[object] = Client(n_workers=workers, threads_per_worker=1)
        return client


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
