"""Forests simplified for a question by some rules, and what enumeration says of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from ghmpp.models.forest import Forest
from ghmpp.models.grouping import group
from ghmpp.schedule.build import Output
from ghmpp.schedule.check import check_schedule
from ghmpp.schedule.plan import schedule_for
from ghmpp.schedule.simplify import Pinned, Simplified, simplified
from ghmpp.schedule.simplify_draft import Draft
from ghmpp.verification.enumeration import enumeration
from tests.tolerances import ENUMERATION

Logs = Mapping[str, NDArray[np.float64]]


def by_rule(
    rule: Callable[[Draft], None],
    forest: Forest,
    pinned: Collection[str],
    edges: Collection[str] = (),
) -> tuple[Forest, Draft]:
    """The forest after one rule, and its draft."""
    draft = Draft.of(forest, Pinned(frozenset(pinned), frozenset(edges)))
    rule(draft)
    return draft.result(), draft


def for_question(
    forest: Forest, outputs: Collection[Output], observed: Collection[str]
) -> Simplified:
    """The forest after all rules; its schedule is checked."""

    def plan(forest: Forest) -> object:
        return schedule_for(group(forest), list(outputs), list(observed))

    found = simplified(forest, outputs, observed, plan)
    check_schedule(plan(found.forest))
    return found


def assert_same_answers(
    before: Forest, after: Forest, log_scale: float, asked: Collection[str], logs: Logs
) -> None:
    """Posteriors of some classes, the log evidence, and the mass up to its scale are the same."""
    left, right = enumeration(before, logs or None), enumeration(after, logs or None)
    possible = np.isfinite(left.log_evidence)

    assert_allclose(right.log_partition + log_scale, left.log_partition, ENUMERATION, ENUMERATION)
    assert_allclose(right.log_evidence, left.log_evidence, ENUMERATION, ENUMERATION)
    for name in asked:
        found, true = right.posteriors[name], left.posteriors[name]
        assert_allclose(found[possible], true[possible], ENUMERATION, ENUMERATION)
