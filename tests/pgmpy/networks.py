"""Networks of pgmpy for tests, and the truth about them by enumeration."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Mapping, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from pgmpy.factors.discrete import DiscreteFactor, TabularCPD
from pgmpy.models import DiscreteBayesianNetwork, DiscreteMarkovNetwork, FactorGraph
from pgmpy.utils import get_example_model

Array = NDArray[np.float64]


def random_network(
    seed: int,
    names: Sequence[Hashable] = "abcdefg",
    *,
    zeros: bool = False,
    connected: bool = False,
) -> DiscreteBayesianNetwork:
    """A Bayesian network with up to three parents each and two or three named states."""
    rng = np.random.default_rng(seed)
    states = {name: [f"s{k}" for k in range(rng.integers(2, 4))] for name in names}
    network = DiscreteBayesianNetwork()
    network.add_nodes_from(names)
    for place, name in enumerate(names):
        chosen = rng.choice(place, size=min(place, int(rng.integers(connected, 4))), replace=False)
        parents = [names[k] for k in chosen]
        network.add_edges_from((parent, name) for parent in parents)
        table = rng.random((len(states[name]), int(np.prod([len(states[p]) for p in parents]))))
        if zeros:
            table[1:][rng.random(table[1:].shape) < 0.4] = 0
        network.add_cpds(
            TabularCPD(
                name,
                len(states[name]),
                table / table.sum(0),
                evidence=parents,
                evidence_card=[len(states[p]) for p in parents],
                state_names={v: states[v] for v in [name, *parents]},
            )
        )
    return network


def ring(size: int = 4, states: int = 3, seed: int = 0) -> DiscreteMarkovNetwork:
    """A Markov network whose pairwise factors close a loop."""
    rng = np.random.default_rng(seed)
    names = [f"v{k}" for k in range(size)]
    pairs = list(zip(names, names[1:] + names[:1], strict=True))
    network = DiscreteMarkovNetwork(pairs)
    network.add_factors(
        *(DiscreteFactor(pair, [states] * 2, rng.random((states, states)) * 4) for pair in pairs)
    )
    return network


def factor_graph(*factors: DiscreteFactor) -> FactorGraph:
    """The factor graph of some factors."""
    graph = FactorGraph()
    graph.add_nodes_from(dict.fromkeys(name for factor in factors for name in factor.variables))
    graph.add_factors(*factors)
    graph.add_edges_from((name, factor) for factor in factors for name in factor.variables)
    return graph


@cache
def example(name: str) -> DiscreteBayesianNetwork:
    """A network of the bnlearn repository, with CPDs that sum to 1."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pgmpy 1.1 announces what its own 1.3 will remove
        network = get_example_model(name)
    for cpd in network.cpds:
        cpd.normalize()
    return network


def state_names(model: object, name: Hashable) -> list[Hashable]:
    """Names of the states of a variable."""
    factors = getattr(model, "cpds", None) or model.factors
    return next(list(f.state_names[name]) for f in factors if name in f.variables)


def truth(
    model: object,
    wanted: Sequence[Hashable],
    evidence: Mapping[Hashable, Hashable] | None = None,
    likelihoods: Mapping[Hashable, Sequence[float]] | None = None,
    *,
    best: bool = False,
) -> Array:
    """Mass of each joint state of some variables, by the product of all factors.

    ``best`` takes the largest mass of a completion instead of the sum.
    """
    factors = getattr(model, "cpds", None) or model.factors
    names = list(dict.fromkeys(name for factor in factors for name in factor.variables))
    mass = np.ones([len(state_names(model, name)) for name in names])
    for factor in factors:
        order = sorted(factor.variables, key=names.index)
        table = factor.values.transpose([list(factor.variables).index(name) for name in order])
        shape = [mass.shape[k] if name in order else 1 for k, name in enumerate(names)]
        mass = mass * table.reshape(shape)
    weights = dict(likelihoods or {})
    for name, state in (evidence or {}).items():
        weights[name] = [float(other == state) for other in state_names(model, name)]
    for name, weight in weights.items():
        shape = [-1 if other == name else 1 for other in names]
        mass = mass * np.reshape(weight, shape)
    rest = tuple(k for k, name in enumerate(names) if name not in wanted)
    mass = mass.max(rest) if best else mass.sum(rest)
    kept = [name for name in names if name in wanted]
    return mass.transpose([kept.index(name) for name in wanted])
