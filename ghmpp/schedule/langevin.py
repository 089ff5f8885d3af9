r"""Encoders of latent Gaussian models: gradient and Langevin steps, as a schedule of fields.

A generator is a feed-forward network from the latent block to the observed one. A step runs it
forward, takes the difference to x, and runs it backward: the same couplings transposed, and the
slope of each activation as a gate. No Jacobian is ever formed, so a step costs two passes through
the generator.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import cast

from ghmpp.errors import QueryError
from ghmpp.models.forest import Coupling, Forest
from ghmpp.schedule.build import Output
from ghmpp.schedule.fields import FieldBuilder, require_count
from ghmpp.schedule.functions import SMOOTH, FunctionName
from ghmpp.schedule.ir import Schedule, Term, Value

# Langevin steps are this share of the inverse largest curvature of the energy by default.
SHARE = 0.1
# What is left of the start after the default number of steps.
LEFT = 1e-3
# Defaults beyond this many steps are refused.
MOST_STEPS = 10**5


@dataclass(frozen=True, slots=True)
class Langevin:
    r"""Gradient steps to the inverse of x, then Langevin steps around it.

    From ``z = 0``, first ``gradient_steps`` times, then ``steps`` times

    .. math:: z \leftarrow z - \eta\, J_G(z)^\top (G(z) - x), \qquad
              z \leftarrow z - h \left(z + \beta^{-2} J_G(z)^\top (G(z) - x)\right)
              + \sqrt{2h}\, \xi.

    Every step is one layer of a deep latent Gaussian (Definition 2 of [1]_): its mean is a network
    of the layer before, ``c_1 z + c_2 J_G(z)'(G(z) - x)``, and its standard deviation 0 or
    ``sqrt(2h)``. All layers of a kind have the same weights, which do not depend on x. The most
    probable value (``code``) leaves the noise out.

    Parameters
    ----------
    gradient_steps
        S; None = ``log(d M^2 / beta^2) Q / max(m, beta)^2``, after which the misfit is of the
        size of the noise. Directions in which G moves by less than that need no steps: z = 0
        explains them as well, and the prior decides.
    steps
        T / h; None = ``log(1000) / (h (1 + m^2 / beta^2))``, after which a thousandth of the
        start is left.
    step
        h; None = ``0.1 / (1 + M^2 / beta^2)``, a tenth of the inverse largest curvature of the
        energy of a linear generator; below 20 times that, else the steps diverge. The error of
        the law of z falls as ``h``, the number of steps grows as ``1 / h``.
    rate
        eta, below ``2 / M^2``; None = ``1 / Q``.

    References
    ----------
    .. [1] D. Pareek, A. Risteski, The Effects of Invertibility on the Representational Complexity
       of Encoders in Variational Autoencoders, arXiv:2107.04652, Theorem 1.

    Examples
    --------
    >>> from ghmpp.models.latent import LatentGaussian
    >>> forest = LatentGaussian([([[2.0]], [0.0])], noise=0.5).forest()
    >>> found = Langevin().resolved(forest)
    >>> found.gradient_steps, found.steps, round(found.step, 4)
    (3, 70, 0.0059)
    """

    gradient_steps: int | None = None
    steps: int | None = None
    step: float | None = None
    rate: float | None = None

    def __post_init__(self) -> None:
        for name in ("gradient_steps", "steps"):
            count = getattr(self, name)
            if count is not None:
                require_count("Langevin", name, count, least=0)
        for name in ("step", "rate"):
            size = getattr(self, name)
            good = isinstance(size, (int, float)) and math.isfinite(size) and size > 0
            if size is not None and not good:
                raise QueryError(f"Langevin: {name} must be finite and > 0, got {size!r}.")

    def resolved(self, forest: Forest) -> Langevin:
        """The same with numbers for all that was left open, from those of the model.

        Raises
        ------
        QueryError
            If the forest is of no latent Gaussian model, steps of the given sizes would diverge,
            or the default counts are too large.
        """
        if "noise" not in forest.parameters:
            raise QueryError(
                f"Langevin: model {forest.name!r} is no latent Gaussian; its forest has no noise."
            )
        beta, m, big, curvature = (
            forest.parameters[name] for name in ("noise", "smallest", "largest", "curvature")
        )
        _require_below("step", self.step, 2 / (1 + (big / beta) ** 2), "2 / (1 + M^2 / beta^2)")
        _require_below("rate", self.rate, 2 / big**2, "2 / M^2")
        nodes = next(iter(forest.blocks.values())).nodes
        rate = self.rate or 1 / curvature
        step = self.step or SHARE / (1 + (big / beta) ** 2)
        return replace(
            self,
            rate=rate,
            step=step,
            gradient_steps=_count(
                "gradient_steps",
                self.gradient_steps,
                math.log(max(nodes * (big / beta) ** 2, 2)) / (rate * max(m, beta) ** 2),
            ),
            steps=_count("steps", self.steps, math.log(1 / LEFT) / (step * (1 + (m / beta) ** 2))),
        )

    def build(
        self, forest: Forest, outputs: Collection[Output], observed: Collection[str]
    ) -> Schedule:
        """The schedule of a draw of the latent block, of its most probable value, or of both.

        Parameters
        ----------
        forest
            Of a latent Gaussian: blocks from the latent to the observed one, and couplings.
        outputs
            ``("draw", "z")`` and ``("code", "z")``.
        observed
            The observed class.

        Raises
        ------
        QueryError
            If something else is asked or given.
        """
        chosen = self.resolved(forest)
        latent, *_, seen = forest.blocks
        if set(observed) != {seen}:
            raise QueryError(
                f"Langevin: exactly {seen!r} must be given, got {', '.join(observed) or 'nothing'}."
            )
        for kind, block in outputs:
            if kind not in ("draw", "code") or block != latent:
                raise QueryError(
                    f"Langevin: cannot answer {kind} of {block!r}; ask for a draw of {latent!r} "
                    "(average many for the mean), or for its code, the most probable value."
                )
        build = FieldBuilder(forest)
        steps = _Steps(build, build.evidence(seen))
        rate, step = cast("float", chosen.rate), cast("float", chosen.step)
        (start,) = build.repeat(
            chosen.gradient_steps or 0,
            [build.zero(latent)],
            lambda z: [steps.descend(z, 1.0, rate)],
        )
        pull = step / forest.parameters["noise"] ** 2
        answers = []
        for kind, _ in outputs:
            scale = math.sqrt(2 * step) if kind == "draw" else 0.0

            def body(z: Value, scale: float = scale) -> list[Value]:
                moved = steps.descend(z, 1 - step, pull)
                return [build.noise(latent, moved, scale) if scale else moved]

            (z,) = build.repeat(chosen.steps or 0, [start], body)
            answers.append(build.readout("draw" if scale else "code", latent, z))
        return build.schedule(answers)


@dataclass(frozen=True, slots=True)
class _Steps:
    """Writes descent steps on the misfit to the observed ``x``."""

    build: FieldBuilder
    x: Value

    def descend(self, z: Value, keep: float, rate: float) -> Value:
        """``keep z - rate J'(G(z) - x)``."""
        forest = self.build.forest
        latent, *layers = forest.blocks
        values: dict[str, Value] = {latent: z}
        inner: dict[str, Value] = {}
        for block in layers:
            function = forest.blocks[block].function
            extra = () if function or block != layers[-1] else (Term(self.x, scale=-1.0),)
            inner[block] = self.build.couple(block, *self._forward(block, values), *extra)
            values[block] = inner[block]
            if function is not None:
                name = cast("FunctionName", function)
                values[block] = self.build.local(block, name, inner[block])
        back: dict[str, list[Term]] = {block: [] for block in forest.blocks}
        last = layers[-1]
        if forest.blocks[last].function is not None:
            missed = self.build.couple(last, values[last], Term(self.x, scale=-1.0))
        else:
            missed = values[last]
        for block in reversed(layers):
            arrived = missed if block == last else self.build.couple(block, *back[block])
            sent = self._through(block, inner[block], arrived)
            for found in self._arriving(block):
                scale = -rate if found.source == latent else 1.0
                back[found.source].append(Term(sent, found.name, transposed=True, scale=scale))
        return self.build.couple(latent, Term(z, scale=keep), *back[latent])

    def _arriving(self, block: str) -> list[Coupling]:
        """Couplings from the layers below."""
        couplings = self.build.forest.couplings.values()
        return [each for each in couplings if each.target == block and each.kind != "constant"]

    def _forward(self, block: str, values: dict[str, Value]) -> list[Term]:
        """What arrives at a layer: linear maps of the layers below, and its bias."""
        terms = [Term(values[each.source], each.name) for each in self._arriving(block)]
        for each in self.build.forest.couplings.values():
            if each.target == block and each.kind == "constant":
                terms.append(Term(None, each.name))
        return terms

    def _through(self, block: str, inner: Value, arrived: Value) -> Value:
        """Back through the activation of a layer."""
        function = self.build.forest.blocks[block].function
        if function is None:
            return arrived
        slope = self.build.local(block, SMOOTH[cast("FunctionName", function)], inner)
        return self.build.gate(block, arrived, slope)


def _require_below(name: str, size: float | None, bound: float, formula: str) -> None:
    if size is not None and not size < bound:
        raise QueryError(
            f"Langevin: {name} must be below {formula} = {bound:.3g}, or the steps diverge; got "
            f"{size:g}."
        )


def _count(name: str, given: int | None, default: float) -> int:
    if given is not None:
        return int(given)
    if not default <= MOST_STEPS:
        raise QueryError(
            f"Langevin: the measured constants ask for {default:.2g} {name}, more than "
            f"{MOST_STEPS:,}; the generator is close to singular, or the noise is very small. "
            f"Pass {name}= to run it all the same."
        )
    return max(1, math.ceil(default))
