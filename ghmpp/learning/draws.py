"""Draws of what a stream needs, before they become inputs and targets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ghmpp._arrays import AnyArray, BoolArray, FloatArray, IntArray
from ghmpp.compiler import Program
from ghmpp.errors import QueryError
from ghmpp.learning.hiding import Hiding
from ghmpp.models.channels import Channel, Gaussian, Localization, LogLikelihood
from ghmpp.models.sampling import sample


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


def seen_through(channel: Channel, x: FloatArray, noise: AnyArray) -> AnyArray:
    """Observations of values through a channel, given standard normal noise, float32."""
    match channel:
        case Gaussian(sigma=sigma, scale=scale):
            return (scale * x + sigma * noise).astype(np.float32)
        case Localization(time=time):
            return (time * x + math.sqrt(time) * noise).astype(np.float32)
        case LogLikelihood():
            raise QueryError(
                "stream: nothing can be drawn through a LogLikelihood function; use noisy(...) or "
                "localized(...)."
            )
