"""Expectation maximisation: free tables, priors and symbols of a model, learned from data."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from inspect import signature
from os import PathLike
from typing import TYPE_CHECKING, Any, Never, Self

from ghmpp.errors import EvidenceError, LearningError, ModelError
from ghmpp.learning.em.data import read_data
from ghmpp.learning.em.networks import read_problem
from ghmpp.learning.em.parameters import Parameters
from ghmpp.learning.em.steps import Step as Step
from ghmpp.learning.em.steps import gain
from ghmpp.learning.em.task import Task, make_task
from ghmpp.models.convert import as_model
from ghmpp.models.evidence import find_variable
from ghmpp.models.model import Model
from ghmpp.models.serialize import writable_path
from ghmpp.models.states import StatesLike

if TYPE_CHECKING:
    from tqdm import tqdm

# Seconds before a progress bar shows up.
PATIENCE = 2.0


class EM:
    """Expectation maximisation with exact, batched E-steps.

    Parameters are those of :func:`fit`, which wraps this class for the usual case.

    Attributes
    ----------
    model_
        The best model so far; also after an interrupt.
    history_
        One :class:`~ghmpp.learning.em.steps.Step` per iteration of the run that it came from.

    Examples
    --------
    >>> from ghmpp.models.model import Model
    >>> model = Model("coins")
    >>> _ = model.root("coin", 2).children("toss", 3, ["heads", "tails"])
    >>> em = EM(model, iterations=3).fit({"toss": [[0, 0, 1], [1, 1, 1]]})
    >>> em.history_[-1].objective >= em.history_[0].objective
    True

    A hidden cause, and two signs of it that share one table:

    >>> from pgmpy.models import DiscreteBayesianNetwork
    >>> signs = {"left": [0, 0, 1, 1, 1], "right": [0, 0, 1, 1, None]}
    >>> network = DiscreteBayesianNetwork([("cause", "left"), ("cause", "right")])
    >>> em = EM(network, states={"cause": 2}, tie={"right": "left"}).fit(signs)
    >>> print(em.model_)
    Model 'pgmpy': 3 classes, 3 variables
      cause  1 node  2 states  root, prior
      left   1 node  2 states  1 per cause, 1 table
      right  1 node  2 states  1 per cause, 1 table, tied to cause->left
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
        start: object = None,
        progress: bool | None = None,
        checkpoint: str | PathLike[str] | None = None,
        callback: Callable[[Step], object] | None = None,
        states: Mapping[Any, StatesLike] | None = None,
        tie: Mapping[Any, Any] | None = None,
    ) -> None:
        _check_count("iterations", iterations, 1)
        _check_count("restarts", restarts, 1)
        _check_count("seed", seed, 0)
        _check_size("smoothing", smoothing)
        _check_size("tolerance", tolerance)
        self.model, self.states, self.tie = model, states, tie
        self.iterations, self.smoothing, self.seed = iterations, smoothing, seed
        self.restarts, self.tolerance = restarts, tolerance
        self.start = None if start is None else as_model(start)
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
        if self.checkpoint is not None:
            writable_path(self.checkpoint)
        problem = read_problem(self.model, data, evidence, states=self.states, tie=self.tie)
        _check_keywords(problem.evidence, problem.model)
        observations, rows = read_data(problem.model, problem.data, problem.evidence)
        task = make_task(problem.model, observations, rows, self.smoothing, problem.tie)
        self.history_, self._best = [], None
        began = time.perf_counter()
        with self._progress_bar(problem.model.name) as bar:
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
            step = Step(
                restart,
                iteration,
                float(expected.log_evidence.sum()),
                task.log_prior(parameters),
                time.perf_counter() - began,
            )
            gained = gain(steps, step)
            steps.append(step)
            self._keep(task, parameters, steps)
            if self.callback is not None:
                self.callback(step)
            bar.set_postfix_str(f"{step.log_likelihood / task.rows:.3f} nats/row", refresh=False)
            bar.update(iteration > 0)
            if gained <= self.tolerance * task.rows or iteration == self.iterations:
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

    def _progress_bar(self, name: str) -> tqdm[Never]:
        from tqdm import tqdm

        shown = sys.stderr.isatty() if self.progress is None else self.progress
        return tqdm(
            total=self.iterations * self.restarts,
            desc=f"fit {name}",
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
    start: object = None,
    progress: bool | None = None,
    checkpoint: str | PathLike[str] | None = None,
    callback: Callable[[Step], object] | None = None,
    states: Mapping[Any, StatesLike] | None = None,
    tie: Mapping[Any, Any] | None = None,
    **evidence: object,
) -> Model:
    r"""Learn what a model leaves open, by expectation maximisation.

    Learned are the tables of edges without potential (one per child rank), weights of production
    rules that have none, distributions of a network that have no table, the prior of a root
    without prior on one of whose own edges a table is learned, and symbols without value. What
    is given stays: to keep a prior uniform, give it. But of an imported network in which all
    distributions are given, all are learned anew.

    .. math:: \max\; \sum_b \log p(e_b) + \alpha \sum_{T, s, a} \log T(s, a)

    The first term is the log likelihood of what was observed, all else summed out exactly; the
    second is a Dirichlet prior on learned tables. The sum rises in every iteration, and that is
    checked.

    Parameters
    ----------
    model
        A :class:`~ghmpp.models.model.Model`, a networkx graph or a pgmpy model. Learned tables
        are conditional probabilities, rows sum to 1. So given tables are first replaced by
        conditional probabilities of the same law, and the rows of a formula below a learned
        table are divided by their sums; a formula on a root with a kept prior stays as it is.
        A model with cycles must be a Bayesian network (or all formulas with symbols, learned by
        gradient); a ``DiscreteBayesianNetwork`` may lack CPDs, which are then learned.
    data
        Evidence at any classes, complete or not: a dictionary from names of classes
        (``"pixel"``) or nodes (``"pixel[3]"``) to states, NaN or -1 where missing, to
        likelihoods or continuous observations; a DataFrame with such columns; or an array of
        states (batch, nodes) for the only class of leaves. Variables that are in no column are
        hidden; entries may be missing anywhere.
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
        Model of the same classes to start the first run from, such as a checkpoint, or the
        network itself.
    progress
        Whether to show a progress bar; None: on a terminal, after two seconds.
    checkpoint
        File to which the best model is written at each improvement, so that an interrupted fit
        loses nothing.
    callback
        Called with a :class:`~ghmpp.learning.em.steps.Step` after every iteration.
    states
        Of variables of a pgmpy network whose states no CPD tells: their number, or names, such
        as ``{"cause": 2}``. Others have the states that their columns have, sorted.
    tie
        Which tables are one: ``{"x2": "x1"}`` gives the variable (or class) x2 the distribution
        of x1 given its parents, which correspond in their order. Their counts add up, and they
        must have the same states. ``{f"x{t}": "x1" for t in range(2, 10)}`` is a Markov chain.
    evidence
        More data by class name: ``fit(model, X, digit=y)``. Classes that are called like an
        option go into ``data``.

    Returns
    -------
    Model
        A new model with nothing open. Tables and priors are row-stochastic; symbols are bound
        to what was learned, and their formulas stay. :func:`ghmpp.models.convert.to_pgmpy` makes
        a network with CPDs of it.

    Raises
    ------
    ModelError
        If the model has nothing to learn, an option is out of range, ``start``, ``states`` or
        ``tie`` do not fit, the given part cannot be made directed without giving tied nodes
        different tables, or a model with cycles is no Bayesian network.
    ConversionError
        If the model cannot be converted, or the states of a variable are unknown.
    TreewidthError
        If the cliques of a network do not fit into memory.
    EvidenceError
        If there are no data, or they do not fit the model.
    ImpossibleEvidenceError
        If rows of the data have probability zero whatever is learned; the message names them.
    FormatError, MissingFolderError
        If ``checkpoint`` is no path of a model's file.
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

    A network with a cycle, whose CPDs are learned from rows with missing entries:

    >>> import pandas as pd
    >>> from ghmpp.models.convert import to_pgmpy
    >>> from pgmpy.models import DiscreteBayesianNetwork
    >>> edges = [("cloud", "rain"), ("cloud", "hose"), ("rain", "wet"), ("hose", "wet")]
    >>> data = pd.DataFrame(
    ...     [[*"nnyy"], [*"yynn"], [*"ynnn"], ["n", "n", None, "y"], ["y", None, "n", "y"]],
    ...     columns=["cloud", "rain", "hose", "wet"],
    ... )
    >>> fitted = fit(DiscreteBayesianNetwork(edges), data, smoothing=0)
    >>> print(to_pgmpy(fitted).get_cpds("cloud"))
    +----------+-----+
    | cloud(n) | 0.4 |
    +----------+-----+
    | cloud(y) | 0.6 |
    +----------+-----+
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
        states=states,
        tie=tie,
    )
    return em.fit(data, **evidence).model_


def _check_keywords(keywords: Iterable[str], model: Model) -> None:
    """Refuse keywords that name no class, with the option that is meant, if one is."""
    options = [name for name in signature(EM).parameters if name != "model"]
    for name in keywords:
        try:
            find_variable(name, model.variables)
        except EvidenceError as error:
            begun = [option for option in options if option.startswith(name)]
            close = begun or get_close_matches(name, options, n=1)
            hint = f" Is the option {close[0]}= meant?" if close else ""
            raise EvidenceError(f"fit: keyword {name}=: {error}{hint}") from None


def _check_count(name: str, value: int, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ModelError(f"fit: {name} must be a whole number >= {least}, got {value!r}.")


def _check_size(name: str, value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise ModelError(f"fit: {name} must be a finite number >= 0, got {value!r}.")
