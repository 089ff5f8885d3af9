r"""Parameters of a model as coordinates with names, in which answers can be differentiated.

A symbol is a coordinate as it is. The entries :math:`\psi_i` of tables and priors have one of two
systems:

- ``"log"``: :math:`\theta_i = \log \psi_i`, one per positive entry. A derivative of the log
  evidence is an expected count given the evidence minus one without. Scaling a table is a
  direction in which no probability changes.
- ``"log-odds"``: the sum of a row of a table is kept (that of a prior; of the weights of the rules
  of one symbol, ...), and :math:`\theta_i = \log \psi_i - \log \psi_j` with j the row's last
  positive entry. One coordinate less per row, as suits conditional probabilities.

Entries that are 0 stay 0.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from ghmpp._arrays import AnyArray, FloatArray, IntArray
from ghmpp.errors import QueryError
from ghmpp.models.forest import Forest
from ghmpp.models.model import Model
from ghmpp.models.observations import Observation
from ghmpp.models.tables import groups
from ghmpp.schedule.build import Output
from ghmpp.schedule.plan import schedule_for

if TYPE_CHECKING:
    from torch import Tensor

    from ghmpp.backends.network import Network

Coordinates: TypeAlias = Literal["log", "log-odds"]
COORDINATES = ("log", "log-odds")


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """The positive entries of one potential.

    Parameters
    ----------
    key
        Of the potential.
    positions
        In the flattened stack, shape (entries,).
    rows
        Which of them share a row, shape (entries,): numbers from 0.
    labels
        State names of each, such as ``"[dry, rain]"``.
    """

    key: str
    positions: IntArray
    rows: IntArray
    labels: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Differentiable:
    """Answers of a model as functions of its parameters.

    Parameters
    ----------
    network
        Exact inference in float64.
    symbols
        Names of the symbols among the parameters.
    stacks
        The tables and priors among them.
    names
        Names of all coordinates, symbols first.
    change
        Derivative of symbols and log entries in the coordinates, (symbols and entries, names).
    """

    network: Network
    symbols: tuple[str, ...]
    stacks: tuple[Entries, ...]
    names: tuple[str, ...]
    change: FloatArray

    def answer(self, observations: Mapping[str, Observation], output: Output) -> Tensor:
        """An answer to evidence, with its dependence on the parameters."""
        import torch

        with torch.inference_mode(False), torch.enable_grad():
            return self.network.evaluate(observations)[output]

    def slopes(self, answers: Tensor) -> FloatArray:
        """Derivative of each of some numbers, (numbers, coordinates)."""
        import torch

        ones = torch.eye(len(answers), dtype=answers.dtype)
        found: FloatArray = self._raw(answers, ones).detach().numpy()
        return found @ self.change

    def curvature(self, answer: Tensor) -> FloatArray:
        """Second derivatives of one number, (coordinates, coordinates)."""
        import torch

        first = self._raw(answer[None], torch.ones(1, 1, dtype=answer.dtype), graph=True)[0]
        second = self._raw(first, torch.eye(len(first), dtype=first.dtype))
        raw: FloatArray = second.detach().numpy()
        bent = self.change.T @ raw @ self.change
        return bent - self._bend(first.detach().numpy())

    def _raw(self, numbers: Tensor, directions: Tensor, *, graph: bool = False) -> Tensor:
        """Derivatives in the symbols and the logs of the entries, along some directions."""
        import torch

        leaves = [self.network.symbols[name] for name in self.symbols]
        leaves += [self.network.potentials[each.key] for each in self.stacks]
        with torch.inference_mode(False), torch.enable_grad():
            slopes = torch.autograd.grad(
                numbers,
                leaves,
                directions,
                create_graph=graph,
                retain_graph=True,
                is_grads_batched=True,
                materialize_grads=True,
            )
            columns = [slope[:, None] for slope in slopes[: len(self.symbols)]]
            for each, slope in zip(self.stacks, slopes[len(self.symbols) :], strict=True):
                at = torch.as_tensor(each.positions)
                logs = slope * self.network.potentials[each.key]
                columns.append(logs.flatten(1)[:, at])
            return torch.cat(columns, dim=1)

    def _bend(self, slopes: FloatArray) -> FloatArray:
        r"""What the second derivatives of log entries in log-odds take away.

        With p the entries of a row relative to their sum, and g the sum of its slopes,
        :math:`g (p_i 1_{i=j} - p_i p_j)`; 0 in other coordinates, in which they are straight.
        """
        total = np.zeros((len(self.names), len(self.names)))
        start = column = len(self.symbols)
        if self.change.shape[0] == self.change.shape[1]:
            return total
        for each in self.stacks:
            shares = self.shares(each)
            for row in np.unique(each.rows):
                at = np.flatnonzero(each.rows == row)
                p, free = shares[at[:-1]], slice(column, column + len(at) - 1)
                total[free, free] = slopes[start + at].sum() * (np.diag(p) - np.outer(p, p))
                column += len(at) - 1
            start += len(each.positions)
        return total

    def shares(self, entries: Entries) -> FloatArray:
        """Entries relative to the sum of their row, (entries,)."""
        stack: AnyArray = self.network.potentials[entries.key].detach().numpy()
        return _shares(entries, stack)


def differentiable(
    model: Model,
    outputs: Collection[Output],
    observed: Collection[str],
    parameters: Collection[str] | None,
    coordinates: Coordinates,
) -> Differentiable:
    """Answers of a model as functions of its parameters.

    Parameters
    ----------
    model
        Complete.
    outputs, observed
        What is asked, given evidence at which classes.
    parameters
        Names of symbols and keys of potentials; None = all. Potentials whose entries are equal
        share one key, see ``Forest.data``.
    coordinates
        See the module.

    Raises
    ------
    ModelError
        If the model is not complete.
    QueryError
        If a parameter or the system of coordinates is unknown, or there are no parameters.
    """
    from ghmpp.backends.network import Network

    if coordinates not in COORDINATES:
        raise QueryError(
            f"unknown coordinates {coordinates!r}; known: {', '.join(map(repr, COORDINATES))}."
        )
    model.require_complete()
    forest = model.forest()
    schedule = schedule_for(forest, list(outputs), sorted(observed))
    network = Network(schedule, answers=tuple(outputs))
    symbols, keys = chosen(model, parameters)
    for name in symbols:
        network.symbols[name].requires_grad_(True)
    stacks = tuple(entries(model, key, forest.data[key]) for key in keys)
    for each in stacks:
        network.potentials[each.key].requires_grad_(True)
    names, change = _system(forest, symbols, stacks, coordinates)
    return Differentiable(network, symbols, stacks, names, change)


def chosen(
    model: Model, parameters: Collection[str] | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Symbols and keys of potentials, in the order of the model.

    Raises
    ------
    QueryError
        If one is unknown, or there are none.
    """
    forest = model.forest()
    maps = {edge.key for edge in forest.edges.values() if edge.kind != "table"}
    symbols = tuple(model.parameters)
    keys = tuple(key for key in forest.keys() if key not in maps and key not in forest.formulas)
    if parameters is not None:
        known = (*symbols, *keys)
        if unknown := [name for name in parameters if name not in known]:
            raise QueryError(
                f"parameters: unknown {unknown[0]!r}; the model has {', '.join(known) or 'none'}."
            )
        symbols = tuple(name for name in symbols if name in parameters)
        keys = tuple(key for key in keys if key in parameters)
    if not symbols and not keys:
        raise QueryError(f"parameters: model {model.name!r} has no symbols, tables or priors.")
    return symbols, keys


def entries(model: Model, key: str, stack: AnyArray) -> Entries:
    """The positive entries of a potential with these values."""
    forest = model.forest()
    positions = np.flatnonzero(stack)
    row, *states = np.unravel_index(positions, stack.shape)
    edge = next((each for each in forest.edges.values() if each.key == key), None)
    block = next((each for each in forest.blocks.values() if each.unary == key), None)
    if edge is not None:
        ends: tuple[str, ...] = (edge.parent, edge.child)
        rows = row * stack.shape[1] + states[0]
    else:
        assert block is not None
        ends = (block.name,)
        declared = model.declarations[block.variable]
        rows = row * stack.shape[1] + groups(declared, model.declarations)[states[0]]
    spaces = [forest.variables[forest.blocks[end].variable].states for end in ends]
    labels = [
        "[" + ", ".join(str(space[s]) for space, s in zip(spaces, found, strict=True)) + "]"
        for found in zip(*states, strict=True)
    ]
    if len(stack) > 1:
        labels = [f"[{r}]{label}" for r, label in zip(row, labels, strict=True)]
    order = np.argsort(rows, kind="stable")
    return Entries(key, positions[order], np.asarray(rows)[order], tuple(labels[i] for i in order))


def _system(
    forest: Forest, symbols: tuple[str, ...], stacks: tuple[Entries, ...], coordinates: str
) -> tuple[tuple[str, ...], FloatArray]:
    """Names of the coordinates, and the derivative of symbols and log entries in them."""
    blocks: list[FloatArray] = [np.eye(len(symbols))]
    names = list(symbols)
    for each in stacks:
        if coordinates == "log":
            blocks.append(np.eye(len(each.labels)))
            names += [f"log {each.key}{label}" for label in each.labels]
            continue
        shares = _shares(each, forest.data[each.key])
        for at in _rows(each):
            change = np.tile(-shares[at], (len(at), 1))
            blocks.append((change + np.eye(len(at)))[:, :-1])
            last = each.labels[at[-1]]
            names += [f"log {each.key}{each.labels[i]} / {last}" for i in at[:-1]]
    whole = np.zeros((sum(map(len, blocks)), len(names)))
    row = column = 0
    for block in blocks:
        whole[row : row + block.shape[0], column : column + block.shape[1]] = block
        row, column = row + block.shape[0], column + block.shape[1]
    return tuple(names), whole


def _rows(entries: Entries) -> Iterator[IntArray]:
    """Numbers of the entries of each row."""
    for row in np.unique(entries.rows):
        yield np.flatnonzero(entries.rows == row)


def _shares(entries: Entries, stack: AnyArray) -> FloatArray:
    values = np.asarray(stack, dtype=np.float64).ravel()[entries.positions]
    shares: FloatArray = values / np.bincount(entries.rows, values)[entries.rows]
    return shares
