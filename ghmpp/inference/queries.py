"""Exact inference: a reusable engine, compiled once per kind of question."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from ghmpp._arrays import AnyArray, FloatArray, IntArray
from ghmpp.errors import QueryError
from ghmpp.inference.answering import Answering, Question, Reaction, Seen
from ghmpp.inference.arguments import only, require_option, state_names
from ghmpp.inference.beliefs import Beliefs
from ghmpp.inference.rule_edges import rule_edge
from ghmpp.models.channels import Gaussian
from ghmpp.models.convert import as_model
from ghmpp.models.observations import Observed, own_copy
from ghmpp.schedule.build import LOG_EVIDENCE, Output
from ghmpp.schedule.domain import Precision
from ghmpp.schedule.ir import Semiring

if TYPE_CHECKING:
    from torch import Tensor


class Inference:
    """Exact answers about a model, batched; schedules and networks are compiled once and kept.

    Parameters
    ----------
    model
        A :class:`~ghmpp.models.model.Model`, a networkx graph or a discrete pgmpy model,
        complete (no free tables, all symbols bound).
    dtype
        Precision of results; the number domain of a run may need more and is chosen by itself.
    device
        Where to run, e.g. "cpu" or "cuda".
    batch_size
        Rows that run together; None picks what fits the cache.
    on_impossible
        "raise" refuses evidence of probability zero, naming where it arose; "flag" returns
        log evidence -inf, zero posteriors and states -1 for those rows.

    Raises
    ------
    ModelError, ConversionError
        If the model is incomplete, wrong, or cannot be converted.
    QueryError
        If ``dtype`` or ``on_impossible`` is unknown, or ``batch_size`` below 1.

    Notes
    -----
    Evidence is a dictionary from class names (``"pixel"``) or nodes (``"pixel[3]"``) to states,
    state names, likelihoods or :class:`~ghmpp.models.observations.Observed` values; a DataFrame;
    or, for a model with one class of leaves, a bare array of states. NaN and -1 are missing.

    Examples
    --------
    >>> import ghmpp as gh
    >>> model = gh.GHM(states=(2, 2), branching=(3,), tables=[[[3, 1], [1, 3]]])
    >>> engine = gh.Inference(model)
    >>> engine.posteriors([[0, 0, 1]])["x0"]
    array([[0.75, 0.25]])
    """

    def __init__(
        self,
        model: object,
        *,
        dtype: Precision = "float64",
        device: str = "cpu",
        batch_size: int | None = None,
        on_impossible: Reaction = "raise",
    ) -> None:
        require_option("dtype", dtype, get_args(Precision))
        require_option("on_impossible", on_impossible, get_args(Reaction))
        if batch_size is not None and batch_size < 1:
            raise QueryError(f"batch_size must be at least 1 row, got {batch_size}.")
        self.model = as_model(model)
        self.model.require_complete()
        self.dtype, self.device, self.batch_size = dtype, device, batch_size
        self.on_impossible = on_impossible
        self._forest = self.model.forest()
        self._answering = Answering(self._forest, dtype, device, batch_size)

    def __repr__(self) -> str:
        return f"Inference({self.model.name!r}, dtype={self.dtype!r}, device={self.device!r})"

    def posteriors(
        self, evidence: object = None, *, classes: Collection[Hashable] | None = None
    ) -> Beliefs:
        """Posteriors of every variable, or of some classes, and the log evidence.

        ``classes`` None means all classes but the hidden ones.

        Raises
        ------
        EvidenceError
            If evidence does not fit the model.
        QueryError
            If a class is unknown.
        ImpossibleEvidenceError
            If rows have probability zero and ``on_impossible`` is "raise".
        ResourceError
            If one row of the model, or the results of all rows, do not fit into memory.
        """
        seen = self._answering.read(evidence)
        wanted: list[Output] = [("posterior", name) for name in self._wanted(classes)]
        question = Question((*wanted, LOG_EVIDENCE), seen.observed)
        results = self._answering.ask(question, seen, self.on_impossible)
        export, logs = self._answering.export, results[LOG_EVIDENCE]
        return Beliefs(
            {name: export(results["posterior", name], name, seen) for _, name in wanted},
            export(logs, "", seen),
            export(logs > -np.inf, "", seen),
            self._answering.network(question).repeated_rows,
            self,
            {name: own_copy(found) for name, found in seen.observations.items()},
        )

    def log_evidence(self, evidence: object = None) -> FloatArray:
        """Log probability of the evidence, (batch,): log Z(evidence) - log Z().

        For continuous observations the log density; never raises for impossible evidence but
        returns -inf.

        Raises
        ------
        EvidenceError, ResourceError
            As :meth:`posteriors`.
        """
        seen = self._answering.read(evidence)
        results = self._answer(seen, [LOG_EVIDENCE], "flag")
        return self._answering.export(results[LOG_EVIDENCE], "", seen)

    def log_partition(self) -> float:
        """Log of the total mass without evidence, log Z(); 0 for a normalised model.

        Raises
        ------
        ModelError
            If no configuration has positive mass.
        ResourceError
            If the model does not fit into memory.
        """
        return float(self._answering.network(Question((LOG_EVIDENCE,), ())).log_partition())

    def classify(self, x: object, variable: Hashable = None) -> AnyArray:
        """The most probable state of one variable, (batch,), as its state name.

        ``variable`` defaults to the root; evidence as in :meth:`posteriors`. Tensors in give
        state indices out. Flagged rows have None, or -1 among indices.

        Raises
        ------
        QueryError
            If ``variable`` is not a class with one variable, or is left out and there are
            several roots.
        EvidenceError, ImpossibleEvidenceError, ResourceError
            As :meth:`posteriors`.
        """
        roots = [name for name in self._forest.roots if name in self.model.variables]
        name = only(roots, "root", variable)
        if name not in self._forest.variables or self._forest.variables[name].nodes != 1:
            raise QueryError(f"classify: {name!r} is not a class with one variable.")
        seen = self._answering.read(x)
        results = self._answer(seen, [("posterior", name), LOG_EVIDENCE])
        chosen = results["posterior", name].argmax(-1)
        chosen[results[LOG_EVIDENCE] == -np.inf] = -1
        best = self._answering.export(chosen, name, seen)
        return best if seen.tensors else state_names(self._forest.variables[name].states, best)

    def denoise(self, z: object, sigma: float = 1.0, *, variable: Hashable = None) -> FloatArray:
        """Posterior means of continuous leaves seen with Gaussian noise, (batch, nodes).

        Parameters
        ----------
        z
            Noisy values (batch, nodes), NaN where missing.
        sigma
            Standard deviation of the noise, in the units of the state values.
        variable
            The observed class; defaults to the only class of leaves.

        Raises
        ------
        QueryError
            If ``variable`` is left out and there are several classes of leaves.
        EvidenceError, ResourceError
            As :meth:`posteriors`; also if the states have no numeric values, or ``sigma`` is not
            positive.

        Notes
        -----
        This is the Bayes denoiser ``E[x | z]`` (eq. (14) of arXiv:2404.18444).
        """
        name = only(self._forest.leaves, "class of leaves for denoise", variable)
        seen = self._answering.read({name: Observed(z, Gaussian(sigma))})
        means = self._answer(seen, [("mean", name)])["mean", name]
        return self._answering.export(means, "", seen)

    def map(
        self, evidence: object = None, *, classes: Collection[Hashable] | None = None
    ) -> dict[str, IntArray]:
        """The most probable joint configuration: state indices by class, like posteriors.

        (batch,) for a class with one node, (batch, nodes) for others. Ties are broken
        consistently from the roots to the leaves. ``classes`` None means all but the hidden ones.

        Raises
        ------
        EvidenceError, QueryError, ImpossibleEvidenceError, ResourceError
            As :meth:`posteriors`.
        """
        return self._choices(evidence, self._wanted(classes), "max", draws=1, seed=None)

    def posterior_sample(
        self,
        evidence: object = None,
        n: int = 1,
        seed: int = 0,
        *,
        classes: Collection[Hashable] | None = None,
    ) -> dict[str, IntArray]:
        """Exact independent samples given evidence: state indices by class.

        (batch, n) for a class with one node, (batch, n, nodes) for others; the same seed gives
        the same samples. ``classes`` None means all but the hidden ones.

        Raises
        ------
        QueryError
            If a class is unknown, or ``n`` below 1.
        EvidenceError, ImpossibleEvidenceError, ResourceError
            As :meth:`posteriors`.
        """
        if n < 1:
            raise QueryError(f"posterior_sample: n must be at least 1, got {n}.")
        return self._choices(evidence, self._wanted(classes), "sum", draws=n, seed=seed)

    def sample(self, n: int, seed: int = 0) -> dict[str, IntArray]:
        """Independent samples of the model, see :meth:`ghmpp.models.model.Model.sample`.

        Raises
        ------
        ModelError
            If ``n`` is negative, or no configuration has positive mass.
        ResourceError
            If the samples do not fit into memory.
        """
        return self.model.sample(n, seed)

    def edge(self, evidence: object, parent: Hashable, child: Hashable) -> FloatArray:
        """Joint posterior of parents and children of an edge class.

        (batch, children, parent states, child states), children in the user's order.

        Raises
        ------
        QueryError
            If ``parent`` is not the parent class of ``child``, directly or through joint rules.
        EvidenceError, ImpossibleEvidenceError, ResourceError
            As :meth:`posteriors`.
        """
        upper, name = str(parent), str(child)
        above = self.model.template.pred.get(name, ()) if name in self._forest.variables else ()
        if upper not in above:
            return rule_edge(self, evidence, upper, name)
        seen = self._answering.read(evidence)
        results = self._answer(seen, [("edge", name), LOG_EVIDENCE])
        return self._answering.export(results["edge", name], "", seen)

    def expected_counts(self, evidence: object = None) -> tuple[dict[str, FloatArray], FloatArray]:
        """Expected number of uses of every potential entry, summed over the batch.

        Returns
        -------
        counts, log_evidence
            By potential key, shaped like ``Forest.data`` (index maps have none); (batch,).

        Raises
        ------
        ImpossibleEvidenceError
            If a row has probability zero, also when ``on_impossible`` is "flag".
        EvidenceError, ResourceError
            As :meth:`posteriors`.
        """
        seen = self._answering.read(evidence)
        blocks = self._forest.blocks.values()
        tables = {b.variable for b in blocks if self._has_table(b.name)}
        unaries = {b.variable for b in blocks if b.unary is not None}
        wanted: list[Output] = [("counts", name) for name in sorted(tables)]
        wanted += [("unary_counts", name) for name in sorted(unaries)]
        results = self._answer(seen, [*wanted, LOG_EVIDENCE], "raise")
        counts = {
            key: np.asarray(found.detach().cpu().numpy(), dtype=np.float64)
            for (kind, key), found in results.items()
            if kind != "log_evidence"
        }
        return counts, results[LOG_EVIDENCE].detach().cpu().numpy()

    def _answer(
        self, seen: Seen, wanted: Sequence[Output], impossible: Reaction | None = None
    ) -> dict[tuple[str, str], Tensor]:
        question = Question(tuple(wanted), seen.observed)
        return self._answering.ask(question, seen, impossible or self.on_impossible)

    def _wanted(self, classes: Collection[Hashable] | None) -> tuple[str, ...]:
        """Names of the classes asked for; None = all but the hidden ones."""
        names = self._forest.visible if classes is None else list(map(str, classes))
        for name in names:
            if name not in self._forest.variables:
                known = ", ".join(self._forest.visible)
                raise QueryError(f"classes: unknown class {name!r}; the model has {known}.")
        return tuple(names)

    def _has_table(self, block: str) -> bool:
        return block in self._forest.edges and self._forest.edges[block].kind == "table"

    def _choices(
        self,
        evidence: object,
        classes: Sequence[str],
        semiring: Semiring,
        *,
        draws: int,
        seed: int | None,
    ) -> dict[str, IntArray]:
        import torch

        seen = self._answering.read(evidence)
        wanted: list[Output] = [("choice", name) for name in classes]
        how: Literal["argmax", "sample"] = "argmax" if semiring == "max" else "sample"
        generator = None
        if seed is not None:
            generator = torch.Generator(device=self.device).manual_seed(seed)
        question = Question((*wanted, LOG_EVIDENCE), seen.observed, semiring, how)
        results = self._answering.ask(
            question, seen, self.on_impossible, generator=generator, draws=draws
        )
        found: dict[str, IntArray] = {}
        for kind, name in wanted:
            states = results[kind, name]
            if how == "sample" and draws == 1:
                states = states[:, None]
            if self._forest.variables[name].nodes == 1:
                states = states[..., 0]
            found[name] = self._answering.export(states, "", seen)
        return found
