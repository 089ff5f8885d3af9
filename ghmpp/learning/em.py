"""Expectation maximisation: free tables, priors and symbols of a model, learned from data."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Never, Self

from ghmpp.errors import LearningError, ModelError
from ghmpp.learning.data import read_data
from ghmpp.learning.parameters import Parameters
from ghmpp.learning.task import Task, make_task
from ghmpp.models.convert import as_model
from ghmpp.models.model import Model

if TYPE_CHECKING:
    from tqdm import tqdm

# Sums over rows and variables are rounded: the objective may fall by this share of its size.
ROUNDING = 1e-9
# Seconds before a progress bar shows up.
PATIENCE = 2.0


@dataclass(frozen=True, slots=True)
class Step:
    """Where a fit stands after an iteration.

    Parameters
    ----------
    restart
        Which of the runs, from 0.
    iteration
        Number of iterations done; 0 is the start.
    log_likelihood
        Log probability (density) of all data, natural log.
    log_prior
        Log Dirichlet density of the learned tables, up to a constant: the pseudo count times
        the sum of the logs of their entries.
    objective
        The sum of both, which never falls.
    seconds
        Since the fit began.
    """

    restart: int
    iteration: int
    log_likelihood: float
    log_prior: float
    objective: float
    seconds: float


class EM:
    """Expectation maximisation with exact, batched E-steps.

    Parameters are those of :func:`fit`, which wraps this class for the usual case.

    Attributes
    ----------
    model_
        The best model so far; also after an interrupt.
    history_
        One :class:`Step` per iteration of the run that it came from.

    Examples
    --------
    >>> from ghmpp.models.model import Model
    >>> model = Model("coins")
    >>> _ = model.root("coin", 2).children("toss", 3, ["heads", "tails"])
    >>> em = EM(model, iterations=3).fit({"toss": [[0, 0, 1], [1, 1, 1]]})
    >>> em.history_[-1].objective >= em.history_[0].objective
    True
    """

    def __init__(
        self,
        model: object,
        *,
        iterations: int = 80,
        smoothing: float = 0.02,
        seed: int = 0,
        restarts: int = 1,
        tolerance: float = 1e-6,
        start: Model | None = None,
        progress: bool | None = None,
        checkpoint: str | PathLike[str] | None = None,
        callback: Callable[[Step], object] | None = None,
    ) -> None:
        _check_count("iterations", iterations, 1)
        _check_count("restarts", restarts, 1)
        _check_count("seed", seed, 0)
        _check_size("smoothing", smoothing)
        _check_size("tolerance", tolerance)
        self.model = as_model(model)
        self.iterations, self.smoothing, self.seed = iterations, smoothing, seed
        self.restarts, self.tolerance, self.start = restarts, tolerance, start
        self.progress, self.checkpoint, self.callback = progress, checkpoint, callback
        self.history_: list[Step] = []
        self._best: tuple[Task, Parameters] | None = None
        self._objective = -math.inf

    @property
    def model_(self) -> Model:
        """The best model so far.

        Raises
        ------
        LearningError
            Before :meth:`fit`.
        """
        if self._best is None:
            raise LearningError("EM: there is no model_ yet; call fit(data) first.")
        task, parameters = self._best
        return task.model(parameters)

    def fit(self, data: object = None, **evidence: object) -> Self:
        """Learn from data; see :func:`fit` for what may be passed and what is raised."""
        observations, rows = read_data(self.model, data, evidence)
        task = make_task(self.model, observations, rows, self.smoothing)
        self.history_, self._best = [], None
        began = time.perf_counter()
        with self._progress_bar() as bar:
            for restart in range(self.restarts):
                bar.n = restart * self.iterations
                self._run(task, restart, began, bar)
        return self

    def _run(self, task: Task, restart: int, began: float, bar: tqdm[Never]) -> None:
        """Iterate from one start until the objective settles."""
        parameters = task.initial(self.seed + restart, None if restart else self.start)
        steps: list[Step] = []
        for iteration in range(self.iterations + 1):
            expected = task.expect(parameters)
            step = _step(
                restart,
                iteration,
                float(expected.log_evidence.sum()),
                task.log_prior(parameters),
                time.perf_counter() - began,
            )
            gain = _gain(steps, step)
            steps.append(step)
            self._keep(task, parameters, steps)
            if self.callback is not None:
                self.callback(step)
            bar.set_postfix_str(f"{step.log_likelihood / task.rows:.3f} nats/row", refresh=False)
            bar.update(iteration > 0)
            if gain <= self.tolerance * task.rows or iteration == self.iterations:
                break
            parameters = task.maximise(parameters, expected)

    def _keep(self, task: Task, parameters: Parameters, steps: list[Step]) -> None:
        """Remember, and write, what is the best so far."""
        if self._best is not None and steps[-1].objective <= self._objective:
            return
        self._best, self._objective = (task, parameters), steps[-1].objective
        self.history_ = steps
        # A start is no improvement, and may be worse than what an earlier fit has left there.
        if self.checkpoint is not None and steps[-1].iteration > 0:
            self.model_.save(self.checkpoint)

    def _progress_bar(self) -> tqdm[Never]:
        from tqdm import tqdm

        shown = sys.stderr.isatty() if self.progress is None else self.progress
        return tqdm(
            total=self.iterations * self.restarts,
            desc=f"fit {self.model.name}",
            disable=not shown,
            delay=PATIENCE if self.progress is None else 0.0,
        )


def fit(
    model: object,
    data: object = None,
    *,
    iterations: int = 80,
    smoothing: float = 0.02,
    seed: int = 0,
    restarts: int = 1,
    tolerance: float = 1e-6,
    start: Model | None = None,
    progress: bool | None = None,
    checkpoint: str | PathLike[str] | None = None,
    callback: Callable[[Step], object] | None = None,
    **evidence: object,
) -> Model:
    r"""Learn what a model leaves open, by expectation maximisation.

    Learned are the tables of edges without potential (one per child rank), the prior of a root
    without prior on one of whose own edges a table is learned, and symbols without value. What
    is given stays: to keep a prior uniform, give it.

    .. math:: \max\; \sum_b \log p(e_b) + \alpha \sum_{T, s, a} \log T(s, a)

    The first term is the log likelihood of what was observed, all else summed out exactly; the
    second is a Dirichlet prior on learned tables. The sum rises in every iteration, and that is
    checked.

    Parameters
    ----------
    model
        A :class:`~ghmpp.models.model.Model` (or a networkx graph, a pgmpy model). Learned tables
        are conditional probabilities, rows sum to 1. So given tables are first replaced by
        conditional probabilities of the same law, and the rows of a formula below a learned
        table are divided by their sums; a formula on a root with a kept prior stays as it is.
    data
        Evidence at any classes, complete or not: a dictionary from names of classes
        (``"pixel"``) or nodes (``"pixel[3]"``) to states, NaN or -1 where missing, to
        likelihoods or continuous observations; a DataFrame with such columns; or an array of
        states (batch, nodes) for the only class of leaves.
    iterations
        At most this many, at least 1.
    smoothing
        Pseudo count alpha >= 0 of every entry of a learned table.
    seed
        Of the starting tables, :meth:`Model.initialise(seed)
        <ghmpp.models.model.Model.initialise>`, and symbols; restart r uses ``seed + r``.
    restarts
        Number of runs from different starts, at least 1; the best objective wins.
    tolerance
        Stop when an iteration gains no more than this, in nats per row of data.
    start
        Model of the same classes to start the first run from, such as a checkpoint.
    progress
        Whether to show a progress bar; None: on a terminal, after two seconds.
    checkpoint
        File to which the best model is written at each improvement, so that an interrupted fit
        loses nothing.
    callback
        Called with a :class:`Step` after every iteration.
    evidence
        More data by class name: ``fit(model, X, digit=y)``. Classes that are called like an
        option go into ``data``.

    Returns
    -------
    Model
        A new model with nothing open. Tables and priors are row-stochastic; symbols are bound
        to what was learned, and their formulas stay.

    Raises
    ------
    ModelError
        If the model has nothing to learn, an option is out of range, ``start`` does not fit, or
        the given part cannot be made directed without giving tied nodes different tables.
    EvidenceError
        If there are no data, or they do not fit the model.
    ImpossibleEvidenceError
        If rows of the data have probability zero whatever is learned; the message names them.
    LearningError
        If the objective falls, which would be a bug.

    References
    ----------
    A. Dempster, N. Laird, D. Rubin, Maximum Likelihood from Incomplete Data via the EM
    Algorithm, J. R. Stat. Soc. B 39 (1977).

    Examples
    --------
    >>> from ghmpp.models.model import Model
    >>> model = Model("weather")
    >>> season = model.root("season", ["dry", "wet"])
    >>> days = season.children("day", 2, ["sun", "rain"])
    >>> fitted = fit(model, season=["dry", "dry", "wet"], day=[[0, 0], [0, 1], [1, 1]], smoothing=0)
    >>> fitted.forest().data["season->day"][1]
    array([[0.5, 0.5],
           [0. , 1. ]])
    """
    em = EM(
        model,
        iterations=iterations,
        smoothing=smoothing,
        seed=seed,
        restarts=restarts,
        tolerance=tolerance,
        start=start,
        progress=progress,
        checkpoint=checkpoint,
        callback=callback,
    )
    return em.fit(data, **evidence).model_


def _step(restart: int, iteration: int, likelihood: float, prior: float, seconds: float) -> Step:
    return Step(restart, iteration, likelihood, prior, likelihood + prior, seconds)


def _gain(steps: list[Step], step: Step) -> float:
    """How much the objective rose, infinite at the start; refuse a fall."""
    if not steps or math.isinf(steps[-1].objective):
        return math.inf
    before, after = steps[-1].objective, step.objective
    if not after >= before - ROUNDING * (1 + abs(before)):
        raise LearningError(
            f"fit: the objective fell from {before:.12g} to {after:.12g} in iteration "
            f"{step.iteration}; exact EM never does, so this is a bug in ghmpp. The best model so "
            f"far is in EM.model_."
        )
    return after - before


def _check_count(name: str, value: int, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ModelError(f"fit: {name} must be a whole number >= {least}, got {value!r}.")


def _check_size(name: str, value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise ModelError(f"fit: {name} must be a finite number >= 0, got {value!r}.")
