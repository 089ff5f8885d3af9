"""Writing files: all or nothing."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from ghmpp._files import replaced, replaced_folder
from ghmpp.errors import MissingFolderError


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


def test_missing_folder_is_named_with_the_cure(tmp_path):
    target = tmp_path / "missing" / "result.txt"

    with pytest.raises(MissingFolderError, match=r"result\.txt: its folder does not .*; make it"):
        replaced(target).__enter__()


def test_folder_in_the_place_of_the_file_is_named(tmp_path):
    with pytest.raises(IsADirectoryError, match=r"is a folder; name a file in it: '.*'"):
        replaced(tmp_path).__enter__()


def test_what_cannot_be_written_is_named_and_not_its_draft(tmp_path):
    target = tmp_path / "result.txt"

    with pytest.raises(FileNotFoundError) as caught, replaced(target):
        pass  # nothing is written

    assert caught.value.filename == str(target)


def test_link_stays_and_what_it_points_to_is_replaced(tmp_path):
    target, link = tmp_path / "results" / "1.txt", tmp_path / "latest.txt"
    target.parent.mkdir()
    target.write_text("old")
    link.symlink_to(target)

    with replaced(link) as draft:
        draft.write_text("new")

    assert link.is_symlink()
    assert target.read_text() == "new"


def test_pipe_is_written_and_stays_a_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(pipe.read_text)
        with replaced(pipe) as draft:
            draft.write_text("through")

    assert read.result(timeout=10) == "through"
    assert pipe.is_fifo()


def test_threads_write_the_same_file_without_meeting(tmp_path):
    target = tmp_path / "result.txt"
    texts = [f"{k}\n" * 10_000 for k in range(8)]
    together = Barrier(len(texts))

    def write(text):
        with replaced(target) as draft:
            together.wait()
            draft.write_text(text)
            together.wait()

    with ThreadPoolExecutor(len(texts)) as pool:
        list(pool.map(write, texts))

    assert target.read_text() in texts
    assert list(tmp_path.iterdir()) == [target]


class TestFolders:
    def test_failure_leaves_the_last_good_folder_and_no_draft(self, tmp_path):
        target = tmp_path / "results"
        target.mkdir()
        (target / "1.txt").write_text("good")

        def interrupted():
            with replaced_folder(target) as draft:
                (draft / "2.txt").write_text("half")
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            interrupted()

        assert (target / "1.txt").read_text() == "good"
        assert list(tmp_path.iterdir()) == [target]

    def test_the_new_folder_has_nothing_of_the_old_one(self, tmp_path):
        target = tmp_path / "results"
        for name in ("1.txt", "2.txt"):
            with replaced_folder(target) as draft:
                (draft / name).write_text(name)

        assert [each.name for each in target.iterdir()] == ["2.txt"]
        assert list(tmp_path.iterdir()) == [target]

    def test_the_old_folder_comes_back_if_the_new_one_cannot_take_its_place(
        self, tmp_path, monkeypatch
    ):
        target = tmp_path / "results"
        with replaced_folder(target) as draft:
            (draft / "1.txt").write_text("good")
        rename = Path.rename

        def refused(path, new):
            if new == target and not path.name.endswith(".old"):
                raise PermissionError("no")
            return rename(path, new)

        monkeypatch.setattr(Path, "rename", refused)
        with pytest.raises(PermissionError), replaced_folder(target) as draft:
            (draft / "2.txt").write_text("new")

        assert [each.name for each in target.iterdir()] == ["1.txt"]
        assert list(tmp_path.iterdir()) == [target]

    def test_a_missing_folder_above_is_named_with_the_cure(self, tmp_path):
        with pytest.raises(MissingFolderError, match=r"does not exist; make it first \(mkdir -p"):
            replaced_folder(tmp_path / "missing" / "results").__enter__()
