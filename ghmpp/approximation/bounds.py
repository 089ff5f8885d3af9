"""Bounds of a query on a model: how wide a ReLU network must be for a guaranteed error."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Literal, Protocol

import numpy as np

from ghmpp._arrays import FloatArray, IntArray
from ghmpp.approximation.budgets import (
    BUDGETS,
    LARGEST_WIDTH,
    Budget,
    certify,
    choose_widths,
)
from ghmpp.approximation.layers import describe_layers
from ghmpp.approximation.message import ROUNDOFF
from ghmpp.approximation.paper import largest_entry, theorem_3_width, theorem_6_width
from ghmpp.approximation.propagate import Domain, propagate
from ghmpp.approximation.report import Assumed, Bounds
from ghmpp.approximation.routes import Routes, find_routes
from ghmpp.errors import QueryError
from ghmpp.models.channels import Gaussian, Given
from ghmpp.models.convert import as_model
from ghmpp.models.forest import Forest
from ghmpp.models.grouping import group

DEFAULT_DELTA = 1e-2


class Asked(Protocol):
    """What a query says: ``gh.posterior(...)`` and ``gh.mean(...)`` do."""

    @property
    def kind(self) -> str: ...
    @property
    def variable(self) -> str: ...


def bounds(
    model: object,
    query: Asked | str,
    *,
    delta: float | None = None,
    width: int | None = None,
    given: str | Given | Sequence[str | Given] | None = None,
    budget: Budget = "equal-width",
    evidence_span: float = math.inf,
    dtype: Literal["float32", "float64", "real"] = "float64",
    log_odds: bool = True,
) -> Bounds:
    r"""Width of a ReLU network for a wished error, or guaranteed error at a given width.

    The network has one small net of two hidden layers in place of each message of belief
    propagation, as in arXiv:2404.18444; the bounds sharpen its Theorems 3 and 6. Nothing is
    built or run, and the guarantee holds for every input: all finite log-likelihoods (all z of a
    noisy observation) or all observed states.

    Proof idea: chords of exp and log have one-sided errors in closed form; an exact message
    contracts errors in span seminorm by :math:`\tau = \tanh(\Delta / 4)` of its table; sums add
    them. A span error E of a log belief changes no log posterior by more than E, and no posterior
    mean by more than :math:`(v_{max} - v_{min}) \tanh(E / 4)`.

    Parameters
    ----------
    model
        A complete :class:`~ghmpp.models.model.Model`, a networkx graph or a discrete pgmpy model.
    query
        ``gh.posterior(name)`` (also just the name) or ``gh.mean(name)``.
    delta
        Wished error, > 0: of log posterior probabilities, or of means in the units of the state
        values. Default 0.01 without ``width``.
    width
        Units per hidden layer instead of ``delta``.
    given
        What is observed, as in ``gh.compile``. Default: all leaves; their states for a posterior,
        noisy values for a mean.
    budget
        "equal-width": one width for all layers, the smallest that will do; "min-parameters" or
        "min-flops": about the smallest cost.
    evidence_span
        Largest difference of the log-likelihoods of two states at an observed node. With a finite
        one, tables with zeros have networks too; observed states then mean likelihoods of at
        least ``exp(-evidence_span)``.
    dtype
        Arithmetic whose rounding is added, to first order; "real" adds none.
    log_odds
        Whether messages between two-state variables may be one function of their log-odds, which
        is narrower than nets for exp and log.

    Returns
    -------
    Bounds
        A frozen record; ``print`` it, ``save`` it, ``Bounds.load`` it.

    Raises
    ------
    QueryError
        If the query, ``given``, ``delta``, ``width``, ``budget``, ``dtype`` or ``evidence_span``
        is wrong, the width is too small for any net, ``delta`` is out of reach, or no finite
        network exists because evidence without bound meets zeros.
    ModelError, ConversionError
        If the model is not complete, or cannot be converted.

    Examples
    --------
    >>> import ghmpp as gh
    >>> table = [[3.0, 1.0, 1.0], [1.0, 3.0, 1.0], [1.0, 1.0, 3.0]]
    >>> model = gh.GHM(states=3, branching=(2, 2), tables=[table, table])
    >>> found = gh.bounds(model, gh.posterior("x0"), delta=0.01)
    >>> found.width, found.paper_width
    (34, 388800)
    """
    model = as_model(model)
    model.require_complete()
    forest = model.forest()
    asked = _Query.read(forest, query)
    observed = _read_given(forest, given, noisy=asked.kind == "mean")
    _check_options(delta, width, budget, dtype, evidence_span)
    if width is None and delta is None:
        delta = DEFAULT_DELTA
    grouped = group(forest)
    domain = Domain(evidence_span, dtype, log_odds)
    hard = [item.variable for item in observed if item.channel is None]
    routes = find_routes(
        grouped,
        [block.name for block in grouped.class_blocks(_home(grouped, asked.variable))],
        {_home(grouped, item.variable) for item in observed},
        symbols={_home(grouped, name) for name in hard} if math.isinf(evidence_span) else (),
    )
    asked = asked.on(grouped)
    if delta is not None:
        widths = choose_widths(routes, delta, budget, domain, asked.answer)
    else:
        assert width is not None
        widths = dict.fromkeys(routes.layers, width)
        _require_wide(routes, domain, width, asked)
    found = propagate(routes, widths, domain)
    assert found is not None
    bound = asked.answer(found.beliefs)
    layers = describe_layers(routes, found)
    theorem, paper = _paper(forest, asked, observed, delta or bound)
    return Bounds(
        model.name,
        f"{asked.kind}({asked.variable})",
        tuple(item.variable for item in observed),
        bound,
        delta,
        budget if delta is not None else "given",
        dtype,
        layers,
        _assumptions(forest, evidence_span, hard, observed, dtype),
        theorem,
        paper,
    )


@dataclass(frozen=True, slots=True)
class _Query:
    """What is asked, and how span errors of beliefs become errors of it."""

    kind: str
    variable: str
    value_range: float
    nodes: IntArray | None = None

    @staticmethod
    def read(forest: Forest, query: Asked | str) -> _Query:
        kind, name = (
            ("posterior", query) if isinstance(query, str) else (query.kind, query.variable)
        )
        if kind not in ("posterior", "mean"):
            raise QueryError(
                f"bounds: there is no bound for the query {kind!r}; ask gh.posterior(...) or "
                "gh.mean(...)."
            )
        _check_class(forest, kind, name)
        values = forest.variables[name].values
        if kind == "mean" and values is None:
            raise QueryError(
                f"mean: the states of {name!r} have no numeric values; declare values=, or ask "
                "for the posterior."
            )
        return _Query(kind, name, 0.0 if values is None else float(np.ptp(values)))

    def on(self, grouped: Forest) -> _Query:
        """The same query on a forest whose classes were discovered."""
        if grouped.grouping is None:
            return self
        node = grouped.grouping.members[self.variable][1]
        return _Query(self.kind, self.variable, self.value_range, np.array([node]))

    def answer(self, beliefs: Mapping[str, FloatArray]) -> float:
        """The largest error of the answer, from span errors of log beliefs by block."""
        chosen = [
            errors if self.nodes is None else errors[self.nodes] for errors in beliefs.values()
        ]
        span = max(float(errors.max()) for errors in chosen)
        return span if self.kind == "posterior" else self.value_range * math.tanh(span / 4)


def _home(grouped: Forest, name: str) -> str:
    return name if grouped.grouping is None else grouped.grouping.members[name][0]


def _check_class(forest: Forest, where: str, name: str) -> None:
    if name not in forest.variables:
        known = ", ".join(forest.visible)
        raise QueryError(f"{where}: unknown class {name!r}; the model has {known}.")


def _read_given(
    forest: Forest, given: str | Given | Sequence[str | Given] | None, *, noisy: bool
) -> list[Given]:
    if given is None:
        return [Given(name, Gaussian(1.0) if noisy else None) for name in forest.leaves]
    items = [given] if isinstance(given, (str, Given)) else list(given)
    found = [Given(item) if isinstance(item, str) else item for item in items]
    for item in found:
        _check_class(forest, "given", item.variable)
        if item.channel is not None and forest.variables[item.variable].values is None:
            raise QueryError(
                f"given {item.variable!r}: a channel needs numeric state values; declare "
                f"values= for {item.variable!r}."
            )
    return found


def _check_options(
    delta: float | None, width: int | None, budget: str, dtype: str, evidence_span: float
) -> None:
    if delta is not None and width is not None:
        raise QueryError("bounds: give delta= or width=, not both; each follows from the other.")
    if delta is not None and not (_is(delta, Real) and 0 < delta < math.inf):
        raise QueryError(f"bounds: delta must be finite and > 0, got {delta!r}.")
    if width is not None and not (_is(width, Integral) and 1 <= width <= LARGEST_WIDTH):
        raise QueryError(
            f"bounds: width must be a whole number in 1..{LARGEST_WIDTH:,}, got {width!r}."
        )
    if budget not in BUDGETS:
        raise QueryError(f"bounds: unknown budget {budget!r}; known: {', '.join(BUDGETS)}.")
    if width is not None and budget != "equal-width":
        raise QueryError(
            f"bounds: budget={budget!r} chooses widths for a wished error; pass delta= instead "
            "of width=."
        )
    if dtype not in ROUNDOFF:
        raise QueryError(f"bounds: unknown dtype {dtype!r}; known: {', '.join(ROUNDOFF)}.")
    if not (_is(evidence_span, Real) and evidence_span > 0):
        raise QueryError(f"bounds: evidence_span must be > 0, got {evidence_span!r}.")


def _is(value: object, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _require_wide(routes: Routes, domain: Domain, width: int, asked: _Query) -> None:
    """Refuse a width at which some message has no net, naming the least that has."""

    def fits(candidate: int) -> bool:
        widths = dict.fromkeys(routes.layers, candidate)
        return math.isfinite(certify(routes, widths, domain, asked.answer))

    if fits(width):
        return
    least = width
    while not fits(least):
        least += 1
    raise QueryError(
        f"bounds: width={width} is too small: the widest message of this query needs hidden "
        f"layers of at least {least} units (one per state, and a constant)."
    )


def _paper(
    forest: Forest, asked: _Query, observed: Sequence[Given], delta: float
) -> tuple[str | None, int | None]:
    """The paper's theorem for a query, and its width.

    They speak of one tree: its root given the states of all leaves, or its leaves given noisy
    values of all of them. For trees that are not regular, its d is the number of leaves.
    """
    names = {item.variable for item in observed}
    single = len(forest.roots) == 1 and names == set(forest.leaves)
    noisy = {item.channel is not None for item in observed}
    root = single and forest.variables[asked.variable].blocks == forest.roots
    if asked.kind == "posterior" and root and noisy == {False}:
        theorem, width = "Theorem 3", theorem_3_width
    elif asked.kind == "mean" and single and asked.variable in names and noisy == {True}:
        theorem, width = "Theorem 6", theorem_6_width
    else:
        return None, None
    states = max(len(variable.states) for variable in forest.variables.values())
    entry = largest_entry(forest)
    if not math.isfinite(entry) or delta <= 0 or states < 2:
        return theorem, None
    leaves = sum(forest.variables[leaf].nodes for leaf in forest.leaves)
    depth = max(forest.levels.values())
    if asked.kind == "mean":  # the paper's values are 1 .. S
        if not asked.value_range:
            return theorem, None
        delta = delta * (states - 1) / asked.value_range
    return theorem, width(states, entry, leaves, depth, delta)


def _assumptions(
    forest: Forest,
    evidence_span: float,
    hard: Sequence[str],
    observed: Sequence[Given],
    dtype: str,
) -> tuple[Assumed, ...]:
    entry = largest_entry(forest)
    bounded = math.isfinite(entry)
    if math.isfinite(evidence_span):
        evidence = f"log-likelihoods of a node differ by at most {evidence_span:g}; not checked"
    else:
        noisy = [item.variable for item in observed if item.channel is not None]
        parts = [f"any observed states of {', '.join(hard)}, missing ones too"] if hard else []
        parts += [f"any finite observation of {', '.join(noisy)}"] if noisy else []
        evidence = "; ".join(parts) or "none"
    rounding = {"real": "exact arithmetic, no rounding"}
    return (
        Assumed("1, potentials factorise over children", True, "every potential is pairwise"),
        Assumed(
            "2, entries of the tables lie in [1/K, K]",
            bounded,
            f"K = {entry:.4g}, each table at its best scale"
            if bounded
            else "some are 0; knots of relative error are used for them, where inputs are bounded",
        ),
        Assumed("evidence", True, evidence),
        Assumed("arithmetic", True, rounding.get(dtype, f"rounding of {dtype}, to first order")),
    )
