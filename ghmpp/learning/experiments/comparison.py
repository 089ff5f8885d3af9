"""Networks trained on the same question, side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, get_args

from torch import nn

from ghmpp.compiler import Program
from ghmpp.errors import QueryError
from ghmpp.learning.experiments.baselines import BaselineName, baseline
from ghmpp.learning.experiments.measure import measure
from ghmpp.learning.experiments.risk import risks_of
from ghmpp.learning.training.streams import of
from ghmpp.learning.training.train import train as train_network

if TYPE_CHECKING:
    import pandas as pd

Maker = Callable[[int], nn.Module]
ARCHITECTURES = ("trainable", *get_args(BaselineName))


class Trainer(Protocol):
    """Trains a network for the question of a program, on data of the program's model."""

    def __call__(self, network: nn.Module, program: Program, seed: int) -> object:
        """Train in place; or return another module, which then stands for it."""


TrainerLike: TypeAlias = Trainer | Mapping[str, Any] | None


def compare_architectures(
    program: Program,
    architectures: Sequence[str] | Mapping[str, Maker] = ARCHITECTURES,
    *,
    train: TrainerLike = None,
    samples: int | None = None,
    width: int = 64,
    seeds: Sequence[int] = (0,),
    n: int = 10_000,
    seed: int = 0,
    **channel: float,
) -> pd.DataFrame:
    """Train several architectures for one question and measure their excess risks.

    Parameters
    ----------
    program
        One posterior or mean.
    architectures
        "trainable", the emitted network; names of :func:`ghmpp.baseline`; or a dictionary of
        functions that make a network from a seed, by name.
    train
        Options of :func:`ghmpp.train`, such as ``{"steps": 500}``, which is run on draws of the
        model; or another function, called as ``train(network, program, seed)``. A rate for "sgd"
        is multiplied by ``network.rate_factor``, where it has one.
    samples
        Samples that are trained on; None = fresh ones at every step.
    width
        Of all networks.
    seeds
        Of weights and training, one network for each.
    n, seed, channel
        As for :func:`ghmpp.excess_risk`; all networks see the same inputs.

    Returns
    -------
    DataFrame, one row per architecture and seed
        Columns: architecture, seed, parameters (trained numbers), excess with its 95 % interval
        low and high, d2, bayes (the least risk), loss.

    Raises
    ------
    QueryError
        If an architecture is unknown or does not fit, there are no seeds, or as for
        :func:`ghmpp.excess_risk`.

    Examples
    --------
    >>> import ghmpp as gh
    >>> program = gh.compile(gh.zoo.broadcast(2, 0.1), gh.posterior("x0"), given="x2")
    >>> untrained = lambda network, program, seed: None
    >>> table = gh.compare_architectures(program, ["trainable", "mlp"], train=untrained, width=8)
    >>> list(table["architecture"])
    ['trainable', 'mlp']
    """
    makers = architectures
    if not isinstance(makers, Mapping):
        makers = {name: _maker(program, name, width) for name in makers}
    return trained_risks(
        program,
        makers,
        train=trainer(train, samples, "compare_architectures"),
        seeds=seeds,
        n=n,
        seed=seed,
        channel=channel,
        where="compare_architectures",
        column="architecture",
    )


def trained_risks(
    program: Program,
    makers: Mapping[str, Maker],
    *,
    train: Trainer,
    seeds: Sequence[int],
    n: int,
    seed: int,
    channel: Mapping[str, float],
    where: str,
    column: str,
) -> pd.DataFrame:
    """Make, train and measure networks; arguments as for :func:`compare_architectures`."""
    import pandas as pd

    if not seeds or not makers:
        raise QueryError(f"{where}: nothing to train; pass at least one network and one seed.")
    cases = [(name, number) for name in makers for number in seeds]
    networks = [_trained(makers[name](number), program, number, train) for name, number in cases]
    found = measure(program, networks, n, seed, channel, where)
    risks = risks_of(found, program, tuple(name for name, _ in cases))
    rows = [
        {
            column: name,
            "seed": number,
            "parameters": trained_numbers(network),
            "excess": risk.excess.value,
            "low": risk.interval[0],
            "high": risk.interval[1],
            "d2": risk.d2.value,
            "bayes": risk.bayes.value,
            "loss": risk.loss,
        }
        for (name, number), network, risk in zip(cases, networks, risks, strict=True)
    ]
    return pd.DataFrame(rows)


def trainer(train: TrainerLike, samples: int | None, where: str) -> Trainer:
    """What trains; by default :func:`ghmpp.train` on a stream of the program.

    Raises
    ------
    QueryError
        If it is neither options nor a function, or a function is to be told of samples.
    """
    if callable(train):
        if samples is not None:
            raise QueryError(
                f"{where}: samples= is for ghmpp.train; a function draws its own data."
            )
        return train
    if train is not None and not isinstance(train, Mapping):
        raise QueryError(
            f"{where}: train must be options of ghmpp.train or a function (network, program, "
            f"seed), got {train!r}."
        )
    given = {"validation": 0, "progress": False, **(train or {})}

    def run(network: nn.Module, program: Program, seed: int) -> nn.Module:
        options = dict(given)
        factor = getattr(network, "rate_factor", 1)
        if options.get("optimizer") == "sgd" and options.get("rate") is not None:
            options["rate"] *= factor
        stream = of(program, n=samples, seed=seed)
        return train_network(network, stream, **{"seed": seed, **options}).network

    return run


def trained_numbers(network: nn.Module) -> int:
    """Numbers of a network that training changes."""
    return sum(each.numel() for each in network.parameters() if each.requires_grad)


def _trained(network: nn.Module, program: Program, seed: int, train: Trainer) -> nn.Module:
    result = train(network, program, seed)
    return result if isinstance(result, nn.Module) else network


def _maker(program: Program, name: str, width: int) -> Maker:
    if name == "trainable":
        return lambda seed: program.network("trainable", width=width, seed=seed)
    for kind in get_args(BaselineName):
        if name == kind:
            return lambda seed: baseline(program, kind, width=width, seed=seed)
    known = ", ".join(map(repr, ARCHITECTURES))
    raise QueryError(f"compare_architectures: unknown architecture {name!r}; known: {known}.")
