"""The whole demo: what a run leaves behind, also when it is stopped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ghmpp.demo import learned, story
from ghmpp.demo.report import Section
from ghmpp.models.model import Model

pytest.importorskip("matplotlib")
pytestmark = pytest.mark.slow

FILES = (
    "1-half-a-digit.png",
    "2-tree.png",
    "3-learning.png",
    "4-denoised.png",
    "5-completed.png",
    "6-convnet.png",
    "7-unet.png",
    "digits.json",
    "network.txt",
    "report.html",
    "results.json",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a quick run leaves, with even fewer iterations."""
    found = tmp_path_factory.mktemp("demo") / "new" / "folder"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learned, "QUICK_ITERATIONS", 3)
        assert story.run(found, quick=True) == found / "report.html"
    return found


@pytest.fixture(scope="module")
def numbers(folder: Path) -> dict:
    return json.loads((folder / "results.json").read_text())


def test_folder_has_every_file_and_no_other(folder):
    names = sorted(path.name for path in folder.iterdir())
    arrays = [name for name in names if name.endswith(".npz")]

    assert len(arrays) == 1
    assert tuple(name for name in names if name not in arrays) == FILES


def test_model_file_is_the_learned_model(folder):
    assert Model.load(folder / "digits.json").free == ()


def test_deviations_are_rounding_errors(numbers):
    assert numbers["half a digit"]["largest deviation from pgmpy"] < 1e-12
    assert numbers["enumeration"]["largest deviation of the whole tree"] < 1e-12
    assert numbers["networks"]["largest difference between U-Net and inference"] < 1e-12


def test_all_hidden_variables_are_compared(numbers):
    assert numbers["half a digit"]["hidden variables"] == 85 - 32


def test_objective_rises(numbers):
    assert numbers["learning"]["smallest rise of the objective"] > 0


def test_report_has_every_step_and_picture(folder):
    html = (folder / "report.html").read_text()

    assert html.count("<section") == 6
    assert "Unfinished" not in html
    assert html.count("data:image/png") == 7
    assert html.rstrip().endswith("</html>")


def test_seconds_of_every_step_are_recorded(numbers):
    assert len(numbers["seconds"]) == 6
    assert min(numbers["seconds"].values()) > 0


def done(stage: story.Stage) -> Section:
    stage.save_text("done.txt", "whole")
    return Section(("Said.",))


def picture(stage: story.Stage) -> Section:
    stage.path("1-old.png").write_bytes(b"an old picture")
    return Section(("Drawn.",))


def stopped(stage: story.Stage) -> Section:
    raise KeyboardInterrupt


def test_stopped_run_leaves_a_whole_report_that_says_so_and_where(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(story, "_steps", lambda: iter([("One", done), ("Two", stopped)]))
    with pytest.raises(KeyboardInterrupt):
        story.run(tmp_path)

    html = (tmp_path / "report.html").read_text()
    assert html.count("<section") == 1
    assert "Unfinished. Steps done: 1." in html
    assert html.rstrip().endswith("</html>")
    assert capsys.readouterr().out.endswith(f"every file in {tmp_path}/ is complete.\n")
    assert {path.name for path in tmp_path.iterdir()} == {"done.txt", "report.html", "results.json"}


def test_stopped_run_leaves_the_last_finished_one_whole(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(story, "_steps", lambda: iter([("One", done), ("Old", picture)]))
    story.run(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr(story, "_steps", lambda: iter([("One", done), ("Two", stopped)]))

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            story.run(tmp_path)

        kept = {path.name: path.read_bytes() for path in (tmp_path / "previous").iterdir()}
        assert kept == before
        assert not (tmp_path / "1-old.png").exists()
        assert f"the run before is in {tmp_path}/previous/" in capsys.readouterr().out


def test_finished_run_takes_the_place_of_all_before(tmp_path, monkeypatch):
    monkeypatch.setattr(story, "_steps", lambda: iter([("Old", picture), ("Two", stopped)]))
    with pytest.raises(KeyboardInterrupt):
        story.run(tmp_path)
    monkeypatch.setattr(story, "_steps", lambda: iter([("One", done)]))

    story.run(tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == {"done.txt", "report.html", "results.json"}
    assert "Unfinished" not in (tmp_path / "report.html").read_text()


def test_folder_that_is_a_file_is_an_error(tmp_path):
    (tmp_path / "taken").write_text("")

    with pytest.raises(FileExistsError):
        story.run(tmp_path / "taken")
