from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

from ghmpp.backends.symbolic import Assignment, symbolic
from ghmpp.backends.symbolic_names import leaf_symbols
from ghmpp.backends.symbolics.terms import (
    Terms,
    TooManyTermsError,
    merged,
    operation_count,
    term_numbers,
    term_sets,
)
from ghmpp.schedule.build import build_schedule
from tests.backends.small_forests import FORESTS, Class, grow

x, y = sp.symbols("x y")


def sets(*entries: object) -> list[Terms]:
    return list(term_sets({"entries": np.array(entries, object)})["entries"])


def test_products_and_sums_collect_like_terms():
    a, b, both = sets(x, y, x + y)
    cube = both * both * both

    assert len(cube.codes) == 4
    assert (a * a * b).codes <= cube.codes
    assert (cube + a * b).codes > cube.codes


def test_numbers_stand_for_one_term_and_zero_for_none():
    (a,) = sets(x)

    assert (3 * a).codes == a.codes
    assert (a + 1).codes == a.codes | {0}
    assert not (a * 0).codes


def test_negative_and_rational_exponents_are_told_apart():
    one, two, three, four = sets(sp.sqrt(x) / y, y / sp.sqrt(x), sp.exp(-2 * x), sp.exp(x))

    assert (one * two).codes == {0}
    assert (three * four * four).codes == {0}
    assert len({*one.codes, *two.codes, *three.codes, *four.codes}) == 4


def test_numbers_of_terms_are_those_of_expanded_entries():
    entries = np.array([[(x + y) ** 3, sp.Integer(0)], [sp.Integer(5), x]], object)

    assert term_numbers({"a": entries})["a"].tolist() == [[4, 0], [1, 1]]


def test_products_of_very_many_terms_are_not_formed():
    many = Terms(frozenset(range(2000)))

    with pytest.raises(TooManyTermsError):
        many * many


def test_merged_assignments_compute_the_same_results():
    forest = grow(Class("r", 2, unary_rows=1), Class("y", 2, "r", 2), Class("x", 2, "y", 2))
    schedule = build_schedule(forest, [("posterior", "r"), ("posterior", "x")], ["x"])
    a, b = sp.symbols("a b")
    full = symbolic(schedule, {"x": np.array([[[a, b]] * 4])})
    few = merged(full)

    assert len(few) < len(full)
    assert operation_count(few) < operation_count(full)
    values = [_run(each, {a: sp.Rational(1, 3), b: sp.Rational(2, 7)}) for each in (full, few)]
    for name in values[1]:
        assert values[0][name] == values[1][name]
    assert {str(each) for each in values[1]} >= {f"posterior_x_{k}_0" for k in range(4)}


def _run(assignments: tuple[Assignment, ...], start: dict[sp.Symbol, sp.Rational]) -> dict:
    values = dict(start)
    for each in assignments:
        values[sp.Symbol(each.name)] = each.expression.xreplace(values)
    return values


def test_distinct_likelihoods_leave_nothing_to_merge_in_messages():
    schedule = build_schedule(FORESTS["one child"], [("posterior", "r")], ["x"])
    full = symbolic(schedule)

    assert [each for each in merged(full) if each.name.startswith("u_")] == [
        each for each in full if each.name.startswith("u_")
    ]
    assert leaf_symbols(schedule)["x"].size == 3
