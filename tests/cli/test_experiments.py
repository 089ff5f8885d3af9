"""Commands with saved runs: what their folders hold, and how they go on."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import ghmpp as gh
from ghmpp.cli.main import main

SPEC = """
import ghmpp as gh

def model(flip=0.1):
    tables = [[[1 - flip, flip], [flip, 1 - flip]]] * 2
    return gh.GHM(2, (2, 2), tables, state_values=[-1, 1])
"""
TRAIN = ["--query", "mean(x2)", "--noisy", "1", "--width", "8", "--batch", "32"]


@pytest.fixture
def spec(tmp_path):
    path = tmp_path / "tree.py"
    path.write_text(SPEC)
    return str(path)


def read(folder, name):
    return json.loads((folder / name).read_text())


@pytest.mark.slow
def test_train_leaves_a_run_that_says_what_it_was(spec, tmp_path, capsys):
    run = tmp_path / "run"
    options = ["--set", "flip=0.2", "--steps", "20", "--seed", "5", "-o", str(run), "--export"]
    assert main(["train", spec, *TRAIN, *options]) == 0

    config, summary = read(run, "config.json"), read(run, "summary.json")
    history = pd.read_csv(run / "history.csv")
    low, high = summary["interval"]
    assert (config["command"], config["seed"]) == ("train", 5)
    assert config["settings"]["settings"] == ["flip=0.2"]
    assert history["step"].iloc[-1] == summary["step"] == 20
    assert low <= summary["excess"] <= high
    assert (run / "history.png").stat().st_size > 0
    assert "excess" in capsys.readouterr().out

    program = gh.load(run / "network")
    risk = gh.excess_risk(program, network_program(0.2), seed=5)
    assert risk.excess.value == pytest.approx(summary["excess"])


def network_program(flip):
    tables = [[[1 - flip, flip], [flip, 1 - flip]]] * 2
    model = gh.GHM(2, (2, 2), tables, state_values=[-1, 1])
    return gh.compile(model, gh.mean("x2"), gh.noisy("x2", sigma=1.0))


@pytest.mark.slow
def test_train_goes_on_with_more_steps_at_a_constant_rate(spec, tmp_path, capsys):
    once, twice = tmp_path / "once", tmp_path / "twice"
    constant = [spec, *TRAIN, "--schedule", "constant", "--rate", "0.01"]
    assert main(["train", *constant, "--steps", "50", "-o", str(twice)]) == 0
    assert main(["train", *constant, "--steps", "100", "-o", str(twice)]) == 0
    assert "going on with" in capsys.readouterr().err
    assert read(twice, "config.json")["settings"]["steps"] == 100
    assert main(["train", *constant, "--steps", "100", "-o", str(once)]) == 0

    assert pd.read_csv(twice / "history.csv")["step"].tolist() == [0, 50, 100]
    assert read(twice, "summary.json") == read(once, "summary.json")


@pytest.mark.slow
def test_other_run_in_the_folder_needs_overwrite(spec, tmp_path, capsys):
    run = str(tmp_path / "run")
    command = ["train", spec, *TRAIN, "--steps", "4", "-o", run]
    assert main(command) == 0
    assert main([*command, "--seed", "1"]) == 2
    assert "has another run (seed was 0, is 1); pass --overwrite" in capsys.readouterr().err
    assert main([*command, "--seed", "1", "--overwrite"]) == 0
    assert read(tmp_path / "run", "config.json")["seed"] == 1


def test_standard_networks_can_be_trained(spec, tmp_path):
    options = ["--network", "mlp", "-n", "50", "--steps", "4", "-o", str(tmp_path / "run")]

    assert main(["train", spec, *TRAIN, *options]) == 0
    assert read(tmp_path / "run", "config.json")["settings"]["network"] == "mlp"


def test_sweep_leaves_table_picture_and_cells(tmp_path, capsys):
    run = tmp_path / "runs"
    command = ["sweep", "rhm", "--grid", "learner=em", "--grid", "v=3", "--grid", "m=1"]
    command += ["--grid", "tests=50", "-o", str(run)]
    assert main([*command, "--grid", "n=5,40"]) == 0
    first = {path.name for path in (run / "cells").iterdir()}
    assert main([*command, "--grid", "n=5,40,80", "--seeds", "1", "--y", "train_error"]) == 0

    table = pd.read_csv(run / "table.csv")
    assert table["n"].tolist() == table["examples"].tolist() == [5, 40, 80]
    assert table["scaled"].tolist() == pytest.approx([5 / 3, 40 / 3, 80 / 3])
    assert table["failure"].isna().all()
    assert first < {path.name for path in (run / "cells").iterdir()}
    assert read(run, "summary.json") == {"cells": 3, "failed": 0}
    assert (run / "picture.png").exists()
    assert "relative_error" in capsys.readouterr().out


def test_sweep_with_failed_cells_ends_with_exit_code_1(tmp_path, capsys):
    command = ["sweep", "rhm", "--grid", "learner=em,svm", "--grid", "v=3", "--grid", "m=1"]

    assert main([*command, "--grid", "n=9", "-o", str(tmp_path / "runs")]) == 1
    shown = capsys.readouterr().out
    assert "1 of 2 cells failed" in shown
    assert "QueryError: rhm: unknown learner 'svm'" in shown


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["rhm", "--grid", "n"], "--grid: expected NAME=VALUES such as n=100,1000, got 'n'"),
        (["rhm", "--grid", "leaves=3"], "its settings are: learner, n, ratio"),
        (["ising", "--grid", "n=1"], "unknown experiment 'ising'; known: 'denoise', 'rhm'"),
        (["rhm"], "the grid is empty"),
    ],
)
def test_sweep_that_cannot_be_run_says_why(options, words, tmp_path, capsys):
    assert main(["sweep", *options, "-o", str(tmp_path / "runs")]) == 2
    assert words in capsys.readouterr().err


def test_diffuse_leaves_samples_and_how_good_they_are(spec, tmp_path, capsys):
    run = tmp_path / "run"
    assert main(["diffuse", spec, "-n", "2000", "--steps", "8", "-o", str(run)]) == 0

    table, summary = pd.read_csv(run / "samples.csv"), read(run, "summary.json")
    assert table.columns.tolist() == [f"x2[{k}]" for k in range(4)]
    assert len(table) == 2000
    assert set(np.unique(table)) == {0, 1}
    assert summary["calls"] == 9
    assert summary["joint"] < 0.1
    assert (run / "picture.png").exists()
    assert "total variation" in capsys.readouterr().out


def test_diffuse_under_a_condition(spec, tmp_path):
    options = ["-n", "500", "--steps", "4", "--given", "x2[0]=1", "-o", str(tmp_path / "run")]

    assert main(["diffuse", spec, *options]) == 0
    assert (pd.read_csv(tmp_path / "run" / "samples.csv")["x2[0]"] == 1).all()


def test_condition_that_is_none_is_refused(spec, tmp_path, capsys):
    assert main(["diffuse", spec, "--given", "x0", "-o", str(tmp_path / "run")]) == 2
    assert "--given: expected CLASS=STATE such as digit=3, got 'x0'" in capsys.readouterr().err
