"""Step on trust: one branch of the learned tree, small enough to sum over everything."""

from __future__ import annotations

import time

import numpy as np

from ghmpp.demo.report import Section, Table
from ghmpp.demo.stage import Stage, busy, require_agreement
from ghmpp.inference.queries import Inference
from ghmpp.models.model import Model
from ghmpp.verification.enumeration import configurations, enumeration
from ghmpp.verification.report import Report
from ghmpp.verification.verify import verify

PIXELS = 2
SHADES = np.array([level >= 8 for level in range(17)], dtype=np.int64)
"""Shade of each grey level: 0 bright, 1 dark."""


def checked(stage: Stage) -> Section:
    """Every engine on one branch, and the whole tree against a sum over all configurations."""
    small = branch(stage.model)
    count = configurations(small.forest())
    with busy("summing over all configurations"):
        start = time.perf_counter()
        whole = against_enumeration(stage.model, small)
        seconds = time.perf_counter() - start
        report = verify(small, rows=1 if stage.quick else 3, seed=stage.seed)
    require_agreement("enumeration", whole)
    report.raise_if_failed()
    stage.say(f"One branch of the tree has {count:,} configurations; all of them are summed.")
    stage.say(f"The whole compiled tree agrees: largest deviation {whole:.1e} ({seconds:.1f} s)")
    table = engines(report)
    stage.say(f"On the branch itself {len(table.rows)} independent engines agree:")
    stage.say_table(table)
    stage.numbers["enumeration"] = {
        "configurations": count,
        "largest deviation of the whole tree": whole,
        "largest deviation on the branch": max(check.worst for check in report.checks),
        "checks": len(report.checks),
    }
    told = (
        f"One branch of the learned tree is kept: the digit, one quadrant, one block and {PIXELS} "
        f"of its pixels, bright or dark. It has {count:,} configurations. Their weights are "
        "computed from the potentials alone and summed one by one; the posteriors that this gives "
        f"differ from those of the whole compiled tree by at most {whole:.1e}.",
        f"On the branch itself {len(table.rows)} independent engines answer the same questions, "
        "with evidence that the model draws: states, missing states, likelihoods and noise.",
    )
    return Section(told, tables=(table,), listings=(("What was compared", str(report)),))


def branch(model: Model) -> Model:
    """The digit, its first quadrant, the first block of that and two pixels in two shades.

    Tables are those of ``model``, whose rows sum to 1: what is left out sums to 1 too, so the
    branch has exactly the posteriors that the whole tree has for the same evidence.
    """
    data = model.forest().data
    small = Model("one branch")
    digit = small.root("digit", 10, prior=data["digit"][0] if "digit" in data else None)
    quadrant = digit.children("quadrant", 1, 64, potential=data["digit->quadrant"][0])
    block = quadrant.children("block", 1, 32, potential=data["quadrant->block"][0])
    shaded = data["block->pixel"][:PIXELS] @ np.eye(2)[SHADES]
    block.children("pixel", PIXELS, [0, 1], potential=shaded)
    return small


def against_enumeration(model: Model, small: Model) -> float:
    """Largest deviation of posteriors of the whole tree from sums over its branch.

    Both pixels of the branch are bright, dark or not seen; every combination is tried.
    """
    shades = np.array([(a, b) for a in (0, 1, -1) for b in (0, 1, -1)])
    seen = (shades[..., None] < 0) | (shades[..., None] == np.arange(2))
    with np.errstate(divide="ignore"):
        truth = enumeration(small.forest(), {"pixel": np.log(seen.astype(np.float64))})

    order = model.variables["pixel"].order
    places = np.arange(PIXELS) if order is None else order[:PIXELS]
    likelihood = np.ones((len(shades), model.variables["pixel"].nodes, len(SHADES)))
    likelihood[:, places] = seen[..., SHADES]
    beliefs = Inference(model).posteriors({"pixel": likelihood})
    found = {
        "digit": beliefs["digit"][:, None],
        "quadrant": beliefs["quadrant"][:, :1],
        "block": beliefs["block"][:, :1],
        "pixel": beliefs["pixel"][:, places] @ np.eye(2)[SHADES],
    }
    return max(float(np.abs(found[name] - p).max()) for name, p in truth.posteriors.items())


def engines(report: Report) -> Table:
    """Number of comparisons with each engine, and the largest deviation."""
    checks: dict[str, list[float]] = {}
    for check in report.checks:
        checks.setdefault(check.engine, []).append(check.worst)
    rows = [[name, str(len(worst)), f"{max(worst):.0e}"] for name, worst in checks.items()]
    return Table("Largest deviations", ["engine", "quantities", "largest deviation"], rows)
