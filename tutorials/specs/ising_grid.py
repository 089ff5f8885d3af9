"""A random Ising model on a square grid: spins -1 and 1, couplings and fields drawn once."""

import networkx as nx
import numpy as np

import ghmpp as gh


def model(side: int = 4, strength: float = 0.4, seed: int = 0) -> gh.PairwiseSpins:
    rng, grid = np.random.default_rng(seed), nx.grid_2d_graph(side, side)
    for _, _, edge in grid.edges(data=True):
        edge["coupling"] = strength * rng.normal()
    for _, spin in grid.nodes(data=True):
        spin["field"] = 0.1 * rng.normal()
    return gh.PairwiseSpins.from_networkx(grid)
