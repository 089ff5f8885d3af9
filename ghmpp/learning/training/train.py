"""Training: networks on data, with the exact answer beside them, and models by their evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from torch import nn

from ghmpp.backends.network import Network
from ghmpp.errors import MissingFolderError, QueryError, UsageError
from ghmpp.learning.training.history import picture, summary, table
from ghmpp.learning.training.likelihood import LikelihoodObjective
from ghmpp.learning.training.loop import Callback, Run
from ghmpp.learning.training.losses import LossLike
from ghmpp.learning.training.objectives import NetworkObjective
from ghmpp.learning.training.options import OptimizerName, Options, ScheduleName
from ghmpp.learning.training.problems import BayesLike, model_problem, network_problem
from ghmpp.models.model import Model

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

# Rates that reach the Bayes risk of random models; compiled nets and tables start near it.
RATES = {"adamw": 5e-3, "sgd": 0.05}
COMPILED_RATES = {"adamw": 3e-4, "sgd": 1e-3}
TABLE_RATES = {"adamw": 0.05, "sgd": 0.5}
# Evaluations in a run, and the share of its steps in which the rate rises.
EVALUATIONS, WARMING = 40, 20

T = TypeVar("T")


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Trained(Generic[T]):
    """A trained network or model, and how it became one.

    Parameters
    ----------
    result
        A network with the weights that were sought (the last, their average, or the best), or a
        model with nothing open.
    history
        One row per evaluation: step, rate, loss (mean of the batches since the row before),
        validation, bayes and excess (on the same held-out data, where they are known), seconds.
    loss
        Name of the loss.
    step
        Of the weights.
    """

    result: T
    history: pd.DataFrame
    loss: str
    step: int

    @property
    def network(self) -> T:
        """The trained network.

        Raises
        ------
        UsageError
            If a model was trained.
        """
        if not isinstance(self.result, nn.Module):
            raise UsageError("Trained: a model was trained, not a network; it is in .model.")
        return self.result

    @property
    def model(self) -> Model:
        """The trained model.

        Raises
        ------
        UsageError
            If a network was trained.
        """
        if not isinstance(self.result, Model):
            raise UsageError("Trained: a network was trained, not a model; it is in .network.")
        return self.result

    def picture(self) -> Figure:
        """Loss and excess risk against steps.

        Raises
        ------
        MissingDependencyError
            If matplotlib is not installed.
        """
        return picture(self.history, self.loss, self._name)

    @property
    def _name(self) -> str:
        found = self.result
        return f"model {found.name!r}" if isinstance(found, Model) else type(found).__name__

    def __repr__(self) -> str:
        return summary(self._name, self.history, self.loss, self.step)


def train(
    network: T,
    data: object = None,
    *,
    loss: LossLike = None,
    steps: int = 2000,
    batch: int = 256,
    optimizer: OptimizerName = "adamw",
    rate: float | None = None,
    schedule: ScheduleName = "cosine",
    warmup: int | None = None,
    weight_decay: float = 0.0,
    clip: float | None = 1.0,
    ema: float | None = None,
    early_stopping: int | None = None,
    operator_norm_bound: float | None = None,
    validation: object = None,
    bayes: BayesLike = None,
    every: int | None = None,
    chunk: int | None = None,
    start: object = None,
    target: str | Sequence[str] | None = None,
    seed: int = 0,
    checkpoint: str | PathLike[str] | None = None,
    resume: bool = True,
    progress: bool | None = None,
    callback: Callback | None = None,
) -> Trained[T]:
    """Train a network on data, or the tables of a model by the gradient of the log evidence.

    What is passed stays as it is; a copy is trained. The same arguments give the same weights,
    also if the run was interrupted and goes on from its checkpoint.

    Parameters
    ----------
    network
        A network of the family "trainable"; any ``torch.nn.Module`` that takes the same inputs
        and answers with probabilities (batch, nodes, states) or means (batch, nodes); or a model,
        of which is learned what :func:`ghmpp.fit` would learn.
    data
        For networks: a stream of ``gh.streams``; a pair (inputs, targets) of arrays, inputs a tuple
        if there are several; or None: draws from the network's own model.
        For models: evidence as for :func:`ghmpp.fit`.
    loss
        "square" (arXiv:2404.18444, eqs. 7, 18), "cross-entropy", "denoising" (the square loss
        times signal over noise), or a function of answers and targets that gives one number per
        row. None: cross-entropy for states, square for values. Models have the log evidence.
    steps, batch
        Number of steps, and rows in each.
    optimizer, rate, weight_decay
        "adamw" or "sgd" (momentum 0.9). None for the rate: 0.005 and 0.05; 0.0003 and 0.001 for
        networks that start as compiled ones; 0.05 and 0.5 for models.
    schedule, warmup
        The rate rises during ``warmup`` steps (None: a twentieth of all), then falls to 0 as a
        cosine, or is constant.
    clip
        Largest norm of a gradient, longer ones are shortened; None for any.
    ema
        Decay of a moving average of the weights, such as 0.999, which is what is judged and
        returned; None for none.
    early_stopping
        Evaluations without a lower loss on held-out data after which to stop; the best weights
        are returned, those of the start among them. None: the last weights.
    operator_norm_bound
        B > 0: after each step the weights are projected onto the networks all of whose matrices
        have operator norms up to B (arXiv:2404.18444, eqs. 9, 19); only for "trainable".
    validation
        Held-out data: a number of rows, drawn from the law of a stream or taken from arrays at
        random; or data like ``data``. None: 4096 rows of a stream, none of arrays; 0 for none.
    bayes
        The exact answer on held-out data, for the excess risk. None: that of a stream's model.
        True: that of the network's own model, also for arrays; False: none; or the model that
        data come from.
    every
        Steps from one evaluation, row of the history and checkpoint to the next; None: a
        fortieth of all.
    chunk
        Rows of a batch that are in memory at a time, gradients added up; None for all.
    start
        For models: a model of the same classes to start from, such as a fitted one.
    target
        For models: classes whose probability given all else that is observed is to become
        large, such as the label; None for the probability of all.
    seed
        Of the order of arrays, of dropout, and of a model's starting tables.
    checkpoint
        A folder, made if it is not there, in which the run can be resumed.
    resume
        Whether to go on from the checkpoint; if not, it is begun anew.
    progress
        Whether to show a bar; None: on a terminal; never before two seconds.
    callback
        Called with each row of the history as a dictionary.

    Returns
    -------
    Trained
        ``trained.network`` or ``trained.model``, ``trained.history``, ``trained.picture()``.

    Raises
    ------
    QueryError
        If an option is unknown, out of range or does not fit, or the data are about other
        classes than the network.
    EvidenceError
        If shapes or states of data do not fit.
    FormatError
        If the checkpoint is broken, or of another architecture, start, data or options; says
        what differs.
    MissingFolderError
        If the folder that the checkpoint's folder is to be in does not exist.
    LearningError
        If the loss or the weights are no longer finite. The last checkpoint stays.
    ModelError, ConversionError, ImpossibleEvidenceError
        Of models: as for :func:`ghmpp.fit`.

    Examples
    --------
    >>> import ghmpp as gh
    >>> model = gh.zoo.broadcast(depth=2, flip=0.1)
    >>> network = gh.compile(model, gh.posterior("x0"), "x2").network("trainable", width=8)
    >>> trained = gh.train(network, gh.streams.labelled(model), steps=200, batch=64)
    >>> first, *_, last = trained.history["excess"].tolist()
    >>> last < 0.01 < first
    True

    A hidden coin, from tosses:

    >>> coins = gh.Model("coins")
    >>> _ = coins.root("coin", 2).children("toss", 3, ["heads", "tails"])
    >>> tosses = {"toss": [[0, 0, 0], [1, 1, 1], [0, 0, 1], [1, 1, 1]]}
    >>> trained = gh.train(coins, tosses, steps=50)
    >>> _, first, *_, last = trained.history["loss"].tolist()
    >>> last < first
    True
    """
    networks = isinstance(network, nn.Module)
    others = {"start": start, "target": target}
    if not networks:
        others = {"loss": loss, "chunk": chunk, "operator_norm_bound": operator_norm_bound}
    _refuse(others, "models" if networks else "networks")
    options = Options(
        steps,
        batch,
        optimizer,
        _rates(network).get(optimizer, 1.0) if rate is None else rate,
        schedule,
        _part(steps, WARMING) if warmup is None else warmup,
        weight_decay,
        clip,
        ema,
        early_stopping,
        operator_norm_bound,
        max(1, _part(steps, EVALUATIONS)) if every is None else every,
        seed,
    )
    folder = None if checkpoint is None else _made(Path(checkpoint))
    objective: NetworkObjective | LikelihoodObjective
    if isinstance(network, nn.Module):
        objective = network_problem(
            network,
            data,
            loss=loss,
            validation=validation,
            bayes=bayes,
            bound=operator_norm_bound,
            chunk=chunk,
            seed=seed,
        )
    else:
        objective = model_problem(
            network,
            data,
            validation=validation,
            bayes=bayes,
            start=start,
            target=target,
            seed=seed,
        )
    if early_stopping is not None and not objective.judges:
        raise QueryError(
            "train: early_stopping= needs held-out data; pass validation=, rows or data."
        )
    run = Run(objective, options, folder, resume=resume, progress=progress, callback=callback)
    run.run()
    result = objective.model() if isinstance(objective, LikelihoodObjective) else objective.module
    return Trained(cast(T, result), table(run.rows), objective.loss_name, run.returned)


def _rates(network: object) -> dict[str, float]:
    """The usual rates for what is trained."""
    if not isinstance(network, nn.Module):
        return TABLE_RATES
    origin = network.origin if isinstance(network, Network) else None
    compiled = origin is not None and origin.options.get("init") == "relu"
    return COMPILED_RATES if compiled else RATES


def _part(steps: object, share: int) -> int:
    """A share of the steps; what steps are is checked later."""
    return steps // share if isinstance(steps, int) else 1


def _refuse(options: dict[str, object], whose: str) -> None:
    """Refuse options that are for something else."""
    for name, value in options.items():
        if value is not None:
            raise QueryError(f"train: {name}= is for {whose}; leave it out.")


def _made(folder: Path) -> Path:
    """The folder, made if it is not there."""
    if not folder.is_dir():
        if not folder.parent.is_dir():
            raise MissingFolderError(
                f"{folder}: the folder that it is to be in does not exist; make it first "
                f"(mkdir -p {folder.parent}), or choose another path."
            )
        folder.mkdir()
    return folder
