"""The definition of the instructions on fields: one real number per node, (batch, nodes, 1)."""

from __future__ import annotations

from typing import NoReturn

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp.backends.reference_machine import Machine, require_logs
from ghmpp.errors import ImpossibleEvidenceError, QueryError
from ghmpp.schedule.functions import evaluate
from ghmpp.schedule.ir import Couple, Gate, Local, Noise, Repeat, Term


def couple(machine: Machine, op: Couple) -> FloatArray:
    """Sum of the terms."""
    require_logs(machine)
    total = np.zeros((1, machine.forest.blocks[op.block].nodes, 1))
    for term in op.terms:
        total = total + term.scale * _term(machine, term)
    return total


def _term(machine: Machine, term: Term) -> FloatArray:
    """What a term adds, before its scale."""
    if term.coupling is None:
        return np.asarray(machine.values[term.source or 0])
    coupling = machine.forest.couplings[term.coupling]
    if term.source is None:
        return np.asarray(machine.stored(coupling.key))[:, None]
    numbers, x = np.asarray(machine.stored(coupling.key)), np.asarray(machine.values[term.source])
    if coupling.kind == "diagonal":
        return np.asarray(numbers[:, None] * x)
    if coupling.kind == "sparse":  # what is not coupled adds nothing, not even where x is infinite
        target, source = machine.forest.data[coupling.index or ""][:: -1 if term.transposed else 1]
        nodes = machine.forest.blocks[coupling.source if term.transposed else coupling.target].nodes
        total = np.zeros((len(x), nodes, 1))
        np.add.at(total.swapaxes(0, 1), target, (numbers[:, None] * x[:, source]).swapaxes(0, 1))
        return total
    found: FloatArray = (numbers.T if term.transposed else numbers) @ x
    return found


def local(machine: Machine, op: Local) -> FloatArray:
    """The function at every node."""
    require_logs(machine)
    inputs = tuple(np.asarray(machine.values[source]) for source in op.sources)
    if op.function.name == "log_odds" and bool((inputs[0].max(-1) == -np.inf).any()):
        refuse_impossible(op.block)
    prior = None if op.key is None else np.asarray(machine.stored(op.key))
    return evaluate(op.function, inputs, prior)


def refuse_impossible(block: str) -> NoReturn:
    """Evidence that rules out both states of a node has no log odds.

    Raises
    ------
    ImpossibleEvidenceError
        Naming the block.
    """
    raise ImpossibleEvidenceError(
        f"{block}: the evidence rules out both states of a node; give it a likelihood above 0 for "
        "one of them, or leave it out."
    )


def gate(machine: Machine, op: Gate) -> FloatArray:
    """Product, node by node."""
    first, second = (machine.values[source] for source in op.sources)
    return np.asarray(first * second)


def noise(machine: Machine, op: Noise) -> FloatArray:
    """Noise is drawn for every row of the batch and every node."""
    if machine.rng is None:
        raise QueryError("run: the schedule draws noise; pass rng=.")
    source = machine.values[op.source]
    shape = (machine.batch, *source.shape[1:])
    return np.asarray(source + op.scale * machine.rng.standard_normal(shape))


def hand_over(machine: Machine, op: Repeat, *, first: bool) -> None:
    """What is carried into a round: from the start, or from the round before."""
    found = [machine.values[each.start if first else each.after] for each in op.carried]
    machine.values.update(zip((each.inside for each in op.carried), found, strict=True))
