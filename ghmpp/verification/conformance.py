"""The conformance battery: one call tests every law of an emitted network."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter
from typing import TYPE_CHECKING

from ghmpp.compiler import Program
from ghmpp.errors import ConversionError
from ghmpp.verification.answers import Deviation
from ghmpp.verification.laws import (
    LAWS,
    NEED_EVIDENCE,
    OF_CLASSES,
    OF_MESSAGES,
    OF_STATES,
    Bench,
)
from ghmpp.verification.report import TOLERANCES, Check, Report, Skipped

if TYPE_CHECKING:
    from ghmpp.backends.network import Network


def conformance(network: object, *, rows: int = 4, seed: int = 0) -> Report:
    """Test the laws of :data:`ghmpp.verification.laws.LAWS` on a network.

    Parameters
    ----------
    network
        A network that :meth:`Program.network` made, or a program. It is not changed.
    rows
        Rows of each kind of drawn evidence, at least 1.
    seed
        Seed of all draws.

    Returns
    -------
    Report
        One check per law and kind of result; laws that do not apply are listed with the reason.

    Raises
    ------
    ConversionError
        If it is no network.

    Examples
    --------
    >>> import ghmpp as gh
    >>> model = gh.GHM(states=(2, 3), branching=(2,), tables=[[[3, 1, 1], [1, 2, 3]]])
    >>> program = gh.compile(model, gh.posterior("x0"), given="x1")
    >>> conformance(program.network()).passed
    True
    """
    from ghmpp.backends.network import Network

    subject = network.network() if isinstance(network, Program) else network
    if not isinstance(subject, Network):
        raise ConversionError(
            f"conformance: expected a network or a program, got a {type(network).__name__}."
        )
    bench = Bench.of(subject, rows, seed)
    checks: list[Check] = []
    skipped: list[Skipped] = []
    for name, law in LAWS.items():
        reason = _why_not(name, subject)
        if reason:
            skipped.append(Skipped(name, reason))
            continue
        start = perf_counter()
        found = _worst(law(bench))
        seconds = perf_counter() - start
        tolerance = TOLERANCES["float32" if name == "precision" else bench.subject.precision]
        line = f"conformance(network, rows={rows}, seed={seed})"
        checks += [
            Check(name, each.quantity, each.worst, each.where, tolerance, seconds, line)
            for each in found
        ]
        if not found:
            skipped.append(Skipped(name, "none of the network's results is of a fitting kind."))
    return Report(f"{bench.subject.title}: laws", tuple(checks), tuple(skipped))


def _why_not(law: str, network: Network) -> str:
    """Why a law does not apply; empty if it does."""
    forest = network.schedule.forest
    if law in NEED_EVIDENCE and not network.given:
        return "the network is given nothing."
    if law in OF_STATES and forest.gaussian:
        return "is a law of states, and there are real variables."
    if law in OF_MESSAGES and network.fields is not None:
        return "is a law of messages, and this network iterates."
    if law in OF_CLASSES and forest.grouping is not None:
        return "is a law of declared classes, and these were found."
    return ""


def _worst(found: Iterator[Deviation]) -> list[Deviation]:
    """The worst deviation of each quantity."""
    worst: dict[str, Deviation] = {}
    for each in found:
        if each.quantity not in worst or each.worst > worst[each.quantity].worst:
            worst[each.quantity] = each
    return list(worst.values())
