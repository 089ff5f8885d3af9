"""What is linear in a schedule of fields, as matrices: the part of a certificate without nets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp.approximation.field_forms import Form, Part
from ghmpp.errors import QueryError
from ghmpp.models.forest import Forest
from ghmpp.models.spins_forest import matrix_of
from ghmpp.schedule.functions import Function
from ghmpp.schedule.ir import (
    Couple,
    Evidence,
    Gate,
    Local,
    Noise,
    Op,
    Readout,
    Repeat,
    Schedule,
    Term,
    Value,
)


@dataclass(frozen=True)
class FieldPlan:
    """The forms of all values of a schedule, once and for all nets.

    Parameters
    ----------
    schedule
        Of fields.
    forms
        By value: what is read, as forms of what functions, products and evidence have written.
    """

    schedule: Schedule
    forms: Mapping[Value, Form]

    @staticmethod
    def of(schedule: Schedule) -> FieldPlan:
        """Follow a schedule.

        Raises
        ------
        QueryError
            If it is not of fields alone.
        """
        forms: dict[Value, Form] = {}
        _Forms(schedule.forest, forms).follow(schedule.ops)
        return FieldPlan(schedule, forms)


def net_name(op: Local | Gate) -> str:
    """Name of the net of an instruction: its function, or the product that it is."""
    return op.name if isinstance(op, Gate) else op.function.name


@dataclass(frozen=True)
class _Forms:
    """Writes the forms of values, in order."""

    forest: Forest
    forms: dict[Value, Form]

    def follow(self, ops: Sequence[Op]) -> None:
        """Those of some instructions."""
        for op in ops:
            match op:
                case Couple():
                    self.forms[op.out] = self._couple(op)
                case Repeat():
                    for each in op.carried:
                        nodes = self.forms[each.start].nodes
                        self.forms[each.inside] = Form.of_atom(each.inside, nodes)
                        self.forms[each.out] = Form.of_atom(each.out, nodes)
                    self.follow(op.body)
                case Local(function=Function(name="spin_logs"), sources=(source,)):
                    self.forms[op.out] = self.forms[source]
                case Evidence() | Local() | Gate() | Noise():
                    nodes = self.forest.blocks[op.block].nodes
                    self.forms[op.out] = Form.of_atom(op.out, nodes)
                case Readout():
                    pass
                case _:
                    raise QueryError(
                        f"network: {type(op).__name__} is no instruction on fields, so that its "
                        "errors are not followed here."
                    )

    def _couple(self, op: Couple) -> Form:
        """The sum of the terms, and an atom of its own for what rounding adds."""
        nodes = self.forest.blocks[op.block].nodes
        total = Form.of_atom(op.out, nodes)
        for term in op.terms:
            coupling = self.forest.couplings.get(term.coupling or "")
            if coupling is not None and coupling.kind == "constant":
                found = Form.of_atom(coupling.name, nodes)
            else:
                found = self.forms[term.source or 0]
                if coupling is not None:
                    found = found.through(linear_map(self.forest, term, nodes))
            total = total.plus(found.times(term.scale))
        return total


def linear_map(forest: Forest, term: Term, nodes: int, numbers: FloatArray | None = None) -> Part:
    """The map of a term that is no constant, before its scale.

    ``nodes`` are those of a term without coupling; ``numbers`` stand in for those of the forest.
    """
    if term.coupling is None:
        return Part(np.eye(nodes))
    coupling = forest.couplings[term.coupling]
    if numbers is not None:
        forest = replace(forest, data={**forest.data, coupling.key: numbers})
    whole = np.asarray(matrix_of(forest, coupling), dtype=np.float64)
    return Part(whole.T if term.transposed else whole)
