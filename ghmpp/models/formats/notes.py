"""What a format cannot say, kept in one line of JSON that other programs take for a comment.

A note has the name of the model, and for every variable whose description in the file is not the
whole truth, by its name in the file: its ``name``, ``states`` and numeric ``values``. So names
with spaces, states that are tuples, and state values survive formats that know none of these.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ghmpp.errors import FormatError
from ghmpp.models.factors import Factors, Node
from ghmpp.models.formats.text import Text
from ghmpp.models.formulas import Json
from ghmpp.models.records import read_name, write_name
from ghmpp.models.states import StatesLike, read_states

MARK = "ghmpp:"


def write_note(
    graph: Factors, written: Mapping[str, tuple[str, StatesLike]], called: str | None = None
) -> str:
    """The note on a model, one line that starts with "ghmpp:"; empty if nothing is to be said.

    Parameters
    ----------
    graph
        The model.
    written
        What the file says of each variable: its name there, and its states there.
    called
        What the file calls the model; None = nothing.

    Raises
    ------
    FormatError
        If a state name is no str, int, float, bool, None or tuple of these.
    """
    variables: dict[str, Json] = {}
    for name, (known, states) in written.items():
        record: dict[str, Json] = {}
        truth, values = plain_states(graph.nodes[name], name)
        if name != known:
            record["name"] = name
        if not _same(truth, states):
            record["states"] = (
                truth if isinstance(truth, int) else [write_name(state, name) for state in truth]
            )
        if values is not None:
            record["values"] = [*values]
        if record:
            variables[known] = record
    note: dict[str, Json] = {} if graph.name == called else {"name": graph.name}
    if variables:
        note["variables"] = variables
    # ASCII only, so that no line separator of Unicode can end the line.
    return f"{MARK} {json.dumps(note)}" if note else ""


def read_note(text: Text, pattern: re.Pattern[str]) -> Mapping[str, Any]:
    """The first note in a text; empty if there is none.

    Parameters
    ----------
    text
        The file.
    pattern
        Finds a comment in it; its first group is the line after the mark.

    Raises
    ------
    FormatError
        If the note is broken.
    """
    found = pattern.search(text.content)
    if found is None:
        return {}
    try:
        return load_note(found[1])
    except FormatError as error:
        raise text.error(str(error), found.start(1)) from error


def load_note(line: str) -> dict[str, Any]:
    """The note after its mark.

    Raises
    ------
    FormatError
        If it is broken.
    """
    try:
        note = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"the note is broken ({error}); {_CURE}") from error
    if not isinstance(note, dict) or not isinstance(note.get("variables", {}), dict):
        raise FormatError(f"the note is broken (it is no record); {_CURE}")
    return note


def apply_note(graph: Factors, note: Mapping[str, Any], path: str) -> Factors:
    """The model with the names, states and values of the note in its file.

    Raises
    ------
    FormatError
        If the note does not fit the model.
    """
    names = {name: name for name in graph.nodes}
    nodes = dict(graph.nodes)
    try:
        for known, record in note.get("variables", {}).items():
            names[known] = record.get("name", known)
            if not isinstance(names[known], str) or not names[known]:
                raise ValueError(f"{names[known]!r} is no name")
            nodes[known] = _noted(nodes[known], record)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise FormatError(
            f"{path}: the note does not fit the file ({type(error).__name__}: {error}); {_CURE}",
            path=path,
        ) from error
    if len(set(names.values())) < len(names):
        raise FormatError(
            f"{path}: the note does not fit the file (two equal names); {_CURE}", path=path
        )
    factors = [
        replace(
            factor,
            variables=tuple(names[name] for name in factor.variables),
            child=None if factor.child is None else names[factor.child],
        )
        for factor in graph.factors
    ]
    renamed = {names[known]: node for known, node in nodes.items()}
    return Factors(str(note.get("name", graph.name)), renamed, tuple(factors))


@dataclass(frozen=True, slots=True)
class Written:
    """What a file calls a model, its variables and their states, and the note on the difference.

    Parameters
    ----------
    title
        Name of the model there.
    names, states
        By name of the variable: its name there, and the names of its states there.
    note
        One line; empty if nothing is to be said.
    """

    title: str
    names: Mapping[str, str]
    states: Mapping[str, list[str]]
    note: str


def written(graph: Factors, name: re.Pattern[str], state: re.Pattern[str]) -> Written:
    """Names for a file whose words must match ``name`` (models, variables) and ``state``.

    Raises
    ------
    FormatError
        As :func:`write_note`.
    """
    title = safe_names([graph.name], name)[0]
    names = dict(zip(graph.nodes, safe_names(graph.nodes, name), strict=True))
    states = {
        variable: safe_names(read_states(node.states, node.values, variable).names, state)
        for variable, node in graph.nodes.items()
    }
    told = {variable: (names[variable], states[variable]) for variable in names}
    return Written(title, names, states, write_note(graph, told, title))


def numbered_note(graph: Factors) -> str:
    """The note on a model in a file that calls its variables x0, x1, ... and states 0, 1, ...

    Raises
    ------
    FormatError
        As :func:`write_note`.
    """
    items = enumerate(graph.nodes.items())
    return write_note(graph, {n: (f"x{k}", count_states(node.states)) for k, (n, node) in items})


def safe_names(names: Iterable[object], pattern: re.Pattern[str]) -> list[str]:
    """A different word for each name: the name itself where the pattern matches all of it.

    Examples
    --------
    >>> safe_names(["a b", "a_b", 3], re.compile("[a-z_]+|x[0-9]"))
    ['a_b_1', 'a_b', 'x3']
    """
    given = [str(name) for name in names]
    kept = {name for name in given if pattern.fullmatch(name)}
    found: dict[str, None] = {}
    for name in given:
        safe = plain = name
        if name not in kept or name in found:
            plain = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "x"
            safe = plain = plain if pattern.fullmatch(plain) else f"x{plain}"
            count = 0
            while safe in kept or safe in found:
                count += 1
                safe = f"{plain}_{count}"
        found[safe] = None
    return list(found)


def plain_states(node: Node, name: str) -> tuple[int | Sequence[Hashable], list[float] | None]:
    """The states of a variable (their number where they are called 0, 1, ...), and its values.

    Values that already follow from numbers as state names are left out.
    """
    space = read_states(node.states, node.values, f"variable {name!r}")
    counted = all(type(state) is int and state == k for k, state in enumerate(space.names))
    if space.values is None and counted:
        return len(space), None
    implied = read_states(list(space.names), None, name).values
    if space.values is None or (implied is not None and np.array_equal(implied, space.values)):
        return list(space.names), None
    return list(space.names), [float(value) for value in space.values]


def count_states(states: StatesLike) -> int:
    """How many states there are."""
    return int(states) if isinstance(states, (int, np.integer)) else len(list(states))


def _noted(node: Node, record: Mapping[str, Any]) -> Node:
    """A variable with what its note says."""
    states: StatesLike = node.states
    values: ArrayLike | None = node.values
    if "states" in record:
        given = record["states"]
        states = given if isinstance(given, int) else [read_name(state) for state in given]
        if count_states(states) != count_states(node.states):
            raise ValueError(f"{given!r} are not {count_states(node.states)} states")
        values = None
    if "values" in record:
        values = [float(value) for value in record["values"]]
        if len(values) != count_states(node.states):
            raise ValueError(f"{values!r} are not {count_states(node.states)} values")
    read_states(states, values, "the note")  # refuses what is no state
    return Node(states, values, node.prior)


def _same(states: int | Sequence[Hashable], others: StatesLike) -> bool:
    """Whether two lists of states have the same names, of the same types."""
    if isinstance(states, int) or isinstance(others, (int, np.integer)):
        return type(states) is type(others) and states == others
    listed = list(others)
    return [*states] == listed and [type(s) for s in states] == [type(s) for s in listed]


_CURE = "delete its line to read the file without it."
