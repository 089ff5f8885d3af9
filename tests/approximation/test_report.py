"""Bounds as files."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

import ghmpp as gh
from ghmpp.errors import FormatError, MissingFolderError
from tests.approximation.classics import kernel_model


@pytest.fixture(scope="module")
def found():
    return gh.bounds(kernel_model(2, 2, 3, 3.0), gh.mean("x2"), delta=0.02)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "bounds.json"


def test_what_is_saved_comes_back_the_same(found, path):
    found.save(path)

    assert gh.Bounds.load(path) == found
    assert math.isinf(gh.Bounds.load(path).layers[0].reach)
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_file_is_versioned_plain_json(found, path):
    found.save(path)
    content = json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(name))

    assert (content["format"], content["version"]) == ("ghmpp-bounds", 1)
    assert content["layers"][0]["message"] == "x2 -> x1"


@pytest.mark.parametrize("depth", [30, 5000])
def test_widths_beyond_all_floats_are_kept(found, depth, path):
    large = replace(found, paper_width=18**depth)
    large.save(path)

    assert gh.Bounds.load(path) == large
    assert large.ratio == pytest.approx(math.inf if depth == 5000 else 18.0**depth / found.width)
    assert ("width about 10^6276" in repr(large)) == (depth == 5000)


def test_missing_folder_is_refused(found, tmp_path):
    with pytest.raises(MissingFolderError, match="folder does not exist"):
        found.save(tmp_path / "missing" / "bounds.json")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": "ghmpp-model"}, 'expected "format": "ghmpp-bounds"'),
        ({"version": 2}, "has version 2, but this ghmpp reads version 1"),
        ({"layers": [{}]}, "is broken"),
        ({"layers": 3}, "is broken"),
        ({"bound": "small"}, "is broken"),
        ({"bound": None}, "is broken"),
        ({"extra": 1}, "is broken"),
    ],
)
def test_foreign_and_broken_files_are_refused(found, path, change, words):
    found.save(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))

    with pytest.raises(FormatError, match=words):
        gh.Bounds.load(path)


@pytest.mark.parametrize("text", ["", "{", "[1, 2]"])
def test_other_files_are_refused(path, text):
    path.write_text(text)

    with pytest.raises(FormatError, match=r"is not JSON|holds no bounds"):
        gh.Bounds.load(path)


def test_missing_file_is_refused(path):
    with pytest.raises(FormatError, match="cannot be read"):
        gh.Bounds.load(path)
