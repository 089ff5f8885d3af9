"""What a call needs besides its evidence: potentials in the kernel's form, orders, constants."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor

from ghmpp._arrays import IntArray
from ghmpp._memory import physical_memory
from ghmpp.backends.container import Named
from ghmpp.backends.encode import Grid
from ghmpp.backends.fields.parts import Fields
from ghmpp.backends.gathers import Shelf
from ghmpp.backends.gaussian import check_gaussian, gaussian_edge
from ghmpp.backends.index_maps import index_map
from ghmpp.backends.kernels import Kernel
from ghmpp.backends.layout import Place, columns, places
from ghmpp.backends.messages import ExactMessage, MessageLayer
from ghmpp.backends.plan import Plan, make_plan
from ghmpp.backends.potentials import Potential, table_stack
from ghmpp.errors import ModelError, QueryError
from ghmpp.models.forest import Edge, Forest
from ghmpp.schedule.cost import ITEM_BYTES, require_memory
from ghmpp.schedule.domain import Precision
from ghmpp.schedule.ir import Message, Schedule

PRECISIONS: Mapping[torch.dtype, Precision] = {torch.float32: "float32", torch.float64: "float64"}
MessageLayers: TypeAlias = Mapping[str, MessageLayer] | Named[MessageLayer]


@dataclass(frozen=True)
class Frame:
    """What follows from a schedule alone.

    Parameters
    ----------
    schedule, plan, places
        The schedule, lifetimes of its values, physical layout of its blocks.
    edges
        One edge per child class (tied blocks of a chain share it).
    children
        Number of edges per child class.
    order
        The user's node at each physical position of a class; None for the same order.
    """

    schedule: Schedule
    plan: Plan
    places: Mapping[str, Place]
    edges: Mapping[str, Edge]
    children: Mapping[str, int]
    order: Mapping[str, IntArray | None]

    @classmethod
    def of(cls, schedule: Schedule, *, pieced: bool = True) -> Frame:
        """Work it out once per network; ``pieced``: whether sums may be formed in pieces."""
        forest = schedule.forest
        layout = places(forest)
        edges: dict[str, Edge] = {}
        children: dict[str, int] = {}
        for edge in forest.edges.values():
            block = forest.blocks[edge.child]
            edges.setdefault(block.variable, edge)
            children[block.variable] = children.get(block.variable, 0) + block.nodes
        order: dict[str, IntArray | None] = {}
        for name in forest.variables:
            found = columns(forest, name, layout)
            same = bool((found == np.arange(len(found))).all())
            order[name] = None if same else found
        return cls(schedule, make_plan(schedule, pieced=pieced), layout, edges, children, order)


@dataclass(frozen=True)
class Setting:
    """What stays the same for all chunks of one call.

    Parameters
    ----------
    frame
        What follows from the schedule.
    kernel
        Number domain and semiring.
    collect, distribute
        The message layers by child class.
    potentials, unaries
        Prepared potentials by child class; unary stacks (states, rows) by key, in the domain.
    even
        Keys of the unary stacks that weigh all states alike, where no gradient is wanted.
    constant
        What the scaling of potentials took from the log evidence, shape (), float64.
    grids
        Numeric state values by class.
    columns, inverse
        The user's node at each physical position of a class, and the reverse; None = same order.
    steps
        Of blocks below irregular parents: children of each rank, and the physical position of
        the parent of each child.
    like
        An empty tensor with the dtype and device of the run.
    tracked
        Whether gradients are wanted; then nothing is overwritten.
    guarded
        Whether to bound what underflow may have lost.
    shelf
        Memory for what is formed in pieces.
    fields
        For instructions on fields, where there are any.
    """

    frame: Frame
    kernel: Kernel
    collect: MessageLayers
    distribute: MessageLayers
    potentials: Mapping[str, Potential]
    unaries: Mapping[str, Tensor]
    even: frozenset[str]
    constant: Tensor
    grids: Mapping[str, Grid]
    columns: Mapping[str, Tensor | None]
    inverse: Mapping[str, Tensor | None]
    steps: Mapping[str, tuple[tuple[int, ...], Tensor]]
    like: Tensor
    tracked: bool
    guarded: bool
    shelf: Shelf = field(default_factory=Shelf)
    fields: Fields | None = None

    @property
    def forest(self) -> Forest:
        """The forest that is run."""
        return self.frame.schedule.forest


def message_layers(frame: Frame, toward: Literal["root", "leaves"]) -> dict[str, MessageLayer]:
    """One exact message layer per edge class that a schedule sends through in a direction."""
    blocks = frame.schedule.forest.blocks
    layers: dict[str, MessageLayer] = {}
    for op in frame.schedule.ops:
        if not isinstance(op, Message) or op.toward != toward:
            continue
        child = blocks[op.edge].variable
        if child not in layers:
            edge = frame.edges[child]
            parent = blocks[edge.parent]
            states = (parent.states, blocks[op.edge].states)
            layers[child] = ExactMessage(
                parent.variable, child, toward=toward, states=states, ranks=edge.fanout
            )
    return layers


def refuse_too_big(schedule: Schedule) -> None:
    """Refuse a schedule of which not even one row fits into the machine's memory.

    Costs are only counted where a bound from above does not fit.

    Raises
    ------
    ResourceError
        With the memory needed, the limit and the largest block.
    """
    blocks, limit = schedule.forest.blocks.values(), physical_memory()
    most = max(block.nodes for block in blocks) * max(block.states for block in blocks) ** 2
    if limit is not None and ITEM_BYTES["float64"] * most * len(schedule.ops) > limit:
        require_memory(schedule)


def torch_precision(name: str) -> torch.dtype:
    """The torch type of a precision by name."""
    for dtype, precision in PRECISIONS.items():
        if precision == name:
            return dtype
    known = " or ".join(PRECISIONS.values())
    raise QueryError(f"dtype {name!r} is unknown; use {known}.")


def check_stack(key: str, stack: Tensor, *, gaussian: bool = False) -> None:
    """Refuse the values of a potential that no model may have, such as those of bad training."""
    if gaussian:
        check_gaussian(key, stack)
        return
    low, high = stack.detach().aminmax()
    if not (low >= 0 and 0 < high < torch.inf):
        raise ModelError(
            f"potential {key!r}: entries must be finite, >= 0 and not all zero, found {float(low)} "
            f"to {float(high)}; restore it, or keep it positive in training (its logarithm, say)."
        )


def prepare(
    frame: Frame,
    kernel: Kernel,
    stacks: Mapping[str, Tensor],
    *,
    like: Tensor,
    layers: tuple[MessageLayers, MessageLayers],
    tracked: bool,
    guarded: bool,
) -> Setting:
    """Bring linear stacks (by potential key, the user's units) into a kernel's form."""
    forest = frame.schedule.forest
    made: dict[Hashable, Potential] = {}
    potentials: dict[str, Potential] = {}
    for child, edge in frame.edges.items():
        sizes = forest.blocks[edge.parent].states, forest.blocks[edge.child].states
        alike = (edge.key, edge.kind, edge.rows, id(frame.places[edge.child]), sizes)
        if alike not in made:
            made[alike] = _potential(frame, kernel, child, stacks, like)
        potentials[child] = made[alike]
    constant = torch.zeros((), dtype=torch.float64, device=like.device)
    for child, potential in potentials.items():
        constant = constant + frame.children[child] * potential.log_scale.double()
    unaries: dict[str, Tensor] = {}
    for block in forest.blocks.values():
        if block.unary is None:
            continue
        largest = stacks[block.unary].detach().amax()
        if block.unary not in unaries:
            scaled = (stacks[block.unary] / largest).to(like)
            unaries[block.unary] = kernel.table(scaled.t().contiguous())
        constant = constant + block.nodes * largest.double().log()
    return Setting(
        frame,
        kernel,
        *layers,
        potentials,
        unaries,
        frozenset() if tracked else _even(unaries, kernel.one),
        constant,
        {
            name: Grid.of(group.values, like)
            for name, group in forest.variables.items()
            if group.values is not None
        },
        {name: _index(order, like.device) for name, order in frame.order.items()},
        {
            name: None if order is None else _index(np.argsort(order), like.device)
            for name, order in frame.order.items()
        },
        {
            name: (place.counts, torch.as_tensor(place.above, device=like.device))
            for name, place in frame.places.items()
            if place.above is not None
        },
        like,
        tracked,
        guarded,
    )


def _even(unaries: Mapping[str, Tensor], one: float) -> frozenset[str]:
    """Keys of the stacks whose entries are all one."""
    return frozenset(key for key, stack in unaries.items() if bool((stack == one).all()))


def _potential(
    frame: Frame, kernel: Kernel, child: str, stacks: Mapping[str, Tensor], like: Tensor
) -> Potential:
    edge, forest = frame.edges[child], frame.schedule.forest
    if edge.kind == "table":
        return table_stack(kernel, stacks[edge.key], edge, frame.places[edge.child], like)
    if edge.kind == "gaussian":
        states = forest.blocks[edge.parent].states
        return gaussian_edge(stacks[edge.key], edge, frame.places[edge.child], states, like)
    index = torch.as_tensor(np.array(forest.data[edge.key]), device=like.device)
    parent, own = forest.blocks[edge.parent].states, forest.blocks[edge.child].states
    return index_map(kernel, index, edge, frame.places[edge.child], parent, own)


def _index(order: IntArray | None, device: torch.device) -> Tensor | None:
    return None if order is None else torch.tensor(order, device=device)
