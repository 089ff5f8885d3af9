"""Junction trees: any discrete model as a forest of cliques, linked by index maps.

A triangulation (:mod:`ghmpp.models.triangulation`) gives cliques of variables that form a tree.
Each clique becomes a hidden class whose states are the joint states of its variables, and so does
each separator between cliques:

    clique -ChildOf-> separator -ParentOf-> clique below

The user's variables and the factors hang off the smallest of these classes that contains them, by
``ChildOf``. A factor is a hidden *family* class whose unary is its table, so that its posterior is
the expected count of EM. Everything else (evidence, posteriors, log evidence, the most probable
configuration, samples) is what any forest has.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Literal

import numpy as np

from ghmpp._arrays import AnyArray, IntArray, read_only
from ghmpp._memory import bytes_text, physical_memory
from ghmpp.errors import ConversionError, TreewidthError
from ghmpp.models.declaration import Declaration, check_name
from ghmpp.models.factors import Factor, Factors, free_priors, products, transposed, unary_tables
from ghmpp.models.model import Model
from ghmpp.models.potentials import PriorLike, Stack
from ghmpp.models.rooting import shortened
from ghmpp.models.states import StateSpace, read_states
from ghmpp.models.tables import with_prior
from ghmpp.models.triangulation import Clique, Heuristic, junction_forest, largest, width

INDEX_BYTES = ENTRY_BYTES = 8
# An index map is kept by the model and by the network.
INDEX_COPIES = 2
# Arrays of the size of a clique that are alive at one time: what a run keeps of each clique
# between its two passes, and what it needs for the largest while it works on it.
KEPT, WORKING = 3, 4


def junction_model(
    graph: Factors,
    *,
    together: Collection[tuple[str, ...]] = (),
    heuristic: Heuristic = "best",
    max_memory: int | None = None,
    root: str | None = None,
) -> Model:
    """A model whose hidden classes are the cliques, separators and families of a junction tree.

    Parameters
    ----------
    graph
        Any discrete model. Only factors that are distributions of a ``child`` may have no table:
        they are learned later. Others on the same variables are multiplied.
    together
        Sets of variables whose joint posterior will be asked: each gets a hidden class
        "set a, b", whose joint states have the axes in this order.
    heuristic
        How to triangulate, see :func:`ghmpp.models.triangulation.junction_forest`.
    max_memory
        Bytes that cliques may take when one row is run; None = the machine's physical memory.
    root
        A variable to be in the root clique of its tree; None = the tree's centre.

    Returns
    -------
    Model
        Its visible classes are the variables, in the order of ``graph``. ``print(model)`` tells
        the width and the largest clique.

    Raises
    ------
    ModelError
        If states, tables or names are wrong.
    ConversionError
        If a factor or set names unknown variables or one twice, has a table of another shape or
        none.
    TreewidthError
        If the cliques do not fit into memory; nothing of their size has been made then.

    Examples
    --------
    >>> from ghmpp.models.factors import Factor, Factors, Node
    >>> near = np.array([[2.0, 1.0], [1.0, 2.0]])
    >>> pairs = [("a", "b"), ("b", "c"), ("c", "d"), ("d", "a")]
    >>> ring = Factors("ring", {v: Node(2) for v in "abcd"}, tuple(Factor(p, near) for p in pairs))
    >>> junction_model(ring)
    Model 'ring': 4 classes, 4 variables, treewidth 2, largest clique (b, c, d) with 8 states
      a  1 node  2 states  1 per clique 1, child_of
      b  1 node  2 states  1 per separator 1, child_of
      c  1 node  2 states  1 per clique 0, child_of
      d  1 node  2 states  1 per separator 1, child_of
    """
    spaces = {
        name: read_states(node.states, node.values, f"variable {name!r}")
        for name, node in graph.nodes.items()
    }
    for name in spaces:
        check_name(name, {}, None)
    if not spaces:
        raise ConversionError(f"model {graph.name!r} has no variables.")
    sizes = {name: len(space) for name, space in spaces.items()}
    for factor in graph.factors:
        check_factor(factor, sizes)
    sets = tuple(dict.fromkeys(tuple(names) for names in together))
    for names in sets:
        _check_scope(names, sizes, "together")
    joint = _merged(graph)
    scopes = [factor.variables for factor in joint] + list(sets)
    cliques = junction_forest(sizes, scopes, heuristic=heuristic, root=root)
    free = free_priors(graph)
    plan = _Plan(sizes)
    plan.add_cliques(cliques)
    plan.add_factors(joint)
    for names in sets:
        plan.hang(_Helper(plan.free_name(f"set {', '.join(names)}"), names))
    for name in sizes:
        plan.hang(_Helper(name, (name,), child=name if name in free else "", hidden=False))
    _require_memory(graph.name, plan, cliques, max_memory)
    unaries = unary_tables(graph)
    declared = (plan.declare(h, spaces, unaries) for h in plan.helpers.values())
    return Model.from_declarations(graph.name, declared)


def check_factor(factor: Factor, sizes: Mapping[str, int]) -> None:
    """Refuse a factor whose scope or table does not fit the variables.

    Raises
    ------
    ConversionError
        Naming the factor, and what is wrong with it.
    """
    place = f"factor over ({shortened(factor.variables)})"
    _check_scope(factor.variables, sizes, place)
    if factor.table is None and factor.child is None:
        raise ConversionError(
            f"{place}: has no table; outside of trees only conditional probabilities can be left "
            "to be learned, so say which variable it is a distribution of, or give it a table."
        )
    expected = tuple(sizes[name] for name in factor.variables)
    if factor.table is not None and np.shape(factor.table) != expected:
        raise ConversionError(
            f"{place}: its table must have one axis per variable, shape {expected}, got "
            f"{np.shape(factor.table)}."
        )


def _check_scope(scope: Sequence[str], sizes: Mapping[str, int], place: str) -> None:
    for name in scope:
        if name not in sizes:
            raise ConversionError(
                f"{place}: unknown variable {name!r}; the variables are: {shortened(sizes)}."
            )
    if len(set(scope)) < len(scope):
        raise ConversionError(f"{place}: names a variable twice: {', '.join(scope)}.")


def _merged(graph: Factors) -> list[Factor]:
    """Factors of two variables or more: CPDs with the child's axis last, the others multiplied."""
    joint = [factor for factor in graph.factors if len(factor.variables) > 1]
    found = []
    for factor in joint:
        if factor.child is not None:
            scope = (*(name for name in factor.variables if name != factor.child), factor.child)
            found.append(Factor(scope, transposed(factor, scope), factor.child))
    undirected = products(factor for factor in joint if factor.child is None)
    return found + [Factor(scope, table) for scope, table in undirected.items()]


@dataclass(frozen=True, slots=True)
class _Helper:
    """A class to be. One with a ``child`` and no table has one that is learned later."""

    name: str
    scope: tuple[str, ...]
    parent: str | None = None
    kind: Literal["child_of", "parent_of"] = "child_of"
    table: AnyArray | None = None
    child: str = ""
    hidden: bool = True


@dataclass
class _Plan:
    """Classes by name, parents first, and the cliques and separators that hold each variable."""

    sizes: Mapping[str, int]
    helpers: dict[str, _Helper] = field(default_factory=dict)
    holding: dict[str, list[str]] = field(default_factory=dict)

    def states(self, name: str) -> int:
        """Joint states of a class."""
        return prod(self.sizes[variable] for variable in self.helpers[name].scope)

    def free_name(self, name: str) -> str:
        """A name that no variable and no class has."""
        while name in self.sizes or name in self.helpers:
            name += "'"
        return name

    def add_cliques(self, cliques: Sequence[Clique]) -> None:
        """A class per clique and per separator; equal separators below one clique are one."""
        names: list[str] = []
        separators: dict[tuple[str, tuple[str, ...]], str] = {}
        for number, clique in enumerate(cliques):
            above = None
            if clique.parent is not None:
                at = names[clique.parent], clique.separator
                if at not in separators:
                    separators[at] = self.free_name(f"separator {number}")
                    self._hold(_Helper(separators[at], clique.separator, at[0]))
                above = separators[at]
            names.append(self.free_name(f"clique {number}"))
            self._hold(_Helper(names[-1], clique.variables, above, "parent_of"))

    def _hold(self, helper: _Helper) -> None:
        self.helpers[helper.name] = helper
        for variable in helper.scope:
            self.holding.setdefault(variable, []).append(helper.name)

    def add_factors(self, factors: Sequence[Factor]) -> None:
        """A family per factor."""
        for number, factor in enumerate(factors):
            name = f"family {factor.child}" if factor.child else f"factor {number}"
            table = None if factor.table is None else np.asarray(factor.table).reshape(-1)
            child = factor.child or ""
            scope = factor.variables
            self.hang(_Helper(self.free_name(name), scope, table=table, child=child))

    def hang(self, helper: _Helper) -> None:
        """A class below the smallest clique or separator that has its variables."""
        fewest = min((self.holding[variable] for variable in helper.scope), key=len)
        needed = set(helper.scope)
        homes = [name for name in fewest if needed.issubset(self.helpers[name].scope)]
        parent = min(homes, key=self.states)
        self.helpers[helper.name] = replace(helper, parent=parent)

    def index_sizes(self) -> Iterator[int]:
        """Entries of all index maps."""
        for helper in self.helpers.values():
            if helper.parent is not None:
                larger = helper.name if helper.kind == "parent_of" else helper.parent
                yield self.states(larger)

    def declare(
        self,
        helper: _Helper,
        spaces: Mapping[str, StateSpace],
        unaries: Mapping[str, PriorLike | None],
    ) -> Declaration:
        """The declaration of a class."""
        name, potential = helper.name, None
        if helper.parent is not None:
            scopes = self.helpers[helper.parent].scope, helper.scope
            whole, part = scopes if helper.kind == "child_of" else scopes[::-1]
            index = projection({v: self.sizes[v] for v in whole}, part)
            potential = Stack(helper.kind, read_only(index[None]))
        if not helper.hidden:
            declared = Declaration(name, spaces[name], helper.parent, potential=potential)
            declared = replace(declared, free_prior=bool(helper.child))
            return with_prior(declared, unaries[name])
        space = StateSpace(range(self.states(name)), None)
        declared = Declaration(name, space, helper.parent, potential=potential)
        declared = replace(declared, hidden=True, scope=helper.scope, child=helper.child)
        declared = replace(declared, free_prior=bool(helper.child))
        return with_prior(declared, helper.table)


def projection(sizes: Mapping[str, int], onto: Sequence[str]) -> IntArray:
    """Joint state of some of the variables for each joint state of all: (joint states,).

    Joint states are numbered in C order, the last variable fastest.

    Parameters
    ----------
    sizes
        Number of states of all variables, in order.
    onto
        The variables that are kept, in their own order.

    Examples
    --------
    >>> projection({"a": 2, "b": 3}, ["a"])
    array([0, 0, 0, 1, 1, 1])
    >>> projection({"a": 2, "b": 3}, ["b", "a"])
    array([0, 2, 4, 1, 3, 5])
    """
    names = list(sizes)
    index: IntArray = np.zeros((1,) * len(names), dtype=np.int64)
    stride = 1
    for name in reversed(onto):
        axis = np.arange(sizes[name]) * stride
        shape = [1] * len(names)
        shape[names.index(name)] = len(axis)
        index = index + axis.reshape(shape)
        stride *= sizes[name]
    return np.broadcast_to(index, tuple(sizes.values())).reshape(-1)


def _require_memory(
    name: str, plan: _Plan, cliques: Sequence[Clique], max_memory: int | None
) -> None:
    """Refuse cliques that do not fit into memory, before any of them is made."""
    limit = physical_memory() if max_memory is None else max_memory
    entries = [clique.states for clique in cliques]
    needed = INDEX_COPIES * INDEX_BYTES * sum(plan.index_sizes())
    needed += ENTRY_BYTES * (KEPT * sum(entries) + WORKING * max(entries))
    if limit is None or needed <= limit:
        return
    source = "the machine's physical memory" if max_memory is None else "max_memory"
    raise TreewidthError(
        f"model {name!r}: treewidth {width(cliques)}; its cliques need about "
        f"{bytes_text(needed)}, but the limit is {bytes_text(limit)} ({source}); remove factors, "
        f"merge states, or raise max_memory; largest cliques: {largest(cliques)}."
    )
