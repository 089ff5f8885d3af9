"""Tables that are one: learned stacks that a user ties to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp.errors import ModelError
from ghmpp.learning.em.learnable import Learnable
from ghmpp.models.rooting import shortened
from ghmpp.models.rule_levels import rule_name


class Look(NamedTuple):
    """What tables must have in common to be one."""

    axes: tuple[tuple[object, ...], ...]
    """States of the parents and of the variable itself."""
    ranks: int
    allowed: bytes
    """Which entries may be positive, and the rules that are weighed."""


def tied(parts: Learnable, tie: Mapping[str, str]) -> Learnable:
    """What is learned, with some of its tables tied.

    Parameters
    ----------
    parts
        What is learned.
    tie
        For names of variables, another whose table is also theirs: the tables of the edges above
        a class, the distribution of a variable given its parents, the weights of the rules that
        write a class, or the prior of a root.

    Raises
    ------
    ModelError
        If a name is unknown, its table is not learned, or tied tables differ in their states.
    """
    import networkx as nx

    known = _keys(parts)
    links: nx.Graph[str] = nx.Graph()
    for one, other in tie.items():
        for name in (one, other):
            if name not in known:
                raise ModelError(
                    f"tie: {name!r} has no table that is learned; those that have: "
                    f"{shortened(known)}."
                )
        looks = [_look(parts, name, known[name]) for name in (one, other)]
        if looks[0] != looks[1]:
            raise ModelError(
                f"tie: {one!r} cannot share the table of {other!r}: both need the same states, and "
                f"parents (or rules) with the same states in the same order; found "
                f"{_shown(looks[0])} and {_shown(looks[1])}."
            )
        links.add_edge(known[one], known[other])
    order = {key: place for place, key in enumerate(parts.tables)}
    found = [sorted(keys, key=order.__getitem__) for keys in nx.connected_components(links)]
    return replace(parts, ties={keys[0]: tuple(keys) for keys in found})


def added(parts: Learnable, counts: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Counts by the keys that stand for the learned tables; those of tied ones are added up."""
    return {
        key: np.sum([counts[each] for each in keys], axis=0) for key, keys in parts.shared.items()
    }


def spread(parts: Learnable, tables: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Tables of all keys, from those of the keys that stand for them."""
    return {each: tables[key] for key, keys in parts.shared.items() for each in keys}


def _keys(parts: Learnable) -> dict[str, str]:
    """Key of the learned table of each variable that has one."""
    declarations = parts.model.declarations
    families = {each.child: each.name for each in declarations.values() if each.child}
    found: dict[str, str] = {}
    for name in parts.model.variables:
        keys = (families.get(name, name), declarations[name].key, rule_name(name), name)
        learned = [key for key in keys if key in parts.tables]
        found.update({name: learned[0]} if learned else {})
    return found


def _look(parts: Learnable, name: str, key: str) -> Look:
    model, declared = parts.model, parts.model.declarations[name]
    scope: tuple[str, ...] = (name,)
    allowed = parts.tables[key].tobytes()
    if key == declared.key:
        scope = (declared.source or name, name)
    elif key != name:
        scope = model.declarations[key].scope
        if not scope:
            scope = (model.declarations[key].parent or name, name)
            rules = model.rules[name]
            allowed += rules.parent.tobytes() + rules.children.tobytes()
    axes = tuple(tuple(model.declarations[each].space.names) for each in scope)
    return Look(axes, declared.count, allowed)


def _shown(look: Look) -> str:
    """The states of the axes of a table in words."""
    return " x ".join(f"({shortened(axis)})" for axis in look.axes)
