r"""The paper's own theorems: which one fits a query, and the width that it takes.

As printed, Theorem 3 takes :math:`D = 4 \lceil S^2 K^2 d\, 3^L / \delta \rceil` and Theorem 6
:math:`D = 4 \lceil S^3 K^2 d\, 18^L / \delta \rceil`; their proofs need :math:`S (\lceil 2 X / S
\rceil + 1) + 1` with X inside the brackets, which is more when X is small.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from ghmpp._memory import require_bytes
from ghmpp.approximation.asked import Problem
from ghmpp.approximation.budgets import Widths
from ghmpp.approximation.costs import distinct, layer_parameters
from ghmpp.approximation.propagate import StepBound, propagate
from ghmpp.errors import QueryError
from ghmpp.models.forest import Forest

# The largest number of bytes that can still be written as a float.
_LARGEST_BYTES = 10**300


def theorem_3_width(states: int, bound: float, leaves: int, depth: int, delta: float) -> int:
    """Width for classification with error ``delta`` in log posteriors (Theorem 3, repaired).

    Parameters
    ----------
    states
        S, the largest number of states.
    bound
        K: all entries lie in [1/K, K]; finite.
    leaves, depth
        d and L.
    delta
        Error, > 0.

    Examples
    --------
    >>> theorem_3_width(2, 1.5, leaves=4, depth=2, delta=0.01)
    129600
    """
    return _width(states**2 * leaves * 3**depth, states, bound, delta)


def theorem_6_width(states: int, bound: float, leaves: int, depth: int, delta: float) -> int:
    """Width for denoising with error ``delta`` in posterior means (Theorem 6, repaired).

    Parameters
    ----------
    states, bound, leaves, depth
        As in :func:`theorem_3_width`; the states have the values 1 .. S.
    delta
        Error in the units of the values, > 0.

    Examples
    --------
    >>> theorem_6_width(2, 1.5, leaves=4, depth=2, delta=0.01)
    9331200
    """
    return _width(states**3 * leaves * 18**depth, states, bound, delta)


def _width(count: int, states: int, bound: float, delta: float) -> int:
    """Both requirements, in whole numbers, which may be larger than any float."""
    # As it is written, 0.01 is a hundredth.
    needed = count * Fraction(repr(float(bound))) ** 2 / Fraction(repr(float(delta)))
    return max(4 * math.ceil(needed), states * (math.ceil(2 * needed / states) + 1) + 1)


def largest_entry(forest: Forest) -> float:
    """The smallest K with the entries of all tables, each at its best scale, in [1/K, K].

    inf where a potential has zeros (index maps have); at least 1.
    """
    found = 1.0
    for edge in forest.edges.values():
        table = forest.data[edge.key]
        if edge.kind != "table" or table.min() <= 0:
            return math.inf
        for row in table:
            found = max(found, math.sqrt(float(row.max()) / float(row.min())))
    return found


def theorem_width(problem: Problem, delta: float) -> tuple[str | None, int | None]:
    """The paper's theorem for a query, and its width; None where there is none.

    The theorems speak of one tree: its root given the states of all leaves, or its leaves given
    noisy values of all of them. For trees that are not regular, d is the number of leaves.

    Parameters
    ----------
    problem
        The query.
    delta
        Error of log posteriors, or of means in the units of the state values.
    """
    forest, asked = problem.original, problem.asked
    names = {item.variable for item in problem.observed}
    single = len(forest.roots) == 1 and names == set(forest.leaves)
    noisy = {item.channel is not None for item in problem.observed}
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


def paper_widths(problem: Problem, delta: float, budget: str) -> Widths:
    """The one width of all layers that the paper's theorem takes for an error.

    Parameters
    ----------
    problem, delta
        As for :func:`theorem_width`.
    budget
        "equal-width": the paper knows no other.

    Raises
    ------
    QueryError
        If the paper has no theorem for the query, its assumptions fail, another budget is asked
        for, or rounding alone exceeds ``delta``.
    ResourceError
        If rounding exceeds ``delta`` and this machine cannot hold the nets either.
    """
    if budget != "equal-width":
        raise QueryError(
            f"bounds: construction='paper' has one width for all layers, got budget={budget!r}; "
            "take budget='equal-width', or construction='tight'."
        )
    width = require_theorem(problem, delta)
    widths = dict.fromkeys(problem.routes.layers, width)
    found = propagate(problem.routes, widths, problem.domain)
    assert found is not None
    reached = problem.asked.answer(found.beliefs)
    if reached > delta:
        require_memory(found.steps)
        raise QueryError(
            f"bounds: delta={delta:g} is out of reach: the paper's nets, {width:,} units wide, "
            f"guarantee {reached:.3g} with the rounding of {problem.domain.dtype}; take a larger "
            "delta, a finer dtype, or construction='tight'."
        )
    return widths


def require_theorem(problem: Problem, delta: float = 1.0) -> int:
    """The width that the paper takes for a query; refuses where it has none.

    Raises
    ------
    QueryError
        If the paper has no theorem for the query, or its assumptions fail.
    """
    theorem, width = theorem_width(problem, delta)
    if theorem is None:
        raise QueryError(
            "bounds: construction='paper' has no theorem for this query. Theorem 3 is for "
            "gh.posterior(root) given the states of all leaves of one tree, Theorem 6 for "
            "gh.mean(leaves) given noisy values of all of them; ask one of these, or take "
            "construction='tight'."
        )
    if width is None:
        raise QueryError(
            f"bounds: construction='paper': {theorem} needs Assumption 2, entries of all tables "
            "in [1/K, K], and states that differ; here some entries are 0, or there is nothing "
            "to tell apart. Make zeros small and positive, or take construction='tight'."
        )
    return width


def require_memory(steps: Sequence[StepBound]) -> None:
    """Refuse nets that this machine cannot hold, with their width and their bytes.

    Parameters
    ----------
    steps
        The messages with the sizes of their nets; numbers are counted as float64, and matrices
        between hidden layers in factored form: about 2 D (S + 1) numbers for each net.

    Raises
    ------
    ResourceError
        With the width and the memory needed, and the limit.
    """
    nets = [bound.nets[row] for bound, row in distinct(steps)]
    width, kind = max(((max(net.widths), net.kind) for net in nets if net), default=(0, ""))
    require_bytes(
        min(8 * layer_parameters(steps), _LARGEST_BYTES),
        f"relu network: {len(nets)} nets with hidden layers of up to {width:,} units need",
        cure="take a larger delta, or construction='tight'",
        largest=f"net: of construction {kind!r}, {width:,} units wide",
    )
