"""Bounds of a query on a model: how wide a ReLU network must be for a guaranteed error."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ghmpp.approximation.asked import Asked, Problem, Query, check_options, find_problem
from ghmpp.approximation.budgets import Budget, Widths, certify, choose_widths
from ghmpp.approximation.derive import derive, guaranteed, rounded, rounded_up
from ghmpp.approximation.layers import describe_layers
from ghmpp.approximation.message import Construction
from ghmpp.approximation.paper import (
    largest_entry,
    paper_widths,
    require_theorem,
    theorem_width,
)
from ghmpp.approximation.propagate import LOWEST, Domain, Propagated, propagate
from ghmpp.approximation.report import Assumed, Bounds
from ghmpp.approximation.routes import Routes
from ghmpp.approximation.weights import layer_weights
from ghmpp.errors import QueryError, ResourceError
from ghmpp.models.channels import Given
from ghmpp.models.forest import Forest

DEFAULT_DELTA = 1e-2
Precision = Literal["float32", "float64", "real"]


@dataclass(frozen=True, slots=True, eq=False)
class NetworkPlan:
    """The nets of a ReLU network, before any of them is made.

    Parameters
    ----------
    problem
        The messages that the query needs.
    propagated
        Sizes and errors of the nets of each message.
    bounds
        The same as a report.
    """

    problem: Problem
    propagated: Propagated
    bounds: Bounds

    @property
    def forest(self) -> Forest:
        """The forest of the messages, with classes that were discovered."""
        return self.problem.forest

    @property
    def routes(self) -> Routes:
        """The messages."""
        return self.problem.routes

    @property
    def asked(self) -> Query:
        """The query."""
        return self.problem.asked


def bounds(
    model: object,
    query: Asked | str,
    *,
    delta: float | None = None,
    width: int | None = None,
    given: str | Given | Sequence[str | Given] | None = None,
    budget: Budget = "equal-width",
    evidence_span: float = math.inf,
    dtype: Precision = "float64",
    log_odds: bool = True,
    construction: Construction = "tight",
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
    construction
        "tight", or "paper" for the nets of arXiv:2404.18444 with their errors repaired.

    Returns
    -------
    Bounds
        A frozen record; ``print`` it, ``save`` it, ``Bounds.load`` it.

    Raises
    ------
    QueryError
        If the query, ``given``, ``delta``, ``width``, ``budget``, ``dtype``, ``evidence_span``
        or ``construction`` is wrong, the width is too small for any net, ``delta`` is out of
        reach, or no finite network exists because evidence without bound meets zeros.
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
    return plan_network(
        model,
        query,
        given,
        delta=delta,
        width=width,
        budget=budget,
        evidence_span=evidence_span,
        dtype=dtype,
        log_odds=log_odds,
        construction=construction,
    ).bounds


def plan_network(
    model: object,
    query: Asked | str,
    given: str | Given | Sequence[str | Given] | None = None,
    *,
    delta: float | None = None,
    width: int | None = None,
    budget: Budget = "equal-width",
    evidence_span: float = math.inf,
    dtype: Precision = "float64",
    log_odds: bool = True,
    construction: Construction = "tight",
) -> NetworkPlan:
    """The nets that a query needs, sized; parameters and errors are those of :func:`bounds`."""
    domain = Domain(evidence_span, dtype, log_odds, construction)
    check_options(delta, width, budget, domain)
    if width is None and delta is None:
        delta = DEFAULT_DELTA
    problem = find_problem(model, query, given, domain)
    if delta is not None and construction == "paper":
        widths = paper_widths(problem, delta, budget)
    elif delta is not None:
        widths = _derivable_widths(problem, delta, budget)
    else:
        assert width is not None
        if construction == "paper":
            require_theorem(problem)
        widths = dict.fromkeys(problem.routes.layers, width)
        _require_wide(problem, width)
    found = propagate(problem.routes, widths, domain)
    assert found is not None
    chosen = budget if delta is not None else "given"
    return NetworkPlan(problem, found, describe(problem, found, delta, chosen))


def _derivable_widths(problem: Problem, delta: float, budget: Budget) -> Widths:
    """Widths whose nets, once their weights are rounded, can still be proved to be as good."""
    domain, wished = problem.domain, delta
    while True:
        widths = choose_widths(problem.routes, wished, budget, domain, problem.asked.answer)
        found = propagate(problem.routes, widths, domain)
        if found is None or domain.dtype == "real":
            return widths
        try:
            made = layer_weights(problem.forest, found.steps)
        except ResourceError:  # such a network can be spoken of, but not made here
            return widths
        _, layers = rounded(made, domain.dtype)
        reached = rounded_up(guaranteed(problem, derive(problem, layers)))
        if not reached > delta:
            return widths
        if math.isinf(reached):
            raise QueryError(
                f"bounds: {domain.dtype} cannot hold the weights of these networks, whose tables "
                "have entries of too different sizes; take a finer dtype."
            )
        wished *= delta / reached * (1 - 1e-6)


def describe(problem: Problem, found: Propagated, delta: float | None, budget: str) -> Bounds:
    """The report of a network whose errors are known.

    Parameters
    ----------
    problem, found
        What is asked, and the errors of its messages.
    delta, budget
        The error that was asked for, and how widths were chosen.
    """
    bound = problem.asked.answer(found.beliefs)
    theorem, paper = theorem_width(problem, delta or bound)
    return Bounds(
        problem.model,
        f"{problem.asked.kind}({problem.asked.variable})",
        tuple(item.variable for item in problem.observed),
        bound,
        delta,
        budget,
        problem.domain.dtype,
        describe_layers(problem.routes, found),
        _assumptions(problem),
        theorem,
        paper,
        problem.domain.construction,
    )


def _require_wide(problem: Problem, width: int) -> None:
    """Refuse a width at which some message has no net, naming the least that has."""
    routes = problem.routes

    def fits(candidate: int) -> bool:
        widths = dict.fromkeys(routes.layers, candidate)
        return math.isfinite(certify(routes, widths, problem.domain, problem.asked.answer))

    if fits(width):
        return
    least = width
    while not fits(least):
        least += 1
    raise QueryError(
        f"bounds: width={width} is too small: the widest message of this query needs hidden "
        f"layers of at least {least} units (one per state, and a constant)."
    )


def _assumptions(problem: Problem) -> tuple[Assumed, ...]:
    domain, observed = problem.domain, problem.observed
    entry = largest_entry(problem.original)
    bounded = math.isfinite(entry)
    if math.isfinite(domain.evidence_span):
        evidence = (
            f"log-likelihoods of a node differ by at most {domain.evidence_span:g}; not checked"
        )
    else:
        hard = [item.variable for item in observed if item.channel is None]
        noisy = [item.variable for item in observed if item.channel is not None]
        parts = [f"any observed states of {', '.join(hard)}, missing ones too"] if hard else []
        parts += [f"any finite observation of {', '.join(noisy)}"] if noisy else []
        evidence = "; ".join(parts) or "none"
    dtype = domain.dtype
    rounding = "exact arithmetic, no rounding"
    if dtype in LOWEST:
        rounding = (
            f"rounding of {dtype}, to first order; probabilities below e^-{LOWEST[dtype]:g} may "
            "come out as 0"
        )
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
        Assumed("arithmetic", True, rounding),
    )
