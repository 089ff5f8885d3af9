"""The look-alike of pgmpy's ``BeliefPropagation``."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from ghmpp.errors import QueryError
from ghmpp.models.triangulation import junction_forest
from ghmpp.pgmpy.network import Evidence, Network, discrete_factor, ours, unnormalised
from ghmpp.pgmpy.vocabulary import Known, VirtualEvidence
from ghmpp.schedule.ir import Semiring

if TYPE_CHECKING:
    from pgmpy.factors.discrete import DiscreteFactor

CliqueName: TypeAlias = tuple[Hashable, ...]
SepsetName: TypeAlias = frozenset[CliqueName]


class BeliefPropagation:
    """Drop-in for ``pgmpy.inference.BeliefPropagation``, by compiled message passing.

    Parameters
    ----------
    model
        As for :class:`~ghmpp.pgmpy.elimination.VariableElimination`.

    Raises
    ------
    ConversionError
        If the model is of another kind, or misses factors.

    Notes
    -----
    What differs from pgmpy, and why, beyond what :class:`~ghmpp.pgmpy.elimination
    .VariableElimination` lists:

    - The cliques of a model that is no ``JunctionTree`` are those of our own triangulation, which
      are smaller or equal; their order, and the order of variables in them, is ours.
    - Models that fall apart are answered (pgmpy: "No sepset found between these two edges").
      Between parts there is no sepset.
    - Clique beliefs are copies; changing them changes no answer. They stay after queries, for
      which nothing has to be calibrated.
    - ``query`` normalises every result, also those of ``joint=False``.

    Examples
    --------
    >>> from pgmpy.factors.discrete import DiscreteFactor
    >>> from pgmpy.models import DiscreteMarkovNetwork
    >>> network = DiscreteMarkovNetwork([("a", "b"), ("b", "c")])
    >>> network.add_factors(
    ...     DiscreteFactor(["a", "b"], [2, 2], [3, 1, 1, 3]),
    ...     DiscreteFactor(["b", "c"], [2, 2], [3, 1, 1, 3]),
    ... )
    >>> engine = BeliefPropagation(network)
    >>> engine.query(["a"], evidence={"c": 0}).values
    array([0.625, 0.375])
    >>> engine.calibrate()
    >>> [sorted(clique) for clique in engine.get_clique_beliefs()]
    [['b', 'c'], ['a', 'b']]
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.network = Network(model)
        self.variables = list(self.network.vocabulary.variables)
        self.clique_beliefs: dict[CliqueName, DiscreteFactor] = {}
        self.sepset_beliefs: dict[SepsetName, DiscreteFactor] = {}

    def get_cliques(self) -> list[CliqueName]:
        """The cliques of the junction tree, tuples of variables."""
        return self._tree[0]

    def get_clique_beliefs(self) -> dict[CliqueName, DiscreteFactor]:
        """Beliefs by clique; empty before :meth:`calibrate` or :meth:`max_calibrate`."""
        return self.clique_beliefs

    def get_sepset_beliefs(self) -> dict[SepsetName, DiscreteFactor]:
        """Beliefs of what two neighbouring cliques share, by the set of these two."""
        return self.sepset_beliefs

    def calibrate(self) -> None:
        """Compute the belief of every clique: the mass of each joint state of its variables.

        Raises
        ------
        TreewidthError
            If the cliques do not fit into memory.
        QueryError
            If the mass is no number of float64.
        """
        self._calibrate("sum")

    def max_calibrate(self) -> None:
        """Compute the largest mass of a configuration for each joint state of every clique.

        Errors as for :meth:`calibrate`.
        """
        self._calibrate("max")

    def query(
        self,
        variables: Iterable[Hashable],
        evidence: Evidence | None = None,
        virtual_evidence: VirtualEvidence | None = None,
        joint: bool = True,
        show_progress: bool = True,
    ) -> DiscreteFactor | dict[Hashable, DiscreteFactor]:
        """The distribution of some variables given evidence, summing to 1.

        Parameters and errors are those of
        :meth:`ghmpp.pgmpy.elimination.VariableElimination.query`.
        """
        wanted = self.network.vocabulary.wanted(variables, evidence)
        if not wanted:
            raise QueryError("query: variables must contain at least one variable.")
        scopes = [tuple(wanted)] if joint else [(known,) for known in wanted]
        answer = self.network.ask(scopes, evidence, virtual_evidence)
        factors = [discrete_factor(scope, answer.tables[ours(scope)]) for scope in scopes]
        if joint:
            return factors[0]
        return {known.name: factor for known, factor in zip(wanted, factors, strict=True)}

    def map_query(
        self,
        variables: Iterable[Hashable] | None = None,
        evidence: Evidence | None = None,
        virtual_evidence: VirtualEvidence | None = None,
        show_progress: bool = True,
    ) -> dict[Hashable, Hashable]:
        """The most probable joint state of some variables, the others summed out.

        As :meth:`ghmpp.pgmpy.elimination.VariableElimination.map_query`.
        """
        wanted = self.network.vocabulary.wanted_or_open(variables, evidence)
        return self.network.best(wanted, evidence, virtual_evidence)

    @cached_property
    def _tree(self) -> tuple[list[CliqueName], list[tuple[CliqueName, CliqueName]]]:
        """The cliques, and the edges between them."""
        if "JunctionTree" in {base.__name__ for base in type(self.model).__mro__}:
            return list(self.model.nodes), list(self.model.edges)
        graph, names = self.network.graph, self.network.vocabulary.names
        sizes = {known.ours: len(known.states) for known in names.values()}
        found = junction_forest(sizes, [factor.variables for factor in graph.factors])
        cliques = [tuple(names[each].name for each in clique.variables) for clique in found]
        edges = [
            (cliques[clique.parent], cliques[place])
            for place, clique in enumerate(found)
            if clique.parent is not None
        ]
        return cliques, edges

    def _calibrate(self, semiring: Semiring) -> None:
        cliques, edges = self._tree
        known = self.network.vocabulary.variables
        scopes = {clique: tuple(known[name] for name in clique) for clique in cliques}
        shared = {
            frozenset(edge): tuple(known[name] for name in edge[0] if name in edge[1])
            for edge in edges
        }
        every = [*scopes.values(), *shared.values()]
        answer = self.network.ask(every, None, None, mass=True, semiring=semiring)

        def belief(scope: tuple[Known, ...]) -> DiscreteFactor:
            table = answer.tables[ours(scope)]
            total = 1.0 if semiring == "sum" else 1 / table.max()
            return discrete_factor(scope, unnormalised(table * total, answer.log_mass))

        self.clique_beliefs = {clique: belief(scope) for clique, scope in scopes.items()}
        self.sepset_beliefs = {edge: belief(scope) for edge, scope in shared.items()}
