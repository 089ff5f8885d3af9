"""The layers of a convolutional network as a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ghmpp.backends.convolutions.borders import NoisyInput, StateInput
from ghmpp.backends.convolutions.layers import Layers

if TYPE_CHECKING:
    from ghmpp.backends.convolutions.network import ConvolutionalNetwork

COLUMNS = ("layer", "kind", "message", "parameters", "output")


@dataclass(frozen=True, slots=True)
class Row:
    """One layer.

    Parameters
    ----------
    layer
        Its path in the network.
    kind
        Such as ``Conv1d 3 -> 40, k2 s2``: channels, kernel, stride, groups.
    message
        The message that it is part of; "" for sums, inputs and read-outs.
    parameters
        Numbers in weight and bias.
    output
        Shape of its output for a batch of size B.
    """

    layer: str
    kind: str
    message: str
    parameters: int
    output: tuple[str | int, ...]

    @property
    def cells(self) -> tuple[str, ...]:
        """The row as text."""
        shape = ", ".join(map(str, self.output))
        return self.layer, self.kind, self.message, f"{self.parameters:,}", f"({shape})"


@dataclass(frozen=True, slots=True)
class Summary:
    """The layers of a convolutional network in the order in which they run.

    Parameters
    ----------
    title
        What the network computes.
    rows
        One row per layer and call.
    """

    title: str
    rows: tuple[Row, ...]

    @property
    def parameters(self) -> int:
        """Numbers in all layers."""
        return sum({row.layer: row.parameters for row in self.rows}.values())

    def __str__(self) -> str:
        table = [COLUMNS, *(row.cells for row in self.rows)]
        widths = [max(len(cells[i]) for cells in table) for i in range(len(COLUMNS))]
        lines = [
            "  ".join(
                cell.rjust(width) if column == "parameters" else cell.ljust(width)
                for column, cell, width in zip(COLUMNS, cells, widths, strict=True)
            ).rstrip()
            for cells in table
        ]
        return "\n".join([self.title, "", *lines, "", f"{self.parameters:,} parameters"])

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{title}</th>" for title in COLUMNS)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row.cells) + "</tr>"
            for row in self.rows
        )
        caption = f"{escape(self.title)}: {self.parameters:,} parameters"
        return f"<table><caption>{caption}</caption><tr>{head}</tr>{body}</table>"


def summarize(network: ConvolutionalNetwork) -> Summary:
    """Run a row without evidence, and note what each layer gives."""
    messages = dict(_messages(network))
    rows: list[Row] = []
    hooks = []
    for path, module in network.named_modules():
        if next(module.children(), None) is None:

            def note(module: nn.Module, inputs: Any, output: Tensor, path: str = path) -> None:
                numbers = sum(p.numel() for p in module.parameters())
                shape = ("B", *output.shape[1:])
                rows.append(Row(path, _kind(module), messages.get(path, ""), numbers, shape))

            hooks.append(module.register_forward_hook(note))
    try:
        with torch.no_grad():
            network(*(_blank(layer) for layer in network.inputs.parts()))
    finally:
        for hook in hooks:
            hook.remove()
    return Summary(network.title, tuple(rows))


def _messages(network: nn.Module) -> Iterator[tuple[str, str]]:
    """The message that each layer is part of, by its path."""
    for path, module in network.named_modules():
        if isinstance(module, Layers):
            yield from ((f"{path}.{name}", module.message) for name, _ in module.named_modules())


def _blank(layer: StateInput | NoisyInput) -> Tensor:
    """One row of an input in which nothing is observed."""
    missing = -1.0 if isinstance(layer, StateInput) else torch.nan
    return torch.full((1, layer.cells.nodes), missing, device=layer.device)


def _kind(module: nn.Module) -> str:
    name = type(module).__name__
    if not isinstance(module, nn.Conv1d | nn.Conv2d | nn.ConvTranspose1d | nn.ConvTranspose2d):
        extra = module.extra_repr()
        return f"{name}({extra})" if extra else name
    kernel, stride = ("x".join(map(str, each)) for each in (module.kernel_size, module.stride))
    groups = f" g{module.groups}" if module.groups > 1 else ""
    return f"{name} {module.in_channels} -> {module.out_channels}, k{kernel} s{stride}{groups}"
