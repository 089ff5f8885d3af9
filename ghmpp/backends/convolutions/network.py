"""A network in the standard form: encoder, bottleneck and decoder of plain convolutions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from ghmpp.backends.container import Named
from ghmpp.backends.convolutions.borders import Cells, NoisyInput, StateInput
from ghmpp.backends.convolutions.summary import Summary, summarize
from ghmpp.backends.observe import as_tensor
from ghmpp.backends.results import OutputKey
from ghmpp.errors import EvidenceError

Part = Literal["encoder", "bottleneck", "decoder", "readout"]


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One layer's call: what it reads and writes, as numbers of feature maps; None for nothing."""

    out: int
    module: nn.Module
    inputs: tuple[int | None, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """An output: the feature map that holds it, and what it is about."""

    key: OutputKey
    value: int
    cells: Cells


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """What a convolutional network is made of, see :class:`ConvolutionalNetwork`.

    ``fed`` has the number of the feature map of each input; ``title`` says what is computed.
    """

    title: str
    inputs: Mapping[str, StateInput | NoisyInput]
    fed: Mapping[str, int]
    modules: Mapping[Part, Mapping[str, nn.Module]]
    steps: Sequence[Step]
    answers: Sequence[Answer]


class ConvolutionalNetwork(nn.Module):
    """A ConvNet (posterior of the root) or U-Net of plain torch layers.

    Made by ``network.as_convolutions()``, with the numbers that the network has at that time. A
    message from children to parents is a convolution whose kernel and stride are the fan-out: the
    net of each child rank is one group of its channels, and reads one position of the kernel.
    Messages to the children are transposed convolutions. Weights want gradients if those of the
    network do; weights that are 0 because a rank does not read another's position are then free.

    Parameters
    ----------
    parts
        Layers, in the order in which they run.

    Attributes
    ----------
    inputs
        From observations to feature maps, by observed class.
    encoder, decoder
        The messages to the root and to the leaves, by class of the child, and the sums beside
        them.
    bottleneck
        Prior and sums at the root.
    readout
        Softmax and means.

    Notes
    -----
    Feature maps hold natural logs, up to a constant per node, and layers rescale them to largest
    entry 0. Exact messages become exp, convolution and log with that one scale per node: entries
    of less than e^-700 (float64) or e^-80 (float32) of a node's largest are lost, which matters
    only where tables have zeros.
    """

    def __init__(self, parts: Parts) -> None:
        super().__init__()
        self.title, self._fed = parts.title, dict(parts.fed)
        self.inputs = Named(parts.inputs)
        self.encoder = Named(parts.modules["encoder"])
        self.bottleneck = Named(parts.modules["bottleneck"])
        self.decoder = Named(parts.modules["decoder"])
        self.readout = Named(parts.modules["readout"])
        self.steps, self.answers = tuple(parts.steps), tuple(parts.answers)

    def forward(self, *inputs: Tensor, **channel: float) -> Tensor | tuple[Tensor, ...]:
        """The answers of the network that it was made from.

        Parameters
        ----------
        inputs
            One tensor per given class, in order: states (batch, nodes) as integers with -1 for
            missing, or continuous observations (batch, nodes) with NaN for missing; where the
            user's order of nodes is that of an image, also (batch, rows, columns) or (batch, 1,
            rows, columns).
        channel
            Channel parameters for this call, such as ``sigma=4.0``; the weights stay the same.

        Returns
        -------
        one tensor per query, the only one bare, as the network gives them: posteriors (batch,
        nodes, states), means (batch, nodes), without the node axis for a class with one node. For
        images, channels first: (batch, states, rows, columns), and means with the axes of the
        input.

        Raises
        ------
        EvidenceError
            If the number, shapes or entries of the inputs do not fit, or a channel parameter
            belongs to none of them.
        """
        values = self._read(inputs, channel)
        batch = next((x.shape[0] for x in values.values()), 1)
        for step in self.steps:
            read = (None if value is None else values[value] for value in step.inputs)
            values[step.out] = step.module(*read)
        axes = max((as_tensor(x).ndim for x in inputs), default=2)
        found = tuple(_written(each, values[each.value], batch, axes) for each in self.answers)
        return found[0] if len(found) == 1 else found

    def summary(self) -> Summary:
        """Layer by layer: kind, the message that it mirrors, parameters, output shape."""
        return summarize(self)

    def _read(self, inputs: Sequence[Tensor], channel: Mapping[str, float]) -> dict[int, Tensor]:
        """Feature maps of the inputs, by number."""
        names = ", ".join(self.inputs) or "nothing"
        if len(inputs) != len(self.inputs):
            raise EvidenceError(f"network: expected inputs for {names}, got {len(inputs)} inputs.")
        if channel and all(isinstance(each, StateInput) for each in self.inputs.parts()):
            raise EvidenceError(
                f"network: {next(iter(channel))}= belongs to a channel, but the inputs ({names}) "
                "are states; compile with given=noisy(...) or localized(...)."
            )
        values = {}
        for (name, number), x in zip(self._fed.items(), inputs, strict=True):
            layer = self.inputs[name]
            values[number] = layer(x) if isinstance(layer, StateInput) else layer(x, **channel)
        sizes = [x.shape[0] for x in values.values()]
        if any(size != sizes[0] for size in sizes):
            listed = ", ".join(f"{n}: {size}" for n, size in zip(self._fed, sizes, strict=True))
            raise EvidenceError(f"network: inputs must have the same batch size, got {listed}.")
        return values

    def extra_repr(self) -> str:
        """What it computes."""
        return self.title

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()


def _written(answer: Answer, x: Tensor, batch: int, axes: int) -> Tensor:
    """An answer in the user's order of nodes; as an image if the inputs were images."""
    cells, kind = answer.cells, answer.key[0]
    x = x.expand(batch, *x.shape[1:])
    if axes > 2 and cells.order is None and cells.nodes > 1:
        return x[:, 0] if kind == "mean" and axes == len(cells.space) + 1 else x
    found = cells.write(x)
    found = found[:, :, 0] if kind == "mean" else found
    return found[:, 0] if cells.nodes == 1 else found
