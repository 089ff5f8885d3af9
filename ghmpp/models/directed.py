r"""The directed form of a forest: masses below each node, conditionals, the partition function.

The mass of a node v in state s is the total weight of the subtree below it,

.. math:: M_v(s) = \phi_v(s) \prod_{c \in C(v)} \sum_a \psi_c(s, a) M_c(a),

so that the partition function is the product over roots of ``sum_s M_r(s)`` and the conditional
of a child is ``psi_c(s, a) M_c(a)`` normalised over a (eq. (3) of arXiv:2404.18444). All is kept
in logs, each node divides out its largest mass, and blocks whose nodes share potentials have one
row for all nodes. Blocks with the same tables above the same masses are computed once, so that a
long chain costs little once its masses have settled.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from hashlib import sha256
from math import fsum, gcd, lcm

import numpy as np

from ghmpp._arrays import AnyArray, FloatArray, IntArray
from ghmpp._memory import require_bytes
from ghmpp.errors import ModelError
from ghmpp.models.forest import Block, Edge, Forest, PotentialKind

# exp(-700) is a normal float64 number; products that may be smaller are summed in logs.
SAFE_EXPONENT = 700.0
ITEM_BYTES = 8


@dataclass(frozen=True, slots=True, eq=False)
class Masses:
    """Masses of the nodes of a block; node k uses row ``k % rows``.

    Parameters
    ----------
    logs
        Log mass relative to the row's largest, shape (rows, states); -inf where impossible.
    scales
        Log of what the node divided out, shape (rows,): its largest mass, given that its
        descendants have divided out theirs.
    """

    logs: FloatArray
    scales: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Conditional:
    """Conditional probabilities of the nodes of a block given their parents.

    Parameters
    ----------
    kind
        "table"; or "child_of", "parent_of" where the edge is an index map.
    probabilities
        Table: (rows, parent states, child states), rows sum to 1 (roots: one parent state).
        ``child_of``: ones (1, parent states). ``parent_of``: (rows, child states), the
        probability of child state a given the parent state that the map gives for it.
        Parent states that cannot occur have a uniform row (``parent_of``: zeros).
    index
        The index maps, int64, shape (rows of the maps, states); None for tables. Node k uses row
        ``k % rows`` of the probabilities, and likewise of the maps.
    """

    kind: PotentialKind
    probabilities: FloatArray
    index: IntArray | None = None


def subtree_masses(forest: Forest) -> dict[str, Masses]:
    """Masses of all blocks by name, leaves first.

    Raises
    ------
    ModelError
        If a potential has no values, or a variable can have no state at all.
    ResourceError
        If the machine's memory does not hold it.
    """
    return _Pass(forest).masses


def log_partition(forest: Forest) -> float:
    """Log of the total weight of all configurations.

    Raises
    ------
    ModelError
        If a potential has no values, or no configuration has positive weight.
    ResourceError
        If the machine's memory does not hold it.

    Examples
    --------
    >>> from ghmpp.models.ghm import GHM
    >>> model = GHM(states=(2, 2), branching=(3,), tables=[np.ones((2, 2))])
    >>> round(log_partition(model.forest()) / float(np.log(2)), 12)
    4.0
    """
    terms = []
    for name, masses in subtree_masses(forest).items():
        logs = masses.scales
        if name not in forest.edges:
            logs = logs + _logsum(masses.logs)
        terms.append(float(logs.sum()) * (forest.blocks[name].nodes // len(logs)))
    return fsum(terms)  # a running sum would drift over long chains


def conditionals(forest: Forest) -> dict[str, Conditional]:
    """Conditional distribution of every block given its parents, parents first.

    Blocks with equal potentials and masses share one object.

    Raises
    ------
    ModelError
        If a potential has no values, or no configuration has positive weight.
    ResourceError
        If the machine's memory does not hold it.
    """
    run = _Pass(forest)
    found: dict[Hashable, Conditional] = {}
    result = {}
    for name in forest.blocks:
        edge, masses = forest.edges.get(name), run.masses[name]
        at = (None if edge is None else edge.key, id(masses.logs))
        if at not in found:
            found[at] = run.conditional(edge, masses.logs)
        result[name] = found[at]
    return result


class _Pass:
    """One pass from the leaves to the roots; results are shared where inputs are."""

    def __init__(self, forest: Forest) -> None:
        forest.require_values()
        self.forest = forest
        self.kept = 0  # entries of masses and conditionals so far
        self.data = {key: _floats(entries) for key, entries in forest.data.items()}
        numbers = {*forest.gaussian, *(each.key for each in forest.couplings.values())}
        tables = {key: v for key, v in self.data.items() if key not in numbers}
        self.logs = {key: _log(v) for key, v in tables.items() if v.dtype == np.float64}
        self.spans = {key: _span(logs) for key, logs in self.logs.items()}
        self.shared: dict[Hashable, FloatArray] = {}
        self.received: dict[Hashable, FloatArray] = {}
        self.joined: dict[Hashable, Masses] = {}
        self.masses: dict[str, Masses] = {}
        for name in reversed(list(forest.blocks)):
            self.masses[name] = self._mass(forest.blocks[name])

    def _mass(self, block: Block) -> Masses:
        """Unary times the messages of all children."""
        factors = [self._receive(edge) for edge in self.forest.children[block.name]]
        if block.unary is not None:
            factors.append(self.logs[block.unary])
        at = (block.states, *map(id, factors))
        if at not in self.joined:
            self.joined[at] = self._join(block, factors)
        return self.joined[at]

    def _join(self, block: Block, factors: list[FloatArray]) -> Masses:
        rows = lcm(*map(len, factors))
        self._keep(rows * block.states)
        logs = np.zeros((rows, block.states))
        for factor in factors:
            logs = logs + _tile(factor, rows)
        scales = logs.max(axis=1)
        if np.isneginf(scales).any():
            raise ModelError(
                f"model {self.forest.name!r}: no configuration has positive weight: no state of "
                f"{block.name!r} is possible given what lies below it; check the zeros of its "
                f"tables and prior."
            )
        return Masses(self._share(logs - scales[:, None]), scales)

    def _receive(self, edge: Edge) -> FloatArray:
        """Product of the messages of siblings: (one row per distinct parent, parent states)."""
        logs = self.masses[edge.child].logs
        at = (edge.key, edge.fanout, edge.parents, id(logs))
        if at not in self.received:
            sent = self._send(edge, logs)
            if edge.parents is not None:
                self.received[at] = self._share(self._summed(edge, sent))
                return self.received[at]
            rows = len(sent) // gcd(len(sent), edge.fanout)
            self._require(rows * edge.fanout * (1 + sent.shape[1]))
            children = np.arange(rows * edge.fanout).reshape(rows, edge.fanout)
            self.received[at] = self._share(sent[children % len(sent)].sum(axis=1))
        return self.received[at]

    def _summed(self, edge: Edge, sent: FloatArray) -> FloatArray:
        """Sum of the messages of all children of each parent, (parents, parent states)."""
        parents, children = (self.forest.blocks[name].nodes for name in (edge.parent, edge.child))
        total = np.zeros((parents, sent.shape[1]))
        np.add.at(total, self.forest.parent_nodes(edge), _tile(sent, children))
        return total

    def _send(self, edge: Edge, logs: FloatArray) -> FloatArray:
        """Log of the sum over child states, one row per distinct child: (rows, parent states)."""
        index = self.data[edge.key]
        match edge.kind:
            case "child_of":
                return np.take_along_axis(*_paired(logs, index), axis=1)
            case "parent_of":
                states = self.forest.blocks[edge.parent].states
                return _grouped_logsum(*_paired(logs, index), states)
            case "table":
                return self._through_table(edge.key, logs)
            case "gaussian":  # a density, which integrates to 1 for every parent
                return np.zeros((1, self.forest.blocks[edge.parent].states))

    def _through_table(self, key: str, logs: FloatArray) -> FloatArray:
        rows = lcm(len(logs), len(self.data[key]))
        if self.spans[key] + _span(logs) < SAFE_EXPONENT:
            weights = np.exp(logs)
            if len(self.data[key]) == 1:
                return _log(weights @ self.data[key][0].T)
            stack = _tile(self.data[key], rows)
            return _log((stack @ _tile(weights, rows)[:, :, None])[:, :, 0])
        self._require(2 * rows * self.data[key][0].size)
        terms = _tile(self.logs[key], rows) + _tile(logs, rows)[:, None, :]
        return _logsum(terms)

    def _keep(self, entries: int) -> None:
        """Count entries that stay, before they are made."""
        self._require(entries)
        self.kept += entries

    def _require(self, entries: int) -> None:
        """Refuse a step whose entries do not fit into memory beside those that stay."""
        require_bytes(
            ITEM_BYTES * (self.kept + entries),
            f"model {self.forest.name!r}: the sums over its variables need at least",
            cure="declare fewer variables or states, or share tables",
            largest=self.forest.largest,
        )

    def _share(self, array: FloatArray) -> FloatArray:
        """The first array with the same content, so that identity stands for equality."""
        content = sha256(np.ascontiguousarray(array).data).digest()
        return self.shared.setdefault((array.shape, content), array)

    def conditional(self, edge: Edge | None, logs: FloatArray) -> Conditional:
        if edge is None:
            weights = np.exp(logs)
            return Conditional("table", (weights / weights.sum(axis=1, keepdims=True))[:, None])
        index = self.data[edge.key]
        match edge.kind:
            case "child_of":
                return Conditional("child_of", np.ones((1, index.shape[1])), index)
            case "parent_of":
                logs, maps = _paired(logs, index)
                sums = _grouped_logsum(logs, maps, self.forest.blocks[edge.parent].states)
                totals = np.take_along_axis(sums, maps, axis=1)
                return Conditional("parent_of", _ratio(logs, totals), index)
            case "table":
                rows = lcm(len(logs), len(index))
                self._require(3 * rows * index[0].size)
                self._keep(rows * index[0].size)
                terms = _tile(self.logs[edge.key], rows) + _tile(logs, rows)[:, None, :]
                totals = _logsum(terms)[:, :, None]
                shares = _ratio(terms, np.broadcast_to(totals, terms.shape))
                shares[np.isneginf(totals[:, :, 0])] = 1 / shares.shape[2]
                return Conditional("table", shares / shares.sum(axis=2, keepdims=True))
            case "gaussian":
                raise ModelError(
                    f"model {self.forest.name!r}: {edge.child!r} holds real numbers, which have "
                    "densities and no tables of probabilities."
                )


def _floats(entries: AnyArray) -> AnyArray:
    return entries.astype(np.float64) if entries.dtype == object else entries


def _log(weights: AnyArray) -> FloatArray:
    with np.errstate(divide="ignore"):
        return np.log(weights)


def _span(logs: FloatArray) -> float:
    """Largest minus smallest finite log, or more: bounds how small a product may get."""
    finite = logs[np.isfinite(logs)]
    return float(max(finite.max(), 0.0) - min(finite.min(), 0.0))


def _tile(array: AnyArray, rows: int) -> AnyArray:
    """Repeat along the first axis, so that row k is row ``k % len(array)``."""
    if len(array) in (1, rows):
        return array
    return np.tile(array, (rows // len(array),) + (1,) * (array.ndim - 1))


def _logsum(terms: FloatArray) -> FloatArray:
    """Log of the sum of exponentials over the last axis, one shift per output."""
    peak = terms.max(axis=-1)
    shift = np.where(np.isneginf(peak), 0.0, peak)
    return shift + _log(np.exp(terms - shift[..., None]).sum(axis=-1))


def _paired(logs: FloatArray, index: IntArray) -> tuple[FloatArray, IntArray]:
    """Masses and index maps repeated to as many rows, one for each distinct pair."""
    rows = lcm(len(logs), len(index))
    both = (np.broadcast_to(_tile(array, rows), (rows, array.shape[1])) for array in (logs, index))
    return next(both), next(both)


def _grouped_logsum(logs: FloatArray, index: IntArray, groups: int) -> FloatArray:
    """Log of the sum of exponentials over the states of each group: (rows, groups).

    ``index`` has the group of each state, row by row, like ``logs``.
    """
    at = (groups * np.arange(len(logs))[:, None] + index).ravel()  # one axis, for speed
    peak = np.full(len(logs) * groups, -np.inf)
    np.maximum.at(peak, at, logs.ravel())
    shift = np.where(np.isneginf(peak), 0.0, peak)
    totals = np.bincount(at, np.exp(logs.ravel() - shift[at]), len(peak))
    return (shift + _log(totals)).reshape(len(logs), groups)


def _ratio(logs: FloatArray, totals: FloatArray) -> FloatArray:
    """``exp(logs - totals)``, zero where both are -inf."""
    possible = ~np.isneginf(totals)
    return np.exp(np.subtract(logs, totals, out=np.full_like(logs, -np.inf), where=possible))
