"""Two denoisers side by side: a sampler follows one, and how far the other is from it is kept."""

from __future__ import annotations

import torch
from torch import Tensor

from ghmpp.diffusion.decoding import Decode, nearest
from ghmpp.diffusion.denoisers import Denoiser
from ghmpp.models.observations import Observation


class Beside(Denoiser):
    """A denoiser that answers as ever, with the exact one asked beside it.

    Parameters
    ----------
    asked
        Who answers.
    exact
        Who is asked the same, in the same precision, of the same variable.

    Attributes
    ----------
    parts
        One for each chunk of samples, in order, as :meth:`part` was called.
    squares
        By localization time: squared distances of the means, summed over nodes, (rows,), one
        tensor for each time that it was asked then.
    last
        The last answers of both, means or marginals.
    """

    def __init__(self, asked: Denoiser, exact: Denoiser) -> None:
        super().__init__(asked.variable, asked.process, asked.like)
        self.asked, self.exact = asked, exact
        self.earliest = asked.earliest
        self.parts: list[Beside] = []
        self.squares: dict[float, list[Tensor]] = {}
        self.last: tuple[Tensor, Tensor] | None = None

    def mean_at(self, z: Tensor, tau: float) -> Tensor:
        """See :meth:`Denoiser.mean_at`."""
        self.calls += 1
        answers = self.asked.mean_at(z, tau), self.exact.mean_at(z, tau)
        self._keep(tau, *answers)
        self.last = answers
        return answers[0]

    def marginals_at(self, z: Tensor, tau: float) -> Tensor:
        """See :meth:`Denoiser.marginals_at`."""
        self.calls += 1
        answers = self.asked.marginals_at(z, tau), self.exact.marginals_at(z, tau)
        self._keep(tau, *(found @ self.values for found in answers))
        self.last = answers
        return answers[0]

    def marginals_given(self, seen: Observation) -> Tensor:
        """See :meth:`Denoiser.marginals_given`; nothing is kept."""
        return self.asked.marginals_given(seen)

    def part(self, rows: slice) -> Beside:
        """One for each chunk, so that what is kept belongs to its samples."""
        self.parts.append(Beside(self.asked.part(rows), self.exact))
        return self.parts[-1]

    def square_at(self, tau: float) -> Tensor:
        """Squared distance of the means at a time, summed over nodes, (rows,)."""
        return torch.stack(self.squares[tau]).mean(0)

    def decoding_distance(self, how: Decode) -> Tensor:
        """Bound of the total variation between the last decoding and the exact one, (rows,).

        Nodes are decoded independently, so it is at most the sum over them.
        """
        if how == "round" or self.last is None:
            rows = len(next(iter(self.squares.values()))[0])
            return self.like.new_zeros(rows)
        found, exact = self.last
        match how:
            case "draw":
                each = (found - exact).abs().sum(-1) / 2
            case "argmax":
                each = (found.argmax(-1) != exact.argmax(-1)).to(self.like)
            case "mean":
                values = self.values
                each = (nearest(found, values) != nearest(exact, values)).to(self.like)
        return each.sum(-1).clamp_max(1)

    def _keep(self, tau: float, found: Tensor, exact: Tensor) -> None:
        self.squares.setdefault(tau, []).append((found - exact).square().sum(-1))
