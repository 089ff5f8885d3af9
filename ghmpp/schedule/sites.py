"""What engines of pairwise models read from a forest, and the instructions that they share.

The names of couplings are those of :mod:`ghmpp.models.spins_forest`; nothing else is known of the
model. A *site* is a spin, whose mean is ``tanh`` of its field, or has a prior of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp.errors import QueryError
from ghmpp.models.forest import Coupling, Forest
from ghmpp.models.spins_forest import interaction, interactions, joint_matrix, observed_only
from ghmpp.schedule.fields import FieldBuilder
from ghmpp.schedule.ir import Schedule, Term, Value

Fields = Mapping[str, Value]


@dataclass
class Sites:
    """The sites of a forest, and what is written about them.

    Parameters
    ----------
    forest
        Blocks and couplings.
    observed
        Classes that receive evidence.

    Raises
    ------
    QueryError
        If there are no sites, or edges.
    """

    forest: Forest
    observed: Collection[str]
    builder: FieldBuilder = field(init=False)

    def __post_init__(self) -> None:
        if not self.blocks or self.forest.edges:
            raise QueryError(
                f"model {self.forest.name!r} has no spins with pairwise couplings, nor others with "
                "a prior of their own, which is what mean field, TAP and loopy messages are for; "
                "leave engine= out."
            )
        self.builder = FieldBuilder(self.forest)

    @cached_property
    def blocks(self) -> tuple[str, ...]:
        """Blocks of sites, in the order of the forest."""
        found = (name for name in self.forest.blocks if not observed_only(self.forest, name))
        return tuple(name for name in found if not self.forest.variables[name].hidden)

    @cached_property
    def pairs(self) -> tuple[Coupling, ...]:
        """Couplings between sites, each pair of blocks once."""
        return tuple(interactions(self.forest))

    @cached_property
    def joint(self) -> tuple[FloatArray, Mapping[str, slice]]:
        """All couplings between sites as one symmetric matrix, and the place of each block."""
        return joint_matrix(self.forest)

    @cached_property
    def slopes(self) -> FloatArray:
        """Largest slope of the mean of each site in its field, (sites,): its largest variance."""
        matrix, places = self.joint
        found = np.ones(len(matrix))
        for block, place in places.items():
            if self.has_prior(block):
                values = self.forest.data[f"{block} prior"][0]
                found[place] = ((values.max() - values.min()) / 2) ** 2
        return found

    @cached_property
    def seen(self) -> dict[str, Value]:
        """What was observed of each block."""
        return {
            name: self.builder.evidence(name)
            for name, block in self.forest.blocks.items()
            if block.variable in self.observed
        }

    @cached_property
    def inputs(self) -> dict[str, Value | None]:
        """The field on each block from evidence and constants; None for none at all."""
        return {block: self._input(block) for block in self.blocks}

    def _input(self, block: str) -> Value | None:
        terms: list[Term] = []
        if block in self.seen:
            if self.forest.variables[block].real:
                raise QueryError(
                    f"given: {block!r} has a prior of its own and cannot be observed; observe the "
                    "classes that depend on it."
                )
            terms.append(Term(self.builder.local(block, "log_odds", self.seen[block])))
        if f"{block} field" in self.forest.couplings:
            terms.append(Term(None, f"{block} field"))
        for source, value in self.seen.items():
            name = interaction(block, source)
            if source not in self.blocks and name in self.forest.couplings:
                terms.append(Term(value, name))
        if len(terms) == 1 and terms[0].coupling is None:
            return terms[0].source
        return self.builder.couple(block, *terms) if terms else None

    def couplings(self, block: str, means: Fields) -> list[Term]:
        """What the means of all sites add to the field of a block."""
        found = []
        for each in self.pairs:
            if each.target == block:
                found.append(Term(means[each.source], each.name))
            elif each.source == block:
                found.append(Term(means[each.target], each.name, transposed=True))
        return found

    def has_prior(self, block: str) -> bool:
        """Whether the sites of a block are no spins."""
        return f"{block} prior" in self.forest.data

    def moments(self, block: str, h: Value, less: Sequence[Term]) -> tuple[Value, Value | None]:
        """Mean of each site from its field, and its variance where it has a prior.

        The curvature n of the weight ``exp(-n s^2 / 2)`` of sites with a prior is lessened by
        the terms ``less``.
        """
        if not self.has_prior(block):
            return self.builder.local(block, "tanh", h), None
        own = f"{block} curvature"
        terms = [Term(None, own)] if own in self.forest.couplings else []
        n, key = self.builder.couple(block, *terms, *less), f"{block} prior"
        mean = self.builder.local(block, "prior_mean", h, n, key=key)
        return mean, self.builder.local(block, "prior_variance", h, n, key=key)

    def finish(
        self, outputs: Collection[tuple[str, str]], fields: Fields, means: Fields
    ) -> Schedule:
        """The schedule whose results are read off the last fields and means.

        Raises
        ------
        QueryError
            If something else than posteriors and means is asked.
        """
        found = []
        for kind, name in outputs:
            if kind not in ("posterior", "mean"):
                raise QueryError(
                    f"{kind}: fixed-point engines give posteriors and means; compile with "
                    "engine='exact' for others."
                )
            if name not in self.blocks:
                source = self._estimate(name, means)
            elif self.forest.variables[name].real:
                source = means[name]
            else:
                source = self.builder.local(name, "spin_logs", fields[name])
            found.append(self.builder.readout(kind, name, source))  # type: ignore[arg-type]  # one of two
        return self.builder.schedule(found)

    def _estimate(self, block: str, means: Fields) -> Value:
        """The mean of a class of real numbers that is observed in noise."""
        terms = []
        for name, coupling in self.forest.couplings.items():
            if coupling.target == block:
                seen = coupling.source == block
                source = self.seen[block] if seen else means[coupling.source]
                terms.append(Term(source, name))
        return self.builder.couple(block, *terms)
