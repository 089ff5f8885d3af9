r"""Scalar messages: between variables of two states, a message is one number, its log-odds.

A positive table :math:`\psi(s, a)` of two by two states is, up to a factor, an Ising coupling
:math:`\exp(J \sigma_s \sigma_a + h \sigma_s + g \sigma_a)` with :math:`\sigma = \pm 1` (state 0 is
up). If the log-odds of what is sent are t, those of what arrives are

.. math:: t' = 2 h + 2\, \mathrm{artanh}\bigl(\tanh J\, \tanh(t / 2 + g)\bigr)

and toward the leaves the same with h and g exchanged. Products over siblings are sums, and
nothing needs to be normalised. Half the numbers are sent, in fewer operations than the logarithms
of both states take; unscaled probabilities take still fewer, where their range allows them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ghmpp._arrays import ObjectArray
from ghmpp.backends.symbolic import Assignment, require_formulas, require_size
from ghmpp.backends.symbolic_names import stems, symbolic_data, symbols
from ghmpp.errors import QueryError
from ghmpp.models.forest import Edge, Forest
from ghmpp.schedule.ir import (
    Combine,
    Evidence,
    Exclude,
    Message,
    Normalize,
    Op,
    Pool,
    Readout,
    Schedule,
    Spread,
    Unary,
)
from ghmpp.schedule.shapes import value_shapes

if TYPE_CHECKING:
    import sympy


class Ising(NamedTuple):
    """A positive table of two by two states as a coupling and two fields.

    Parameters
    ----------
    coupling
        ``tanh J``, in (-1, 1).
    above, below
        Fields h of the parent and g of the child.
    """

    coupling: sympy.Expr
    above: sympy.Expr
    below: sympy.Expr

    def send(self, odds: sympy.Expr, toward: str) -> sympy.Expr:
        """Log-odds of what arrives at one end, given those of what the other end sends."""
        import sympy

        near, far = (self.below, self.above) if toward == "root" else (self.above, self.below)
        return 2 * far + 2 * sympy.atanh(self.coupling * sympy.tanh(odds / 2 + near))


def ising(table: ObjectArray) -> Ising:
    """The coupling and the fields of a table of two by two positive entries.

    Parameters
    ----------
    table
        Sympy expressions, axes (parent state, child state).

    Examples
    --------
    >>> import sympy
    >>> ising(np.array([[2, 1], [1, 2]], dtype=object) * sympy.Integer(1))
    Ising(coupling=1/3, above=0, below=0)
    """
    import sympy

    (a, b), (c, d) = table
    same, other = sympy.sqrt(a * d), sympy.sqrt(b * c)
    return Ising(
        sympy.radsimp((same - other) / (same + other)),
        sympy.log(a * b / (c * d)) / 4,
        sympy.log(a * c / (b * d)) / 4,
    )


def log_odds(schedule: Schedule, *, limit: int = 5000) -> tuple[Assignment, ...]:
    """A schedule between variables of two states, one assignment per scalar message.

    Parameters
    ----------
    schedule
        A sum schedule of posteriors and means; every variable in it has two states, and every
        potential is positive.
    limit
        Largest number of assignments.

    Returns
    -------
    tuple of Assignment
        In the order of the schedule. Names are those of
        :func:`~ghmpp.backends.symbolic.symbolic` without the state: ``l_x1_0`` is the log-odds of
        the likelihood of node 0 of block x1, ``log l(0) / l(1)``. Posteriors have a state.

    Raises
    ------
    QueryError
        If a variable has another number of states, a table has zeros or is an index map, or
        something else than posteriors and means is asked.

    Examples
    --------
    >>> import ghmpp as gh
    >>> model = gh.GHM(states=(2, 2), branching=(2,), tables=[[[2, 1], [1, 2]]])
    >>> for each in log_odds(gh.compile(model, gh.posterior("x0"), given="x1").schedule):
    ...     print(each)
    u_x1_0 = 2*atanh(tanh(l_x1_0/2)/3)
    u_x1_1 = 2*atanh(tanh(l_x1_1/2)/3)
    p_x1_0 = u_x1_0 + u_x1_1
    posterior_x0_0_0 = 1/(1 + exp(-p_x1_0))
    posterior_x0_0_1 = 1/(exp(p_x1_0) + 1)
    """
    require_formulas(schedule)
    _require_two_states(schedule)
    shapes = value_shapes(schedule)
    size = sum(shapes[op.out].nodes for op in schedule.ops)
    require_size("assignments", size, limit)
    return tuple(_Odds(schedule).run())


class _Odds:
    """The log-odds of every value so far, as symbols or sums to come."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.forest: Forest = schedule.forest
        self.data = symbolic_data(self.forest)
        self.values: dict[int, ObjectArray] = {}
        self.edges: dict[tuple[str, int], Ising] = {}

    def run(self) -> Sequence[Assignment]:
        """Assignments of all instructions."""
        found: list[Assignment] = []
        for op, stem in zip(self.schedule.ops, stems(self.schedule), strict=True):
            if isinstance(op, Readout):
                found += self.readout(op, stem)
                continue
            odds = self.odds(op)
            if isinstance(op, Normalize | Spread):  # a copy
                self.values[op.out] = odds
                continue
            names = symbols(stem, (len(odds),))
            self.values[op.out] = names
            if not isinstance(op, Evidence):
                pairs = zip(names, odds, strict=True)
                found += [Assignment(str(name), each, op) for name, each in pairs]
        return found

    def odds(self, op: Op) -> ObjectArray:
        """What an instruction writes, one log-odds per node (on an edge, per child)."""
        match op:
            case Evidence(block=block):
                return np.zeros(self.forest.blocks[block].nodes, object)
            case Unary(block=block, key=key):
                return self.unary(block, key)
            case Message(edge=child, toward=toward, source=source):
                edge, sent = self.forest.edges[child], self.values[source]
                return _array([self.table(edge, k).send(t, toward) for k, t in enumerate(sent)])
            case Pool(edge=child, source=source):
                return self.pooled(self.forest.edges[child], self.values[source])
            case Spread(edge=child, source=source):
                return self.values[source][self.forest.parent_nodes(self.forest.edges[child])]
            case Exclude(edge=child, context=context, messages=messages):
                return self.others(self.forest.edges[child], context, self.values[messages])
            case Combine(block=block, sources=many):
                start = np.zeros(self.forest.blocks[block].nodes, object)
                return np.asarray(sum((self.values[value] for value in many), start))
            case Normalize(source=source):
                return self.values[source]
            case _:
                raise AssertionError(op)

    def unary(self, block: str, key: str) -> ObjectArray:
        """Log-odds of the weights of a block."""
        import sympy

        rows = [sympy.log(up / down) for up, down in self.data[key]]
        return _array([rows[k % len(rows)] for k in range(self.forest.blocks[block].nodes)])

    def table(self, edge: Edge, child: int) -> Ising:
        """The table of the edge to a child."""
        at = (edge.key, child % edge.rows)
        if at not in self.edges:
            self.edges[at] = ising(self.data[edge.key][at[1]])
        return self.edges[at]

    def pooled(self, edge: Edge, messages: ObjectArray) -> ObjectArray:
        """Sum of the messages of the children of each parent."""
        total = np.zeros(self.forest.blocks[edge.parent].nodes, object)
        np.add.at(total, self.forest.parent_nodes(edge), messages)
        return total

    def others(self, edge: Edge, context: int | None, messages: ObjectArray) -> ObjectArray:
        """For each child: the context, and the messages of its siblings."""
        above = self.forest.parent_nodes(edge)
        found = np.zeros(len(above), object) if context is None else self.values[context][above]
        siblings = [
            sum(messages[k] for k in np.flatnonzero(above == parent) if k != child)
            for child, parent in enumerate(above)
        ]
        return np.asarray(found + _array(siblings))

    def readout(self, op: Readout, stem: str) -> list[Assignment]:
        """Probabilities, or means of the state values."""
        import sympy

        odds = self.values[op.sources[0]]
        ups = [1 / (1 + sympy.exp(-t)) for t in odds]
        downs = [1 / (1 + sympy.exp(t)) for t in odds]
        if op.kind == "posterior":
            names = symbols(stem, (len(odds), 2))
            both = [each for pair in zip(ups, downs, strict=True) for each in pair]
            pairs = zip(names.flat, both, strict=True)
        else:
            values = self.forest.variables[self.forest.blocks[op.block].variable].values
            assert values is not None
            first, second = map(sympy.nsimplify, values.tolist())
            means = [first * up + second * down for up, down in zip(ups, downs, strict=True)]
            pairs = zip(symbols(stem, (len(odds),)), means, strict=True)
        return [Assignment(str(name), each, op) for name, each in pairs]


def _require_two_states(schedule: Schedule) -> None:
    """Refuse what has no log-odds."""
    forest = schedule.forest
    for op in schedule.ops:
        if isinstance(op, Readout) and op.kind not in ("posterior", "mean"):
            raise QueryError(f"log_odds: ask for posteriors or means, got {op.kind}.")
        if isinstance(op, Message) and forest.edges[op.edge].kind != "table":
            raise QueryError(f"log_odds: the edge to {op.edge!r} is an index map, not a table.")
    for name in {name for op in schedule.ops for name in _blocks(op, forest)}:
        states = forest.blocks[name].states
        if states != 2:
            raise QueryError(f"log_odds: every variable needs two states; {name!r} has {states}.")
    keys = {forest.edges[op.edge].key for op in schedule.ops if isinstance(op, Message)}
    keys |= {op.key for op in schedule.ops if isinstance(op, Unary)}
    zeros = sorted(key for key in keys if key in forest.data and not np.all(forest.data[key]))
    if zeros:
        raise QueryError(
            f"log_odds: {zeros[0]!r} has zeros, whose log-odds are infinite; print the formulas "
            "of all states instead."
        )


def _blocks(op: Op, forest: Forest) -> tuple[str, ...]:
    """Blocks that an instruction is about."""
    if isinstance(op, Message | Pool | Spread | Exclude):
        return (op.edge, forest.edges[op.edge].parent)
    return (op.block,)


def _array(entries: Sequence[Any]) -> ObjectArray:
    """A list of expressions as an object array of one axis."""
    found = np.empty(len(entries), object)
    found[:] = entries
    return found
