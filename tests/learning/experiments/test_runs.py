"""Saved runs: what a folder says, when a run goes on, and what is never overwritten."""

from __future__ import annotations

import json

import pandas as pd
import pytest

import ghmpp as gh
from ghmpp.errors import FolderExistsError, MissingFolderError, QueryError
from ghmpp.learning.experiments.runs import open_run

SETTINGS = {"width": 8, "steps": 10, "grid": (1, 2)}


def test_folder_says_what_was_run(tmp_path):
    run = open_run(tmp_path / "run", "train", SETTINGS, seed=3)
    run.save_table("history.csv", pd.DataFrame({"step": [0, 1], "loss": [2.0, 1.0]}))
    run.finish(excess=0.5)

    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert not run.resumed
    assert (config["command"], config["seed"]) == ("train", 3)
    assert config["settings"] == {"width": 8, "steps": 10, "grid": [1, 2]}
    assert config["versions"]["ghmpp"] == gh.__version__
    assert {"python", "torch", "numpy"} <= config["versions"].keys()
    assert pd.read_csv(tmp_path / "run" / "history.csv")["loss"].tolist() == [2.0, 1.0]
    assert json.loads((tmp_path / "run" / "summary.json").read_text()) == {"excess": 0.5}


def test_same_run_goes_on_and_keeps_what_it_has(tmp_path):
    open_run(tmp_path / "run", "train", SETTINGS, seed=3).finish(loss=1)
    again = open_run(tmp_path / "run", "train", SETTINGS, seed=3)

    assert again.resumed
    assert (tmp_path / "run" / "summary.json").exists()


def test_run_may_go_on_with_other_values_of_what_is_free(tmp_path):
    open_run(tmp_path / "run", "train", SETTINGS, seed=3).finish(loss=1)
    again = open_run(tmp_path / "run", "train", {**SETTINGS, "steps": 20}, seed=3, free=["steps"])

    assert again.resumed
    assert json.loads((tmp_path / "run" / "config.json").read_text())["settings"]["steps"] == 20


@pytest.mark.parametrize(
    ("command", "settings", "seed", "words"),
    [
        ("sweep", SETTINGS, 3, "command was 'train', is 'sweep'"),
        ("train", {**SETTINGS, "width": 9}, 3, "width was 8, is 9"),
        ("train", {**SETTINGS, "rate": 1.0}, 3, "rate was None, is 1.0"),
        ("train", {"width": 8}, 3, "steps was 10, is None"),
        ("train", SETTINGS, 4, "seed was 3, is 4"),
    ],
)
def test_other_run_is_refused_and_replaced_only_when_asked_for(
    tmp_path, command, settings, seed, words
):
    open_run(tmp_path / "run", "train", SETTINGS, seed=3).finish(loss=1)

    with pytest.raises(FolderExistsError, match=words):
        open_run(tmp_path / "run", command, settings, seed=seed)
    assert (tmp_path / "run" / "summary.json").exists()
    run = open_run(tmp_path / "run", command, settings, seed=seed, overwrite=True)
    assert not run.resumed
    assert [path.name for path in run.folder.iterdir()] == ["config.json"]


def test_run_that_left_nothing_is_in_nobodys_way(tmp_path):
    open_run(tmp_path / "run", "train", SETTINGS, seed=3)
    run = open_run(tmp_path / "run", "train", {"width": 9}, seed=3)

    assert not run.resumed
    assert json.loads((tmp_path / "run" / "config.json").read_text())["settings"] == {"width": 9}


def test_what_is_no_run_is_never_removed(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").touch()
    with pytest.raises(FolderExistsError, match="content that is no run"):
        open_run(tmp_path / "thesis", "train", SETTINGS, seed=0, overwrite=True)

    open_run(tmp_path / "run", "train", SETTINGS, seed=0)
    (tmp_path / "run" / "notes.txt").touch()
    with pytest.raises(FolderExistsError, match=r"'notes\.txt', which is of no run"):
        open_run(tmp_path / "run", "train", SETTINGS, seed=1, overwrite=True)
    assert (tmp_path / "run" / "config.json").exists()


def test_folder_in_no_folder_and_file_are_refused(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(MissingFolderError, match="mkdir -p"):
        open_run(tmp_path / "no" / "run", "train", SETTINGS, seed=0)
    with pytest.raises(NotADirectoryError, match="is a file"):
        open_run(tmp_path / "file", "train", SETTINGS, seed=0)


def test_summary_of_what_json_cannot_hold_is_refused(tmp_path):
    run = open_run(tmp_path / "run", "train", SETTINGS, seed=0)

    with pytest.raises(QueryError, match=r"summary\.json: holds numbers, texts and lists"):
        run.finish(model=object())
