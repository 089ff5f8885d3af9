"""Records of what each message and belief adds to the error of a network, node by node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ghmpp._arrays import FloatArray
from ghmpp.approximation.weights import WEIGHTS, Chosen


@dataclass(frozen=True, slots=True)
class MessageBudget:
    """What the messages of one edge class add to the error.

    Parameters
    ----------
    message, layer
        Such as ``pixel -> block``, and the module ``collect.pixel``.
    nets
        By row of the potential: kind and index of the net; None where the message is exact.
    own
        By row: span error of the net alone.
    accumulated
        By child node: span error of its message with all that came before; once, if all are
        equal.
    """

    message: str
    layer: str
    nets: tuple[Chosen, ...]
    own: tuple[float, ...]
    accumulated: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class BeliefBudget:
    """Span error of the log belief of each node of a block; once, if all are equal."""

    block: str
    errors: tuple[float, ...]


def shortened(values: FloatArray) -> tuple[float, ...]:
    """Numbers, or one of them where all are equal."""
    numbers = tuple(map(float, values))
    return numbers[:1] if len(set(numbers)) == 1 else numbers


def message_from_json(record: dict[str, Any]) -> MessageBudget:
    """The record of the content of a file; ValueError and its like if it is broken."""
    nets: list[Chosen] = []
    for net in record["nets"]:
        if net is not None and (net[0] not in WEIGHTS or int(net[1]) < 0):
            raise ValueError(f"there is no net {net!r}")
        nets.append(None if net is None else (net[0], int(net[1])))
    own, accumulated = _floats(record["own"]), _floats(record["accumulated"])
    return MessageBudget(
        str(record["message"]), str(record["layer"]), tuple(nets), own, accumulated
    )


def belief_from_json(record: dict[str, Any]) -> BeliefBudget:
    """The record of the content of a file; ValueError and its like if it is broken."""
    return BeliefBudget(str(record["block"]), _floats(record["errors"]))


def _floats(values: list[float]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
