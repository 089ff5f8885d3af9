"""What the eigenvalues of couplings say about fixed-point iterations: rates and damping."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ghmpp._arrays import FloatArray

# Beyond this size only the two ends of the spectrum are looked for.
WHOLE = 1000
# Where nothing guarantees convergence, damping is chosen as if the largest eigenvalue were this.
MARGINAL = 0.95


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Smallest and largest eigenvalue of a symmetric matrix."""

    smallest: float
    largest: float

    @property
    def norm(self) -> float:
        """Operator norm."""
        return max(abs(self.smallest), abs(self.largest))

    @property
    def unique(self) -> bool:
        """Whether the mean-field free energy is strictly convex: one fixed point at most."""
        return self.largest < 1

    def rate(self, damping: float = 0.0) -> float:
        r"""Largest modulus of a slope of ``damping m + (1 - damping) tanh(A m + a)``.

        Slopes are eigenvalues of its Jacobian; those of tanh lie in [0, 1], so that 0 counts.
        Undamped, it bounds how far an error can be stretched. Damped, it is the rate near a fixed
        point; but below 1 the iteration converges from everywhere: with the step :math:`d` that
        is taken without damping :math:`\delta`, the free energy loses at least
        :math:`\tfrac{1 - \delta}{2} d^T [(1 + \delta) + (1 - \delta) A] d > 0`, since the
        entropy of a spin is concave with curvature at least 1.
        """
        ends = min(self.smallest, 0.0), max(self.largest, 0.0)
        return max(abs(damping + (1 - damping) * end) for end in ends)

    @property
    def damping(self) -> float:
        r"""Share of the old value that makes ``m <- damping m + (1 - damping) tanh(A m + a)`` go.

        0 where the map contracts by itself. Else the smallest share that makes both ends of the
        damped spectrum equally large, so that what limits the rate is the largest eigenvalue:

        .. math:: \delta = 1 - \frac{2}{2 - \lambda_{\min} - \lambda_{\max}}

        References
        ----------
        .. [1] S. Mei, Y. Wu, Deep networks as denoising algorithms, arXiv:2309.11420; damping is
           that of the Richardson iteration of the linear map.

        Examples
        --------
        >>> Spectrum(-0.5, 0.9).damping
        0.0
        >>> damped = Spectrum(-8.0, 0.9)
        >>> round(damped.damping, 3), round(damped.rate(damped.damping), 3)
        (0.78, 0.978)
        """
        top = max(self.largest, 0.0) if self.unique else MARGINAL
        if self.norm < 1 or self.smallest > -top:
            return 0.0
        return 1 - 2 / (2 - self.smallest - top)

    def steps(self, damping: float, tolerance: float, most: int) -> int:
        """Rounds after which the damped linear map has shrunk an error to ``tolerance``."""
        rate = self.rate(damping)
        if rate >= 1:
            return most
        needed = math.log(tolerance) / math.log(max(rate, tolerance))
        return min(most, math.ceil(needed))


def spectrum(matrix: FloatArray) -> Spectrum:
    """The two ends of the spectrum of a symmetric matrix, (n, n).

    Examples
    --------
    >>> spectrum(np.array([[0.0, 0.5], [0.5, 0.0]]))
    Spectrum(smallest=-0.5, largest=0.5)
    """
    if len(matrix) == 0 or not matrix.any():
        return Spectrum(0.0, 0.0)
    if len(matrix) <= WHOLE:
        found = np.linalg.eigvalsh(matrix)
        return Spectrum(float(found[0]), float(found[-1]))
    from scipy.sparse.linalg import eigsh

    start = np.random.default_rng(0).standard_normal(len(matrix))
    ends = (
        float(eigsh(matrix, k=1, which=which, v0=start, return_eigenvectors=False)[0])
        for which in ("SA", "LA")
    )
    return Spectrum(*ends)
