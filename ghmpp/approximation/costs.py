"""Numbers that the nets of a layer hold, and operations that they take."""

from __future__ import annotations

from collections.abc import Sequence

from ghmpp.approximation.kernels import Kernel
from ghmpp.approximation.message import Sized
from ghmpp.approximation.propagate import StepBound
from ghmpp.models.forest import Forest


def net_parameters(kernel: Kernel, sized: Sized) -> int:
    """Entries of the matrices of one net, the one between the hidden layers kept factored.

    With first and second width D1, D2, sending states S and receiving states R: W3 has D1 (S + 1),
    the factors of W2 have D1 (S + 1), (R + 1) (S + 1) and D2 (R + 1), and W1 has R D2.
    """
    receiving, sending = kernel.shape
    first, second = sized.widths
    if sized.kind == "log-odds":  # one input, one constant, two units that join the halves
        return 2 * first + 2 * first + 2 * second
    inner = (receiving + 1) * (sending + 1)
    return 2 * first * (sending + 1) + inner + second * (2 * receiving + 1)


def distinct(bounds: Sequence[StepBound]) -> list[tuple[StepBound, int]]:
    """Steps and rows of the nets of a layer that have weights of their own."""
    found: dict[tuple[object, ...], tuple[StepBound, int]] = {}
    for bound in bounds:
        step = bound.step
        for row, sized in enumerate(bound.nets):
            if sized is not None:
                same: tuple[object, ...] = (id(step.kernels[row]), bound.reaches[row], sized)
            elif bound.looks_up(row):
                same = (id(step.kernels[row]),)
            else:
                continue
            found.setdefault(same, (bound, row))
    return list(found.values())


def layer_parameters(bounds: Sequence[StepBound]) -> int:
    """Parameters of the steps of one layer."""
    return sum(_parameters(bound, row) for bound, row in distinct(bounds))


def layer_flops(forest: Forest, bounds: Sequence[StepBound]) -> int:
    """Operations of the steps of one layer for one input: two per parameter and node."""
    return sum(
        2
        * sum(_parameters(bound, row) for row in range(len(bound.nets)))
        * (forest.blocks[bound.step.edge.child].nodes // len(bound.nets))
        for bound in bounds
    )


def _parameters(bound: StepBound, row: int) -> int:
    sized = bound.nets[row]
    if sized is not None:
        return net_parameters(bound.step.kernels[row], sized)
    if not bound.looks_up(row):
        return 0
    receiving, symbols = bound.step.kernels[row].shape
    first = symbols + 1  # one more where a symbol may be missing
    return 2 * first + (first + 1) * receiving + (receiving + 1) * receiving
