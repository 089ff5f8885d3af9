"""Mean field and TAP: fixed points of the means of all sites, unrolled.

Each step maps the means m of all sites to new ones. A class with couplings inside it is updated
at once; classes are updated one after another, each from the newest means of the others, so that
the steps of a restricted Boltzmann machine go visible, hidden, visible, hidden.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from ghmpp._arrays import FloatArray, read_only
from ghmpp.errors import GuaranteeWarning, QueryError
from ghmpp.models.forest import Forest
from ghmpp.models.spectrum import Spectrum, spectrum
from ghmpp.schedule.fields import require_count
from ghmpp.schedule.ir import Schedule, Term, Value
from ghmpp.schedule.sites import Fields, Sites

Onsager = Literal["constant", "self"]
# Where the number of steps is not given: those that shrink an error so far, but no more than.
TOLERANCE, MOST_STEPS = 1e-8, 200


@dataclass(frozen=True, slots=True)
class NaiveMeanField:
    r"""Naive mean field: ``m = tanh(A m + a)``, step by step.

    The fixed points are the stationary points of the mean-field free energy [1]_

    .. math:: F(m) = -\sum_i h(m_i) - \langle m, A m\rangle / 2 - \langle a, m\rangle,

    where h is the entropy of a spin of that mean and a the field from evidence and constants.
    Each step is ``m <- damping m + (1 - damping) tanh(A m + a)``, from m = 0; the last one is
    taken without damping, and its field is what posteriors and means are read off.

    Parameters
    ----------
    steps
        Number of steps, at least 1. None: as many as shrink an error to 1e-8, where the spectrum
        of A says so, at most 200.
    damping
        Share of the old mean, in [0, 1). None: what the spectrum of A asks for, see
        :attr:`ghmpp.models.spectrum.Spectrum.damping`.

    Raises
    ------
    QueryError
        If a number is out of range.

    References
    ----------
    .. [1] S. Mei, Y. Wu, Deep networks as denoising algorithms, arXiv:2309.11420.
    """

    steps: int | None = None
    damping: float | None = None

    def __post_init__(self) -> None:
        check_iteration(type(self).__name__, self.steps, self.damping)

    def build(
        self, forest: Forest, outputs: Collection[tuple[str, str]], observed: Collection[str]
    ) -> Schedule:
        """The schedule of the steps.

        Parameters
        ----------
        forest
            Of spins, or of sites with a prior.
        outputs
            Pairs (kind, class) with the kinds "posterior" and "mean".
        observed
            Classes that receive evidence.

        Raises
        ------
        QueryError
            If there are no such sites, or another kind is asked.

        Warns
        -----
        GuaranteeWarning
            If the eigenvalues of A do not guarantee one fixed point that the steps reach.
        """
        sites = Sites(forest, observed)
        damping, steps = iteration(self, sites, np.zeros(len(sites.slopes)))
        return Unrolled(sites, sites.inputs, damping).schedule(outputs, steps)


@dataclass(frozen=True, slots=True)
class TAP:
    r"""Mean field with the Onsager correction: what a site hears is not its own echo.

    Self-consistent [1]_, the field of site i is

    .. math:: h_i = a_i + \sum_j A_{ij} m_j - m_i \sum_j A_{ij}^2 (1 - m_j^2),

    constant [2]_, the sum is :math:`K_i = \sum_j A_{ij}^2 (1 - q_j)` with the overlap
    :math:`q_j`, the mean of :math:`m_j^2` at the noise level that the program is compiled for
    (:func:`ghmpp.models.spins_overlap.overlaps`): ``m = tanh((A - K) m + a)`` is a residual
    network with other weights. At another noise level, "self" adapts and "constant" does not.

    Of sites with a prior, ``1 - m^2`` is their variance, and their curvature loses
    :math:`\sum_j A_{ij}^2 v_j`.

    Parameters
    ----------
    steps, damping
        As for :class:`NaiveMeanField`, for the spectrum of A - K; "self" takes the largest K,
        that of q = 0.
    onsager
        "self" or "constant".

    Raises
    ------
    QueryError
        If an option is unknown or out of range.

    References
    ----------
    .. [1] D. J. Thouless, P. W. Anderson, R. G. Palmer, Phil. Mag. 35 (1977), 593-601.
    .. [2] S. Mei, Y. Wu, Deep networks as denoising algorithms, arXiv:2309.11420.
    """

    steps: int | None = None
    damping: float | None = None
    onsager: Onsager = "self"

    def __post_init__(self) -> None:
        check_iteration(type(self).__name__, self.steps, self.damping)
        if self.onsager not in get_args(Onsager):
            known = ", ".join(map(repr, get_args(Onsager)))
            raise QueryError(f"TAP: unknown onsager={self.onsager!r}; known: {known}.")

    def build(
        self, forest: Forest, outputs: Collection[tuple[str, str]], observed: Collection[str]
    ) -> Schedule:
        """The schedule of the steps; arguments as for :meth:`NaiveMeanField.build`.

        Raises
        ------
        QueryError
            If a constant correction is wanted for sites that are no spins, or as for
            :meth:`NaiveMeanField.build`.

        Warns
        -----
        GuaranteeWarning
            If the eigenvalues of A - K do not guarantee one fixed point that the steps reach. Of
            "self", whose K changes from step to step, they never do; it is warned of where they
            do not for the largest K.
        """
        sites = Sites(with_squares(forest) if self.onsager == "self" else forest, observed)
        damping, steps = iteration(self, sites, self._correction(sites))
        return Unrolled(sites, sites.inputs, damping, self.onsager).schedule(outputs, steps)

    def _correction(self, sites: Sites) -> FloatArray:
        """The correction of each site that damping reckons with, (sites,)."""
        matrix, places = sites.joint
        if self.onsager == "self":
            return matrix**2 @ sites.slopes
        correction = np.zeros(len(matrix))
        for block, place in places.items():
            if sites.has_prior(block):
                raise QueryError(
                    f"TAP: the constant correction is for spins, and {block!r} has a prior of its "
                    "own; use onsager='self'."
                )
            if f"{block} onsager" in sites.forest.couplings:
                correction[place] = sites.forest.data[f"{block} onsager"]
        return correction


@dataclass(frozen=True)
class Unrolled:
    """Steps of a fixed-point iteration over the means of all sites.

    Parameters
    ----------
    sites
        Whose instructions are written.
    inputs
        The field on each block from evidence and constants, written before the steps.
    damping
        Share of the old values.
    onsager
        Which correction.
    """

    sites: Sites
    inputs: Mapping[str, Value | None]
    damping: float
    onsager: Onsager | None = None

    def schedule(self, outputs: Collection[tuple[str, str]], steps: int) -> Schedule:
        """The schedule of ``steps`` steps, the last one undamped."""
        sites, build = self.sites, self.sites.builder
        blocks = sites.blocks
        spread = [block for block in blocks if self.onsager == "self" and sites.has_prior(block)]

        def step(*old: Value) -> list[Value]:
            means, variances = _parted(blocks, spread, old)
            self.sweep(means, variances, self.damping)
            return [*means.values(), *variances.values()]

        start = [build.zero(block) for block in (*blocks, *spread)]
        means, variances = _parted(blocks, spread, build.repeat(steps - 1, start, step))
        fields = self.sweep(means, variances, 0.0)
        return sites.finish(outputs, fields, means)

    def sweep(
        self, means: dict[str, Value], variances: dict[str, Value], damping: float
    ) -> dict[str, Value]:
        """Update all blocks in place, one after another, and give their fields."""
        fields: dict[str, Value] = {}
        for block in self.sites.blocks:
            slack = self.slack(block, means, variances)
            h = fields[block] = self.field(block, means, slack)
            less = [] if slack is None else [Term(slack, scale=-1.0)]
            mean, variance = self.sites.moments(block, h, less)
            means[block] = self.damped(block, means[block], mean, damping)
            if variance is not None and block in variances:
                variances[block] = self.damped(block, variances[block], variance, damping)
        return fields

    def damped(self, block: str, old: Value, new: Value, damping: float) -> Value:
        """Part old, part new."""
        if damping == 0:
            return new
        terms = Term(old, scale=damping), Term(new, scale=1 - damping)
        return self.sites.builder.couple(block, *terms)

    def field(self, block: str, means: Fields, slack: Value | None) -> Value:
        """The field of a block, from the means of all sites."""
        build, own = self.sites.builder, self.inputs[block]
        terms = [] if own is None else [Term(own)]
        terms += self.sites.couplings(block, means)
        constant = f"{block} onsager"
        if self.onsager == "constant" and constant in self.sites.forest.couplings:
            terms.append(Term(means[block], constant, scale=-1.0))
        if slack is not None:
            terms.append(Term(build.gate(block, means[block], slack), scale=-1.0))
        return build.couple(block, *terms)

    def slack(self, block: str, means: Fields, variances: Fields) -> Value | None:
        """Sum of squared couplings times the variances at their other ends."""
        if self.onsager != "self":
            return None
        build, terms = self.sites.builder, []
        for each in self.sites.pairs:
            if block not in (each.target, each.source):
                continue
            other = each.source if each.target == block else each.target
            v = variances.get(other)
            if v is None:
                v = build.local(other, "one_minus_square", means[other])
            terms.append(Term(v, f"{each.name} squared", transposed=each.target != block))
        return build.couple(block, *terms) if terms else None


def _parted(
    blocks: Sequence[str], spread: Sequence[str], values: Sequence[Value]
) -> tuple[dict[str, Value], dict[str, Value]]:
    """Means of all blocks, then variances of some."""
    count = len(blocks)
    means = dict(zip(blocks, values[:count], strict=True))
    return means, dict(zip(spread, values[count:], strict=True))


def iteration(
    engine: NaiveMeanField | TAP, sites: Sites, correction: FloatArray
) -> tuple[float, int]:
    """Damping and number of steps, chosen where they are not given.

    Parameters
    ----------
    engine
        Whose steps.
    sites
        What is iterated; damping is chosen for the worst of the blocks, which are updated at once.
    correction
        What the diagonal of the linear part loses, (sites,).
    """
    matrix, places = sites.joint
    steps, damping = engine.steps, engine.damping
    root = np.sqrt(sites.slopes)
    matrix = root[:, None] * (matrix - np.diag(correction)) * root
    inside = [spectrum(matrix[place, place]) for place in places.values()]
    whole = inside[0] if len(inside) == 1 else spectrum(matrix)
    if damping is None:
        damping = max(part.damping for part in inside)
    judged = Spectrum(min(part.smallest for part in inside), whole.largest)
    if judged.rate(damping) >= 1:
        _warn(engine, whole, damping)
    if steps is None:
        steps = max(2, judged.steps(damping, TOLERANCE, MOST_STEPS))
    return damping, steps


def _warn(engine: NaiveMeanField | TAP, found: Spectrum, damping: float) -> None:
    """Say what is not guaranteed, and the number that it depends on."""
    if found.unique:
        told = f"with damping={damping:g} steps may never settle; leave damping= out"
    else:
        told = (
            "one fixed point is guaranteed only where the latter is below 1; of several, the start "
            "m = 0 decides which is reached"
        )
    warnings.warn(
        f"{type(engine).__name__}: {'A - K' if isinstance(engine, TAP) else 'A'} has the operator "
        f"norm {found.norm:.4g} and the largest eigenvalue {found.largest:.4g}: {told}.",
        GuaranteeWarning,
        stacklevel=6,  # where gh.compile is called
    )


def with_squares(forest: Forest) -> Forest:
    """The forest with a further coupling "... squared" for each one between sites."""
    couplings, data = dict(forest.couplings), dict(forest.data)
    for each in Sites(forest, ()).pairs:
        name = f"{each.name} squared"
        couplings[name] = replace(each, name=name, key=name)
        data[name] = read_only(data[each.key] ** 2)
    return replace(forest, couplings=couplings, data=data)


def check_iteration(engine: str, steps: int | None, damping: float | None) -> None:
    """Refuse steps and damping that are out of range."""
    if steps is not None:
        require_count(engine, "steps", steps)
    if damping is not None and not (isinstance(damping, (int, float)) and 0 <= damping < 1):
        raise QueryError(
            f"{engine}: damping is the share of the old value and must lie in [0, 1), got "
            f"{damping!r}."
        )
