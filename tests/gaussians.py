"""Gaussian models of several shapes for tests, and observations of them."""

from __future__ import annotations

import numpy as np

import ghmpp as gh
from ghmpp._arrays import FloatArray
from ghmpp.models.forest import Block, Edge, Forest, VariableClass
from ghmpp.models.observations import Observation
from ghmpp.schedule.build import LOG_EVIDENCE, Output
from tests.dense_gaussians import Seen

PLAIN = gh.GaussianGHM(branching=(2,))
RANKS = gh.GaussianGHM(
    branching=(2, 3, 2),
    weights=[0.9, [0.5, -1.0, 2.0], 1.1],
    noises=[0.3, 0.7, [0.1, 2.0]],
    offsets=[0.0, 1.0, [0.5, -0.5]],
    root_mean=0.3,
    root_variance=1.7,
)
CHAIN = gh.GaussianGHM(branching=(1,) * 6, weights=0.95, noises=0.2, offsets=0.1)
CUT = gh.GaussianGHM(branching=(3, 1, 2), weights=[0.0, 1.0, [0.0, -2.0]])
STEEP = gh.GaussianGHM(branching=(4,), weights=5.0, noises=0.1, root_variance=4.0)
TOP = gh.GHM(
    states=(2, 3),
    branching=(2,),
    tables=[[[[3, 1, 1], [1, 2, 1]], [[0.1, 1, 5], [1, 1, 0]]]],
    prior=[1, 3],
    order=[1, 0],
)
MIXED = gh.GaussianGHM(
    branching=(2,),
    weights=[[0.9, -0.7]],
    noises=0.3,
    offsets=0.2,
    root_mean=[0.0, 1.0, -2.0],
    root_variance=[0.5, 1.0, 2.0],
    above=TOP,
    prefix="y",
)
MODELS = {"plain": PLAIN, "ranks": RANKS, "chain": CHAIN, "cut": CUT, "steep": STEEP}


def one_component(states: int) -> gh.Model:
    """A single discrete variable."""
    model = gh.Model("label")
    model.root("label", states, prior=np.arange(1.0, states + 1))
    return model


LABELLED = gh.GaussianGHM(
    branching=(2, 2),
    weights=0.8,
    root_mean=[-3.0, 0.0, 3.0],
    root_variance=[1.0, 0.5, 0.1],
    above=one_component(3),
)


def irregular() -> Forest:
    """Parents with different numbers of children, a density for each child."""
    rng = np.random.default_rng(5)
    variables = {
        "top": VariableClass("top", (0, 1), None, 1, ("top",)),
        "x": VariableClass("x", (), None, 3, ("x",)),
        "y": VariableClass("y", (), None, 6, ("y",)),
        "z": VariableClass("z", (), None, 12, ("z",)),
    }
    blocks = {
        "top": Block("top", "top", 0, 1, 2),
        "x": Block("x", "x", 0, 3, 6),
        "y": Block("y", "y", 0, 6, 6),
        "z": Block("z", "z", 0, 12, 6),
    }
    edges = {
        "x": Edge("top", "x", 3, "top->x", "gaussian", 3),
        "y": Edge("x", "y", 4, "x->y", "gaussian", 6, "above"),
        "z": Edge("y", "z", 2, "y->z", "gaussian", 12),
    }
    data = {
        key: np.stack(
            [rng.normal(size=(rows, 2)), rng.normal(size=(rows, 2)), rng.gamma(2, size=(rows, 2))],
            axis=-1,
        )
        for key, rows in (("top->x", 3), ("x->y", 6), ("y->z", 12))
    }
    data["top->x"][..., 0] = 0
    data["above"] = np.array([2, 0, 2, 2, 0, 2])
    return Forest("irregular", variables, blocks, edges, data)


FORESTS = {
    **{name: model.forest() for name, model in MODELS.items()},
    "mixed": MIXED.forest(),
    "labelled": LABELLED.forest(),
    "irregular": irregular(),
}


def everything(forest: Forest) -> list[Output]:
    """All results, by kind and block."""
    found: list[Output] = [LOG_EVIDENCE]
    for name, block in forest.blocks.items():
        real = forest.variables[block.variable].real
        found += [("mean", name), ("variance", name)] if real else [("posterior", name)]
    return found


def in_users_order(array: FloatArray, forest: Forest, name: str) -> FloatArray:
    """Results (batch, nodes, ...) in the order of the tree, as the user counts nodes."""
    order = forest.variables[name].order
    return array if order is None else array[:, np.argsort(order)]


def draw(forest: Forest, seed: int, rows: int = 3) -> dict[str, list[Seen]]:
    """Noisy observations of leaves and of one inner class; some missing, of one row all."""
    rng = np.random.default_rng(seed)
    real = [name for name, each in forest.variables.items() if each.real]
    found = {}
    for name, sigma, scale in ((real[-1], 0.8, 1.0), (real[len(real) // 2 - 1], 1.5, -2.0)):
        z = rng.normal(scale=2.0, size=(rows, forest.variables[name].nodes))
        z[rng.random(z.shape) < 0.2] = np.nan
        z[-1] = np.nan
        found[name] = [Seen(row, sigma, scale) for row in z]
    return found


def observed(seen: dict[str, list[Seen]]) -> dict[str, Observation]:
    """The rows as one observation by class."""
    return {
        name: Observation(
            "values", np.stack([row.z for row in rows]), gh.Gaussian(rows[0].sigma, rows[0].scale)
        )
        for name, rows in seen.items()
    }
