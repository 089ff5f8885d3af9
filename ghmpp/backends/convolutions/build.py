"""From a network of messages to plain convolutions: the same schedule, in the standard form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING, assert_never, get_args

import torch
from torch import Tensor, nn

from ghmpp.backends.convolutions.borders import Cells, Mean, NoisyInput, Posterior, StateInput
from ghmpp.backends.convolutions.convolutions import Maker
from ghmpp.backends.convolutions.grids import Grids, find_grids
from ghmpp.backends.convolutions.layers import Add, Constant, Layers, Log, OneHot, Pool, Siblings
from ghmpp.backends.convolutions.messages import Messages
from ghmpp.backends.convolutions.network import Answer, ConvolutionalNetwork, Part, Parts, Step
from ghmpp.backends.convolutions.refuse import refuse_irregular
from ghmpp.errors import ScheduleError
from ghmpp.models.channels import Gaussian, Given, Localization
from ghmpp.models.forest import Forest
from ghmpp.schedule import ir
from ghmpp.schedule.ir import (
    Choose,
    Combine,
    Evidence,
    Exclude,
    Message,
    Normalize,
    Op,
    Readout,
    Spread,
    Unary,
    Value,
)
from ghmpp.schedule.passes import reissue
from ghmpp.schedule.provenance import Phase, phases
from ghmpp.schedule.values import sources

if TYPE_CHECKING:
    from ghmpp.backends.network import Network


def as_convolutions(network: Network) -> ConvolutionalNetwork:
    """The network of a regular model in plain convolutions, with its present numbers.

    ``Conv1d`` and ``ConvTranspose1d`` along the order of the tree, or ``Conv2d`` and
    ``ConvTranspose2d`` where the order of a class is that of the pixels of an image (see
    :mod:`ghmpp.models.layouts`), with kernel = stride = fan-out and the ranks as channel groups.
    Equal to the network up to rounding, for all families; exact messages become exp, convolution
    and log.

    Parameters
    ----------
    network
        Of a model with one root, and classes of equal fan-out with one table or one per rank.

    Raises
    ------
    QueryError
        If the model has no such form (irregular, index maps, chains, a table per node), or
        something else than posteriors and means is asked.

    Examples
    --------
    >>> import ghmpp as gh
    >>> model = gh.GHM(states=(2, 3), branching=(2,), tables=[[[2, 1, 1], [1, 1, 3]]])
    >>> network = gh.compile(model, gh.posterior("x0"), given="x1").network()
    >>> convolutions = as_convolutions(network)
    >>> convolutions.encoder["x1"]
    Layers(
      x1 -> x0
      (0): Normalize(groups=1)
      (1): Exp()
      (2): Conv1d(3, 4, kernel_size=(2,), stride=(2,), bias=False)
      (3): Log()
      (4): Pool(ranks=2)
    )
    >>> x = torch.tensor([[0, 2], [-1, 1]])
    >>> bool(torch.allclose(convolutions(x), network(x)))
    True
    """
    refuse_irregular(network)
    with torch.no_grad():
        found = ConvolutionalNetwork(_Builder.of(network).parts())
    return found.train(network.training)


@dataclass
class _Builder:
    """Goes through the instructions and adds the layers of each.

    By number of feature map: ``names`` says what gives it, ``same`` has what was only rescaled,
    ``told`` the context and the messages of siblings of what goes to the leaves, ``symbols`` the
    integers that logs were made from, ``observed`` the block of integers, ``one_hot`` their logs.
    ``pooled`` messages are sums over ranks.
    """

    network: Network
    forest: Forest
    grids: Grids
    maker: Maker
    messages: Messages
    inputs: dict[str, StateInput | NoisyInput] = field(default_factory=dict)
    modules: dict[Part, dict[str, nn.Module]] = field(
        default_factory=lambda: {part: {} for part in get_args(Part)}
    )
    steps: list[Step] = field(default_factory=list)
    names: dict[Value, str] = field(default_factory=dict)
    same: dict[Value, Value] = field(default_factory=dict)
    told: dict[Value, tuple[Value | None, Value | None]] = field(default_factory=dict)
    symbols: dict[Value, Value] = field(default_factory=dict)
    observed: dict[Value, str] = field(default_factory=dict)
    one_hot: dict[Value, Value] = field(default_factory=dict)
    pooled: set[Value] = field(default_factory=set)
    fresh: Iterator[Value] = field(default_factory=lambda: count(-1, -1))

    @staticmethod
    def of(network: Network) -> _Builder:
        """Ready to go through the network's schedule."""
        forest = network.schedule.forest
        grids = find_grids(forest)
        learned = any(parameter.requires_grad for parameter in network.parameters())
        maker = Maker(grids.dimensions, network.like, learned)
        return _Builder(network, forest, grids, maker, Messages(network, grids, maker))

    def parts(self) -> Parts:
        """All layers."""
        schedule = self.network.schedule
        for given in self.network.given:
            self.inputs[given.variable] = self.input(given)
        for op, phase in zip(schedule.ops, phases(schedule), strict=True):
            self.visit(op, phase)
        fed = {op.block: op.out for op in schedule.ops if isinstance(op, Evidence)}
        blocks = {name: self.forest.variables[name].blocks[0] for name in self.inputs}
        return Parts(
            self.title(),
            self.inputs,
            {name: fed.get(block, next(self.fresh)) for name, block in blocks.items()},
            self.modules,
            self.steps,
            self.answers(),
        )

    def title(self) -> str:
        """What the network computes."""
        asked = ", ".join(f"{kind}({name})" for kind, name in self.network.answers)
        given = ", ".join(self.inputs) or "nothing"
        return f"{self.forest.name!r}: {asked} given {given}"

    def answers(self) -> list[Answer]:
        """Outputs in the order of the queries."""
        found = []
        for kind, name in self.network.answers:
            variable = self.forest.variables[name]
            value = self.network.schedule.outputs[kind, variable.blocks[0]]
            cells = Cells(variable, self.grids.of[variable.blocks[0]])
            found.append(Answer((kind, name), value, cells))
        return found

    def input(self, given: Given) -> StateInput | NoisyInput:
        """From observations of a class to a feature map."""
        variable, like = self.forest.variables[given.variable], self.network.like
        grid = self.grids.of[variable.blocks[0]]
        if given.channel is None:
            return StateInput(variable, grid, like)
        assert isinstance(given.channel, Gaussian | Localization)
        values = torch.tensor(variable.values, dtype=torch.float64)
        middle = float(values.amin() + values.amax()) / 2
        centred = values - middle
        weight = torch.stack((centred, -0.5 * centred**2), 1)
        affine = replace(self.maker, learned=False).pointwise(weight, None)
        return NoisyInput(variable, grid, given.channel, affine, middle)

    def visit(self, op: Op, phase: Phase) -> None:
        """Add the layers of an instruction; a rescale is another name of what it rescales."""
        match reissue(op, lambda value: self.same.get(value, value), op.out):
            case Evidence(block=block, out=out):
                name = self.forest.blocks[block].variable
                self.names[out] = f"inputs.{name}"
                if isinstance(self.inputs[name], StateInput):
                    self.symbols[out], self.observed[out] = out, block
            case Unary(block=block, key=key, out=out):
                self.constant(block, self.unary(block, key), "prior", phase, out)
            case Combine(block=block, sources=(), out=out):
                self.flat(block, phase, out)
            case Combine(block=block, sources=many, out=out):
                self.combine(block, many, phase, out)
            case Normalize(source=source, out=out):
                self.same[out] = source
            case Message(edge=child, toward="root", source=source, out=out):
                self.collect(child, source, out)
            case Message(edge=child, source=source, out=out):
                self.distribute(child, source, out)
            case ir.Pool(source=source, out=out) if source in self.pooled:
                self.same[out] = source
            case ir.Pool(edge=child, source=source, out=out):
                pool = Pool(self.forest.edges[child].fanout)
                self.add("encoder", f"{self.variable(child)}_pool", pool, (source,), out)
            case Spread(source=source, out=out):
                self.told[out] = (source, None)
            case Exclude(context=context, messages=messages, out=out):
                self.told[out] = (context, messages)
            case Readout(block=block, kind=kind, sources=read, out=out):
                self.read_out(block, kind, read[0], out)
            case ir.Couple() | ir.Local() | ir.Gate() | ir.Noise() | ir.Repeat():
                raise ScheduleError("as_convolutions: fields are refused before; a bug in ghmpp.")
            case Choose():
                raise ScheduleError("as_convolutions: choices are refused before; a bug in ghmpp.")
            case _ as never:
                assert_never(never)

    def add(
        self, part: Part, name: str, module: nn.Module, inputs: Sequence[Value | None], out: Value
    ) -> None:
        """Register a layer and call it."""
        modules = self.modules[part]
        while name in modules:
            name += "_"
        modules[name] = module
        self.names[out] = f"{part}.{name}"
        self.steps.append(Step(out, module, tuple(inputs)))

    def part(self, block: str, phase: Phase) -> Part:
        """Where the sums and constants of a block belong."""
        if block not in self.forest.edges:
            return "bottleneck"
        return "encoder" if phase == "collect" else "decoder"

    def variable(self, block: str) -> str:
        """The class of a block."""
        return self.forest.blocks[block].variable

    def logs(self, value: Value) -> Value:
        """A feature map of logs; observed states are made one where they are read as such."""
        if self.symbols.get(value) != value:
            return value
        if value not in self.one_hot:
            block = self.observed[value]
            self.one_hot[value] = next(self.fresh)
            layer = OneHot(self.forest.blocks[block].states)
            name = f"{self.variable(block)}_states"
            self.add("encoder", name, layer, (value,), self.one_hot[value])
        return self.one_hot[value]

    def constant(self, block: str, logs: Tensor, name: str, phase: Phase, out: Value) -> None:
        """A feature map that depends on no input; logs (1 or cells, states)."""
        space = self.grids.of[block].shape
        cells = space if len(logs) > 1 else (1,) * len(space)
        module = Constant(logs.T.reshape(1, -1, *cells), space)
        self.add(self.part(block, phase), f"{self.variable(block)}_{name}", module, (), out)

    def flat(self, block: str, phase: Phase, out: Value) -> None:
        """Where nothing is known."""
        zeros = self.network.like.new_zeros(1, self.forest.blocks[block].states)
        self.constant(block, zeros, "flat", phase, out)

    def unary(self, block: str, key: str) -> Tensor:
        """Log unary potential, (1 or cells, states)."""
        stack = self.network.stack(key).detach()
        tree = self.grids.of[block].tree
        if len(stack) > 1 and tree is not None:
            stack = stack[torch.as_tensor(tree, device=stack.device)]
        logs: Tensor = Log()(stack / stack.amax())
        return logs.to(self.network.like)

    def combine(self, block: str, many: Sequence[Value], phase: Phase, out: Value) -> None:
        """A sum: the skip connection, in the decoder."""
        for value in many:
            if value in self.symbols:
                self.symbols[out] = self.symbols[value]
        read = [self.logs(value) for value in many]
        layer, part = Add(" + ".join(self.names[value] for value in read)), self.part(block, phase)
        name = f"{self.variable(block)}_{'skip' if part == 'decoder' else 'sum'}"
        self.add(part, name, layer, read, out)

    def collect(self, child: str, source: Value, out: Value) -> None:
        """A message of the encoder; summed over ranks where nobody needs it by rank."""
        readers = [op for op in self.network.schedule.ops if out in sources(op)]
        pooled = all(isinstance(op, ir.Pool) for op in readers)
        if pooled:
            self.pooled.add(out)
        name = self.variable(child)
        layers, reads = self.messages.encoder(child, pooled=pooled)
        source = self.symbols[source] if reads == "symbol" else self.logs(source)
        module = Layers(self.network.collect[name].message, *layers)
        self.add("encoder", name, module, (source,), out)

    def distribute(self, child: str, source: Value, out: Value) -> None:
        """A message of the decoder, with its skip connections."""
        edge = self.forest.edges[child]
        context, messages = self.told.get(source, (source, None))
        if context is None:
            context = next(self.fresh)
            self.flat(edge.parent, "distribute", context)
        context, name = self.logs(context), self.variable(child)
        skips = "" if messages is None else f", skip from {self.names[messages]}"
        siblings = Siblings(edge.fanout, f"context {self.names[context]}{skips}")
        message = self.network.distribute[name].message
        module = Layers(message, siblings, *self.messages.decoder(child))
        self.add("decoder", name, module, (context, messages), out)

    def read_out(self, block: str, kind: str, belief: Value, out: Value) -> None:
        """A posterior or a mean."""
        module: nn.Module = Posterior()
        if kind == "mean":
            values = self.forest.variables[self.variable(block)].values
            fixed = replace(self.maker, learned=False)
            module = Mean(fixed.pointwise(torch.tensor(values)[None], None))
        name = f"{self.variable(block)}_{kind}"
        self.add("readout", name, module, (self.logs(belief),), out)
