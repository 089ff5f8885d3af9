r"""What of a network's error is due to its size, and what to its training.

arXiv:2404.18444 splits :math:`\mathcal{D}_2^2` of a learned network into an approximation error,
what the best network of that width has, and an estimation error. Here the first is that of the
compiled ReLU network, whose weights were computed; what the trained one has beyond it is the
second, which is negative where training has found better weights than the construction.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import nn

from ghmpp.backends.network import Network
from ghmpp.compiler import Program
from ghmpp.errors import QueryError
from ghmpp.inference.estimates import Estimate
from ghmpp.learning.experiments.measure import measure
from ghmpp.learning.experiments.paths import find_path
from ghmpp.learning.experiments.risk import asked
from ghmpp.theory.paper import theorem_1, theorem_4


@dataclass(frozen=True, slots=True, repr=False)
class Decomposition:
    """Squared distance of a trained network from the exact answer, in two parts.

    Parameters
    ----------
    query
        What is asked for.
    width
        Units of the hidden layers of both networks.
    approximation
        :math:`\\mathcal{D}_2^2` of the compiled network.
    estimation
        What the trained network has more, on the same inputs.
    total
        :math:`\\mathcal{D}_2^2` of the trained network: the sum.
    guaranteed
        Proved bound of the approximation part, from the certificate of the compiled network.
    theorem, bound
        Theorem of arXiv:2404.18444 about the total, and its bound with the open constant C = 1;
        None where it says nothing, because potentials have zeros, no number of samples was
        given, or the model is no regular tree.
    """

    query: str
    width: int
    approximation: Estimate
    estimation: Estimate
    total: Estimate
    guaranteed: float
    theorem: str
    bound: float | None

    def __repr__(self) -> str:
        bound = "none" if self.bound is None else f"{self.bound:.3g}"
        return "\n".join(
            (
                f"Squared distance from the exact {self.query}, width {self.width}",
                f"  approximation (compiled): {self.approximation}, "
                f"guaranteed {self.guaranteed:.3g}",
                f"  estimation (trained - compiled): {self.estimation}",
                f"  total (trained): {self.total}",
                f"  bound of {self.theorem} with C = 1: {bound}",
            )
        )


def decompose_risk(
    network: nn.Module,
    program: Program,
    n: int = 10_000,
    seed: int = 0,
    *,
    width: int | None = None,
    samples: int | None = None,
    eta: float = 0.05,
    **channel: float,
) -> Decomposition:
    """Approximation and estimation error of a trained network, with the theorem's bound.

    What such errors do to samples is the question of :func:`ghmpp.sampling_error`.

    Parameters
    ----------
    network
        The trained network.
    program, n, seed, channel
        As for :func:`ghmpp.excess_risk`.
    width
        Units of the hidden layers; None = those of a network of the family "trainable".
    samples
        Samples that it was trained on, for the bound; None = no bound.
    eta
        Probability with which the bound may fail.

    Raises
    ------
    QueryError
        If the width is unknown, ``samples`` or ``eta`` are out of range, no network of the width
        can be compiled, or as for :func:`ghmpp.excess_risk`.
    CertificateError
        If a network of that width guarantees nothing.

    Examples
    --------
    >>> import ghmpp as gh
    >>> model = gh.zoo.random_ghm(2, (2, 2), bound=2)
    >>> program = gh.compile(model, gh.posterior("x0"), given="x2")
    >>> parts = gh.decompose_risk(program.network("trainable", width=16), program)
    >>> bool(parts.approximation.value < parts.guaranteed < parts.total.value)
    True
    """
    units = _width(network) if width is None else width
    compiled = program.network("relu", width=units)
    found = measure(program, (network, compiled), n, seed, channel, "decompose_risk")
    ours, theirs = found.distance
    kind = program.queries[0].kind
    theorem = theorem_1 if kind == "posterior" else theorem_4
    assert compiled.certificate is not None
    return Decomposition(
        asked(program),
        units,
        found.mean(theirs),
        found.mean(ours - theirs),
        found.mean(ours),
        _guaranteed(compiled.certificate.bound, kind),
        theorem.name.split(",")[0],
        None if samples is None else theorem_bound(program, units, samples, eta),
    )


def theorem_bound(
    program: Program, width: int, samples: int, eta: float = 0.05, constant: float = 1.0
) -> float | None:
    """Bound of Theorem 1 or 4 of arXiv:2404.18444 at the numbers of a model.

    Parameters
    ----------
    program
        A posterior of the root or a mean of the leaves.
    width, samples, eta
        Units of the hidden layers, samples, probability of failure.
    constant
        The C that the paper leaves open.

    Returns
    -------
    the bound, or None where an assumption fails: zeros, or no regular tree

    Raises
    ------
    QueryError
        If a number is out of range.

    Examples
    --------
    >>> import ghmpp as gh
    >>> model = gh.zoo.random_ghm(2, (2, 2), bound=2)
    >>> program = gh.compile(model, gh.posterior("x0"), given="x2")
    >>> theorem_bound(program, 64, 10**9) < theorem_bound(program, 64, 10**6)
    True
    """
    model, query = program.model, program.queries[0]
    known = model.assumptions()
    if not (known.assumption_1 and known.assumption_2):
        return None
    try:
        path = find_path(model, program.given[0].variable, "theorem_bound")
    except QueryError:
        return None
    theorem = theorem_1 if query.kind == "posterior" else theorem_4
    return theorem.value(
        C=constant,
        S=max(len(each.states) for each in model.variables.values()),
        K=known.bound,
        L=len(path.branching),
        d=math.prod(path.branching),
        m_1=sum(path.branching),
        D=width,
        n=samples,
        eta=eta,
    )


def _guaranteed(bound: float, kind: str) -> float:
    """Bound of the squared distance, from that of log posteriors or of means.

    Lemma 4 of arXiv:2404.18444: logs that differ by delta, ``(exp(delta) - 1)^2``.
    """
    return math.expm1(bound) ** 2 if kind == "posterior" else bound**2


def _width(network: nn.Module) -> int:
    options = network.origin.options if isinstance(network, Network) and network.origin else {}
    found = options.get("width") if options else None
    if isinstance(found, int):
        return found
    if options and options["family"] == "trainable" and options["init"] == "random":
        return 64
    raise QueryError(
        "decompose_risk: the width of the network is not known; pass width= of its hidden layers."
    )
