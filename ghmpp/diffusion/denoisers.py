"""Denoisers: posterior means and marginals of leaves seen through noise, with calls counted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Literal, Self, TypeAlias, get_args

import torch
from torch import Tensor

from ghmpp.diffusion.processes import Process, StochasticLocalization
from ghmpp.errors import DenoiserError, QueryError
from ghmpp.models.forest import VariableClass
from ghmpp.models.observations import Observation

# Localization time, in 1 / range^2 of the state values, at which a function of another process is
# first asked: at 0 the time of that process, or its noise, is infinite.
EARLIEST = 1e-5

DenoiserFunction: TypeAlias = Callable[[Tensor, float], Tensor]
Prediction = Literal["mean", "noise", "score"]


class Denoiser(ABC):
    """What leaves are, given noisy leaves: the only thing that a sampler asks.

    Parameters
    ----------
    variable
        The class of variables that is denoised.
    process
        In whose coordinates ``denoiser(z, t)`` is asked.
    like
        A tensor with the precision and device of what is asked and answered.

    Attributes
    ----------
    calls
        How often it was asked, by batches.
    earliest
        First localization time at which it can be asked.
    rows
        Rows that it must be asked for, where each has its own evidence; else None.
    """

    def __init__(self, variable: VariableClass, process: Process, like: Tensor) -> None:
        self.variable, self.process, self.like = variable, process, like
        self.calls = 0
        self.earliest = 0.0
        self.rows: int | None = None

    def __call__(self, z: Tensor, t: float) -> Tensor:
        """Posterior means of the state values.

        Parameters
        ----------
        z
            Noisy values, (batch, nodes), as :attr:`process` shows them at time t.
        t
            Time of the process.

        Returns
        -------
        tensor of shape (batch, nodes), in the units of the state values
        """
        z, tau = self._localized(z, t)
        return self.mean_at(z, tau)

    def marginals(self, z: Tensor, t: float) -> Tensor:
        """Posterior probabilities of the states, (batch, nodes, states), asked as for means."""
        z, tau = self._localized(z, t)
        return self.marginals_at(z, tau)

    @abstractmethod
    def mean_at(self, z: Tensor, tau: float) -> Tensor:
        """Means (batch, nodes) given ``z = tau x + sqrt(tau) noise`` at localization time tau."""

    @abstractmethod
    def marginals_at(self, z: Tensor, tau: float) -> Tensor:
        """Probabilities (batch, nodes, states) given ``z = tau x + sqrt(tau) noise``.

        Raises
        ------
        QueryError
            If the denoiser knows means only, and the states are more than two.
        """

    @abstractmethod
    def marginals_given(self, seen: Observation) -> Tensor:
        """Probabilities (batch, nodes, states) given states or likelihoods of the leaves.

        Rows of evidence that is impossible are zeros.

        Raises
        ------
        QueryError
            If the denoiser reads continuous observations only.
        """

    def part(self, rows: slice) -> Denoiser:
        """The denoiser for some rows of a batch; another one where rows have their own evidence."""
        return self

    @property
    def values(self) -> Tensor:
        """State values, (states,).

        Raises
        ------
        QueryError
            If the states have none, or there are no states.
        """
        if self.variable.real:
            raise QueryError(
                f"diffuse: {self.variable.name!r} holds real numbers, and samplers are for states; "
                "sample the model itself, which is exact."
            )
        if self.variable.values is None:
            raise QueryError(
                f"diffuse: the states of {self.variable.name!r} have no numeric values, which "
                "Gaussian noise needs; pass values=, declare the class with values=, or use the "
                "sampler 'masked' or 'symbols'."
            )
        return torch.tensor(self.variable.values).to(self.like)

    def _localized(self, z: Tensor, t: float) -> tuple[Tensor, float]:
        return self.process.to_localization(z, t), self.process.localization_time(t)

    def __repr__(self) -> str:
        name, nodes = self.variable.name, self.variable.nodes
        return f"{type(self).__name__} of {name!r} ({nodes} nodes), {self.process}"


class FunctionDenoiser(Denoiser):
    """A denoiser that is a function of noisy values and the time, such as a trained network.

    Parameters
    ----------
    function
        ``function(z, t)``: tensors (batch, nodes) to tensors of the same shape.
    variable, like
        As for :class:`Denoiser`.
    process
        The process whose z and t the function takes.
    predicts
        What it gives: the posterior "mean" of the values, that of the "noise", or the "score". Of
        the last two, means are kept within the range of the state values, because much noise
        makes small errors large.
    """

    def __init__(
        self,
        function: DenoiserFunction,
        variable: VariableClass,
        like: Tensor,
        *,
        process: Process,
        predicts: Prediction = "mean",
    ) -> None:
        super().__init__(variable, process, like)
        if predicts not in get_args(Prediction):
            known = ", ".join(map(repr, get_args(Prediction)))
            raise QueryError(f"denoiser: unknown predicts={predicts!r}; known: {known}.")
        self.function, self.predicts = function, predicts
        self.lowest, self.highest = (float(end) for end in self.values.aminmax())
        reach = max(self.highest - self.lowest, torch.finfo(like.dtype).tiny)
        whole = predicts == "mean" and isinstance(process, StochasticLocalization)
        self.earliest = 0.0 if whole else EARLIEST / reach**2

    def mean_at(self, z: Tensor, tau: float) -> Tensor:
        """See :meth:`Denoiser.mean_at`."""
        self.calls += 1
        t = self.process.time(tau)
        shown = self.process.from_localization(z, t)
        found = self.function(shown, t)
        if not isinstance(found, Tensor) or found.shape != z.shape:
            shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise DenoiserError(
                f"denoiser: the function must return a tensor of shape {tuple(z.shape)} "
                f"(batch, nodes), as it got; it returned {shape}."
            )
        if not bool(torch.isfinite(found).all()):
            raise DenoiserError(f"denoiser: the function returned NaN or infinity at time {t:g}.")
        if self.predicts == "mean":
            return found.to(z)
        maps = {"noise": self.process.mean_from_noise, "score": self.process.mean_from_score}
        return maps[self.predicts](found, shown, t).clamp(self.lowest, self.highest).to(z)

    def marginals_at(self, z: Tensor, tau: float) -> Tensor:
        """See :meth:`Denoiser.marginals_at`; of two states, from the mean."""
        values = self.values
        if len(values) != 2 or values[0] == values[1]:
            raise QueryError(
                "diffuse: this denoiser gives means, and no probabilities of states; use "
                "decode='mean' or 'round', and a sampler other than 'jump'."
            )
        second = ((self.mean_at(z, tau) - values[0]) / (values[1] - values[0])).clamp(0, 1)
        return torch.stack((1 - second, second), dim=-1)

    def marginals_given(self, seen: Observation) -> Tensor:
        """Refused: a function reads continuous observations."""
        raise QueryError(
            "diffuse: the samplers 'masked' and 'symbols' ask for posteriors given states; use "
            "them with a model, or with a network compiled for gh.posterior(...)."
        )


class Guided(Denoiser):
    """Guidance: ``unconditional + weight (conditional - unconditional)``, two calls in one.

    Probabilities are mixed in the same way, cut off at 0 and normalised.

    Parameters
    ----------
    conditional, unconditional
        Denoisers of the same variable and process.
    weight
        1 is the conditional denoiser, 0 the other; above 1 the condition is exaggerated.

    Raises
    ------
    QueryError
        If the denoisers differ in variable or process.
    """

    def __init__(self, conditional: Denoiser, unconditional: Denoiser, weight: float) -> None:
        first, second = conditional.variable, unconditional.variable
        if (first.name, first.nodes) != (second.name, second.nodes):
            raise QueryError(
                f"guidance: both denoisers must be of the same class, got {first.name!r} and "
                f"{second.name!r}."
            )
        if conditional.process != unconditional.process:
            raise QueryError("guidance: both denoisers must have the same process.")
        self.conditional, self.unconditional, self.weight = conditional, unconditional, weight
        super().__init__(first, conditional.process, conditional.like)
        self.earliest = max(conditional.earliest, unconditional.earliest)
        self.rows = conditional.rows

    def mean_at(self, z: Tensor, tau: float) -> Tensor:
        """See :meth:`Denoiser.mean_at`."""
        self.calls += 2
        return self._mixed(self.conditional.mean_at(z, tau), self.unconditional.mean_at(z, tau))

    def marginals_at(self, z: Tensor, tau: float) -> Tensor:
        """See :meth:`Denoiser.marginals_at`."""
        self.calls += 2
        given = self.conditional.marginals_at(z, tau)
        return self._probabilities(given, self.unconditional.marginals_at(z, tau))

    def marginals_given(self, seen: Observation) -> Tensor:
        """See :meth:`Denoiser.marginals_given`."""
        self.calls += 2
        given = self.conditional.marginals_given(seen)
        return self._probabilities(given, self.unconditional.marginals_given(seen))

    def part(self, rows: slice) -> Self:
        """The denoiser for some rows of a batch."""
        parts = self.conditional.part(rows), self.unconditional.part(rows)
        return type(self)(*parts, self.weight)

    def _mixed(self, given: Tensor, free: Tensor) -> Tensor:
        return torch.lerp(free, given, self.weight)

    def _probabilities(self, given: Tensor, free: Tensor) -> Tensor:
        mixed = self._mixed(given, free).clamp_min(0)
        # Impossible evidence is zeros in both, and stays so.
        return mixed / mixed.sum(-1, keepdim=True).clamp_min(torch.finfo(mixed.dtype).tiny)
