"""The segment of a point of a piecewise-linear function whose knots follow a formula."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ghmpp._arrays import AnyArray, FloatArray
from ghmpp.backends.families.lookup import Lines

# A formula is trusted when it is right at these parts of every segment.
_PROBES = np.array([0.01, 0.5, 0.99])


@dataclass(frozen=True, slots=True, eq=False)
class Spacing:
    r"""Knots that are equispaced on some scale: ``segment = floor(offset + factor * scale(x))``.

    Parameters
    ----------
    scale
        "asinh": :math:`\mathrm{asinh}(e^{(x + shift) / 2})` (see
        :class:`ghmpp.approximation.piecewise.ExpNet`); "linear": x itself; "log": log x;
        "exp": e^x (:class:`ghmpp.approximation.paper_nets.UniformExpNet`).
    shift, offset, factor
        By function, shape (functions,).
    last
        Segments - 1.
    """

    scale: Literal["asinh", "linear", "log", "exp"]
    shift: Tensor
    offset: Tensor
    factor: Tensor
    last: Tensor

    def segment(self, x: Tensor, index: Tensor) -> Tensor:
        """Segment of each entry of x, (ranks, states, parents, batch), as integers.

        ``index`` says which function each (rank, parent) has.
        """
        with torch.no_grad():
            x = x.detach()
            match self.scale:
                case "asinh":
                    at = x.add(_by_net(self.shift, index)).mul_(0.5).exp_().asinh_()
                case "linear":
                    at = x.clone()
                case "log":
                    at = x.log()
                case "exp":
                    at = x.exp()
            at = at.mul_(_by_net(self.factor, index)).add_(_by_net(self.offset, index))
            return at.long().clamp_(min=0).minimum(_by_net(self.last, index))

    @staticmethod
    def of_exp(lines: Lines, log_ratios: FloatArray, like: Tensor) -> Spacing | None:
        """Of nets of exp, whose last segment ends at 0; None where no formula fits."""
        found = _Fit.of(lines)
        first, relative = found.first, np.isinf(log_ratios)
        if relative.any() and not relative.all():
            return None
        if relative.all():
            return found.spacing("linear", 0 * first, first, -first / found.count, 1, like)
        top = np.arcsinh(np.exp(log_ratios / 2))
        low = np.arcsinh(np.exp((log_ratios + first) / 2))
        spacing = found.spacing("asinh", log_ratios, low, (top - low) / found.count, 1, like)
        if spacing is None:  # the paper's knots are uniform in value
            low = np.exp(first)
            spacing = found.spacing("exp", 0 * first, low, (1 - low) / found.count, 1, like)
        return spacing

    @staticmethod
    def of_log(lines: Lines, like: Tensor) -> Spacing | None:
        """Of nets of log, whose first segment begins at 1; None where no formula fits."""
        found = _Fit.of(lines)
        with np.errstate(invalid="ignore", divide="ignore"):
            step = np.log(found.final) / found.count
        return found.spacing("log", 0 * step, 0 * step, step, 0, like)


def _by_net(values: Tensor, index: Tensor) -> Tensor:
    return values[0] if len(values) == 1 else values[index][:, None, :, None]


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """Knots of some functions: how many, the first and the last."""

    knots: AnyArray
    count: AnyArray
    first: AnyArray
    final: AnyArray

    @staticmethod
    def of(lines: Lines) -> _Fit:
        knots = lines.knots.numpy()
        finite = np.isfinite(knots)
        count = finite.sum(1)
        final = np.where(finite, knots, -np.inf).max(1, initial=-np.inf)
        return _Fit(knots, count, np.where(finite, knots, np.inf).min(1, initial=np.inf), final)

    def spacing(
        self,
        scale: Literal["asinh", "linear", "log", "exp"],
        shift: AnyArray,
        start: AnyArray,
        step: AnyArray,
        before: int,
        like: Tensor,
    ) -> Spacing | None:
        """The formula of knots that start at ``start``, if it is right."""
        if not (np.isfinite(start).all() and np.isfinite(step).all() and (step > 0).all()):
            return None
        last = torch.tensor(self.count)
        values = tuple(map(torch.tensor, (shift, before - start / step, 1 / step)))
        exact = Spacing(scale, values[0], values[1], values[2], last)
        for net, (knots, count) in enumerate(zip(self.knots, self.count, strict=True)):
            ends = np.concatenate([[1.0 if scale == "log" else knots[0] - 1], knots[:count]])
            ends = np.append(ends, 2 * knots[count - 1] if scale == "log" else 0.0)
            probes = ends[:-1, None] + np.diff(ends)[:, None] * _PROBES
            index = torch.full((1, 1), net)
            at = exact.segment(torch.tensor(probes.reshape(1, 1, 1, -1)), index)
            if (at.numpy().ravel() != np.repeat(np.arange(count + 1), len(_PROBES))).any():
                return None
        cast = [value.to(like) for value in values]
        return Spacing(scale, cast[0], cast[1], cast[2], last.to(like.device))
