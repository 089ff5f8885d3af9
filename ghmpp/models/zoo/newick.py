"""Newick text: trees with labels and branch lengths, read and written without recursion."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, Never

from ghmpp.errors import FormatError, ModelError

if TYPE_CHECKING:
    import networkx as nx

_PLAIN = re.compile(r"[^\s()\[\]':;,]+")
_QUOTED = re.compile(r"'((?:[^']|'')*+)'")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_BRACKET = re.compile(r"[\[\]]")
_BLANKS = re.compile(r"\s*")
# What may follow in the description of a node, by what has been read of it.
_EXPECTED = {
    "nothing": ("'('", "a label", "':'", "','", "')'", "';'"),
    "children": ("a label", "':'", "','", "')'", "';'"),
    "label": ("':'", "','", "')'", "';'"),
    "colon": ("a branch length",),
    "length": ("','", "')'", "';'"),
}


def read_newick(text: str) -> nx.DiGraph[int]:
    """The tree of a Newick text.

    Parameters
    ----------
    text
        One tree, such as ``"((A:0.1,B:0.2)ab:0.05,'C d':1e-3);"``. Labels are plain (no blanks
        and none of ``()[]':;,``) or in single quotes, a quote inside doubled; underscores stay
        as they are. Comments in square brackets may stand between any two parts, and may be
        nested; white space and line breaks too.

    Returns
    -------
    networkx.DiGraph
        Edges point from parents to children. Nodes are 0, 1, ... in the order in which the text
        opens them, 0 is the root. A node has the attributes ``label`` (str, or None without) and
        ``comment`` (str, its comments without brackets, joined by blanks; "" without), an edge
        has ``length`` (float, or None without). A length of the root is its attribute ``length``.

    Raises
    ------
    FormatError
        With line and column, if the text is not one Newick tree.

    Examples
    --------
    >>> tree = read_newick("((A:0.1, B:2e-1)ab:0.05, 'C d'[outgroup]);")
    >>> list(tree.nodes(data="label"))
    [(0, None), (1, 'ab'), (2, 'A'), (3, 'B'), (4, 'C d')]
    >>> tree.edges[1, 3]["length"], tree.edges[0, 4]["length"], tree.nodes[4]["comment"]
    (0.2, None, 'outgroup')
    """
    import networkx as nx

    if not isinstance(text, str):
        raise FormatError(f"newick: needs text, got {type(text).__name__}.")
    tree: nx.DiGraph[int] = nx.DiGraph()
    opened: list[tuple[int, int]] = []  # nodes whose '(' is not closed, and where it stands
    node, so_far = _added(tree, None), "nothing"
    for token in _tokens(text):
        match token.kind:
            case "(" if so_far == "nothing":
                opened.append((node, token.at))
                node = _added(tree, node)
            case "," if opened and so_far != "colon":
                node, so_far = _added(tree, opened[-1][0]), "nothing"
            case ")" if opened and so_far != "colon":
                node, so_far = opened.pop()[0], "children"
            case "plain" if so_far == "colon":
                _set_length(tree, node, _number(text, token))
                so_far = "length"
            case "plain" | "quoted" if so_far in ("nothing", "children"):
                tree.nodes[node]["label"] = token.value
                so_far = "label"
            case ":" if so_far not in ("colon", "length"):
                so_far = "colon"
            case "comment":
                known = tree.nodes[node]["comment"]
                tree.nodes[node]["comment"] = f"{known} {token.value}".strip()
            case ";" if not opened and so_far != "colon":
                _check_rest(text, token.at + 1)
                return tree
            case "end" | ";" if opened:
                _refuse(text, opened[-1][1], "this '(' is never closed")
            case ")" if not opened:
                _refuse(text, token.at, "this ')' closes nothing")
            case "end":
                _refuse(text, token.at, "the text ends before the ';' that ends a tree")
            case _:
                barred = ("';'",) if opened else ("','", "')'")
                expected = " or ".join(x for x in _EXPECTED[so_far] if x not in barred)
                _refuse(text, token.at, f"expected {expected}, found {token.value!r}")
    raise AssertionError("tokens end with 'end'")


def write_newick(tree: nx.DiGraph[Any]) -> str:
    """Newick text of a rooted tree; :func:`read_newick` gives the tree again.

    Parameters
    ----------
    tree
        Edges from parents to children, attributes as :func:`read_newick` gives them, all of which
        may be absent. Children are written in the order of the graph, lengths so that they are
        read back exactly.

    Raises
    ------
    ModelError
        If the graph is not one rooted tree, a length is not finite, or the brackets in a comment
        do not match.

    Examples
    --------
    >>> write_newick(read_newick("( (A:.1,'it''s'):1E-2 [x], C ) root;"))
    "((A:0.1,'it''s'):0.01[x],C)root;"
    """
    import networkx as nx

    if len(tree) == 0 or not nx.is_arborescence(tree):
        raise ModelError(
            "write_newick: the graph must be one rooted tree, with edges from parents to children."
        )
    root = next(node for node, above in tree.in_degree() if above == 0)
    written: list[str] = []
    todo: list[tuple[str, Any]] = [("node", root)]
    while todo:
        what, item = todo.pop()
        if what == "text":
            written.append(item)
            continue
        children = list(tree.successors(item))
        written.append("(" if children else "")
        todo.append(("text", (")" if children else "") + _description(tree, item)))
        for position, child in enumerate(reversed(children)):
            todo.extend([("text", ",")] if position else [])
            todo.append(("node", child))
    return "".join(written) + ";"


class _Token(NamedTuple):
    kind: str  # one of "():,;", "plain", "quoted", "comment", "end"
    value: str
    at: int


def _tokens(text: str, at: int = 0) -> Iterator[_Token]:
    """The parts of a text from a position, without blanks; the last is of the kind "end"."""
    while (at := _end(_BLANKS, text, at)) < len(text):
        mark = text[at]
        if mark in "():,;":
            yield _Token(mark, mark, at)
            at += 1
        elif mark == "[":
            end = _comment_end(text, at)
            yield _Token("comment", text[at + 1 : end - 1], at)
            at = end
        elif mark == "'":
            found = _QUOTED.match(text, at)
            if found is None:
                _refuse(text, at, "this quote is never closed")
            yield _Token("quoted", found[1].replace("''", "'"), at)
            at = found.end()
        elif mark == "]":
            _refuse(text, at, "this ']' closes nothing")
        else:
            end = _end(_PLAIN, text, at)
            yield _Token("plain", text[at:end], at)
            at = end
    yield _Token("end", "the end", at)


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return at if found is None else found.end()


def _comment_end(text: str, start: int) -> int:
    """The position after the bracket that closes the one at ``start``."""
    depth = 0
    for bracket in _BRACKET.finditer(text, start):
        depth += 1 if bracket[0] == "[" else -1
        if depth == 0:
            return bracket.end()
    _refuse(text, start, "this '[' is never closed")


def _check_rest(text: str, at: int) -> None:
    """Refuse anything but blanks and comments after the tree."""
    for token in _tokens(text, at):
        if token.kind not in ("comment", "end"):
            _refuse(text, token.at, "more follows after the ';' that ends the tree")


def _added(tree: nx.DiGraph[int], parent: int | None) -> int:
    """A new node, as the last child of its parent."""
    node = len(tree)
    tree.add_node(node, label=None, comment="")
    if parent is not None:
        tree.add_edge(parent, node, length=None)
    return node


def _number(text: str, token: _Token) -> float:
    if _NUMBER.fullmatch(token.value) is None or not math.isfinite(float(token.value)):
        _refuse(text, token.at, f"a branch length must be a finite number, found {token.value!r}")
    return float(token.value)


def _set_length(tree: nx.DiGraph[int], node: int, length: float) -> None:
    parents = list(tree.predecessors(node))
    if parents:
        tree.edges[parents[0], node]["length"] = length
    else:
        tree.nodes[node]["length"] = length


def _refuse(text: str, at: int, what: str) -> Never:
    line = text.count("\n", 0, at) + 1
    column = at - (text.rfind("\n", 0, at) + 1) + 1
    raise FormatError(f"newick: line {line}, column {column}: {what}.")


def _description(tree: nx.DiGraph[Any], node: Any) -> str:
    """Label, length and comment of a node."""
    data = tree.nodes[node]
    label, comment = data.get("label"), data.get("comment") or ""
    length = data.get("length")
    for parent in tree.predecessors(node):
        length = tree.edges[parent, node].get("length")
    written = "" if label is None else _written_label(str(label))
    if length is not None:
        if not math.isfinite(length):
            raise ModelError(f"write_newick: the length of {label or node!r} is {length!r}.")
        written += f":{float(length)!r}"
    if comment and not _balanced(comment):
        raise ModelError(f"write_newick: the brackets in the comment {comment!r} do not match.")
    return written + (f"[{comment}]" if comment else "")


def _written_label(label: str) -> str:
    if _PLAIN.fullmatch(label):
        return label
    doubled = label.replace("'", "''")
    return f"'{doubled}'"


def _balanced(comment: str) -> bool:
    depth = 0
    for bracket in _BRACKET.findall(comment):
        depth += 1 if bracket == "[" else -1
        if depth < 0:
            return False
    return depth == 0
