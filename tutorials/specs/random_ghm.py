"""A regular hierarchical model with random tables, one per child rank."""

import ghmpp as gh


def model(depth: int = 3, branching: int = 2, states: int = 4, seed: int = 0) -> gh.Model:
    sizes = (states,) * (depth + 1)
    return gh.GHM(states=sizes, branching=(branching,) * depth).initialise(seed)
