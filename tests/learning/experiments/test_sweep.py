"""Sweeps: tidy, resumable, and not stopped by a cell that fails."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import ghmpp as gh
from ghmpp.errors import MissingFolderError, QueryError
from ghmpp.learning.experiments.sweep import sweep


@pytest.fixture
def counted(tmp_path):
    """An experiment, with ``runs``: its settings each time that it ran; ``fails``: where."""

    def experiment(a, b=0, seed=0):
        experiment.runs.append((a, b, seed))
        if a in experiment.fails:
            raise ArithmeticError(f"no {a}")
        return {"sum": a + b, "name": f"cell {a}"}

    experiment.runs, experiment.fails = [], ()
    return experiment


def test_table_has_one_row_per_combination_in_the_order_of_the_grid(counted, tmp_path):
    table = sweep(counted, {"a": [1, 2], "b": [10, 20]}, folder=tmp_path / "cells", seed=7)

    assert list(table.columns) == ["seed", "a", "b", "sum", "name", "seconds", "failure"]
    assert table["sum"].tolist() == [11, 21, 12, 22]
    assert set(table["seed"]) == {7}
    assert table["failure"].isna().all()
    assert (table["seconds"] >= 0).all()


def test_finished_cells_are_kept_and_new_ones_are_run(counted, tmp_path):
    sweep(counted, {"a": [1, 2]}, folder=tmp_path / "cells")
    table = sweep(counted, {"a": [1, 2, 3], "seed": range(1)}, folder=tmp_path / "cells")

    assert counted.runs == [(1, 0, 0), (2, 0, 0), (3, 0, 0)]
    assert table["sum"].tolist() == [1, 2, 3]


def test_cell_that_fails_is_recorded_and_tried_again(counted, tmp_path):
    counted.fails = (2,)
    table = sweep(counted, {"a": [1, 2, 3]}, folder=tmp_path / "cells")
    assert table["failure"].tolist() == [None, "ArithmeticError: no 2", None]
    assert np.isnan(table["sum"][1])

    counted.fails = ()
    again = sweep(counted, {"a": [1, 2, 3]}, folder=tmp_path / "cells")
    assert again["failure"].isna().all()
    assert counted.runs == [(1, 0, 0), (2, 0, 0), (3, 0, 0), (2, 0, 0)]


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"version": 0}'])
def test_damaged_cell_is_run_again(counted, tmp_path, damage):
    sweep(counted, {"a": [1]}, folder=tmp_path / "cells")
    (cell,) = (tmp_path / "cells").iterdir()
    cell.write_text(damage)

    assert sweep(counted, {"a": [1]}, folder=tmp_path / "cells")["sum"].tolist() == [1]
    assert len(counted.runs) == 2


def test_cells_are_plain_files_that_say_what_they_are(counted, tmp_path):
    sweep(counted, {"a": [np.int64(4)], "b": [0.5]}, folder=tmp_path / "cells")
    (cell,) = (tmp_path / "cells").iterdir()

    record = json.loads(cell.read_text())
    assert record["experiment"].endswith(":counted.<locals>.experiment")
    assert record["settings"] == {"seed": 0, "a": 4, "b": 0.5}
    assert record["result"] == {"sum": 4.5, "name": "cell 4"}
    assert record["ghmpp"] == gh.__version__


def test_processes_give_the_table_of_one_process(tmp_path):
    def product(a, b, seed):
        return a * b + seed

    grid = {"a": [1, 2, 3], "b": [4, 5]}
    one = sweep(product, grid, folder=tmp_path / "one", seed=1)
    two = sweep(product, grid, folder=tmp_path / "two", seed=1, workers=2)

    drop = ["seconds"]
    assert one.drop(columns=drop).equals(two.drop(columns=drop))
    assert one["value"].tolist() == [5, 6, 9, 11, 13, 16]


@pytest.mark.slow
def test_cells_that_were_finished_before_a_kill_are_kept(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, time\n"
        "from pathlib import Path\n"
        "from ghmpp.learning.experiments.sweep import sweep\n"
        "def slow(a, seed):\n"
        "    Path(sys.argv[1], f'{a}-{time.monotonic_ns()}').touch()\n"
        "    time.sleep(60 if a == 2 and sys.argv[2] == 'hang' else 0)\n"
        "    return a\n"
        "print(sweep(slow, {'a': range(4)}, folder=sys.argv[3])['value'].tolist())\n"
    )
    runs, cells = tmp_path / "runs", tmp_path / "cells"
    runs.mkdir()
    root = Path(gh.__file__).parents[1]
    command = [sys.executable, str(script), str(runs)]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen([*command, "hang", str(cells)], env=environment) as process:
        while len(list(runs.iterdir())) < 3 and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    done = subprocess.run(
        [*command, "go", str(cells)], env=environment, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[0, 1, 2, 3]"
    assert sorted(path.name[0] for path in runs.iterdir()) == ["0", "1", "2", "2", "3"]


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        ({}, "the grid is empty"),
        ({"a": []}, "a has no values"),
        ({"a": "abc"}, "a: expected a list of values, got 'abc'"),
        ({"a": 3}, "a: expected a list of values, got 3"),
        ({"a": [1], "c": [2]}, "unexpected keyword argument 'c'; its settings are: a, b, seed"),
        ({"b": [1]}, "missing a required argument: 'a'"),
        ({"a": [object()]}, "a: expected a number or text, got object. Settings are numbers"),
    ],
)
def test_grid_that_does_not_fit_is_refused(counted, tmp_path, grid, words):
    with pytest.raises(QueryError, match="sweep: ") as refused:
        sweep(counted, grid, folder=tmp_path / "cells")

    assert words in str(refused.value)
    assert counted.runs == []


@pytest.mark.parametrize("experiment", [lambda a: a, partial(max, 1), max])
def test_experiment_without_a_name_of_its_own_is_refused(experiment, tmp_path):
    with pytest.raises(QueryError, match="it must be a function made with def"):
        sweep(experiment, {"a": [1]}, folder=tmp_path / "cells")


def test_unknown_experiment_and_engine_list_the_known_ones(tmp_path):
    with pytest.raises(QueryError, match="unknown experiment 'ising'; known: 'denoise', 'rhm'"):
        sweep("ising", {"n": [1]}, folder=tmp_path)
    with pytest.raises(QueryError, match="unknown engine 'ray'; known: 'joblib', 'dask', or"):
        sweep("rhm", {"n": [1]}, folder=tmp_path, engine="ray")
    with pytest.raises(QueryError, match="workers must be a whole number >= 1 or None, got 0"):
        sweep("rhm", {"n": [1]}, folder=tmp_path, workers=0)


def test_results_that_no_table_can_hold_are_failures(tmp_path):
    def repeats(a, seed):
        return {"a": 1}

    def listed(a, seed):
        return [1, 2]

    table = sweep(repeats, {"a": [1]}, folder=tmp_path / "cells")
    assert "the result 'a' is called like a setting" in table["failure"][0]

    table = sweep(listed, {"a": [1]}, folder=tmp_path / "cells")
    assert "expected a number or text, got list" in table["failure"][0]


def test_folder_is_checked_before_anything_runs(counted, tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(MissingFolderError, match="mkdir -p"):
        sweep(counted, {"a": [1]}, folder=tmp_path / "no" / "cells")
    with pytest.raises(NotADirectoryError, match="is a file"):
        sweep(counted, {"a": [1]}, folder=tmp_path / "file")
    assert counted.runs == []


def test_progress_is_shown_when_asked_for(counted, tmp_path, capsys):
    sweep(counted, {"a": [1, 2]}, folder=tmp_path / "cells", progress=True)

    assert "experiment: 100%" in capsys.readouterr().err
