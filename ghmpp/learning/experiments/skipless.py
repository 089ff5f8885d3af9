"""A U-Net whose skip connections are cut: what the encoder found reaches the root, and no more."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from ghmpp.backends.plain.network import PlainNetwork
from ghmpp.compiler import Program
from ghmpp.models.grouping import group
from ghmpp.schedule.build import Output
from ghmpp.schedule.ir import Message, Normalize, Op, Readout, Schedule, Spread, Value
from ghmpp.schedule.passes import prune
from ghmpp.schedule.plan import schedule_for


class WithoutSkips(nn.Module):
    r"""The trainable U-Net of a program without its skip connections.

    In the decoder of arXiv:2404.18444 a node receives :math:`u_v = f_\uparrow(b_{pa} - q_v)` and
    has :math:`b_v = u_v + h_v`. Here both that the encoder supplies are zero below the root:
    :math:`u_v = f_\uparrow(b_{pa})` and :math:`b_v = u_v`. So everything about the input passes
    through the bottleneck, the value of the root.

    Parameters
    ----------
    program
        A posterior or mean of a class below the root.
    width, seed
        As of :meth:`ghmpp.compiler.Program.network`.
    """

    def __init__(self, program: Program, width: int, seed: int) -> None:
        super().__init__()
        cut = replace(program, schedule=without_skips(program))
        self.plain = PlainNetwork(cut.network("trainable", width=width, seed=seed))

    def forward(self, *inputs: Tensor, **channel: float) -> Tensor:
        """As :meth:`ghmpp.backends.network.Network.forward`, for one query."""
        numbers = [
            torch.tensor(channel.get(name, value)) for name, value in self.plain.channel.items()
        ]
        found = self.plain(*inputs, *numbers)
        assert isinstance(found, Tensor)
        return found


def without_skips(program: Program) -> Schedule:
    """The schedule of :class:`WithoutSkips`: a legal one, which computes something else.

    Values of the decoder are :class:`~ghmpp.schedule.ir.Spread` from parents to children.
    """
    (query,) = program.queries
    forest = group(program.model.forest())
    roots: list[Output] = [("posterior", forest.blocks[name].variable) for name in forest.roots]
    encoder = schedule_for(forest, roots, [each.variable for each in program.given])
    forest = encoder.forest
    ops: list[Op] = []
    known: dict[str, Value] = {}
    for op in encoder.ops:
        if isinstance(op, Readout):
            (known[op.block],) = op.sources
        else:
            ops.append(op)

    fresh = 1 + max(encoder.ops, key=lambda op: op.out).out

    def emit(op: Op) -> Value:
        nonlocal fresh
        ops.append(op)
        fresh += 1
        return op.out

    for name in forest.blocks:
        if name in forest.edges:
            spread = emit(Spread(name, known[forest.edges[name].parent], fresh))
            known[name] = emit(Message(name, "leaves", spread, fresh))
        known[name] = emit(Normalize(name, known[name], fresh))
    home = forest.variables[query.variable].blocks
    assert query.kind != "log_evidence"
    outputs: dict[tuple[str, str], Value] = {
        (query.kind, name): emit(Readout(query.kind, name, (known[name],), fresh)) for name in home
    }
    return prune(replace(encoder, ops=tuple(ops), outputs=outputs))
