"""Which networks have a standard form, and why others do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from ghmpp.errors import QueryError
from ghmpp.models.channels import LogLikelihood
from ghmpp.models.forest import Edge, Forest
from ghmpp.schedule.ir import Choose, Readout

if TYPE_CHECKING:
    from ghmpp.backends.network import Network

ANSWERS = ("posterior", "mean")


def refuse_irregular(network: Network) -> None:
    """Refuse what plain convolutions cannot say.

    Raises
    ------
    QueryError
        Naming the class, and why.
    """
    schedule = network.schedule
    if network.fields is not None:
        _refuse("it iterates on fields and sends no messages along a tree")
    if schedule.forest.grouping is not None:
        _refuse(
            "its variables were declared one by one; declare classes with children(name, count)"
        )
    for name, found in schedule.forest.variables.items():
        if len(found.blocks) > 1:
            _refuse(f"class {name!r} lies on {len(found.blocks)} levels, as in a chain")
    if len(schedule.forest.roots) > 1:
        _refuse(f"it has {len(schedule.forest.roots)} roots: {', '.join(schedule.forest.roots)}")
    for edge in schedule.forest.edges.values():
        _refuse_edge(edge, schedule.forest)
    for op in schedule.ops:
        kind = op.kind if isinstance(op, Readout) else "posterior"
        if isinstance(op, Choose) or schedule.semiring != "sum" or kind not in ANSWERS:
            what = kind if kind not in ANSWERS else "most probable states"
            _refuse(f"it answers {what}, and not posteriors or means only")
    for given in network.given:
        if isinstance(given.channel, LogLikelihood):
            _refuse(f"{given.variable!r} is observed through a function, LogLikelihood")


def _refuse_edge(edge: Edge, forest: Forest) -> None:
    child, parent = (forest.blocks[name].variable for name in (edge.child, edge.parent))
    if edge.parents is not None:
        _refuse(f"class {child!r} is irregular: its parents have different numbers of children")
    if edge.kind == "gaussian":
        _refuse(f"class {child!r} holds real numbers")
    if edge.kind != "table":
        _refuse(f"class {child!r} is joined to {parent!r} by an index map, not by a table")
    if edge.rows not in (1, edge.fanout):
        _refuse(f"class {child!r} has a table per node, not one per rank")


def _refuse(why: str) -> NoReturn:
    raise QueryError(
        f"as_convolutions: the network has no form in plain convolutions, because {why}. They "
        "need one root and classes of equal fan-out with a table for all children or one per "
        "child rank; the network itself runs any model."
    )
