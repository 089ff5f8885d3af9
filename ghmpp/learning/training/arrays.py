"""Training data that a user has: inputs and targets in arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ghmpp.backends.observe import as_tensor
from ghmpp.errors import EvidenceError
from ghmpp.learning.training.batches import SPLIT, Batch, Order, generator
from ghmpp.learning.training.fingerprints import tensors_hash


class Arrays:
    """A fixed data set, gone through in shuffled order.

    Parameters
    ----------
    inputs
        What a network reads: states (batch, nodes) as integers with -1 for missing, or real
        observations (batch, nodes) with NaN for missing.
    target
        What it should answer, for every row: states as integers, or real values.
    seed
        Of the order.

    Raises
    ------
    EvidenceError
        If there are no rows, or numbers of rows differ.
    """

    varying = False

    def __init__(self, inputs: Sequence[object], target: object, seed: int) -> None:
        self.inputs = tuple(map(_tensor, inputs))
        self.target = _tensor(target)
        self.seed = seed
        sizes = [len(x) if x.ndim else 0 for x in (*self.inputs, self.target)]
        if not self.inputs or len(set(sizes)) != 1 or sizes[0] == 0:
            raise EvidenceError(
                f"train: data must be (inputs, targets) with the same number of rows, at least 1; "
                f"got {', '.join(map(str, sizes))} rows."
            )
        self._order = Order(sizes[0], seed)

    def __len__(self) -> int:
        return len(self.target)

    def batch(self, step: int, size: int) -> Batch:
        """The batch of a step."""
        return self._at(torch.from_numpy(self._order.rows(step, size)))

    def all(self, size: int) -> list[Batch]:
        """All rows, in order, in batches of at most ``size``."""
        return [self._at(rows) for rows in torch.split(torch.arange(len(self)), size)]

    def split(self, rows: int) -> tuple[Arrays, Arrays]:
        """The data without some rows chosen at random, and these.

        Raises
        ------
        EvidenceError
            If there are not more rows than are to be held out.
        """
        if not 0 < rows < len(self):
            raise EvidenceError(
                f"train: validation={rows} rows cannot be held out of {len(self)}; hold out fewer, "
                "or pass other data as validation=(inputs, targets)."
            )
        order = generator(self.seed, SPLIT).permutation(len(self))
        kept, held = (torch.from_numpy(np.sort(part)) for part in (order[rows:], order[:rows]))
        parts = [self._at(part) for part in (kept, held)]
        first, second = (Arrays(part.inputs, part.target, self.seed) for part in parts)
        return first, second

    def described(self) -> dict[str, str]:
        """What tells these data from others."""
        named = {f"input {k}": x for k, x in enumerate(self.inputs)}
        return {
            "arrays": tensors_hash({**named, "target": self.target}),
            "rows": str(len(self)),
            "seed": str(self.seed),
        }

    def _at(self, rows: Tensor) -> Batch:
        return Batch(tuple(x[rows] for x in self.inputs), self.target[rows])


def _tensor(array: object) -> Tensor:
    """Integers as int64, real numbers as they are."""
    if not isinstance(array, (Tensor, np.ndarray)):
        array = np.asarray(array)
    try:
        found = as_tensor(array).detach()
    except TypeError:
        raise EvidenceError(
            "train: data must be numbers: state indices as integers, or real values."
        ) from None
    return found if found.is_floating_point() else found.long()
