r"""Real variables with Gaussian factors, in torch: messages, evidence, means and variances.

The meaning is that of :mod:`ghmpp.backends.reference_gaussian`. A value holds J, h and c of

.. math:: f(x, k) = \exp(-J_k x^2 / 2 + h_k x + c_k)

one after another on its axis of states. Neither the precisions J nor any other coefficient
depends on the observed numbers (only on which of them are missing), and h is linear in them: with
one component, means are an affine function of what was observed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ghmpp.backends.encode import Leaf, refuse_infinite
from ghmpp.backends.kernels import Kernel
from ghmpp.backends.layout import Place
from ghmpp.errors import EvidenceError, ModelError
from ghmpp.models.channels import Gaussian, Localization
from ghmpp.models.forest import Edge
from ghmpp.models.observations import Observation

if TYPE_CHECKING:
    from ghmpp.backends.run import Run
    from ghmpp.schedule.ir import Readout

MOST_PRECISE, FARTHEST = 1e60, 1e90
NO_CHANNEL = (
    "real variables are observed through Gaussian noise, and not as they are; compile with "
    "given=gh.noisy(...), or pass gh.Observed(z, gh.Gaussian(sigma))."
)


@dataclass(frozen=True, slots=True)
class GaussianEdge:
    """The densities ``N(x; a x_parent + b, q)`` of an edge, for tensors with a batch last.

    ``factor``, ``offset`` and ``noise`` are a, b and q, (ranks or 1, components, parents or 1, 1).
    ``log_scale`` is 0, since densities are not scaled; ``per_node`` says whether each child has
    its own. With ``from_states`` the parent is the class whose states are the components.
    """

    factor: Tensor
    offset: Tensor
    noise: Tensor
    from_states: bool
    log_scale: Tensor
    per_node: bool

    def to_root(self, kernel: Kernel, x: Tensor) -> Tensor:
        """Message toward the root: integrated over the child."""
        parts = toward_root(components(x, 1), self.factor, self.offset, self.noise)
        return parts[2] if self.from_states else torch.cat(parts, 1)

    def to_leaves(self, kernel: Kernel, x: Tensor) -> Tensor:
        """Message toward the leaves: integrated over the parent."""
        if self.from_states:
            return torch.cat(from_component(x, self.offset, self.noise), 1)
        parts = components(x, 1)
        return torch.cat(toward_leaves(parts, self.factor, self.offset, self.noise), 1)


Parts = tuple[Tensor, Tensor, Tensor]


def toward_root(parts: Parts, factor: Tensor, offset: Tensor, noise: Tensor) -> Parts:
    """J, h and c of the integral of ``f(y) N(y; a x + b, q)`` over y."""
    precision, shift, constant = parts
    spread = 1 + noise * precision
    square = (noise * shift + 2 * offset) * shift - offset**2 * precision
    return (
        factor**2 * precision / spread,
        factor * (shift - offset * precision) / spread,
        constant - torch.log1p(noise * precision) / 2 + square / (2 * spread),
    )


def toward_leaves(parts: Parts, factor: Tensor, offset: Tensor, noise: Tensor) -> Parts:
    """J, h and c of the integral of ``f(x) N(y; a x + b, q)`` over x."""
    precision, shift, constant = parts
    spread = factor**2 + noise * precision
    square = (noise * shift - 2 * factor * offset) * shift - offset**2 * precision
    return (
        precision / spread,
        (factor * shift + offset * precision) / spread,
        constant - torch.log(spread) / 2 + square / (2 * spread),
    )


def from_component(logs: Tensor, offset: Tensor, noise: Tensor) -> Parts:
    """J, h and c of ``N(y; b, q)`` times the weight of each component, given in logs."""
    constant = logs - offset**2 / (2 * noise) - torch.log(2 * math.pi * noise) / 2
    return (1 / noise).expand_as(logs), (offset / noise).expand_as(logs), constant


def components(x: Tensor, axis: int) -> Parts:
    """J, h and c of a value, each with as many entries as there are components."""
    precision, shift, constant = x.chunk(3, axis)
    return precision, shift, constant


def weighted_moments(precision: Tensor, shift: Tensor, constant: Tensor) -> Parts:
    """Log mass and mean of every component, and 1/J, from J, h and c."""
    means = shift / precision
    return constant + shift * means / 2 - torch.log(precision) / 2, means, 1 / precision


def gaussian_edge(
    stack: Tensor, edge: Edge, place: Place, states: int, like: Tensor
) -> GaussianEdge:
    """Bring a stack (rows, components, 3) into physical order.

    ``states`` is the number of entries of the parent.
    """
    per_node = edge.rows == place.nodes and edge.rows != place.ranks
    stack = stack.to(like)
    if per_node:
        stack = stack[torch.as_tensor(place.order, device=stack.device)]
        stack = torch.unflatten(stack, 0, (place.ranks, place.parents)).movedim(1, 3)
    else:
        stack = stack[..., None].expand(place.ranks, -1, -1, -1)
    factor, offset, noise = stack.unsqueeze(-1).unbind(2)
    zero = torch.zeros((), dtype=torch.float64, device=like.device)
    return GaussianEdge(factor, offset, noise, states == stack.shape[1], zero, per_node)


def check_gaussian(key: str, stack: Tensor) -> None:
    """Refuse densities that no model may have, such as those of bad training."""
    found = stack.detach()
    if not bool(found.isfinite().all()) or not bool((found[..., 2] > 0).all()):
        raise ModelError(
            f"potential {key!r}: factors and offsets must be finite and variances positive, found "
            f"a variance of {float(found[..., 2].min())}; restore it, or keep it positive in "
            "training (its logarithm, say)."
        )


def natural(observation: Observation, name: str, z: Tensor, *, with_offset: bool) -> Leaf:
    """Observed numbers (nodes, batch) as J, h and c, (3, nodes, batch); zeros where missing.

    What does not depend on the variable goes into the offset, which serves the log evidence.

    Raises
    ------
    EvidenceError
        If there is no Gaussian channel, or numbers are infinite.
    """
    channel = observation.channel
    if not isinstance(channel, Gaussian | Localization):
        raise EvidenceError(f"{name}: {NO_CHANNEL}")
    missing = torch.isnan(z.detach())
    z = torch.where(missing, 0.0, z)
    refuse_infinite(z)
    gain, curvature = channel.coefficients()
    precision = torch.where(missing, 0.0, torch.full_like(z.detach(), curvature))
    shift = gain * z
    largest = float(shift.detach().abs().max()) if z.numel() else 0.0
    if not (curvature <= MOST_PRECISE and largest <= FARTHEST):
        raise EvidenceError(
            f"{name}: observed with precision {curvature:g}, values over noise up to "
            f"{largest:g}: with so little noise, messages leave the range of float64."
        )
    value = torch.stack((precision, shift, torch.zeros_like(precision)))
    offset = z.new_zeros(z.shape[1], dtype=torch.float64)
    if with_offset and isinstance(channel, Gaussian):
        log_norm = math.log(channel.sigma) + 0.5 * math.log(2 * math.pi)
        rest = -0.5 * (z.double() / channel.sigma) ** 2 - log_norm
        offset = torch.where(missing, 0.0, rest).sum(0)
    return Leaf(value, offset, 0.0)


def repeated(x: Tensor, entries: int) -> Tensor:
    """What was observed, J, h and c as (3, ...), for all components: (entries, ...).

    Raises
    ------
    EvidenceError
        If numbers were observed without noise.
    """
    if len(x) != 3:
        raise EvidenceError(NO_CHANNEL)
    return x if entries == 3 else x.repeat_interleave(entries // 3, 0)


def read_moment(run: Run, op: Readout) -> Tensor:
    """Mean or variance of each node of a real block, (nodes, batch); 0 where impossible."""
    parts = components(run.values[op.sources[0]].flatten(1, 2), 0)
    masses, means, variances = weighted_moments(*parts)
    weights = run.setting.kernel.probabilities(masses)
    mean = (weights * means).sum(0)
    if op.kind == "mean":
        return mean.expand(-1, run.batch)
    return (weights * (variances + (means - mean) ** 2)).sum(0).expand(-1, run.batch)
