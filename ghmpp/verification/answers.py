"""What an engine answers about a batch of evidence, and how far two answers are apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ghmpp._arrays import AnyArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Answer:
    """Results of one engine; what an engine cannot give is None or absent.

    All arrays are in the user's order of the nodes. A row whose evidence is impossible has
    ``log_evidence`` -inf and posteriors, means, variances and edges equal to 0.

    Parameters
    ----------
    log_evidence
        ``log Z(evidence) - log Z()``, shape (batch,).
    log_partition
        ``log Z()``, without evidence.
    posteriors
        By class, shape (batch, nodes, states), linear.
    means
        Posterior means of the state values by class (those with values), shape (batch, nodes).
    variances
        Posterior variances of the same, in the same shape.
    edges
        Joint posteriors of a node and its parent, by class of the child, shape
        (batch, nodes with a parent, parent states, states), linear.
    counts
        Expected counts by potential key, summed over the batch, in the shape of the stack
        ``Forest.data[key]``.
    best
        Log mass (likelihood included) of the most probable configuration, shape (batch,).
    choice
        That configuration by class, shape (batch, nodes); ties are resolved arbitrarily.
    mass
        Exact ``Z(evidence)``, shape (batch,), objects; exact engines only.
    rows
        Rows of the batch that the arrays are about, for an engine that leaves some out;
        None = all.
    """

    log_evidence: FloatArray | None = None
    log_partition: float | None = None
    posteriors: Mapping[str, AnyArray] = field(default_factory=dict)
    means: Mapping[str, AnyArray] = field(default_factory=dict)
    variances: Mapping[str, AnyArray] = field(default_factory=dict)
    edges: Mapping[str, AnyArray] = field(default_factory=dict)
    counts: Mapping[str, AnyArray] = field(default_factory=dict)
    best: FloatArray | None = None
    choice: Mapping[str, IntArray] = field(default_factory=dict)
    mass: AnyArray | None = None
    rows: IntArray | None = None


@dataclass(frozen=True, slots=True)
class Deviation:
    """The largest deviation of one quantity, and where it is.

    Parameters
    ----------
    quantity
        Name of the quantity, e.g. ``"posterior"``.
    worst
        Largest absolute deviation, relative to the reference where its size exceeds 1;
        dimensionless, at least 0; inf where one side is not finite and the other is.
    where
        Class or key and indices of the largest deviation, e.g. ``"pixel: row 0, node 3, state 1"``.
    """

    quantity: str
    worst: float
    where: str


_AXES: Mapping[str, tuple[str, ...]] = {
    "posterior": ("row", "node", "state"),
    "mean": ("row", "node"),
    "variance": ("row", "node"),
    "sum": ("row", "node"),
    "edge": ("row", "node", "parent state", "state"),
    "counts": ("table", "parent state", "state"),
    "unary counts": ("table", "state"),
    "log evidence": ("row",),
    "map mass": ("row",),
    "log partition": (),
}


def deviation(
    quantity: str,
    name: str,
    found: AnyArray,
    expected: AnyArray,
    labels: Sequence[str] | None = None,
) -> Deviation:
    """Largest deviation of ``found`` from ``expected``, with its place.

    Equal infinities deviate by 0; a NaN, or shapes that differ, deviate by inf. ``labels`` are
    the names of the entries along the first axis; None = their numbers.
    """
    if np.shape(found) != np.shape(expected):
        return Deviation(quantity, np.inf, f"{name}: {np.shape(found)} for {np.shape(expected)}")
    found = np.asarray(found, dtype=np.float64)
    expected = np.asarray(expected, dtype=np.float64)
    if found.size == 0:
        return Deviation(quantity, 0.0, ": ".join(filter(None, (name, "empty"))))
    with np.errstate(invalid="ignore"):
        distance = np.abs(found - expected) / np.maximum(1.0, np.abs(expected))
    distance = np.where(found == expected, 0.0, np.where(np.isnan(distance), np.inf, distance))
    index = [int(i) for i in np.unravel_index(int(np.argmax(distance)), distance.shape)]
    names = [str(i) if k or labels is None else labels[i] for k, i in enumerate(index)]
    place = ", ".join(f"{axis} {i}" for axis, i in zip(_AXES[quantity], names, strict=True))
    worst = float(distance[tuple(index)])
    return Deviation(quantity, worst, ": ".join(filter(None, (name, place))))


def compare(
    found: Answer, expected: Answer, labels: Sequence[str] | None = None
) -> Iterator[Deviation]:
    """Worst deviation of every quantity that both answers have.

    Parameters
    ----------
    found
        The answer under test, about all rows.
    expected
        The answer of an oracle. Posteriors, means, variances and edges are compared in the rows
        whose evidence is possible according to it.
    labels
        Names of the rows; None = their numbers.

    Yields
    ------
    Deviation
        One per quantity, over all classes. Configurations are not compared (ties): compare
        their mass with ``best``.
    """
    if found.log_partition is not None and expected.log_partition is not None:
        pair = np.array(found.log_partition), np.array(expected.log_partition)
        yield deviation("log partition", "", *pair)
    for quantity, one, other in (
        ("log evidence", found.log_evidence, expected.log_evidence),
        ("map mass", found.best, expected.best),
    ):
        if one is not None and other is not None:
            rows = np.arange(len(other)) if expected.rows is None else expected.rows
            yield deviation(quantity, "", one[rows], other, _names(rows, labels))
    for quantity, ours, truth in (
        ("posterior", found.posteriors, expected.posteriors),
        ("mean", found.means, expected.means),
        ("variance", found.variances, expected.variances),
        ("edge", found.edges, expected.edges),
    ):
        each = [
            deviation(quantity, name, *_possible(ours[name], truth[name], expected, labels))
            for name in truth
            if name in ours
        ]
        yield from _worst(each)
    for quantity, axes in (("counts", 3), ("unary counts", 2)):
        each = [
            deviation(quantity, key, found.counts[key], stack)
            for key, stack in expected.counts.items()
            if key in found.counts and stack.ndim == axes
        ]
        yield from _worst(each)


def join(answers: Sequence[Answer]) -> Answer:
    """One answer about several batches in a row; counts are summed.

    The answers are about all rows of their batches. What one of them lacks is left out, and so
    are ``mass`` and ``rows``.
    """
    if len(answers) == 1:
        return answers[0]

    def shared(fields: Sequence[Mapping[str, AnyArray]]) -> list[str]:
        return [name for name in fields[0] if all(name in each for each in fields)]

    def stacked(fields: Sequence[Mapping[str, AnyArray]]) -> dict[str, AnyArray]:
        return {name: np.concatenate([each[name] for each in fields]) for name in shared(fields)}

    def joined(arrays: Sequence[FloatArray | None]) -> FloatArray | None:
        known = [array for array in arrays if array is not None]
        return np.concatenate(known) if len(known) == len(arrays) else None

    counts = [each.counts for each in answers]
    return Answer(
        log_evidence=joined([each.log_evidence for each in answers]),
        log_partition=answers[0].log_partition,
        posteriors=stacked([each.posteriors for each in answers]),
        means=stacked([each.means for each in answers]),
        variances=stacked([each.variances for each in answers]),
        edges=stacked([each.edges for each in answers]),
        counts={key: np.sum([each[key] for each in counts], axis=0) for key in shared(counts)},
        best=joined([each.best for each in answers]),
        choice=stacked([each.choice for each in answers]),
    )


def _possible(
    found: AnyArray, expected: AnyArray, answer: Answer, labels: Sequence[str] | None
) -> tuple[AnyArray, AnyArray, list[str]]:
    """The rows that an oracle's answer is about and that are possible, and their names."""
    rows = np.arange(len(expected)) if answer.rows is None else answer.rows
    possible = np.ones(len(rows), dtype=bool)
    if answer.log_evidence is not None:
        possible = answer.log_evidence > -np.inf
    rows = rows[possible]
    return found[rows], expected[possible], _names(rows, labels)


def _names(rows: IntArray, labels: Sequence[str] | None) -> list[str]:
    """Names of rows."""
    return [str(row) if labels is None else labels[row] for row in rows]


def _worst(deviations: Sequence[Deviation]) -> Iterator[Deviation]:
    """The largest of several deviations of one quantity, if there is one."""
    if deviations:
        yield max(deviations, key=lambda each: each.worst)
