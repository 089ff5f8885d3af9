"""XMLBIF: a Bayesian network as XML.

``VARIABLE`` elements with a ``NAME`` and one ``OUTCOME`` per state; ``DEFINITION`` elements with
``FOR`` (the child), ``GIVEN`` (the parents) and ``TABLE``, whose last index, that of the child,
changes fastest.

pgmpy's writer is no substitute: it makes one state of "<7.5" and ">=7.5"; and its reader knows
no positions and checks no counts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import prod
from xml.sax.saxutils import escape

from ghmpp.errors import FormatError
from ghmpp.models.factors import Factor, Factors, Node
from ghmpp.models.formats.elements import Element, parse_xml
from ghmpp.models.formats.network import child_last, cycle, parents, require_network
from ghmpp.models.formats.notes import MARK, apply_note, load_note, written
from ghmpp.models.formats.numbers import first_strange, parse_floats
from ghmpp.models.formats.text import shown
from ghmpp.models.rooting import shortened

LARGEST_SCOPE = 64  # axes of an array
# XML keeps neither control characters nor white space at the ends.
NAME = re.compile(r"(?!\s)[^\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]+(?<!\s)")
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<BIF VERSION="0.3">\n<NETWORK>\n'


def parse_xmlbif(data: bytes, path: str, name: str = "xmlbif") -> Factors:
    """The Bayesian network in an XMLBIF file.

    Parameters
    ----------
    data
        The bytes of the file; its XML head may name their encoding.
    path
        Name of the file, for messages.
    name
        Name of the model, unless the file says it.

    Returns
    -------
    Factors
        One table per variable, axes (parents in order, child), entries as they are. States are
        strings in the order of the file, unless a note says more.

    Raises
    ------
    FormatError
        By line and column: for anything that is not XMLBIF, an unknown variable, a wrong number
        of entries, a definition that is missing or given twice.

    Examples
    --------
    >>> coin = b'''<BIF VERSION="0.3"><NETWORK><NAME>coin</NAME>
    ... <VARIABLE TYPE="nature"><NAME>coin</NAME><OUTCOME>heads</OUTCOME><OUTCOME>tails</OUTCOME>
    ... </VARIABLE><DEFINITION><FOR>coin</FOR><TABLE>0.5 0.5</TABLE></DEFINITION>
    ... </NETWORK></BIF>'''
    >>> graph = parse_xmlbif(coin, "coin.xml")
    >>> graph.nodes["coin"].states, graph.factors[0].table
    (['heads', 'tails'], array([0.5, 0.5]))
    """
    root = parse_xml(data, path)
    network = root.only("NETWORK") if root.tag == "BIF" else None
    if network is None:
        raise root.error(f"expected BIF with a NETWORK inside, got {root.tag}; this is no XMLBIF.")
    title = network.first("NAME")
    states = _variables(network)
    found: dict[str, Factor] = {}
    for item in network.all("DEFINITION"):
        factor = _definition(item, states)
        if factor.variables[-1] in found:
            raise item.error(f"a second definition of {factor.variables[-1]!r}.")
        found[factor.variables[-1]] = factor
    missing = [child for child in states if child not in found]
    if missing:
        raise network.error(f"no DEFINITION for: {shortened(missing)}.")
    circle = cycle({child: parents(factor) for child, factor in found.items()})
    if circle:
        raise network.error(f"the parents form the cycle {' -> '.join([*circle, circle[0]])}.")
    nodes = {child: Node(listed) for child, listed in states.items()}
    called = title.text if title and title.text else name
    graph = Factors(called, nodes, tuple(found[child] for child in states))
    notes = [item for item in network.all("PROPERTY") if item.text.startswith(MARK)]
    return apply_note(graph, _note(notes), path)


def format_xmlbif(graph: Factors) -> str:
    """A Bayesian network as an XMLBIF file.

    Parameters
    ----------
    graph
        A model whose factors are one conditional distribution for each variable.

    Returns
    -------
    str
        Entries as the shortest decimals that are read back bit for bit. What XMLBIF cannot say
        of names, states and values stands in a property of the network.

    Raises
    ------
    FormatError
        If tables are free, or the model is no Bayesian network.
    """
    found = require_network(graph, "XMLBIF")
    called = written(graph, NAME, NAME)
    names, states = called.names, called.states
    lines = [_element("NAME", called.title)]
    lines += [_element("PROPERTY", called.note)] if called.note else []
    for name, listed in states.items():
        outcomes = "".join(f"  {_element('OUTCOME', state)}\n" for state in listed)
        lines.append(
            f'<VARIABLE TYPE="nature">\n  {_element("NAME", names[name])}\n{outcomes}</VARIABLE>'
        )
    for child, factor in found.items():
        given = "".join(f"  {_element('GIVEN', names[name])}\n" for name in parents(factor))
        rows = child_last(factor).reshape(-1, len(states[child])).tolist()
        table = "\n    ".join(" ".join(map(repr, row)) for row in rows)
        lines.append(
            f"<DEFINITION>\n  {_element('FOR', names[child])}\n{given}"
            f"  <TABLE>\n    {table}\n  </TABLE>\n</DEFINITION>"
        )
    return HEAD + "\n".join(lines) + "\n</NETWORK>\n</BIF>\n"


def _variables(network: Element) -> dict[str, list[str]]:
    """The states of each variable, by name."""
    found: dict[str, list[str]] = {}
    for item in network.all("VARIABLE"):
        name = item.only("NAME").text
        if item.attributes.get("TYPE", "nature") != "nature":
            raise item.error(
                f"variable {name!r} has the type {item.attributes['TYPE']!r}; expected nature."
            )
        states = [outcome.text for outcome in item.all("OUTCOME")]
        if not name or name in found:
            raise item.error(f"a second variable {name!r}." if name else "a variable has no name.")
        if not states or len(set(states)) < len(states):
            problem = "two outcomes are equal" if states else "has no OUTCOME"
            raise item.error(f"variable {name!r}: {problem}.")
        found[name] = states
    if not found:
        raise network.error("the network has no VARIABLE.")
    return found


def _definition(item: Element, states: dict[str, list[str]]) -> Factor:
    """The distribution of one variable, axes (parents, child)."""
    child = item.only("FOR")
    scope = [*item.all("GIVEN"), child]
    for name in scope:
        if name.text not in states:
            raise name.error(f"no variable {name.text!r}; the variables are: {shortened(states)}.")
    names = tuple(name.text for name in scope)
    if len(set(names)) < len(names) or len(names) > LARGEST_SCOPE:
        raise item.error(
            f"definition of {child.text!r}: a variable stands twice, or there are more than "
            f"{LARGEST_SCOPE}."
        )
    table, shape = item.only("TABLE"), [len(states[name]) for name in names]
    numbers = parse_floats(table.text)
    if numbers is None:
        raise table.error(
            f"definition of {child.text!r}: expected finite decimal numbers, got "
            f"{shown(first_strange(table.text)[0])}."
        )
    if len(numbers) != prod(shape) or (numbers < 0).any():
        raise table.error(
            f"definition of {child.text!r}: expected {prod(shape)} numbers >= 0 for "
            f"{' x '.join(map(str, shape))} states, got {len(numbers)}"
            + (f" with {numbers.min():g} among them." if len(numbers) else ".")
        )
    return Factor(names, numbers.reshape(shape), child.text)


def _note(notes: Sequence[Element]) -> dict[str, object]:
    """The note among the properties."""
    if not notes:
        return {}
    try:
        return load_note(notes[0].text.removeprefix(MARK))
    except FormatError as error:
        raise notes[0].error(str(error)) from error


def _element(tag: str, text: str) -> str:
    return f"<{tag}>{escape(text)}</{tag}>"
