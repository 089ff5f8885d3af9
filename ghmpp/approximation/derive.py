"""What the weights of a network guarantee, whatever they are: every net analysed, errors added up.

Each net is analysed on the inputs that the errors before it allow, so nothing is taken over from
the plan by which the weights were made.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ghmpp._arrays import AnyArray, FloatArray
from ghmpp.approximation.analysis import Analysed, analyse_exp_log, analyse_symbols
from ghmpp.approximation.asked import Problem
from ghmpp.approximation.message import (
    ROUNDOFF,
    NetKind,
    Sized,
    exp_log_rounding,
    log_odds_rounding,
)
from ghmpp.approximation.odds_analysis import analyse_log_odds
from ghmpp.approximation.outward import exact, log
from ghmpp.approximation.propagate import Propagated, Spans, StepBound, accumulate
from ghmpp.approximation.routes import Step
from ghmpp.approximation.weights import (
    ExpLogWeights,
    Kind,
    LayerWeights,
    LogOddsWeights,
    Place,
    SymbolWeights,
    arrays,
    with_arrays,
)
from ghmpp.models.forest import Block, Forest

# Spans of inputs are sums of logs, which float64 rounds by far less.
_ROUNDING = 1e-12
# More than what exp and log of two machines can differ by.
_SPARE = 1e-9


def derive(
    problem: Problem,
    layers: Mapping[Place, LayerWeights],
    potentials: Mapping[str, AnyArray] | None = None,
) -> Propagated:
    """Errors of every message and belief, from the weights and the true potentials.

    Parameters
    ----------
    problem
        The messages.
    layers
        The nets, with float64 numbers.
    potentials
        By key: the stacks that the network holds, for what it computes exactly; those of the
        model, in the precision of the network, where missing.

    Returns
    -------
    Propagated
        Errors are inf where the weights guarantee nothing.
    """
    held = held_potentials(problem) | dict(potentials or {})
    analyst = _Analyst(problem, layers, held)
    spans = Spans(problem.routes, problem.domain)
    bounds: list[StepBound] = []
    for step in problem.routes.steps:
        reaches = spans.reaches(step)
        found = [
            analyst.message(step, row, reach, spans.terms(step))
            for row, reach in enumerate(reaches)
        ]
        nets = [net for net, _ in found]
        errors = [
            error + (spans.exact_error(step, reach) if net is None else 0.0)
            for (net, error), reach in zip(found, reaches, strict=True)
        ]
        bounds.append(spans.send(step, reaches, nets, errors))
    own = {
        block.name: unary_errors(problem.forest, block, held)
        for block in problem.forest.blocks.values()
    }
    single = [bound.errors for bound in bounds]
    return accumulate(problem.routes, bounds, single, own, spans.readouts())


def guaranteed(problem: Problem, derived: Propagated) -> float:
    """The error of the answer; inf where the weights guarantee nothing.

    (Means have a finite error even then: that of their range.)
    """
    if not all(np.isfinite(errors).all() for errors in derived.beliefs.values()):
        return math.inf
    return problem.asked.answer(derived.beliefs)


def rounded_up(error: float) -> float:
    """An error so far rounded up that other machines derive no larger one."""
    return error * (1 + _SPARE)


def rounded(
    layers: Mapping[Place, LayerWeights], dtype: str
) -> tuple[dict[str, AnyArray], dict[Place, LayerWeights]]:
    """The arrays by name in a precision, and the layers with these numbers."""
    with np.errstate(over="ignore"):  # infinite weights guarantee nothing, and that is found
        kept = {name: array.astype(precision(dtype)) for name, array in arrays(layers).items()}
    return kept, with_arrays(layers, kept)


def held_potentials(problem: Problem) -> dict[str, AnyArray]:
    """The potentials of the model by key, in the precision in which a network holds them."""
    dtype = precision(problem.domain.dtype)
    return {
        key: in_precision(stack, dtype)
        for key, stack in problem.forest.data.items()
        if stack.dtype.kind == "f"
    }


def precision(dtype: str) -> type[np.floating]:
    """In which weights are held; those of exact arithmetic, in float64."""
    return np.float32 if dtype == "float32" else np.float64


def in_precision(stack: AnyArray, dtype: type[np.floating]) -> AnyArray:
    """A stack in a precision; in float64 where that would drop entries or their digits."""
    limits = np.finfo(dtype)
    fits = (stack == 0) | ((stack >= limits.tiny) & (stack <= limits.max))
    return stack.astype(dtype if fits.all() else np.float64)


def unary_errors(forest: Forest, block: Block, held: Mapping[str, AnyArray]) -> FloatArray:
    """Span errors of the log unary potential that a network holds, (1 or nodes,)."""
    if block.unary is None:
        return np.zeros(1)
    true, found = forest.data[block.unary], held[block.unary]
    errors = np.array([ratio_span(*rows) for rows in zip(found, true, strict=True)])
    return errors if len(errors) == 1 else errors[np.arange(block.nodes) % len(errors)]


def ratio_span(found: AnyArray, true: AnyArray) -> float:
    """Span of the logs by which entries differ; inf where one of them alone is 0."""
    if np.array_equal(found, true):
        return 0.0
    alive = true > 0
    if not np.isfinite(found).all() or ((found > 0) != alive).any():
        return math.inf
    ratios = log(exact(found[alive]) / true[alive])
    return float((exact(ratios.hi.max()) - ratios.lo.min()).hi)


@dataclass(slots=True)
class _Analyst:
    """Analyses nets, each once."""

    problem: Problem
    layers: Mapping[Place, LayerWeights]
    held: Mapping[str, AnyArray]
    known: dict[tuple[object, ...], tuple[Sized | None, float]] = field(default_factory=dict)

    def message(self, step: Step, row: int, reach: float, terms: int) -> tuple[Sized | None, float]:
        """The net of a message, None where it is exact or looked up; and its span error."""
        forest = self.problem.forest
        place = (step.toward, forest.blocks[step.edge.child].variable)
        chosen = self.layers[place].chosen[step.edge.child][row]
        masks = (step.sending.tobytes(), step.receiving[row].tobytes())
        same: tuple[object, ...] = (place, chosen, id(step.kernels[row]), reach, terms, *masks)
        if chosen is None:
            same = (*same, step.edge.key, row)
        if same not in self.known:
            if chosen is None:
                self.known[same] = None, self.exact(step, row)
            else:
                self.known[same] = self.net(place, chosen, step, row, reach, terms)
        return self.known[same]

    def exact(self, step: Step, row: int) -> float:
        """The error of a message that is sent by the potential that the network holds."""
        if step.edge.kind != "table":
            return 0.0
        rows = np.ix_(step.receiving[row], step.sending)
        tables = (self.held[step.edge.key][row], self.problem.forest.data[step.edge.key][row])
        found, true = (table if step.toward == "root" else table.T for table in tables)
        return ratio_span(found[rows], true[rows])

    def net(
        self,
        place: Place,
        chosen: tuple[Kind, int],
        step: Step,
        row: int,
        reach: float,
        terms: int,
    ) -> tuple[Sized | None, float]:
        """Sizes and error of the net of a message."""
        kind, index = chosen
        kernel, receiving = step.kernels[row], step.receiving[row]
        weights = self.layers[place].nets[kind]
        reach = reach * (1 + _ROUNDING) + _ROUNDING
        match weights:
            case SymbolWeights():
                if not step.symbols:
                    return None, math.inf
                found = analyse_symbols(weights, index, kernel, step.sending, receiving)
            case LogOddsWeights():
                if not (step.sending.all() and receiving.all()):
                    return None, math.inf
                found = analyse_log_odds(weights, index, kernel, reach)
            case ExpLogWeights():
                found = analyse_exp_log(weights, index, kernel, step.sending, receiving, reach)
        sized = self.sized(found, kind, step, row, terms)
        return sized, found.error + (0.0 if sized is None else sized.floating)

    def sized(self, found: Analysed, kind: Kind, step: Step, row: int, terms: int) -> Sized | None:
        """What was found, as the plan says it; None for what the plan looks up."""
        paper = self.problem.domain.construction == "paper"
        roundoff = ROUNDOFF[self.problem.domain.dtype]
        kernel, (first, second) = step.kernels[row], found.segments
        receiving, sending = kernel.shape
        if kind == "symbols":
            if not paper:
                return None
            return Sized("paper-symbols", found.segments, (second, receiving), found.error, 0.0)
        if kind == "log_odds":
            units = first + second
            floating = log_odds_rounding(roundoff, units + 1, kernel.diameter / 2, terms)
            return Sized("log-odds", (units, 0), (units + 1, 3), found.error, floating)
        floating = exp_log_rounding(
            roundoff,
            first + second + sending,
            terms,
            found.start,
            found.log_range,
            found.offsets,
        )
        widths = (sending * first + 1, receiving * second + 1)
        name: NetKind = "paper" if paper else "exp-log"
        return Sized(name, found.segments, widths, found.error, floating)
