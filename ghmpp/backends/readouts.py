"""Results of a run: posteriors, means, log evidence, edge posteriors, expected counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

import torch
from torch import Tensor

from ghmpp.backends.gaussian import read_moment
from ghmpp.backends.kernels import Linear, split
from ghmpp.backends.potentials import dense, row_sums
from ghmpp.schedule.ir import Readout, Value

if TYPE_CHECKING:
    from ghmpp.backends.run import Run


def read_out(run: Run, op: Readout, ending: tuple[Value, ...]) -> Tensor:
    """The result of a readout; per-node results are (..., nodes in physical order, batch)."""
    match op.kind:
        case "posterior":
            return posterior(run, op, ending)
        case "mean" if run.setting.forest.is_field(op.block):
            return field(run, op)
        case "draw" | "code":
            return field(run, op)
        case "mean" | "variance" if run.setting.forest.is_gaussian(op.block):
            return read_moment(run, op)
        case "variance":
            return variance(run, op)
        case "mean":
            return mean(run, op)
        case "log_evidence":
            return log_evidence(run, op)
        case "edge":
            return edge_posterior(run, op)
        case "counts":
            return counts(run, op)
        case "unary_counts":
            return unary_counts(run, op, ending)
        case _:
            assert_never(op.kind)


def field(run: Run, op: Readout) -> Tensor:
    """The numbers themselves, (nodes, batch)."""
    return run.values[op.sources[0]][0].flatten(0, 1).expand(-1, run.batch)


def posterior(run: Run, op: Readout, ending: tuple[Value, ...]) -> Tensor:
    """Posterior over states, (states, nodes, batch); zero where evidence is impossible."""
    (source,) = op.sources
    belief, kernel = run.values[source], run.setting.kernel
    reuse = run.reusable(source, ending)
    if isinstance(kernel, Linear):
        total = belief.sum(0)
        if run.guard is not None:
            run.guard.watch(total / belief.shape[0], op.sources)  # no more than the largest entry
        result = kernel.probabilities(belief, reuse=reuse, total=total)
    else:
        result = kernel.probabilities(belief, reuse=reuse)
    return result.flatten(1, 2).expand(-1, -1, run.batch)


def mean(run: Run, op: Readout) -> Tensor:
    """Posterior mean of the state values, (nodes, batch)."""
    belief = run.values[op.sources[0]]
    values = run.setting.grids[run.setting.forest.blocks[op.block].variable].values
    if run.guard is not None:
        run.guard.watch(belief.amax(0), op.sources)
    if run.setting.kernel.is_log:
        belief = run.setting.kernel.probabilities(belief)
    weights = torch.stack((torch.ones_like(values), values))
    columns = belief.flatten(1, 2)
    total, first = torch.mm(weights, columns.flatten(1))
    moments = first / total.clamp_min(torch.finfo(total.dtype).tiny)
    return split(moments, 0, (columns.shape[1], columns.shape[2])).expand(-1, run.batch)


def variance(run: Run, op: Readout) -> Tensor:
    """Posterior variance of the state values, (nodes, batch)."""
    weights = posterior(run, op, ())
    values = run.setting.grids[run.setting.forest.blocks[op.block].variable].values[:, None, None]
    return (weights * (values - (weights * values).sum(0)) ** 2).sum(0)


def log_evidence(run: Run, op: Readout) -> Tensor:
    """Log of the total mass, (batch,), float64."""
    roots, scales = op.sources[: op.roots], op.sources[op.roots :]
    total = run.setting.like.new_zeros(run.batch, dtype=torch.float64)
    for root in roots:
        belief = run.values[root]
        if run.guard is not None:
            run.guard.watch(belief.amax(0), (root,))
        total = total + run.setting.kernel.total(belief).double().sum((0, 1))
    for scale in scales:
        total = total + run.values[scale]
    for leaf in run.leaves.values():
        total = total + leaf.offset
    return total + run.setting.constant


def edge_posterior(run: Run, op: Readout) -> Tensor:
    """Joint posterior of parent and child, (parent states, child states, children, batch)."""
    table, parent, child = _edge_values(run, op)
    joint = run.setting.kernel.times(parent[:, :, None], child[:, None])
    joint = run.setting.kernel.times(joint, table[..., None])
    flat = run.setting.kernel.probabilities(joint.flatten(1, 2).transpose(0, 1))
    flat = split(flat.transpose(0, 1), 1, (table.shape[1], table.shape[2]))
    nodes = run.setting.frame.places[op.block].nodes
    return flat.movedim(0, 2).reshape(*table.shape[1:], nodes, run.batch)


def counts(run: Run, op: Readout) -> Tensor:
    """Expected counts of (parent state, child state), summed over batch and tied edges."""
    table, parent, child = _edge_values(run, op)
    summed = run.setting.kernel.joint_sum(table, parent, child)
    edge = run.setting.forest.edges[op.block]
    return row_sums(summed, edge, run.setting.frame.places[op.block])


def unary_counts(run: Run, op: Readout, ending: tuple[Value, ...]) -> Tensor:
    """Expected counts of states summed over the batch, (rows of the unary stack, states)."""
    per_node = posterior(run, op, ending).sum(-1).t()
    block = run.setting.forest.blocks[op.block]
    if block.unary_rows == 1:
        return per_node.sum(0, keepdim=True)
    natural = torch.empty_like(per_node)
    natural[torch.as_tensor(run.setting.frame.places[op.block].order, device=natural.device)] = (
        per_node
    )
    return natural


def _edge_values(run: Run, op: Readout) -> tuple[Tensor, Tensor, Tensor]:
    """Table (g, Sp, Sc), cavity (g, Sp, columns), value below (g, Sc, columns) of an edge."""
    kernel, potential = run.setting.kernel, run.potential(op.block)
    cavity, below = (run.values[source] for source in op.sources)
    ranks, _, parents, _ = cavity.shape
    parent = cavity.expand(-1, -1, -1, run.batch)
    child = below.transpose(0, 1).expand(ranks, -1, parents, run.batch)
    stack = dense(potential, kernel, ranks, cavity)
    if run.guard is not None:
        sent = stack.to_root(kernel, child)
        run.guard.watch(kernel.times(sent, parent).amax(1), op.sources)
    return stack.up, stack.grouped(parent), stack.grouped(child)
