"""The messages of a factor graph without loops, from factors to variables.

Such a graph is a forest as it stands: a factor over several variables is a node whose states are
their joint states, linked to each of them by a table of zeros and ones. A message from a factor to
a variable is then a message of the schedule. (Index maps would say the same; along them a
schedule may send the whole belief, because what the receiver had sent itself cannot change it.)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp.backends.algebras import LogFloat
from ghmpp.backends.reference import execute
from ghmpp.backends.reference_machine import prepare
from ghmpp.errors import QueryError
from ghmpp.models.factors import Factors
from ghmpp.models.junction import projection
from ghmpp.models.model import Model
from ghmpp.models.rooting import rooted
from ghmpp.models.variable import Variable
from ghmpp.schedule.build import Output, build_schedule
from ghmpp.schedule.ir import Message

if TYPE_CHECKING:
    import networkx as nx

Scope: TypeAlias = tuple[str, ...]
# A factor by its variables, and the variable that it sends to.
Arrow: TypeAlias = tuple[Scope, str]


class MessageTree:
    """A factor graph of which every message can be read.

    Parameters
    ----------
    graph
        Variables and factors; factors over the same variables are multiplied.

    Raises
    ------
    QueryError
        If the factors close a loop.
    """

    def __init__(self, graph: Factors) -> None:
        import networkx as nx

        self.tables = _merged(graph)
        self.sizes: dict[str, int] = {}
        for scope, table in self.tables.items():
            self.sizes.update(zip(scope, table.shape, strict=True))
        # Class names, which no name of a variable can break.
        self.variables = {f"variable {k}": name for k, name in enumerate(self.sizes)}
        joint = [scope for scope in self.tables if len(scope) > 1]
        self.factors = {f"factor {k}": scope for k, scope in enumerate(joint)}
        self.class_of = {name: found for found, name in self.variables.items()}
        self.links: nx.Graph[str] = nx.Graph()
        self.links.add_nodes_from(self.variables)
        for factor, scope in self.factors.items():
            self.links.add_edges_from((factor, self.class_of[name]) for name in scope)
        if not nx.is_forest(self.links):
            raise QueryError(
                "get_messages: the factors close a loop, so there are no messages from factors "
                "to variables; ask without them."
            )

    def toward(
        self, wanted: Collection[str], hard: Mapping[str, int], soft: Mapping[str, FloatArray]
    ) -> dict[Arrow, FloatArray]:
        """The messages on the way to some variables; observed ones let none through.

        Parameters
        ----------
        wanted
            Variables, not observed.
        hard, soft
            Positions of observed states, and likelihoods (states,), by variable.

        Returns
        -------
        dict from (variables of the factor, receiver) to array
            Linear, (states of the receiver,), summing to 1; of a factor over one variable its
            table.
        """
        every = self._messages(hard, soft)
        arrows = dict.fromkeys(arrow for name in wanted for arrow in self._arrows(name, hard))
        return {arrow: every[arrow] for arrow in arrows}

    def _arrows(self, wanted: str, hard: Collection[str]) -> Iterator[Arrow]:
        """The messages that a variable waits for, nearest first."""
        open_ends: deque[tuple[str, str]] = deque([(wanted, "")])
        while open_ends:
            name, behind = open_ends.popleft()
            if name in hard:
                continue
            if (name,) in self.tables:
                yield (name,), name
            for factor in self.links[self.class_of[name]]:
                if factor != behind:
                    scope = self.factors[factor]
                    yield scope, name
                    open_ends.extend((other, factor) for other in scope if other != name)

    def _messages(
        self, hard: Mapping[str, int], soft: Mapping[str, FloatArray]
    ) -> dict[Arrow, FloatArray]:
        """All messages from factors to variables, by the reference interpreter."""
        forest = self._model().forest()
        outputs: list[Output] = [("posterior", name) for name in self.variables]
        likelihoods = {**soft, **{v: np.eye(self.sizes[v])[state] for v, state in hard.items()}}
        with np.errstate(divide="ignore"):
            leaves = {self.class_of[v]: np.log(each)[None, None] for v, each in likelihoods.items()}
        schedule = build_schedule(forest, outputs, leaves)
        machine = prepare(schedule, leaves, LogFloat())
        singles = (scope for scope in self.tables if len(scope) == 1)
        found: dict[Arrow, FloatArray] = {(s, s[0]): self.tables[s] for s in singles}
        for op in execute(machine, schedule.ops):
            if not isinstance(op, Message):
                continue
            edge = forest.edges[op.edge]
            upward = op.toward == "root"
            sender, target = (edge.child, edge.parent) if upward else (edge.parent, edge.child)
            if sender in self.factors:
                logs = machine.values[op.out][0, 0]
                message = np.exp(logs - logs.max())
                found[self.factors[sender], self.variables[target]] = message / message.sum()
        return found

    def _model(self) -> Model:
        """The forest of the variables and the factors over several of them."""
        model = Model("messages")
        declared: dict[str, Variable] = {}
        for name, parent in rooted(self.links).items():
            scope = self.factors.get(name) or (self.variables[name],)
            table = self.tables.get(scope)
            prior = None if table is None else table.reshape(-1)
            states = int(np.prod([self.sizes[each] for each in scope]))
            if parent is None:
                declared[name] = model.root(name, states, prior=prior)
                continue
            joint = self.factors.get(name) or self.factors[parent]
            target = self.variables[parent if name in self.factors else name]
            index = projection({each: self.sizes[each] for each in joint}, [target])
            agrees = np.eye(self.sizes[target])[index]
            declared[name] = declared[parent].children(
                name, 1, states, potential=agrees.T if name in self.factors else agrees, prior=prior
            )
        return model


def _merged(graph: Factors) -> dict[Scope, FloatArray]:
    """Tables by scope, those over the same variables multiplied."""
    scopes: dict[frozenset[str], Scope] = {}
    tables: dict[Scope, FloatArray] = {}
    for factor in graph.factors:
        scope = scopes.setdefault(frozenset(factor.variables), factor.variables)
        table = np.asarray(factor.table, dtype=np.float64)
        table = table.transpose([factor.variables.index(name) for name in scope])
        tables[scope] = tables.get(scope, 1.0) * table
    return tables
