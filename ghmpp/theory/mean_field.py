"""Mean field of belief propagation on the Random Hierarchy Model, averaged over its rules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ghmpp._arrays import AnyArray, FloatArray
from ghmpp.errors import ModelError


@dataclass(frozen=True, slots=True)
class MeanField:
    r"""How well a Random Hierarchy Model is recovered from softened leaves, in mean field.

    Each of ``v`` symbols has ``m`` production rules, tuples of ``s`` symbols that no two symbols
    share, drawn at random. Every leaf holds a belief: ``1 - noise + noise / v`` for its true
    symbol, ``noise / v`` for each other (:func:`ghmpp.observables.softened`). Of all beliefs of
    a level only the mean belief p in the truth is kept, and sums over rules are replaced by
    their means over the random draw; one level up,

    .. math:: F(p) = \frac{p^s + g (1 - p^s)}{p^s + f (1 - p^s)},
              \qquad f = \frac{m v - 1}{v^s - 1}, \quad g = \frac{m - 1}{v^s - 1}.

    Parameters
    ----------
    v
        Symbols of each level, at least 2; also the number of classes at the root.
    m
        Rules of each symbol, at least 1, with ``m * v <= v**s``.
    s
        Children of each node, at least 2.

    Raises
    ------
    ModelError
        If a number is too small, or there are fewer tuples than rules.

    References
    ----------
    .. [1] A. Sclocchi, A. Favero, M. Wyart, A phase transition in diffusion models reveals the
       hierarchical nature of data, PNAS 122 (2025), e2408799121.

    Examples
    --------
    >>> field = MeanField(v=16, m=4, s=2)
    >>> field.threshold, field.critical_noise
    (0.25, 0.8)
    >>> field.posteriors(noise=0.7, depth=7).round(2)  # root to leaves
    array([0.9 , 0.94, 0.96, 0.96, 0.96, 0.94, 0.91, 0.88])
    """

    v: int
    m: int
    s: int = 2

    def __post_init__(self) -> None:
        for name, least in (("v", 2), ("m", 1), ("s", 2)):
            number = getattr(self, name)
            if not isinstance(number, (int, np.integer)) or number < least:
                raise ModelError(
                    f"MeanField: {name} must be a whole number >= {least}, got {number!r}."
                )
        if self.m * self.v > self.v**self.s:
            raise ModelError(
                f"MeanField: v={self.v} symbols with m={self.m} rules each need {self.m * self.v} "
                f"distinct tuples, but there are only v**s = {self.v**self.s}."
            )

    def leaf_belief(self, noise: float) -> float:
        """Belief in the true symbol of a leaf, ``1 - noise + noise / v``, noise in [0, 1]."""
        if not 0 <= noise <= 1:
            raise ModelError(f"MeanField: noise must lie in [0, 1], got {noise!r}.")
        return 1 - noise + noise / self.v

    def upward(self, belief: float) -> float:
        """The belief in a parent's true symbol, F(p), from that in each of its children."""
        others, same, _ = self._shares
        right = belief**self.s
        return (right + same * (1 - right)) / (right + others * (1 - right))

    def slope(self, belief: float) -> float:
        """The derivative of :meth:`upward`; at 1 it is ``s m (v - 1) / (v**s - 1)``."""
        others, same, _ = self._shares
        right = belief**self.s
        change = self.s * belief ** (self.s - 1)
        return change * (others - same) / (right + others * (1 - right)) ** 2

    def downward(self, above: float, beside: float) -> float:
        """The belief in a child's true symbol from above: parent's from above, siblings' own.

        Parameters
        ----------
        above
            Belief in the parent's true symbol that comes from outside its own subtree.
        beside
            Belief in the true symbol of each sibling that comes from the sibling's subtree.
        """
        right = above * beside ** (self.s - 1)
        rest = (self.m - above) * self._shares[2]
        wrong = 1 - beside ** (self.s - 1)
        return (right + rest * wrong) / (right + rest * (wrong + self.v - 1))

    @property
    def threshold(self) -> float:
        r"""The unstable fixed point p* of :meth:`upward`: beliefs above it grow to certainty.

        For ``s = 2`` it is :math:`(m - 1) / (v - m)`. 1 where every noise erases the root, 1/v
        where no noise below 1 does: between these two, the other fixed points, p* is unique.
        """
        if self.slope(1.0) >= 1:
            return 1.0
        closed = self.s == 2
        inner = (self.m - 1) / (self.v - self.m) if closed else self._inner_fixed_point()
        return max(inner, 1 / self.v)

    @property
    def critical_noise(self) -> float:
        """The noise at which deep trees lose their root: the leaf belief is the threshold."""
        return (1 - self.threshold) * self.v / (self.v - 1)

    @property
    def exponent(self) -> float:
        r"""Exponent nu of the length of joint changes, :math:`\xi \sim |noise - noise^*|^{-\nu}`.

        Each level multiplies distances by s, and the distance from the threshold by its slope:
        ``log(s) / log(slope(threshold))``; NaN where no noise between 0 and 1 is critical.
        """
        if not 1 / self.v < self.threshold < 1:
            return float("nan")
        return float(np.log(self.s) / np.log(self.slope(self.threshold)))

    def posteriors(self, noise: float, depth: int) -> FloatArray:
        """Posterior probability of the true symbol at each level.

        Parameters
        ----------
        noise
            In [0, 1]: 0 shows the leaves, 1 hides them.
        depth
            Levels below the root, L >= 1.

        Returns
        -------
        array of shape (depth + 1,), linear
            Level 0 (root) to L (leaves): the product of what comes from below
            (:meth:`upward`) and from above (:meth:`downward`, from a uniform root).

        Raises
        ------
        ModelError
            If ``noise`` or ``depth`` is out of range.
        """
        if depth < 1:
            raise ModelError(f"MeanField: depth must be at least 1, got {depth!r}.")
        below = [self.leaf_belief(noise)]
        for _ in range(depth):
            below.append(self.upward(below[-1]))
        below.reverse()
        above = [1 / self.v]
        for level in range(depth):
            above.append(self.downward(above[-1], below[level + 1]))
        true = np.array(below) * np.array(above)
        other = (1 - np.array(below)) * (1 - np.array(above)) / (self.v - 1)
        shares: FloatArray = true / (true + other)
        return shares

    @property
    def _shares(self) -> tuple[float, float, float]:
        """Chance that a wrong tuple is a rule, that it is one of the true symbol, and of one."""
        tuples = self.v**self.s - 1
        return (self.m * self.v - 1) / tuples, (self.m - 1) / tuples, 1 / tuples

    def _inner_fixed_point(self) -> float:
        """The positive root of F(p) = p apart from 1 and 1/v (Descartes: there is only one)."""
        others, same, _ = self._shares
        polynomial: AnyArray = np.zeros(self.s + 2)
        polynomial[[0, 1, -2, -1]] = 1 - others, same - 1, others, -same
        for known in (1.0, 1 / self.v):
            polynomial = np.polydiv(polynomial, [1.0, -known])[0]
        roots = np.roots(polynomial)
        real = roots[np.abs(roots.imag) < 1e-9].real
        return float(real[real > 0].max(initial=0.0))
