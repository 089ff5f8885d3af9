"""A regular model with seven variables, an engine on it, and evidence with gaps."""

from __future__ import annotations

import numpy as np

import ghmpp as gh
from ghmpp.models.model import Model

RNG = np.random.default_rng(0)
TABLES = [RNG.uniform(0.2, 2, size=(2, 3, 4)), RNG.uniform(0.2, 2, size=(2, 4, 2))]


def regular(**options: object) -> Model:
    """Seven variables on three levels."""
    return gh.GHM(states=(3, 4, 2), branching=(2, 2), tables=TABLES, prior=[1, 2, 3], **options)


MODEL = regular(state_values=[0.0, 1.5])
ENGINE = gh.Inference(MODEL)
X = np.array([[0, 1, 1, 0], [1, 1, -1, 0], [-1, -1, -1, -1]])
