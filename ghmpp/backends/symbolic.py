"""A schedule written out as formulas: one named assignment per entry, or results in closed form.

Both run the reference interpreter on sympy expressions, so they follow the definition of every
instruction. They are meant for models small enough to be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from math import log10, prod
from typing import TYPE_CHECKING

import numpy as np

from ghmpp._arrays import AnyArray, ObjectArray
from ghmpp.backends.algebras import Exact
from ghmpp.backends.reference import execute, run
from ghmpp.backends.reference_machine import Machine, prepare
from ghmpp.backends.reference_readouts import readout
from ghmpp.backends.symbolic_names import (
    leaf_symbols,
    refuse_fields,
    stems,
    symbolic_data,
    symbols,
    to_sympy,
)
from ghmpp.errors import QueryError
from ghmpp.models.expressions import symbols_of
from ghmpp.schedule.ir import Choose, Evidence, Normalize, Op, Readout, Schedule
from ghmpp.schedule.shapes import value_shapes

if TYPE_CHECKING:
    import sympy

# Readouts whose entries are shares of one total per node.
SHARES = ("posterior", "mean", "edge")


@dataclass(frozen=True, slots=True)
class Numerators(Exact):
    """Exact numbers that are not divided by their total: results up to a factor per node."""

    def shares(self, array: AnyArray, total: AnyArray) -> ObjectArray:
        """The array itself."""
        return np.asarray(array, object)


@dataclass(frozen=True, slots=True)
class Assignment:
    """One entry of what an instruction writes, as a formula in names assigned before it.

    Parameters
    ----------
    name
        Letter of the instruction, block and indices: ``u_pixel_3_0`` is what pixel 3 (tree order
        in its block) tells its parent about the parent's state 0. All numbers are linear.

        ==============  ==========================================================  =============
        letter          instruction                                                 indices
        ==============  ==========================================================  =============
        l               likelihood of the evidence                                  node, state
        w               unary weight                                                node, state
        u, v            message toward the root, toward the leaves; by child        node, state
        p               product of the messages u of an edge; by child block        parent, state
        q               product in the collect pass (what is below a node)          node, state
        e               what a child is told before the potential; by child         node, state
        b               product in the distribute pass (context, or belief)         node, state
        z_...           what a readout of that name divides by                      node
        posterior, ...  readout of that kind; counts start with a row               as its shape
        ==============  ==========================================================  =============

        A second value of the same letter and block is ``q2_...``, and so on.
    expression
        The formula; its symbols have no assumptions.
    op
        The instruction.
    """

    name: str
    expression: sympy.Expr
    op: Op

    def __str__(self) -> str:
        return f"{self.name} = {self.expression}"


def symbolic(
    schedule: Schedule, leaves: Mapping[str, AnyArray] | None = None, *, limit: int = 5000
) -> tuple[Assignment, ...]:
    """A schedule as straight-line formulas, one assignment per entry that an instruction writes.

    Potentials appear as their declared formulas or exact values, free tables as symbols
    ``psi_<key>_<row>_<parent state>_<child state>``. Exact arithmetic needs no rescaling, so
    Normalize writes nothing.

    Parameters
    ----------
    schedule
        A sum schedule without choices.
    leaves
        Linear likelihoods by class, shape (1, nodes, states), tree order, of any exact numbers or
        sympy expressions. None: symbols ``l_<block>_<node>_<state>``.
    limit
        Largest number of assignments.

    Returns
    -------
    tuple of Assignment
        In the order of the schedule.

    Raises
    ------
    QueryError
        If the schedule is too large, takes maxima or chooses, or the batch is not 1.

    Examples
    --------
    >>> from ghmpp.models.forest import Block, Forest, VariableClass
    >>> from ghmpp.schedule.build import build_schedule
    >>> coin = VariableClass("coin", ("heads", "tails"), None, 1, ("coin",))
    >>> forest = Forest("coin", {"coin": coin}, {"coin": Block("coin", "coin", 0, 1, 2)}, {}, {})
    >>> schedule = build_schedule(forest, [("posterior", "coin")], ["coin"])
    >>> for assignment in symbolic(schedule):
    ...     print(assignment)
    z_posterior_coin_0 = l_coin_0_0 + l_coin_0_1
    posterior_coin_0_0 = l_coin_0_0/z_posterior_coin_0
    posterior_coin_0_1 = l_coin_0_1/z_posterior_coin_0
    """
    require_formulas(schedule)
    shapes = value_shapes(schedule)
    silent = _silent(leaves)
    require_size("assignments", assignment_count(schedule, leaves), limit)
    data = symbolic_data(schedule.forest)
    given = likelihoods(schedule, leaves)
    machine = prepare(schedule, given, Exact(), data=data)
    if machine.batch != 1:
        raise QueryError(f"symbolic: formulas are for one row, got a batch of {machine.batch}.")

    assignments: list[Assignment] = []
    for op, stem in zip(execute(machine, schedule.ops), stems(schedule), strict=True):
        if isinstance(op, silent):
            continue
        axes = shapes[op.out].axes
        names = symbols(stem, axes)
        entries = machine.values[op.out].reshape(axes)
        if isinstance(op, Readout) and op.kind in SHARES:
            parts, totals = _parts(machine, op)
            divisors = symbols(f"z_{stem}", totals.shape)
            assignments += _assigned(op, divisors, totals)
            entries = _divided(parts.reshape(axes), totals, divisors)
        assignments += _assigned(op, names, entries)
        machine.values[op.out] = names[None]
    _require_new_names(assignments, [*data.values(), *given.values()])
    return tuple(assignments)


def assignment_count(schedule: Schedule, leaves: Mapping[str, AnyArray] | None = None) -> int:
    """How many assignments :func:`symbolic` would write."""
    shapes, silent = value_shapes(schedule), _silent(leaves)
    written = [op for op in schedule.ops if not isinstance(op, silent)]
    divided = (op for op in written if isinstance(op, Readout) and op.kind in SHARES)
    totals = sum(shapes[op.out].nodes for op in divided)
    return totals + sum(shapes[op.out].entries for op in written)


def closed_form(
    schedule: Schedule, leaves: Mapping[str, AnyArray] | None = None, *, limit: int = 1000
) -> dict[tuple[str, str], ObjectArray]:
    """Every output as one formula in potentials and likelihoods, multiplied out.

    Parameters
    ----------
    schedule, leaves
        As for :func:`symbolic`; any batch.
    limit
        Largest number of configurations of the model: each is a term of the evidence.

    Returns
    -------
    dict from output key (kind, block name) to object array of sympy expressions
        Shapes as for :func:`ghmpp.backends.reference.run`. Posteriors are ratios of expanded
        sums; the log evidence is the log of one.

    Raises
    ------
    QueryError
        If the model is too large, or the schedule takes maxima or chooses.

    Examples
    --------
    >>> from ghmpp.models.forest import Block, Forest, VariableClass
    >>> from ghmpp.schedule.build import build_schedule
    >>> coin = VariableClass("coin", ("heads", "tails"), None, 1, ("coin",))
    >>> forest = Forest("coin", {"coin": coin}, {"coin": Block("coin", "coin", 0, 1, 2)}, {}, {})
    >>> schedule = build_schedule(forest, [("log_evidence", "")], ["coin"])
    >>> closed_form(schedule)["log_evidence", ""]
    array([log(l_coin_0_0 + l_coin_0_1)], dtype=object)
    """
    require_formulas(schedule)
    blocks = schedule.forest.blocks.values()
    require_size("configurations", prod(block.states**block.nodes for block in blocks), limit)
    given = likelihoods(schedule, leaves)
    found = run(schedule, given, Exact(), data=symbolic_data(schedule.forest))
    return {
        key: _each(_log if key[0] == "log_evidence" else _expanded, array)
        for key, array in found.items()
    }


def likelihoods(
    schedule: Schedule, leaves: Mapping[str, AnyArray] | None
) -> dict[str, ObjectArray]:
    """The given likelihoods as sympy, or symbols."""
    if leaves is None:
        return leaf_symbols(schedule)
    return {name: to_sympy(array) for name, array in leaves.items()}


def _assigned(op: Op, names: ObjectArray, entries: AnyArray) -> list[Assignment]:
    """Assignments of all entries of one value."""
    is_log = isinstance(op, Readout) and op.kind == "log_evidence"
    formulas = (_each(_log, entries) if is_log else to_sympy(entries)).flat
    return [
        Assignment(str(name), each, op) for name, each in zip(names.flat, formulas, strict=True)
    ]


def _silent(leaves: Mapping[str, AnyArray] | None) -> tuple[type[Op], ...]:
    """Instructions that write no assignment."""
    return (Normalize, Evidence) if leaves is None else (Normalize,)


def _parts(machine: Machine, op: Readout) -> tuple[ObjectArray, ObjectArray]:
    """A readout before it is divided, and what its nodes are divided by, (nodes,)."""
    whole = replace(machine, algebra=Numerators())
    parts = readout(whole, op)
    belief = machine.values[op.sources[0]] if op.kind == "mean" else parts
    return parts[0], to_sympy(belief[0].reshape(len(belief[0]), -1).sum(-1))


def _divided(parts: ObjectArray, totals: ObjectArray, divisors: ObjectArray) -> ObjectArray:
    """Parts over the names of their totals; zeros where the total is zero."""
    columns = (len(parts), *[1] * (parts.ndim - 1))
    quotients = to_sympy(parts) / divisors.reshape(columns)
    return np.where(totals.reshape(columns) == 0, 0, quotients)


def _each(function: Callable[[object], object], array: AnyArray) -> ObjectArray:
    """The function of every entry."""
    return np.asarray(np.frompyfunc(function, 1, 1)(array), object)


def _log(number: object) -> sympy.Expr:
    import sympy

    return sympy.log(sympy.expand(number))


def _expanded(number: object) -> sympy.Expr:
    """A ratio of two expanded sums."""
    import sympy

    above, below = sympy.fraction(sympy.together(number))
    return sympy.expand(above) / sympy.expand(below)


def _require_new_names(assignments: list[Assignment], inputs: Iterable[ObjectArray]) -> None:
    """Refuse symbols of the model that are called like an assignment."""
    declared = {name for array in inputs for name in symbols_of(array, "symbolic")}
    if clash := sorted(declared.intersection(each.name for each in assignments)):
        raise QueryError(f"symbolic: rename the symbols {clash}; assignments have these names.")


def require_formulas(schedule: Schedule) -> None:
    """Refuse schedules that compare numbers: formulas have no order."""
    if schedule.semiring != "sum" or any(isinstance(op, Choose) for op in schedule.ops):
        raise QueryError(
            "symbolic: maxima and choices have no formula; compile a sum schedule of posteriors, "
            "means, counts or the log evidence."
        )
    if schedule.has_fields:
        refuse_fields()
    variances = any(isinstance(op, Readout) and op.kind == "variance" for op in schedule.ops)
    if variances or schedule.forest.gaussian:
        raise QueryError(
            "symbolic: variances and messages of real variables have no formulas or printed code; "
            "print(schedule) shows them, and export(network) writes them as files."
        )


def require_size(what: str, size: int, limit: int) -> None:
    """Refuse formulas that nobody could read."""
    if size > limit:
        raise QueryError(
            f"symbolic: {amount(size)} {what} exceed limit={limit:,}; take a smaller model, or "
            "raise limit."
        )


def amount(size: int) -> str:
    """A number in words; of a very large one, its order of magnitude."""
    return f"{size:,}" if size < 10**15 else f"about 10^{log10(size):.0f}"
