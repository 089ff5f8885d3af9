"""Models whose widths are known from another computation."""

from __future__ import annotations

import numpy as np

import ghmpp as gh


def kernel_model(children, depth, states, entry):
    """Regular tree with entries K or 1 / K drawn with seed 0, one table per child rank."""
    rng = np.random.default_rng(0)
    tables = [
        np.stack(
            [entry ** np.sign(rng.uniform(-1, 1, size=(states, states))) for _ in range(children)]
        )
        for _ in range(depth)
    ]
    return gh.GHM(
        states=states,
        branching=(children,) * depth,
        tables=tables,
        state_values=np.arange(states) + 1.0,
    )


def coupled_model(depth, entry):
    """Binary tree of two-state variables, K on the diagonal and 1 / K beside it."""
    table = [[entry, 1 / entry], [1 / entry, entry]]
    return gh.GHM(states=2, branching=(2,) * depth, tables=[table] * depth, state_values=[1.0, 2.0])


# Children, depth, states, K, delta; width and guarantee by greedy knots.
CLASSIFICATION = [
    (2, 2, 2, 1.5, 0.01, 9, 7.8e-3),
    (2, 3, 2, 3.0, 0.01, 39, 9.1e-3),
    (2, 4, 2, 3.0, 0.01, 41, 9.2e-3),
    (3, 2, 3, 3.0, 0.1, 31, 9.2e-2),
    (3, 2, 3, 3.0, 0.01, 94, 9.5e-3),
    (3, 3, 3, 10.0, 1.0, 31, 0.99),
    (3, 3, 3, 10.0, 0.1, 100, 0.096),
    (3, 3, 3, 10.0, 0.01, 313, 9.9e-3),
    (4, 2, 4, 10.0, 0.1, 81, 0.093),
    (4, 2, 4, 10.0, 0.01, 249, 0.0100),
    (4, 3, 4, 10.0, 0.01, 562, 9.9e-3),
    (2, 4, 4, 10.0, 0.01, 442, 9.9e-3),
    (4, 4, 2, 1.5, 0.01, 41, 9.4e-3),
    (4, 4, 4, 10.0, 1.0, 113, 0.97),
    (4, 4, 4, 10.0, 0.1, 357, 0.098),
    (4, 4, 4, 10.0, 0.01, 1128, 9.9e-3),
    (2, 8, 4, 3.0, 0.1, 181, 0.099),
    (2, 8, 4, 3.0, 0.01, 570, 9.9e-3),
]
DENOISING = [
    (2, 2, 2, 1.5, 0.01, 9, 6.9e-3),
    (2, 4, 2, 3.0, 0.01, 21, 8.2e-3),
    (3, 2, 3, 3.0, 0.1, 34, 0.099),
    (3, 2, 3, 3.0, 0.01, 109, 9.7e-3),
    (3, 3, 3, 10.0, 0.1, 118, 0.097),
    (3, 3, 3, 10.0, 0.01, 370, 9.9e-3),
    (4, 2, 4, 10.0, 0.01, 482, 9.8e-3),
    (4, 3, 4, 10.0, 0.1, 301, 0.099),
    (4, 3, 4, 10.0, 0.01, 956, 9.9e-3),
    (2, 4, 4, 10.0, 0.01, 550, 1.0e-2),
    (4, 4, 2, 1.5, 0.01, 19, 8.1e-3),
    (2, 8, 4, 3.0, 0.1, 125, 0.098),
    (2, 8, 4, 3.0, 0.01, 393, 9.8e-3),
]
# K; widths at depths 2, 4, 8, 12 for classification and for denoising, delta 0.01.
DEPTHS = [
    (1.2, (9, 17, 17, 17), (7, 7, 7, 7)),
    (1.5, (15, 29, 37, 41), (11, 13, 13, 13)),
    (3.0, (39, 89, 255, 662), (31, 51, 99, 171)),
]
