"""The Gaussian hierarchical model: real variables on a regular tree, linear with noise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike

from ghmpp._arrays import AnyArray, FloatArray, IntArray, read_only
from ghmpp.errors import ModelError, QueryError
from ghmpp.models import gaussian_sampling
from ghmpp.models.channels import Gaussian, Given, Localization, noisy
from ghmpp.models.declared import EngineName, Options
from ghmpp.models.entries import real_numbers
from ghmpp.models.forest import Block, Edge, Forest, VariableClass
from ghmpp.models.model import Model
from ghmpp.models.queries import Query

PerLayer: TypeAlias = float | Sequence[ArrayLike]
TOP = "component"
# Standard deviations and numbers in this range keep all messages in that of float64.
FAR = 1e15


@dataclass(frozen=True, eq=False, repr=False)
class GaussianGHM:
    r"""A generative hierarchical model of real variables, layers x0 (root) to xL (leaves).

    .. math:: x^{(0)} \sim N(\mu_0, q_0), \qquad
              x^{(\ell)}_{v\iota} = a^{(\ell)}_\iota x^{(\ell-1)}_v + b^{(\ell)}_\iota
              + N(0, q^{(\ell)}_\iota)

    Belief propagation on it is exact with two numbers per node, a precision J and a shift h.
    Precisions do not depend on what is observed (only on which variables are), and shifts are
    linear in it: the network that denoises is a linear U-Net.

    Parameters
    ----------
    branching
        Children per node ``m_1 .. m_L``, each at least 1.
    weights, noises, offsets
        Factors a, *variances* q > 0 of the noise, and offsets b: a number for all layers, or a
        list with an entry for each of the levels 1 to L: a number, or numbers (m,), one per
        child rank.
    root_mean, root_variance
        Of x0: numbers, or (states,) for each state of the class above.
    above
        A discrete model whose leaves are the parents of the roots x0, one below each, so that
        what is real is a mixture over the states of discrete variables; None = nothing. States
        below real variables are not offered: their messages to the real parent would be no
        Gaussian factors.
    below
        The class of leaves of ``above``; may be left out where there is only one.
    prefix
        Of the names of the layers.
    name
        Name of the model.

    Raises
    ------
    ModelError
        If lengths or shapes do not agree, a variance is not positive, or numbers leave the range
        in which all messages stay in that of float64.

    Notes
    -----
    Beside J and h, a factor has its logarithm at 0. So the log evidence, and what it decides (the
    states of discrete variables), loses digits where what is observed is far from 0 on the scale
    of the noise: errors are about ``1e-16 z^2 / sigma^2``; and below discrete variables the shares
    of their states in a mean or variance do where means are, on that of their variances: errors
    are about ``1e-16 mu_0^2 / q_0``. Choose the origin of x in the middle of what is observed.
    Means and variances of a model without discrete variables lose no digits.

    Examples
    --------
    >>> import ghmpp as gh
    >>> model = GaussianGHM(branching=(2, 2), weights=0.9, noises=[0.5, [0.1, 0.2]])
    >>> denoise = gh.compile(model, gh.mean("x2"), gh.noisy("x2", sigma=1.0)).network()
    >>> denoise(np.zeros((1, 4))).tolist()
    [[0.0, 0.0, 0.0, 0.0]]
    """

    branching: Sequence[int]
    weights: PerLayer = 1.0
    noises: PerLayer = 1.0
    offsets: PerLayer = 0.0
    root_mean: ArrayLike = 0.0
    root_variance: ArrayLike = 1.0
    above: Model | None = None
    below: str | None = None
    prefix: str = "x"
    name: str = "gaussian"

    def __post_init__(self) -> None:
        object.__setattr__(self, "branching", _read_branching(self.branching))
        _ = self._forest  # all other checks
        for stack in (self._forest.data[key] for key in self._forest.gaussian):
            read_only(stack)

    def __repr__(self) -> str:
        mixed = "" if self.above is None else f" below {self.above.name!r}"
        return f"GaussianGHM {self.name!r}: branching {self.branching}{mixed}"

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the real classes, root first."""
        return tuple(f"{self.prefix}{level}" for level in range(len(self.branching) + 1))

    @property
    def variables(self) -> Mapping[str, VariableClass]:
        """Classes by name, without hidden ones."""
        return self._forest.visible

    def require_complete(self) -> None:
        """Refuse a discrete model above that has free tables or symbols without value.

        Raises
        ------
        ModelError
            Naming what is free.
        """
        if self.above is not None:
            self.above.require_complete()

    def forest(self, given: Sequence[Given] = ()) -> Forest:
        """What the model means: blocks and edges, for these observations.

        Raises
        ------
        QueryError
            If a real variable is given as it is, or through a channel that is not Gaussian.
        """
        for item in given:
            known = item.variable in self.layers
            if known and not isinstance(item.channel, Gaussian | Localization):
                raise QueryError(
                    f"given {item.variable!r}: a real variable is observed through Gaussian "
                    f"noise; compile with given=gh.noisy({item.variable!r}, sigma=...), however "
                    "small sigma."
                )
        return self._forest

    def solver(self, query: Query, given: Sequence[Given] = ()) -> tuple[EngineName, Options]:
        """How queries are answered: by belief propagation on the tree, exactly."""
        return "tree", {}

    def question(self) -> tuple[Query, tuple[Given, ...]]:
        """The mean of the leaves, seen in noise of standard deviation 1."""
        return Query("mean", self.layers[-1]), (noisy(self.layers[-1], sigma=1.0),)

    def sample(self, n: int, seed: int = 0) -> dict[str, AnyArray]:
        """Independent samples of all variables.

        Parameters
        ----------
        n
            Number of samples, at least 0.
        seed
            Of the generator.

        Returns
        -------
        dict of arrays (n, nodes of the class), by class
            Real numbers; of classes with states, their indices.

        Raises
        ------
        ModelError
            If ``n`` is negative.
        ResourceError
            If the samples do not fit into memory.
        """
        return gaussian_sampling.sample(self._forest, n, seed)

    def moments(self) -> tuple[FloatArray, FloatArray]:
        """Mean and covariance of all variables, x0 first, of a model without discrete ones.

        Returns
        -------
        mean (variables,), covariance (variables, variables)

        Raises
        ------
        QueryError
            If there is a discrete model above: the variables are then a mixture.
        ResourceError
            If the covariance does not fit into memory.

        Examples
        --------
        >>> GaussianGHM(branching=(2,), root_variance=3.0).moments()[1]
        array([[3., 3., 3.],
               [3., 4., 3.],
               [3., 3., 4.]])
        """
        if self.above is not None:
            raise QueryError(
                f"moments: {self.name!r} is a mixture over the states of {self.above.name!r}; "
                "two moments do not describe it."
            )
        return gaussian_sampling.moments(self._forest)

    @cached_property
    def _above(self) -> Forest:
        """The discrete part: a class with one state, where nothing else is declared."""
        if self.above is None:
            alone = VariableClass(TOP, (0,), None, 1, (TOP,), hidden=True)
            return Forest(self.name, {TOP: alone}, {TOP: Block(TOP, TOP, 0, 1, 1)}, {}, {})
        if not isinstance(self.above, Model):
            raise ModelError(
                f"GaussianGHM: above must be a discrete ghmpp Model, got a "
                f"{type(self.above).__name__}; what is real can only lie below states."
            )
        return self.above.forest()

    @cached_property
    def _forest(self) -> Forest:
        above = self._above
        parent = self._parent(above)
        order, nodes, states = parent.order, parent.nodes, len(parent.states)
        variables, blocks = dict(above.variables), dict(above.blocks)
        edges, data = dict(above.edges), dict(above.data)
        mean, variance = np.zeros(states), np.zeros(states)  # largest of a level
        upper, fanouts = parent.blocks[0], [1, *self.branching]
        for level, (name, stack) in enumerate(zip(self.layers, self._stacks(states), strict=True)):
            fanout, key = fanouts[level], f"{upper}->{name}"
            if name in variables:
                raise ModelError(
                    f"GaussianGHM: {name!r} is also a class of {above.name!r}; choose a prefix."
                )
            mean = (np.abs(stack[..., 0]) * mean + np.abs(stack[..., 1])).max(axis=0)
            variance = (stack[..., 0] ** 2 * variance + stack[..., 2]).max(axis=0)
            if mean.max() > FAR or variance.max() > FAR**2:
                raise ModelError(
                    f"GaussianGHM: means or standard deviations of {name!r} may exceed {FAR:g}; "
                    "use smaller weights or offsets."
                )
            nodes *= fanout
            order = None if order is None else _children_order(order, fanout)
            variables[name] = VariableClass(name, (), None, nodes, (name,), order)
            blocks[name] = Block(name, name, 0, nodes, 3 * states)
            edges[name] = Edge(upper, name, fanout, key, "gaussian", len(stack))
            data[key], upper = stack, name
        return Forest(self.name, variables, blocks, edges, data, above.formulas, above.parameters)

    def _parent(self, above: Forest) -> VariableClass:
        """The discrete class of which one real root each is a child."""
        if self.above is None:
            return above.variables[TOP]
        leaves = above.leaves
        name = self.below if self.below is not None or len(leaves) != 1 else leaves[0]
        if name not in leaves:
            raise ModelError(
                f"GaussianGHM: below must name a class of leaves of {above.name!r} "
                f"({', '.join(leaves)}), got {name!r}."
            )
        if len(above.variables[name].blocks) != 1:
            raise ModelError(
                f"GaussianGHM: {name!r} lies on several levels of {above.name!r}, and real "
                "variables only below one level."
            )
        return above.variables[name]

    def _stacks(self, states: int) -> Iterator[FloatArray]:
        """Per layer the densities of its edges, (rows, states, 3): a, b, q."""
        branching = self.branching
        root = [
            _numbers("root_mean", self.root_mean, (states,)),
            _numbers("root_variance", self.root_variance, (states,), positive=True),
        ]
        yield _stack([np.zeros((1, 1)), *(part[None] for part in root)], states)
        parts = [
            _layers("weights", self.weights, branching),
            _layers("offsets", self.offsets, branching),
            _layers("noises", self.noises, branching, positive=True),
        ]
        for layer in zip(*parts, strict=True):
            yield _stack([part[:, None] for part in layer], states)


def _read_branching(given: object) -> tuple[int, ...]:
    """Children per node, level by level."""
    found: tuple[object, ...] = ()
    if isinstance(given, (Sequence, np.ndarray)) and not isinstance(given, str):
        found = tuple(given)
    whole = [m for m in found if isinstance(m, (int, np.integer)) and not isinstance(m, bool)]
    if not found or len(whole) < len(found) or min(whole) < 1:
        raise ModelError(
            f"GaussianGHM: branching must be whole numbers >= 1, (m1, ..., mL), got {given!r}."
        )
    return tuple(map(int, whole))


def _stack(parts: Sequence[FloatArray], states: int) -> FloatArray:
    """a, b and q, each (1 or rows, 1 or states), as one stack (rows, states, 3)."""
    rows = max(len(part) for part in parts)
    return np.stack([np.broadcast_to(part, (rows, states)) for part in parts], axis=-1)


def _layers(
    what: str, given: PerLayer, branching: Sequence[int], *, positive: bool = False
) -> list[FloatArray]:
    """Numbers (1,) or (ranks,) for each level."""
    levels = len(branching)
    if np.isscalar(given) or (isinstance(given, np.ndarray) and given.ndim == 0):
        given = [cast(ArrayLike, given)] * levels
    if not isinstance(given, (Sequence, np.ndarray)) or len(given) != levels:
        raise ModelError(
            f"GaussianGHM: {what} must be a number, or a list with an entry for each of the "
            f"{levels} levels of branching, got {given!r}."
        )
    return [
        _numbers(f"{what} of level {level}", entry, (ranks,), positive=positive)
        for level, (entry, ranks) in enumerate(zip(given, branching, strict=True), 1)
    ]


def _numbers(
    what: str, given: ArrayLike, shape: tuple[int, ...], *, positive: bool = False
) -> FloatArray:
    """A number as (1,), or numbers of a shape; > 0 where they are variances."""
    found = real_numbers(given, f"GaussianGHM: {what}")
    if found.shape not in ((), shape):
        raise ModelError(
            f"GaussianGHM: {what} must be a number or have shape {shape}, got {found.shape}."
        )
    good = (found >= 1 / FAR**2) & (found <= FAR**2) if positive else np.abs(found) <= FAR
    if not good.all():
        lowest, highest = ("> 0, at least 1e-30", "1e30") if positive else (">= -1e15", "1e15")
        raise ModelError(
            f"GaussianGHM: {what} must be {lowest}, and at most {highest}, got {given!r}."
        )
    return found.reshape(found.shape or (1,))


def _children_order(order: IntArray, fanout: int) -> IntArray:
    """User's positions of children: those of one parent together, parents in the user's order."""
    found: IntArray = (order[:, None] * fanout + np.arange(fanout)).ravel()
    return found
