"""The Bayesian Interchange Format (BIF): a Bayesian network as blocks of readable text.

A ``network`` block, then a ``variable`` block for every variable and a ``probability`` block for
its distribution: one row for each configuration of the parents, or ``table`` with all entries
(the child changing slowest, the last parent fastest), or ``default`` for the rows that are not
listed. ``//`` and ``/* */`` are comments; properties are skipped.

pgmpy's reader is no substitute: from a truncated file it makes a smaller network without an
error, from random bytes or a file without line breaks an empty one, and it knows no positions.
"""

from __future__ import annotations

import re
from itertools import product

from ghmpp.models.factors import Factors, Node
from ghmpp.models.formats.bif_blocks import COMMENT, Reader
from ghmpp.models.formats.bif_tables import Distribution
from ghmpp.models.formats.network import child_last, cycle, parents, require_network
from ghmpp.models.formats.notes import MARK, apply_note, read_note, written
from ghmpp.models.formats.text import Text

# Names that every reader of BIF takes for one word; keywords are none.
VARIABLE = re.compile(
    r"(?!(?:network|variable|probability|property|type|discrete|table|default)\Z)"
    r"[A-Za-z_][A-Za-z0-9_.-]*"
)
STATE = re.compile(r"(?!(?:table|default|property)\Z)(?:[A-Za-z0-9_.+<>=-]|/(?![/*]))+")
NOTE = re.compile(rf"^// *{MARK}([^\n]*)", re.MULTILINE)


def parse_bif(text: Text, name: str = "bif") -> Factors:
    """The Bayesian network in a BIF file.

    Parameters
    ----------
    text
        The file.
    name
        Name of the model, unless the file says it.

    Returns
    -------
    Factors
        One table per variable, axes (parents in order, child), entries as they are, also where
        they do not sum to 1. States are strings in the order of the file, unless a note says
        more.

    Raises
    ------
    FormatError
        By line and column: for anything that is not BIF, an unknown variable or state, a wrong
        number of states or entries, a distribution or row that is missing or given twice.

    Examples
    --------
    >>> coin = '''network coins { }
    ... variable bias { type discrete [ 2 ] { fair, loaded }; }
    ... variable coin { type discrete [ 2 ] { heads, tails }; }
    ... probability ( bias ) { table 0.9, 0.1; }
    ... probability ( coin | bias ) { (fair) 0.5, 0.5; (loaded) 0.8, 0.2; }'''
    >>> graph = parse_bif(Text(coin, "coins.bif"))
    >>> graph.name, list(graph.nodes), graph.factors[1].table.tolist()
    ('coins', ['bias', 'coin'], [[0.5, 0.5], [0.8, 0.2]])
    """
    reader = Reader(text, text.blanked(COMMENT), name)
    while reader.block():
        pass
    found = reader.scopes()
    factors = [Distribution(reader, found[child]).factor() for child in reader.states]
    circle = cycle({str(factor.child): parents(factor) for factor in factors})
    if circle:
        raise text.error(f"the parents form the cycle {' -> '.join([*circle, circle[0]])}.")
    nodes = {child: Node(list(states)) for child, states in reader.states.items()}
    graph = Factors(reader.name, nodes, tuple(factors))
    return apply_note(graph, read_note(text, NOTE), text.path)


def format_bif(graph: Factors) -> str:
    """A Bayesian network as a BIF file.

    Parameters
    ----------
    graph
        A model whose factors are one conditional distribution for each variable.

    Returns
    -------
    str
        Entries as the shortest decimals that are read back bit for bit. Names of variables and
        states that other programs may not accept become safe ones; the true ones, and numeric
        state values, stand in a comment.

    Raises
    ------
    FormatError
        If tables are free, or the model is no Bayesian network.
    """
    found = require_network(graph, "BIF")
    called = written(graph, VARIABLE, STATE)
    names, states = called.names, called.states
    lines = [f"// {called.note}"] if called.note else []
    lines.append(f"network {called.title} {{\n}}")
    for name, listed in states.items():
        lines.append(
            f"variable {names[name]} {{\n"
            f"  type discrete [ {len(listed)} ] {{ {', '.join(listed)} }};\n}}"
        )
    for child, factor in found.items():
        above = parents(factor)
        given = f" | {', '.join(names[parent] for parent in above)}" if above else ""
        lines.append(f"probability ( {names[child]}{given} ) {{")
        rows = child_last(factor).reshape(-1, len(states[child])).tolist()
        for place, row in zip(product(*(states[parent] for parent in above)), rows, strict=True):
            head = f"({', '.join(place)})" if above else "table"
            lines.append(f"  {head} {', '.join(map(repr, row))};")
        lines.append("}")
    return "\n".join(lines) + "\n"
