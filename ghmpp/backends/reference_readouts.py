"""The definition of every result that a schedule can read out, over any algebra."""

from __future__ import annotations

from functools import reduce
from typing import assert_never

from ghmpp._arrays import AnyArray
from ghmpp.backends import reference_gaussian
from ghmpp.backends.algebras import Algebra
from ghmpp.backends.reference_machine import Machine
from ghmpp.errors import QueryError
from ghmpp.schedule.ir import Readout


def readout(machine: Machine, op: Readout) -> AnyArray:
    """A result, in the shape that :class:`~ghmpp.schedule.ir.Readout` documents."""
    match op.kind:
        case "log_evidence":
            return evidence_total(machine, op)
        case "posterior":
            return posterior(machine, op)
        case "mean" if machine.forest.is_field(op.block):
            return field(machine, op)
        case "draw" | "code":
            return field(machine, op)
        case "mean" | "variance" if machine.forest.is_gaussian(op.block):
            moments = reference_gaussian.moments(machine, machine.values[op.sources[0]])
            return moments[op.kind == "variance"]
        case "variance":
            return variance(machine, op)
        case "mean":
            mean: AnyArray = posterior(machine, op) @ state_values(machine, op.block)
            return mean
        case "unary_counts":
            return summed_by_row(posterior(machine, op), machine.forest.blocks[op.block].unary_rows)
        case "edge":
            return edge_posterior(machine, op)
        case "counts":
            return summed_by_row(edge_posterior(machine, op), machine.forest.edges[op.block].rows)
        case _:
            assert_never(op.kind)


def field(machine: Machine, op: Readout) -> AnyArray:
    """The numbers themselves."""
    found: AnyArray = machine.values[op.sources[0]][..., 0]
    return found


def evidence_total(machine: Machine, op: Readout) -> AnyArray:
    """Product over root nodes of the sums of their values, times all scales: (batch,)."""
    algebra = machine.algebra
    values = [machine.values[source] for source in op.sources]
    totals = [algebra.plus.reduce(root, axis=-1) for root in values[: op.roots]]
    rows = (algebra.times.reduce(nodes, axis=1) for nodes in totals + values[op.roots :])
    return reduce(algebra.times, rows)


def posterior(machine: Machine, op: Readout) -> AnyArray:
    """Each node's belief divided by its sum."""
    return shares(machine.algebra, machine.values[op.sources[0]])


def variance(machine: Machine, op: Readout) -> AnyArray:
    """Expected squared distance of the state values from their mean."""
    shares_, values = posterior(machine, op), state_values(machine, op.block)
    away = values - (shares_ @ values)[..., None]
    found: AnyArray = (shares_ * away**2).sum(axis=-1)
    return found


def edge_posterior(machine: Machine, op: Readout) -> AnyArray:
    """Cavity at the parent times potential times value below, divided by the sum over both."""
    edge, times = machine.forest.edges[op.block], machine.algebra.times
    cavity, below = (machine.values[source] for source in op.sources)
    batch, nodes, parents, children = *cavity.shape, below.shape[2]
    runs = (batch, nodes // edge.rows, edge.rows)
    joint = times(cavity.reshape(*runs, parents, 1), below.reshape(*runs, 1, children))
    joint = times(joint, machine.tables(edge)).reshape(batch, nodes, parents * children)
    return shares(machine.algebra, joint).reshape(batch, nodes, parents, children)


def shares(algebra: Algebra, array: AnyArray) -> AnyArray:
    """Scalars over their total on the last axis, as linear numbers; zeros where it is zero."""
    return algebra.shares(array, algebra.plus.reduce(array, axis=-1, keepdims=True))


def state_values(machine: Machine, block: str) -> AnyArray:
    """Numeric values of the states of a block, (states,)."""
    variable = machine.forest.variables[machine.forest.blocks[block].variable]
    if variable.values is None:
        raise QueryError(f"mean: the states of '{variable.name}' have no values; declare values=.")
    return machine.algebra.numbers(variable.values)


def summed_by_row(array: AnyArray, rows: int) -> AnyArray:
    """Sum over the batch and over the nodes k of equal ``k % rows``."""
    batch, nodes, *states = array.shape
    total: AnyArray = array.reshape(batch * (nodes // rows), rows, *states).sum(axis=0)
    return total
