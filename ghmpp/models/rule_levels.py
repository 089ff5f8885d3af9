"""Levels of joint rules in a declared model: a hidden class of rules between two levels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ghmpp._arrays import read_only
from ghmpp.models.declaration import Declaration
from ghmpp.models.potentials import Stack
from ghmpp.models.rules import Rules, RulesLike, read_rules
from ghmpp.models.states import StateSpace
from ghmpp.models.tables import with_prior


def rule_name(name: str) -> str:
    """Name of the hidden class of the rules that write the class ``name``."""
    return f"{name} rule"


def with_rules(
    declared: Declaration, above: Declaration, rules: RulesLike
) -> tuple[Declaration, Declaration]:
    """A level of joint rules: the hidden class of the rules, and the class below it.

    Parameters
    ----------
    declared
        The class that the rules write, as declared below ``above``.
    above
        The class of the parents.
    rules
        As declared.

    Raises
    ------
    ModelError
        If the rules are wrong.
    """
    place = f"rules of {above.name!r} -> {declared.name!r}"
    found = read_rules(rules, place, parent=above.space, child=declared.space, ranks=declared.count)
    helper = Declaration(
        rule_name(declared.name),
        StateSpace(range(len(found)), None),
        above.name,
        nodes=above.nodes,
        levels=above.levels,
        potential=Stack("parent_of", read_only(found.parent[None])),
        hidden=True,
        free_prior=found.weights is None,
    )
    maps = read_only(np.ascontiguousarray(found.children.T))
    below = replace(declared, parent=helper.name, potential=Stack("child_of", maps))
    return with_prior(helper, found.weights), below


def rule_levels(declarations: Mapping[str, Declaration]) -> dict[str, Rules]:
    """The rules of all levels that have some, by name of the class that they write."""
    found: dict[str, Rules] = {}
    for name, declared in declarations.items():
        helper = declarations.get(declared.parent or "")
        if helper is not None and helper.name == rule_name(name) and helper.hidden:
            found[name] = _rules(helper, declared)
    return found


def _rules(helper: Declaration, declared: Declaration) -> Rules:
    """The rules that a hidden class and the class below it stand for."""
    assert helper.potential is not None
    assert declared.potential is not None
    parent, maps = helper.potential.entries[0], declared.potential.entries
    children = np.broadcast_to(maps, (declared.count, len(parent))).T
    if helper.prior is not None:
        return Rules(parent, children, helper.prior.entries[0])
    return Rules(parent, children, None if helper.free_prior else np.ones(len(parent)))
