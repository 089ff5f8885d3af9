"""How the parts of a formula are written: as plain text, or in LaTeX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ghmpp.backends.symbolics.letters import Letters, latex_name
from ghmpp.models.forest import Block, Edge
from ghmpp.schedule.ir import Value


@dataclass(frozen=True, slots=True)
class Place:
    """The node that a formula is about: a number, or any node ``v``.

    Parameters
    ----------
    node, parent
        Labels of the node and of its parent.
    number
        The node's position in its block; None for any node.
    nodes
        Other nodes that the formula sums over, if the node is known: its children, its siblings,
        or all nodes.
    """

    node: str = "v"
    parent: str = "pa(v)"
    number: int | None = None
    nodes: tuple[int, ...] = ()

    def row(self, rows: int) -> int | None:
        """Row of a potential stack; None where it depends on the node."""
        if rows == 1:
            return 0
        return None if self.number is None else self.number % rows


class Style(Protocol):
    """The parts of formulas in natural logarithms."""

    def value(self, value: Value, node: str, *states: str) -> str:
        """An entry of a value; without states all of them, without node the value's only entry."""

    def table(self, edge: Edge, place: Place) -> str:
        """An entry of a potential table, linear."""

    def unary(self, block: Block, place: Place, state: str) -> str:
        """An entry of a unary potential, linear."""

    def index(self, edge: Edge, place: Place, state: str) -> str:
        """The state that an index map has for another one."""

    def log(self, number: str) -> str:
        """Logarithm of an entry."""

    def through(self, variable: str, table: str, body: str) -> str:
        """Log of a sum over states of an entry of a table times the exponential of the body."""

    def segment(self, variable: str, condition: tuple[str, str], body: str) -> str:
        """Log of a sum of exponentials over the states with ``condition[0] = condition[1]``."""

    def largest(self, body: str) -> str:
        """Maximum over states ``s``."""

    def total(self, body: str) -> str:
        """Log of the sum of exponentials over states ``s``."""

    def softmax(self, body: str) -> str:
        """Exponentials over their sum."""

    def mean(self, body: str) -> str:
        """Sum over states ``s`` of state value times probability."""

    def over(self, nodes: str, label: str, body: str) -> str:
        """Sum over nodes: "children", "siblings" or "nodes"."""

    def likelihood(self, node: str) -> str:
        """What was observed at a node, as a log-likelihood of its state ``s``."""


@dataclass(frozen=True, slots=True)
class Text:
    """Plain text with the names of :class:`~ghmpp.backends.symbolic.Assignment`."""

    names: Mapping[Value, str]
    keys: Mapping[str, str]

    def value(self, value: Value, node: str, *states: str) -> str:
        name = self.names[value]
        if node.isdigit():
            name, node = f"{name}_{node}", ""
        inner = ", ".join(filter(None, (node, *states)))
        return f"{name}[{inner}]" if inner else name

    def table(self, edge: Edge, place: Place) -> str:
        return self._entry(edge.key, edge.rows, place, "s", "a")

    def unary(self, block: Block, place: Place, state: str) -> str:
        return self._entry(block.unary or "", block.unary_rows, place, state)

    def index(self, edge: Edge, place: Place, state: str) -> str:
        return self._entry(edge.key, edge.rows, place, state)

    def _entry(self, key: str, rows: int, place: Place, *states: str) -> str:
        row = place.row(rows)
        rank = f"v % {rows}" if row is None else str(row)
        return f"{self.keys[key]}[{', '.join((rank, *states))}]"

    def log(self, number: str) -> str:
        return f"log {number}"

    def through(self, variable: str, table: str, body: str) -> str:
        return f"logsumexp_{variable}(log {table} + {body})"

    def segment(self, variable: str, condition: tuple[str, str], body: str) -> str:
        return f"logsumexp_{{{variable}: {condition[0]} = {condition[1]}}}({body})"

    def largest(self, body: str) -> str:
        return f"max_s({body})"

    def total(self, body: str) -> str:
        return f"logsumexp_s({body})"

    def softmax(self, body: str) -> str:
        return f"softmax({body})"

    def mean(self, body: str) -> str:
        return f"sum_s(value[s] * {body}[s])"

    def over(self, nodes: str, label: str, body: str) -> str:
        where = {"nodes": "all nodes", "children": f"children of {label}"}
        where["siblings"] = f"siblings of {label}"
        return f"sum over {where[nodes]}: {body}"

    def likelihood(self, node: str) -> str:
        return f"log p(observation {node} | s)"


@dataclass(frozen=True, slots=True)
class Latex:
    """LaTeX with the paper's symbols."""

    letters: Letters

    def value(self, value: Value, node: str, *states: str) -> str:
        name = self.letters.latex[value].replace("$v", _node(node))
        return f"{name}({', '.join(states)})" if states else name

    def table(self, edge: Edge, place: Place) -> str:
        return _entry(r"\psi", edge.key, edge.rows, place, "s", "a")

    def unary(self, block: Block, place: Place, state: str) -> str:
        return _entry(r"\psi", block.unary or "", block.unary_rows, place, state)

    def index(self, edge: Edge, place: Place, state: str) -> str:
        return _entry("i", edge.key, edge.rows, place, state)

    def log(self, number: str) -> str:
        return rf"\log {number}"

    def through(self, variable: str, table: str, body: str) -> str:
        return rf"\log \sum_{{{variable}}} {table} \, e^{{{body}}}"

    def segment(self, variable: str, condition: tuple[str, str], body: str) -> str:
        return rf"\log \sum_{{{variable} : {condition[0]} = {condition[1]}}} e^{{{body}}}"

    def largest(self, body: str) -> str:
        return rf"\max_{{s}} {body}"

    def total(self, body: str) -> str:
        return rf"\log \sum_{{s}} e^{{{body}}}"

    def softmax(self, body: str) -> str:
        return rf"\mathrm{{softmax}}({body})"

    def mean(self, body: str) -> str:
        return rf"\sum_{{s}} x_{{s}} \, {body}_{{s}}"

    def over(self, nodes: str, label: str, body: str) -> str:
        label = _node(label)
        where = {"nodes": "v", "children": rf"v' \in \mathcal{{C}}({label})"}
        where["siblings"] = rf"v' \in \mathcal{{N}}({label})"
        return rf"\sum_{{{where[nodes]}}} {body}"

    def likelihood(self, node: str) -> str:
        return rf"\log p(z_{{{_node(node)}}} \mid s)"


def _node(label: str) -> str:
    return label.replace("pa(", r"\mathrm{pa}(")


def _entry(letter: str, key: str, rows: int, place: Place, *states: str) -> str:
    """An entry of a potential; one of several rows is named by the rank of the child."""
    row = place.row(rows)
    rank = r"\iota(v)" if row is None else str(row)
    below = "" if rows == 1 else f"_{{{rank}}}"
    return f"{letter}{below}^{{{latex_name(key)}}}({', '.join(states)})"


def added(terms: Sequence[str]) -> str:
    """A sum of terms; of none, zero."""
    return " + ".join(terms) or "0"
