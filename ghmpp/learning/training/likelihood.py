"""The tables and symbols of a model, trained by the gradient of the log evidence.

Tables are softmaxes of free numbers, row by row, and positive symbols exponentials, so that every
step gives a model. The gradient needs no differentiation: for a potential it is the expected number
of uses of each entry, which the exact schedule gives.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ghmpp._arrays import AnyArray, FloatArray, IntArray
from ghmpp.backends.container import Named
from ghmpp.backends.observe import rows_of
from ghmpp.inference.queries import Inference
from ghmpp.learning.em.expectation import Expectation, Expected
from ghmpp.learning.em.learnable import totals
from ghmpp.learning.em.maximisation import symbol_coordinates, symbol_slope, symbol_values
from ghmpp.learning.em.parameters import Parameters
from ghmpp.learning.em.task import Task
from ghmpp.learning.em.ties import added, spread
from ghmpp.learning.training.batches import Order
from ghmpp.learning.training.fingerprints import model_hash, tensors_hash
from ghmpp.models.model import Model
from ghmpp.models.observations import Observation

Observations = Mapping[str, Observation]
# Logarithms of allowed entries at the start: a 0 could never grow.
LOWEST = -30.0


class Tables(nn.Module):
    """Free numbers that stand for the learned tables and symbols of a model.

    Parameters
    ----------
    task
        What is learned.
    start
        Where it starts.

    Attributes
    ----------
    logits
        By key of the table that stands for those tied to it; float64, shaped like the stack.
    symbols
        Logs of positive symbols, other symbols themselves, (symbols,).
    """

    def __init__(self, task: Task, start: Parameters) -> None:
        super().__init__()
        with np.errstate(divide="ignore"):
            logs = {key: np.log(start.tables[key]) for key in task.parts.shared}
        self.logits = Named(
            {key: nn.Parameter(torch.tensor(np.maximum(x, LOWEST))) for key, x in logs.items()}
        )
        self.symbols = nn.Parameter(torch.tensor(symbol_coordinates(task.formulas, start.symbols)))

    def parameters_now(self, task: Task) -> Parameters | None:
        """The tables and symbols; None where formulas are no potentials there."""
        parts = task.parts
        tables = {
            key: _softmax(_numpy(self.logits[key]), parts.tables[key], parts.groups.get(key))
            for key in self.logits
        }
        theta = symbol_values(task.formulas, _numpy(self.symbols))
        weights = task.formulas.weights(theta)
        if weights is None:
            return None
        return Parameters(spread(parts, tables), theta, task.formulas.potentials(weights))


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Data of a fit.

    Parameters
    ----------
    observations
        By class.
    rows
        How many rows they have.
    """

    observations: Observations
    rows: int

    def at(self, rows: IntArray) -> Evidence:
        """Some rows."""
        chosen = torch.from_numpy(rows)
        found = {
            name: rows_of(each, chosen if isinstance(each.array, Tensor) else rows)  # type: ignore[arg-type]  # numpy indexes numpy
            for name, each in self.observations.items()
        }
        return Evidence(found, len(rows))

    def without(self, names: tuple[str, ...]) -> Observations:
        """What is observed at other classes."""
        return {name: each for name, each in self.observations.items() if name not in names}


class LikelihoodObjective:
    """Minus the mean log evidence of a model, nats per row.

    Parameters
    ----------
    task
        What is learned.
    data
        What it is learned from.
    start
        Where it starts.
    seed
        Of the order of the data.
    held_out
        Data on which it is judged; None for none.
    law
        The model that the data come from, if it is known.
    targets
        Classes whose probability given all others is wanted, instead of that of all.
    """

    def __init__(
        self,
        task: Task,
        data: Evidence,
        start: Parameters,
        seed: int,
        *,
        held_out: Evidence | None = None,
        law: Model | None = None,
        targets: tuple[str, ...] = (),
    ) -> None:
        self.task, self.data, self.held_out, self.targets = task, data, held_out, targets
        self.loss_name = "minus log evidence"
        if targets:
            self.loss_name = f"minus log probability of {', '.join(targets)}"
        self.judges = held_out is not None
        self.module = Tables(task, start)
        self._order = Order(data.rows, seed)
        self._law = None
        if held_out is not None and law is not None:
            self._law = -self._log_evidence(law, held_out)
        self._given: Expectation | None = None
        if targets:
            forest = task.parts.model.forest()
            self._given = Expectation(forest, task.keys, data.without(targets))

    def backward(self, step: int, size: int) -> float:
        """Add the gradient of the batch of a step to the parameters; gives its loss."""
        batch = self.data.at(self._order.rows(step, size))
        now = self.module.parameters_now(self.task)
        if now is None:
            return np.inf
        loss = 0.0
        for sign, found in self._expected(now, batch):
            self._climb(now, found, sign, batch.rows)
            loss -= sign * float(found.log_evidence.sum()) / batch.rows
        return loss

    def constrain(self) -> None:
        """Nothing to do: all values are allowed."""

    def measure(self, module: nn.Module) -> dict[str, float]:
        """Minus the mean log evidence of the held-out data, nats per row."""
        if self.held_out is None:
            return {}
        assert isinstance(module, Tables)
        now = module.parameters_now(self.task)
        if now is None:
            return {"validation": np.nan}
        expected = self._expected(now, self.held_out)
        found = -sum(sign * float(each.log_evidence.mean()) for sign, each in expected)
        if self._law is None:
            return {"validation": found}
        return {"validation": found, "bayes": self._law, "excess": found - self._law}

    def described(self) -> dict[str, dict[str, str]]:
        """Architecture, start, data and loss."""
        state = self.module.state_dict()
        arrays = {name: _tensor(each) for name, each in self.data.observations.items()}
        channels = {f"channel of {n}": str(o.channel) for n, o in self.data.observations.items()}
        return {
            "model": {"potentials": model_hash(self.task.parts.model)},
            "tables": {name: f"{list(x.shape)} {x.dtype}" for name, x in state.items()},
            "start": {"weights": tensors_hash(state)},
            "data": {"arrays": tensors_hash(arrays), "rows": str(self.data.rows), **channels},
            "loss": {"name": self.loss_name},
        }

    def model(self) -> Model:
        """The model with the present tables and symbols."""
        now = self.module.parameters_now(self.task)
        assert now is not None  # or the run had ended with an error
        return self.task.model(now)

    def _expected(self, now: Parameters, batch: Evidence) -> Iterator[tuple[int, Expected]]:
        """Counts and log evidence of a batch; with sign -1 those of what is given."""
        data = self.task.data(now)
        yield 1, self.task.expectation(data, batch.observations)
        if self._given is not None:
            yield -1, self._given(data, batch.without(self.targets))

    def _climb(self, now: Parameters, found: Expected, sign: int, rows: int) -> None:
        """Add minus the gradient of the mean log evidence."""
        parts, formulas = self.task.parts, self.task.formulas
        for key, counts in added(parts, found.counts).items():
            slope = counts - now.tables[key] * totals(counts, parts.groups.get(key))
            _add(self.module.logits[key], -sign * slope / rows)
        if formulas.symbols:
            # Of a conditional probability, the partition function cancels.
            partition = None if self.targets else self.task.partition
            x, data = _numpy(self.module.symbols), self.task.data(now)
            _, slope = symbol_slope(formulas, x, found.counts, rows, partition=partition, data=data)
            _add(self.module.symbols, -sign * slope / rows)

    def _log_evidence(self, law: Model, batch: Evidence) -> float:
        engine = Inference(law)
        logs = engine.log_evidence(dict(batch.observations))
        if self.targets:
            logs = logs - engine.log_evidence(dict(batch.without(self.targets)))
        return float(logs.mean())


def _softmax(logits: FloatArray, allowed: AnyArray, group: IntArray | None) -> FloatArray:
    """Rows (or groups of states) that sum to 1 over the allowed entries."""
    shifted = logits - np.where(allowed, logits, -np.inf).max(-1, keepdims=True, initial=LOWEST)
    weights = np.where(allowed, np.exp(np.minimum(shifted, 0.0)), 0.0)
    sums = totals(weights, group)
    return np.divide(weights, sums, out=np.zeros_like(weights), where=sums > 0)


def _add(parameter: nn.Parameter, gradient: FloatArray) -> None:
    found = torch.from_numpy(np.ascontiguousarray(gradient))
    parameter.grad = found if parameter.grad is None else parameter.grad + found


def _numpy(parameter: Tensor) -> FloatArray:
    found: FloatArray = parameter.detach().numpy()
    return found


def _tensor(observation: Observation) -> Tensor:
    return torch.as_tensor(np.array(observation.array))
