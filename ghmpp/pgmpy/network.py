"""A pgmpy model as it was when it was read, and answers to questions in its names."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp.errors import ImpossibleEvidenceError, QueryError
from ghmpp.models.convert_pgmpy import factors_from_pgmpy
from ghmpp.models.factors import Factor, Factors
from ghmpp.pgmpy.plans import Answer, Pattern, Plans, Scope
from ghmpp.pgmpy.vocabulary import Known, VirtualEvidence, Vocabulary, listed
from ghmpp.schedule.ir import Semiring

if TYPE_CHECKING:
    from pgmpy.factors.discrete import DiscreteFactor

Evidence = Mapping[Any, object]


class Network:
    """A discrete pgmpy model, read once.

    Parameters
    ----------
    model
        A ``DiscreteBayesianNetwork``, ``DiscreteMarkovNetwork``, ``FactorGraph`` or
        ``JunctionTree``; it is not kept, and later changes of it are not seen.

    Attributes
    ----------
    graph
        Its variables and factors, under our names.
    vocabulary
        Its own names.
    directed, normalised
        Whether it is a Bayesian network; whether pgmpy's elimination gives probabilities of it,
        as for these and junction trees, and not masses.

    Raises
    ------
    ConversionError, ModelError
        As :func:`ghmpp.models.convert_pgmpy.factors_from_pgmpy`.
    """

    def __init__(self, model: Any) -> None:
        self.graph = _plain(factors_from_pgmpy(model))
        self.directed = any(factor.child is not None for factor in self.graph.factors)
        bases = {base.__name__ for base in type(model).__mro__}
        self.normalised = self.directed or "JunctionTree" in bases
        scopes = (factor.variables for factor in model.factors) if not self.directed else ()
        theirs = dict.fromkeys(name for scope in scopes for name in scope) or list(model.nodes)
        self.vocabulary = Vocabulary(
            Known(name, ours, _states(self.graph, ours))
            for name, ours in zip(theirs, self.graph.nodes, strict=True)
        )
        self.plans = Plans(self.graph)

    def ask(
        self,
        scopes: Collection[Sequence[Known]],
        evidence: Evidence | None,
        virtual_evidence: VirtualEvidence | None,
        *,
        mass: bool = False,
        semiring: Semiring = "sum",
    ) -> Answer:
        """Joint tables of sets of variables given evidence, by our names of the variables.

        Raises
        ------
        QueryError, EvidenceError
            If variables, states or likelihoods are unknown or wrong.
        ImpossibleEvidenceError
            If the evidence has probability zero.
        TreewidthError
            If the sets need larger cliques than fit into memory.
        """
        seen = self.read(evidence, virtual_evidence)
        pattern = Pattern(
            tuple(map(ours, scopes)),
            tuple(seen.hard),
            tuple(seen.soft),
            mass,
            semiring,
        )
        plan = self.plans.compiled(pattern)
        answer = plan.answer(tuple(seen.hard.values()), tuple(seen.soft.values()))
        if answer.log_mass == -math.inf:
            raise seen.impossible()
        return answer

    def best(
        self,
        wanted: Sequence[Known],
        evidence: Evidence | None,
        virtual_evidence: VirtualEvidence | None,
    ) -> dict[Hashable, Hashable]:
        """The most probable joint state of some variables, the others summed out.

        Errors as for :meth:`ask`; the joint tables that it may need are refused likewise.
        """
        seen = self.read(evidence, virtual_evidence)
        hard, soft = tuple(seen.hard.values()), tuple(seen.soft.values())
        scopes = tuple((known.ours,) for known in wanted)
        pattern = Pattern(scopes, tuple(seen.hard), tuple(seen.soft))
        completed, tabulated = self.plans.compiled(pattern).separate()
        states: dict[str, int] = {}
        if completed:
            whole = self.plans.compiled(pattern).best(hard, soft)
            if whole is None:
                raise seen.impossible()
            states.update(whole)
        if tabulated:
            plan = self.plans.compiled(replace(pattern, scopes=tuple(tabulated)))
            answer = plan.answer(hard, soft)
            if answer.log_mass == -math.inf:
                raise seen.impossible()
            states.update(_largest(answer.tables))
        return {known.name: known.states[states[known.ours]] for known in wanted}

    def read(self, evidence: Evidence | None, virtual_evidence: VirtualEvidence | None) -> Seen:
        """Evidence under our names, checked.

        A likelihood of a variable whose state is known can only rule it out, and is left out.
        """
        hard = self.vocabulary.hard(evidence)
        if not virtual_evidence:
            return Seen(dict(sorted(hard.items())), {}, evidence)
        soft = self.vocabulary.soft(virtual_evidence)
        seen = Seen(dict(sorted(hard.items())), dict(sorted(soft.items())), evidence)
        if any(soft[name][hard[name]] == 0 for name in soft if name in hard):
            raise seen.impossible()
        return replace(seen, soft={n: each for n, each in seen.soft.items() if n not in hard})


@dataclass(frozen=True)
class Seen:
    """Positions of observed states and likelihoods, by our names, sorted; and what was given."""

    hard: Mapping[str, int]
    soft: Mapping[str, FloatArray]
    given: Evidence | None

    def impossible(self) -> ImpossibleEvidenceError:
        """The error for evidence of probability zero."""
        also = f", with the virtual evidence of {listed(self.soft)}" if self.soft else ""
        return ImpossibleEvidenceError(
            f"evidence {dict(self.given or {})}{also} has probability zero: no configuration of "
            "the model agrees with it; check it (pgmpy may answer where that was pruned)."
        )


def ours(scope: Sequence[Known]) -> Scope:
    """Our names of some variables."""
    return tuple(known.ours for known in scope)


def discrete_factor(scope: Sequence[Known], table: FloatArray) -> DiscreteFactor:
    """A table as pgmpy has it, with the names of the states."""
    from pgmpy.factors.discrete import DiscreteFactor

    return DiscreteFactor(
        [known.name for known in scope],
        table.shape,
        table,
        state_names={known.name: list(known.states) for known in scope},
    )


def unnormalised(table: FloatArray, log_mass: float) -> FloatArray:
    """A table of probabilities times the mass that agrees with the evidence.

    Raises
    ------
    QueryError
        If the product is no number of float64.
    """
    with np.errstate(over="ignore"):
        product: FloatArray = table * np.exp(log_mass)
    if np.isfinite(product).all() and product.any():
        return product
    raise QueryError(
        f"query: the result of an undirected model is not normalised, as in pgmpy, but its mass "
        f"e^{log_mass:.0f} is no float64; BeliefPropagation.query gives probabilities."
    )


def _largest(tables: Mapping[Scope, FloatArray]) -> dict[str, int]:
    """Positions of the states at the largest entry of each table."""
    found: dict[str, int] = {}
    for scope, table in tables.items():
        places = np.unravel_index(int(table.argmax()), table.shape)
        found.update(zip(scope, map(int, places), strict=True))
    return found


def _plain(graph: Factors) -> Factors:
    """The same factors with names that cannot be mistaken for edges or nodes of a class."""
    names: dict[str, str] = {}
    for name in graph.nodes:
        plain = re.sub(r"\[(\d+)\]$", r"(\1)", name.replace("->", "\N{RIGHTWARDS ARROW}")) or "''"
        while plain != name and (plain in graph.nodes or plain in names.values()):
            plain += "'"
        names[name] = plain
    factors = tuple(
        Factor(
            tuple(names[each] for each in factor.variables),
            factor.table,
            None if factor.child is None else names[factor.child],
        )
        for factor in graph.factors
    )
    nodes = {names[name]: node for name, node in graph.nodes.items()}
    return Factors(graph.name, nodes, factors)


def _states(graph: Factors, name: str) -> tuple[Hashable, ...]:
    states: Any = graph.nodes[name].states
    return tuple(range(states)) if isinstance(states, int) else tuple(states)
