"""Standard networks for the question of a program, to be compared with the emitted one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from ghmpp._arrays import IntArray
from ghmpp.compiler import Program
from ghmpp.errors import QueryError
from ghmpp.learning.experiments.architectures import PlainCNN, StandardUNet, mlp
from ghmpp.learning.experiments.features import Features, average
from ghmpp.learning.experiments.paths import Path, find_path
from ghmpp.learning.training.rows import only_query
from ghmpp.models.queries import Query
from ghmpp.schedule.domain import Precision

BaselineName = Literal["mlp", "cnn", "unet"]
PRECISIONS = {"float32": torch.float32, "float64": torch.float64}


class Baseline(nn.Module):
    """A standard network with the inputs and answers of an emitted one.

    Parameters
    ----------
    program
        Whose question it is to learn.
    kind
        Its architecture.
    width, seed, dtype
        As of :func:`baseline`.

    Attributes
    ----------
    rate_factor
        What to multiply a learning rate of plain SGD with, so that the best one does not depend
        on the width: the width for "cnn", else 1.
    """

    def __init__(
        self, program: Program, kind: BaselineName, width: int, seed: int, dtype: torch.dtype
    ) -> None:
        super().__init__()
        query = only_query(program, f"baseline {kind!r}")
        self.kind, self.query, self.width = kind, query, width
        self.variable = program.model.variables[query.variable]
        self.features = Features(program, dtype)
        outputs = 1 if query.kind == "mean" else len(self.variable.states)
        self.centre, self.scale = _centre_and_scale(program, query)
        self.rate_factor = width if kind == "cnn" else 1
        generator = torch.Generator().manual_seed(seed)
        make = {"mlp": self._mlp, "cnn": self._cnn, "unet": self._unet}[kind]
        self.read: Callable[[list[Tensor]], Tensor]
        self.body, self.read, cells = make(program, outputs, generator)
        self.register_buffer("cells", None if cells is None else torch.tensor(cells), False)
        self.to(dtype)

    cells: Tensor | None

    def forward(self, *inputs: Tensor, **channel: float) -> Tensor:
        """Posteriors (batch, nodes, states) or means (batch, nodes), nodes in the user's order.

        Parameters
        ----------
        inputs, channel
            As of :meth:`ghmpp.backends.network.Network.forward`.

        Raises
        ------
        EvidenceError
            If inputs do not fit, or a channel parameter is unknown.
        """
        found: Tensor = self.body(self.read(self.features(*inputs, **channel)))
        found = found.flatten(2)
        if self.cells is not None:
            found = found.index_select(2, self.cells)
        if self.query.kind == "mean":
            answer = self.centre + self.scale * found[:, 0]
        else:
            answer = found.movedim(1, 2).softmax(-1)
        return answer[:, 0] if self.variable.nodes == 1 else answer

    def extra_repr(self) -> str:
        """Architecture, question and size."""
        count = sum(parameter.numel() for parameter in self.parameters())
        asked = f"{self.query.kind}({self.query.variable})"
        return f"{self.kind}, {asked}, width {self.width}, {count:,} parameters"

    def _mlp(
        self, program: Program, outputs: int, generator: torch.Generator
    ) -> tuple[nn.Module, Callable[[list[Tensor]], Tensor], IntArray | None]:
        inputs = sum(
            self.features.channels(each) * program.model.variables[each.variable].nodes
            for each in program.given
        )
        depth = max(2, max(program.model.forest().levels.values()))
        body = mlp(inputs, self.width, depth, (outputs, self.variable.nodes), generator)
        return body, _flat, None

    def _cnn(
        self, program: Program, outputs: int, generator: torch.Generator
    ) -> tuple[nn.Module, Callable[[list[Tensor]], Tensor], IntArray | None]:
        path, level = self._path(program)
        if level == len(path.branching):
            raise QueryError(
                f"baseline 'cnn': it summarises what is below, and {self.variable.name!r} is what "
                "is observed; take 'unet'."
            )
        channels = self.features.channels(program.given[0])
        patches = path.branching[level:][::-1]
        # Patches are those of the tree, also of an image, whose pixels are read in its order.
        tree = program.model.variables[path.classes[-1]].order
        body = PlainCNN(channels, self.width, patches, outputs, generator)
        answered = self.variable.order
        return body, _In(tree), None if answered is None else np.argsort(answered)

    def _unet(
        self, program: Program, outputs: int, generator: torch.Generator
    ) -> tuple[nn.Module, Callable[[list[Tensor]], Tensor], IntArray | None]:
        path, level = self._path(program)
        channels = self.features.channels(program.given[0])
        splits = [split[2 - path.dimensions :] for split in path.splits]
        body = StandardUNet(channels, self.width, splits, level, outputs, generator)
        shape = path.shape(path.classes[-1])[2 - path.dimensions :]
        pixels = np.argsort(path.cells(path.classes[-1], program.model))
        return body, _In(pixels, shape), path.cells(self.variable.name, program.model)

    def _path(self, program: Program) -> tuple[Path, int]:
        """The way to the observed class, and the level of the one that is asked for."""
        where = f"baseline {self.kind!r}"
        if len(program.given) > 1:
            raise QueryError(f"{where}: reads one class, and {len(program.given)} are given.")
        path = find_path(program.model, program.given[0].variable, where)
        if self.variable.name not in path.classes:
            raise QueryError(
                f"{where}: {self.variable.name!r} is not on the way {' -> '.join(path.classes)}."
            )
        return path, path.classes.index(self.variable.name)


def baseline(
    program: Program,
    kind: BaselineName,
    *,
    width: int = 64,
    seed: int = 0,
    dtype: Precision = "float32",
    device: str = "cpu",
) -> Baseline:
    """A standard network with random weights for the question of a program.

    Parameters
    ----------
    program
        One posterior or mean, given states or observations with noise. "cnn" and "unet" are for
        one class that is given, in a regular tree, and ask about it or a class above it.
    kind
        "mlp": fully connected, as many hidden layers as the tree has levels and at least two.
        "cnn": the plain network of the papers on random hierarchies: one convolution per level,
        patch = stride = children per node, ReLU; weights N(0, 1) divided by the root of their
        number of inputs, the output by the width, see ``rate_factor``.
        "unet": convolutions of size 3 and ReLU, two per level on each side; down and up by
        patch = stride = children per node; skips are concatenated; ``Conv2d`` where the leaves
        are the pixels of an image.
    width
        Units, or channels, of every hidden layer.
    seed
        Of the weights.
    dtype, device
        Precision and place of parameters.

    Returns
    -------
    Baseline
        A module with the ``forward`` of the program's networks.

    Raises
    ------
    QueryError
        If ``kind`` is unknown, ``width`` below 1, or the program does not fit the architecture.

    References
    ----------
    .. [1] F. Cagnetta, L. Petrini, U. M. Tomasini, A. Favero, M. Wyart, How deep neural networks
       learn compositional data, arXiv:2307.02129.
    .. [2] O. Ronneberger, P. Fischer, T. Brox, U-Net, arXiv:1505.04597.

    Examples
    --------
    >>> import ghmpp as gh
    >>> model = gh.zoo.random_hierarchy(v=4, m=2, s=2, L=2)
    >>> program = gh.compile(model, gh.posterior("x0"), given="x2")
    >>> gh.baseline(program, "cnn", width=16)(torch.tensor([[0, 1, 2, 3]])).shape
    torch.Size([1, 4])
    """
    if kind not in get_args(BaselineName):
        known = ", ".join(map(repr, get_args(BaselineName)))
        raise QueryError(f"baseline: unknown kind {kind!r}; known: {known}.")
    if isinstance(width, bool) or not isinstance(width, int) or width < 1:
        raise QueryError(f"baseline: width must be a whole number >= 1, got {width!r}.")
    if dtype not in PRECISIONS:
        raise QueryError(f"baseline: dtype must be 'float32' or 'float64', got {dtype!r}.")
    with torch.random.fork_rng(devices=[]):  # torch draws weights before ours replace them
        return Baseline(program, kind, width, seed, PRECISIONS[dtype]).to(device)


class _In:
    """One class's channels with the nodes in an order, as a feature map of a shape."""

    def __init__(self, order: IntArray | None, shape: tuple[int, ...] | None = None) -> None:
        self.order, self.shape = None if order is None else torch.tensor(order), shape

    def __call__(self, features: list[Tensor]) -> Tensor:
        x = features[0]
        if self.order is not None:
            x = x[:, :, self.order.to(x.device)]
        return x if self.shape is None else x.reshape(*x.shape[:2], *self.shape)


def _flat(features: list[Tensor]) -> Tensor:
    return torch.cat([x.flatten(1) for x in features], 1)


def _centre_and_scale(program: Program, query: Query) -> tuple[float, float]:
    """By which answers of size 1 become values."""
    if query.kind != "mean":
        return 0.0, 1.0
    mean, variance = average(program, query.variable)
    return mean, variance**0.5
