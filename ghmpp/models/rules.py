"""Joint production rules: which tuples of children a parent may have, and with which weights.

A level of joint rules, ``psi(parent, child_1, ..., child_m)``, is a list of its positive entries.
In a model it becomes one hidden variable per parent whose states are the rules: the rule
determines the parent (``ParentOf``) and every child (``ChildOf``, one map per rank), and the
weights are its tied unary. So the cost is the number of rules, not the size of the joint table.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeGuard, cast

import numpy as np
from numpy.typing import ArrayLike

from ghmpp._arrays import AnyArray, IntArray, read_only
from ghmpp.errors import ModelError
from ghmpp.models.entries import check_exact_weights, check_weights, read_array
from ghmpp.models.states import StateSpace

PLACE = "rules"


@dataclass(frozen=True, eq=False, repr=False)
class Rules:
    """Weighted production rules of one level, in state indices.

    Parameters
    ----------
    parent
        Parent state of each rule, shape (rules,).
    children
        Child states of each rule, shape (rules, ranks).
    weights
        Weight of each rule, shape (rules,): linear, finite, >= 0, numbers or sympy expressions.
        They need not sum to 1 for each parent. None = free: ``P(rule | parent)``, learned later.

    Raises
    ------
    ModelError
        If shapes, indices or weights are wrong.

    Examples
    --------
    >>> rules = Rules([0, 0, 1], [[0, 1], [1, 0], [1, 1]], [0.7, 0.3, 1.0])
    >>> rules
    Rules: 3 rules, 2 children each
    >>> rules.to_table()[0]
    array([[0. , 0.7],
           [0.3, 0. ]])
    """

    parent: IntArray
    children: IntArray
    weights: AnyArray | None = None

    def __post_init__(self) -> None:
        parent, children = _indices(self.parent, "parent"), _indices(self.children, "children")
        if parent.ndim != 1 or children.ndim != 2 or len(parent) != len(children):
            raise ModelError(
                f"{PLACE}: parent must have shape (rules,) and children (rules, ranks), got "
                f"{parent.shape} and {children.shape}."
            )
        if children.size == 0:
            raise ModelError(f"{PLACE}: needs at least one rule with at least one child.")
        object.__setattr__(self, "parent", read_only(parent))
        object.__setattr__(self, "children", read_only(children))
        if self.weights is not None:
            object.__setattr__(self, "weights", read_only(_weights(self.weights, len(parent))))

    @classmethod
    def from_table(cls, table: ArrayLike | Sequence[object]) -> Rules:
        """The rules of a joint table: one for each entry that is not zero.

        Parameters
        ----------
        table
            Axes (parent state, state of child 1, ..., state of child m); linear, >= 0.

        Raises
        ------
        ModelError
            If it has fewer than two axes, or entries are wrong.

        Examples
        --------
        >>> Rules.from_table([[0.0, 1.0], [0.5, 0.5]]).children.ravel()
        array([1, 0, 1])
        """
        entries = read_array(table, PLACE)
        if entries.ndim < 2:
            raise ModelError(
                f"{PLACE}: a joint table has one axis for the parent and one for each child, got "
                f"shape {entries.shape}."
            )
        _check_joint(entries, PLACE)
        found = np.argwhere(entries != 0)
        return cls(found[:, 0], found[:, 1:], entries[tuple(found.T)])

    def to_table(
        self, parent_states: int | None = None, child_states: int | None = None
    ) -> AnyArray:
        """The joint table, shape (parent states, child states, ..., child states); repeats add.

        Numbers of states default to what the rules use.

        Raises
        ------
        ModelError
            If the weights are free, or a rule uses a state beyond the given numbers.
        """
        if self.weights is None:
            raise ModelError(f"{PLACE}: the weights are free, so there is no table yet; fit them.")
        parents = int(self.parent.max()) + 1 if parent_states is None else parent_states
        states = int(self.children.max()) + 1 if child_states is None else child_states
        self.check_states(parents, states)
        shape = (parents,) + (states,) * self.ranks
        table = np.zeros(shape, dtype=self.weights.dtype)
        np.add.at(table, (self.parent, *self.children.T), self.weights)
        return table

    def check_states(self, parents: int, states: int, place: str = PLACE) -> None:
        """Refuse rules that use states which there are not.

        Raises
        ------
        ModelError
            Naming the rule.
        """
        for what, used, limit in (
            ("parent", self.parent, parents),
            ("child", self.children, states),
        ):
            wrong = np.argwhere(used >= limit)
            if len(wrong):
                where = tuple(wrong[0])
                raise ModelError(
                    f"{place}: rule {where[0]} has the {what} state {used[where]}, but there are "
                    f"only the states 0..{limit - 1}."
                )

    def ordered(self) -> Rules:
        """The same rules, those of one parent next to each other; their order is kept."""
        order = np.argsort(self.parent, kind="stable")
        weights = None if self.weights is None else self.weights[order]
        return replace(
            self, parent=self.parent[order], children=self.children[order], weights=weights
        )

    @property
    def ranks(self) -> int:
        """Children per parent."""
        return int(self.children.shape[1])

    def __len__(self) -> int:
        return len(self.parent)

    def __iter__(self) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Parent state and child states of each rule."""
        for parent, children in zip(self.parent.tolist(), self.children.tolist(), strict=True):
            yield parent, tuple(children)

    def __repr__(self) -> str:
        free = ", weights free" if self.weights is None else ""
        children = f"{self.ranks} {'child' if self.ranks == 1 else 'children'} each"
        return f"Rules: {len(self)} {'rule' if len(self) == 1 else 'rules'}, {children}{free}"


RulesLike: TypeAlias = Rules | ArrayLike | Sequence[object]


def read_rules(
    rules: RulesLike, place: str, *, parent: StateSpace, child: StateSpace, ranks: int
) -> Rules:
    """Check declared rules; those of one parent come next to each other.

    Parameters
    ----------
    rules
        A record; a joint table; or a list of ``(parent, children)`` or ``(parent, children,
        weight)`` in state names (a weight that is not given is 1).
    place
        Where they were declared, for messages.
    parent, child
        States of the two levels.
    ranks
        Children per parent.

    Raises
    ------
    ModelError
        If shapes, names, indices or weights are wrong.
    """
    if isinstance(rules, Rules):
        found = rules
    elif is_rule_list(rules):
        found = _from_names(rules, place, parent, child)
    else:
        found = _from_array(rules, place, (len(parent), *[len(child)] * ranks))
    if found.ranks != ranks:
        raise ModelError(
            f"{place}: each parent has {ranks} children, but the rules have {found.ranks}."
        )
    found.check_states(len(parent), len(child), place)
    return found.ordered()


def is_rule_list(given: object) -> TypeGuard[Sequence[Sequence[object]]]:
    """Whether this is a list of rules by name: ``[(parent, (child, ...), weight), ...]``."""
    return (
        isinstance(given, (list, tuple))
        and len(given) > 0
        and all(
            isinstance(rule, (list, tuple))
            and len(rule) in (2, 3)
            and not isinstance(rule[0], (list, np.ndarray))
            and isinstance(rule[1], (list, tuple))
            for rule in given
        )
    )


def is_joint(given: object, parents: int, states: int, ranks: int) -> bool:
    """Whether this can only be rules: a record, a list of rules, or the shape of a joint table.

    The shape of one table per child rank is not taken for a joint table, nor are nested tuples
    taken for rules of parents whose states are tuples.
    """
    if isinstance(given, Rules):
        return True
    if is_rule_list(given) and not any(isinstance(rule[0], tuple) for rule in given):
        return True
    if not isinstance(given, (list, tuple, np.ndarray)):
        return False
    try:
        shape = np.shape(cast(ArrayLike, given))  # lists of anything, which may be ragged
    except ValueError:
        return False
    if len(shape) != 1 + ranks or ranks == 1:
        return False
    return shape == (parents, *[states] * ranks) and shape != (ranks, parents, states)


def _from_array(table: object, place: str, shape: tuple[int, ...]) -> Rules:
    entries = read_array(table, place)
    if entries.shape != shape:
        raise ModelError(
            f"{place}: a joint table must have shape {shape}, axes (parent states, states of child "
            f"1, ..., states of child {len(shape) - 1}), got {entries.shape}."
        )
    _check_joint(entries, place)
    return Rules.from_table(entries)


def _check_joint(entries: AnyArray, place: str) -> None:
    """Refuse entries that are no weights, naming the first by its states.

    Exact entries are few, and are checked rule by rule.
    """
    if entries.dtype != object:
        children = (f"child {rank}'s state" for rank in range(1, entries.ndim))
        check_weights(entries[None], place, ("table", "parent state", *children))


def _from_names(
    rules: Sequence[Sequence[object]], place: str, parent: StateSpace, child: StateSpace
) -> Rules:
    """Rules from names of states."""
    above = {name: i for i, name in enumerate(parent.names)}
    below = {name: i for i, name in enumerate(child.names)}
    parents, children, weights = [], [], []
    for number, rule in enumerate(rules):
        where = f"{place}, rule {number}"
        names = cast(Sequence[object], rule[1])
        parents.append(_state(rule[0], above, parent, where))
        children.append([_state(name, below, child, where) for name in names])
        weights.append(rule[2] if len(rule) == 3 else 1)
    if len(set(map(len, children))) > 1:
        raise ModelError(f"{place}: all rules of one level must have the same number of children.")
    checked = _weights(np.array(weights, dtype=object), len(weights), place)
    return Rules(np.array(parents), np.array(children), checked)


def _state(name: object, known: dict[Hashable, int], space: StateSpace, place: str) -> int:
    if not isinstance(name, Hashable) or name not in known:
        raise ModelError(f"{place}: unknown state {name!r}; known: {space.listed()}.")
    return known[name]


def _indices(given: object, what: str) -> IntArray:
    """State indices as int64."""
    try:
        array = np.array(given)
    except ValueError as error:
        raise ModelError(f"{PLACE}: {what} do not form an array: {error}.") from None
    if array.dtype.kind not in "iu" and array.size:
        raise ModelError(f"{PLACE}: {what} must be state indices, got dtype {array.dtype}.")
    if array.size and array.min() < 0:
        raise ModelError(f"{PLACE}: {what} must be state indices >= 0, found {array.min()}.")
    return array.astype(np.int64)


def _weights(given: object, rules: int, place: str = PLACE) -> AnyArray:
    """Weights, checked."""
    weights = read_array(given, f"{place}, weights")
    if weights.shape != (rules,):
        raise ModelError(
            f"{place}: weights must have shape ({rules},), one for each rule, got {weights.shape}."
        )
    if weights.dtype == object:
        check_exact_weights(weights[None], f"{place}, weights", ("", "rule"))
        return weights
    check_weights(weights[None], f"{place}, weights", ("", "rule"))
    return weights + 0.0  # -0.0 becomes 0.0
