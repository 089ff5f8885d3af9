"""A forest under simplification: blocks, edges and potentials that rules may replace.

Potentials that a rule makes are new ones, so that whoever shares the old ones keeps them. Weights
are combined as logarithms and divided by their largest; what was divided out of the mass of all
configurations is counted, so that it is known exactly.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from ghmpp._arrays import AnyArray, FloatArray, read_only
from ghmpp.models.forest import Block, Edge, Forest, StateNames, VariableClass

# Entries that agree to this relative error are equal: rounding of a few operations.
ROUNDING = 1e-14
# exp(-700) is a normal float64 number; smaller weights stay where they are.
SAFE_EXPONENT = 700.0


@dataclass(frozen=True, slots=True)
class Pinned:
    """What a simplification has to leave as it is.

    Parameters
    ----------
    classes
        Variables that are observed or asked about: they keep their nodes and their states.
    edges
        Classes of children whose joint posterior with their parents is asked.
    """

    classes: frozenset[str]
    edges: frozenset[str] = frozenset()


@dataclass
class Draft:
    """A forest, its blocks in order, and how many places have been simplified."""

    forest: Forest
    pinned: Pinned
    blocks: dict[str, Block]
    edges: dict[str, Edge]
    children: dict[str, list[str]]
    data: dict[str, AnyArray]
    states: dict[str, StateNames] = field(default_factory=dict)
    known: dict[Hashable, str] = field(default_factory=dict)
    places: int = 0
    log_scale: float = 0.0

    @staticmethod
    def of(forest: Forest, pinned: Pinned) -> Draft:
        """The forest as it is."""
        children = {name: [edge.child for edge in found] for name, found in forest.children.items()}
        return Draft(
            forest, pinned, dict(forest.blocks), dict(forest.edges), children, dict(forest.data)
        )

    def result(self) -> Forest:
        """The forest that remains, without what nobody uses any more."""
        if not self.places:
            return self.forest
        variables = {each.name: each for each in self._variables()}
        starts = dict(self._starts(variables.values()))
        blocks = {
            name: block if block.start == starts[name] else replace(block, start=starts[name])
            for name, block in self.blocks.items()
        }
        used = {edge.key for edge in self.edges.values()}
        used |= {edge.parents for edge in self.edges.values() if edge.parents is not None}
        used |= {block.unary for block in blocks.values() if block.unary is not None}
        return replace(
            self.forest,
            variables=variables,
            blocks=blocks,
            edges={name: self.edges[name] for name in blocks if name in self.edges},
            data={key: stack for key, stack in self.data.items() if key in used},
            formulas={key: each for key, each in self.forest.formulas.items() if key in used},
        )

    def _variables(self) -> Iterator[VariableClass]:
        """Classes that still have blocks; a class that lost some has its nodes numbered anew."""
        for variable in self.forest.variables.values():
            blocks = tuple(name for name in variable.blocks if name in self.blocks)
            if not blocks:
                continue
            if blocks != variable.blocks:
                nodes = sum(self.blocks[name].nodes for name in blocks)
                variable = replace(variable, blocks=blocks, nodes=nodes, order=None)
            if variable.name in self.states:
                variable = replace(variable, states=self.states[variable.name], values=None)
            yield variable

    def _starts(self, variables: Collection[VariableClass]) -> Iterator[tuple[str, int]]:
        for variable in variables:
            start = 0
            for name in variable.blocks:
                yield name, start
                start += self.blocks[name].nodes

    # What is there

    def free(self, name: str) -> bool:
        """Whether a block is neither observed nor asked about."""
        return self.blocks[name].variable not in self.pinned.classes

    def numbers(self, key: str) -> FloatArray | None:
        """A potential that is nothing but float64 numbers; None where it has to be kept."""
        stack = self.data.get(key)
        if stack is None or key in self.forest.formulas or stack.dtype != np.float64:
            return None
        numbers: FloatArray = stack
        return numbers

    def table(self, child: str) -> FloatArray | None:
        """The table stack of an edge, if it is one of numbers."""
        edge = self.edges[child]
        return self.numbers(edge.key) if edge.kind == "table" else None

    def unary(self, name: str) -> FloatArray | None:
        """The unary stack of a block, ones where it has none; None where it has to be kept."""
        block = self.blocks[name]
        return np.ones((1, block.states)) if block.unary is None else self.numbers(block.unary)

    def below(self, name: str) -> list[str]:
        """A block and all blocks below it, parents first."""
        found = [name]
        for each in found:
            found += self.children[each]
        return found

    def pooled(self, child: str, logs: FloatArray) -> FloatArray:
        """Sum over the children of each parent of logs by row of their edge.

        Parameters
        ----------
        child
            The child block of the edge.
        logs
            Shape (rows of the edge, states).

        Returns
        -------
        array of shape (1 or parents, states)
        """
        edge, parents = self.edges[child], self.blocks[self.edges[child].parent].nodes
        if edge.parents is None and len(logs) in (1, edge.fanout):
            shared: FloatArray = logs.sum(axis=0, keepdims=True)
            return shared * (edge.fanout if len(logs) == 1 else 1)
        nodes = np.arange(self.blocks[child].nodes)
        above = nodes // edge.fanout if edge.parents is None else self.data[edge.parents]
        total = np.zeros((parents, logs.shape[1]))
        np.add.at(total, above, logs[nodes % len(logs)])
        return total

    # What may change

    def multiply(self, name: str, logs: FloatArray) -> bool:
        """Multiply the unary of a block by exp(logs), (1 or nodes, states); False: it cannot be."""
        stack = self.unary(name)
        if stack is None:
            return False
        return self.set_unary(name, log(stack) + logs)

    def set_unary(self, name: str, logs: FloatArray) -> bool:
        """Give a block the unary exp(logs), (1 or nodes, states), scaled; False: out of range.

        Weights that are all the same are no unary.
        """
        block = self.blocks[name]
        top = logs.max(axis=1, keepdims=True)
        if np.isneginf(top).any():
            return False
        lowest = (logs - top).min(axis=1, initial=0.0, where=logs > -np.inf)
        if lowest.min() < -SAFE_EXPONENT:
            return False
        self.log_scale += float(top.sum()) * (block.nodes // len(top))
        stack = np.exp(logs - top)
        if (stack == stack[:1]).all():
            stack = stack[:1]
        if stack.min() >= 1 - ROUNDING:
            self.blocks[name] = replace(block, unary=None, unary_rows=1)
            return True
        key = self.key(block.variable, stack)
        self.blocks[name] = replace(block, unary=key, unary_rows=len(stack))
        return True

    def table_key(self, edge: Edge, stack: FloatArray) -> str:
        """The key of a new table stack, called after the classes that it connects."""
        ends = (self.blocks[name].variable for name in (edge.parent, edge.child))
        return self.key("->".join(ends), np.ascontiguousarray(stack))

    def key(self, name: str, stack: FloatArray) -> str:
        """The key of a new potential; equal ones of one rule share it."""
        content = (stack.shape, stack.tobytes())
        if content not in self.known:
            key, count = name, 2
            while key in self.data or key in self.forest.formulas or key in self.known.values():
                key, count = f"{name} ({count})", count + 1
            self.known[content] = key
            self.data[key] = read_only(stack)
        return self.known[content]

    def cut(self, child: str) -> None:
        """Remove an edge: its children become roots."""
        self.children[self.edges.pop(child).parent].remove(child)

    def drop(self, name: str) -> None:
        """Remove a block and all below it."""
        if name in self.edges:
            self.cut(name)
        for each in self.below(name):
            del self.blocks[each], self.children[each]
            self.edges.pop(each, None)


def log(weights: FloatArray) -> FloatArray:
    """Natural logarithm, -inf for 0."""
    with np.errstate(divide="ignore"):
        logs: FloatArray = np.log(weights)
    return logs


def same(left: FloatArray, right: FloatArray) -> bool:
    """Whether all entries agree up to rounding, relative to each of them; both are >= 0."""
    return bool((np.abs(left - right) <= ROUNDING * np.minimum(left, right)).all())
