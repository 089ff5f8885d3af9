"""Certificates of networks of fields: how far their answers can be from those of the schedule."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ghmpp._arrays import AnyArray, FloatArray
from ghmpp.approximation.check import Check
from ghmpp.approximation.field_errors import FieldErrors, Inputs, Written, field_errors
from ghmpp.approximation.field_nets import FieldNet
from ghmpp.approximation.field_plan import FieldPlan
from ghmpp.approximation.fingerprints import Difference, Fingerprint, joint_sha256
from ghmpp.approximation.json_files import broken, read_record, write_record
from ghmpp.approximation.message import ROUNDOFF
from ghmpp.errors import CertificateError
from ghmpp.schedule.ir import Readout

FORMAT, VERSION = "ghmpp-field-certificate", 1


@dataclass(frozen=True, slots=True)
class FieldBudget:
    """The error after one instruction, in its last round.

    Parameters
    ----------
    name
        What it is, such as "tanh at x".
    net
        Size of its net; "" for instructions that are exact.
    own
        Error of the net alone.
    euclid, largest
        Bounds on the error of what it writes: Euclidean norm over nodes, and largest entry.
    """

    name: str
    net: str
    own: float
    euclid: float
    largest: float


@dataclass(frozen=True, slots=True)
class AnswerBudget:
    """The error of one answer: as for :class:`FieldBudget`; of posteriors, of probabilities."""

    kind: str
    block: str
    euclid: float
    largest: float


@dataclass(frozen=True, slots=True, repr=False)
class FieldCertificate:
    """A guaranteed error of a network of fields against the exact schedule, for the same inputs.

    The bound was derived from the numbers that the network holds, with outward rounding. What
    the schedule is worth (a fixed point that is not reached, a free energy that is not the true
    one) is another matter, see :func:`ghmpp.diffusion.score_split.score_error`.

    Parameters
    ----------
    bound
        Largest Euclidean norm over nodes of the error of an answer.
    largest
        Largest error of an answer at a single node.
    evidence_span
        Assumed: log-likelihoods of a node's states differ by at most this, and observed numbers
        are at most this in size; inf for any.
    dtype
        Precision of the numbers.
    arithmetic
        "exact", or the precision whose rounding is part of the bound.
    couplings
        "true", or "stored" if the schedule that it is compared with has them rounded, too: what
        rounding them does to numbers that are not bounded has no bound.
    answers, budgets
        Bounds by answer, and by instruction.
    tensors
        Fingerprints of the numbers.
    """

    subject: str
    bound: float
    largest: float
    evidence_span: float
    dtype: str
    arithmetic: str
    couplings: str
    answers: tuple[AnswerBudget, ...]
    budgets: tuple[FieldBudget, ...]
    tensors: tuple[Fingerprint, ...]

    def check(self, network: object, model: object = None) -> Check:
        """Derive the bound anew from the numbers that a network holds now.

        Parameters
        ----------
        network
            A network of fields of the family "relu".
        model
            Not needed; the schedule is the network's.

        Raises
        ------
        CertificateError
            If it is no such network.
        """
        held = getattr(getattr(network, "fields", None), "holding", None)
        if held is None:
            raise CertificateError(
                f"Certificate of {self.subject}: expected a network of fields of the family "
                f"'relu', got {type(network).__name__}."
            )
        again = certify(held(), self.evidence_span, self.dtype)
        before = {each.name: each for each in self.tensors}
        now = {each.name: each for each in again.tensors}
        differ = tuple(
            Difference(name, "missing" if name not in now else "not as certified")
            for name in sorted(before.keys() | now.keys())
            if before.get(name) != now.get(name)
        )
        return Check(f"Certificate of {self.subject}", self.bound, again.bound, differ, (), ())

    def save(self, path: str | PathLike[str]) -> None:
        """Write the certificate as JSON; an existing file is replaced at once or not at all.

        Raises
        ------
        MissingFolderError
            If the folder does not exist.
        """
        write_record(Path(path), FORMAT, VERSION, asdict(self))

    @staticmethod
    def load(path: str | PathLike[str]) -> FieldCertificate:
        """Read a certificate that :meth:`save` wrote.

        Raises
        ------
        FormatError
            If the file is missing, broken, of another format or of a newer version.
        """
        content = read_record(Path(path), FORMAT, VERSION, "certificate")
        try:
            return _from_json(content)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise broken(Path(path), error) from error

    @property
    def sha256(self) -> str:
        """Fingerprint of all numbers."""
        return joint_sha256(self.tensors)

    def __repr__(self) -> str:
        inputs = (
            "any inputs"
            if math.isinf(self.evidence_span)
            else f"log-likelihood differences and numbers up to {self.evidence_span:g}"
        )
        lines = [
            f"Certificate of {self.subject}",
            f"  error at most {self.bound:.4g} in the Euclidean norm over nodes, "
            f"{self.largest:.4g} at each node",
            f"  against the exact schedule with {self.couplings} couplings, for {inputs}",
            f"  numbers in {self.dtype}, {self.arithmetic} arithmetic",
            f"  {'instruction':<24}{'net':<16}{'own error':>12}{'norm':>12}{'largest':>12}",
        ]
        for each in self.budgets:
            own = f"{each.own:.3g}" if each.net else "-"
            lines.append(
                f"  {each.name:<24}{each.net or 'exact':<16}{own:>12}{each.euclid:>12.3g}"
                f"{each.largest:>12.3g}"
            )
        lines += [
            f"  {f'{each.kind} of {each.block}':<52}{each.euclid:>12.3g}{each.largest:>12.3g}"
            for each in self.answers
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return f"<pre>{self!r}</pre>"


@dataclass(frozen=True, eq=False)
class Holding:
    """What a network holds: its nets, and the numbers of its couplings.

    Parameters
    ----------
    plan
        Of its schedule.
    nets
        By name.
    numbers
        Of couplings, by key, as they are stored, (float64).
    tensors
        All arrays by name, in their own precision.
    """

    plan: FieldPlan
    nets: Mapping[str, FieldNet]
    numbers: Mapping[str, FloatArray]
    tensors: Mapping[str, AnyArray]


def certify(holding: Holding, evidence_span: float, dtype: str) -> FieldCertificate:
    """The certificate of what a network holds.

    Rounding of the arithmetic is part of the bound where inputs are bounded; else it is said that
    the arithmetic is exact. If rounded couplings have no bound then, it is for these couplings.
    """
    bounded = math.isfinite(evidence_span)
    roundoff = ROUNDOFF[dtype] if bounded else 0.0
    data = holding.plan.schedule.forest.data
    moved = {
        key: numbers
        for key, numbers in holding.numbers.items()
        if not np.array_equal(numbers, data[key])
    }
    inputs = Inputs(evidence_span, roundoff, moved)
    errors = field_errors(holding.plan, holding.nets, inputs)
    answers = answer_budgets(errors)
    stored = not bounded and bool(moved) and any(math.isinf(each.euclid) for each in answers)
    if stored:
        errors = field_errors(holding.plan, holding.nets, replace(inputs, numbers={}))
        answers = answer_budgets(errors)
    schedule = holding.plan.schedule
    kinds = ", ".join(dict.fromkeys(each.kind for each in answers))
    return FieldCertificate(
        f"{schedule.forest.name!r}, {kinds}",
        up(max((each.euclid for each in answers), default=0.0)),
        up(max((each.largest for each in answers), default=0.0)),
        evidence_span,
        dtype,
        dtype if bounded else "exact",
        "stored" if stored else "true",
        answers,
        tuple(_budget(each) for each in errors.written if each.matters),
        tuple(Fingerprint.of(name, array) for name, array in holding.tensors.items()),
    )


def answer_budgets(errors: FieldErrors) -> tuple[AnswerBudget, ...]:
    """Errors of all answers: a mean of spins is tanh of their field, a probability half of it."""
    found = []
    forest = errors.plan.schedule.forest
    for op in errors.plan.schedule.ops:
        if isinstance(op, Readout):
            known = errors.of(op.sources[0])
            share, most = 1.0, math.inf
            if forest.variables[forest.blocks[op.block].variable].states:
                share, most = (0.5, 1.0) if op.kind == "posterior" else (1.0, 2.0)
            rounding = ROUNDED * errors.inputs.roundoff if most < math.inf else 0.0
            root = math.sqrt(len(known.low))
            found.append(
                AnswerBudget(
                    op.kind,
                    op.block,
                    up(min(known.euclid * share + rounding * root, most * root)),
                    up(min(known.largest * share + rounding, most)),
                )
            )
    return tuple(found)


# Roundings of a probability or a mean that is read off logs.
ROUNDED = 16.0


def up(bound: float) -> float:
    """A little more, so that no rounding of ours matters."""
    return bound * (1 + 1e-12)


def _budget(written: Written) -> FieldBudget:
    net, known = written.net, written.known
    return FieldBudget(
        written.name,
        "" if net is None else net.size,
        0.0 if net is None else net.error,
        known.euclid,
        known.largest,
    )


def _from_json(content: dict[str, Any]) -> FieldCertificate:
    """The certificate of the content of a file."""
    span = content["evidence_span"]
    names = [name for name in FieldCertificate.__dataclass_fields__ if name in content]
    values = {name: content[name] for name in names}
    values["evidence_span"] = math.inf if span is None else float(span)
    values["answers"] = tuple(AnswerBudget(**each) for each in content["answers"])
    values["budgets"] = tuple(FieldBudget(**each) for each in content["budgets"])
    values["tensors"] = tuple(map(Fingerprint.from_json, content["tensors"]))
    return FieldCertificate(**values)
