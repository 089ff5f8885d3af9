"""One declared class of variables as a JSON record and arrays, and back."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ghmpp._arrays import AnyArray
from ghmpp.errors import FormatError
from ghmpp.models.declaration import Declaration
from ghmpp.models.expressions import Symbol
from ghmpp.models.formulas import Json, decode, encode
from ghmpp.models.model import Model
from ghmpp.models.potentials import ChildOf, ParentOf, PotentialLike, Stack
from ghmpp.models.states import StatesLike
from ghmpp.models.variable import Variable


def write_class(declared: Declaration, place: str, arrays: dict[str, AnyArray]) -> Json:
    """The record of a class.

    Parameters
    ----------
    declared
        The class.
    place
        Prefix for the names of its arrays.
    arrays
        Receives its arrays: float64 or int64, never objects.

    Raises
    ------
    FormatError
        If a state name or a formula cannot be written.
    """

    def stored(what: str, array: AnyArray | None) -> Json:
        if array is None:
            return None
        arrays[f"{place}.{what}"] = array
        return f"{place}.{what}"

    def stack(what: str, given: Stack | None) -> Json:
        if given is None:
            return None
        if given.entries.dtype != object:
            return {"kind": given.kind, "array": stored(what, given.entries)}
        formulas, index = _distinct(given.entries)
        return {"kind": given.kind, "formulas": formulas, "array": stored(what, index)}

    return {
        "name": declared.name,
        "parent": declared.parent,
        "count": declared.count,
        "chain": declared.nodes if declared.chain else None,
        "states": _write_states(declared),
        "values": stored("values", declared.space.values),
        "potential": stack("potential", declared.potential),
        "prior": stack("prior", declared.prior),
        "order": stored("order", declared.order),
        "hidden": declared.hidden,
        "free_prior": declared.free_prior,
        "scope": list(declared.scope),
        "child": declared.child,
        "untied": declared.untied,
        "member": None if declared.member is None else list(declared.member),
    }


def read_class(
    model: Model,
    record: Mapping[str, Any],
    arrays: Mapping[str, AnyArray],
    symbols: Mapping[str, Symbol],
) -> None:
    """Declare the class of a record; all checks of a declaration by hand apply.

    Raises
    ------
    FormatError, ModelError, LookupError, TypeError, ValueError
        If the record is not one that :func:`write_class` wrote.
    """
    name, states = record["name"], _read_states(record)
    values = None if record["values"] is None else arrays[record["values"]]
    potential = _read_potential(record["potential"], arrays, symbols)
    prior = None if record["prior"] is None else _entries(record["prior"], arrays, symbols)
    if record["chain"] is not None:
        length = record["chain"]
        model.chain(name, length, states, potential=potential, prior=prior, values=values)
    elif record["parent"] is None:
        model.root(name, states, prior=prior, values=values)
    else:
        Variable(model, record["parent"]).children(
            name,
            record["count"],
            states,
            potential=potential,
            prior=prior,
            values=values,
            order=None if record["order"] is None else arrays[record["order"]],
        )
    member = record.get("member")
    declared = replace(
        model.declarations[name],
        hidden=bool(record.get("hidden", False)),
        free_prior=bool(record.get("free_prior", False)) and prior is None,
        scope=tuple(map(str, record.get("scope", ()))),
        child=str(record.get("child", "")),
        untied=bool(record.get("untied", False)),
        member=None if member is None else (str(member[0]), int(member[1])),
    )
    model.add(declared)


def _distinct(entries: AnyArray) -> tuple[list[Json], AnyArray]:
    """Each different exact entry once, and where it stands."""
    position = {entry: k for k, entry in enumerate(dict.fromkeys(entries.flat))}
    index = np.array([position[entry] for entry in entries.flat], dtype=np.int64)
    return [encode(entry) for entry in position], index.reshape(entries.shape)


def _entries(
    record: Mapping[str, Any], arrays: Mapping[str, AnyArray], symbols: Mapping[str, Symbol]
) -> AnyArray:
    """Entries of a stack, as exact as they were."""
    array = arrays[record["array"]]
    if "formulas" not in record:
        return array
    formulas = np.empty(len(record["formulas"]), dtype=object)
    formulas[:] = [decode(tree, symbols) for tree in record["formulas"]]
    entries: AnyArray = formulas[array]
    return entries


def _read_potential(
    record: Mapping[str, Any] | None,
    arrays: Mapping[str, AnyArray],
    symbols: Mapping[str, Symbol],
) -> PotentialLike | None:
    """A potential as a user declares it."""
    if record is None:
        return None
    entries = _entries(record, arrays, symbols)
    match record["kind"]:
        case "table":
            return entries
        case "child_of":
            return ChildOf(entries)
        case "parent_of":
            return ParentOf(entries)
    raise FormatError(f"unknown kind of potential {record['kind']!r}.")


def _read_states(record: Mapping[str, Any]) -> StatesLike:
    """States as a user declares them: their number where they are 0, 1, ... without values."""
    if isinstance(record["states"], int):
        return record["states"]
    names = [read_name(name) for name in record["states"]]
    counted = all(type(name) is int and name == k for k, name in enumerate(names))
    return len(names) if counted and record["values"] is None else names


def _write_states(declared: Declaration) -> Json:
    """The number of states where they are called 0, 1, ...; else their names."""
    names = declared.space.names
    if isinstance(names, range) and names == range(len(names)):
        return len(names)
    return [write_name(name, declared.name) for name in names]


def write_name(name: Hashable, variable: str) -> Json:
    """A state name; a tuple becomes a record, so that it comes back as a tuple."""
    match name:
        case tuple():
            return {"tuple": [write_name(item, variable) for item in name]}
        case None | bool() | int() | float() | str() if type(name) in _PLAIN:
            return name
    raise FormatError(
        f"{variable}: state {name!r} of type {type(name).__name__} cannot be saved; state names "
        "in files are str, int, float, bool, None or tuples of these."
    )


def read_name(name: Any) -> Hashable:
    """The state name that :func:`write_name` wrote."""
    if isinstance(name, dict):
        return tuple(read_name(item) for item in name["tuple"])
    result: Hashable = name
    return result


_PLAIN = (type(None), bool, int, float, str)  # not their subclasses, such as enumerations
