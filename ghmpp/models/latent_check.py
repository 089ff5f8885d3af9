"""How invertible a generator is, measured on samples: what the encoder's steps depend on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp._memory import require_bytes
from ghmpp.errors import ModelError
from ghmpp.models.latent_generator import Generator

# Rounds of power iteration for the largest curvature, and the step of its differences.
ROUNDS = 30
STEP = 1e-5
# Of the squared distance of a pair of samples.
PAIR_BYTES = 8


@dataclass(frozen=True, slots=True, repr=False)
class Invertibility:
    r"""Strong invertibility and smoothness of a generator G, as measured on samples.

    Parameters
    ----------
    dimensions
        Latent and observed.
    samples, seed
        Of what was measured: ``samples`` latent vectors from N(0, I).
    smallest
        m: smallest singular value of the Jacobian, or the smallest :math:`|G(z) - G(z')| / |z -
        z'|` of two samples where that is smaller. 0 if the dimensions differ.
    largest
        M: largest singular value of the Jacobian.
    curvature
        Q: largest norm of the second derivative of :math:`|G(z) - x|^2 / 2` on the way from 0
        to the z that x came from.
    folded
        Whether the determinant of the Jacobian has both signs, so that it is 0 in between.
    tolerance
        Smallest ``smallest / largest`` that is accepted.

    Notes
    -----
    Samples show that a generator is not strongly invertible (Assumption 1 of [1]_); they cannot
    prove that it is.

    References
    ----------
    .. [1] D. Pareek, A. Risteski, The Effects of Invertibility on the Representational Complexity
       of Encoders in Variational Autoencoders, arXiv:2107.04652.
    """

    dimensions: tuple[int, int]
    samples: int
    seed: int
    smallest: float
    largest: float
    curvature: float
    folded: bool
    tolerance: float

    @property
    def condition(self) -> float:
        """M / m; infinite where m is 0."""
        return self.largest / self.smallest if self.smallest > 0 else float("inf")

    @property
    def reason(self) -> str:
        """Why the generator is refused, in words; empty if it is not."""
        latent, observed = self.dimensions
        if latent != observed:
            return (
                f"it maps {latent} to {observed} dimensions, and a smooth map can be strongly "
                "invertible only between equal ones"
            )
        if self.folded:
            return (
                "the determinant of its Jacobian is positive at some samples and negative at "
                "others, so it is singular in between"
            )
        if not self.smallest > self.tolerance * self.largest:
            return (
                f"its smallest singular value is m = {self.smallest:.3g} and its largest M = "
                f"{self.largest:.3g} on {self.samples} samples: m/M = "
                f"{self.smallest / max(self.largest, 1e-300):.2g} is not above the tolerance "
                f"{self.tolerance:g}"
            )
        return ""

    def require(self) -> None:
        """Refuse a generator that is not invertible enough.

        Raises
        ------
        ModelError
            With the measured reason.
        """
        if self.reason:
            raise ModelError(
                f"generator: not strongly invertible: {self.reason}. Theorem 2 of arXiv:2107.04652 "
                "has non-invertible generators whose encoders must be exponentially large, if "
                "one-way permutations exist."
            )

    def __repr__(self) -> str:
        latent, observed = self.dimensions
        return "\n".join(
            [
                f"Invertibility of a generator, {latent} -> {observed} dimensions, "
                f"on {self.samples} samples",
                f"  smallest singular value  m = {self.smallest:.4g}",
                f"  largest singular value   M = {self.largest:.4g}, condition "
                f"{self.condition:.4g}",
                f"  largest curvature        Q = {self.curvature:.4g}",
                f"  accepted: {f'no, {self.reason}' if self.reason else 'yes'}",
            ]
        )


def measure(
    generator: Generator, noise: float, samples: int, seed: int, tolerance: float
) -> Invertibility:
    """Measure a generator on latent vectors from N(0, I).

    Parameters
    ----------
    generator
        The map.
    noise
        Standard deviation beta of the noise on x.
    samples, seed
        How many vectors, at least 2, and which.
    tolerance
        Smallest accepted m / M.

    Raises
    ------
    ModelError
        If ``samples`` is no whole number, or below 2.
    ResourceError
        If the distances of all pairs of samples do not fit into memory.
    """
    if isinstance(samples, bool) or not isinstance(samples, (int, np.integer)) or samples < 2:
        raise ModelError(f"check: needs at least 2 samples, got {samples!r}.")
    require_bytes(
        2 * PAIR_BYTES * samples**2,
        f"check: the distances of {samples:,} samples need",
        cure="take fewer",
        largest="the generator",
    )
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((samples, generator.inputs))
    found = generator(z)
    if not np.isfinite(found).all():
        raise ModelError("generator: gives NaN or infinity at samples from N(0, I).")
    jacobian = generator.jacobian(z)
    singular = np.linalg.svd(jacobian, compute_uv=False)
    square = generator.inputs == generator.outputs
    signs = np.linalg.slogdet(jacobian)[0] if square else np.ones(1)
    x = found + noise * rng.standard_normal(found.shape)
    return Invertibility(
        (generator.inputs, generator.outputs),
        samples,
        seed,
        min(float(singular.min()), _closest(z, found)) if square else 0.0,
        float(singular.max()),
        _curvature(generator, rng.random((samples, 1)) * z, x, rng),
        bool((signs > 0).any() and (signs < 0).any()),
        tolerance,
    )


def _closest(z: FloatArray, x: FloatArray) -> float:
    """Smallest ratio of the distances of two images and of their originals."""
    from scipy.spatial.distance import pdist

    before, after = (pdist(points, "sqeuclidean") for points in (z, x))
    apart = before > 1e-9 * before.max()
    return float(np.sqrt((after[apart] / before[apart]).min())) if apart.any() else np.inf


def _curvature(
    generator: Generator, z: FloatArray, x: FloatArray, rng: np.random.Generator
) -> float:
    """Largest norm of the second derivative of ``|G(z) - x|^2 / 2``, by power iteration."""
    direction = rng.standard_normal(z.shape)
    norms = np.ones((len(z), 1))
    for _ in range(ROUNDS):
        direction = direction / np.maximum(norms, 1e-300)
        moved = STEP * direction
        change = generator.gradient(z + moved, x) - generator.gradient(z - moved, x)
        direction = change / (2 * STEP)
        norms = np.linalg.norm(direction, axis=-1, keepdims=True)
    return float(norms.max())
