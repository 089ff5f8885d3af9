"""Hashes that tell data, weights and models from others."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ghmpp.approximation.fingerprints import Fingerprint, joint_sha256
from ghmpp.models.model import Model

# Hexadecimal digits that are shown and kept.
DIGITS = 16


def tensors_hash(tensors: Mapping[str, Tensor]) -> str:
    """A hash of tensors with their names, types and shapes.

    Examples
    --------
    >>> weights = {"weight": torch.zeros(2)}
    >>> tensors_hash(weights) == tensors_hash({"weight": torch.ones(2)})
    False
    """
    found = []
    for name, tensor in tensors.items():
        plain = tensor.detach().cpu().contiguous()
        if plain.dtype == torch.bfloat16:
            plain = plain.float()  # exact, and a type that numpy has
        found.append(Fingerprint.of(name, plain.numpy()))
    return joint_sha256(found)[:DIGITS]


def model_hash(model: Model) -> str:
    """A hash of the variables, the structure and the present values of all potentials."""
    forest = model.forest()
    arrays = [Fingerprint.of(key, forest.data[key]) for key in sorted(forest.data)]
    blocks = [f"{each.variable} {each.nodes} {each.states}" for each in forest.blocks.values()]
    edges = [f"{each.child} {each.parent} {each.key}" for each in forest.edges.values()]
    shape = Fingerprint("; ".join([*blocks, *edges]), "", (), "")
    return joint_sha256([*arrays, shape])[:DIGITS]
