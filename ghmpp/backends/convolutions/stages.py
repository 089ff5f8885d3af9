"""The nets of all ranks side by side: equal stages, so that one grouped convolution serves them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ghmpp.backends.families.stages import Dense, Stage


def side_by_side(nets: Sequence[Dense]) -> list[list[Stage]]:
    """Stages of several nets, ``[stage][net]``, of equal shapes; none changes what it computes.

    A net with fewer stages passes values on unchanged where it has none; a narrower one gets
    idle units.

    Requires: the nets read the same and send to the same states.
    """
    most = max((net.stages for net in nets), key=len)
    pattern = [stage.relu for stage in most]
    columns = [_stretched(net.stages, pattern) for net in nets]
    rows = list(zip(*columns, strict=True))
    widths = [max(len(stage.bias) for stage in row) for row in rows]
    senders = [most[0].weight.shape[1], *widths]
    return [
        [_padded(stage, out, into) for stage in row]
        for row, out, into in zip(rows, widths, senders, strict=False)
    ]


def constant_net(logs: Tensor, like: Dense) -> Dense:
    """A net that sends the same message whatever it reads, with the stages of another net."""
    silent = [Stage(0 * stage.weight, 0 * stage.bias, stage.relu) for stage in like.stages]
    silent[-1] = Stage(silent[-1].weight, logs.to(silent[-1].bias), relu=False)
    return Dense(like.reads, tuple(silent))


def with_constant_unit(stages: list[list[Stage]]) -> list[list[Stage]]:
    """The same nets with the last bias as the weight of a unit that is always 1.

    A transposed convolution has one bias for all ranks, so that ranks which differ need it. Nets
    without that bias stay as they are.
    """
    *inner, last = stages
    if not any(bool(stage.bias.any()) for stage in last):
        return stages
    if not inner:
        inner = [[_pass(stage.weight.shape[1], stage.weight) for stage in last]]
    *before, hidden = inner
    return [
        *before,
        [
            Stage(
                torch.cat((s.weight, torch.zeros_like(s.weight[:1]))),
                torch.cat((s.bias, torch.ones_like(s.bias[:1]))),
                s.relu,
            )
            for s in hidden
        ],
        [
            Stage(torch.cat((s.weight, s.bias[:, None]), 1), torch.zeros_like(s.bias), s.relu)
            for s in last
        ],
    ]


def _stretched(stages: Sequence[Stage], pattern: Sequence[bool]) -> list[Stage]:
    """Stages with values passed on where the pattern has a stage more without ReLU."""
    found: list[Stage] = []
    for stage in stages:
        while stage.relu != pattern[len(found)]:
            found.append(_pass(stage.weight.shape[1], stage.weight))
        found.append(stage)
    return found


def _pass(width: int, like: Tensor) -> Stage:
    """Values passed on."""
    eye = torch.eye(width, dtype=like.dtype, device=like.device)
    return Stage(eye, torch.zeros_like(eye[0]), relu=False)


def _padded(stage: Stage, out: int, into: int) -> Stage:
    """A stage with idle units and inputs added."""
    rows, columns = stage.weight.shape
    weight = stage.weight.new_zeros(out, into)
    weight[:rows, :columns] = stage.weight
    bias = stage.bias.new_zeros(out)
    bias[:rows] = stage.bias
    return Stage(weight, bias, stage.relu)
