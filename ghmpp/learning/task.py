"""One fit, ready to iterate: the E-step and the M-step of a model on its data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ghmpp._arrays import AnyArray
from ghmpp.learning.conditional import read_formulas
from ghmpp.learning.expectation import Expectation, Expected
from ghmpp.learning.formulas import Formulas
from ghmpp.learning.learnable import Learnable, learnable
from ghmpp.learning.maximisation import log_prior, new_symbols, new_table
from ghmpp.learning.parameters import Parameters, fitted, initial
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

    def initial(self, seed: int, start: Model | None) -> Parameters:
        """Where a run starts, see :func:`ghmpp.learning.parameters.initial`."""
        return initial(self.parts, self.formulas, seed, start)

    def expect(self, parameters: Parameters) -> Expected:
        """The E-step.

        Raises
        ------
        ImpossibleEvidenceError
            If rows of the data have probability zero.
        """
        return self.expectation(self._data(parameters))

    def maximise(self, before: Parameters, expected: Expected) -> Parameters:
        """The M-step: parameters whose objective is at least as high."""
        counts = expected.counts
        tables = {
            key: new_table(counts[key], self.smoothing, allowed, before.tables[key])
            for key, allowed in self.parts.tables.items()
        }
        after = replace(before, tables=tables)
        if not self.formulas.symbols:
            return after
        theta = new_symbols(
            self.formulas,
            before.symbols,
            counts,
            self.rows,
            partition=self.partition,
            data=self._data(after),
        )
        weights = self.formulas.weights(theta)
        if weights is None:
            return after
        return Parameters(tables, theta, self.formulas.potentials(weights))

    def log_prior(self, parameters: Parameters) -> float:
        """Log Dirichlet density of the learned tables, up to a constant."""
        return sum(
            log_prior(parameters.tables[key], self.smoothing, allowed)
            for key, allowed in self.parts.tables.items()
        )

    def model(self, parameters: Parameters) -> Model:
        """The model with these parameters."""
        return fitted(self.parts, self.formulas, parameters)

    def _data(self, parameters: Parameters) -> Mapping[str, AnyArray]:
        given = self.parts.model.forest().data
        return {**given, **parameters.tables, **parameters.potentials}


def make_task(
    model: Model, observations: Mapping[str, Observation], rows: int, smoothing: float
) -> Task:
    """Split the model, make its given part directed, and plan the E-steps.

    Raises
    ------
    ModelError
        If nothing is to be learned, or the given part cannot be made directed.
    """
    parts = learnable(model)
    formulas = read_formulas(parts)
    forest = parts.model.forest()
    symbolic = set(forest.formulas) - set(forest.data)
    partition = None
    if symbolic - formulas.conditional:
        partition = Expectation(forest, symbolic, {})
    wanted = symbolic | set(parts.tables)
    return Task(
        parts, formulas, Expectation(forest, wanted, observations), partition, smoothing, rows
    )
