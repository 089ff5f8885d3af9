"""Which tuples of a string are expansions of some symbol, and where a string first breaks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ghmpp._arrays import BoolArray, IntArray, read_only
from ghmpp.errors import ModelError
from ghmpp.models.evidence import read_evidence
from ghmpp.models.forest import Forest
from ghmpp.models.observations import Observation
from ghmpp.models.possible import of_all_children, possible_states
from ghmpp.models.summary import node_name

if TYPE_CHECKING:
    from ghmpp.models.model import Model

# Broken tuples that are named for each string.
NAMED_TUPLES = 10
# States of a child that are listed in a tuple.
NAMED_STATES = 4
# Entries (rows, nodes, states) of all classes that are held at one time.
CHUNK = 2**25

# By block of parents, by block of children: the parent node of each child.
_Families: TypeAlias = dict[str, dict[str, IntArray]]


@dataclass(frozen=True, eq=False, repr=False)
class Validity:
    """Which tuples of children are expansions of a symbol, for a batch of strings.

    Parameters
    ----------
    valid
        By class of the parents, shape (batch, nodes), nodes in the user's order: whether any
        symbol of the node can be expanded into what is below it. Hence a node is not valid if
        one of its children is not.
    first
        Likewise: whether a node is not valid although all of its children are.
    broken
        For each string the tuples of the first such nodes by name, at most 10, lowest classes
        first: ``"x1[3] -> (a, b)"``. A child that could be several symbols is written
        ``{a, b}``, one that could be any ``any``.
    """

    valid: Mapping[str, BoolArray]
    first: Mapping[str, BoolArray]
    broken: tuple[tuple[str, ...], ...]

    def __getitem__(self, name: str) -> BoolArray:
        if name not in self.valid:
            known = ", ".join(self.valid)
            raise KeyError(f"validity: no class of parents {name!r}; there are {known}.")
        return self.valid[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.valid)

    def __len__(self) -> int:
        return len(self.valid)

    def __repr__(self) -> str:
        wrong = [(row, names[0]) for row, names in enumerate(self.broken) if names]
        strings = f"{len(self.broken)} {'string' if len(self.broken) == 1 else 'strings'}"
        where = f"; row {wrong[0][0]} breaks at {wrong[0][1]}" if wrong else ""
        return f"Validity: {len(self.broken) - len(wrong)} of {strings} valid{where}"


def valid_rules(model: Model, x: object) -> Validity:
    """Check strings against the production rules of a model, level by level.

    Parameters
    ----------
    model
        With joint rules on at least one level. Rules of weight 0 do not count; levels with
        tables count by their positive entries, and what is not known yet (free tables and
        weights) forbids nothing.
    x
        States of the leaves, by index or name: (leaves,) or (batch, leaves), missing where None,
        NaN or -1; or evidence in any other form of :meth:`ghmpp.Inference.posteriors`.

    Returns
    -------
    Validity
        A string is possible under the model if and only if all of its nodes are valid.

    Raises
    ------
    ModelError
        If no level has joint rules.
    EvidenceError
        If ``x`` has a wrong shape or unknown states.

    Examples
    --------
    >>> from ghmpp.models.grammar import grammar
    >>> model = grammar("S -> A B | B A; A -> a b; B -> c c")
    >>> found = valid_rules(model, [["a", "b", "c", "c"], ["a", "b", "c", "a"]])
    >>> found
    Validity: 1 of 2 strings valid; row 1 breaks at x1[1] -> (c, a)
    >>> found["x1"].tolist(), found["x0"].tolist()
    ([[True, True], [True, False]], [[True], [False]])
    """
    if not model.rules:
        raise ModelError(
            f"valid_rules: model {model.name!r} has no production rules: none of its levels was "
            "declared with rules=..., a joint table or a grammar, so there are no tuples to check."
        )
    forest = model.forest()
    default = forest.leaves[0] if len(forest.leaves) == 1 else None
    observations, batch = read_evidence(x, forest.variables, default=default)
    return check(forest, observations, batch)


def check(forest: Forest, observations: Mapping[str, Observation], batch: int) -> Validity:
    """The validity of checked evidence, ``batch`` rows of it."""
    families = _families(forest)
    size = sum(block.nodes * block.states for block in forest.blocks.values())
    step = max(1, CHUNK // size)
    parts = [
        _check(forest, observations, slice(start, min(start + step, batch)), families)
        for start in range(0, max(batch, 1), step)
    ]
    return Validity(
        {name: np.concatenate([part.valid[name] for part in parts]) for name in parts[0].valid},
        {name: np.concatenate([part.first[name] for part in parts]) for name in parts[0].first},
        tuple(names for part in parts for names in part.broken),
    )


def has_rules(forest: Forest) -> bool:
    """Whether some class is written by joint rules."""
    return any(
        forest.variables[forest.blocks[edge.parent].variable].hidden
        and forest.blocks[edge.parent].variable == f"{forest.blocks[name].variable} rule"
        for name, edge in forest.edges.items()
    )


def _families(forest: Forest) -> _Families:
    """Of each visible block with visible ones below it, parents first: those, by parent node.

    Hidden classes in between are passed over.
    """
    found: dict[str, dict[str, IntArray]] = {}
    for name, edge in forest.edges.items():
        if _hidden(forest, name):
            continue
        owners = forest.parent_nodes(edge)
        while _hidden(forest, edge.parent) and edge.parent in forest.edges:
            edge = forest.edges[edge.parent]
            owners = forest.parent_nodes(edge)[owners]
        if not _hidden(forest, edge.parent):
            found.setdefault(edge.parent, {})[name] = owners
    return {name: found[name] for name in forest.blocks if name in found}


def _hidden(forest: Forest, block: str) -> bool:
    return forest.variables[forest.blocks[block].variable].hidden


def _check(
    forest: Forest, observations: Mapping[str, Observation], rows: slice, families: _Families
) -> Validity:
    """The validity of some rows."""
    possible = possible_states(forest, observations, rows)
    count = rows.stop - rows.start
    valid, first = {}, {}
    for name, children in families.items():
        alive = possible[name].any(axis=-1)
        whole = np.ones((count, alive.shape[1]), dtype=np.bool_)
        for child, owners in children.items():
            if child in families:
                below: BoolArray = np.logical_or.reduce(possible[child], axis=-1)
                whole &= of_all_children(below, owners, whole.shape[1])
        valid[name] = np.broadcast_to(alive, whole.shape)
        first[name] = whole & ~alive
    return Validity(
        _by_class(forest, valid),
        _by_class(forest, first),
        _broken(forest, possible, first, families),
    )


def _by_class(forest: Forest, found: Mapping[str, BoolArray]) -> dict[str, BoolArray]:
    """Blocks joined to classes, nodes in the user's order; the end of a chain is left out."""
    classes = dict.fromkeys(forest.blocks[name].variable for name in found)
    joined = {}
    for variable in (forest.variables[name] for name in classes):
        parts = [found[name] for name in variable.blocks if name in found]
        array = np.concatenate(parts, axis=1)
        if variable.order is not None:
            array = array[:, np.argsort(variable.order)]
        joined[variable.name] = read_only(array)
    return joined


def _broken(
    forest: Forest,
    possible: Mapping[str, BoolArray],
    first: Mapping[str, BoolArray],
    families: _Families,
) -> tuple[tuple[str, ...], ...]:
    """Names of the first broken tuples of each row, lowest blocks first."""
    named: list[list[str]] = [[] for _ in next(iter(first.values()))]
    for name in reversed(list(families)):
        few = first[name] & (np.cumsum(first[name], axis=1) <= NAMED_TUPLES)
        members = {child: _members(owners) for child, owners in families[name].items()}
        for row, node in np.argwhere(few).tolist():
            if len(named[row]) == NAMED_TUPLES:
                continue
            states = [
                _states(forest, child, possible[child][row % len(possible[child]), position])
                for child, groups in members.items()
                for position in groups.get(node, ())
            ]
            parent = node_name(forest, forest.blocks[name], node)
            named[row].append(f"{parent} -> ({', '.join(states)})")
    return tuple(map(tuple, named))


def _members(owners: IntArray) -> dict[int, list[int]]:
    """Children of each parent node."""
    groups: dict[int, list[int]] = {}
    for position, owner in enumerate(owners.tolist()):
        groups.setdefault(owner, []).append(position)
    return groups


def _states(forest: Forest, block: str, possible: BoolArray) -> str:
    """The possible states of one node, in words."""
    names = forest.variables[forest.blocks[block].variable].states
    found = [str(names[state]) for state in np.flatnonzero(possible)]
    if len(found) == 1:
        return found[0]
    if len(found) == len(names):
        return "any"
    listed = found if len(found) <= NAMED_STATES else [*found[:NAMED_STATES], "..."]
    return f"{{{', '.join(listed)}}}"
