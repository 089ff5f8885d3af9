"""Models whose tables factorise over children: broadcasts, random tables, two trees, quad-trees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from ghmpp._arrays import FloatArray
from ghmpp.errors import ModelError
from ghmpp.models.ghm import GHM
from ghmpp.models.layouts import morton_order
from ghmpp.models.model import Model
from ghmpp.models.potentials import PotentialLike, PriorLike
from ghmpp.models.states import StatesLike
from ghmpp.models.zoo.checks import Seed, require_probability, require_scale, require_whole


def broadcast(depth: int, flip: float, *, states: int = 2, branching: int = 2) -> Model:
    r"""A root's state copied from parent to child, with errors.

    .. math:: \psi(s, a) = (1 - \delta)\, 1\{s = a\} + \frac{\delta}{S - 1}\, 1\{s \ne a\}

    Parameters
    ----------
    depth
        Levels below the root, L >= 1.
    flip
        Probability delta that a child differs from its parent, in [0, 1]; each other state is
        then as probable.
    states
        Number of states S, at least 2.
    branching
        Children of each node, m.

    Returns
    -------
    Model
        Classes ``x0`` .. ``xL``. The root can be told from the leaves however deep the tree is if
        :func:`ghmpp.theory.kesten_stigum` of the table exceeds 1, that is for flip probabilities
        below :func:`ghmpp.theory.broadcast_threshold`.

    Raises
    ------
    ModelError
        If ``flip`` is no probability, or another number too small.

    References
    ----------
    .. [1] E. Mossel, Deep learning and hierarchical generative models, arXiv:1612.09057.

    Examples
    --------
    >>> broadcast(depth=3, flip=0.1).forest().data["x0->x1"]
    array([[[0.9, 0.1],
            [0.1, 0.9]]])
    """
    require_whole("broadcast", depth=(depth, 1), states=(states, 2), branching=(branching, 1))
    require_probability("broadcast", "flip", flip)
    table = np.full((states, states), flip / (states - 1))
    np.fill_diagonal(table, 1 - flip)
    return GHM((states,) * (depth + 1), (branching,) * depth, [table] * depth, name="broadcast")


def random_ghm(
    states: int | Sequence[StatesLike],
    branching: Sequence[int],
    *,
    bound: float,
    entries: Literal["log-uniform", "extreme"] = "log-uniform",
    seed: Seed = 0,
) -> Model:
    """Random tables, one per level and child rank, with all entries in [1/K, K].

    Parameters
    ----------
    states
        States of the layers 0 (root) to L (leaves), L + 1 of them, or one number for all.
    branching
        Children per node, m_1 .. m_L.
    bound
        K >= 1 of Assumption 2 in [1]_.
    entries
        "log-uniform": logarithms uniform on [-log K, log K]; "extreme": 1/K or K, equally likely.
    seed
        A seed or a generator.

    Returns
    -------
    Model
        Classes ``x0`` .. ``xL``; tables are not normalised, the root is uniform.

    Raises
    ------
    ModelError
        If ``bound`` is below 1 or not finite, ``entries`` unknown, or the sizes do not agree.

    References
    ----------
    .. [1] S. Mei, U-Nets as Belief Propagation, arXiv:2404.18444, Assumptions 1 and 2.

    Examples
    --------
    >>> table = random_ghm(3, (2, 2), bound=10, seed=1).forest().data["x1->x2"]
    >>> table.shape, bool((table >= 0.1).all() and (table <= 10).all())
    ((2, 3, 3), True)
    """
    if not (np.isfinite(bound) and bound >= 1):
        raise ModelError(f"random_ghm: bound must be finite and >= 1, got {bound!r}.")
    if entries not in ("log-uniform", "extreme"):
        raise ModelError(
            f"random_ghm: entries must be 'log-uniform' or 'extreme', got {entries!r}."
        )
    rng = np.random.default_rng(seed)
    model = GHM(states, branching, name="random GHM")
    stacks: dict[str, FloatArray] = {}
    for declared in list(model.declarations.values())[1:]:
        above = model.declarations[str(declared.parent)]
        shape = (declared.count, len(above.space), len(declared.space))
        exponents = rng.uniform(-1, 1, shape)
        if entries == "extreme":
            exponents = np.sign(exponents)
        # Powers may be rounded beyond the bound.
        stacks[declared.key] = np.clip(bound**exponents, 1 / bound, bound)
    return model.with_tables(stacks)


def joint_ghm(
    states: int = 10,
    *,
    flip: float,
    image: Sequence[int] = (3, 3, 3, 3),
    text: Sequence[int] = (3, 3, 3, 3),
    spread: float = 1.0,
    seed: Seed = 0,
) -> Model:
    r"""Two trees that share their root: an image and its caption, independent given the topic.

    .. math:: \psi_\iota = (1 - p) \Pi + p\, \mathrm{softmax}_{rows}(\sigma G_\iota)

    with a random permutation matrix :math:`\Pi` of each level, shared by siblings, and standard
    normal :math:`G_\iota` of each level and child rank.

    Parameters
    ----------
    states
        Number of states S of every variable.
    flip
        p in [0, 1]: 0 copies up to relabelling, 1 is random.
    image, text
        Children per node from the root to the leaves.
    spread
        Standard deviation sigma of the logits, >= 0; 0 makes a flip uniform.
    seed
        A seed or a generator.

    Returns
    -------
    Model
        Classes ``topic`` (the root, uniform), ``image1`` .. and ``text1`` .. .

    Raises
    ------
    ModelError
        If ``flip`` is no probability, or a size is wrong.

    References
    ----------
    .. [1] K. Oko, L. Lin, Y. Cai, S. Mei, A statistical theory of contrastive pre-training and
       multimodal generative AI, arXiv:2501.04641.

    Examples
    --------
    >>> model = joint_ghm(5, flip=0.2, image=(4, 4), text=(3,))
    >>> {name: variable.nodes for name, variable in model.variables.items()}
    {'topic': 1, 'image1': 4, 'image2': 16, 'text1': 3}
    """
    require_whole("joint_ghm", states=(states, 1))
    require_probability("joint_ghm", "flip", flip)
    require_scale("joint_ghm", "spread", spread)
    rng = np.random.default_rng(seed)
    model = Model("joint GHM")
    topic = model.root("topic", states)
    for branch, counts in (("image", image), ("text", text)):
        above = topic
        for level, count in enumerate(counts, start=1):
            weights = np.exp(spread * rng.standard_normal((count, states, states)))
            noise = weights / weights.sum(axis=2, keepdims=True)
            tables = (1 - flip) * np.eye(states)[rng.permutation(states)] + flip * noise
            above = above.children(f"{branch}{level}", count, states, potential=tables)
    return model


def quadtree(
    side: int,
    states: int | Sequence[StatesLike],
    *,
    tables: Sequence[PotentialLike | None] | None = None,
    prior: PriorLike | None = None,
) -> Model:
    """A square picture as the leaves of a tree that quarters it, pixels row by row.

    Parameters
    ----------
    side
        Pixels along a side, a power of 2 and at least 2.
    states
        States of the levels from the whole picture to the pixels, log2(side) + 1 of them, or one
        number for all.
    tables
        Potential of each level, as in :func:`ghmpp.models.ghm.GHM`; None = free, to be learned:
        one table per level and quarter (upper left, upper right, lower left, lower right).
    prior
        Weights of the root; None = uniform.

    Returns
    -------
    Model
        Classes ``x0`` (the whole picture) .. ``xL`` (the pixels, in the order of the picture).

    Raises
    ------
    ModelError
        If ``side`` is not a power of 2, or the number of levels differs.

    Examples
    --------
    >>> quadtree(8, states=(10, 64, 32, range(17)))
    Model 'quadtree': 4 classes, 85 variables
      x0  1 node    10 states  root
      x1  4 nodes   64 states  4 per x0, free
      x2  16 nodes  32 states  4 per x1, free
      x3  64 nodes  17 states  4 per x2, free
    """
    require_whole("quadtree", side=(side, 2))
    order = morton_order(side)
    branching = (4,) * (side.bit_length() - 1)
    return GHM(states, branching, tables, prior=prior, order=order, name="quadtree")


def hidden_markov(
    length: int, transition: ArrayLike, emission: ArrayLike, *, initial: ArrayLike | None = None
) -> Model:
    """A hidden Markov chain: a state that moves, seen through one symbol at each step.

    Parameters
    ----------
    length
        Number of steps T, at least 1.
    transition
        Weights, shape (states, states), axes (earlier, later).
    emission
        Weights, shape (states, symbols), axes (state, symbol).
    initial
        Weights of the first state, shape (states,); None = uniform.

    Returns
    -------
    Model
        Classes ``state`` and ``symbol``, T variables each.

    Raises
    ------
    ModelError
        If ``length`` or a shape is wrong, or weights are negative or not finite.

    References
    ----------
    .. [1] L. R. Rabiner, Proceedings of the IEEE 77 (1989), 257-286.

    Examples
    --------
    >>> import ghmpp as gh
    >>> model = hidden_markov(3, [[0.9, 0.1], [0.2, 0.8]], [[0.7, 0.3], [0.1, 0.9]])
    >>> gh.infer(model, {"symbol": [[0, 1, 1]]})["state"][0].round(3)
    array([[0.668, 0.332],
           [0.4  , 0.6  ],
           [0.346, 0.654]])
    """
    moves, symbols = np.asarray(transition), np.asarray(emission)
    if moves.ndim != 2 or symbols.ndim != 2 or not len(moves) == moves.shape[1] == len(symbols):
        raise ModelError(
            f"hidden_markov: transition must have shape (states, states) and emission (states, "
            f"symbols), got {moves.shape} and {symbols.shape}."
        )
    model = Model("hidden Markov chain")
    state = model.chain("state", length, len(moves), potential=moves, prior=initial)
    state.children("symbol", 1, symbols.shape[1], potential=symbols)
    return model
