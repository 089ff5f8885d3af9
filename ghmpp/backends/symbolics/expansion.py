"""Answers multiplied out, and how large they would be."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ghmpp._arrays import AnyArray, ObjectArray
from ghmpp.backends.reference import run
from ghmpp.backends.symbolic import Numerators, likelihoods
from ghmpp.backends.symbolic_names import symbolic_data
from ghmpp.backends.symbolics.listing import Names, OutputKey, answer_of
from ghmpp.backends.symbolics.terms import TooManyTermsError, term_count, term_numbers, term_sets
from ghmpp.schedule.ir import Schedule
from ghmpp.schedule.passes import prune

LEAF, DATA = "leaf ", "data "


def size(
    schedule: Schedule, key: OutputKey, leaves: Mapping[str, AnyArray] | None
) -> tuple[bool, int]:
    """Number of terms of an answer, all entries together, without expanding it.

    Returns
    -------
    whether like terms were collected, and the number of terms; where they are too many to be
    collected, the number of products that would be formed, which is not smaller.
    """
    inputs = {LEAF + name: array for name, array in likelihoods(schedule, leaves).items()}
    inputs |= {DATA + name: array for name, array in symbolic_data(schedule.forest).items()}

    def answer(scalars: Mapping[str, ObjectArray]) -> ObjectArray:
        return numerators(schedule, key, _parted(scalars, LEAF), _parted(scalars, DATA))

    products = sum(map(int, answer(term_numbers(inputs)).flat))
    try:
        return True, sum(map(term_count, answer(term_sets(inputs)).flat))
    except TooManyTermsError:
        return False, products


def expanded(
    schedule: Schedule, key: OutputKey, leaves: Mapping[str, AnyArray] | None
) -> ObjectArray:
    """An answer multiplied out, as sympy expressions; not normalised."""
    import sympy

    given = likelihoods(schedule, leaves)
    found = numerators(schedule, key, given, symbolic_data(schedule.forest))
    return np.asarray(np.frompyfunc(sympy.expand, 1, 1)(found), object)


def numerators(
    schedule: Schedule,
    key: OutputKey,
    leaves: Mapping[str, AnyArray],
    data: Mapping[str, AnyArray],
) -> ObjectArray:
    """An answer over any exact scalars, not normalised, in the user's order of nodes."""
    answer = answer_of(schedule, key, Names())
    wanted = {part.value for part in answer.parts}
    outputs = {each: value for each, value in schedule.outputs.items() if value in wanted}
    found = run(prune(schedule, outputs.keys()), leaves, Numerators(), data=data)
    by_value = {value: found[each][0] for each, value in outputs.items()}
    result = np.empty(answer.shape, object)
    for part in answer.parts:
        rows = by_value[part.value]
        if not answer.shape:
            result[()] = rows
        else:
            result[part.at] = rows if part.rows is None else rows[part.rows]
    return result


def _parted(scalars: Mapping[str, ObjectArray], prefix: str) -> dict[str, ObjectArray]:
    """The arrays whose names have a prefix, without it."""
    return {
        name.removeprefix(prefix): array
        for name, array in scalars.items()
        if name.startswith(prefix)
    }
