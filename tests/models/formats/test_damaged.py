"""Files cut short or damaged at random places: a model or a FormatError, and quickly."""

from __future__ import annotations

import random
from time import process_time

import numpy as np
import pytest

from ghmpp.errors import FormatError
from ghmpp.models.convert_networkx import bipartite
from ghmpp.models.formats.bif import parse_bif
from ghmpp.models.formats.nodelink import format_nodelink, parse_json, parse_nodelink
from ghmpp.models.formats.text import Text, decode
from ghmpp.models.formats.uai import parse_uai
from ghmpp.models.formats.uai_evidence import parse_evidence
from ghmpp.models.formats.xmlbif import parse_xmlbif
from tests.models.formats.drawn import BIF, UAI, XMLBIF

NETWORK = parse_bif(Text(BIF, "f"))


def _nodelink(data):
    return parse_nodelink(parse_json(decode(data, "f")), "f")


CASES = {
    "uai": (UAI, lambda data: parse_uai(decode(data, "f"))),
    "bif": (BIF, lambda data: parse_bif(decode(data, "f"))),
    "xmlbif": (XMLBIF, lambda data: parse_xmlbif(data, "f")),
    "node-link": (format_nodelink(bipartite(NETWORK)), _nodelink),
    "evidence": ("2\n2 0 1 2 0\n1 1 1\n", lambda d: parse_evidence(decode(d, "f"), NETWORK)),
}
PIECES = ["0", "9" * 12, "9" * 400, "-", "1e9", "1e-400", "nan", " ", "\n", "{", "}", "(", ";", "<"]
PIECES += ["\x00", "\xff", "é", '"', "/*", "//", "#", "&", "[", "]", ",", "null", "table", "x1"]


def damaged(content, rng):
    """The file with one random piece missing, doubled, replaced or added, or cut there."""
    data = content.encode()
    start = rng.randrange(len(data))
    stop = min(len(data), start + rng.choice([1, 1, 2, 5, 40]))
    piece = rng.choice(PIECES).encode("latin-1", "replace")
    match rng.randrange(5):
        case 0:
            return data[:start]
        case 1:
            return data[:start] + data[stop:]
        case 2:
            return data[:stop] + data[start:]
        case 3:
            return data[:start] + piece + data[stop:]
        case _:
            return data[:start] + piece + data[start:]


@pytest.mark.parametrize("kind", CASES)
def test_damaged_files_are_read_or_refused(kind):
    content, parse = CASES[kind]
    rng = random.Random(kind)
    parse(content.encode())
    read = refused = 0
    for _ in range(400):
        data = damaged(content, rng)
        start = process_time()
        try:
            found = parse(data)
        except FormatError:
            refused += 1
        else:
            check(found)
            read += 1
        assert process_time() - start < 1

    assert refused > 100
    assert read > 10


def check(found):
    """Whole tables of finite numbers, one axis per variable."""
    for factor in getattr(found, "factors", ()):
        assert np.isfinite(factor.table).all()
        assert (np.asarray(factor.table) >= 0).all()
        assert np.ndim(factor.table) == len(factor.variables)
        assert set(factor.variables) <= set(found.nodes)


@pytest.mark.parametrize("kind", ["uai", "bif", "xmlbif", "node-link"])
def test_no_beginning_of_a_file_passes_for_the_whole(kind):
    content, parse = CASES[kind]
    data = content.rstrip().encode()

    for stop in range(0, len(data) - 1, 7):
        with pytest.raises(FormatError):
            parse(data[:stop])


@pytest.mark.parametrize("kind", CASES)
def test_random_bytes_are_refused(kind):
    rng = random.Random(kind)

    for size in (1, 10, 1000, 100_000):
        with pytest.raises(FormatError):
            CASES[kind][1](b"\x01" + rng.randbytes(size))
