"""The Ising model on a regular tree: spins -1 and 1, one symbol beta for all couplings."""

import sympy as sp

import ghmpp as gh


def model(depth: int = 4, branching: int = 2, beta: float = 0.5) -> gh.Model:
    ising, b = gh.Model("ising"), sp.Symbol("beta", positive=True)
    spin = ising.root("spin0", (-1, 1))
    for k in range(1, depth + 1):
        spin = spin.children(
            f"spin{k}", branching, (-1, 1), potential=lambda s, t: sp.exp(b * s * t)
        )
    return ising.bind(beta=beta)
