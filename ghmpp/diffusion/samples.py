"""What diffusion returns: states, how they came about, and the way there."""

from __future__ import annotations

from dataclasses import dataclass

from ghmpp._arrays import AnyArray, FloatArray, IntArray
from ghmpp.diffusion.processes import Process


@dataclass(frozen=True, eq=False, repr=False)
class Trajectory:
    """What samples were after each step.

    Parameters
    ----------
    times
        Shape (steps,): times of ``process``; of discrete samplers the share of noise, from high
        to 0.
    z
        Shape (steps, n, nodes): noisy values at these times, as ``process`` shows them; of
        discrete samplers states, -1 where hidden.
    process
        In whose coordinates times and values are; None of discrete samplers.
    """

    times: FloatArray
    z: AnyArray
    process: Process | None

    def __len__(self) -> int:
        return len(self.times)

    def __repr__(self) -> str:
        steps, n, nodes = self.z.shape
        return f"Trajectory: {steps} steps of {n} samples of {nodes} nodes, {self.process}"


@dataclass(frozen=True, eq=False, repr=False)
class Samples:
    """Samples of a class of variables.

    Parameters
    ----------
    states
        State indices, shape (n, nodes), nodes in the user's order.
    variable
        The class.
    values
        Numeric values of the states, shape (states,), or None.
    sampler, decode, steps
        How they came about; ``decode`` is "" of discrete samplers.
    calls
        How often the denoiser was asked for each sample.
    impossible
        Samples that were found to be impossible on the way; none but of "masked" with fewer
        steps than nodes.
    trajectory
        The way there, if it was asked for.

    Examples
    --------
    >>> import ghmpp as gh
    >>> model = gh.GHM(2, (2, 2), [[[9, 1], [1, 9]]] * 2, state_values=[-1, 1])
    >>> found = gh.diffuse(model, 1000)
    >>> found
    Samples: 1,000 of 'x2' (4 nodes) by ab2: 16 steps, decode='draw', 17 calls of the denoiser
    >>> found.states.shape
    (1000, 4)
    """

    states: IntArray
    variable: str
    values: FloatArray | None
    sampler: str
    decode: str
    steps: int
    calls: int
    impossible: int = 0
    trajectory: Trajectory | None = None

    def __len__(self) -> int:
        return len(self.states)

    def __repr__(self) -> str:
        n, nodes = self.states.shape
        how = f", decode={self.decode!r}" if self.decode else ""
        lost = f", {self.impossible:,} found impossible" if self.impossible else ""
        return (
            f"Samples: {n:,} of {self.variable!r} ({nodes} nodes) by {self.sampler}: "
            f"{self.steps} steps{how}, {self.calls} calls of the denoiser{lost}"
        )
