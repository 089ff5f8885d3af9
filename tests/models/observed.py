"""Classes of several kinds, and how tests read evidence on them."""

from __future__ import annotations

import numpy as np

from ghmpp.models.evidence import read_evidence
from ghmpp.models.forest import VariableClass


def declare(name, states, nodes, values=None):
    values = None if values is None else np.asarray(values, dtype=np.float64)
    return VariableClass(name, tuple(states), values, nodes, (name,))


VARIABLES = {
    "digit": declare("digit", range(3), 1),
    "pixel": declare("pixel", range(4), 6, [0.0, 1.0, 2.0, 3.0]),
    "colour": declare("colour", ["red", "green", "blue"], 1),
    "spin": declare("spin", [-1, 1], 2, [-1.0, 1.0]),
    "place": declare("place", [("a", 1), ("b", 2)], 2),
    "odd": declare("odd", [2, "x", 0], 1),
}


def read(evidence, default=None):
    return read_evidence(evidence, VARIABLES, default=default)


def only(evidence):
    """The one observation in the evidence."""
    observations, _ = read(evidence)
    (found,) = observations.values()
    return found


def states(evidence):
    found = only(evidence)
    assert found.kind == "states"
    assert str(found.array.dtype).removeprefix("torch.").startswith("int")
    return found.array.tolist()
