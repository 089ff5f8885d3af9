"""One fit, ready to iterate: the E-step and the M-step of a model on its data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ghmpp._arrays import AnyArray
from ghmpp.learning.em.conditional import read_formulas
from ghmpp.learning.em.expectation import Expectation, Expected
from ghmpp.learning.em.families import is_junction, learnable_families
from ghmpp.learning.em.formulas import Formulas
from ghmpp.learning.em.learnable import Learnable, learnable
from ghmpp.learning.em.maximisation import log_prior, new_symbols, new_table
from ghmpp.learning.em.parameters import Parameters, fitted, initial
from ghmpp.learning.em.ties import added, spread, tied
from ghmpp.models.model import Model
from ghmpp.models.observations import Observation


@dataclass(frozen=True, eq=False)
class Task:
    """A model to fit, its data, and the two steps of EM.

    Parameters
    ----------
    parts, formulas
        What is learned.
    expectation
        The E-step on the data.
    partition
        The E-step without data, where the partition function depends on symbols; else None.
    smoothing
        Pseudo count of every entry of a learned table.
    rows
        Rows of the data.
    """

    parts: Learnable
    formulas: Formulas
    expectation: Expectation
    partition: Expectation | None
    smoothing: float
    rows: int

    @property
    def keys(self) -> set[str]:
        """Potentials whose expected counts are wanted."""
        forest = self.parts.model.forest()
        return (set(forest.formulas) - set(forest.data)) | set(self.parts.tables)

    def initial(self, seed: int, start: Model | None) -> Parameters:
        """Where a run starts, see :func:`ghmpp.learning.em.parameters.initial`."""
        found = initial(self.parts, self.formulas, seed, start)
        return replace(found, tables=spread(self.parts, found.tables))

    def expect(self, parameters: Parameters) -> Expected:
        """The E-step.

        Raises
        ------
        ImpossibleEvidenceError
            If rows of the data have probability zero.
        """
        return self.expectation(self.data(parameters))

    def maximise(self, before: Parameters, expected: Expected) -> Parameters:
        """The M-step: parameters whose objective is at least as high."""
        tables = {
            key: new_table(
                counts,
                self.smoothing,
                self.parts.tables[key],
                before.tables[key],
                self.parts.groups.get(key),
            )
            for key, counts in added(self.parts, expected.counts).items()
        }
        after = replace(before, tables=spread(self.parts, tables))
        if not self.formulas.symbols:
            return after
        theta = new_symbols(
            self.formulas,
            before.symbols,
            expected.counts,
            self.rows,
            partition=self.partition,
            data=self.data(after),
        )
        weights = self.formulas.weights(theta)
        if weights is None:
            return after
        return Parameters(after.tables, theta, self.formulas.potentials(weights))

    def log_prior(self, parameters: Parameters) -> float:
        """Log Dirichlet density of the learned tables, up to a constant."""
        return sum(
            log_prior(parameters.tables[key], self.smoothing, self.parts.tables[key])
            for key in self.parts.shared
        )

    def model(self, parameters: Parameters) -> Model:
        """The model with these parameters."""
        return fitted(self.parts, self.formulas, parameters)

    def data(self, parameters: Parameters) -> Mapping[str, AnyArray]:
        """Numeric potentials by key."""
        given = self.parts.model.forest().data
        return {**given, **parameters.tables, **parameters.potentials}


def make_task(
    model: Model,
    observations: Mapping[str, Observation],
    rows: int,
    smoothing: float,
    tie: Mapping[str, str] | None = None,
) -> Task:
    """Split the model, make its given part directed, and plan the E-steps.

    Parameters
    ----------
    model
        With something to learn.
    observations, rows
        The data.
    smoothing
        Pseudo count of every entry of a learned table.
    tie
        Which tables are one, see :func:`ghmpp.learning.em.ties.tied`.

    Raises
    ------
    ModelError
        If nothing is to be learned, the given part cannot be made directed, or tables cannot be
        tied.
    """
    split = learnable_families if is_junction(model) else learnable
    parts = tied(split(model), tie or {})
    formulas = read_formulas(parts)
    forest = parts.model.forest()
    symbolic = set(forest.formulas) - set(forest.data)
    partition = None
    # The distributions of a network have mass 1 whatever the symbols are.
    network = is_junction(model) and parts.tables
    if symbolic - formulas.conditional and not network:
        partition = Expectation(forest, symbolic, {})
    wanted = symbolic | set(parts.tables)
    return Task(
        parts, formulas, Expectation(forest, wanted, observations), partition, smoothing, rows
    )
