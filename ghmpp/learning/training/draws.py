"""Draws from a model, and what a network reads of them: for training and for judging alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from ghmpp._arrays import AnyArray, BoolArray, IntArray
from ghmpp.compiler import Program
from ghmpp.errors import QueryError
from ghmpp.learning.training.hiding import Hiding
from ghmpp.models.channels import Gaussian, Given, Localization
from ghmpp.models.lookup import MISSING
from ghmpp.models.sampling import sample

Inputs: TypeAlias = tuple[Tensor, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """Rows of draws.

    Parameters
    ----------
    states
        By class, (rows, nodes), small integers.
    noise
        Standard normal numbers by class seen through a channel, (rows, nodes), float32.
    hidden, asked
        Tokens, bool (rows, nodes); None where nothing is hidden.
    """

    states: Mapping[str, AnyArray]
    noise: Mapping[str, AnyArray]
    hidden: BoolArray | None = None
    asked: BoolArray | None = None

    def __len__(self) -> int:
        return len(next(iter(self.states.values())))

    def at(self, rows: IntArray) -> Draws:
        """Some rows."""
        return Draws(
            {name: x[rows] for name, x in self.states.items()},
            {name: x[rows] for name, x in self.noise.items()},
            None if self.hidden is None else self.hidden[rows],
            None if self.asked is None else self.asked[rows],
        )

    @staticmethod
    def joined(parts: Sequence[Draws]) -> Draws:
        """Several as one."""
        first = parts[0]
        hidden = [part.hidden for part in parts if part.hidden is not None]
        asked = [part.asked for part in parts if part.asked is not None]
        return Draws(
            {name: np.concatenate([p.states[name] for p in parts]) for name in first.states},
            {name: np.concatenate([p.noise[name] for p in parts]) for name in first.noise},
            np.concatenate(hidden) if hidden else None,
            np.concatenate(asked) if asked else None,
        )


def names_of(program: Program) -> tuple[str, ...]:
    """The classes that are asked for and given, each once."""
    given = (each.variable for each in program.given)
    return tuple(dict.fromkeys((program.queries[0].variable, *given)))


def draw(program: Program, hiding: Hiding | None, rows: int, rng: np.random.Generator) -> Draws:
    """States, noise and hidden tokens."""
    found = sample(program.model.forest(), rows, rng)
    states = {}
    for name in names_of(program):
        most = len(program.model.variables[name].states)
        states[name] = found[name].astype(np.min_scalar_type(-most))
    return noised(program, hiding, Draws(states, {}), rng)


def noised(
    program: Program, hiding: Hiding | None, draws: Draws, rng: np.random.Generator
) -> Draws:
    """The same states with noise and hidden tokens drawn anew."""
    noise = {
        each.variable: rng.standard_normal(draws.states[each.variable].shape, dtype=np.float32)
        for each in program.given
        if each.channel is not None
    }
    hidden = asked = None
    if hiding is not None:
        shape = draws.states[program.queries[0].variable].shape
        hidden, asked = hiding.draw(rng, *shape)
    return replace(draws, noise=noise, hidden=hidden, asked=asked)


def inputs(program: Program, draws: Draws, channel: Mapping[str, float]) -> Inputs:
    """What a network of the program reads of draws.

    Parameters
    ----------
    program
        What is given, and how it is seen.
    draws
        Rows of draws.
    channel
        Channel parameters in place of the compiled ones; empty for none.

    Returns
    -------
    tensors (rows, nodes), one per given class
        States, int64, -1 where hidden; or observations through a channel, float64.

    Raises
    ------
    QueryError
        If a channel is a function, through which nothing can be drawn.
    EvidenceError
        If a channel parameter is unknown or out of range.
    """
    return tuple(torch.from_numpy(_seen(program, each, draws, channel)) for each in program.given)


def scale_and_noise(given: Given, **changed: float) -> tuple[float, float]:
    """Factor and standard deviation of ``z = factor x + noise``.

    Parameters
    ----------
    given
        A class, and how it is seen.
    **changed
        Channel parameters in place of the compiled ones.

    Raises
    ------
    QueryError
        If nothing was said of the noise: states, or a function.
    EvidenceError
        If a channel parameter is unknown or out of range.
    """
    channel = given.channel
    if channel is not None and changed:
        channel = channel.with_parameters(**changed)
    match channel:
        case Gaussian(sigma=sigma, scale=scale):
            return scale, sigma
        case Localization(time=time):
            return time, time**0.5
        case _:
            raise QueryError(
                f"{given.variable!r} must be given as noisy(...) or localized(...), not as states "
                "or through a function."
            )


def _seen(program: Program, given: Given, draws: Draws, channel: Mapping[str, float]) -> AnyArray:
    """A class as it is seen."""
    states = draws.states[given.variable].astype(np.int64)
    if given.channel is None:
        if draws.hidden is None or given.variable != program.queries[0].variable:
            return states
        return np.where(draws.hidden, MISSING, states)
    scale, sigma = scale_and_noise(given, **channel)
    values = program.model.variables[given.variable].values
    assert values is not None  # or the program had not been compiled
    seen: AnyArray = scale * values[states] + sigma * draws.noise[given.variable]
    return seen
