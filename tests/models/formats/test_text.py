"""Files as text: packed or not, and what is no text is refused by place."""

from __future__ import annotations

import gzip
import pickle
import re

import pytest

from ghmpp.errors import FormatError, GhmppError
from ghmpp.models.formats import text as module
from ghmpp.models.formats.text import Text, decode, read_bytes, write_text


def test_error_names_file_line_and_column():
    error = Text("one\ntwo three\n", "a.uai").error("wrong word.", 8)

    assert str(error) == "a.uai, line 2, column 5: wrong word."
    assert (error.path, error.line, error.column) == ("a.uai", 2, 5)
    assert isinstance(error, GhmppError)
    assert isinstance(error, ValueError)


def test_error_survives_pickling():
    error = pickle.loads(pickle.dumps(Text("a", "f").error("wrong.", 0)))

    assert (str(error), error.path, error.line, error.column) == (
        "f, line 1, column 1: wrong.",
        "f",
        1,
        1,
    )


def test_line_ends_of_all_systems_are_one():
    assert decode(b"a\r\nb\rc\n", "f").content == "a\nb\nc\n"


def test_byte_order_mark_is_skipped():
    assert decode(b"\xef\xbb\xbfMARKOV", "f").content == "MARKOV"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"ab\ncd\xff", r"f, line 2, column 3: byte 0xff is no UTF-8"),
        (b"MARKOV\n1\x00", r"f, line 2, column 2: the character .* binary"),
        (b"\x89PNG\r\n\x1a\n", "byte 0x89 is no UTF-8"),
    ],
)
def test_what_is_no_text_is_refused(data, words):
    with pytest.raises(FormatError, match=words):
        decode(data, "f")


def test_comments_are_blanked_and_offsets_stay():
    text = Text('a // b\n"//" c', "f")

    blanked = text.blanked(re.compile(r'"[^"]*"|//[^\n]*'))

    assert blanked == 'a     \n"//" c'


@pytest.mark.parametrize("name", ["plain.uai", "packed.uai.gz"])
def test_written_files_come_back(tmp_path, name):
    path = tmp_path / name

    write_text("1 2 é\n", path)

    assert decode(read_bytes(path), name).content == "1 2 é\n"
    assert [item.name for item in tmp_path.iterdir()] == [name]


def test_packed_files_are_the_same_every_time(tmp_path):
    paths = [tmp_path / "a.gz", tmp_path / "b.gz"]

    for path in paths:
        write_text("content", path)

    assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"not packed", "cannot be unpacked"),
        (gzip.compress(b"x" * 1000, mtime=0)[:-9], "cannot be unpacked"),
        (gzip.compress(b"x" * 1000, mtime=0)[:12] + b"\xff" * 20, "cannot be unpacked"),
    ],
    ids=["plain", "cut", "overwritten"],
)
def test_broken_packed_files_are_refused(tmp_path, data, words):
    path = tmp_path / "f.uai.gz"
    path.write_bytes(data)

    with pytest.raises(FormatError, match=words):
        read_bytes(path)


def test_missing_file_and_folder_are_refused(tmp_path):
    with pytest.raises(FormatError, match=r"none.uai: cannot be read \(No such file"):
        read_bytes(tmp_path / "none.uai")
    with pytest.raises(FormatError, match=r"cannot be read \(Is a directory"):
        read_bytes(tmp_path)


def test_huge_packed_content_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "f.uai.gz"
    path.write_bytes(gzip.compress(b"0" * 10_000))
    monkeypatch.setattr(module, "LARGEST", 9_999)
    monkeypatch.setattr(module, "PIECE", 1_000)

    with pytest.raises(FormatError, match="holds more than 9999 bytes"):
        read_bytes(path)


def test_interrupted_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "f.uai"
    path.write_text("old")
    monkeypatch.setattr(module.Path, "write_bytes", _fail)

    with pytest.raises(OSError, match="disk full"):
        write_text("new", path)

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def _fail(path, data):
    with path.open("wb") as file:
        file.write(data[:1])
    raise OSError("disk full")
