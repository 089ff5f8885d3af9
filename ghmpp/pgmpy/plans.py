"""Compiled answers, one for every pattern of question: what is asked, what will be observed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import TypeAlias

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp.backends.small import SmallPlan
from ghmpp.backends.small_lowering import lower
from ghmpp.inference.answering import Answering, Question
from ghmpp.inference.queries import Inference
from ghmpp.models.assembly import model_of
from ghmpp.models.factors import Factors
from ghmpp.models.model import Model
from ghmpp.models.observations import Observation
from ghmpp.models.relevant import parts, relevant
from ghmpp.schedule.build import LOG_EVIDENCE, Output, build_schedule
from ghmpp.schedule.ir import Semiring
from ghmpp.schedule.passes import prune

# Patterns that are kept compiled, and joint states of all their classes together (each takes some
# tens of bytes); the least recently used leave first.
KEPT, KEPT_STATES = 128, 2**23
# Joint states up to which the largest entry of a table is preferred to a completion.
SMALL_TABLE = 1024
# Numbers of all values that a batch makes of the rows that it runs together. Small models have
# many instructions for few numbers, so they take more rows at a time than others.
NUMBERS, FEWEST_ROWS = 8_000_000, 32
Scope: TypeAlias = tuple[str, ...]


@dataclass(frozen=True)
class Pattern:
    """A kind of question.

    Parameters
    ----------
    scopes
        The sets of variables whose joint tables are asked.
    hard, soft
        Variables whose state will be known, and those that will have a likelihood; sorted.
    mass
        Whether the mass that agrees with the evidence is wanted, not only its being zero or not.
    semiring
        "sum" for marginals, "max" for the weight of the best completion.
    """

    scopes: tuple[Scope, ...]
    hard: tuple[str, ...] = ()
    soft: tuple[str, ...] = ()
    mass: bool = False
    semiring: Semiring = "sum"


@dataclass(frozen=True)
class Answer:
    """Tables by scope, one axis per variable in its order, and the log of the mass.

    Every table sums to 1. Of impossible evidence the log mass is -inf, and tables are zeros.
    """

    tables: Mapping[Scope, FloatArray]
    log_mass: float


class Plans:
    """Questions about one model, each pattern compiled at its first use and kept.

    Parameters
    ----------
    graph
        The model.

    Attributes
    ----------
    kept
        Plans by pattern, the least recently used first.
    made
        Plans that were compiled so far.
    """

    def __init__(self, graph: Factors) -> None:
        self.graph = graph
        self.kept: OrderedDict[Pattern, Plan] = OrderedDict()
        self.made = 0

    def compiled(self, pattern: Pattern) -> Plan:
        """The plan of a pattern.

        Raises
        ------
        TreewidthError
            If it needs more memory than there is.
        """
        if pattern in self.kept:
            self.kept.move_to_end(pattern)
            return self.kept[pattern]
        plan = self.kept[pattern] = self._compile(pattern)
        self.made += 1
        while len(self.kept) > 1 and not self._fits():
            self.kept.popitem(last=False)
        return plan

    def _fits(self) -> bool:
        """Whether the plans that are kept stay within bounds."""
        states = sum(plan.states for plan in self.kept.values())
        return len(self.kept) <= KEPT and states <= KEPT_STATES

    def _compile(self, pattern: Pattern) -> Plan:
        """Prune the model to the pattern, and compile it with the asked sets together."""
        wanted = {name for scope in pattern.scopes for name in scope}
        part = relevant(
            self.graph, wanted, pattern.hard, likelihoods=pattern.soft, mass=pattern.mass
        )
        together = [scope for scope in pattern.scopes if len(scope) > 1]
        model = model_of(part.graph, root=pattern.scopes[0][0], together=together)
        copies = {
            copy: place for place, name in enumerate(pattern.hard) for copy in part.copies[name]
        }
        return Plan(pattern, part.graph, model, copies)


@dataclass(frozen=True, eq=False)
class Plan:
    """A compiled pattern.

    Parameters
    ----------
    pattern
        What it answers.
    graph, model
        The pruned model, in which every factor has observed variables of its own.
    copies
        Position in ``pattern.hard`` by name of an observed variable in the model.
    """

    pattern: Pattern
    graph: Factors
    model: Model
    copies: Mapping[str, int]

    def answer(self, states: Sequence[int], likelihoods: Sequence[FloatArray]) -> Answer:
        """The answer, given states and likelihoods in the order of the pattern."""
        if self.small is not None and _decades(likelihoods) <= self.small.decades:
            here = [states[place] for place in self.copies.values()]
            found, log_mass = self.small.run(here, likelihoods)
        else:
            found, log_mass = self._by_torch(states, likelihoods)
        tables = {scope: found[name].reshape(shape) for scope, name, shape in self.holders}
        return Answer(tables, log_mass)

    @cached_property
    def states(self) -> int:
        """Joint states of all classes together."""
        return sum(block.states for block in self.model.forest().blocks.values())

    @cached_property
    def holders(self) -> list[tuple[Scope, str, tuple[int, ...]]]:
        """Scopes, each with the class that has its joint states, and the shape of its table."""
        hidden = {each.scope: name for name, each in self.model.declarations.items() if each.scope}
        sizes = {name: len(found.states) for name, found in self.model.forest().variables.items()}
        return [
            (
                scope,
                scope[0] if len(scope) == 1 else hidden[scope],
                tuple(sizes[each] for each in scope),
            )
            for scope in self.pattern.scopes
        ]

    @cached_property
    def outputs(self) -> list[Output]:
        """What is computed."""
        return [*(("posterior", name) for _, name, _ in self.holders), LOG_EVIDENCE]

    @cached_property
    def small(self) -> SmallPlan | None:
        """The plan for single rows; None where torch has to run it."""
        if self.pattern.semiring != "sum":
            return None
        observed = (*self.copies, *self.pattern.soft)
        schedule = prune(build_schedule(self.model.forest(), self.outputs, observed))
        return lower(schedule, tuple(self.copies), self.pattern.soft)

    @cached_property
    def engine(self) -> Inference:
        """The model for batches of rows; impossible ones are flagged."""
        rows = NUMBERS // self.states
        batch_size = rows if rows >= FEWEST_ROWS else None
        return Inference(self.model, on_impossible="flag", batch_size=batch_size)

    @cached_property
    def large(self) -> Answering:
        """The networks that answer otherwise."""
        return Answering(self.model.forest(), "float64", "cpu", None)

    def best(
        self, states: Sequence[int], likelihoods: Sequence[FloatArray]
    ) -> dict[str, int] | None:
        """The most probable states of all variables of the model; None of impossible evidence."""
        names = [name for name in self.graph.nodes if name not in self.copies]
        outputs: list[Output] = [("choice", name) for name in names]
        results = self._run([*outputs, LOG_EVIDENCE], "max", states, likelihoods)
        if results[LOG_EVIDENCE] == -np.inf:
            return None
        return {name: int(results["choice", name]) for name in names}

    def separate(self) -> tuple[list[Scope], list[Scope]]:
        """The asked variables by connected parts: those to complete, and those to tabulate.

        A part can be completed if all its variables are asked or observed; a small table costs
        less.
        """
        asked = {name for scope in self.pattern.scopes for name in scope}
        variables = self.model.forest().variables
        completed: list[Scope] = []
        tabulated: list[Scope] = []
        for part in parts(self.graph):
            scope = tuple(sorted(asked & part.variables))
            size = prod(len(variables[name].states) for name in scope)
            whole = asked.union(self.copies) >= part.variables
            if scope:
                (completed if whole and size > SMALL_TABLE else tabulated).append(scope)
        return completed, tabulated

    def _by_torch(
        self, states: Sequence[int], likelihoods: Sequence[FloatArray]
    ) -> tuple[dict[str, FloatArray], float]:
        """Tables by class, and the log of the mass."""
        results = self._run(self.outputs, self.pattern.semiring, states, likelihoods)
        log_mass = float(results.pop(LOG_EVIDENCE))
        # Of a max schedule, the largest entry is 1; of impossible evidence, all are 0.
        return {name: found / (found.sum() or 1) for (_, name), found in results.items()}, log_mass

    def _run(
        self,
        outputs: Sequence[Output],
        semiring: Semiring,
        states: Sequence[int],
        likelihoods: Sequence[FloatArray],
    ) -> dict[Output, FloatArray]:
        """Results of one row; the log evidence is the log of the mass."""
        observed = {
            copy: Observation("states", np.array([[states[place]]]))
            for copy, place in self.copies.items()
        }
        soft = zip(self.pattern.soft, likelihoods, strict=True)
        seen = self.large.read({**observed, **{name: each[None] for name, each in soft}})
        question = Question(tuple(outputs), seen.observed, semiring)
        results = self.large.ask(question, seen, "flag")
        results[LOG_EVIDENCE] += self.large.network(question).log_partition()
        return {key: self.large.export(results[key], key[1], seen)[0] for key in outputs}


def _decades(likelihoods: Sequence[FloatArray]) -> float:
    """Decades between 1 and the smallest positive product of likelihoods."""
    return float(sum(-np.log10(each[each > 0].min()) for each in likelihoods))
