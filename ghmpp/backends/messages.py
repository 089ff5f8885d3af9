"""Message layers, and their exact family: the potential itself."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from ghmpp.backends.families.stages import Dense
from ghmpp.backends.kernels import Kernel
from ghmpp.backends.potentials import Potential


class MessageLayer(nn.Module):
    """All messages between the classes at both ends of an edge, in one direction.

    Parameters
    ----------
    parent, child
        Names of the classes at both ends.
    toward
        "root" (collect, encoder) or "leaves" (distribute, decoder).
    states
        Parent states and child states.
    ranks
        Children per parent.
    """

    def __init__(
        self,
        parent: str,
        child: str,
        *,
        toward: Literal["root", "leaves"],
        states: tuple[int, int],
        ranks: int,
    ) -> None:
        super().__init__()
        self.parent, self.child, self.toward = parent, child, toward
        self.states, self.ranks = states, ranks

    @property
    def message(self) -> str:
        """Name of the message, sender first."""
        if self.toward == "root":
            return f"{self.child} -> {self.parent}"
        return f"{self.parent} -> {self.child}"

    def exact(self, kernel: Kernel, potential: Potential, x: Tensor) -> Tensor:
        """Messages through the potential: multiply and sum."""
        if self.toward == "root":
            return potential.to_root(kernel, x)
        return potential.to_leaves(kernel, x)

    def extra_repr(self) -> str:
        """What the layer is: message, matrix sizes, ranks."""
        rows, columns = self.states if self.toward == "root" else self.states[::-1]
        return f"{self.message}, {columns} -> {rows} states, {self.ranks} ranks"


class ExactMessage(MessageLayer):
    """One message layer: multiply by the potential of an edge class and sum.

    The potential lives once in the network; both directions use it.
    """

    def forward(self, kernel: Kernel, potential: Potential, x: Tensor, block: str) -> Tensor:
        """Messages (ranks, receiver's states, parents, batch) from the sender's states.

        ``block`` is the child block: tied blocks share the layer.
        """
        return self.exact(kernel, potential, x)

    def dense(self, block: str, row: int) -> Dense | None:
        """The net that stands for a message: none, it is exact."""
        return None
