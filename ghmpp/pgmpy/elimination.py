"""The look-alike of pgmpy's ``VariableElimination``."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

from ghmpp.errors import QueryError
from ghmpp.models.relevant import relevant
from ghmpp.pgmpy.network import Evidence, Network, discrete_factor, ours, unnormalised
from ghmpp.pgmpy.vocabulary import Known, VirtualEvidence, listed

if TYPE_CHECKING:
    import networkx as nx
    from pgmpy.factors.discrete import DiscreteFactor

HEURISTICS = ("greedy", "WeightedMinFill", "MinNeighbors", "MinWeight", "MinFill")


class VariableElimination:
    """Drop-in for ``pgmpy.inference.VariableElimination``, by compiled message passing.

    A question is compiled at its first use, on the part of the model that it needs, and answered
    from then on with other states of the same variables in some microseconds.

    Parameters
    ----------
    model
        A ``DiscreteBayesianNetwork``, ``DiscreteMarkovNetwork``, ``FactorGraph`` or
        ``JunctionTree``, loops included; variables of any hashable type.

    Raises
    ------
    ConversionError
        If the model is none of these (pgmpy raises ``NotImplementedError`` at the first query of
        linear Gaussian and functional networks), or misses factors.

    Notes
    -----
    What differs from pgmpy, and why:

    - The model is read once. Make a new object after changing it; so nothing is read twice.
    - Evidence of probability zero raises ``ImpossibleEvidenceError``; pgmpy may answer with
      numbers that mean nothing, or NaN.
    - An unknown state or variable raises a ``ValueError`` of ours that lists the known ones
      (of states also a ``KeyError``, as in pgmpy). States may be given by position where no
      state is called by a number.
    - Virtual evidence may have any scale, be a dictionary ``{variable: likelihoods}``, belong to
      names that are no strings, and works in undirected models too, where pgmpy ignores it. It
      leaves no variables behind in the model.
    - The columns of CPDs are normalised (pgmpy takes a sum of 1.005 as it is).
    - ``elimination_order`` is checked and not followed: the order is the compiler's.
    - ``map_query`` without variables is about all unobserved variables given the evidence; pgmpy
      ignores the evidence then. So does its ``max_marginal``.
    - A joint table too large for memory raises ``TreewidthError`` before it is made.
    - Private methods, such as ``_get_elimination_order``, are not there.
    - It is no subclass of ``pgmpy.inference.Inference``, so ``model.predict(algo=...)`` does not
      take it; :func:`ghmpp.pgmpy.predict` takes its place.

    Examples
    --------
    >>> from pgmpy.factors.discrete import TabularCPD
    >>> from pgmpy.models import DiscreteBayesianNetwork
    >>> network = DiscreteBayesianNetwork([("rain", "wet")])
    >>> network.add_cpds(
    ...     TabularCPD("rain", 2, [[0.8], [0.2]]),
    ...     TabularCPD("wet", 2, [[0.9, 0.1], [0.1, 0.9]], evidence=["rain"], evidence_card=[2]),
    ... )
    >>> engine = VariableElimination(network)
    >>> engine.query(["rain"], evidence={"wet": 1}).values.round(3)
    array([0.308, 0.692])
    >>> engine.map_query(["rain"], evidence={"wet": 1})
    {'rain': 1}
    """

    def __init__(self, model: object) -> None:
        self.model = model
        self.network = Network(model)
        self.variables = list(self.network.vocabulary.variables)

    def query(
        self,
        variables: Iterable[Hashable],
        evidence: Evidence | None = None,
        virtual_evidence: VirtualEvidence | None = None,
        elimination_order: str | Sequence[Hashable] | None = "greedy",
        joint: bool = True,
        show_progress: bool = True,
    ) -> DiscreteFactor | dict[Hashable, DiscreteFactor]:
        """The distribution of some variables given evidence.

        Parameters
        ----------
        variables
            At least one.
        evidence
            States by variable.
        virtual_evidence
            ``TabularCPD`` or ``DiscreteFactor`` objects over one variable, or likelihoods by
            variable; those of one variable multiply.
        elimination_order
            Checked, and otherwise without meaning.
        joint
            One table over all variables, or a dictionary with one of each.
        show_progress
            Without meaning: there is nothing to wait for.

        Returns
        -------
        DiscreteFactor, or a dictionary of them
            Summing to 1 for Bayesian networks and junction trees, as in pgmpy; of Markov networks
            and factor graphs the mass (virtual evidence scaled to largest entry 1).

        Raises
        ------
        QueryError, EvidenceError
            If variables, states, likelihoods or the elimination order are unknown or wrong.
        ImpossibleEvidenceError
            If the evidence has probability zero.
        TreewidthError
            If the joint table needs larger cliques than fit into memory.
        """
        wanted = self.network.vocabulary.wanted(variables, evidence)
        if not wanted:
            raise QueryError("query: variables must contain at least one variable.")
        if elimination_order != "greedy":
            self._check_order(elimination_order, wanted, evidence)
        scopes = [tuple(wanted)] if joint else [(known,) for known in wanted]
        mass = not self.network.normalised
        answer = self.network.ask(scopes, evidence, virtual_evidence, mass=mass)
        found = []
        for scope in scopes:
            table = answer.tables[ours(scope)]
            table = unnormalised(table, answer.log_mass) if mass else table
            found.append(discrete_factor(scope, table))
        if joint:
            return found[0]
        return {known.name: factor for known, factor in zip(wanted, found, strict=True)}

    def map_query(
        self,
        variables: Iterable[Hashable] | None = None,
        evidence: Evidence | None = None,
        virtual_evidence: VirtualEvidence | None = None,
        elimination_order: str | Sequence[Hashable] | None = "MinFill",
        show_progress: bool = True,
    ) -> dict[Hashable, Hashable]:
        """The most probable joint state of some variables, the others summed out.

        Parameters are those of :meth:`query`; without variables all unobserved ones are meant.

        Returns
        -------
        dict from variable to the name of its state
            Of equally probable ones any.

        Raises
        ------
        QueryError, EvidenceError, ImpossibleEvidenceError, TreewidthError
            As :meth:`query`.
        """
        wanted = self.network.vocabulary.wanted_or_open(variables, evidence)
        self._check_order(elimination_order, wanted, evidence)
        return self.network.best(wanted, evidence, virtual_evidence)

    def max_marginal(
        self,
        variables: Iterable[Hashable] | None = None,
        evidence: Evidence | None = None,
        elimination_order: str | Sequence[Hashable] | None = "MinFill",
        show_progress: bool = True,
    ) -> float:
        """The largest entry of the max-marginal of some variables, the others maximised out.

        As in pgmpy, that of a Bayesian network is over the variables that bear on the asked ones,
        and normalised to sum 1 over these; without variables, and of undirected models, it is the
        mass of the most probable configuration.

        Raises
        ------
        QueryError, EvidenceError, ImpossibleEvidenceError, TreewidthError
            As :meth:`query`.
        """
        asked = list(variables or ())
        wanted = self.network.vocabulary.wanted_or_open(asked, evidence)
        self._check_order(elimination_order, wanted, evidence)
        if asked and self.network.normalised:
            answer = self.network.ask([tuple(wanted)], evidence, None, semiring="max")
            return float(next(iter(answer.tables.values())).max())
        scopes = [(known,) for known in wanted]
        answer = self.network.ask(scopes, evidence, None, mass=True, semiring="max")
        return math.exp(answer.log_mass)

    def induced_graph(self, elimination_order: Sequence[Hashable]) -> nx.Graph[Any]:
        """The graph in which variables are joined if elimination in this order joins them.

        Raises
        ------
        QueryError
            If the order does not list every variable once.
        """
        import networkx as nx

        if set(elimination_order) != set(self.variables):
            raise QueryError(
                "induced_graph: the elimination order must contain every variable of the model: "
                f"{listed(self.variables)}."
            )
        names = {known.ours: name for name, known in self.network.vocabulary.variables.items()}
        induced: nx.Graph[Any] = nx.Graph()
        induced.add_nodes_from(self.variables)
        for factor in self.network.graph.factors:
            induced.add_edges_from(combinations([names[each] for each in factor.variables], 2))
        remaining = induced.copy()
        for variable in elimination_order:
            joined = list(combinations(remaining[variable], 2))
            induced.add_edges_from(joined)
            remaining.add_edges_from(joined)
            remaining.remove_node(variable)
        return induced

    def induced_width(self, elimination_order: Sequence[Hashable]) -> int:
        """Size of the largest clique of :meth:`induced_graph`, minus 1."""
        import networkx as nx

        induced = self.induced_graph(elimination_order)
        return max(len(clique) for clique in nx.find_cliques(induced)) - 1

    def _check_order(
        self,
        order: str | Sequence[Hashable] | None,
        wanted: Sequence[Known],
        evidence: Mapping[Any, object] | None,
    ) -> None:
        """Refuse orders that pgmpy would refuse."""
        if order is None:
            return
        if isinstance(order, str):
            if order.lower() not in map(str.lower, HEURISTICS):
                raise QueryError(
                    f"elimination_order: must be one of {', '.join(HEURISTICS)}, a list or None, "
                    f"got {order!r}."
                )
            return
        seen = self.network.vocabulary.hard(evidence)
        needed = relevant(self.network.graph, [known.ours for known in wanted], seen).graph.nodes
        fixed = {known.name for known in wanted} | set(evidence or ())
        to_eliminate = {
            name
            for name, known in self.network.vocabulary.variables.items()
            if known.ours in needed and name not in fixed
        }
        if fixed.intersection(order) or not to_eliminate.issubset(order):
            raise QueryError(
                "elimination_order: must contain every variable to be eliminated, "
                f"{listed(to_eliminate)}, and none that is asked or observed; got {list(order)}."
            )
