"""All measures of samples in one report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ghmpp.diffusion.metrics import (
    bits_per_token,
    copies,
    joint_probabilities,
    pair_total_variation,
    read_samples,
    sampling_floor,
    total_variation,
    validity,
)
from ghmpp.diffusion.samples import Samples


@dataclass(frozen=True, eq=False, repr=False)
class Quality:
    """How samples compare with the model.

    Parameters
    ----------
    n
        Number of samples.
    bits, bits_error
        Mean bits per token under the model, and its standard error.
    site, pair
        Largest total variation of a leaf, and of a pair of leaves.
    joint, floor
        Total variation of all leaves, and what exact samples would have; None of large models.
    valid
        By class: the share of valid nodes; empty without production rules.
    copied
        The share of samples in the training set; None without one.
    """

    n: int
    bits: float
    bits_error: float
    site: float
    pair: float
    joint: float | None
    floor: float | None
    valid: Mapping[str, float]
    copied: float | None

    def __repr__(self) -> str:
        lines = [
            f"Quality of {self.n:,} samples",
            f"  bits per token   {self.bits:.4f} +- {self.bits_error:.4f}",
            f"  total variation  {self.site:.4f} of a leaf, {self.pair:.4f} of a pair, at most",
        ]
        if self.joint is not None:
            lines.append(f"                   {self.joint:.4f} of all; exact: {self.floor:.4f}")
        if self.valid:
            shares = ", ".join(f"{name} {share:.4f}" for name, share in self.valid.items())
            lines.append(f"  valid            {shares}")
        if self.copied is not None:
            lines.append(f"  copied           {self.copied:.4f}")
        return "\n".join(lines)


def quality(
    samples: Samples | ArrayLike,
    model: object,
    *,
    training: ArrayLike | None = None,
    limit: int = 2**16,
) -> Quality:
    """All measures of samples at once.

    Parameters
    ----------
    samples, model
        As for :func:`total_variation`.
    training
        State indices (rows, nodes) that samples may have been copied from.
    limit
        Configurations up to which the law of all leaves is compared.

    Raises
    ------
    QueryError
        If samples do not fit the model, or there is none.

    Examples
    --------
    >>> import ghmpp as gh
    >>> model = gh.zoo.random_hierarchy(v=4, m=2, s=2, L=2)
    >>> quality(gh.diffuse(model, 500, sampler="masked"), model).valid
    {'x0': 1.0, 'x1': 1.0}
    """
    known, leaves, states = read_samples(samples, model, None)
    bits = bits_per_token(states, known)
    pairs = pair_total_variation(states, known)
    joint = floor = None
    if len(leaves.states) ** leaves.nodes <= limit:
        joint = total_variation(states, known)
        floor = sampling_floor(joint_probabilities(known), len(states))
    finite = np.isfinite(bits).all()
    return Quality(
        len(states),
        float(bits.mean()),
        float(bits.std() / np.sqrt(len(bits))) if finite else np.inf,
        float(np.diagonal(pairs).max()),
        float(pairs.max()),
        joint,
        floor,
        validity(states, known) if known.rules else {},
        None if training is None else copies(states, training),
    )
