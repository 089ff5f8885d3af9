"""From a declared model to the forest that it means: blocks, edges and tied potentials."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from ghmpp._arrays import AnyArray, ObjectArray, read_only
from ghmpp._memory import require_bytes
from ghmpp.models.declaration import Declaration, check_node_names
from ghmpp.models.expressions import Scalar
from ghmpp.models.forest import Block, Edge, Forest, PotentialKind, VariableClass
from ghmpp.models.potentials import Stack

LEVEL_BYTES = 1000  # of memory: a block, an edge, and their names


def expand(
    name: str,
    declarations: Mapping[str, Declaration],
    values: Mapping[str, Scalar],
    *,
    exact: bool,
) -> Forest:
    """The forest of a declared model.

    Parameters
    ----------
    name
        Name of the model.
    declarations
        Declared classes by name, parents before children.
    values
        Exact values of bound symbols, by name.
    exact
        Whether ``Forest.data`` holds fractions and expressions instead of float64.

    Raises
    ------
    ModelError
        If a class is called like a node of another, or bound symbols give weights that are
        negative or not finite.
    ResourceError
        If a chain has more levels than fit into memory.
    """
    check_node_names(declarations)
    _require_levels(name, declarations)
    keys = tied_keys(declarations)
    potentials = _Potentials(values, exact)
    blocks: dict[str, Block] = {}
    edges: dict[str, Edge] = {}
    variables: dict[str, VariableClass] = {}
    for declared in declarations.values():
        if declared.potential is not None and declared.name in keys:
            potentials.add(keys[declared.name], declared.potential)
        if declared.prior is not None:
            potentials.add(declared.name, declared.prior)
        blocks.update((block.name, block) for block in _blocks(declared))
        if declared.member is not None:
            _join(declared, declared.member, blocks, variables)
        else:
            variables[declared.name] = _variable(declared)
        if declared.source is not None:
            above = declarations[declared.source]
            edges.update((e.child, e) for e in _edges(declared, above, keys[declared.name]))
    return Forest(
        name,
        variables,
        blocks,
        edges,
        potentials.data,
        potentials.formulas,
        {symbol: float(value) for symbol, value in values.items()},
        untied=all(declared.untied for declared in declarations.values()),
    )


def _require_levels(name: str, declarations: Mapping[str, Declaration]) -> None:
    """Refuse chains whose levels do not fit into memory."""
    levels = {declared.name: declared.levels or 1 for declared in declarations.values()}
    longest = max(levels, key=levels.__getitem__, default="")
    require_bytes(
        LEVEL_BYTES * sum(levels.values()),
        f"forest: {sum(levels.values()):,} levels of model {name!r} need",
        cure="shorten its chains",
        largest=f"class: {longest!r}",
    )


def tied_keys(declarations: Mapping[str, Declaration]) -> dict[str, str]:
    """Key of the edge potential of each class that has edges; equal potentials share the first.

    Floats are equal bitwise (after -0.0 becomes 0.0), exact entries as numbers or expressions.
    Free tables are never shared.
    """
    first: dict[Hashable, str] = {}
    keys: dict[str, str] = {}
    for declared in declarations.values():
        if declared.source is None:
            continue
        keys[declared.name] = declared.key
        if declared.potential is not None:
            # An index map does not say how many states it points into.
            sizes = len(declarations[declared.source].space), len(declared.space)
            content = declared.potential.identity(), sizes
            keys[declared.name] = first.setdefault(content, declared.key)
    return keys


@dataclass
class _Potentials:
    """Potentials of the forest under construction, by key."""

    values: Mapping[str, Scalar]
    exact: bool
    data: dict[str, AnyArray] = field(default_factory=dict)
    formulas: dict[str, ObjectArray] = field(default_factory=dict)

    def add(self, key: str, stack: Stack) -> None:
        if key in self.data or key in self.formulas:
            return
        place = f"potential {key!r}"
        entries = (
            stack.exact(self.values, place) if self.exact else stack.numeric(self.values, place)
        )
        if entries is not None:
            self.data[key] = read_only(entries)
        if stack.symbols:
            self.formulas[key] = stack.entries


def _block_names(declared: Declaration) -> tuple[str, ...]:
    if declared.levels is None:
        return (declared.name,)
    return tuple(f"{declared.name}[{level}]" for level in range(declared.levels))


def _blocks(declared: Declaration) -> Iterator[Block]:
    names = _block_names(declared)
    size = declared.nodes // len(names)
    for level, name in enumerate(names):
        prior = declared.prior
        if declared.chain and level > 0:
            prior = None
        unary = None if prior is None and not declared.free_prior else declared.name
        rows = 1 if prior is None else prior.rows
        yield Block(name, declared.name, level * size, size, len(declared.space), unary, rows)


def _edges(declared: Declaration, above: Declaration, key: str) -> Iterator[Edge]:
    children, parents = _block_names(declared), _block_names(above)
    if declared.chain:
        children = children[1:]
    kind: PotentialKind = "table"
    rows = declared.count
    if declared.potential is not None:
        kind, rows = declared.potential.kind, declared.potential.rows
    for parent, child in zip(parents, children, strict=False):  # a chain's last node has no child
        yield Edge(parent, child, declared.count, key, kind, rows)


def _join(
    declared: Declaration,
    member: tuple[str, int],
    blocks: dict[str, Block],
    variables: dict[str, VariableClass],
) -> None:
    """Let the variable of a declaration be the next tree node of the class that it belongs to."""
    name, (home, position) = declared.name, member
    before = variables.get(home, replace(_variable(declared), name=home, nodes=0, blocks=()))
    blocks[name] = replace(blocks[name], variable=home, start=before.nodes)
    known = () if before.order is None else before.order
    variables[home] = replace(
        before,
        nodes=before.nodes + 1,
        blocks=(*before.blocks, name),
        order=read_only(np.array([*known, position])),
        apart=True,
    )


def _variable(declared: Declaration) -> VariableClass:
    return VariableClass(
        declared.name,
        declared.space.names,
        declared.space.values,
        declared.nodes,
        _block_names(declared),
        declared.order,
        declared.hidden,
        declared.scope,
    )
