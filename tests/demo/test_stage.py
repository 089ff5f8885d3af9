"""What steps share: aligned tables, numbered pictures, files that are whole."""

from __future__ import annotations

import json

import pytest

from ghmpp.demo.report import Table
from ghmpp.demo.stage import Stage, busy, require_agreement
from ghmpp.errors import VerificationError
from ghmpp.examples import DigitsSplit
from ghmpp.models.model import Model
from ghmpp.schedule.drawing import Sheet


@pytest.fixture
def stage(tmp_path) -> Stage:
    return Stage(tmp_path, DigitsSplit(*[None] * 4), Model())


def test_table_is_printed_in_aligned_columns(stage, capsys):
    stage.say_table(Table("", ["", "bits"], [["uniform", "4.087"], ["a", "2"]]))

    lines = capsys.readouterr().out.splitlines()
    assert [line.strip() for line in lines] == ["bits", "uniform   4.087", "a             2"]
    assert len({len(line) for line in lines}) == 1


def test_pictures_are_numbered_in_order(stage):
    pytest.importorskip("matplotlib")
    pictures = [stage.save_picture(name, Sheet(1, 1).figure, "") for name in ("a", "b")]

    assert [picture.file for picture in pictures] == ["1-a.png", "2-b.png"]
    assert [picture.number for picture in pictures] == [1, 2]
    assert (stage.folder / "2-b.png").read_bytes().startswith(b"\x89PNG")


def test_numbers_are_json(stage):
    stage.numbers["learning"] = {"bits": 2.05, "iterations": 80}
    stage.save_text("network.txt", "A table.")
    stage.save_numbers(finished=True)

    record = json.loads((stage.folder / "results.json").read_text())
    assert record == {**stage.numbers, "finished": True, "files": ["network.txt"]}


def test_failed_write_keeps_the_old_file(stage):
    stage.save_text("a.txt", "old")
    with pytest.raises(UnicodeEncodeError):
        stage.save_text("a.txt", "\udcff")

    assert (stage.folder / "a.txt").read_text() == "old"
    assert [path.name for path in stage.folder.iterdir()] == ["a.txt"]


def test_agreement_within_rounding_passes():
    require_agreement("pgmpy", 1e-12)


@pytest.mark.parametrize("deviation", [1e-6, float("nan")])
def test_disagreement_is_refused_with_the_engine_and_the_size(deviation):
    with pytest.raises(VerificationError, match=f"{deviation:.1e} from pgmpy, and 1e-09"):
        require_agreement("pgmpy", deviation)


def test_waiting_is_said_on_a_terminal_and_taken_back(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with busy("asking"):
        assert "asking ..." in capsys.readouterr().err

    assert capsys.readouterr().err == "\r\x1b[K"


def test_waiting_is_silent_elsewhere(capsys):
    with busy("asking"):
        pass

    assert capsys.readouterr().err == ""
