"""What came out when a certificate was checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ghmpp.approximation.fingerprints import Difference

Verdict = Literal["holds", "weights differ, bound still holds", "bound broken"]


@dataclass(frozen=True, slots=True)
class Grown:
    """A message whose own error is larger than what was certified.

    Parameters
    ----------
    message
        Such as ``pixel -> block``.
    certified, found
        Span error of its net alone; inf where the weights guarantee nothing.
    tensors
        Which of its arrays differ.
    """

    message: str
    certified: float
    found: float
    tensors: tuple[str, ...]

    def __str__(self) -> str:
        names = f" ({', '.join(self.tensors)})" if self.tensors else ""
        return f"{self.message}{names}: error {self.found:.4g} instead of {self.certified:.4g}"


@dataclass(frozen=True, slots=True, repr=False)
class Check:
    """Whether a certified bound holds for weights and a model; true if it does.

    Parameters
    ----------
    subject
        The certificate in words.
    bound
        The certified bound.
    found
        What these weights guarantee for this model; inf where they guarantee nothing.
    weights, model
        Arrays of the network, and of the model, that are not those that were certified.
    grown
        Messages that are worse than certified.
    """

    subject: str
    bound: float
    found: float
    weights: tuple[Difference, ...]
    model: tuple[Difference, ...]
    grown: tuple[Grown, ...]

    @property
    def verdict(self) -> Verdict:
        """In words."""
        if not self:
            return "bound broken"
        return "weights differ, bound still holds" if self.weights else "holds"

    @property
    def places(self) -> tuple[str, ...]:
        """Where the bound is broken: messages, or else the arrays that differ."""
        if self:
            return ()
        messages = tuple(dict.fromkeys(each.message for each in self.grown))
        return messages or tuple(each.name for each in (*self.weights, *self.model))

    def __bool__(self) -> bool:
        return self.found <= self.bound

    def __repr__(self) -> str:
        where = f" at {', '.join(self.places)}" if self.places else ""
        sign = "<=" if self else ">"
        lines = [
            f"{self.subject}: {self.verdict}{where}",
            f"  derived {self.found:.6g} {sign} certified {self.bound:.6g}",
            *(f"  {each}" for each in self.grown),
            *(f"  differs: {each}" for each in self.weights),
            *(f"  differs in the model: {each}" for each in self.model),
        ]
        return "\n".join(lines)
