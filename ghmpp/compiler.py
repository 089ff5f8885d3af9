"""The only place that strings the stages together: model -> forest -> schedule -> network."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any, Literal, Never

from ghmpp.approximation.bounds import plan_network
from ghmpp.approximation.budgets import Budget
from ghmpp.approximation.message import Construction
from ghmpp.errors import QueryError, UsageError
from ghmpp.models.channels import Given, read_given
from ghmpp.models.convert import as_model
from ghmpp.models.declared import FieldModel
from ghmpp.models.forest import Forest
from ghmpp.models.grouping import group
from ghmpp.models.model import Model
from ghmpp.models.queries import Query, check_questions
from ghmpp.schedule.domain import Precision
from ghmpp.schedule.engines import Engine
from ghmpp.schedule.ir import Schedule
from ghmpp.schedule.plan import schedule_for
from ghmpp.schedule.simplify import Simplified, simplified
from ghmpp.solution import solution

if TYPE_CHECKING:
    from ghmpp.backends.network import Network
    from ghmpp.backends.symbolics.program import SymbolicProgram


@dataclass(frozen=True, eq=False)
class Program:
    """A compiled query: one schedule, which is exact inference and a network at once.

    Parameters
    ----------
    declared
        What was compiled: a hierarchical model, or another declaration.
    queries
        What is answered, in order.
    given
        What is observed, and through which channel, in the order of the network's inputs.
    schedule
        The plan; ``print(program.schedule)`` is a report.
    simplified
        What simplification saved, with the smaller forest; None where it was not asked for.
    """

    declared: Model | FieldModel
    queries: tuple[Query, ...]
    given: tuple[Given, ...]
    schedule: Schedule
    simplified: Simplified | None = None

    @property
    def model(self) -> Model:
        """The hierarchical model that was compiled.

        Raises
        ------
        QueryError
            If it was another kind of declaration, for which this is asked in vain.
        """
        if not isinstance(self.declared, Model):
            raise QueryError(
                f"{self.declared.name!r} is a {type(self.declared).__name__}, and this is for "
                "hierarchical models (Model, GHM)."
            )
        return self.declared

    def network(
        self,
        family: Literal["exact", "relu", "trainable"] = "exact",
        *,
        delta: float | None = None,
        width: int | None = None,
        budget: Budget = "equal-width",
        construction: Construction = "tight",
        evidence_span: float = math.inf,
        log_odds: bool = True,
        init: Literal["random", "relu"] = "random",
        seed: int = 0,
        dtype: Precision | None = None,
        device: str = "cpu",
        chunk: int | None = None,
    ) -> Network:
        """Emit the network of this program, a :class:`torch.nn.Module`.

        Parameters
        ----------
        family
            "exact": the message layers are the potentials themselves. "relu": each is a small
            ReLU network, and ``network.certificate`` says how far the answer can be from the
            exact one. "trainable": the same with free weights.
        delta, width
            "relu", and "trainable" with ``init="relu"``: wished error (default 0.01), or units
            per hidden layer instead; of declarations that are no trees of messages, knots of each
            function. Other "trainable": ``width``, by default 64.
        budget, construction, evidence_span, log_odds
            Of ReLU nets, see :func:`ghmpp.bounds`.
        init, seed
            How weights of "trainable" start: drawn with ``seed``, or as those of "relu".
        dtype
            Precision of parameters and results; float64 for "exact", float32 for others.
        device
            Where the parameters live, e.g. "cpu" or "cuda".
        chunk
            Rows that run together; None picks what fits the cache.

        Raises
        ------
        ModelError
            If tables are free or symbols have no value.
        QueryError
            If an argument is unknown, out of range or of another family, the error is out of
            reach, no finite network exists, or nets are wanted of several queries or of one that
            is no posterior or mean.
        ResourceError
            If it does not fit into memory.

        Examples
        --------
        >>> import ghmpp as gh
        >>> table = [[3.0, 1.0], [1.0, 2.0]]
        >>> model = gh.GHM(states=2, branching=(2, 2), tables=[table, table])
        >>> net = gh.compile(model, gh.posterior("x0"), given="x2").network("relu", delta=0.01)
        >>> net.certificate.bound <= 0.01
        True
        """
        from ghmpp.backends.emit import Emitter, check_options
        from ghmpp.backends.origin import Origin
        from ghmpp.backends.prepare import torch_precision

        self.declared.require_complete()
        sizes = {
            "delta": delta,
            "width": width,
            "budget": budget,
            "construction": construction,
            "evidence_span": evidence_span,
        }
        check_options(family, init, sizes, fields=self.schedule.has_fields)
        precision: Precision = dtype or ("float64" if family == "exact" else "float32")
        answers = tuple((query.kind, query.variable) for query in self.queries)
        arguments = {
            "family": family,
            **sizes,
            "log_odds": log_odds,
            "init": init,
            "seed": seed,
            "dtype": precision,
        }
        simplify = self.simplified is not None
        origin = None
        if isinstance(self.declared, Model):
            origin = Origin(self.declared, self.queries, self.given, simplify, arguments)
        emitter = Emitter(
            self.schedule, self.given, answers, torch_precision(precision), device, chunk, origin
        )
        if self.schedule.has_fields:
            return emitter.fields(
                family,
                init=init,
                seed=seed,
                width=width,
                delta=delta,
                evidence_span=evidence_span,
            )
        if family == "exact":
            return emitter.exact()
        if self.schedule.forest.gaussian:
            raise QueryError(
                "network: messages of real variables are exact formulas, linear in what is "
                "observed, so that there is nothing to approximate; use the family 'exact'."
            )
        if any(query.kind == "log_evidence" for query in self.queries):
            raise QueryError(
                "network: nets say messages up to a constant, and so know no log_evidence; ask "
                "the family 'exact' for it, or others for posteriors and means."
            )
        if family == "trainable" and init == "random":
            return emitter.random(64 if width is None else width, seed)
        if len(self.queries) > 1:
            raise QueryError("network: nets are planned for one query; compile one at a time.")
        plan = plan_network(
            self.model if self.simplified is None else self.simplified.forest,
            self.queries[0],
            self.given,
            delta=delta,
            width=width,
            budget=budget,
            evidence_span=evidence_span,
            dtype=precision,
            log_odds=log_odds,
            construction=construction,
        )
        emitter = replace(emitter, schedule=self._planned())
        return emitter.relu(plan) if family == "relu" else emitter.unfrozen(plan)

    def _planned(self) -> Schedule:
        """The schedule in which every message is one that nets are planned for."""
        return schedule_for(
            self.schedule.forest,
            [(query.kind, query.variable) for query in self.queries],
            [item.variable for item in self.given],
            dtype=self.schedule.domain.dtype if self.schedule.domain else "float64",
            cavities=True,
        )

    def __call__(self, *inputs: object, **options: object) -> Never:
        """Refused: a program is a plan, and its network is what runs."""
        raise UsageError(
            "a program is a plan and does not run; make its network, which does: "
            "network = program.network(); network(x)."
        )

    def symbolic(self) -> SymbolicProgram:
        """Formulas: one named assignment per message, and LaTeX, numpy, torch and C code.

        See :class:`~ghmpp.backends.symbolics.program.SymbolicProgram`.
        """
        from ghmpp.backends.symbolics.program import SymbolicProgram

        return SymbolicProgram(
            self.schedule,
            tuple((query.kind, query.variable) for query in self.queries),
            tuple(item.variable for item in self.given),
        )

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self))}</p>{self.schedule._repr_html_()}"

    def __repr__(self) -> str:
        answers = ", ".join(f"{q.kind}({q.variable})" for q in self.queries)
        given = ", ".join(
            g.variable if g.channel is None else f"{g.variable} ~ {g.channel}" for g in self.given
        )
        return (
            f"Program {self.declared.name!r}: {answers} given {given or 'nothing'}; "
            f"{len(self.schedule.ops)} instructions"
            + (f"; simplified: {self.simplified.summary}" if self.simplified else "")
        )


def compile(
    model: object,
    query: Query | Sequence[Query],
    given: Hashable | Sequence[Hashable] = (),
    *,
    dtype: Precision = "float64",
    simplify: bool = False,
    engine: Engine | Literal["exact"] | None = None,
) -> Program:
    """Compile a model into the program that answers queries about it.

    Parameters
    ----------
    model
        A :class:`~ghmpp.models.model.Model`, a networkx graph or a discrete pgmpy model; or a
        declaration of another kind, such as spins with pairwise couplings.
    query
        What to answer: :func:`posterior`, :func:`mean`, :func:`edge`, :func:`log_evidence`.
    given
        What is observed: names of classes (states) or ``noisy(...)``, ``localized(...)``; nodes
        of a graph that are no strings in a list.
    dtype
        Precision for which the schedule's number domain is stated.
    simplify
        Whether to sum beforehand what this question does not need, see
        :func:`ghmpp.schedule.simplify.simplified`: the same answers from fewer operations and
        smaller networks. Classes that are neither asked about nor given may disappear, and
        potentials are no longer the declared ones.
    engine
        How a declaration of another kind is solved: an engine with its options, "exact" (by a
        junction tree, where the declaration is discrete), or None for what it names itself.

    Returns
    -------
    the program; nothing is run yet, and free tables are allowed.

    Raises
    ------
    QueryError
        If a query names an unknown class, asks a mean of states without values, or a joint
        with the parent of a root; or if something is asked or given twice.
    ModelError, ConversionError
        If the model is wrong, or cannot be converted.

    Examples
    --------
    >>> import ghmpp as gh
    >>> model = gh.GHM(states=(2, 3), branching=(2,), tables=[[[2, 1, 1], [1, 1, 3]]])
    >>> program = gh.compile(model, gh.posterior("x0"), given="x1")
    >>> program
    Program 'ghm': posterior(x0) given x1; 4 instructions
    """
    queries: tuple[Query, ...] = _listed(query)
    observed = read_given(given)
    if not queries:
        raise QueryError("compile: nothing is asked; pass at least one query.")
    solved = solution(model, queries, observed, engine, dtype)
    if solved is not None:
        return Program(solved.model, queries, solved.given, solved.schedule)
    model = as_model(model)
    forest = model.forest()
    check_questions(forest, queries, observed)
    outputs = [(asked.kind, asked.variable) for asked in queries]
    names = [item.variable for item in observed]

    def plan(forest: Forest) -> Schedule:
        return schedule_for(group(forest), outputs, names, dtype=dtype)

    found = simplified(forest, outputs, names, plan) if simplify else None
    schedule = plan(forest if found is None else found.forest)
    return Program(model, queries, observed, schedule, found)


def _listed(given: Any) -> tuple[Any, ...]:
    """One or several as a tuple; a name is one."""
    several = isinstance(given, Iterable) and not isinstance(given, str)
    return tuple(given) if several else (given,)
