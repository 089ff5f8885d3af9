"""Writing files: all or nothing."""

from __future__ import annotations

import pytest

from ghmpp._files import replaced


def test_failure_leaves_the_last_good_file_and_no_draft(tmp_path):
    target = tmp_path / "result.txt"
    target.write_text("good")

    def interrupted():
        with replaced(target) as draft:
            draft.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert target.read_text() == "good"
    assert list(tmp_path.iterdir()) == [target]


def test_draft_keeps_the_suffix(tmp_path):
    with replaced(tmp_path / "plan.png") as draft:
        draft.touch()

    assert draft.suffix == ".png"


def test_missing_folder_is_named(tmp_path):
    target = tmp_path / "missing" / "result.txt"

    with pytest.raises(FileNotFoundError, match=r"folder does not exist.*result\.txt"):
        replaced(target).__enter__()
