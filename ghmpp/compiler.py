"""The only place that strings the stages together: model -> forest -> schedule -> network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Literal

from ghmpp.errors import QueryError
from ghmpp.models.channels import Given
from ghmpp.models.convert import as_model
from ghmpp.models.forest import Forest
from ghmpp.models.grouping import group
from ghmpp.models.model import Model
from ghmpp.schedule.build import Output, build_schedule
from ghmpp.schedule.domain import Precision, choose_domain
from ghmpp.schedule.ir import Schedule, Semiring
from ghmpp.schedule.passes import place_normalization, prune, relax_normalization

if TYPE_CHECKING:
    from ghmpp.backends.network import ExactNetwork
    from ghmpp.backends.symbolic import Assignment

QueryKind = Literal["posterior", "mean", "log_evidence", "edge"]


@dataclass(frozen=True, slots=True)
class Query:
    """What a program answers: a kind, and the class of variables that it is about."""

    kind: QueryKind
    variable: str = ""


def posterior(variable: str) -> Query:
    """Posterior probabilities of the states of a class, (batch, nodes, states).

    Parameters
    ----------
    variable
        Name of the class; checked by :func:`compile`.

    Returns
    -------
    Query
        Answered by a tensor (batch, nodes, states), linear, summing to 1 over states; (batch,
        states) for a class with one node.

    Examples
    --------
    >>> posterior("digit")
    Query(kind='posterior', variable='digit')
    """
    return Query("posterior", variable)


def mean(variable: str) -> Query:
    """Posterior means of the numeric state values of a class, (batch, nodes).

    Parameters
    ----------
    variable
        Name of the class; checked by :func:`compile`.

    Returns
    -------
    Query
        Answered by a tensor (batch, nodes), in the units of the state values; (batch,) for a
        class with one node.

    Examples
    --------
    >>> mean("pixel")
    Query(kind='mean', variable='pixel')
    """
    return Query("mean", variable)


def log_evidence() -> Query:
    """Log probability (density, for continuous observations) of what is given, (batch,).

    Returns
    -------
    Query
        Answered by a tensor (batch,), natural log, float64; -inf for impossible evidence.

    Examples
    --------
    >>> log_evidence()
    Query(kind='log_evidence', variable='')
    """
    return Query("log_evidence")


def edge(variable: str) -> Query:
    """Joint posterior of each variable of a class and its parent.

    Parameters
    ----------
    variable
        Name of the class, the children; checked by :func:`compile`.

    Returns
    -------
    Query
        Answered by a tensor (batch, nodes with a parent, parent states, states), linear; (batch,
        parent states, states) for a class with one node.

    Examples
    --------
    >>> edge("pixel")
    Query(kind='edge', variable='pixel')
    """
    return Query("edge", variable)


def schedule_for(
    forest: Forest,
    outputs: Sequence[Output],
    observed: Sequence[str],
    *,
    semiring: Semiring = "sum",
    choose: Literal["argmax", "sample"] = "argmax",
    dtype: Precision = "float64",
) -> Schedule:
    """Build, normalise, prune and choose the number domain: the schedule that is run.

    ``outputs`` are pairs (kind, class), see :class:`ghmpp.schedule.ir.Readout`; a class stands
    for all of its blocks. Of a grouped forest, ``outputs`` and ``observed`` name the original
    classes.
    """
    if forest.grouping is not None:
        home = {name: found for name, (found, _) in forest.grouping.members.items()}
        outputs = list(dict.fromkeys((kind, home.get(name, "")) for kind, name in outputs))
        observed = sorted({home[name] for name in observed})
    wanted = [
        (kind, block) for kind, name in outputs for block in _output_blocks(forest, kind, name)
    ]
    built = build_schedule(forest, wanted, observed, semiring=semiring, choose=choose)
    return choose_domain(relax_normalization(prune(place_normalization(built))), dtype)


def _output_blocks(forest: Forest, kind: str, name: str) -> list[str]:
    if kind == "log_evidence":
        return [""]
    names = [block.name for block in forest.class_blocks(name)]
    if kind == "unary_counts":
        return [block for block in names if forest.blocks[block].unary is not None]
    return [block for block in names if kind not in ("edge", "counts") or block in forest.edges]


@dataclass(frozen=True, eq=False)
class Program:
    """A compiled query: one schedule, which is exact inference and a network at once.

    Parameters
    ----------
    model
        What was compiled.
    queries
        What is answered, in order.
    given
        What is observed, and through which channel, in the order of the network's inputs.
    schedule
        The plan; ``print(program.schedule)`` is a report.
    """

    model: Model
    queries: tuple[Query, ...]
    given: tuple[Given, ...]
    schedule: Schedule

    def network(
        self,
        family: Literal["exact"] = "exact",
        *,
        dtype: Precision = "float64",
        device: str = "cpu",
        chunk: int | None = None,
    ) -> ExactNetwork:
        """Emit the network of this program, a :class:`torch.nn.Module`.

        Parameters
        ----------
        family
            "exact": the message layers are the potentials themselves.
        dtype
            Precision of parameters and results.
        device
            Where the parameters live, e.g. "cpu" or "cuda".
        chunk
            Rows that run together; None picks what fits the cache.

        Raises
        ------
        ModelError
            If tables are free or symbols have no value.
        QueryError
            If the family or the precision is unknown, or ``chunk`` is below 1.
        """
        from ghmpp.backends.network import ExactNetwork
        from ghmpp.backends.prepare import torch_precision

        if family != "exact":
            raise QueryError(f"network: unknown family {family!r}; known: 'exact'.")
        self.model.require_complete()
        return ExactNetwork(
            self.schedule,
            dtype=torch_precision(dtype),
            device=device,
            chunk=chunk,
            given=self.given,
            answers=tuple((query.kind, query.variable) for query in self.queries),
        )

    def symbolic(self) -> Sequence[Assignment]:
        """One named sympy assignment per message, see :mod:`ghmpp.backends.symbolic`."""
        from ghmpp.backends.symbolic import symbolic

        return symbolic(self.schedule)

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self))}</p>{self.schedule._repr_html_()}"

    def __repr__(self) -> str:
        answers = ", ".join(f"{q.kind}({q.variable})" for q in self.queries)
        given = ", ".join(
            g.variable if g.channel is None else f"{g.variable} ~ {g.channel}" for g in self.given
        )
        return (
            f"Program {self.model.name!r}: {answers} given {given or 'nothing'}; "
            f"{len(self.schedule.ops)} instructions"
        )


def compile(
    model: object,
    query: Query | Sequence[Query],
    given: str | Given | Sequence[str | Given] = (),
    *,
    dtype: Precision = "float64",
) -> Program:
    """Compile a model into the program that answers queries about it.

    Parameters
    ----------
    model
        A :class:`~ghmpp.models.model.Model`, a networkx graph or a discrete pgmpy model.
    query
        What to answer: :func:`posterior`, :func:`mean`, :func:`edge`, :func:`log_evidence`.
    given
        What is observed: names of classes (states) or ``noisy(...)``, ``localized(...)``.
    dtype
        Precision for which the schedule's number domain is stated.

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
    model = as_model(model)
    queries = (query,) if isinstance(query, (Query, str)) else tuple(query)
    items = (given,) if isinstance(given, (str, Given)) else tuple(given)
    observed = tuple(Given(item) if isinstance(item, str) else item for item in items)
    forest = model.forest()
    if not queries:
        raise QueryError("compile: nothing is asked; pass at least one query.")
    for asked in queries:
        if not isinstance(asked, Query):
            raise QueryError(
                f"compile: a query must be gh.posterior(...), gh.mean(...), gh.edge(...) or "
                f"gh.log_evidence(), got {asked!r}."
            )
        _check_query(forest, asked)
    _refuse_repeats("query", [f"{asked.kind}({asked.variable})" for asked in queries])
    _refuse_repeats("given", [item.variable for item in observed])
    for item in observed:
        _check_class(forest, "given", item.variable)
        if item.channel is not None and forest.variables[item.variable].values is None:
            raise QueryError(
                f"given {item.variable!r}: a channel needs numeric state values; declare "
                f"values= for {item.variable!r}."
            )
    outputs = [(asked.kind, asked.variable) for asked in queries]
    names = [item.variable for item in observed]
    schedule = schedule_for(group(forest), outputs, names, dtype=dtype)
    return Program(model, queries, observed, schedule)


def _check_query(forest: Forest, query: Query) -> None:
    if query.kind == "log_evidence":
        return
    _check_class(forest, query.kind, query.variable)
    variable = forest.variables[query.variable]
    if query.kind == "mean" and variable.values is None:
        raise QueryError(
            f"mean: the states of {query.variable!r} have no numeric values; declare values=, "
            "or ask for the posterior."
        )
    if query.kind == "edge" and not _output_blocks(forest, "edge", query.variable):
        raise QueryError(f"edge: {query.variable!r} is a root and has no parent.")


def _refuse_repeats(where: str, names: Sequence[str]) -> None:
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise QueryError(f"{where}: {repeated[0]} is listed twice; list it once.")


def _check_class(forest: Forest, where: str, name: str) -> None:
    if name not in forest.variables:
        known = ", ".join(forest.variables)
        raise QueryError(f"{where}: unknown class {name!r}; the model has {known}.")
