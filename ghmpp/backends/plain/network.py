"""A network as a plain torch module that tracers can follow: what exported files are made from.

The same schedule as that of :class:`ghmpp.backends.network.Network` runs, instruction by
instruction in the layout of its definition, in natural logs, without chunks, guards or reused
memory.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from ghmpp.backends.container import Named
from ghmpp.backends.network import Network
from ghmpp.backends.plain.gaussian import NaturalInput
from ghmpp.backends.plain.inputs import (
    LikelihoodInput,
    Read,
    ValueInput,
    input_of,
    shared_parameters,
)
from ghmpp.backends.plain.logs import cast
from ghmpp.backends.plain.steps import Reorder
from ghmpp.backends.plain.wiring import wire
from ghmpp.backends.results import OutputKey
from ghmpp.schedule.passes import unrolled


class PlainNetwork(nn.Module):
    """The answers of a network by operations that every tracer and runtime has.

    Parameters
    ----------
    network
        What to follow. Its potentials and approximating layers become parts of this module, as
        the same objects; stacks that are functions of symbols have their present values.

    Attributes
    ----------
    precision
        Precision of the run; results have that of the network. Tables with zeros and index maps
        let logarithms grow, so they are run in float64 also for a network in float32, which does
        so itself.
    channel
        Parameters of channels that a call may change, with their present values: those that all
        channels have alike.
    calls
        The steps in order.

    Raises
    ------
    QueryError
        If the network makes choices (most probable states, samples), sums counts over the batch,
        or is given observations through a Python function.

    Notes
    -----
    Nothing is checked: states must be -1 (missing) to S - 1, observed values finite or NaN
    (missing). Impossible evidence gives probabilities of 0 and log evidence -inf.

    Examples
    --------
    >>> import ghmpp as gh
    >>> model = gh.GHM(states=(2, 3), branching=(2,), tables=[[[2, 1, 1], [1, 1, 3]]])
    >>> network = gh.compile(model, gh.posterior("x0"), given="x1").network()
    >>> PlainNetwork(network)(torch.tensor([[2, -1]]))
    tensor([[0.2105, 0.7895]], dtype=torch.float64)
    """

    log_partition: Tensor

    def __init__(self, network: Network) -> None:
        super().__init__()
        forest = network.schedule.forest
        self.given, self.answers = network.given, network.answers
        self.schedule = unrolled(network.schedule)
        self.variables, self.channel = network.variables, shared_parameters(network.given)
        self.dtype, self.precision = network.dtype, _precision(network)
        self.potentials, self.fields = network.potentials, network.fields
        if network.family != "exact":
            self.collect, self.distribute = network.collect, network.distribute
        fixed = {key: network.stack(key).detach() for key in forest.formulas}
        self.stacks = Named({k: nn.Parameter(v, requires_grad=False) for k, v in fixed.items()})
        self.inputs = Named(
            {
                g.variable: input_of(g, self.variables[g.variable], self.precision)
                for g in self.given
            }
        )
        self.likelihoods = LikelihoodInput(self.precision)
        orders = {name: each.order for name, each in forest.variables.items()}
        known = {name: order for name, order in orders.items() if order is not None}
        self.to_tree = Named({name: Reorder(order) for name, order in known.items()})
        self.to_user = Named({name: Reorder(np.argsort(order)) for name, order in known.items()})
        asked = ("log_evidence", "") in self.answers
        total = network.log_partition().detach().double() if asked else torch.zeros(())
        self.register_buffer("log_partition", total, persistent=False)
        wiring = wire(network, self.schedule, self.precision)
        self.steps, self.calls = Named(wiring.steps), tuple(wiring.calls)

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        """The answers, as :meth:`ghmpp.backends.network.Network.forward` gives them.

        Parameters
        ----------
        inputs
            One tensor per given class: states (batch, nodes), observed values (batch, nodes), or
            likelihoods (batch, nodes, states). Tensors of shape () may follow, for the channel
            parameters of this call in the order of :attr:`channel`.
        """
        batch = inputs[0].shape[0] if self.given else 1
        read = self._read(inputs)
        values: dict[Hashable, Tensor] = {("evidence", k): v for k, v in self._leaves(read).items()}
        for stacks in (self.potentials, self.stacks):
            values.update((("stack", key), stacks[key]) for key in stacks)
        if self.fields is not None:
            numbers = self.fields.couplings
            values.update((("number", key), numbers[key]) for key in numbers)
        for call in self.calls:
            found = self.steps[call.step](*(values[name] for name in call.reads))
            written = found if isinstance(found, tuple) else (found,)
            values.update(zip(call.writes, written, strict=False))
        offsets = [offset for _, offset in read.values()]
        answers = tuple(self._answer(key, values, offsets, batch) for key in self.answers)
        return answers[0] if len(answers) == 1 else answers

    def _read(self, inputs: tuple[Tensor, ...]) -> dict[str, Read]:
        """Log-likelihoods and offsets of the given classes."""
        changed = dict(zip(self.channel, inputs[len(self.given) :], strict=False))
        found: dict[str, Read] = {}
        for given, x in zip(self.given, inputs, strict=False):
            reader = self.inputs[given.variable]
            if x.ndim == 3:
                found[given.variable] = self.likelihoods(x)
            elif isinstance(reader, ValueInput | NaturalInput):
                found[given.variable] = reader(x, changed)
            else:
                found[given.variable] = reader(x)
        return found

    def _leaves(self, read: Mapping[str, Read]) -> dict[str, Tensor]:
        """Log-likelihoods by class of the forest that is run, nodes in tree order."""
        forest = self.schedule.forest
        logs = {name: found for name, (found, _) in read.items()}
        if forest.grouping is not None:
            parts: dict[str, dict[int, Tensor]] = {}
            for name, found in logs.items():
                for node, (home, position) in enumerate(forest.grouping.members[name]):
                    parts.setdefault(home, {})[position] = found.narrow(1, node, 1)
            logs = {
                home: _joined(found, forest.variables[home].nodes) for home, found in parts.items()
            }
        return {
            name: self.to_tree[name](found) if name in self.to_tree else found
            for name, found in logs.items()
        }

    def _answer(
        self,
        key: OutputKey,
        values: Mapping[Hashable, Tensor],
        offsets: list[Tensor],
        batch: int,
    ) -> Tensor:
        """One answer: blocks joined, in the user's order, with the network's precision."""
        kind, name = key
        schedule, grouping = self.schedule, self.schedule.forest.grouping
        if kind == "log_evidence":
            total = values[schedule.outputs[key]] - self.log_partition
            for offset in offsets:
                total = total + offset
            return total.expand(batch)
        if grouping is None:
            whole = self._class(kind, name, values, batch)
        else:
            members = grouping.members[name]
            homes = {home: self._class(kind, home, values, batch) for home, _ in members}
            nodes = [homes[home].narrow(1, position, 1) for home, position in members]
            whole = nodes[0] if len(nodes) == 1 else torch.cat(nodes, 1)
        return cast(whole[:, 0] if self.variables[name].nodes == 1 else whole, self.dtype)

    def _class(self, kind: str, home: str, values: Mapping[Hashable, Tensor], batch: int) -> Tensor:
        """The answers of all blocks of a class of the forest that is run, in its order."""
        schedule = self.schedule
        outputs = (schedule.outputs.get((kind, b.name)) for b in schedule.forest.class_blocks(home))
        found = [values[value] for value in outputs if value is not None]
        parts = [part.expand(batch, *part.shape[1:]) for part in found]
        whole = parts[0] if len(parts) == 1 else torch.cat(parts, 1)
        return self.to_user[home](whole) if home in self.to_user else whole


def _joined(parts: Mapping[int, Tensor], nodes: int) -> Tensor:
    """Log-likelihoods (batch, 1, states) of single nodes by position as one of all nodes."""
    missing = torch.zeros_like(next(iter(parts.values())))
    return torch.cat([parts.get(position, missing) for position in range(nodes)], 1)


def _precision(network: Network) -> torch.dtype:
    """Precision of the run."""
    domain = network.domain
    single = domain.dtype == "float32" and not domain.guarded
    return torch.float32 if single else torch.float64
