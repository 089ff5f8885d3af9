"""The Random Hierarchy Model and its sparse form: random rules that never contradict each other."""

from __future__ import annotations

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp.errors import ModelError
from ghmpp.models.ghm import GHM
from ghmpp.models.model import Model
from ghmpp.models.rules import Rules
from ghmpp.models.zoo.checks import Seed, require_whole

# Tuples are numbered in int64; up to so many are listed to draw from them.
MOST_TUPLES = 2**62
MOST_LISTED = 2**20


def random_hierarchy(
    v: int, m: int, s: int, L: int, classes: int | None = None, *, seed: Seed = 0
) -> Model:
    """The Random Hierarchy Model (RHM): every symbol has m production rules, all different.

    A rule replaces a symbol by a tuple of s symbols of the next level. The rules of a level are
    drawn without replacement from all tuples, so that no two symbols share one: what is below
    a node tells its symbol. Each level has its own rules; the rules of a symbol are equally
    probable, and so are the classes at the root.

    Parameters
    ----------
    v
        Symbols of each level below the root, at least 2.
    m
        Rules (synonyms) of each symbol, at least 1, with ``m * v <= v**s``.
    s
        Children of each node, at least 1.
    L
        Levels below the root, at least 1; there are ``s**L`` leaves.
    classes
        States of the root, with ``m * classes <= v**s``; None = v.
    seed
        A seed or a generator.

    Returns
    -------
    Model
        Classes ``x0`` (the root) .. ``xL`` (the leaves).

    Raises
    ------
    ModelError
        If a number is too small, or there are fewer tuples than rules.

    References
    ----------
    .. [1] F. Cagnetta, L. Petrini, U. M. Tomasini, A. Favero, M. Wyart, How deep neural networks
       learn compositional data: the Random Hierarchy Model, Phys. Rev. X 14 (2024), 031001.

    Examples
    --------
    >>> model = random_hierarchy(v=4, m=2, s=2, L=3, seed=0)
    >>> {name: variable.nodes for name, variable in model.variables.items()}
    {'x0': 1, 'x1': 2, 'x2': 4, 'x3': 8}
    >>> model.rules["x1"]
    Rules: 8 rules, 2 children each
    """
    place = "random_hierarchy"
    require_whole(place, v=(v, 2), m=(m, 1), s=(s, 1), L=(L, 1))
    roots = v if classes is None else classes
    require_whole(place, classes=(roots, 1))
    rng = np.random.default_rng(seed)
    parents = [roots, *[v] * (L - 1)]
    rules = [unambiguous_rules(count, m, s, v, seed=rng, place=place) for count in parents]
    return GHM([*parents, v], (s,) * L, rules, name="random hierarchy")


def sparse_random_hierarchy(
    v: int, m: int, s: int, L: int, s0: int, classes: int | None = None, *, seed: Seed = 0
) -> Model:
    """The sparse Random Hierarchy Model (SRHM): rules as in the RHM, and where they show, chance.

    Each of the s children of a rule has a slot of ``s0 + 1`` positions and sits at one of them
    with equal probability; the other positions are empty, and so is all that is below them.

    Parameters
    ----------
    v, m, s, L, classes, seed
        As in :func:`random_hierarchy`; the same seed gives the same rules.
    s0
        Empty positions for each child of a rule, at least 0.

    Returns
    -------
    Model
        Classes ``x0`` (the root), ``slot1`` (the symbol in each slot, wherever it is), ``x1`` (the
        positions) .. ``slotL``, ``xL`` (the leaves, ``(s * (s0 + 1))**L``). Below the root state v
        is the empty one.

    Raises
    ------
    ModelError
        If a number is too small, or there are fewer tuples than rules.

    References
    ----------
    .. [1] U. M. Tomasini, M. Wyart, How deep networks learn sparse and hierarchical data: the
       Sparse Random Hierarchy Model, arXiv:2404.10727.

    Examples
    --------
    >>> model = sparse_random_hierarchy(v=4, m=2, s=2, L=2, s0=1, seed=0)
    >>> leaves = model.sample(100)["x2"]
    >>> leaves.shape, bool(((leaves < 4).sum(axis=1) == 4).all())  # 4 = s**L are not empty
    ((100, 16), True)
    """
    place = "sparse_random_hierarchy"
    require_whole(place, v=(v, 2), m=(m, 1), s=(s, 1), L=(L, 1), s0=(s0, 0))
    roots = v if classes is None else classes
    require_whole(place, classes=(roots, 1))
    rng = np.random.default_rng(seed)
    model = Model("sparse random hierarchy")
    above = model.root("x0", roots)
    for level in range(1, L + 1):
        count = roots if level == 1 else v
        rules = unambiguous_rules(count, m, s, v, seed=rng, place=place)
        rules = rules if level == 1 else _with_empty(rules, v)
        slot = above.children(f"slot{level}", s, v + 1, rules=rules)
        above = slot.children(f"x{level}", s0 + 1, v + 1, rules=_positions(v, s0 + 1))
    return model


def unambiguous_rules(
    parents: int, m: int, s: int, v: int, *, seed: Seed = 0, place: str = "unambiguous_rules"
) -> Rules:
    """Random production rules of one level that tell the parent from its children.

    Parameters
    ----------
    parents
        Number of parent states.
    m
        Rules of each parent state, of weight 1/m each.
    s
        Children of each rule.
    v
        Number of child states; ``m * parents <= v**s``.
    seed
        A seed or a generator.
    place
        Where the numbers come from, for messages.

    Returns
    -------
    Rules
        ``m * parents`` different tuples of children, those of parent 0 first.

    Raises
    ------
    ModelError
        If there are fewer tuples than rules, or more than 2**62 tuples.

    Examples
    --------
    >>> rules = unambiguous_rules(parents=2, m=2, s=2, v=2)
    >>> rules.parent, sorted(rules.children.tolist())
    (array([0, 0, 1, 1]), [[0, 0], [0, 1], [1, 0], [1, 1]])
    """
    tuples = int(v) ** int(s)
    if m * parents > tuples:
        raise ModelError(
            f"{place}: {parents} symbols with m={m} rules each need {m * parents} different "
            f"tuples, but v={v} symbols make only v**s = {tuples} tuples of s={s}."
        )
    if tuples > MOST_TUPLES:
        raise ModelError(f"{place}: v**s = {tuples} tuples are too many to number; lower s or v.")
    rng = np.random.default_rng(seed)
    if tuples <= MOST_LISTED:
        drawn = rng.permutation(tuples)[: m * parents]
    else:
        drawn = rng.choice(tuples, size=m * parents, replace=False)
    children = np.stack(np.unravel_index(drawn, (v,) * s), axis=1)
    weights: FloatArray = np.full(m * parents, 1 / m)
    return Rules(np.repeat(np.arange(parents), m), children, weights)


def _with_empty(rules: Rules, empty: int) -> Rules:
    """The rules, and one by which the empty symbol has empty children."""
    weights = np.ones(len(rules)) if rules.weights is None else rules.weights
    return Rules(
        np.append(rules.parent, empty),
        np.vstack([rules.children, np.full(rules.ranks, empty)]),
        np.append(weights, 1.0),
    )


def _positions(v: int, positions: int) -> Rules:
    """Each symbol at one of the positions of its slot, the rest empty; nothing for the empty."""
    children = np.full((v, positions, positions), v)
    children[:, np.arange(positions), np.arange(positions)] = np.arange(v)[:, None]
    spread = Rules(
        np.repeat(np.arange(v), positions),
        children.reshape(-1, positions),
        np.full(v * positions, 1 / positions),
    )
    return _with_empty(spread, v)
