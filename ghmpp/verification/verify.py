"""Compare inference with every independent engine that fits, and report where they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp.errors import ConversionError, MissingDependencyError, QueryError, ResourceError
from ghmpp.verification.answers import Answer, compare, join
from ghmpp.verification.drawn import draw_evidence
from ghmpp.verification.engines import ENGINES, Engine
from ghmpp.verification.fields import FIELD_ENGINES, draw_field_evidence, silenced
from ghmpp.verification.gaussian import GAUSSIAN_ENGINES, draw_gaussian_evidence
from ghmpp.verification.report import TOLERANCES, Check, Report, Skipped
from ghmpp.verification.subjects import Subject, read_subject


def verify(
    subject: object,
    evidence: object = None,
    *,
    rows: int = 8,
    seed: int = 0,
    engines: Sequence[str] | None = None,
    tolerance: float | None = None,
) -> Report:
    """Compare all results with independent engines.

    Parameters
    ----------
    subject
        A model, networkx graph or discrete pgmpy model (then :class:`Inference` on it is
        verified: posteriors, log evidence, edges, counts, means, most probable configuration);
        an :class:`Inference`; a compiled program or network (then its outputs, for the
        potentials that it holds), with real variables against one joint normal distribution.
        Networks of fields are compared with the definition of their
        instructions, noise left out, and within what their certificate allows.
    evidence
        Evidence as for :meth:`Inference.posteriors`. None draws ``rows`` rows each of hard,
        partial, soft and noisy evidence from the model, so that it is possible.
    rows
        Rows of each kind of drawn evidence, at least 1.
    seed
        Seed of the draws.
    engines
        Names from :data:`ENGINES`; None = all that fit.
    tolerance
        Largest deviation that passes, absolute, relative where the size exceeds 1. None = 1e-9
        in float64, 2e-4 in float32, and besides what the certificate of a network allows.

    Returns
    -------
    Report
        Worst deviation of every quantity for every engine; engines that do not fit are listed
        with the reason. Row ``hard[3]`` is row 3 of the drawn hard evidence.

    Raises
    ------
    QueryError
        If an engine is unknown or ``rows`` is less than 1.
    ConversionError, ModelError, EvidenceError
        If the subject or the evidence is wrong.

    Examples
    --------
    >>> import ghmpp as gh
    >>> model = gh.GHM(states=(2, 3), branching=(2,), tables=[[[3, 1, 1], [1, 2, 3]]])
    >>> verify(model, engines=["enumeration", "gradient"]).passed
    True
    """
    _require_known(engines)
    if rows < 1:
        raise QueryError(f"verify: rows must be at least 1, got {rows}.")
    target = read_subject(subject)
    if target.network is not None:
        target = read_subject(silenced(target.network))
    known = _engines(target)
    chosen = tuple(known) if engines is None else tuple(engines)
    arguments = f"rows={rows}, seed={seed}" if evidence is None else "evidence"
    drawn = {"": evidence}
    if evidence is None and target.network is not None:
        drawn = {**draw_field_evidence(target.forest, target.given or (), rows, seed)}
    elif evidence is None and target.forest.gaussian:
        drawn = {**draw_gaussian_evidence(target.forest, target.given or (), rows, seed)}
    elif evidence is None:
        kinds = draw_evidence(target.forest, rows, seed, given=target.given)
        hard = ("none", "hard", "partial")
        drawn = {k: each for k, each in kinds.items() if k in hard or not target.states_only}
    asked = _ask(target, drawn)
    limit = TOLERANCES[target.precision] if target.limit is None else target.limit
    if tolerance is not None:
        limit = tolerance
        arguments += f", tolerance={tolerance}"

    checks: list[Check] = []
    skipped: list[Skipped] = []
    if engines is None and target.joint is None:
        chosen = tuple(name for name in chosen if name != "triangulation")
    for name in chosen:
        start = perf_counter()
        try:
            expected = _engine(name, known)(target, asked.logs)
        except (ConversionError, MissingDependencyError, ResourceError) as reason:
            skipped.append(Skipped(name, str(reason)))
            continue
        seconds = perf_counter() - start
        line = f"gh.verify({target.word}, {arguments}, engines=[{name!r}])"
        checks += [
            Check(name, each.quantity, each.worst, each.where, limit, seconds, line)
            for each in compare(asked.found, expected, asked.labels)
        ]
    return Report(target.title, tuple(checks), tuple(skipped))


@dataclass(frozen=True)
class _Asked:
    """All batches of evidence as one: what was found, what it was asked, names of the rows."""

    found: Answer
    logs: dict[str, FloatArray]
    labels: list[str]


def _require_known(engines: Sequence[str] | None) -> None:
    """Refuse engines that do not exist."""
    names = (*ENGINES, *FIELD_ENGINES, *GAUSSIAN_ENGINES)
    unknown = [name for name in engines or () if name not in names]
    if unknown:
        raise QueryError(f"verify: unknown engine {unknown[0]!r}; known: {', '.join(names)}.")


def _engines(target: Subject) -> Mapping[str, Engine]:
    """The engines for a kind of subject."""
    if target.network is not None:
        return FIELD_ENGINES
    return GAUSSIAN_ENGINES if target.forest.gaussian else ENGINES


def _engine(name: str, known: Mapping[str, Engine]) -> Engine:
    """The engine of this name.

    Raises
    ------
    ConversionError
        If it is for another kind of subject.
    """
    if name not in known:
        kind = "networks of fields" if name in FIELD_ENGINES else "models and their messages"
        kind = "real variables" if name in GAUSSIAN_ENGINES else kind
        raise ConversionError(f"is for {kind}.")
    return known[name]


def _ask(target: Subject, evidence: Mapping[str, object]) -> _Asked:
    """Ask the subject batch by batch."""
    batches = {kind: target.read(each) for kind, each in evidence.items()}
    variables, entries = target.forest.variables, target.forest.observed_entries
    logs = {
        name: np.concatenate(
            [
                each.logs.get(name, np.zeros((each.batch, known.nodes, entries(name))))
                for each in batches.values()
            ]
        )
        for name, known in variables.items()
        if any(name in each.logs for each in batches.values())
    }
    labels = [
        f"{kind}[{row}]" if kind else str(row)
        for kind, each in batches.items()
        for row in range(each.batch)
    ]
    return _Asked(join([target.ask(each) for each in batches.values()]), logs, labels)
