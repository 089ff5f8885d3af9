"""Latent Gaussian models: a smooth invertible network of a normal vector, seen in noise."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from ghmpp._arrays import AnyArray, FloatArray
from ghmpp.errors import ModelError, QueryError
from ghmpp.models.channels import Given
from ghmpp.models.declared import EngineName, Options
from ghmpp.models.forest import Block, Coupling, Forest, VariableClass
from ghmpp.models.latent_check import Invertibility, measure
from ghmpp.models.latent_generator import Generator, read_generator
from ghmpp.models.queries import Query
from ghmpp.models.sampling import require_draws


@dataclass(frozen=True, eq=False, repr=False)
class LatentGaussian:
    r"""A normal latent vector, through a generator, in noise: the decoder of a VAE.

    .. math:: z \sim N(0, I), \qquad x = G(z) + \beta \xi, \qquad \xi \sim N(0, I)

    Its encoder, the posterior of ``z`` given ``x``, is compiled from gradient and Langevin steps
    (:class:`ghmpp.schedule.langevin.Langevin`). Classes: ``"x"``, given as the numbers
    themselves, and ``"z"``, asked for a random draw or for the most probable value.

    Parameters
    ----------
    generator
        G, see :func:`~ghmpp.models.latent_generator.read_generator`: a torch ``Sequential`` of
        linear layers and smooth activations, or the numbers. Its weights are copied.
    noise
        Standard deviation beta of the noise, in the units of x; finite and > 0.
    name
        For reports.
    samples, seed, tolerance
        Of the check of strong invertibility, see :meth:`check`.

    Attributes
    ----------
    generator
        The map G as numbers, with its Jacobian and gradient.
    invertibility
        The check that it passed.

    Raises
    ------
    ModelError
        If the generator has layers that are not differentiable or not known, is not strongly
        invertible on samples (the reason is measured), or the noise is not positive.

    References
    ----------
    .. [1] D. Pareek, A. Risteski, The Effects of Invertibility on the Representational Complexity
       of Encoders in Variational Autoencoders, arXiv:2107.04652, Definition 1.

    Examples
    --------
    >>> model = LatentGaussian([([[2.0, 0.5], [0.0, 1.0]], [0.0, 1.0])], noise=0.1)
    >>> model
    LatentGaussian 'latent gaussian': 2 dimensions, 1 layer, noise 0.1
    >>> model.sample(3)["x"].shape
    (3, 2)
    """

    name: str
    noise: float
    generator: Generator
    invertibility: Invertibility

    def __init__(
        self,
        generator: object,
        noise: float,
        *,
        name: str = "latent gaussian",
        samples: int = 256,
        seed: int = 0,
        tolerance: float = 1e-3,
    ) -> None:
        if not (isinstance(noise, (int, float)) and math.isfinite(noise) and noise > 0):
            raise ModelError(
                f"LatentGaussian: noise must be finite and > 0, got {noise!r}; without noise the "
                "posterior is a point, and gh.code of a small noise finds it."
            )
        read = read_generator(generator)
        measured = measure(read, noise, samples, seed, tolerance)
        measured.require()
        fields = {"name": name, "noise": float(noise), "generator": read, "invertibility": measured}
        for key, value in fields.items():
            object.__setattr__(self, key, value)

    @property
    def dimension(self) -> int:
        """Dimension of z and of x."""
        return self.generator.inputs

    def check(self, samples: int = 256, seed: int = 0, *, tolerance: float = 1e-3) -> Invertibility:
        """How invertible the generator is on latent vectors from N(0, I).

        Parameters
        ----------
        samples, seed
            How many, and which.
        tolerance
            Smallest accepted ratio of the smallest singular value to the largest.

        Returns
        -------
        Invertibility
            Whose ``reason`` says why the generator is refused, if it is.
        """
        return measure(self.generator, self.noise, samples, seed, tolerance)

    def sample(self, n: int, seed: int = 0) -> dict[str, FloatArray]:
        """Independent draws of ``z`` and ``x``, each (n, dimension).

        Raises
        ------
        ModelError
            If ``n`` is no whole number, or negative.
        """
        require_draws(n)
        rng = np.random.default_rng(seed)
        z = rng.standard_normal((n, self.dimension))
        x = self.generator(z) + self.noise * rng.standard_normal((n, self.dimension))
        return {"z": z, "x": x}

    def energy(self, z: FloatArray, x: FloatArray) -> FloatArray:
        """Minus the log posterior of z, but for a constant: shape (...) of vectors (..., nodes).

        :math:`L(z) = (|z|^2 + |G(z) - x|^2 / \\beta^2) / 2`, equation 3 of [1]_.
        """
        missed = (self.generator(z) - x) / self.noise
        energy: FloatArray = ((z**2).sum(-1) + (missed**2).sum(-1)) / 2
        return energy

    def observation(self, x: ArrayLike, where: str) -> FloatArray:
        """One observation, (dimension,), checked for the caller ``where``.

        Raises
        ------
        QueryError
            If it has another shape, or is not finite.
        """
        try:
            seen = np.asarray(x, dtype=np.float64)
        except (TypeError, ValueError):
            seen = np.array(np.nan)
        if seen.shape != (self.dimension,) or not np.isfinite(seen).all():
            raise QueryError(
                f"{where}: x must be {self.dimension} finite numbers, one observation, got "
                f"{x!r:.80}."
            )
        return seen

    def forest(self, given: tuple[Given, ...] = ()) -> Forest:
        """Blocks ``z``, one hidden class per inner layer, and ``x``; weights as couplings.

        Raises
        ------
        QueryError
            If something is given through a channel.
        """
        for item in given:
            if item.channel is not None:
                raise QueryError(
                    f"given {item.variable!r}: its noise is part of the model (noise="
                    f"{self.noise:g}); give the numbers without a channel."
                )
        return self._forest

    @cached_property
    def _forest(self) -> Forest:
        layers = self.generator.layers
        names = ["z", *(f"h{number}" for number in range(1, len(layers))), "x"]
        sizes = [self.dimension, *(len(layer.bias) for layer in layers)]
        functions = [None, *(layer.activation for layer in layers)]
        couplings = {}
        data: dict[str, AnyArray] = {}
        for coupling, numbers in self._couplings(names):
            couplings[coupling.name] = coupling
            data[coupling.key] = numbers
        found = self.invertibility
        return Forest(
            self.name,
            {
                name: VariableClass(name, (), None, size, (name,), hidden=name not in ("z", "x"))
                for name, size in zip(names, sizes, strict=True)
            },
            {
                name: Block(name, name, 0, size, 1, function=function)
                for name, size, function in zip(names, sizes, functions, strict=True)
            },
            {},
            data,
            parameters={
                "noise": self.noise,
                "smallest": found.smallest,
                "largest": found.largest,
                "curvature": found.curvature,
            },
            couplings=couplings,
        )

    def _couplings(self, names: list[str]) -> Iterator[tuple[Coupling, FloatArray]]:
        """Linear maps of the layers, and their numbers."""
        for number, layer in enumerate(self.generator.layers):
            below, target = names[number], names[number + 1]
            key = f"{below}->{target}"
            yield Coupling(key, below, target, key), layer.weight
            if layer.skip is not None:
                key = f"{names[number - 1]}->{target}"
                yield Coupling(key, names[number - 1], target, key), layer.skip
            if layer.bias.any():
                key = f"{target} bias"
                yield Coupling(key, target, target, key, "constant"), layer.bias

    def solver(self, query: Query, given: tuple[Given, ...]) -> tuple[EngineName, Options]:
        """Langevin steps, with their number and sizes from what was measured."""
        return "langevin", {}

    def question(self) -> tuple[Query, tuple[Given, ...]]:
        """The most probable ``z`` given ``x``."""
        return Query("code", "z"), (Given("x"),)

    def require_complete(self) -> None:
        """Nothing is ever missing."""

    def __repr__(self) -> str:
        layers = len(self.generator.layers)
        return (
            f"LatentGaussian {self.name!r}: {_counted(self.dimension, 'dimension')}, "
            f"{_counted(layers, 'layer')}, noise {self.noise:g}"
        )


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
