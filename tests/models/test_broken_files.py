"""Files of every format that are no model: refused by name and place, and never half-written."""

from __future__ import annotations

import random

import numpy as np
import pytest

import ghmpp as gh
from ghmpp.errors import FormatError, ModelError
from ghmpp.models.factors import Factor, Factors, Node
from ghmpp.models.files import FORMATS, SUFFIXES, read, write
from tests.models.formats.drawn import BIF, UAI, XMLBIF

FILES = {"net.uai": UAI, "net.bif": BIF, "net.xmlbif": XMLBIF}
EVERY = ("m.uai", "m.bif", "m.xml", "m.graph.json", "m.json")


def weather():
    model = gh.Model("weather")
    season = model.root("season", ["dry", "wet"], prior=[0.5, 0.5])
    day = season.children("day", 2, ["sun", "rain"], potential=[[0.9, 0.1], [0.4, 0.6]])
    day.children("grade", 1, 3, potential=[[1, 2, 3], [4, 5, 6]], values=[3, 1, 2])
    return model


def test_unknown_formats_and_endings_list_the_known_ones(tmp_path):
    with pytest.raises(FormatError, match="unknown format 'net'; known: uai, bif, xmlbif"):
        read("a.net", "net")
    for name in ("a.net", "a.json.gz", "uai", ""):
        with pytest.raises(FormatError, match=r"known endings: \.uai, \.bif"):
            read(tmp_path / name)
    assert set(SUFFIXES.values()) == set(FORMATS)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("m.uai", "MARKOV 2", r"m\.uai, line 1, column 9: the numbers of states"),
        ("m.bif", "", r"m\.bif: the file has no variables"),
        ("m.xml", "<BIF>", r"m\.xml, line 1, column 6: is not XML"),
        ("m.json", '{"a":', r"m\.json, line 1, column 6: is not JSON"),
        ("m.json", "{}", r"m\.json: is no node-link record"),
        ("m.graph.json", '{"nodes": [], "edges": []}', "no model comes out of it: .* no nodes"),
        ("m.graph.json", '{"nodes": [{"id": 1}], "edges": []}', "no model .* needs the attribute"),
        ("m.uai", "MARKOV 1 2 1 1 0 2 0 0", r"m\.uai: no model comes out of it"),
    ],
)
def test_malformed_files_are_refused_by_name_and_place(tmp_path, name, content, words):
    (tmp_path / name).write_text(content)

    with pytest.raises(FormatError, match=words):
        read(tmp_path / name)


DAMAGED = [*FILES, "m.graph.json", "m.json"]


@pytest.mark.filterwarnings("ignore::ghmpp.errors.NormalizationWarning")
@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_files_give_a_model_or_a_format_error(tmp_path, name):
    source = tmp_path / name
    if name in FILES:
        source.write_text(FILES[name])
    else:
        write(weather(), source)
    data, rng = source.read_bytes(), random.Random(name)
    read(source)
    refused = 0
    for _ in range(60):
        start = rng.randrange(len(data))
        middle = bytes(rng.choice(b'0123456789abyn "[]{}().,;<>') for _ in range(rng.randrange(3)))
        source.write_bytes(data[:start] + middle + data[start + rng.randrange(4) :])
        try:
            read(source)
        except FormatError:
            refused += 1

    assert refused > 10


def test_binary_files_are_refused(tmp_path):
    for name in EVERY:
        (tmp_path / name).write_bytes(b"\x7fELF\x01\x00" + bytes(range(256)))
        with pytest.raises(FormatError, match=name):
            read(tmp_path / name)


def test_failed_write_keeps_the_old_file(tmp_path):
    place = tmp_path / "m.bif"
    place.write_text("old")
    loop = Factors("m", {"a": Node(2)}, (Factor(("a",), np.array([2.0, 1.0]), None),) * 2)

    model = gh.Model("rules")
    with pytest.raises(ModelError):
        write(model, place)

    assert place.read_text() == "old"
    write(loop, place)
    assert "table 0.8, 0.2;" in place.read_text()
