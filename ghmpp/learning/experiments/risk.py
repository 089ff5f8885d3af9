r"""Risks beside the best that there is: exact inference gives the Bayes risk.

The distance of arXiv:2404.18444, eqs. (10) and (20), is the excess risk of the square loss:
:math:`\mathcal{D}_2^2 = E \|\mu_{NN} - \mu_*\|^2` of posteriors and
:math:`\mathcal{D}_2^2 = E\, d^{-1} \|m_{NN} - m\|^2` of means. No label is drawn: given an input,
the exact posterior says what every label costs, so that what remains to be averaged are inputs.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from ghmpp.compiler import Program
from ghmpp.errors import QueryError
from ghmpp.inference.estimates import Estimate
from ghmpp.learning.experiments.measure import Measured, measure


@dataclass(frozen=True, slots=True, repr=False)
class BayesRisk:
    """The least risk that any function of the input has.

    Parameters
    ----------
    query
        What is asked for, such as ``mean(pixel)``.
    square
        Of the square loss: of a posterior ``E sum_s (1[y = s] - p_s)^2``, of a mean the mean
        squared error of each node, in squared units of the state values.
    cross_entropy
        Of the cross-entropy, nats per node; None for a mean.
    rows
        Inputs.
    exact
        Whether these are all inputs that there are, with their probabilities.
    """

    query: str
    square: Estimate
    cross_entropy: Estimate | None
    rows: int
    exact: bool

    def __repr__(self) -> str:
        entropy = "" if self.cross_entropy is None else f"cross-entropy {self.cross_entropy}, "
        return f"Bayes risk of {self.query}: {entropy}square {self.square} ({_inputs(self)})"


@dataclass(frozen=True, slots=True, repr=False)
class Risk:
    """How far a network is from the Bayes risk.

    Parameters
    ----------
    network
        Name of its class.
    loss
        "cross-entropy" (posteriors), or "square" (means).
    excess
        Risk above the Bayes risk; nats per node, or squared units of the state values.
    bayes
        The Bayes risk itself.
    d2
        :math:`\\mathcal{D}_2^2` of arXiv:2404.18444, eqs. (10), (20), per node.
    query, rows, exact
        As in :class:`BayesRisk`.
    """

    network: str
    loss: str
    excess: Estimate
    bayes: Estimate
    d2: Estimate
    query: str
    rows: int
    exact: bool

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the excess; it is not below 0."""
        low, high = self.excess.interval
        return max(low, 0.0), high

    @property
    def risk(self) -> float:
        """The network's own risk."""
        return self.bayes.value + self.excess.value

    def __repr__(self) -> str:
        low, high = self.interval
        within = "exact" if self.exact else f"95 %: {low:.4g} to {high:.4g}"
        distance = "" if self.loss == "square" else f", D_2^2 {self.d2}"
        return (
            f"Risk of {self.network}, {self.query}: {self.loss} {self.risk:.4g} = Bayes "
            f"{self.bayes.value:.4g} + excess {self.excess.value:.4g} ({within}){distance}; "
            f"{_inputs(self)}"
        )


def bayes_risk(program: Program, n: int = 10_000, seed: int = 0, **channel: float) -> BayesRisk:
    """The Bayes risk of a program's question.

    Parameters
    ----------
    program
        One posterior or mean, given states or observations with noise.
    n, seed
        Inputs that are drawn. Where no more than ``n`` different ones exist, all are summed up
        with their probabilities, and the result is exact.
    channel
        Channel parameters in place of the compiled ones, such as ``sigma=4.0``.

    Raises
    ------
    QueryError
        If the program has several queries, or ``n`` is below 2.
    EvidenceError
        If a channel parameter is unknown or out of range.

    Examples
    --------
    A bit seen through an error of probability 0.1:

    >>> import ghmpp as gh
    >>> model = gh.zoo.broadcast(depth=1, flip=0.1, branching=1)
    >>> gh.bayes_risk(gh.compile(model, gh.posterior("x0"), given="x1"))
    Bayes risk of posterior(x0): cross-entropy 0.3251, square 0.18 (all 2 inputs)
    """
    found = measure(program, (), n, seed, channel, "bayes_risk")
    entropy = None if found.entropy is None else found.mean(found.entropy)
    exact = found.weights is not None
    return BayesRisk(asked(program), found.mean(found.spread), entropy, found.rows, exact)


def excess_risk(
    network: nn.Module, program: Program, n: int = 10_000, seed: int = 0, **channel: float
) -> Risk:
    """How much more a network loses than the best possible one.

    Parameters
    ----------
    network
        Any module that takes the program's inputs and answers as its networks do: probabilities
        or means, batch first.
    program, n, seed, channel
        As for :func:`bayes_risk`; with channel parameters the network is called with them, too.

    Raises
    ------
    QueryError
        If the program has several queries, ``n`` is below 2, or the network answers with another
        shape, with NaN, or with what are no probabilities.
    EvidenceError
        If a channel parameter is unknown or out of range.

    Examples
    --------
    >>> import ghmpp as gh
    >>> model = gh.zoo.broadcast(depth=2, flip=0.1)
    >>> program = gh.compile(model, gh.posterior("x0"), given="x2")
    >>> gh.excess_risk(program.network(), program).excess.value < 1e-12
    True
    """
    if not isinstance(network, nn.Module):
        raise QueryError(f"excess_risk: network must be a torch module, got {network!r}.")
    found = measure(program, (network,), n, seed, channel, "excess_risk")
    return risks_of(found, program, (type(network).__name__,))[0]


def risks_of(found: Measured, program: Program, names: tuple[str, ...]) -> list[Risk]:
    """The risks of networks that were measured together."""
    losses = found.divergence or found.distance
    bayes = found.spread if found.entropy is None else found.entropy
    return [
        Risk(
            name,
            "square" if found.entropy is None else "cross-entropy",
            found.mean(losses[k]),
            found.mean(bayes),
            found.mean(found.distance[k]),
            asked(program),
            found.rows,
            found.weights is not None,
        )
        for k, name in enumerate(names)
    ]


def asked(program: Program) -> str:
    """The question of a program in words."""
    return f"{program.queries[0].kind}({program.queries[0].variable})"


def _inputs(found: BayesRisk | Risk) -> str:
    return f"all {found.rows:,} inputs" if found.exact else f"{found.rows:,} inputs drawn"
