"""The choice between scaled probabilities and logarithms, made before running and stated.

With tables scaled to largest entry ``1/S`` and ``kappa`` the ratio of their largest to their
smallest *positive* entry, a message lies between ``1/(kappa S)`` and 1 once its input has largest
entry 1. A product of messages at a node is therefore at least the product of these bounds; it
must stay inside the exponent range until the next rescale. What reaches leaves is not rescaled,
so their parents have one edge more to bear.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from ghmpp.models.forest import Forest
from ghmpp.schedule.ir import Domain, Schedule
from ghmpp.schedule.spans import EDGE_DECADES, NODE_DECADES, Spans

Precision = Literal["float32", "float64"]

LOST_TOLERANCE = {"float32": 1e-6, "float64": 1e-12}


def choose_domain(schedule: Schedule, dtype: Precision = "float64") -> Schedule:
    """Fix how numbers are kept: linear float32, linear float64 or logarithms.

    Requires: a legal schedule.
    Ensures: the same instructions, with ``domain`` set. Linear where the exponent range provably
    suffices for positive tables; float32 that does not suffice is run in float64; beyond that,
    logarithms in float64 (those of long products are large, and float32 would keep few digits).
    Zeros in tables and index maps ask for a run-time guard, not for logarithms.

    Parameters
    ----------
    schedule
        Any schedule; tables without values (free) count as all ones.
    dtype
        Precision that the user asked for.
    """
    if schedule.has_fields:
        domain = Domain("log", dtype, False, 0.0, "fields are real numbers, evidence logarithms")
        return replace(schedule, domain=domain)
    if schedule.forest.gaussian:
        domain = Domain("log", "float64", False, 0.0, "Gaussian factors are added, like logarithms")
        return replace(schedule, domain=domain)
    spans = Spans.of(schedule.forest)
    node, edge = spans.node_decades(schedule), spans.edge_decades()
    fits = {p: node <= NODE_DECADES[p] and edge <= EDGE_DECADES[p] for p in NODE_DECADES}
    used: Precision = "float32" if dtype == "float32" and fits["float32"] else "float64"
    linear = fits[used]
    guarded = linear and has_zeros(schedule.forest)
    sizes = f"messages at one node span up to {node:.1f} decades, one edge {edge:.1f}"
    allowed = f"{used} allows {NODE_DECADES[used]:.0f} and {EDGE_DECADES[used]:.0f}"
    reason = f"{sizes}; {allowed}" + ("; zeros: rows are guarded" if guarded else "")
    domain = Domain("linear" if linear else "log", used, guarded, LOST_TOLERANCE[used], reason)
    return replace(schedule, domain=domain)


def has_zeros(forest: Forest) -> bool:
    """Whether a potential has a zero entry (index maps are zeros and ones)."""
    maps = any(edge.kind != "table" for edge in forest.edges.values())
    stacks = (stack for stack in forest.data.values() if stack.dtype.kind == "f")
    return maps or any(bool((stack == 0).any()) for stack in stacks)
