"""What a network has for its instructions on fields: linear maps, functions, products."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ghmpp.backends.container import Named
from ghmpp.backends.fields.layers import GateLayer, LocalLayer
from ghmpp.backends.parameters import field_parameters
from ghmpp.models.forest import Forest


@dataclass(frozen=True)
class Fields:
    """Numbers in the precision of a run, and the layers.

    Parameters
    ----------
    numbers
        Numbers of couplings, and of priors, by key of the data.
    indices
        Positions of the entries of sparse couplings, by key, int64 (2, entries).
    local, gates
        Layers of functions and of products, by name.
    """

    numbers: Mapping[str, Tensor]
    indices: Mapping[str, Tensor]
    local: Named[LocalLayer]
    gates: Named[GateLayer]


class FieldLayers(nn.Module):
    """The parts of a network that work on fields.

    Parameters
    ----------
    forest
        Whose couplings and numbers.
    dtype
        Precision of the numbers.
    local, gates
        Layers by name, see :mod:`ghmpp.backends.fields.layers`.

    Attributes
    ----------
    couplings
        Numbers of the linear maps (and of priors) by key; no gradient until asked. Those with
        entries so near 1 that float32 cannot tell them from it stay in float64.
    local, gates
        The layers: ``network.fields.local["tanh"]``.
    """

    def __init__(
        self,
        forest: Forest,
        dtype: torch.dtype,
        local: Mapping[str, LocalLayer],
        gates: Mapping[str, GateLayer],
    ) -> None:
        super().__init__()
        self.forest = forest
        self.couplings = field_parameters(forest, dtype)
        self.local, self.gates = Named(local), Named(gates)

    def prepared(self, like: Tensor) -> Fields:
        """What a run needs, with numbers in the precision and on the device of ``like``."""
        sparse = (each.index for each in self.forest.couplings.values() if each.index is not None)
        return Fields(
            {key: self.couplings[key].to(like) for key in self.couplings},
            {key: torch.tensor(self.forest.data[key], device=like.device) for key in sparse},
            self.local,
            self.gates,
        )
