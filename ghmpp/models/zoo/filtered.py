"""Filtered hierarchies: a tree whose correlations above some level have been taken away."""

from __future__ import annotations

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp.errors import ModelError
from ghmpp.models.model import Model
from ghmpp.models.rules import Rules
from ghmpp.models.zoo.checks import Seed, require_scale, require_whole


def filtered_hierarchy(q: int, L: int, k: int = 0, *, sigma: float = 1.0, seed: Seed = 0) -> Model:
    r"""A binary tree of unambiguous rules, in which 2**k nodes forget all but the root.

    The q*q pairs of symbols are split at random into q groups of q; symbol a produces the pairs of
    its group with weights softmax(sigma g), g standard normal, by one tensor
    :math:`M_{abc}` for all levels. With ``k > 0`` the nodes of level k are independent given the
    root, each with its true law: a product of the marginals :math:`\sum_c M_{abc}` (left) and
    :math:`\sum_b M_{abc}` (right) along its path. Below, the tree is as without filtering.

    Parameters
    ----------
    q
        Number of symbols, at least 2.
    L
        Levels below the root, at least 1; there are ``2**L`` leaves.
    k
        Filtered levels, 0 (none) .. L (all leaves independent given the root).
    sigma
        Spread of the logarithms of the weights, >= 0; 0 makes the rules of a symbol equally
        probable.
    seed
        A seed or a generator; models of one seed that differ in k have the same tensor.

    Returns
    -------
    Model
        Classes ``x0`` (the root, uniform), ``xk``, .. ``xL``: those above level k are left out.

    Raises
    ------
    ModelError
        If a number is out of range.

    References
    ----------
    .. [1] J. Garnier-Brun, M. Mezard, E. Moscato, L. Saglietti, How transformers learn structured
       data: insights from hierarchical filtering, arXiv:2408.15138.

    Examples
    --------
    >>> model = filtered_hierarchy(q=4, L=4, k=2, seed=0)
    >>> {name: variable.nodes for name, variable in model.variables.items()}
    {'x0': 1, 'x2': 4, 'x3': 8, 'x4': 16}
    """
    place = "filtered_hierarchy"
    require_whole(place, q=(q, 2), L=(L, 1), k=(k, 0))
    require_scale(place, "sigma", sigma)
    if k > L:
        raise ModelError(f"{place}: k must lie in 0..L, got k={k} and L={L}.")
    rules = grouped_pairs(q, sigma=sigma, seed=seed)
    model = Model(f"hierarchy filtered at {k}" if k else "hierarchy")
    above = model.root("x0", q)
    if k:
        above = above.children(f"x{k}", 2**k, q, potential=_path_products(rules.to_table(), k))
    for level in range(max(k, 0) + 1, L + 1):
        above = above.children(f"x{level}", 2, q, rules=rules)
    return model


def grouped_pairs(q: int, *, sigma: float = 1.0, seed: Seed = 0) -> Rules:
    """Rules by which each of q symbols produces q pairs of its own, of random weights.

    Parameters
    ----------
    q
        Number of symbols.
    sigma
        Spread of the logarithms of the weights, >= 0.
    seed
        A seed or a generator.

    Returns
    -------
    Rules
        ``q * q`` rules, every pair once; weights of a parent sum to 1.

    Examples
    --------
    >>> rules = grouped_pairs(3)
    >>> len(rules), rules.to_table().sum(axis=(1, 2)).round(12)
    (9, array([1., 1., 1.]))
    """
    rng = np.random.default_rng(seed)
    pairs = np.stack(np.unravel_index(rng.permutation(q * q), (q, q)), axis=1)
    weights = np.exp(sigma * rng.standard_normal((q, q)))
    weights /= weights.sum(axis=1, keepdims=True)
    return Rules(np.repeat(np.arange(q), q), pairs, weights.ravel())


def _path_products(joint: FloatArray, k: int) -> FloatArray:
    """Laws of the nodes of level k given the root, shape (2**k, states, states)."""
    steps = np.stack([joint.sum(axis=2), joint.sum(axis=1)])
    laws = np.eye(len(joint))[None]
    for _ in range(k):
        laws = (laws[:, None] @ steps).reshape(-1, *joint.shape[1:])
    return laws
