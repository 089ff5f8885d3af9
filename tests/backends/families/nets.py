"""Models of every shape that nets can stand for, each with a question."""

from __future__ import annotations

import networkx as nx
import numpy as np
import torch

import ghmpp as gh


def tables(rng, states, branching):
    pairs = zip(branching, states, states[1:], strict=False)
    return [rng.uniform(0.2, 3, size=(m, a, b)) for m, a, b in pairs]


def mixed(seed=0, states=(4, 3, 5), branching=(2, 3)):
    """A regular model with other states at every level, and a table for each rank."""
    rng = np.random.default_rng(seed)
    return gh.GHM(
        states=states,
        branching=branching,
        tables=tables(rng, states, branching),
        state_values=np.arange(states[-1]) / 2,
        prior=rng.uniform(0.3, 1, states[0]),
    )


def chain(length=5, states=3, symbols=4, seed=0):
    """A chain of one class, with an observation at each node."""
    rng = np.random.default_rng(seed)
    shapes = (states, states), (states, symbols)
    transition, emission = (rng.uniform(0.2, 3, size=shape) for shape in shapes)
    return gh.zoo.hidden_markov(length, transition, emission)


def irregular(seed=0):
    """A tree that no two nodes are alike in, as a graph with a table on each edge."""
    rng = np.random.default_rng(seed)
    graph = nx.DiGraph()
    graph.add_node("r", states=3)
    for parent, child in [("r", "a"), ("r", "b"), ("r", "c"), ("a", "d"), ("a", "e"), ("c", "f")]:
        size = 2 + (child in "bdf")
        above = graph.nodes[parent]["states"]
        graph.add_node(child, states=size)
        graph.add_edge(parent, child, potential=rng.uniform(0.2, 3, size=(above, size)))
    return graph


def units_only(network):
    """Have all nets evaluate their ReLU units instead of looking segments up."""
    for module in network.modules():
        if hasattr(module, "by_units"):
            module.by_units = lambda: True
    return network


def adversarial(rows, nodes, seed=0, dtype=torch.float64):
    """Observations of all sizes up to 1e3."""
    rng = np.random.default_rng(seed)
    sizes = rng.choice([0.0, 0.5, 1.0, 3.0, 30.0, 1e3], size=(rows, nodes))
    return torch.tensor(rng.normal(size=(rows, nodes)) * sizes, dtype=dtype)
