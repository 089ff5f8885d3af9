"""The files of an earlier run: kept while a new one is under way, and nothing else touched."""

from __future__ import annotations

import json

import pytest

from ghmpp.demo.earlier import aside, forget, set_aside


def record(folder, *names, finished=True):
    """A folder as a run leaves it."""
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_text(name)
    content = {"finished": finished, "files": list(names)}
    (folder / "results.json").write_text(json.dumps(content))


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_recorded_files_move_and_others_stay(tmp_path):
    record(tmp_path, "report.html", "1-tree.png")
    (tmp_path / "2-mine.png").touch()

    set_aside(tmp_path)

    assert names(tmp_path) == {"2-mine.png", "previous"}
    assert names(tmp_path / "previous") == {"report.html", "1-tree.png", "results.json"}
    assert aside(tmp_path) == tmp_path / "previous"


def test_unfinished_run_gives_way_to_the_one_before_it(tmp_path):
    record(tmp_path, "report.html", finished=False)
    record(tmp_path / "previous", "report.html", "1-tree.png")

    set_aside(tmp_path)

    assert names(tmp_path) == {"previous"}
    assert names(tmp_path / "previous") == {"report.html", "1-tree.png", "results.json"}


def test_finished_run_takes_the_place_of_the_one_before_it(tmp_path):
    record(tmp_path, "report.html")
    record(tmp_path / "previous", "report.html", "1-tree.png")

    set_aside(tmp_path)

    assert names(tmp_path / "previous") == {"report.html", "results.json"}


def test_forgetting_leaves_what_is_not_recorded(tmp_path):
    record(tmp_path / "previous", "report.html")
    (tmp_path / "previous" / "mine.txt").touch()

    forget(tmp_path)

    assert names(tmp_path / "previous") == {"mine.txt"}
    assert aside(tmp_path) is None


def test_forgetting_removes_the_empty_folder(tmp_path):
    record(tmp_path / "previous", "report.html")

    forget(tmp_path)
    forget(tmp_path)

    assert names(tmp_path) == set()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"files": 3}', '{"files": ["gone.png"]}'])
def test_broken_records_lose_nothing(tmp_path, content):
    (tmp_path / "results.json").write_text(content)
    (tmp_path / "report.html").touch()

    set_aside(tmp_path)

    assert "report.html" in names(tmp_path)


def test_names_in_a_record_do_not_lead_out_of_the_folder(tmp_path):
    outside = tmp_path / "mine.txt"
    outside.touch()
    record(tmp_path / "demo")
    (tmp_path / "demo" / "results.json").write_text('{"files": ["../mine.txt"]}')

    set_aside(tmp_path / "demo")

    assert outside.exists()
