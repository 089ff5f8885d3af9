"""What a run makes small, and how it is judged on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from inspect import Parameter, signature
from typing import Protocol

import torch
from torch import Tensor, nn

from ghmpp.backends.families.norms import project
from ghmpp.backends.network import Network
from ghmpp.compiler import Program
from ghmpp.learning.training.batches import Batch, Source
from ghmpp.learning.training.fingerprints import tensors_hash
from ghmpp.learning.training.losses import Loss, check_answer
from ghmpp.learning.training.rows import answers


class Objective(Protocol):
    """A module, and the gradient of its loss."""

    @property
    def module(self) -> nn.Module:
        """What is trained."""

    @property
    def loss_name(self) -> str:
        """What is made small."""

    @property
    def judges(self) -> bool:
        """Whether there are held-out data."""

    def backward(self, step: int, size: int) -> float:
        """Add the gradient of the batch of a step to the parameters; gives its loss."""

    def constrain(self) -> None:
        """Bring the weights back to where they may be, after a step."""

    def measure(self, module: nn.Module) -> dict[str, float]:
        """Validation, Bayes and excess risk of the module or an average of it; some, or none."""

    def described(self) -> dict[str, dict[str, str]]:
        """What tells this problem from others, by topic."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Held-out data, with the exact answers where they are known.

    Parameters
    ----------
    batches
        The data.
    exact
        The exact answer to each batch, float64; empty where there is none.
    drawn
        Whether the data follow the law whose exact answers these are.
    """

    batches: Sequence[Batch]
    exact: Sequence[Tensor] = ()
    drawn: bool = True

    @staticmethod
    def of(batches: Sequence[Batch], program: Program | None, *, drawn: bool = True) -> Judged:
        """Batches judged by the exact network of a program."""
        if program is None:
            return Judged(batches)
        network = program.network()
        exact = [answers(network, each.inputs, each.channel) for each in batches]
        return Judged(batches, exact, drawn)

    @torch.no_grad()
    def measure(self, module: nn.Module, loss: Loss, passed: bool) -> dict[str, float]:
        """Risks of a module: means over all rows."""
        rows = sum(map(len, self.batches))
        found: dict[str, float] = {}

        def add(name: str, losses: Tensor) -> None:
            found[name] = found.get(name, 0.0) + float(losses.double().sum()) / rows

        for place, each in enumerate(self.batches):
            said = answers(module, each.inputs, each.channel if passed else {})
            answer = check_answer(said.double().cpu(), each, "train").detach()
            add("validation", loss(answer, each))
            if self.exact:
                exact = self.exact[place].cpu()
                add("bayes", loss(exact, each))
                if self.drawn:
                    add("excess", loss.distance(answer, exact, each))
        if self.exact and not self.drawn:
            found["excess"] = found["validation"] - found["bayes"]
        return found


class NetworkObjective:
    """The mean loss of a network on data.

    Parameters
    ----------
    module
        What is trained.
    source
        Where batches come from.
    loss
        What is to become small.
    judged
        Held-out data; None for none.
    bound
        Largest operator norm of all matrices; None for any.
    chunk
        Rows of a batch that are in memory at a time; None for all.
    """

    def __init__(
        self,
        module: nn.Module,
        source: Source,
        loss: Loss,
        judged: Judged | None = None,
        *,
        bound: float | None = None,
        chunk: int | None = None,
    ) -> None:
        self.module, self.source, self.loss = module, source, loss
        self.judged, self.bound, self.chunk = judged, bound, chunk
        self.like = next(p for p in module.parameters() if p.is_floating_point()).detach()
        self.passed = takes_channel(module)
        self.loss_name, self.judges = loss.name, judged is not None

    def backward(self, step: int, size: int) -> float:
        """Add the gradient of the mean loss over the batch of a step; gives the loss."""
        batch = self.source.batch(step, size).to(self.like)
        total = 0.0
        for part in batch.parts(self.chunk):
            said = self.module(*part.inputs, **(part.channel if self.passed else {}))
            answer = check_answer(said, part, f"train: {type(self.module).__name__}")
            loss = self.loss(answer, part).sum() / len(batch)
            loss.backward()  # type: ignore[no-untyped-call]  # torch has no type for it
            total += float(loss.detach())
        return total

    def constrain(self) -> None:
        """Project onto the bound."""
        if self.bound is not None:
            assert isinstance(self.module, Network)
            project(self.module, self.bound)

    def measure(self, module: nn.Module) -> dict[str, float]:
        """Risks on held-out data."""
        return {} if self.judged is None else self.judged.measure(module, self.loss, self.passed)

    def described(self) -> dict[str, dict[str, str]]:
        """Architecture, start, data and loss."""
        state = self.module.state_dict()
        return {
            "network": {name: f"{list(x.shape)} {x.dtype}" for name, x in state.items()},
            "start": {"weights": tensors_hash(state)},
            "data": self.source.described(),
            "loss": {"name": self.loss_name},
        }


def takes_channel(module: nn.Module) -> bool:
    """Whether a module can be told the noise level."""
    found = signature(module.forward).parameters.values()
    return any(
        each.kind is Parameter.VAR_KEYWORD or each.name in ("sigma", "time") for each in found
    )
