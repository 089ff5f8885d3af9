"""Where the cells of a sweep run: in this process, in others, or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from queue import SimpleQueue
from typing import Any, Literal, Protocol, TypeAlias, get_args, runtime_checkable

from ghmpp.errors import MissingDependencyError, QueryError
from ghmpp.learning.experiments.cells import Cell, Experiment, run_cell

Engine = Literal["joblib", "dask"]
Finished: TypeAlias = tuple[Cell, dict[str, object]]


@runtime_checkable
class Executor(Protocol):
    """What runs functions elsewhere: a Dask client, or an executor of ``concurrent.futures``.

    A future has ``add_done_callback``, ``result`` and ``cancel``, which those have in common.
    """

    @property
    def submit(self) -> Callable[..., Any]:
        """``submit(function, *arguments)`` gives a future."""


def require_engine(engine: object, workers: object) -> None:
    """Refuse what is no engine, or no number of workers.

    Raises
    ------
    QueryError
        Naming the known engines.
    """
    if engine not in get_args(Engine) and not isinstance(engine, Executor):
        known = ", ".join(map(repr, get_args(Engine)))
        raise QueryError(
            f"sweep: unknown engine {engine!r}; known: {known}, or what has submit(...)."
        )
    whole = isinstance(workers, int) and not isinstance(workers, bool) and workers >= 1
    if workers is not None and not whole:
        raise QueryError(f"sweep: workers must be a whole number >= 1 or None, got {workers!r}.")


def run_cells(
    experiment: Experiment, cells: Sequence[Cell], engine: Engine | Executor, workers: int | None
) -> Generator[Finished, None, None]:
    """Run cells, and give each with its record as soon as it is finished.

    Closing it gives up what has not begun.

    Parameters
    ----------
    experiment, cells
        What is run, and where.
    engine, workers
        As for :func:`ghmpp.sweep`.

    Raises
    ------
    MissingDependencyError
        If the engine is not installed.
    """
    if not cells:
        return
    if isinstance(engine, Executor):
        yield from _submitted(experiment, cells, engine)
    elif engine == "dask":
        with _cluster(workers) as client:
            yield from _submitted(experiment, cells, client)
    elif workers == 1:
        yield from ((cell, run_cell(experiment, cell)) for cell in cells)
    else:
        yield from _in_processes(experiment, cells, -1 if workers is None else workers)


def _submitted(
    experiment: Experiment, cells: Sequence[Cell], executor: Executor
) -> Iterator[Finished]:
    """All cells at once; what is still open when one cannot be had is given up."""
    finished: SimpleQueue[Cell] = SimpleQueue()
    # Dask forgets what nobody holds the future of.
    futures = {cell.key: executor.submit(run_cell, experiment, cell) for cell in cells}
    for cell in cells:
        futures[cell.key].add_done_callback(partial(_tell, finished, cell))
    try:
        for _ in cells:
            cell = finished.get()
            yield cell, futures.pop(cell.key).result()
    finally:
        for future in futures.values():
            future.cancel()


def _tell(finished: SimpleQueue[Cell], cell: Cell, _: object) -> None:
    finished.put(cell)


def _in_processes(
    experiment: Experiment, cells: Sequence[Cell], workers: int
) -> Iterator[Finished]:
    """Processes on this machine."""
    try:
        from joblib import Parallel, delayed
    except ImportError as error:
        raise MissingDependencyError(
            "sweep: workers need joblib, which is not installed; pip install joblib."
        ) from error
    parallel = Parallel(
        n_jobs=workers, backend="loky", return_as="generator_unordered", batch_size=1
    )
    found: Iterator[Finished] = parallel(delayed(_with_cell)(experiment, cell) for cell in cells)
    yield from found


def _with_cell(experiment: Experiment, cell: Cell) -> Finished:
    return cell, run_cell(experiment, cell)


def _cluster(workers: int | None) -> AbstractContextManager[Executor]:
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
        client: AbstractContextManager[Executor] = Client(n_workers=workers, threads_per_worker=1)
        return client
