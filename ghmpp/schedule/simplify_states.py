"""Equal states lumped: states that nothing tells apart are one state with their weights summed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp.models.forest import StateNames, VariableClass
from ghmpp.schedule.simplify_draft import SAFE_EXPONENT, Draft, log, same


def lump_states(draft: Draft) -> None:
    r"""Merge states of unpinned variables that are proportional in all tables that touch them.

    .. math:: \psi(s, i) = \lambda\, \psi(s, j), \qquad \psi_c(i, a) = \lambda_c\, \psi_c(j, a)

    Then i and j tell every neighbour the same. The merged state has the tables of one of them,
    and a weight for both.

    Requires: nothing.
    Ensures: no two states of an unpinned class between tables of numbers are proportional in all
    of them (for all rows of their stacks, at all blocks of the class). Posteriors and the log
    evidence are unchanged.
    """
    for variable in draft.forest.variables.values():
        names = [name for name in variable.blocks if name in draft.blocks]
        if variable.name in draft.pinned.classes or len(variable.states) == 1:
            continue
        sides = _sides(draft, names)
        if sides is None or not all(draft.unary(name) is not None for name in names):
            continue
        groups = _groups(np.concatenate([_shapes(stack) for stack in sides]))
        if len(groups) < len(variable.states):
            _merge(draft, variable, names, groups)


def _sides(draft: Draft, names: Sequence[str]) -> list[FloatArray] | None:
    """Tables that touch some blocks, each once, axes (rows, other states, states of the blocks).

    None where there are none, or one has to be kept.
    """
    found: dict[tuple[str, bool], FloatArray | None] = {}
    for name in names:
        if name in draft.edges:
            found[draft.edges[name].key, True] = draft.table(name)
        for child in draft.children[name]:
            stack = draft.table(child)
            turned = None if stack is None else stack.transpose(0, 2, 1)
            found[draft.edges[child].key, False] = turned
    known = [stack for stack in found.values() if stack is not None]
    return known if known and len(known) == len(found) else None


def _shapes(stack: FloatArray) -> FloatArray:
    """Columns divided by their largest entry, (entries of a column in all rows, states)."""
    top = stack.max(axis=1, keepdims=True)
    scaled: FloatArray = np.divide(stack, top, out=np.zeros(stack.shape), where=top > 0)
    return scaled.reshape(-1, stack.shape[2])


def _groups(shapes: FloatArray) -> list[list[int]]:
    """States with the same columns, each group in order, the first of each in order."""
    groups: list[list[int]] = []
    for state, column in enumerate(shapes.T):
        for group in groups:
            if same(column, shapes[:, group[0]]):
                group.append(state)
                break
        else:
            groups.append([state])
    return groups


def _merge(
    draft: Draft, variable: VariableClass, names: Sequence[str], groups: Sequence[list[int]]
) -> None:
    """Merge groups of states at all blocks of a class, or at none."""
    before = dict(draft.blocks), dict(draft.edges), draft.log_scale
    if all(_merge_block(draft, name, groups) for name in names):
        draft.states[variable.name] = _names(variable.states, groups)
        draft.places += 1
    else:
        draft.blocks, draft.edges, draft.log_scale = before


def _merge_block(draft: Draft, name: str, groups: Sequence[list[int]]) -> bool:
    """Merge states of a block: one of each group stays, with the weight of all of them.

    The weight goes into the table above where it can, else into the unary.
    """
    block, first = draft.blocks[name], [group[0] for group in groups]
    stack = draft.unary(name)
    assert stack is not None
    weights = log(stack)
    for child in draft.children[name]:
        table = draft.table(child)
        assert table is not None
        weights = weights + draft.pooled(child, _ratios(table.max(axis=2), groups))
        _replace(draft, child, table[:, first])
    draft.blocks[name] = replace(block, states=len(groups))
    above = draft.table(name) if name in draft.edges else None
    if above is not None and block.unary is None and len(weights) == 1:
        top = float(weights.max())
        if weights.min() < top - SAFE_EXPONENT:
            return False
        draft.log_scale += top * block.nodes
        shares = above * np.exp(weights - top)
        _replace(draft, name, np.stack([shares[:, :, g].sum(axis=2) for g in groups], axis=2))
        return True
    if above is not None:
        ratios = _ratios(above.max(axis=1), groups)
        nodes = np.arange(block.nodes if len(ratios) > 1 else 1)
        weights = weights + ratios[nodes % len(ratios)]
        _replace(draft, name, above[:, :, first])
    merged = [np.logaddexp.reduce(weights[:, group], axis=1) for group in groups]
    return draft.set_unary(name, np.stack(merged, axis=1))


def _ratios(tops: FloatArray, groups: Sequence[list[int]]) -> FloatArray:
    """Log of the size of each state's column relative to the first of its group.

    ``tops`` are their largest entries, (rows, states); columns of zeros have the same size.
    """
    logs = np.where(tops > 0, log(tops), 0.0)
    for group in groups:
        logs[:, group] -= logs[:, group[:1]].copy()
    return logs


def _replace(draft: Draft, child: str, stack: FloatArray) -> None:
    """Give an edge another table."""
    edge = draft.edges[child]
    draft.edges[child] = replace(edge, key=draft.table_key(edge, stack))


def _names(states: StateNames, groups: Sequence[list[int]]) -> StateNames:
    """Names of merged states: tuples of the names of what they were."""
    if isinstance(states, range):
        return range(len(groups))
    return tuple(
        states[group[0]] if len(group) == 1 else tuple(states[i] for i in group) for group in groups
    )
