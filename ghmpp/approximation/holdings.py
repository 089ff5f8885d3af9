"""The nets and potentials that arrays by name stand for, and how potentials differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields

import numpy as np

from ghmpp._arrays import AnyArray
from ghmpp.approximation.asked import Problem
from ghmpp.approximation.derive import held_potentials
from ghmpp.approximation.fingerprints import Difference, Fingerprint
from ghmpp.approximation.routes import Step
from ghmpp.approximation.weights import WEIGHTS, Chosen, LayerWeights, Place, place_name
from ghmpp.errors import CertificateError
from ghmpp.models.convert import as_model
from ghmpp.models.grouping import group


def place_of(problem: Problem, step: Step) -> Place:
    """The layer of a step."""
    return step.toward, problem.forest.blocks[step.edge.child].variable


def layers_from(
    problem: Problem, tensors: Mapping[str, AnyArray], nets: Sequence[tuple[Chosen, ...]]
) -> dict[Place, LayerWeights]:
    """The layers whose arrays are called ``tensors``.

    Parameters
    ----------
    problem
        The messages.
    tensors
        By name, such as ``collect.pixel.exp_log.inner``.
    nets
        By step and row: kind and index of the net.

    Raises
    ------
    CertificateError
        If an array is missing, or has no net of such an index.
    """
    chosen: dict[Place, dict[str, tuple[Chosen, ...]]] = {}
    for step, rows in zip(problem.routes.steps, nets, strict=True):
        chosen.setdefault(place_of(problem, step), {})[step.edge.child] = rows
    layers = {}
    for place, blocks in chosen.items():
        used = {net for rows in blocks.values() for net in rows if net is not None}
        stacks = {}
        for kind in sorted({kind for kind, _ in used}):
            names = {
                each.name: f"{place_name(place)}.{kind}.{each.name}"
                for each in fields(WEIGHTS[kind])
            }
            count = max(index for other, index in used if other == kind) + 1
            for name in names.values():
                if name not in tensors or len(tensors[name]) < count:
                    raise CertificateError(
                        f"certificate: needs the array {name!r} with at least {count} nets, and "
                        "says nothing of it; it is broken, or for another model."
                    )
            stacks[kind] = WEIGHTS[kind](
                **{own: tensors[name].astype(np.float64) for own, name in names.items()}
            )
        layers[place] = LayerWeights(stacks, blocks, np.zeros(0))
    return layers


def model_fingerprints(problem: Problem) -> tuple[Fingerprint, ...]:
    """Those of all arrays of a model: potentials, index maps and parents."""
    data = problem.forest.data
    return tuple(Fingerprint.of(key, np.asarray(data[key])) for key in sorted(data))


def held_differences(
    problem: Problem, found: Mapping[str, AnyArray], model: object
) -> tuple[dict[str, AnyArray], list[Difference]]:
    """The potentials that a network holds, by key, and those that are not the model's.

    Parameters
    ----------
    problem
        The messages on the true model.
    found
        Arrays by name; potentials are called ``potentials.<key>``, free symbols
        ``symbols.<name>``.
    model
        The true model.
    """
    expected = held_potentials(problem)
    held, differences = dict(expected), []
    symbols = _symbols(problem, found)
    if symbols:
        differences += [Difference(f"symbols.{name}", "another value") for name in symbols]
        bound = group(as_model(model).bind(**symbols).forest())
        held |= {key: bound.data[key] for key in held}
    for key, name in _named("potentials", list(expected), found).items():
        array, own = found[name], expected[key]
        if array.shape != own.shape:
            differences.append(Difference(name, f"shape {array.shape} instead of {own.shape}"))
            held[key] = np.full(own.shape, np.nan)
        elif not np.array_equal(array, own):
            differences.append(Difference(name, "not the model's"))
            held[key] = array.astype(np.float64)
    return held, differences


def _symbols(problem: Problem, found: Mapping[str, AnyArray]) -> dict[str, float]:
    """Symbols whose value is not the model's."""
    values = problem.forest.parameters
    held = {key: found[name] for key, name in _named("symbols", list(values), found).items()}
    return {
        key: float(array)
        for key, array in held.items()
        if array.astype(np.float64) != np.asarray(values[key]).astype(array.dtype)
    }


def _named(group_name: str, keys: Sequence[str], found: Mapping[str, AnyArray]) -> dict[str, str]:
    """The names at hand of keys; torch knows no dots in names, and reserves some."""
    names: dict[str, str] = {}
    for key in keys:
        plain = f"{group_name}.{key.replace('.', '_')}"
        candidates = [plain, f"{plain}_"]
        known = [n for n in candidates if n in found and n not in names.values()]
        if known:
            names[key] = known[0]
    return names
