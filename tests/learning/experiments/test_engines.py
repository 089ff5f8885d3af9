"""Cells that run elsewhere give the table of this process.

What a cluster does is played by threads that get functions as bytes: see :class:`Threads`.
"""

from __future__ import annotations

import pickle
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest

from ghmpp.errors import MissingDependencyError, QueryError
from ghmpp.learning.experiments.sweep import sweep

GRID = {"a": [1, 2, 3], "b": [4, 5]}


class Threads:
    """As much of a Dask client as a sweep asks for: functions travel as bytes, results as well."""

    def __init__(self, n_workers=2, threads_per_worker=1):
        self.pool = ThreadPoolExecutor(n_workers * threads_per_worker)
        self.sent = []

    def submit(self, function, *arguments):
        self.sent.append(pickle.dumps((function, arguments)))
        return self.pool.submit(self.run, self.sent[-1])

    @staticmethod
    def run(sent):
        function, arguments = pickle.loads(sent)
        return pickle.loads(pickle.dumps(function(*arguments)))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.pool.shutdown()


@pytest.fixture
def dask(monkeypatch):
    """A module in place of Dask's, with ``present``: its client, and ``made``: those it made."""

    class Client(Threads):
        def __init__(self, **options):
            super().__init__(**options)
            module.made.append((self, options))

    def get_client():
        if module.present is None:
            raise ValueError("No clients found")
        return module.present

    module = ModuleType("distributed")
    module.present, module.made = None, []
    module.Client, module.get_client = Client, get_client
    monkeypatch.setitem(sys.modules, "distributed", module)
    return module


def product(a, b, seed):
    if a == 2 and b == 5:
        raise ArithmeticError("no 10")
    return {"product": a * b, "name": f"{a} {b}"}


def found(folder, **options):
    return sweep(product, GRID, folder=folder, seed=1, **options).drop(columns="seconds")


@pytest.mark.parametrize("make", [Threads, lambda: ThreadPoolExecutor(2)])
def test_executors_give_the_table_of_processes(tmp_path, make):
    here = found(tmp_path / "here", workers=2)
    there = found(tmp_path / "there", engine=make())

    assert there.equals(here)
    assert here["product"].tolist()[:3] == [4, 5, 8]
    assert here["failure"].tolist() == [None, None, None, "ArithmeticError: no 10", None, None]


def test_dask_is_asked_for_its_present_client(tmp_path, dask):
    dask.present = Threads()

    assert found(tmp_path / "there", engine="dask").equals(found(tmp_path / "here"))
    assert len(dask.present.sent) == 6
    assert dask.made == []


def test_dask_without_a_client_gets_a_local_one_which_is_closed_again(tmp_path, dask):
    assert found(tmp_path / "there", engine="dask", workers=3).equals(found(tmp_path / "here"))
    ((client, options),) = dask.made
    assert options == {"n_workers": 3, "threads_per_worker": 1}
    with pytest.raises(RuntimeError, match="after shutdown"):
        client.submit(print)


def test_finished_cells_are_not_sent_again(tmp_path, dask):
    cluster = Threads()
    for _ in range(2):
        found(tmp_path / "cells", engine=cluster)

    assert len(cluster.sent) == 7  # the one that fails is tried again
    dask.present = None
    sweep(product, {"a": [1], "b": [4]}, folder=tmp_path / "cells", seed=1, engine="dask")
    assert dask.made == []


def test_cells_are_kept_as_they_are_finished(tmp_path):
    folder = tmp_path / "cells"

    def waits(a, seed):
        end = time.monotonic() + 10
        while a == 1 and not list(folder.glob("*.json")) and time.monotonic() < end:
            time.sleep(0.005)
        return len(list(folder.glob("*.json")))

    table = sweep(waits, {"a": [1, 2]}, folder=folder, engine=ThreadPoolExecutor(2))

    assert table["value"].tolist() == [1, 0]


def test_lost_worker_stops_the_sweep_and_what_is_open_is_given_up(tmp_path):
    class Losing:
        """The second cell is lost, as when a machine goes away; the third never begins."""

        def __init__(self):
            self.futures = []

        def submit(self, function, *arguments):
            future = Future()
            if not self.futures:
                future.set_result(function(*arguments))
            elif len(self.futures) == 1:
                future.set_exception(RuntimeError("a worker was killed"))
            self.futures.append(future)
            return future

    cluster = Losing()
    with pytest.raises(RuntimeError, match="a worker was killed"):
        found(tmp_path / "cells", engine=cluster)

    assert len(list((tmp_path / "cells").glob("*.json"))) == 1
    assert all(future.cancelled() for future in cluster.futures[2:])


@pytest.mark.parametrize("engine", ["slurm", 3, None, print])
def test_what_runs_nothing_is_no_engine(tmp_path, engine):
    with pytest.raises(QueryError, match=r"unknown engine .*; known: .* or what has submit"):
        found(tmp_path / "cells", engine=engine)
    assert not Path(tmp_path / "cells").exists()


def test_cluster_without_dask_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "ghmpp\[sweep\]"'):
        found(tmp_path / "cells", engine="dask", workers=2)


def test_dask_itself_gives_the_table_of_processes(tmp_path):
    import distributed

    options = {"processes": False, "dashboard_address": None}
    with distributed.Client(n_workers=1, threads_per_worker=2, **options) as client:
        given = found(tmp_path / "given", engine=client)
        present = found(tmp_path / "present", engine="dask")

    here = found(tmp_path / "here", workers=2)
    assert given.equals(here)
    assert present.equals(here)
