"""How a generic benchmark drives ghmpp: one object per model, two jobs.

``adapter(psi)`` takes tables (levels, ranks, parent states, child states) of a regular model with
uniform root and leaf values 1..S. ``cls`` is the root's posterior from observed leaves, ``dns``
the leaves' posterior means from values seen with unit Gaussian noise.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

import ghmpp as gh


class Adapter:
    """A compiled classifier and a compiled denoiser, float32."""

    tol = 1e-4

    def __init__(self, psi: NDArray[np.float64]) -> None:
        levels, branching, states, _ = psi.shape
        model = gh.GHM(
            states=(states,) * (levels + 1),
            branching=(branching,) * levels,
            tables=list(psi),
            state_values=np.arange(1, states + 1),
        )
        leaf = f"x{levels}"
        classify = gh.compile(model, gh.posterior("x0"), given=leaf, dtype="float32")
        denoise = gh.compile(model, gh.mean(leaf), given=gh.noisy(leaf, sigma=1.0), dtype="float32")
        self.classifier = classify.network(dtype="float32")
        self.denoiser = denoise.network(dtype="float32")

    def cls(self, x: NDArray[np.int64]) -> NDArray[np.float32]:
        """Posterior of the root, (N, states), for observed leaves (N, leaves)."""
        found: NDArray[np.float32] = self.classifier(torch.from_numpy(x)).numpy()
        return found

    def dns(self, z: NDArray[np.float32]) -> NDArray[np.float32]:
        """Posterior means of the leaves, (N, leaves), for noisy leaves (N, leaves)."""
        found: NDArray[np.float32] = self.denoiser(torch.from_numpy(z)).numpy()
        return found
