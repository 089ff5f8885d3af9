"""From checked observations in the user's order to leaves in the kernels' layout."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ghmpp.backends.encode import (
    Grid,
    Leaf,
    from_likelihood,
    from_log_likelihood,
    from_quadratic,
    from_states,
    refuse_infinite,
)
from ghmpp.backends.gaussian import natural
from ghmpp.backends.kernels import Kernel
from ghmpp.backends.memory import empty, room
from ghmpp.errors import EvidenceError
from ghmpp.models.channels import Channel, Gaussian, Given, Localization, LogLikelihood
from ghmpp.models.forest import VariableClass
from ghmpp.models.observations import Observation

# A smaller curvature changes no likelihood, and 1 over it leaves the range of float32.
LEAST_CURVATURE = 1e-36


def read_inputs(
    inputs: Sequence[Tensor],
    given: Sequence[Given],
    variables: Mapping[str, VariableClass],
    channel: Mapping[str, float],
) -> dict[str, Observation]:
    """A network's inputs by class, as its channels (with parameters of this call) say."""
    names = ", ".join(each.variable for each in given) or "nothing"
    if len(inputs) != len(given):
        raise EvidenceError(f"network: expected inputs for {names}, got {len(inputs)} inputs.")
    if channel and all(each.channel is None for each in given):
        raise EvidenceError(
            f"network: {next(iter(channel))}= belongs to a channel, but the inputs ({names}) "
            "are states; compile with given=noisy(...) or localized(...)."
        )
    return {
        each.variable: _read_input(x, each, variables[each.variable], channel)
        for x, each in zip(inputs, given, strict=True)
    }


def _read_input(
    x: Tensor, given: Given, variable: VariableClass, channel: Mapping[str, float]
) -> Observation:
    """The input for one class."""
    x = as_tensor(x)
    if variable.nodes == 1 and (x.ndim == 1 or (x.ndim == 2 and x.shape[1] != 1)):
        x = x[:, None]
    shapes = [(variable.nodes,), (variable.nodes, len(variable.states))]
    if variable.real:
        del shapes[1]
    if x.shape[1:] not in shapes:
        expected = " or ".join(f"(batch, {', '.join(map(str, shape))})" for shape in shapes)
        raise EvidenceError(
            f"network: input {variable.name!r} must have shape {expected}, got {tuple(x.shape)}."
        )
    if variable.real and given.channel is None:
        if not bool(torch.isfinite(x.detach()).all()):
            raise EvidenceError(f"network: input {variable.name!r} must be finite, none missing.")
        return Observation("numbers", x)  # type: ignore[arg-type]  # tensors are allowed
    if x.ndim == 3:
        return Observation("likelihood", x)  # type: ignore[arg-type]  # tensors are allowed
    if given.channel is None:
        return Observation("states", _indices(x, variable))  # type: ignore[arg-type]  # same
    changed = given.channel.with_parameters(**channel) if channel else given.channel
    return Observation("values", x, changed)  # type: ignore[arg-type]  # same


def as_tensor(array: object, device: torch.device | None = None) -> Tensor:
    """An array as a tensor, sharing its memory where that is allowed (torch wants to write)."""
    if isinstance(array, np.ndarray) and not array.flags.writeable:
        array = array.copy()
    return torch.as_tensor(array, device=device)


def common_batch(observations: Mapping[str, Observation]) -> int:
    """Rows of evidence; 1 without evidence."""
    sizes = {name: len(found.array) for name, found in observations.items()}
    if len(set(sizes.values())) > 1:
        listed = ", ".join(f"{name}: {size}" for name, size in sizes.items())
        raise EvidenceError(f"network: inputs must have the same batch size, got {listed}.")
    return next(iter(sizes.values()), 1)


def _indices(x: Tensor, variable: VariableClass) -> Tensor:
    """State indices of a network's input, int64, -1 where missing."""
    x = torch.where(torch.isnan(x), -1.0, x) if x.is_floating_point() else x.long()
    whole = not x.is_floating_point() or bool((x == x.round()).all())
    lowest, highest = x.aminmax() if x.numel() else (-1, -1)
    if not (whole and lowest >= -1 and highest < len(variable.states)):
        raise EvidenceError(
            f"network: input {variable.name!r} must hold state indices 0 to "
            f"{len(variable.states) - 1}, or -1 (NaN) where missing."
        )
    return x.long()


def to_tensor(
    observation: Observation, variable: VariableClass, device: torch.device
) -> Observation:
    """The observation with its array as a tensor on ``device`` (no copy where none is needed).

    A channel given by a function becomes log-likelihoods here, in numpy.
    """
    if isinstance(observation.channel, LogLikelihood):
        if getattr(observation.array, "requires_grad", False):
            raise EvidenceError(
                f"{variable.name!r}: no gradient passes through a LogLikelihood function; give "
                "LogLikelihoods(tensor) computed in torch, or detach the observations."
            )
        logs = as_tensor(observation.log_likelihood(variable), device)
        return Observation("log_likelihood", logs)  # type: ignore[arg-type]  # tensors are allowed
    array = as_tensor(observation.array, device)
    return Observation(observation.kind, array, observation.channel)  # type: ignore[arg-type]  # same


def rows_of(observation: Observation, rows: slice | Tensor) -> Observation:
    """Some rows of an observation."""
    return Observation(observation.kind, observation.array[rows], observation.channel)


def blank_row(observation: Observation) -> Observation:
    """One row in which nothing was observed, in place of a batch of none."""
    shape = (1, *observation.array.shape[1:])
    nothing = -1.0 if observation.kind == "states" else 1.0
    blank = torch.full(shape, nothing, dtype=torch.as_tensor(observation.array).dtype)
    return Observation(observation.kind, blank, observation.channel)  # type: ignore[arg-type]  # same


def encode(
    kernel: Kernel,
    observation: Observation,
    variable: VariableClass,
    *,
    columns: Tensor | None,
    grid: Grid | None,
    like: Tensor,
    with_offset: bool,
) -> Leaf:
    """Likelihoods of one class from tensors (batch, nodes[, states]).

    ``columns`` is the user's node at each physical position (None: the same order), ``grid``
    the class's numeric state values (None: it has none);
    ``with_offset`` says whether the log evidence is wanted.
    """
    x: Tensor = torch.as_tensor(observation.array)
    if x.ndim == 3:
        x = _by_state(x, columns)
    else:
        x = x.t().contiguous()
        x = x if columns is None else x.index_select(0, columns)
    match observation.kind:
        case "states":
            return from_states(kernel, x, len(variable.states), like.dtype)
        case "likelihood":
            return from_likelihood(kernel, x, like.dtype)
        case "log_likelihood":
            return from_log_likelihood(kernel, x, like.dtype)
        case "numbers":
            numbers = x.to(like.dtype)[None]
            return Leaf(numbers, x.new_zeros(x.shape[1], dtype=torch.float64), 0.0)
        case "values":
            if variable.real and observation.channel is not None:
                z = x.to(like.dtype)
                return natural(observation, variable.name, z, with_offset=with_offset)
            if grid is None or observation.channel is None:
                raise EvidenceError(
                    f"{variable.name}: continuous observations need a channel and numeric states."
                )
            return _through_channel(
                kernel, observation.channel, grid, x.to(like.dtype), with_offset=with_offset
            )


def _by_state(x: Tensor, columns: Tensor | None) -> Tensor:
    """Likelihoods (batch, nodes, states) as (nodes, batch, states), states outermost in memory."""
    batch, nodes, states = x.shape
    # Much faster than three axes at once.
    flat = empty(x, (nodes * states, batch)).copy_(x.reshape(batch, nodes * states).t())
    order = torch.arange(nodes, device=x.device) if columns is None else columns
    rows = torch.arange(states, device=x.device)[:, None] + order * states
    found = torch.index_select(flat, 0, rows.flatten(), out=room(x, flat.shape))
    return found.view(states, nodes, batch).permute(1, 2, 0)


def _through_channel(
    kernel: Kernel, channel: Channel, grid: Grid, z: Tensor, *, with_offset: bool
) -> Leaf:
    """Likelihoods of continuous observations (nodes, batch)."""
    assert not isinstance(channel, LogLikelihood)
    gain, curvature = channel.coefficients()
    if curvature < LEAST_CURVATURE:
        refuse_infinite(z)
        logs = gain * z.double()[..., None] * grid.values + _log_rest(channel, z)[..., None]
        return from_log_likelihood(kernel, torch.where(torch.isnan(logs), 0.0, logs), z.dtype)
    rest = partial(_log_rest, channel) if with_offset else None
    return from_quadratic(kernel, z, grid, (gain, curvature), rest)


def _log_rest(channel: Gaussian | Localization, z: Tensor) -> Tensor:
    """What no state changes in a quadratic channel's log density, float64, shape of z."""
    if isinstance(channel, Localization):
        return torch.zeros_like(z, dtype=torch.float64)
    log_norm = math.log(channel.sigma) + 0.5 * math.log(2 * math.pi)
    return -0.5 * (z.double() / channel.sigma) ** 2 - log_norm
