"""Schedules of trees with real variables: those of belief propagation, nothing else."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ghmpp.errors import QueryError
from ghmpp.models.forest import Forest
from ghmpp.schedule.build import Output, build_schedule
from ghmpp.schedule.domain import choose_domain
from ghmpp.schedule.ir import Schedule
from ghmpp.schedule.passes import place_normalization, prune


@dataclass(frozen=True, slots=True)
class GaussianTree:
    """Collect and distribute, where a value of a real node is a Gaussian factor.

    Factors are multiplied by adding their natural parameters, as likelihoods are by adding their
    logarithms. So only messages and read-outs are special, by the kind of the edge.
    """

    def build(
        self, forest: Forest, outputs: Collection[Output], observed: Collection[str]
    ) -> Schedule:
        """The schedule that answers ``outputs``, pairs of a kind and a block.

        ``observed`` are the classes that may carry evidence.

        Raises
        ------
        QueryError
            If draws or codes are asked for, or the model has couplings, which no tree of messages
            follows.

        Examples
        --------
        >>> from ghmpp.models.gaussian import GaussianGHM
        >>> forest = GaussianGHM(branching=(2, 2)).forest()
        >>> GaussianTree().build(forest, [("mean", "x2")], ["x2"])
        Schedule of 'gaussian': 13 instructions for mean
        """
        if forest.couplings:
            raise QueryError(
                f"GaussianTree: model {forest.name!r} is no tree but has couplings; leave engine= "
                "out, which chooses one that reads them."
            )
        for kind, block in outputs:
            if kind in ("draw", "code"):
                raise QueryError(
                    f"{kind}: the variables of {block!r} have Gaussian laws; ask for their mean "
                    "and variance."
                )
        return choose_domain(prune(place_normalization(build_schedule(forest, outputs, observed))))
