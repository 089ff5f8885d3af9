"""The UAI format: a network as white-space separated numbers.

``MARKOV`` or ``BAYES``; the number of variables and how many states each has; the number of
functions and the scope of each (its size, then its variables); the table of each function (the
number of its entries, then the entries, the last variable of the scope changing fastest). In a
``BAYES`` file every variable is the last one, the child, of one function.

Variables are called x0, x1, ... and their states 0, 1, ...; what a model calls them stands in a
comment. Comments start with ``#``, or are lines that start with the word ``c``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from math import prod
from typing import Literal

import numpy as np

from ghmpp._arrays import AnyArray
from ghmpp.models.factors import Factor, Factors, Node
from ghmpp.models.formats.network import (
    child_last,
    cycle,
    network,
    parents,
    require_network,
    tables,
)
from ghmpp.models.formats.notes import MARK, apply_note, count_states, numbered_note, read_note
from ghmpp.models.formats.numbers import Numbers
from ghmpp.models.formats.text import Text, shown

Kind = Literal["BAYES", "MARKOV"]
KINDS: tuple[Kind, ...] = ("BAYES", "MARKOV")
# Variables that no function mentions cost nothing in the file, so their states are limited.
UNMENTIONED = 10**6
LARGEST_SCOPE = 64  # axes of an array
COMMENT = re.compile(r"#[^\n]*|^[ \t]*c(?![^\s])[^\n]*", re.MULTILINE)
NOTE = re.compile(rf"^# *{MARK}([^\n]*)", re.MULTILINE)
_WORD = re.compile(r"\S+")


def parse_uai(text: Text, name: str = "uai") -> Factors:
    """The model in a UAI file, in time linear in its length.

    Parameters
    ----------
    text
        The file.
    name
        Name of the model, unless the file says it.

    Returns
    -------
    Factors
        Tables are float64, one axis per variable in the order of the scope. In a BAYES file
        ``child`` is the last variable; entries are taken as they are, also where they do not sum
        to 1.

    Raises
    ------
    FormatError
        By line and column, if the file is not as above.

    Examples
    --------
    >>> graph = parse_uai(Text("BAYES 2  2 3  2 1 0 2 0 1  2 .4 .6  6 1 0 0 .2 .3 .5", "a.uai"))
    >>> graph.factors[1].variables, graph.factors[1].child
    (('x0', 'x1'), 'x1')
    >>> graph.factors[1].table
    array([[1. , 0. , 0. ],
           [0.2, 0.3, 0.5]])
    """
    content = text.blanked(COMMENT)
    head = _WORD.search(content)
    if head is None:
        raise text.error("the file is empty; a UAI file starts with MARKOV or BAYES.")
    if head[0].upper() not in KINDS:
        raise text.error(
            f"expected MARKOV or BAYES, got {shown(head[0])}; this is no UAI file.", head.start()
        )
    body = " " * head.end() + content[head.end() :]
    graph = _model(Numbers(text, body), name, bayes=head[0].upper() == "BAYES")
    if head[0].upper() == "BAYES":
        circle = cycle({str(factor.child): parents(factor) for factor in graph.factors})
        if circle:
            raise text.error(f"BAYES: {' -> '.join([*circle, circle[0]])} is a cycle.")
    return apply_note(graph, read_note(text, NOTE), text.path)


def format_uai(graph: Factors, kind: Kind | None = None) -> str:
    """A model as a UAI file.

    Parameters
    ----------
    graph
        A model without free tables.
    kind
        "BAYES" or "MARKOV"; None = BAYES where the model is a Bayesian network.

    Returns
    -------
    str
        Entries as the shortest decimals that are read back bit for bit. Names, states and
        values that UAI does not know stand in a comment.

    Raises
    ------
    FormatError
        If tables are free, or BAYES is asked of a model that is no Bayesian network.
    """
    if kind == "BAYES":
        distributions: dict[str, Factor] | None = require_network(graph, "BAYES")
    else:
        distributions = None if kind == "MARKOV" else network(graph)
    number = {name: k for k, name in enumerate(graph.nodes)}
    counts = [count_states(node.states) for node in graph.nodes.values()]
    scopes: list[tuple[str, ...]]
    entries: list[AnyArray]
    if distributions is None:
        factors = tables(graph)
        scopes = [factor.variables for factor in factors]
        entries = [np.asarray(factor.table) for factor in factors]
    else:
        scopes = [(*parents(factor), name) for name, factor in distributions.items()]
        entries = [child_last(factor) for factor in distributions.values()]
    lines = [
        f"# {numbered_note(graph)}",
        "MARKOV" if distributions is None else "BAYES",
        str(len(counts)),
        _joined(counts),
        str(len(scopes)),
    ]
    lines += [_joined([len(scope), *(number[name] for name in scope)]) for scope in scopes]
    for table in entries:
        lines += ["", str(table.size)]
        lines += [_joined(map(repr, row.tolist())) for row in _rows(table)]
    return "\n".join(lines) + "\n"


def _model(numbers: Numbers, name: str, *, bayes: bool) -> Factors:
    """Everything after the first word."""
    count = numbers.whole("the number of variables", least=1)
    largest = max(numbers.left, UNMENTIONED)  # a table has an entry for every state
    sizes = numbers.wholes(count, "the numbers of states", least=1, below=largest + 1)
    functions = numbers.whole("the number of functions")
    if bayes and functions != count:
        raise numbers.error(
            f"BAYES: expected one function for each of the {count} variables, got {functions}."
        )
    scopes: list[list[int]] = []
    children: dict[int, int] = {}
    for k in range(functions):
        scopes.append(_scope(numbers, k, count, bayes=bayes))
        if bayes and children.setdefault(scopes[k][-1], k) != k:
            child = scopes[k][-1]
            raise numbers.error(
                f"BAYES: x{child} is the last variable of the functions {children[child]} and {k};"
                " every variable is the child of one function."
            )
    mentioned = {variable for scope in scopes for variable in scope}
    idle = sum(size for k, size in enumerate(sizes) if k not in mentioned)
    if idle > UNMENTIONED:
        raise numbers.error(
            f"variables that no function mentions have {idle} states, more than {UNMENTIONED}; "
            "a number of states above is wrong."
        )
    nodes = {f"x{k}": Node(size) for k, size in enumerate(sizes)}
    factors = []
    for k, scope in enumerate(scopes):
        shape = [sizes[variable] for variable in scope]
        names = tuple(f"x{variable}" for variable in scope)
        table = _table(numbers, k, shape)
        factors.append(Factor(names, table, names[-1] if bayes else None))
    numbers.finish()
    return Factors(name, nodes, tuple(factors))


def _scope(numbers: Numbers, k: int, variables: int, *, bayes: bool) -> list[int]:
    """The variables of a function."""
    what = f"the scope of function {k}"
    size = numbers.whole(f"the size of {what}", least=1 if bayes else 0)
    if size > LARGEST_SCOPE:
        raise numbers.error(f"{what} has {size} variables, more than {LARGEST_SCOPE}.")
    scope = numbers.wholes(size, what, below=variables)
    if len(set(scope)) < size:
        twice = next(variable for i, variable in enumerate(scope) if variable in scope[:i])
        raise numbers.error(f"{what} has the variable {twice} twice.")
    return scope


def _table(numbers: Numbers, k: int, shape: Sequence[int]) -> AnyArray:
    """The table of a function."""
    size = numbers.whole(f"the number of entries of function {k}")
    if size != prod(shape):
        raise numbers.error(
            f"function {k}: expected {prod(shape)} entries for {' x '.join(map(str, shape)) or 1} "
            f"states, got the count {size}."
        )
    return numbers.take(size, f"the table of function {k}").reshape(shape)


def _rows(table: AnyArray) -> AnyArray:
    """A table as lines: one for each configuration of all variables but the last."""
    return table.reshape(-1, table.shape[-1]) if table.ndim else table.reshape(1, 1)


def _joined(items: Iterable[object]) -> str:
    return " ".join(map(str, items))
