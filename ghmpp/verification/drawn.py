"""Evidence of several kinds that is possible by construction: drawn from the model itself."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Number

import numpy as np

from ghmpp._arrays import AnyArray, FloatArray, IntArray
from ghmpp.models.channels import Channel, Gaussian, Given, LogLikelihood
from ghmpp.models.forest import Forest, VariableClass
from ghmpp.models.observations import LogLikelihoods, Observed
from ghmpp.models.sampling import sample


def draw_evidence(
    forest: Forest, rows: int, seed: int = 0, *, given: Sequence[Given] | None = None
) -> dict[str, dict[str, object]]:
    """Evidence by kind, as a user would pass it.

    Parameters
    ----------
    forest
        A forest with values for all potentials.
    rows
        Rows of each batch, at least 1.
    seed
        Seed of every draw.
    given
        What may be observed, and the channel of "noisy" evidence. None = the classes without
        children; "partial" evidence then comes from all classes.

    Returns
    -------
    dict
        - "none": nothing observed, one row;
        - "hard": states of a sample of the model;
        - "partial": the same, each node missing with probability one half;
        - "soft": log-likelihoods, normal with standard deviation 2;
        - "noisy": state values of the sample through the channel (Gaussian noise of half their
          spread if none is given), one in four missing; for classes with values that differ.

    Raises
    ------
    ModelError
        If a potential has no values, or the model has no mass.
    """
    rng = np.random.default_rng(seed)
    sampled = sample(forest, rows, rng)
    known = forest.variables
    observed = forest.leaves if given is None else tuple(item.variable for item in given)
    channels = {item.variable: item.channel for item in given or () if item.channel is not None}
    found: dict[str, dict[str, object]] = {
        "none": {},
        "hard": {name: _named(known[name], sampled[name]) for name in observed},
        "partial": {
            name: _named(known[name], _thin(sampled[name], rng))
            for name in (forest.visible if given is None else observed)
        },
        "soft": {name: _soft(known[name], rows, rng) for name in observed},
    }
    noisy: dict[str, object] = {
        name: _noisy(values[sampled[name]], channels.get(name, Gaussian(values.std() / 2)), rng)
        for name in observed
        if (values := known[name].values) is not None and values.std() > 0
    }
    return {**found, "noisy": noisy} if noisy else found


def _thin(states: IntArray, rng: np.random.Generator) -> IntArray:
    """The states, half of them missing (-1)."""
    return np.where(rng.random(states.shape) < 0.5, -1, states)


def _named(variable: VariableClass, states: IntArray) -> AnyArray:
    """States by index, or by name where a number would be read as a name; None where missing."""
    indices = range(len(variable.states))
    counted = tuple(variable.states) == tuple(indices)
    if counted or not any(isinstance(s, Number) for s in variable.states):
        return states
    return np.array([*variable.states, None], dtype=object)[states]


def _soft(variable: VariableClass, rows: int, rng: np.random.Generator) -> LogLikelihoods:
    """Random log-likelihoods of a class."""
    shape = (rows, variable.nodes, len(variable.states))
    return LogLikelihoods(rng.normal(scale=2.0, size=shape))


def _noisy(values: FloatArray, channel: Channel, rng: np.random.Generator) -> Observed:
    """Values seen through a channel; one of given log-likelihoods sees them as they are."""
    z = values if isinstance(channel, LogLikelihood) else channel.sample(values, rng)
    return Observed(np.where(rng.random(z.shape) < 0.25, np.nan, z), channel)
