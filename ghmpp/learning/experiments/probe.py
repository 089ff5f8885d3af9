"""Does a network compute messages? Linear probes from its layers to the exact ones."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from ghmpp.backends.plain.network import PlainNetwork
from ghmpp.compiler import Program, compile
from ghmpp.errors import QueryError
from ghmpp.learning.experiments.activations import activations, centred
from ghmpp.learning.experiments.ridge import Ridge
from ghmpp.learning.training.draws import Inputs
from ghmpp.learning.training.rows import drawn, require_count
from ghmpp.models.convert import as_model
from ghmpp.models.queries import posterior
from ghmpp.schedule.ir import Message
from ghmpp.schedule.provenance import provenance

if TYPE_CHECKING:
    import pandas as pd

# Part of the rows on which probes are fitted, and the least number of different rows.
FITTED, LEAST = 2 / 3, 30


def probe(
    module: nn.Module,
    model: object,
    given: Hashable | Sequence[Hashable],
    n: int = 1000,
    seed: int = 0,
    **channel: float,
) -> pd.DataFrame:
    """How well each layer of a module predicts each exact message, linearly.

    Parameters
    ----------
    module
        Any module that takes the inputs of a program with this ``given``: an emitted network, a
        :func:`ghmpp.baseline`, or another one. Its layers are the modules without parts; of
        emitted networks the message layers.
    model
        Whose messages are exact.
    given
        As for :func:`ghmpp.compile`.
    n, seed
        Inputs that are drawn; the same one is used once. Two thirds are fitted, the others judge.
    channel
        Channel parameters in place of those of ``given``.

    Returns
    -------
    DataFrame, one row per layer and message
        Columns: layer ("input" is the module's input itself), message ("pixel -> block", toward
        the root or the leaves), toward, features (numbers of the layer that vary), r2 (share of
        the variance on held-out inputs; 1: the layer has the message, up to a linear map; 0 and
        below: no more than a constant), space ("log": centred logs of the message; "linear":
        probabilities, where some are 0). Messages that no input changes are left out.

    Raises
    ------
    QueryError
        If ``module`` is no module or has no layers, ``n`` is too small, or there are fewer than
        30 different inputs.
    EvidenceError
        If a channel parameter is unknown or out of range.

    Notes
    -----
    Ridge regression in closed form, with the penalty of the least leave-one-out error. A layer
    with more numbers than inputs can hide what it knows: raise ``n``.

    Examples
    --------
    >>> import ghmpp as gh
    >>> model = gh.zoo.random_ghm((2, 2, range(2)), (2, 2), bound=3)
    >>> given = gh.noisy("x2", sigma=1.0)
    >>> network = gh.compile(model, gh.mean("x2"), given).network()
    >>> table = gh.probe(network, model, given, n=200).set_index(["layer", "message"])
    >>> float(table.loc[("collect.x1", "x1 -> x0"), "r2"].round(6))
    1.0
    """
    if not isinstance(module, nn.Module):
        raise QueryError(f"probe: needs a torch module, got {module!r}.")
    count = require_count(n, "probe", LEAST)
    known = as_model(model)
    queries = [posterior(name) for name in known.variables]
    program = compile(known, queries, given)
    inputs = _different(program, count, seed, channel)
    rows = len(inputs[0])
    if rows < LEAST:
        raise QueryError(
            f"probe: only {rows} different inputs, which is too few to fit and to judge; {LEAST} "
            "are needed. Take a larger model, or one that is given through noise."
        )
    messages = exact_messages(program, inputs, channel)
    layers = {"input": _inputs(program, inputs), **_numbers(module, inputs, channel, rows)}
    return _table(layers, messages, int(FITTED * rows))


def exact_messages(
    program: Program, inputs: Inputs, channel: dict[str, float]
) -> dict[tuple[str, str, str], torch.Tensor]:
    """All messages of a program by (name, direction, space): (rows, nodes * states).

    Natural logs, centred over states; probabilities where logs are infinite.
    """
    network = PlainNetwork(program.network())
    numbers = [
        torch.tensor(channel.get(name, value), dtype=torch.float64)
        for name, value in network.channel.items()
    ]
    written = {call.writes[0]: call.step for call in network.calls}
    steps = [
        (network.steps[written[op.out]], op)
        for op in network.schedule.ops
        if isinstance(op, Message)
    ]
    found: dict[tuple[str, str, str], torch.Tensor] = {}

    def listen(step: nn.Module, op: Message) -> torch.utils.hooks.RemovableHandle:
        name = provenance(op, program.schedule.forest).name

        def hook(_: nn.Module, __: object, output: torch.Tensor) -> None:
            space = "log" if torch.isfinite(output).all() else "linear"
            found[name, op.toward, space] = centred(output).flatten(1)

        return step.register_forward_hook(hook)

    handles = [listen(step, op) for step, op in steps]
    with torch.no_grad():
        network(*inputs, *numbers)
    for handle in handles:
        handle.remove()
    return {key: value for key, value in found.items() if len(value) == len(inputs[0])}


def _different(program: Program, n: int, seed: int, channel: dict[str, float]) -> Inputs:
    """Inputs, each once."""
    parts = list(drawn(program, n, seed, channel))
    whole = [torch.cat(each) for each in zip(*parts, strict=True)]
    if not whole:
        raise QueryError("probe: nothing is given.")
    flat = torch.cat([each.double() for each in whole], 1).numpy()
    _, first = np.unique(flat, axis=0, return_index=True)
    kept = torch.as_tensor(np.sort(first))
    return tuple(each[kept] for each in whole)


def _inputs(program: Program, inputs: Inputs) -> torch.Tensor:
    """Inputs as numbers: states one-hot."""
    parts = [
        torch.nn.functional.one_hot(x, len(program.model.variables[g.variable].states))
        if g.channel is None
        else x
        for g, x in zip(program.given, inputs, strict=True)
    ]
    return torch.cat([x.double().flatten(1) for x in parts], 1)


def _numbers(
    module: nn.Module, inputs: Inputs, channel: dict[str, float], rows: int
) -> dict[str, torch.Tensor]:
    found = activations(module, inputs, channel, rows)
    for name, each in found.items():
        if not torch.isfinite(each).all():
            raise QueryError(f"probe: layer {name!r} sends numbers that are not finite.")
    return found


def _table(
    layers: dict[str, torch.Tensor], messages: dict[tuple[str, str, str], torch.Tensor], seen: int
) -> pd.DataFrame:
    import pandas as pd

    table = []
    for layer, numbers in layers.items():
        ridge = Ridge(numbers.numpy(), seen)
        for (message, toward, space), values in messages.items():
            score = ridge.score(values.numpy())
            if not np.isnan(score):
                table.append((layer, message, toward, ridge.features, score, space))
    columns = ["layer", "message", "toward", "features", "r2", "space"]
    return pd.DataFrame(table, columns=columns)
