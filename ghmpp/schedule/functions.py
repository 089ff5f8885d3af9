"""The functions that ``Local`` applies at each node: names, meaning in numpy, and bounds.

Two lead between the worlds of likelihoods and fields. With two states, of values -1 and +1,
``log_odds`` is half the difference of the log-likelihoods, so that independent log odds add, and
``spin_logs`` goes back: the logs of the probabilities of -1 and +1, of which ``tanh`` is the mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ghmpp._arrays import FloatArray

FunctionName = Literal[
    "log_odds",
    "spin_logs",
    "tanh",
    "tanh_slope",
    "sigmoid",
    "sigmoid_slope",
    "softplus",
    "atanh",
    "square",
    "one_minus_square",
    "relu",
    "soft",
    "prior_mean",
    "prior_variance",
]
SMOOTH: Mapping[FunctionName, FunctionName] = {
    "tanh": "tanh_slope",
    "sigmoid": "sigmoid_slope",
    "softplus": "sigmoid",
}


@dataclass(frozen=True, slots=True)
class Function:
    """A function of one number per node (of two for those of a prior).

    ======================  =====================================================================
    name                    meaning
    ======================  =====================================================================
    log_odds                half the log odds of the second of two states, from log-likelihoods
    spin_logs               logs of the probabilities ``(1 - tanh x)/2`` and ``(1 + tanh x)/2``
    tanh, tanh_slope        ``tanh x``; its derivative ``1 - tanh(x)^2``
    sigmoid, sigmoid_slope  ``1/(1 + exp(-x))``; its derivative
    softplus                ``log(1 + exp x)``
    atanh                   inverse of tanh
    square                  ``x^2``
    one_minus_square        ``1 - x^2``
    relu                    ``max(x, 0)``
    soft                    ``sign(x) max(|x| - parameter, 0)``, soft thresholding
    prior_mean              mean of s under weights ``prior(s) exp(h s - n s^2 / 2)``, from the
                            fields h and n; the prior is an array (2, states) in the data: state
                            values, then log weights
    prior_variance          the variance of the same
    ======================  =====================================================================

    Parameters
    ----------
    name
        Which one.
    parameter
        Threshold of ``soft``, >= 0; not used by others.
    """

    name: FunctionName
    parameter: float = 0.0


def evaluate(
    function: Function, inputs: tuple[FloatArray, ...], prior: FloatArray | None = None
) -> FloatArray:
    """The function at every entry; the meaning that other backends are held to.

    Parameters
    ----------
    function
        Which one.
    inputs
        Arrays of one shape: fields (..., nodes, 1), or log-likelihoods (..., nodes, 2) for
        ``log_odds``.
    prior
        State values and log weights, (2, states), for functions of a prior.

    Returns
    -------
    array
        A field; for ``spin_logs`` logs, (..., nodes, 2).

    Examples
    --------
    >>> evaluate(Function("soft", 1.0), (np.array([-3.0, 0.5, 2.0]),))
    array([-2.,  0.,  1.])
    """
    if function.name in ("prior_mean", "prior_variance"):
        assert prior is not None
        return _moments(inputs[0], inputs[1], prior)[function.name == "prior_variance"]
    if function.name == "soft":
        return np.maximum(inputs[0] - function.parameter, 0) - np.maximum(
            -inputs[0] - function.parameter, 0
        )
    return _FORMULAS[function.name](inputs[0])


def _log_odds(logs: FloatArray) -> FloatArray:
    """Half the difference."""
    return (logs[..., 1:] - logs[..., :1]) / 2


def _spin_logs(x: FloatArray) -> FloatArray:
    return np.concatenate([-np.logaddexp(0, 2 * x), -np.logaddexp(0, -2 * x)], axis=-1)


def _sigmoid(x: FloatArray) -> FloatArray:
    return 0.5 + 0.5 * np.tanh(x / 2)


def _moments(h: FloatArray, n: FloatArray, prior: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and variance of the tilted prior."""
    values, logs = prior
    exponent = logs + h[..., None] * values - n[..., None] * values**2 / 2
    weights = np.exp(exponent - exponent.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    mean: FloatArray = (weights * values).sum(-1)
    variance: FloatArray = (weights * (values - mean[..., None]) ** 2).sum(-1)
    return mean, variance


_FORMULAS: Mapping[FunctionName, Callable[[FloatArray], FloatArray]] = {
    "log_odds": _log_odds,
    "spin_logs": _spin_logs,
    "tanh": np.tanh,
    "tanh_slope": lambda x: 1 - np.tanh(x) ** 2,
    "sigmoid": _sigmoid,
    "sigmoid_slope": lambda x: _sigmoid(x) * _sigmoid(-x),
    "softplus": lambda x: np.logaddexp(0, x),
    "atanh": np.arctanh,
    "square": np.square,
    "one_minus_square": lambda x: 1 - np.square(x),
    "relu": lambda x: np.maximum(x, 0),
}

# Largest slope of the functions that have one on all of the line.
SLOPES: Mapping[FunctionName, float] = {
    "tanh": 1.0,
    "tanh_slope": 4 / 27**0.5,
    "sigmoid": 0.25,
    "sigmoid_slope": 1 / (6 * 3**0.5),
    "softplus": 1.0,
    "relu": 1.0,
    "soft": 1.0,
}
