"""Posteriors from pgmpy, an independent library: each of its exact engines, row by row.

What pgmpy 1.1 needs, all of it done here: likelihoods scaled to maximum 1; for Markov networks,
factors scaled too, so that no sum overflows, and likelihoods multiplied into the unary factors,
since virtual evidence is ignored (two equal factors on one variable would merge into one);
disconnected models run tree by tree; results normalised here; variables asked one by one; rows of
probability zero left out, since pgmpy may answer them anyway, and so are rows whose mass may
underflow, since pgmpy works in linear numbers without scaling.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from ghmpp._arrays import FloatArray, IntArray
from ghmpp.errors import ConversionError, MissingDependencyError, ResourceError
from ghmpp.models.convert import pgmpy_names, to_pgmpy
from ghmpp.models.model import Model
from ghmpp.verification.answers import Answer
from ghmpp.verification.factored import Joint
from ghmpp.verification.pgmpy_scaling import require_span, scale
from ghmpp.verification.recursion import log_recursion
from ghmpp.verification.unroll import Node, by_class, means, node_evidence, unroll, variances

LIMIT = 60
LOOPY_LIMIT = 10
QUESTIONS = 200
_SMALLEST_LOG_MASS = -500.0


@dataclass(frozen=True, slots=True)
class _Seen:
    """The evidence of one row, by pgmpy's names of the variables.

    ``hard`` holds state indices, ``soft`` likelihoods scaled to maximum 1, ``log_scale`` the sum
    of the logs of what was divided out.
    """

    hard: dict[str, int] = field(default_factory=dict)
    soft: dict[str, FloatArray] = field(default_factory=dict)
    log_scale: float = 0.0


@dataclass(frozen=True, slots=True)
class _Found:
    """Marginals by scope, (variable,) or (parent, child), any scale; and log Z(e) if known."""

    tables: dict[tuple[str, ...], FloatArray]
    log_mass: float | None = None


_Ask: TypeAlias = Callable[[_Seen], _Found]


def bayesian_elimination(
    model: Model, logs: Mapping[str, FloatArray], *, limit: int = LIMIT
) -> Answer:
    """pgmpy's ``VariableElimination`` on the Bayesian network of the model.

    Parameters
    ----------
    model
        A complete model of at most ``limit`` variables.
    logs
        Log-likelihoods by class, (batch, nodes, states), user's order.
    limit
        Largest number of variables that is tried.

    Returns
    -------
    Answer
        Posteriors and means of the possible rows, or of a spread of them where all would be more
        than ``QUESTIONS`` queries.

    Raises
    ------
    ResourceError
        If the model has too many variables.
    MissingDependencyError
        If pgmpy is not installed.
    """
    with _pgmpy(model, limit):
        from pgmpy.factors.discrete import TabularCPD
        from pgmpy.inference import VariableElimination

        network: Any = to_pgmpy(model, kind="bayesian")
        states = {cpd.variable: cpd.state_names[cpd.variable] for cpd in network.cpds}

        def ask(seen: _Seen) -> _Found:
            hard = {name: states[name][state] for name, state in seen.hard.items()}
            soft = [
                TabularCPD(name, len(each), each[:, None], state_names={name: states[name]})
                for name, each in seen.soft.items()
            ]
            tables: dict[tuple[str, ...], FloatArray] = {
                (name,): np.eye(len(states[name]))[k] for name, k in seen.hard.items()
            }
            for name in network.nodes:
                if name not in hard:
                    # An engine keeps the nodes that virtual evidence adds: a new one each time.
                    engine = VariableElimination(network)
                    factor = engine.query([name], hard, soft or None, show_progress=False)
                    tables[name,] = factor.values
            return _Found(tables)

        return _answer(model, logs, ask)


def markov_elimination(model: Model, logs: Mapping[str, FloatArray]) -> Answer:
    """pgmpy's ``VariableElimination`` on the Markov network: posteriors and log evidence.

    Arguments and errors as in :func:`bayesian_elimination`.
    """
    with _pgmpy(model):
        from pgmpy.inference import VariableElimination

        network: Any = to_pgmpy(model, kind="markov")
        log_scale = scale(network, model.log_partition())

        def ask(seen: _Seen) -> _Found:
            tables: dict[tuple[str, ...], FloatArray] = {}
            masses: list[float] = []
            for part in _trees(network, seen):
                engine = VariableElimination(part)
                for name in part.nodes:
                    tables[name,] = engine.query([name], show_progress=False).values
                masses.append(float(tables[name,].sum()))
            return _Found(tables, log_scale + float(np.log(masses).sum()))

        return _answer(model, logs, ask, log_scale)


def belief_propagation(model: Model, logs: Mapping[str, FloatArray]) -> Answer:
    """pgmpy's ``BeliefPropagation``: clique beliefs of the calibrated junction tree.

    Arguments and errors as in :func:`bayesian_elimination`; edge posteriors and log evidence too.
    A model whose potentials span more than float64 is refused, because beliefs are divided; so is
    a larger model with loops, on which the engine is slow and not always right.
    """
    with _pgmpy(model, LIMIT if Joint.of(model) is None else LOOPY_LIMIT):
        from pgmpy.inference import BeliefPropagation

        network: Any = to_pgmpy(model, kind="markov")
        require_span(network)
        log_scale = scale(network, model.log_partition())

        def ask(seen: _Seen) -> _Found:
            tables: dict[tuple[str, ...], FloatArray] = {}
            masses: list[float] = []
            for part in _trees(network, seen):
                engine = BeliefPropagation(part)
                engine.calibrate()
                for clique, belief in engine.get_clique_beliefs().items():
                    for axis, name in enumerate(belief.variables):
                        rest = tuple(k for k in range(len(clique)) if k != axis)
                        tables[name,] = belief.values.sum(axis=rest)
                    if len(clique) == 2:
                        tables[tuple(belief.variables)] = belief.values
                        tables[tuple(belief.variables[::-1])] = belief.values.T
                masses.append(float(belief.values.sum()))
            return _Found(tables, log_scale + float(np.log(masses).sum()))

        return _answer(model, logs, ask, log_scale)


def message_passing(model: Model, logs: Mapping[str, FloatArray]) -> Answer:
    """pgmpy's ``BeliefPropagationWithMessagePassing`` on the factor graph.

    Arguments, results and errors as in :func:`bayesian_elimination`.
    """
    if model.treewidth > 1:
        raise ConversionError("message passing is exact on trees of factors only.")
    with _pgmpy(model):
        from pgmpy.factors.discrete import TabularCPD
        from pgmpy.inference import BeliefPropagationWithMessagePassing

        graph: Any = to_pgmpy(model, kind="factor")
        engine = BeliefPropagationWithMessagePassing(graph)
        sizes = graph.get_cardinality()

        def ask(seen: _Seen) -> _Found:
            soft = [TabularCPD(name, len(each), each[:, None]) for name, each in seen.soft.items()]
            open_names = [name for name in sizes if name not in seen.hard]
            found = engine.query(open_names, seen.hard, soft) if open_names else {}
            tables: dict[tuple[str, ...], FloatArray] = {
                (name,): np.asarray(each.values) for name, each in found.items()
            }
            tables.update({(name,): np.eye(sizes[name])[k] for name, k in seen.hard.items()})
            return _Found(tables)

        return _answer(model, logs, ask)


@contextmanager
def _pgmpy(model: Model, limit: int = LIMIT) -> Iterator[None]:
    """Refuse what does not fit; pgmpy in numpy, without warnings and progress bars."""
    size = sum(variable.nodes for variable in model.variables.values())
    if size > limit:
        raise ResourceError(f"pgmpy: {size:,} variables exceed limit={limit}; it would be slow.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pgmpy import config
    except ImportError as error:
        raise MissingDependencyError("pgmpy is not installed; pip install pgmpy.") from error
    backend = config.get_backend()
    settings = (str(config.get_device()), config.get_dtype()) if backend == "torch" else ()
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        config.set_backend("numpy")
        try:
            yield
        finally:
            if settings:
                config.set_backend("torch", *settings)


def _trees(network: Any, seen: _Seen) -> Iterator[Any]:
    """A Markov network per connected tree, with the evidence in the unary factors."""
    import networkx as nx
    from pgmpy.factors.discrete import DiscreteFactor
    from pgmpy.models import DiscreteMarkovNetwork

    tables = {tuple(factor.variables): factor.values for factor in network.get_factors()}
    sizes = network.get_cardinality()
    evidence = {name: np.eye(sizes[name])[state] for name, state in seen.hard.items()}
    for name, likelihood in (evidence | seen.soft).items():
        tables[name,] = tables.get((name,), 1.0) * likelihood
    for component in nx.connected_components(network):
        part = DiscreteMarkovNetwork()
        part.add_nodes_from(sorted(component))
        part.add_edges_from(network.subgraph(component).edges)
        part.add_factors(
            *(
                DiscreteFactor(scope, table.shape, table)
                for scope, table in tables.items()
                if scope[0] in component
            )
        )
        yield part


def _answer(
    model: Model, logs: Mapping[str, FloatArray], ask: _Ask, log_scale: float = 0.0
) -> Answer:
    """Ask row by row, and gather by class; ``log_scale`` was divided out of the factors."""
    forest = model.forest()
    joint = Joint.of(model)
    nodes = unroll(forest) if joint is None else _bare(joint)
    names = _names(model, nodes)
    given, batch = node_evidence(nodes, logs)
    observed = {names[k]: each for k, each in enumerate(given) if each is not None and k in names}
    truth = log_recursion(forest, logs) if joint is None else joint.second_triangulation(logs)
    seen = [_seen({name: each[row] for name, each in observed.items()}) for row in range(batch)]
    assert truth.log_evidence is not None
    assert truth.log_partition is not None
    log_mass = truth.log_evidence + truth.log_partition - [each.log_scale for each in seen]
    log_mass = log_mass - log_scale
    rows = _spread(np.flatnonzero(log_mass > _SMALLEST_LOG_MASS), QUESTIONS // len(nodes))
    found = [ask(seen[row]) for row in rows]

    free = ask(_Seen()).log_mass
    log_evidence = None
    if free is not None:
        masses = [f.log_mass or 0.0 for f in found]
        log_evidence = masses + np.array([seen[row].log_scale for row in rows]) - free
    parents = {k: nodes[k].parent for k in names}
    scopes = {k: (names[p], names[k]) for k, p in parents.items() if p is not None and p in names}
    pairs = {
        k: _stack(found, scope)
        for k, scope in scopes.items()
        if found and all(scope in each.tables for each in found)
    }
    singles = {
        k: _stack(found, (name,)) if found else np.zeros((0, nodes[k].states))
        for k, name in names.items()
    }
    posteriors = by_class(nodes, singles)
    return Answer(
        log_evidence=log_evidence,
        posteriors=posteriors,
        means=means(forest, posteriors),
        variances=variances(forest, posteriors),
        edges=by_class(nodes, pairs),
        rows=rows,
    )


def _names(model: Model, nodes: Sequence[Node]) -> dict[int, str]:
    """What pgmpy calls each node, by index; the helper classes of rules it does not have."""
    safe = pgmpy_names(model)
    names: dict[int, str] = {}
    for k, node in enumerate(nodes):
        numbered = f"{node.variable}[{node.position}]"
        if node.variable in model.variables:
            names[k] = safe[numbered if numbered in safe else node.variable]
    return names


def _bare(joint: Joint) -> tuple[Node, ...]:
    """The variables of a junction tree, without the tree."""
    return tuple(Node(name, 0, states) for name, states in joint.sizes.items())


def _spread(rows: IntArray, most: int) -> IntArray:
    """At most ``most`` of the rows, the first and the last among them."""
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]


def _stack(found: Sequence[_Found], scope: tuple[str, ...]) -> FloatArray:
    """Normalised marginals of a scope, one per row."""
    tables = [each.tables[scope] for each in found]
    return np.array([table / table.sum() for table in tables])


def _seen(row: Mapping[str, FloatArray]) -> _Seen:
    """Sort the log-likelihoods of a possible row into hard and soft evidence."""
    hard: dict[str, int] = {}
    soft: dict[str, FloatArray] = {}
    log_scale = 0.0
    for name, logs in row.items():
        if logs.max() == -np.inf:
            continue
        log_scale += float(logs.max())
        if np.count_nonzero(logs > -np.inf) == 1 < len(logs):
            hard[name] = int(logs.argmax())
        elif logs.min() < logs.max():
            soft[name] = np.exp(logs - logs.max())
    return _Seen(hard, soft, log_scale)
