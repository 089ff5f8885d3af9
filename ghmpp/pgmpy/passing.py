"""The look-alike of pgmpy's ``BeliefPropagationWithMessagePassing``."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, Any

from ghmpp._arrays import FloatArray
from ghmpp.errors import ConversionError, EvidenceError, QueryError
from ghmpp.pgmpy.messages import MessageTree
from ghmpp.pgmpy.network import Evidence, Network, discrete_factor, ours
from ghmpp.pgmpy.vocabulary import VirtualEvidence, listed

if TYPE_CHECKING:
    from pgmpy.factors.discrete import DiscreteFactor


class BeliefPropagationWithMessagePassing:
    """Drop-in for ``pgmpy.inference.ExactInference.BeliefPropagationWithMessagePassing``.

    Parameters
    ----------
    model
        A ``FactorGraph``.
    check_model
        Without meaning: a model is checked when it is read.

    Raises
    ------
    ConversionError
        If the model is no factor graph, or misses factors (pgmpy: an ``AssertionError``).

    Notes
    -----
    What differs from pgmpy, and why:

    - Factor graphs with loops are answered exactly (pgmpy recurses without end); only their
      messages cannot be asked, because there are none.
    - Evidence is given by the names of states, or by position where no state is called by a
      number; pgmpy takes positions only, and its results have lost the names.
    - Every result sums to 1; pgmpy returns that of a variable with a single factor over itself
      as it stands in the factor.
    - Factors over the same variables are multiplied; pgmpy treats equal ones as one, and others
      as a loop.
    - Long chains are no problem (pgmpy: ``RecursionError`` beyond some 1,000 variables).
    - Evidence of probability zero raises ``ImpossibleEvidenceError`` (pgmpy: NaN).
    - Virtual evidence as for :class:`~ghmpp.pgmpy.elimination.VariableElimination`.

    Examples
    --------
    >>> from pgmpy.factors.discrete import DiscreteFactor
    >>> from pgmpy.models import FactorGraph
    >>> graph = FactorGraph()
    >>> rain = DiscreteFactor(["rain"], [2], [0.8, 0.2])
    >>> wet = DiscreteFactor(["wet", "rain"], [2, 2], [[0.9, 0.1], [0.1, 0.9]])
    >>> graph.add_nodes_from(["rain", "wet"])
    >>> graph.add_factors(rain, wet)
    >>> graph.add_edges_from([("rain", rain), ("rain", wet), ("wet", wet)])
    >>> engine = BeliefPropagationWithMessagePassing(graph)
    >>> found, messages = engine.query(["rain"], evidence={"wet": 1}, get_messages=True)
    >>> found["rain"].values.round(3)
    array([0.308, 0.692])
    >>> messages
    {"['rain'] -> rain": array([0.8, 0.2]), "['wet', 'rain'] -> rain": array([0.1, 0.9])}
    """

    def __init__(self, model: Any, check_model: bool = True) -> None:
        if "FactorGraph" not in {base.__name__ for base in type(model).__mro__}:
            raise ConversionError(
                f"message passing: expected a FactorGraph, got a {type(model).__name__}; use "
                "model.to_factor_graph(), or BeliefPropagation."
            )
        self.model = model
        self.network = Network(model)

    def query(
        self,
        variables: Iterable[Hashable],
        evidence: Evidence | None = None,
        virtual_evidence: VirtualEvidence | None = None,
        get_messages: bool = False,
    ) -> (
        dict[Hashable, DiscreteFactor]
        | tuple[dict[Hashable, DiscreteFactor], dict[str, FloatArray]]
    ):
        """The distribution of each variable given evidence.

        Parameters
        ----------
        variables, evidence, virtual_evidence
            As for :meth:`ghmpp.pgmpy.elimination.VariableElimination.query`, except that no
            variable may have both kinds of evidence.
        get_messages
            Whether to return the messages from factors to variables too.

        Returns
        -------
        dict from variable to DiscreteFactor
            Each summing to 1. With messages a pair; the second is a dictionary of those on the
            way to the variables, such as ``"['B', 'A'] -> A"``: arrays (states,) summing to 1,
            except that the message of a factor over one variable is the factor.

        Raises
        ------
        QueryError
            If a variable is unknown or observed, or messages are asked of a graph with loops.
        EvidenceError
            If states or likelihoods are unknown or wrong.
        ImpossibleEvidenceError
            If the evidence has probability zero.
        """
        wanted = self.network.vocabulary.wanted(variables, evidence)
        soft = self.network.vocabulary.soft(virtual_evidence)
        both = [name for name in self.network.vocabulary.hard(evidence) if name in soft]
        if both:
            raise EvidenceError(
                f"evidence: {listed(both)} cannot have both evidence and virtual evidence."
            )
        if not wanted:
            raise QueryError("query: variables must contain at least one variable.")
        scopes = [(known,) for known in wanted]
        answer = self.network.ask(scopes, evidence, virtual_evidence)
        found = {
            known.name: discrete_factor([known], answer.tables[ours([known])]) for known in wanted
        }
        if not get_messages:
            return found
        tree = MessageTree(self.network.graph)
        seen = self.network.read(evidence, virtual_evidence)
        messages = tree.toward([known.ours for known in wanted], seen.hard, seen.soft)
        names = self.network.vocabulary.names
        return found, {
            f"{[names[each].name for each in scope]} -> {names[target].name}": message
            for (scope, target), message in messages.items()
        }
