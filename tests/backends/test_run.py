"""The torch run of a schedule is the reference interpreter's, in both domains and semirings."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ghmpp._arrays import AnyArray
from ghmpp.backends import reference
from ghmpp.backends.algebras import LogFloat
from ghmpp.backends.chunk import Chunks
from ghmpp.backends.leaves import in_tree_order
from ghmpp.backends.network import Network
from ghmpp.backends.results import Gathered
from ghmpp.models.forest import Forest
from ghmpp.models.model import Model
from ghmpp.models.observations import Observation
from ghmpp.schedule.plan import schedule_for
from tests.strategies import Evidence, evidence, models
from tests.tolerances import ENUMERATION

Results = Mapping[tuple[str, str], AnyArray]


def everything(forest: Forest, semiring: str) -> list[tuple[str, str]]:
    """All results of a semiring, by class."""
    wanted = [("log_evidence", ""), *(("posterior", name) for name in forest.variables)]
    if semiring == "max":
        return wanted
    children = {forest.blocks[child].variable for child in forest.edges}
    unaries = {block.variable for block in forest.blocks.values() if block.unary}
    wanted += [(kind, name) for name in sorted(children) for kind in ("edge", "counts")]
    wanted += [("unary_counts", name) for name in sorted(unaries)]
    numeric = [name for name, group in forest.variables.items() if group.values is not None]
    return wanted + [("mean", name) for name in numeric]


def by_torch(model: Model, seen: Evidence, semiring: str, *, logs: bool) -> Results:
    """Results of a run in the chosen domain or in logarithms, by kind and class or key."""
    forest = model.forest()
    schedule = schedule_for(
        forest, everything(forest, semiring), list(seen.logs), semiring=semiring
    )
    network = Network(schedule)
    setting = network.setting(tracked=False, logarithms=logs)
    again = network.setting(tracked=False, logarithms=True)
    given = {name: Observation("log_likelihood", torch.tensor(x)) for name, x in seen.logs.items()}
    chunks = Chunks(setting, lambda: again, network.domain.tolerance, torch.float64, None, 1)
    raw, _ = chunks.run(given, seen.batch)
    gathered = Gathered(forest, schedule.outputs, setting.inverse, seen.batch)
    gathered.add(raw, 0, seen.batch)
    return {key: result.numpy() for key, result in gathered.batch_first().items()}


def by_definition(model: Model, seen: Evidence, semiring: str) -> Results:
    """The same by the reference interpreter."""
    forest = model.forest()
    schedule = schedule_for(
        forest, everything(forest, semiring), list(seen.logs), semiring=semiring
    )
    leaves = {name: in_tree_order(x, forest.variables[name]) for name, x in seen.logs.items()}
    found = reference.run(schedule, leaves, LogFloat(semiring))
    results: dict[tuple[str, str], AnyArray] = {}
    for (kind, name), result in found.items():
        block = forest.blocks.get(name)
        if kind in ("counts", "unary_counts"):
            key = kind, forest.edges[name].key if kind == "counts" else str(block.unary)
            results[key] = results.get(key, 0.0) + result
        elif block is None:
            results[kind, name] = result
        else:
            key = kind, block.variable
            earlier = [results[key]] if key in results else []
            results[key] = np.concatenate([*earlier, result], axis=1)
    for key, result in results.items():
        variable = forest.variables.get(key[1])
        if variable is not None and variable.order is not None and key[0] in NODES:
            results[key] = result[:, np.argsort(variable.order)]
    return results


NODES = ("posterior", "mean", "edge")


@settings(max_examples=25)
@given(data=st.data(), semiring=st.sampled_from(["sum", "max"]), logs=st.booleans())
def test_every_result_is_that_of_the_reference_interpreter(data, semiring, logs):
    model = data.draw(models(limit=3000))
    observed = data.draw(evidence(model))

    found = by_torch(model, observed, semiring, logs=logs)

    for key, expected in by_definition(model, observed, semiring).items():
        result = found[key]
        if semiring == "max" and key[0] == "posterior":
            largest = result.max(-1, keepdims=True)
            result = np.divide(result, largest, out=np.zeros_like(result), where=largest > 0)
        if key[0] in NODES:  # rows of probability zero are the caller's to mark
            expected, result = (x[found["log_evidence", ""] > -np.inf] for x in (expected, result))
        if key[0] not in ("counts", "unary_counts") or (found["log_evidence", ""] > -np.inf).all():
            np.testing.assert_allclose(result, expected, rtol=ENUMERATION, atol=ENUMERATION)
