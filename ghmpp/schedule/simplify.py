"""A smaller forest with the same answers to one question: what it saves is counted, rule by rule.

Rules are functions from forest to forest, applied before a schedule is built, so that all
families of networks shrink with it. They need numbers: free tables and formulas with symbols stay
as they are, for they may change later.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from ghmpp.models.forest import Forest
from ghmpp.schedule.build import Output
from ghmpp.schedule.cost import cost
from ghmpp.schedule.ir import Schedule
from ghmpp.schedule.simplify_constants import fold_constants
from ghmpp.schedule.simplify_draft import Draft, Pinned
from ghmpp.schedule.simplify_edges import cut_rank_one, multiply_chains
from ghmpp.schedule.simplify_states import lump_states

RULES: Mapping[str, Callable[[Draft], None]] = {
    "tables of rank one cut": cut_rank_one,
    "constants folded": fold_constants,
    "equal states lumped": lump_states,
    "chains multiplied": multiply_chains,
}


@dataclass(frozen=True, slots=True)
class Saving:
    """What one rule did.

    Parameters
    ----------
    rule
        In words.
    places
        How many edges, subtrees, classes or variables it changed.
    operations
        Operations and exponentials per row of evidence that it saved.
    """

    rule: str
    places: int
    operations: int


@dataclass(frozen=True, repr=False)
class Simplified:
    """A forest with fewer operations, and what they were saved by.

    Parameters
    ----------
    forest
        The smaller forest.
    savings
        One entry per rule that found something, in the order of the rules.
    before, after
        Operations and exponentials of the whole schedule per row of evidence.
    log_scale
        Log of the constant by which all masses of the forest were divided: it cancels from
        posteriors and from the log evidence, which is relative to no evidence.
    """

    forest: Forest
    savings: tuple[Saving, ...]
    before: int
    after: int
    log_scale: float

    @property
    def summary(self) -> str:
        """In one line.

        Examples
        --------
        >>> Simplified(Forest("", {}, {}, {}, {}), (), 200, 150, 0.0).summary
        '150 of 200 operations remain (25 % saved)'
        """
        share = 100 * (self.before - self.after) / max(1, self.before)
        return f"{self.after:,} of {self.before:,} operations remain ({share:.0f} % saved)"

    def __repr__(self) -> str:
        lines = [f"{self.forest.name}: {self.summary}"]
        width = max(map(len, RULES))
        for each in self.savings:
            places = f"{each.places:,} {'place' if each.places == 1 else 'places'}"
            lines.append(f"  {each.rule:{width}}  {places:>12}  {each.operations:,} operations")
        return "\n".join(lines)


def simplified(
    forest: Forest,
    outputs: Collection[Output],
    observed: Collection[str],
    plan: Callable[[Forest], Schedule],
) -> Simplified:
    """Simplify a forest for one question, as far as that saves operations.

    Requires: a forest whose classes were declared (grouping comes after); ``outputs`` and
    ``observed`` name classes of it.
    Ensures: observed classes and those in ``outputs`` keep names, nodes, order and states; for
    all evidence that is possible their posteriors, means and joints with their parents are the
    same up to rounding, and so is the log evidence relative to no evidence. No more operations
    than before. Nodes of a class are changed together or not at all, so that tied potentials
    remain tied.

    Parameters
    ----------
    forest
        The model.
    outputs
        Pairs (kind, class) as for the schedule.
    observed
        Classes that may carry evidence.
    plan
        How a forest becomes the schedule whose operations are counted.

    Raises
    ------
    ModelError
        If a part that is summed beforehand has no configuration of positive weight.

    Examples
    --------
    A tree in which nothing of a subtree is asked, by tables of conditional probabilities:

    >>> import ghmpp as gh
    >>> model = gh.Model("weather")
    >>> season = model.root("season", 2)
    >>> day = season.children("day", 3, 2, potential=[[0.9, 0.1], [0.4, 0.6]])
    >>> hour = day.children("hour", 24, 2, potential=[[0.7, 0.3], [0.2, 0.8]])
    >>> gh.compile(model, gh.posterior("season"), given="day", simplify=True).simplified
    weather: 38 of 767 operations remain (95 % saved)
      constants folded             1 place  729 operations
    """
    pinned = _pinned(forest, outputs, observed)
    before = after = _operations(plan(forest))
    places, operations = dict.fromkeys(RULES, 0), dict.fromkeys(RULES, 0)
    log_scale, changed = 0.0, True
    while changed:
        changed = False
        for name, rule in RULES.items():
            draft = Draft.of(forest, pinned)
            rule(draft)
            if not draft.places:
                continue
            smaller = draft.result()
            needed = _operations(plan(smaller))
            if needed > after:
                continue
            forest, changed = smaller, True
            log_scale += draft.log_scale
            places[name] += draft.places
            operations[name] += after - needed
            after = needed
    savings = tuple(Saving(name, places[name], operations[name]) for name in RULES if places[name])
    return Simplified(forest, savings, before, after, log_scale)


def _pinned(forest: Forest, outputs: Collection[Output], observed: Collection[str]) -> Pinned:
    """What the question names; a joint of parents and children needs both."""
    joint = frozenset(name for kind, name in outputs if kind in ("edge", "counts"))
    above = {
        forest.blocks[forest.edges[block.name].parent].variable
        for name in joint
        for block in forest.class_blocks(name)
        if block.name in forest.edges
    }
    asked = {name for _, name in outputs if name}
    return Pinned(frozenset({*asked, *observed, *above}), joint)


def _operations(schedule: Schedule) -> int:
    total = cost(schedule)
    return total.flops + total.exps
