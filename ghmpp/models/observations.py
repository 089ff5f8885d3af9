"""What can be observed at a class of variables, and the one checked form that it takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from ghmpp._arrays import AnyArray, FloatArray
from ghmpp.errors import EvidenceError
from ghmpp.models.channels import Channel, Gaussian, Localization, LogLikelihood
from ghmpp.models.forest import VariableClass
from ghmpp.models.lookup import MISSING, state_array, state_indices, tensor_indices

ObservationKind = Literal["states", "likelihood", "log_likelihood", "values", "numbers"]


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """A continuous observation of a class, with the channel that it came through.

    Parameters
    ----------
    values
        Array or tensor of shape (batch, nodes), or (batch,) for a class with one node;
        NaN where missing.
    channel
        How the observation came from the state values.

    Examples
    --------
    >>> from ghmpp.models.channels import Gaussian
    >>> Observed([[0.1, 2.3]], Gaussian(sigma=0.5))
    Observed(values=[[0.1, 2.3]], channel=Gaussian(sigma=0.5, scale=1.0))
    """

    values: object
    channel: Channel


@dataclass(frozen=True, slots=True, eq=False)
class LogLikelihoods:
    """Log-likelihoods of the states of a class; -inf rules a state out.

    Parameters
    ----------
    array
        Array or tensor of shape (batch, nodes, states), or (batch, states) for a class with
        one node.

    Examples
    --------
    >>> LogLikelihoods([[0.0, -1.0]])
    LogLikelihoods(array=[[0.0, -1.0]])
    """

    array: object


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """What was observed at all nodes of one class, checked.

    Parameters
    ----------
    kind
        ======================  ================================================================
        kind                    array
        ======================  ================================================================
        states                  signed integers (batch, nodes), state indices, -1 where missing
        likelihood              float64 (batch, nodes, states), linear, >= 0
        log_likelihood          float64 (batch, nodes, states), -inf allowed
        values                  float64 (batch, nodes), NaN where missing, seen through `channel`
        numbers                 float64 (batch, nodes), finite: variables of a real class
        ======================  ================================================================
    array
        A numpy array, or a torch tensor (its own float dtype) if a tensor was given.
    channel
        For kind "values" only.
    """

    kind: ObservationKind
    array: AnyArray
    channel: Channel | None = None

    def log_likelihood(self, variable: VariableClass) -> FloatArray:
        """Log-likelihoods of the states, whatever the kind.

        Parameters
        ----------
        variable
            The class that was observed.

        Returns
        -------
        float64 array of shape (batch, nodes, states)
            0 for all states of a missing node. Of a real class the numbers themselves, with one
            entry in place of states; or, through a channel with the log-likelihood
            ``-J x^2 / 2 + h x + c``, the three entries J, h and c.

        Raises
        ------
        EvidenceError
            If a channel's function returns a wrong shape, NaN or +inf.
        """
        array = _to_numpy(self.array)
        match self.kind:
            case "states":
                missing, states = array[..., None] == MISSING, np.arange(len(variable.states))
                return np.where(missing | (array[..., None] == states), 0.0, -np.inf)
            case "likelihood":
                with np.errstate(divide="ignore"):
                    return np.log(array, dtype=np.float64)
            case "log_likelihood":
                return np.asarray(array, dtype=np.float64)
            case "values":
                return self._through_channel(variable, np.asarray(array, dtype=np.float64))
            case "numbers":
                return np.asarray(array, dtype=np.float64)[..., None]

    def _through_channel(self, variable: VariableClass, z: FloatArray) -> FloatArray:
        """Log-likelihoods of continuous observations; of real numbers J, h and c."""
        if variable.real and isinstance(self.channel, Gaussian | Localization):
            return _natural(self.channel, z)
        if self.channel is None or variable.values is None:
            raise EvidenceError(f"{variable.name}: values need a channel and numeric states.")
        missing = np.isnan(z)
        result = self.channel.log_likelihood(variable.values, np.where(missing, 0.0, z))
        result = np.where(missing[..., None], 0.0, result)
        _check_log_likelihood(variable, result)
        return result


def _natural(channel: Gaussian | Localization, z: FloatArray) -> FloatArray:
    """J, h and c of ``log p(z | x) = -J x^2 / 2 + h x + c``, (..., 3); 0 where z is missing."""
    gain, curvature = channel.coefficients()
    logs = np.stack([np.full_like(z, curvature), gain * z, channel.rest(z)], axis=-1)
    return np.where(np.isnan(z)[..., None], 0.0, logs)


def is_tensor(value: object) -> bool:
    """Whether a value is a torch tensor, without importing torch."""
    return type(value).__module__.startswith("torch") and hasattr(value, "is_floating_point")


def observe(variable: VariableClass, value: object) -> Observation:
    """Check what was observed at one class, in any form that ``read_evidence`` accepts.

    Raises
    ------
    EvidenceError
        If a state is unknown, a shape wrong, a likelihood NaN or negative, or numeric state
        values are needed and missing.
    """
    match value:
        case Observed(values=z, channel=channel):
            return _read_values(variable, z, channel)
        case (z, (Gaussian() | Localization() | LogLikelihood()) as channel):
            return _read_values(variable, z, channel)
        case LogLikelihoods(array=logs):
            return _read_likelihood(variable, logs, "log_likelihood")
        case Observation(kind=kind, array=checked):
            return replace(value, array=_shaped(variable, checked, kind))
    if variable.real:
        return _read_numbers(variable, value)
    if value is None:
        return Observation("states", np.full((1, variable.nodes), MISSING))
    array: Any = value if is_tensor(value) else state_array(variable, value)
    if array.ndim == 3 or (array.ndim == 2 and variable.nodes == 1 and _is_floating(array)):
        return _read_likelihood(variable, array, "likelihood")
    array = _shaped(variable, array, "states")
    indices = tensor_indices if is_tensor(array) else state_indices
    return Observation("states", indices(variable, array))


def _read_values(variable: VariableClass, z: object, channel: Channel) -> Observation:
    """A continuous observation through a channel."""
    if variable.real and isinstance(channel, LogLikelihood):
        raise EvidenceError(
            f"{variable.name}: of real numbers only Gaussian noise leaves sums in closed form; "
            "observe it through Gaussian(...) or Localization(...)."
        )
    if variable.values is None and not variable.real:
        raise EvidenceError(
            f"{variable.name}: its states have no numeric values, so nothing continuous can be "
            "observed; declare the class with values=..., or give likelihoods."
        )
    if is_tensor(z):
        return Observation("values", _shaped(variable, z, "values"), channel)
    array = _shaped(variable, _as_floats(variable, z), "values")
    if np.isinf(array).any():
        raise EvidenceError(f"{variable.name}: values must be finite, or NaN where missing.")
    return Observation("values", array, channel)


def _read_numbers(variable: VariableClass, value: object) -> Observation:
    """Real variables, observed as they are."""
    array: Any = value if is_tensor(value) else _as_floats(variable, value)
    array = _shaped(variable, array, "numbers")
    if not is_tensor(array) and not np.isfinite(array).all():
        raise EvidenceError(f"{variable.name}: its numbers must be finite, and none may miss.")
    return Observation("numbers", array)


def _read_likelihood(
    variable: VariableClass, value: object, kind: Literal["likelihood", "log_likelihood"]
) -> Observation:
    """Likelihoods of the states, linear or log."""
    if is_tensor(value):
        return Observation(kind, _shaped(variable, value, kind))
    array = _shaped(variable, _as_floats(variable, value), kind)
    if kind == "log_likelihood":
        _check_log_likelihood(variable, array)
    elif not (np.isfinite(array) & (array >= 0)).all():
        found = array[~(np.isfinite(array) & (array >= 0))][0]
        raise EvidenceError(
            f"{variable.name}: likelihoods must be finite and >= 0, got {found}; a missing "
            "node has equal likelihoods. Are these logs? Then pass LogLikelihoods(array)."
        )
    return Observation(kind, array)


def _check_log_likelihood(variable: VariableClass, array: FloatArray) -> None:
    """Refuse NaN and +inf."""
    wrong = array[np.isnan(array) | (array == np.inf)]
    if wrong.size:
        raise EvidenceError(
            f"{variable.name}: log-likelihoods must be finite or -inf, got {wrong[0]}."
        )


def _shaped(variable: VariableClass, array: Any, kind: ObservationKind) -> Any:
    """The array as (batch, nodes) or (batch, nodes, states); refuse what does not fit."""
    per_state = kind in ("likelihood", "log_likelihood")
    row = (variable.nodes, len(variable.states)) if per_state else (variable.nodes,)
    short = row[1:] if variable.nodes == 1 else row
    shape = tuple(array.shape)
    if len(shape) > len(short) and shape[1:] in (row, short):
        return array.reshape(shape[0], *row)
    if shape == short and not per_state:
        return array.reshape(1, *row)
    expected = ", ".join(map(str, ("batch", *short)))
    raise EvidenceError(
        f"{variable.name}: {kind.replace('_', '-')} of {variable.nodes} node(s)"
        + ("" if variable.real else f" with {len(variable.states)} states")
        + f" must have shape ({expected}), got {shape}."
        + (f" One row has shape {(1, *short)}." if per_state else "")
    )


def _to_numpy(array: Any) -> AnyArray:
    """A tensor's values as a numpy array; numpy arrays as they are."""
    return np.asarray(array.detach().cpu() if is_tensor(array) else array)


def _is_floating(array: Any) -> bool:
    """Whether an array or tensor holds floats."""
    return bool(array.is_floating_point()) if is_tensor(array) else array.dtype.kind == "f"


def _as_floats(variable: VariableClass, value: object) -> FloatArray:
    """An array of float64, NaN where a masked array is masked."""
    try:
        if np.ma.isMaskedArray(value):
            value = np.ma.filled(np.ma.asarray(value, dtype=np.float64), np.nan)
        return np.asarray(value, dtype=np.float64, order="C")  # torch takes no reversed views
    except (TypeError, ValueError):
        raise EvidenceError(f"{variable.name}: expected numbers, got {value!r}.") from None


def own_copy(observation: Observation) -> Observation:
    """The observation with an array of its own, which no later change of the user's reaches.

    Tensors are kept, because gradients flow through them.
    """
    if is_tensor(observation.array):
        return observation
    return Observation(observation.kind, observation.array.copy(), observation.channel)
