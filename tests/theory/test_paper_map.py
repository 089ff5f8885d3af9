"""The map names every item of the paper, and only functions and tests that exist."""

from __future__ import annotations

import re
from pathlib import Path
from pkgutil import resolve_name
from typing import get_args

import pytest

from ghmpp.theory.paper import RESULTS
from ghmpp.theory.paper_entries import FILES
from ghmpp.theory.paper_map import ENTRIES, checks, functions, markdown
from ghmpp.theory.paper_neighbours import DENOISING, ENCODERS
from ghmpp.theory.results import Status

TOP = Path(__file__).parents[2]
PAGE = TOP / "tutorials" / "paper_map.md"
ITEMS = [item for entry in ENTRIES for item in entry.items.split(", ")]
ALL = (*ENTRIES, *DENOISING, *ENCODERS)
BY_ITEM = pytest.mark.parametrize("entry", ALL, ids=lambda entry: entry.items)


def test_the_page_is_the_generated_one():
    assert PAGE.read_text(encoding="utf-8") == markdown(), (
        "run python -m ghmpp.theory.paper_map > tutorials/paper_map.md"
    )


def test_every_numbered_item_of_the_paper_has_a_row():
    equations = [f"({number})" for number in range(1, 34)]
    named = ["GHM", "ConvNet", "BP-CLS", "MP-CLS", "UNet", "ERM", "SDE", "BP-DNS", "MP-DNS"]
    named += ["A-MP-CLS", "A-MP-DNS"]
    lemmas = [f"Lemma {number}" for number in range(1, 26)]
    others = [f"Theorem {number}" for number in (1, 3, 4, 6)]
    others += [f"Proposition {number}" for number in (2, 5, 7, 8)]
    others += ["Assumption 1", "Assumption 2", "Remark 1", "Remark 2", "Remark 3"]
    wanted = {*equations, *(f"({name})" for name in named), *lemmas, *others}

    assert wanted == set(ITEMS)


def test_every_formula_is_on_the_map():
    named = {place.split(":")[1] for entry in ENTRIES for place in functions(entry)}

    assert set(RESULTS) <= named


@BY_ITEM
def test_functions_exist(entry):
    for place in functions(entry):
        assert resolve_name(place) is not None
        assert (TOP / (place.split(":")[0].replace(".", "/") + ".py")).exists()


@BY_ITEM
def test_tests_exist(entry):
    for test in checks(entry):
        file, name = test.split("::")
        assert re.search(rf"^def {name}\(", (TOP / file).read_text(encoding="utf-8"), re.M), test


@BY_ITEM
def test_what_is_used_has_a_function_and_a_test(entry):
    assert entry.status in get_args(Status)
    if entry.status != "not used":
        assert entry.functions
        assert entry.tests
    if entry.status in ("corrected", "reconstructed"):
        assert entry.erratum


def test_tables_have_as_many_cells_as_their_head():
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line[:1] == "|"]

    assert len(rows) == len(ALL) + 8
    assert {row.count(" | ") for row in rows if "---" not in row} == {4}
    assert all(row.count("|") == 6 for row in rows)


def test_every_file_of_tests_is_named_by_a_row():
    assert {test.split("::")[0] for entry in ALL for test in checks(entry)} == {*FILES.values()}
