"""Oracles for models that are no trees: they see variables and factors, and no clique."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ghmpp._arrays import AnyArray, FloatArray, IntArray
from ghmpp.errors import ResourceError
from ghmpp.inference.queries import Inference
from ghmpp.models.factors import Factors
from ghmpp.models.junction import junction_model
from ghmpp.models.model import Model
from ghmpp.models.observations import LogLikelihoods
from ghmpp.models.unfold import factors_of
from ghmpp.verification.answers import Answer
from ghmpp.verification.recursion import log_sums, logarithms, require_mass


@dataclass(frozen=True)
class Joint:
    """A junction tree as variables and factors.

    Parameters
    ----------
    graph
        Variables by name, and factors.
    sizes
        States by variable, in order: the axes of a configuration.
    families
        Variables by hidden class with a table; their joint posterior is compared as well.
    unary
        Potential key of the unary by class.
    """

    graph: Factors
    sizes: Mapping[str, int]
    families: Mapping[str, tuple[str, ...]]
    unary: Mapping[str, str]

    @classmethod
    def of(cls, model: Model) -> Joint | None:
        """The junction tree of a model with a class per variable; None for other models."""
        declarations = model.declarations
        scopes = {name: each.scope for name, each in declarations.items() if each.scope}
        if not scopes or any(each.member for each in declarations.values()):
            return None
        blocks = model.forest().blocks.values()
        unary = {block.variable: block.unary for block in blocks if block.unary is not None}
        return cls(
            factors_of(model),
            {name: len(each.states) for name, each in model.variables.items()},
            {name: scope for name, scope in scopes.items() if name in unary},
            unary,
        )

    def classes(self, batch: int, entries: int) -> tuple[str, ...]:
        """Classes that are compared: variables, and families where they are not too big."""
        states = sum(math.prod(self.sizes[v] for v in scope) for scope in self.families.values())
        return (*self.sizes, *(self.families if batch * states <= entries else ()))

    def log_mass(
        self, choice: Mapping[str, IntArray], logs: Mapping[str, FloatArray]
    ) -> FloatArray:
        """Log mass of given configurations, likelihood included, (batch,); choices (batch, 1)."""
        state = {name: each[:, 0] for name, each in choice.items()}
        total = np.zeros(len(next(iter(state.values()))))
        for scope, table in self._tables():
            total += table[tuple(state[name] for name in scope)]
        for name, each in logs.items():
            total += np.broadcast_to(each, (len(total), *each.shape[1:]))[
                np.arange(len(total)), 0, state[name]
            ]
        return total

    def enumeration(self, logs: Mapping[str, FloatArray], *, limit: int) -> Answer:
        """Sum over every configuration of the variables, in float64 logarithms.

        Parameters
        ----------
        logs
            Log-likelihoods by class, (batch, 1, states).
        limit
            Largest number of configurations that is tried.

        Raises
        ------
        ResourceError
            If there are more.
        """
        digits = sum(map(math.log10, self.sizes.values()))
        if digits > math.log10(limit) or len(self.sizes) > 30:
            raise ResourceError(f"about 10^{digits:.0f} configurations exceed limit={limit:,}.")
        prior = sum(
            (self._along(s, t) for s, t in self._tables()), np.zeros((1,) * len(self.sizes))
        )
        prior = np.broadcast_to(prior, tuple(self.sizes.values()))
        log_partition = require_mass(float(log_sums(prior.reshape(-1))))
        batch = max((len(each) for each in logs.values()), default=1)
        joint = [self._seen(prior, logs, row) for row in range(batch)]
        log_evidence = np.array([float(log_sums(each.reshape(-1))) for each in joint])
        scopes = {**{name: (name,) for name in self.sizes}, **self.families}
        mass = [
            np.exp(each - total) if total > -np.inf else np.zeros_like(each)
            for each, total in zip(joint, log_evidence, strict=True)
        ]
        posteriors = {
            name: np.array([self._marginal(each, scope).reshape(1, -1) for each in mass])
            for name, scope in scopes.items()
        }
        values = {name: node.values for name, node in self.graph.nodes.items()}
        return Answer(
            log_evidence=log_evidence - log_partition,
            log_partition=log_partition,
            posteriors=posteriors,
            means={n: posteriors[n] @ np.asarray(v) for n, v in values.items() if v is not None},
            counts=self._counts(posteriors) if (log_evidence > -np.inf).all() else {},
            best=np.array([float(each.max()) for each in joint]),
        )

    def second_triangulation(self, logs: Mapping[str, FloatArray]) -> Answer:
        """Answers from another elimination order and another root.

        Raises
        ------
        TreewidthError
            If its cliques do not fit into memory.
        """
        last = list(self.sizes)[-1]
        model = junction_model(self.graph, heuristic="min_weight", root=last)
        engine = Inference(model, on_impossible="flag")
        evidence = {name: LogLikelihoods(each) for name, each in logs.items()}
        beliefs = engine.posteriors(evidence)
        log_evidence = np.asarray(beliefs.log_evidence)
        found = engine.map(evidence)
        choice = {n: np.asarray(each).reshape(len(log_evidence), 1) for n, each in found.items()}
        return Answer(
            log_evidence=log_evidence,
            log_partition=engine.log_partition(),
            posteriors={name: np.asarray(beliefs[name])[:, None] for name in self.sizes},
            best=self.log_mass(choice, logs),
        )

    def _tables(self) -> list[tuple[tuple[str, ...], FloatArray]]:
        """Scopes and log tables of all factors and priors."""
        nodes = self.graph.nodes.items()
        found = [((n,), logarithms(np.asarray(v.prior))) for n, v in nodes if v.prior is not None]
        return [*found, *((f.variables, logarithms(f.table)) for f in self.graph.factors)]

    def _along(self, scope: Sequence[str], table: FloatArray) -> FloatArray:
        """A table with one axis for every variable."""
        names = list(self.sizes)
        order = sorted(range(len(scope)), key=lambda axis: names.index(scope[axis]))
        shape = [self.sizes[name] if name in scope else 1 for name in names]
        return np.transpose(table, order).reshape(shape)

    def _seen(self, prior: FloatArray, logs: Mapping[str, FloatArray], row: int) -> FloatArray:
        """Log mass of every configuration with the likelihood of one row."""
        total = prior
        for name, each in logs.items():
            total = total + self._along((name,), each[row % len(each), 0])
        return total

    def _marginal(self, mass: FloatArray, scope: Sequence[str]) -> FloatArray:
        """Sum over all other variables, axes in the order of the scope."""
        names = list(self.sizes)
        kept = [name for name in names if name in scope]
        summed = mass.sum(axis=tuple(k for k, name in enumerate(names) if name not in scope))
        return np.transpose(summed, [kept.index(name) for name in scope])

    def _counts(self, posteriors: Mapping[str, AnyArray]) -> dict[str, FloatArray]:
        """Expected number of uses of every unary entry, by potential key."""
        counts: dict[str, FloatArray] = {}
        for name, key in self.unary.items():
            if name in posteriors:
                counts[key] = counts.get(key, 0.0) + posteriors[name].sum(axis=0)
        return counts
