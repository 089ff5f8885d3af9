"""Between a user's variables and the classes that took them in (see ``models/grouping.py``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ghmpp._arrays import AnyArray
from ghmpp.backends.results import SUMMED, OutputKey
from ghmpp.errors import EvidenceError
from ghmpp.models.channels import Channel
from ghmpp.models.forest import Forest, Grouping, VariableClass
from ghmpp.models.observations import Observation, ObservationKind

FILLERS: Mapping[ObservationKind, float] = {
    "states": -1,
    "values": torch.nan,
    "likelihood": 1.0,
    "log_likelihood": 0.0,
}


def gather(observations: Mapping[str, Observation], forest: Forest) -> dict[str, Observation]:
    """Observations by class of a grouped forest, from those (tensors) by its original classes."""
    grouping = forest.grouping
    if grouping is None:
        return dict(observations)
    parts: dict[str, dict[int, tuple[VariableClass, Observation]]] = {}
    for name, seen in observations.items():
        variable = replace(grouping.original.variables[name], nodes=1)
        for node, (home, position) in enumerate(grouping.members[name]):
            part = Observation(seen.kind, seen.array[:, node : node + 1], seen.channel)
            parts.setdefault(home, {})[position] = (variable, part)
    return {home: _joined(found, forest.variables[home].nodes) for home, found in parts.items()}


def _joined(parts: Mapping[int, tuple[VariableClass, Observation]], nodes: int) -> Observation:
    """Observations of single nodes, by position, as one of (batch, nodes[, states])."""
    seen = [observation for _, observation in parts.values()]
    kind: ObservationKind = seen[0].kind
    channel: Channel | None = seen[0].channel
    if any(each.kind != kind or each.channel != channel for each in seen):
        kind, channel = "log_likelihood", None
    arrays = {
        position: torch.as_tensor(each.array if each.kind == kind else _logs(variable, each))
        for position, (variable, each) in parts.items()
    }
    first = next(iter(arrays.values()))
    missing = torch.full_like(first, FILLERS[kind])
    columns = [arrays.get(position, missing) for position in range(nodes)]
    return Observation(kind, torch.cat(columns, 1), channel)  # type: ignore[arg-type]  # tensors are allowed


def _logs(variable: VariableClass, seen: Observation) -> AnyArray:
    """Log-likelihoods of one variable, float64 (batch, 1, states)."""
    if getattr(seen.array, "requires_grad", False):
        raise EvidenceError(
            f"{variable.name!r}: observations of different kinds meet in one class, and no "
            "gradient passes from one kind to another; give all of them as log-likelihoods."
        )
    array = torch.as_tensor(seen.array).cpu().numpy()
    return Observation(seen.kind, array, seen.channel).log_likelihood(variable)


def scatter(
    results: Mapping[OutputKey, Tensor], forest: Forest, answers: Sequence[OutputKey]
) -> dict[OutputKey, Tensor]:
    """Results by original class (counts: by original key), from those of a grouped forest.

    ``answers`` are the kinds and original classes that are wanted.
    """
    if forest.grouping is None:
        return dict(results)
    found: dict[OutputKey, Tensor] = {}
    for kind, name in answers:
        if not name:
            found[kind, name] = results[kind, name]
        elif kind not in SUMMED:
            axis = -1 if kind == "choice" else 1
            nodes = [
                results[kind, home].narrow(axis, position, 1)
                for home, position in forest.grouping.members[name]
            ]
            found[kind, name] = nodes[0] if len(nodes) == 1 else torch.cat(nodes, axis)
    for (kind, key), counts in results.items():
        if kind in SUMMED:
            for source, row in zip(
                forest.grouping.sources[key],
                counts.split_with_sizes([1] * len(counts)),
                strict=True,
            ):
                if source:  # other rows are ones, where a variable has no potential
                    before = found.get((kind, source), 0.0)
                    found[kind, source] = before + row
    return found


def original_data(grouping: Grouping, data: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
    """Potentials of the original forest, from those of the grouped one."""
    found = dict(grouping.original.data)
    for key, sources in grouping.sources.items():
        for row, source in enumerate(sources):
            if source and key in data:
                found[source] = data[key][row : row + 1]
    return found
