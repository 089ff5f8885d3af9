"""Results of chunks, gathered over the batch and brought into the user's order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ghmpp.models.forest import Forest, VariableClass
from ghmpp.schedule.ir import Schedule, Value

OutputKey = tuple[str, str]
SUMMED = ("counts", "unary_counts")


def answers_of(schedule: Schedule) -> tuple[OutputKey, ...]:
    """Kind and class of all that a schedule computes; a class once for all of its blocks."""
    blocks = schedule.forest.blocks
    keys = ((kind, blocks[block].variable if block else "") for kind, block in schedule.outputs)
    return tuple(dict.fromkeys(keys))


@dataclass
class Gathered:
    """Results by output kind and class (or potential key, for counts).

    Parameters
    ----------
    forest
        Structure.
    outputs
        Values of the schedule's outputs, by kind and block.
    inverse
        Physical column of each of the user's nodes, by class; None for the same order.
    batch
        Rows in all chunks together.
    """

    forest: Forest
    outputs: Mapping[OutputKey, Value]
    inverse: Mapping[str, Tensor | None]
    batch: int
    found: dict[OutputKey, Tensor] = field(default_factory=dict)

    def add(self, raw: Mapping[Value, Tensor], start: int, stop: int) -> None:
        """Take the results of rows ``start`` to ``stop``."""
        blocks: dict[OutputKey, list[Tensor]] = {}
        for (kind, block), value in self.outputs.items():
            if kind in SUMMED:
                self.count(kind, block, raw[value])
            else:
                variable = self.forest.blocks[block].variable if block else ""
                blocks.setdefault((kind, variable), []).append(raw[value])
        for key, parts in blocks.items():
            whole = parts[0] if len(parts) == 1 else torch.cat(parts, -2)
            self.store(key, whole, self.inverse[key[1]] if key[1] else None, start, stop)

    def count(self, kind: str, block: str, counts: Tensor) -> None:
        """Add the counts of a block to those of its potential key."""
        source = (
            self.forest.edges[block].key if kind == "counts" else self.forest.blocks[block].unary
        )
        key = (kind, source or "")
        self.found[key] = self.found[key] + counts if key in self.found else counts

    def store(
        self, key: OutputKey, part: Tensor, inverse: Tensor | None, start: int, stop: int
    ) -> None:
        """Put rows (..., nodes, batch) into the result, nodes permuted to the user's order.

        One chunk alone is the result, without a copy. What no evidence reaches has one row for
        all of the batch, and is copied to have its own.
        """
        if stop - start == self.batch:
            part = part if inverse is None else part.index_select(-2, inverse)
            self.found[key] = part.contiguous()
            return
        if part.requires_grad:
            part = part if inverse is None else part.index_select(-2, inverse)
            before = (self.found[key],) if key in self.found else ()
            self.found[key] = torch.cat((*before, part), -1)
            return
        if key not in self.found:
            self.found[key] = part.new_empty(*part.shape[:-1], self.batch)
        room = self.found[key][..., start:stop]
        if inverse is None:
            room.copy_(part)
        else:
            torch.index_select(part, -2, inverse, out=room)

    def batch_first(self) -> dict[OutputKey, Tensor]:
        """Results as (batch, nodes, ...): views, copied only where autograd could not use them."""
        return {key: _batch_first(key[0], _usable(result)) for key, result in self.found.items()}


def _usable(result: Tensor) -> Tensor:
    """A tensor that autograd may meet, unless the caller works in inference mode too."""
    copied = result.is_inference() and not torch.is_inference_mode_enabled()
    return result.clone() if copied else result


def _batch_first(kind: str, result: Tensor) -> Tensor:
    match kind:
        case "posterior":
            return result.permute(2, 1, 0)
        case "mean" | "variance" | "draw" | "code":
            return result.t()
        case "edge":
            return result.permute(3, 2, 0, 1)
        case "choice":
            return result.movedim(-1, 0) if result.ndim == 2 else result.permute(2, 0, 1)
        case _:
            return result


def empty(results: Mapping[OutputKey, Tensor]) -> dict[OutputKey, Tensor]:
    """Results of no rows, from those of one: no rows, and counts of zero."""
    return {
        key: torch.zeros_like(result) if key[0] in SUMMED else result[:0]
        for key, result in results.items()
    }


def without_single(result: Tensor, variable: str, variables: Mapping[str, VariableClass]) -> Tensor:
    """A result without the axis of nodes, if its class has one node only."""
    single = variable in variables and variables[variable].nodes == 1
    return result[:, 0] if single else result


def overwrite(raw: dict[Value, Tensor], again: Mapping[Value, Tensor], rows: Tensor) -> None:
    """Replace rows (positions along the batch) of per-row results by repeated ones."""
    for value, result in again.items():
        whole = raw[value].clone()
        whole[..., rows] = result.to(whole.dtype)
        raw[value] = whole
