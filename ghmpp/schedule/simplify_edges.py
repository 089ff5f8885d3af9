"""Rules on edges: tables of rank one are cut, chains of single children multiplied."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp.schedule.simplify_draft import SAFE_EXPONENT, Draft, log, same


def cut_rank_one(draft: Draft) -> None:
    r"""Cut edges whose tables are outer products: what they connect is independent.

    .. math:: \psi(s, a) = \alpha(s)\, \beta(a)

    ``alpha`` becomes a unary of the parents (to the power of their children), ``beta`` one of the
    children, which become roots.

    Requires: nothing.
    Ensures: no edge of a class that is not pinned has a rank-one table for every row, where
    ``alpha`` and ``beta`` could become unaries. Posteriors and the log evidence are unchanged.
    """
    for child in list(draft.edges):
        stack = draft.table(child)
        if stack is None or draft.blocks[child].variable in draft.pinned.edges:
            continue
        parts = [_outer(table) for table in stack]
        found = [part for part in parts if part is not None]
        if len(found) == len(parts):
            alphas, betas = (np.stack(sides) for sides in zip(*found, strict=True))
            _cut(draft, child, alphas, betas)


def _cut(draft: Draft, child: str, alphas: FloatArray, betas: FloatArray) -> None:
    """Replace an edge by unaries, if both ends can take them."""
    parent, before = draft.edges[child].parent, draft.log_scale
    nodes, above = draft.blocks[child].nodes, draft.blocks[parent]
    sent = draft.pooled(child, log(alphas))
    if not draft.multiply(parent, sent):
        return
    told = log(betas)
    if len(told) > 1:
        told = told[np.arange(nodes) % len(told)]
    if not draft.multiply(child, told):
        draft.blocks[parent], draft.log_scale = above, before
        return
    draft.cut(child)
    draft.places += 1


def _outer(table: FloatArray) -> tuple[FloatArray, FloatArray] | None:
    """The factors of a table of rank one, the second with largest entry 1."""
    row, column = np.unravel_index(np.argmax(table), table.shape)
    if table[row, column] <= 0:
        return None
    alpha, beta = table[:, column], table[row] / table[row, column]
    return (alpha, beta) if same(table, np.outer(alpha, beta)) else None


def multiply_chains(draft: Draft) -> None:
    r"""Eliminate variables with one child each: the tables above and below are multiplied.

    .. math:: \psi(s, a) = \sum_m \psi_1(s, m)\, \phi(m)\, \psi_2(m, a)

    Requires: nothing.
    Ensures: no unpinned block between two tables has one child per node, if it has no fewer states
    than either neighbour, and tied edges remain tied. The children come in the same order.
    Posteriors and the log evidence are unchanged.

    A certified network then has one net in place of two, mostly with fewer units than both
    together; it may be wider than either, as no table contracts the error of the lower net.
    """
    products: dict[tuple[str, str, str | None], str] = {}
    for middle in list(draft.blocks):
        if middle in draft.edges and _passes(draft, middle):
            _skip(draft, middle, products)


def _passes(draft: Draft, middle: str) -> bool:
    """Whether a block stands between one parent and one child per node, and may go."""
    below = draft.children[middle]
    if not draft.free(middle) or len(below) != 1 or not draft.edges[below[0]].single:
        return False
    upper, lower = draft.edges[middle], draft.edges[below[0]]
    if lower.rows > upper.rows > 1:
        return False  # rows per rank above, per node below: ties would be lost
    if draft.blocks[middle].unary_rows not in (1, upper.rows, lower.rows):
        return False
    above, inner, last = (draft.blocks[name].states for name in (upper.parent, middle, lower.child))
    return inner >= max(above, last)


def _skip(draft: Draft, middle: str, products: dict[tuple[str, str, str | None], str]) -> None:
    """Put the product of two tables in place of a block."""
    first, weights = draft.table(middle), draft.unary(middle)
    block, child = draft.blocks[middle], draft.children[middle][0]
    second = draft.table(child)
    if first is None or weights is None or second is None:
        return
    upper, lower = draft.edges[middle], draft.edges[child]
    at = (upper.key, lower.key, block.unary)
    if at not in products:
        product = _product(first * weights[:, None, :], second)
        if product is None:
            return
        products[at] = draft.table_key(replace(upper, child=child), product)
    key = products[at]
    draft.edges[child] = replace(upper, child=child, key=key, rows=len(draft.data[key]))
    siblings = draft.children[upper.parent]
    siblings[siblings.index(middle)] = child
    del draft.blocks[middle], draft.edges[middle], draft.children[middle]
    draft.places += 1


def _product(first: FloatArray, second: FloatArray) -> FloatArray | None:
    """Products of tables row by row; None where an entry leaves the range of float64."""
    with np.errstate(over="ignore"):
        product: FloatArray = first @ second
    positive = product[(first > 0) @ (second > 0)]
    largest = np.exp(SAFE_EXPONENT)
    fits = len(positive) and positive.min() >= 1 / largest and positive.max() <= largest
    return product if fits else None
