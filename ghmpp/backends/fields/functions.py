"""The functions of :mod:`ghmpp.schedule.functions` in torch, differentiable."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from ghmpp.schedule.functions import Function, FunctionName


def apply(
    function: Function,
    inputs: Sequence[Tensor],
    prior: Tensor | None,
    states: int,
    parameter: Tensor,
) -> Tensor:
    """The function at every entry.

    Parameters
    ----------
    function
        Which one.
    inputs
        Fields, with one entry along the axis ``states``; for ``log_odds`` log-likelihoods, with
        two.
    prior
        State values and log weights, (2, states), for functions of a prior.
    states
        The axis of the states: the first in the layout of runs, the last in that of definitions.
    parameter
        That of the function, shape (): numbers would be rounded to float32 in an exported file.

    Returns
    -------
    tensor
        A field; for ``spin_logs`` two logs along ``states``.
    """
    name, x = function.name, inputs[0]
    if name == "log_odds":
        low, high = x.narrow(states, 0, 1), x.narrow(states, 1, 1)
        return (high - low) / 2
    if name == "spin_logs":
        return torch.cat((logsigmoid(-2 * x), logsigmoid(2 * x)), states)
    if name in ("prior_mean", "prior_variance"):
        assert prior is not None
        return _moment(x, inputs[1], prior, variance=name == "prior_variance")
    if name == "soft":
        return torch.relu(x - parameter) - torch.relu(-x - parameter)
    return _FORMULAS[name](x)


def _moment(h: Tensor, n: Tensor, prior: Tensor, *, variance: bool) -> Tensor:
    """Mean or variance of the tilted prior."""
    values, logs = prior[0], prior[1]
    h, n = h.unsqueeze(-1), n.unsqueeze(-1)
    weights = torch.softmax(logs + h * values - n * values.square() / 2, -1)
    mean = (weights * values).sum(-1)
    if not variance:
        return mean
    return (weights * (values - mean.unsqueeze(-1)).square()).sum(-1)


def _atanh(x: Tensor) -> Tensor:
    """Inverse of tanh; what is 1 by rounding or by learning has the largest finite one."""
    top = 1 - torch.finfo(x.dtype).eps
    x = x.clamp(-top, top)
    return (x.log1p() - (-x).log1p()) / 2


_FORMULAS: Mapping[FunctionName, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "tanh_slope": lambda x: 1 - torch.tanh(x).square(),
    "sigmoid": torch.sigmoid,
    "sigmoid_slope": lambda x: torch.sigmoid(x) * torch.sigmoid(-x),
    # onnxruntime has neither Softplus nor Atanh in float64.
    "softplus": lambda x: x.relu() + (-x.abs()).exp().log1p(),
    "atanh": _atanh,
    "square": torch.square,
    "one_minus_square": lambda x: 1 - x.square(),
    "relu": torch.relu,
}
