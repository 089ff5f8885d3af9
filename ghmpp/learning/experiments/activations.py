"""What the layers of a module send, caught by hooks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ghmpp.backends.messages import MessageLayer
from ghmpp.backends.network import Network
from ghmpp.errors import QueryError
from ghmpp.learning.training.draws import Inputs
from ghmpp.learning.training.rows import answers

Caught = dict[str, list[Tensor]]


def layers_of(module: nn.Module) -> dict[str, nn.Module]:
    """Message layers of emitted networks, and modules without parts elsewhere, by name."""
    found: dict[str, nn.Module] = {}
    for name, each in module.named_modules():
        inside = any(name.startswith(f"{above}.") for above in found)
        whole = isinstance(each, MessageLayer) or not any(each.children())
        if whole and not inside:
            found[name or type(each).__name__] = each
    return found


def activations(
    module: nn.Module, inputs: Inputs, channel: Mapping[str, float], rows: int
) -> dict[str, Tensor]:
    """Outputs of all layers, (rows, numbers), float64, for inputs of so many rows.

    Messages of emitted networks are natural logs, centred over states: what a message means does
    not depend on its scale. A layer that is called several times has all its outputs side by side;
    what is the same for all inputs is left out.

    Raises
    ------
    QueryError
        If the module has no layer whose outputs belong to rows.
    """
    step = min(rows, module.rows_per_chunk()) if isinstance(module, Network) else rows
    parts: list[dict[str, list[Tensor]]] = []
    for start in range(0, rows, step):
        part = tuple(x[start : start + step] for x in inputs)
        with catching(layers_of(module), len(part[0])) as caught:
            answers(module, part, channel)
        parts.append(caught)
    found: dict[str, Tensor] = {}
    for name in parts[0]:
        # Rows that were run again in logarithms come last.
        calls = min(len(part.get(name, ())) for part in parts)
        if calls:
            found[name] = torch.cat([torch.cat(part[name][:calls], 1) for part in parts])
    if not found:
        raise QueryError(
            f"probe: {type(module).__name__} has no layer whose output has one entry per row."
        )
    return found


@contextmanager
def catching(layers: Mapping[str, nn.Module], rows: int) -> Iterator[Caught]:
    """Catch what layers send while the context lasts: (rows, numbers) for each call."""
    caught: Caught = {}

    def listen(name: str, layer: nn.Module) -> torch.utils.hooks.RemovableHandle:
        def hook(_: nn.Module, arguments: tuple[object, ...], output: object) -> None:
            if not isinstance(output, Tensor) or not output.is_floating_point():
                return
            found = output.detach().double().cpu()
            if isinstance(layer, MessageLayer):
                found = _centred_logs(found, getattr(arguments[0], "is_log", True))
            if found.ndim and len(found) == rows:
                caught.setdefault(name, []).append(found.reshape(rows, -1))

        return layer.register_forward_hook(hook)

    handles = [listen(name, layer) for name, layer in layers.items()]
    try:
        yield caught
    finally:
        for handle in handles:
            handle.remove()


def _centred_logs(message: Tensor, logs: bool) -> Tensor:
    """A message (ranks, states, parents, batch) as centred logs, batch first; shares with zeros."""
    found = (message if logs else message.log()).permute(3, 0, 2, 1)
    return centred(found)


def centred(logs: Tensor) -> Tensor:
    """Logs without their mean over states; where some are -inf, shares that sum to 1 instead."""
    if torch.isfinite(logs).all():
        return logs - logs.mean(-1, keepdim=True)
    return logs.softmax(-1).nan_to_num(0.0)
