"""Constants folded: what no evidence changes is summed once, before any evidence is seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import fsum

import numpy as np

from ghmpp._arrays import AnyArray
from ghmpp.models.directed import log_partition, subtree_masses
from ghmpp.models.forest import Edge, Forest, PotentialKind
from ghmpp.schedule.simplify_draft import Draft

TURNED: Mapping[PotentialKind, PotentialKind] = {
    "table": "table",
    "child_of": "parent_of",
    "parent_of": "child_of",
}
# Rounding of a sum and a logarithm at every node.
NODE_ROUNDING = 1e-15


def fold_constants(draft: Draft) -> None:
    r"""Replace parts of the forest that hold neither evidence nor questions by what they send.

    A subtree becomes a unary of its parents, nothing at all where it sends ones (as a table of
    conditional probabilities does); so does a root with one child per node. Trees of which nothing
    is asked are left out.

    Requires: nothing.
    Ensures: every tree and every subtree of numbers has an observed or asked variable, and so has
    every root that has one child per node; but one tree stays. Posteriors and the log evidence
    are unchanged.

    Raises
    ------
    ModelError
        If a variable of such a part can have no state at all.
    """
    silent = _silent(draft)
    trees = [name for name in draft.blocks if name not in draft.edges]
    if all(name in silent for name in trees):
        return
    for name in list(draft.blocks):
        if name not in draft.blocks or name not in silent:
            continue
        if name not in draft.edges:
            _drop_tree(draft, name)
        else:
            _fold_below(draft, name)
    for name in trees:
        root: str | None = name if name in draft.blocks else None
        while root is not None:
            root = _fold_above(draft, root)


def _silent(draft: Draft) -> set[str]:
    """Blocks that have neither evidence nor questions, nor has anything below them."""
    silent: set[str] = set()
    for name in reversed(list(draft.blocks)):
        if draft.free(name) and silent.issuperset(draft.children[name]):
            silent.add(name)
    return silent


def _drop_tree(draft: Draft, root: str) -> None:
    """Leave out a tree; its mass is a constant."""
    part = _part(draft, draft.below(root))
    if part is not None:
        draft.log_scale += log_partition(part)
        draft.drop(root)
        draft.places += 1


def _fold_below(draft: Draft, child: str) -> None:
    """Put what a silent subtree sends into the unary of its parents."""
    edge, names = draft.edges[child], draft.below(child)
    part = _part(draft, names)
    if part is None or not _known(draft, edge):
        return
    if _receive(draft, edge.parent, part, edge, draft.data[edge.key]):
        draft.drop(child)
        draft.places += 1


def _fold_above(draft: Draft, root: str) -> str | None:
    """Put what a root sends into the unary of its only children: they are the roots then."""
    below = draft.children[root]
    if not draft.free(root) or len(below) != 1 or not draft.edges[below[0]].single:
        return None
    child, edge = below[0], draft.edges[below[0]]
    part = _part(draft, [root])
    if part is None or not _known(draft, edge):
        return None
    stack = draft.data[edge.key]
    turned = replace(edge, parent=child, child=root, kind=TURNED[edge.kind])
    turned_stack = stack.transpose(0, 2, 1) if edge.kind == "table" else stack
    if not _receive(draft, child, part, turned, turned_stack):
        return None
    draft.cut(child)
    draft.drop(root)
    draft.places += 1
    return child


def _receive(draft: Draft, name: str, part: Forest, edge: Edge, stack: AnyArray) -> bool:
    """Multiply what the roots of a part send through an edge into the unary of a block."""
    block = replace(draft.blocks[name], unary=None, unary_rows=1)
    whole = replace(
        part,
        blocks={name: block, **part.blocks},
        edges={**part.edges, edge.child: edge},
        data={**part.data, edge.key: stack},
    )
    masses = subtree_masses(whole)
    logs = masses[name].logs
    scales = (
        float(found.scales.sum()) * (whole.blocks[each].nodes // len(found.scales))
        for each, found in masses.items()
    )
    if logs.min() >= -NODE_ROUNDING * whole.nodes:
        logs = np.zeros((1, block.states))
    if len(logs) > 1:
        logs = logs[np.arange(block.nodes) % len(logs)]
    if not draft.multiply(name, logs):
        return False
    draft.log_scale += fsum(scales)
    return True


def _part(draft: Draft, names: Sequence[str]) -> Forest | None:
    """Some blocks, the first of them a root, as a forest; None where not all are numbers."""
    edges = {name: draft.edges[name] for name in names[1:]}
    keys = [block.unary for block in map(draft.blocks.__getitem__, names) if block.unary]
    if not all(_known(draft, edge) for edge in edges.values()):
        return None
    if any(draft.numbers(key) is None for key in keys):
        return None
    blocks = {name: draft.blocks[name] for name in names}
    return Forest(draft.forest.name, {}, blocks, edges, draft.data)


def _known(draft: Draft, edge: Edge) -> bool:
    """Whether an edge has numbers or index maps."""
    return edge.kind != "table" or draft.numbers(edge.key) is not None
