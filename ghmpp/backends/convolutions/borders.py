"""The borders of a convolutional network: observations to feature maps, beliefs to answers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ghmpp.backends.convolutions.grids import Grid
from ghmpp.backends.convolutions.layers import Normalize
from ghmpp.backends.observe import as_tensor
from ghmpp.errors import EvidenceError
from ghmpp.models.channels import Gaussian, Localization
from ghmpp.models.forest import VariableClass


class Cells(nn.Module):
    """Between the user's nodes of a class and the cells of its feature map.

    Parameters
    ----------
    variable
        The class.
    grid
        Its feature map.
    """

    order: Tensor | None
    inverse: Tensor | None

    def __init__(self, variable: VariableClass, grid: Grid) -> None:
        super().__init__()
        self.name, self.nodes, self.space = variable.name, variable.nodes, grid.shape
        order = None if grid.order is None else torch.tensor(grid.order)
        self.register_buffer("order", order, persistent=False)
        inverse = None if order is None else order.argsort()
        self.register_buffer("inverse", inverse, persistent=False)

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of one row of input; those of images where the user's order is theirs."""
        image = (self.space, (1, *self.space)) if self.order is None else ()
        single = ((),) if self.nodes == 1 else ()
        return ((self.nodes,), *image, *single)

    def read(self, x: Tensor) -> Tensor:
        """An input as a feature map (batch, 1, *space).

        Raises
        ------
        EvidenceError
            If its shape does not fit.
        """
        x = as_tensor(x)
        if x.shape[1:] not in self.shapes or not x.ndim:
            known = " or ".join(str(("batch", *shape)).replace("'", "") for shape in self.shapes)
            raise EvidenceError(
                f"network: input {self.name!r} must have shape {known}, got {tuple(x.shape)}."
            )
        x = x.reshape(x.shape[0], self.nodes)
        x = x if self.order is None else x.index_select(1, self.order)
        return x.reshape(x.shape[0], 1, *self.space)

    def extra_repr(self) -> str:
        """Shape of the feature map."""
        return f"{self.nodes} nodes, feature map {self.space}"

    def write(self, x: Tensor) -> Tensor:
        """A feature map (batch, channels, *space) by the user's nodes: (batch, nodes, channels)."""
        x = x.flatten(2)
        x = x if self.inverse is None else x.index_select(2, self.inverse)
        return x.transpose(1, 2)


class StateInput(nn.Module):
    """Observed states as one channel of integers; the number of states where missing.

    Parameters
    ----------
    variable, grid
        The observed class and its feature map.
    like
        A tensor of the network's precision.
    """

    like: Tensor

    def __init__(self, variable: VariableClass, grid: Grid, like: Tensor) -> None:
        super().__init__()
        self.cells, self.states = Cells(variable, grid), len(variable.states)
        self.register_buffer("like", like, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Integers in the network's precision, (batch, 1, *space).

        Raises
        ------
        EvidenceError
            If the shape of ``x`` does not fit, or an entry is no state and not missing.
        """
        x = self.cells.read(x)
        if not torch.compiler.is_compiling():
            whole = (x == x.floor()) & (x >= -1) & (x < self.states)
            if not bool((whole | x.isnan()).all()):
                raise EvidenceError(
                    f"network: input {self.cells.name!r} must hold state indices 0 to "
                    f"{self.states - 1}, or -1 (NaN) where missing."
                )
        x = x.to(self.like.dtype)
        return torch.where(x.isnan() | (x < 0), float(self.states), x)

    @property
    def device(self) -> torch.device:
        """Where inputs belong."""
        return self.like.device

    def extra_repr(self) -> str:
        """Channels."""
        return f"{self.states} states, or missing"


class NoisyInput(nn.Module):
    r"""Gaussian observations as log-likelihoods: one affine map, a channel per state.

    .. math::
        h_s = (v_s - \bar v)(g z - c \bar v) - c\, (v_s - \bar v)^2 / 2

    with gain g and curvature c of the channel: the quadratic of :mod:`ghmpp.models.channels`
    without what all states share, around the middle of the values. What float32 rounds grows with
    the range of the values squared over sigma squared: about 1e-6 at 16.

    Parameters
    ----------
    variable, grid
        The observed class and its feature map.
    channel
        What it is seen through.
    affine
        1x1 convolution from the channels ``g z - c v`` and ``c`` to states.
    middle
        The middle of the state values.
    """

    def __init__(
        self,
        variable: VariableClass,
        grid: Grid,
        channel: Gaussian | Localization,
        affine: nn.Module,
        middle: float,
    ) -> None:
        super().__init__()
        self.cells, self.affine = Cells(variable, grid), affine
        self.normalize = Normalize()
        self.channel, self.middle = channel, middle

    def forward(self, x: Tensor, **parameters: float) -> Tensor:
        """Log-likelihoods (batch, states, *space), largest entry 0; all 0 where ``x`` is NaN.

        Raises
        ------
        EvidenceError
            If the shape of ``x`` does not fit, or likelihoods leave the range of the precision.
        """
        z = self.cells.read(x).to(next(self.affine.parameters()).dtype)
        gain, curvature = self.channel.with_parameters(**parameters).coefficients()
        missing = torch.isnan(z)
        seen = torch.cat((gain * z - curvature * self.middle, torch.full_like(z, curvature)), 1)
        logs: Tensor = self.affine(seen.masked_fill(missing, 0.0))
        if not (torch.compiler.is_compiling() or bool(logs.isfinite().all())):
            raise EvidenceError(
                f"network: input {self.cells.name!r} must be finite, or NaN where missing, and so "
                f"must be its log-likelihoods in {z.dtype}."
            )
        found: Tensor = self.normalize(logs)
        return found

    @property
    def device(self) -> torch.device:
        """Where inputs belong."""
        return next(self.affine.parameters()).device

    def extra_repr(self) -> str:
        """The channel."""
        return str(self.channel)


class Posterior(nn.Module):
    """Softmax over the states: posterior probabilities of each node."""

    def __init__(self) -> None:
        super().__init__()
        self.normalize = Normalize()

    def forward(self, x: Tensor) -> Tensor:
        """Probabilities (batch, states, *space); zeros where all logs are -inf."""
        weights: Tensor = self.normalize(x).exp()
        return weights / weights.sum(1, keepdim=True).clamp_min(1.0)


class Mean(nn.Module):
    """Posterior mean of the state values: softmax, and a 1x1 convolution with the values.

    Parameters
    ----------
    values
        1x1 convolution from states to one channel.
    """

    def __init__(self, values: nn.Module) -> None:
        super().__init__()
        self.posterior, self.values = Posterior(), values

    def forward(self, x: Tensor) -> Tensor:
        """Means (batch, 1, *space)."""
        found: Tensor = self.values(self.posterior(x))
        return found
