"""How good samples are: distances to the exact law, bits under the model, rules that they break."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ghmpp._arrays import FloatArray, IntArray
from ghmpp.diffusion.samples import Samples
from ghmpp.errors import QueryError, ResourceError
from ghmpp.inference.pairs import pair_probabilities, sampled_pair_probabilities
from ghmpp.inference.queries import Inference
from ghmpp.inference.tokens import portions, token_class
from ghmpp.models.convert import as_model
from ghmpp.models.forest import VariableClass
from ghmpp.models.model import Model
from ghmpp.models.observations import Observation

# Configurations of the leaves that are listed at most.
MOST_LISTED = 2**22


def joint_probabilities(
    model: object, *, variable: str | None = None, limit: int = MOST_LISTED
) -> FloatArray:
    """The exact probability of every configuration of the leaves.

    Parameters
    ----------
    model
        A complete model, or what stands for one.
    variable
        The class; None = the only class of leaves.
    limit
        Largest number of configurations.

    Returns
    -------
    array of shape (states ** nodes,), sums to 1
        The last node changes fastest.

    Raises
    ------
    ResourceError
        If there are more configurations.
    QueryError
        If there is no such class, or several classes of leaves.

    Examples
    --------
    >>> import ghmpp as gh
    >>> joint_probabilities(gh.zoo.broadcast(depth=1, flip=0.1)).round(2)
    array([0.41, 0.09, 0.09, 0.41])
    """
    known = as_model(model)
    leaves = token_class(known, variable)
    shape = (len(leaves.states),) * leaves.nodes
    count = len(leaves.states) ** leaves.nodes
    if count > limit:
        raise ResourceError(
            f"total variation: {leaves.name!r} has {count:,} configurations, the limit is "
            f"{limit:,}; use site_total_variation, pair_total_variation or bits_per_token."
        )
    found: FloatArray = np.empty(count)
    engine = Inference(known)
    for part in portions(count, leaves):
        rows = np.stack(np.unravel_index(np.arange(part.start, part.stop), shape), axis=-1)
        found[part] = np.exp(_log_probabilities(engine, leaves, rows))
    return found


def total_variation(
    samples: Samples | ArrayLike,
    model: object,
    *,
    variable: str | None = None,
    limit: int = MOST_LISTED,
) -> float:
    """Total variation between samples and the exact law of all leaves, for small models.

    Even exact samples have about ``sum_x sqrt(p(x) (1 - p(x)) / (2 pi n))``, see
    :func:`sampling_floor`.

    Parameters
    ----------
    samples
        State indices (n, nodes), or what :func:`ghmpp.diffuse` gives.
    model, variable, limit
        As for :func:`joint_probabilities`.

    Raises
    ------
    QueryError
        If samples do not fit the model.
    ResourceError
        If there are more configurations than ``limit``.

    Examples
    --------
    >>> import ghmpp as gh
    >>> total_variation([[0, 0], [1, 1]], gh.zoo.broadcast(depth=1, flip=0.1))
    0.18
    """
    exact, frequencies = _both_joint(samples, model, variable, limit)
    return round(float(abs(frequencies - exact).sum()) / 2, 15)


def sampling_floor(probabilities: FloatArray, n: int) -> float:
    """Mean total variation of n exact samples from a law, in the normal approximation."""
    spread = np.sqrt(probabilities * (1 - probabilities))
    return float(spread.sum() / np.sqrt(2 * np.pi * n))


def kl_divergence(
    samples: Samples | ArrayLike,
    model: object,
    *,
    variable: str | None = None,
    limit: int = MOST_LISTED,
) -> float:
    """KL divergence of the frequencies of samples from the exact law, in nats, for small models.

    Of n exact samples about ``(configurations - 1) / (2 n)``; infinite if one is impossible.
    Parameters and errors as for :func:`total_variation`.
    """
    exact, frequencies = _both_joint(samples, model, variable, limit)
    seen = frequencies > 0
    with np.errstate(divide="ignore"):
        ratios = np.log(frequencies[seen]) - np.log(exact[seen])
    return float(frequencies[seen] @ ratios)


def site_total_variation(
    samples: Samples | ArrayLike, model: object, *, variable: str | None = None
) -> FloatArray:
    """Total variation between samples and the exact law of each leaf alone, (nodes,)."""
    found = pair_total_variation(samples, model, variable=variable)
    return np.diagonal(found).copy()


def pair_total_variation(
    samples: Samples | ArrayLike, model: object, *, variable: str | None = None
) -> FloatArray:
    """Total variation of each pair of leaves, (nodes, nodes); on the diagonal of each leaf alone.

    Parameters and errors as for :func:`total_variation`, of a model of any size.
    """
    known, leaves, states = read_samples(samples, model, variable)
    exact = pair_probabilities(known, variable=leaves.name)
    found = sampled_pair_probabilities(states, len(leaves.states))
    distances: FloatArray = abs(found - exact).sum(axis=(2, 3)) / 2
    return distances


def bits_per_token(
    samples: Samples | ArrayLike, model: object, *, variable: str | None = None
) -> FloatArray:
    """``-log2 p(x) / nodes`` of each sample under the model, (n,); infinite where impossible.

    The mean over exact samples is the entropy of the model per token.
    Parameters and errors as for :func:`total_variation`, of a model of any size.
    """
    known, leaves, states = read_samples(samples, model, variable)
    engine = Inference(known)
    bits: FloatArray = np.empty(len(states))
    for part in portions(len(states), leaves):
        logs = _log_probabilities(engine, leaves, states[part])
        bits[part] = -logs / (leaves.nodes * np.log(2))
    return bits


def validity(samples: Samples | ArrayLike, model: object) -> dict[str, float]:
    """By class of parents: the share of nodes that production rules can write, see ``valid_rules``.

    Raises
    ------
    ModelError
        If the model has no joint rules.
    QueryError
        If samples do not fit the model.
    """
    known, leaves, states = read_samples(samples, model, None)
    found = known.valid_rules({leaves.name: Observation("states", states)})
    return {name: float(found[name].mean()) for name in found}


def copies(samples: Samples | ArrayLike, training: ArrayLike) -> float:
    """The share of samples that are rows of a training set: state indices, (rows, nodes)."""
    states = _states(samples)
    known = {row.tobytes() for row in np.ascontiguousarray(training, dtype=np.int64)}
    return float(np.mean([row.tobytes() in known for row in states])) if len(states) else 0.0


def _both_joint(
    samples: Samples | ArrayLike, model: object, variable: str | None, limit: int
) -> tuple[FloatArray, FloatArray]:
    """Exact probabilities, and frequencies in samples, of all configurations."""
    known, leaves, states = read_samples(samples, model, variable)
    exact = joint_probabilities(known, variable=leaves.name, limit=limit)
    places = np.ravel_multi_index(tuple(states.T), (len(leaves.states),) * leaves.nodes)
    return exact, np.bincount(places, minlength=len(exact)) / len(states)


def _log_probabilities(engine: Inference, leaves: VariableClass, states: IntArray) -> FloatArray:
    """Log probability of each row of state indices."""
    return engine.log_evidence({leaves.name: Observation("states", states)})


def _states(samples: Samples | ArrayLike) -> IntArray:
    """State indices, (n, nodes)."""
    return np.ascontiguousarray(
        samples.states if isinstance(samples, Samples) else samples, dtype=np.int64
    )


def read_samples(
    samples: Samples | ArrayLike, model: object, variable: str | None
) -> tuple[Model, VariableClass, IntArray]:
    """The model, the class that was sampled, and checked state indices.

    Raises
    ------
    QueryError
        If samples are no state indices of the class, (n, nodes), or there is none.
    """
    known = as_model(model)
    named = samples.variable if isinstance(samples, Samples) and variable is None else variable
    leaves, states = token_class(known, named), _states(samples)
    if states.ndim != 2 or states.shape[1] != leaves.nodes or not len(states):
        raise QueryError(
            f"samples of {leaves.name!r} must be state indices of shape (n, {leaves.nodes}), n at "
            f"least 1; got {states.shape}."
        )
    if states.min() < 0 or states.max() >= len(leaves.states):
        raise QueryError(
            f"samples of {leaves.name!r} must be state indices 0..{len(leaves.states) - 1}, got "
            f"{states.min()}..{states.max()}."
        )
    return known, leaves, states
