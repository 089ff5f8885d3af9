"""A collect pass in the linear domain as one torch module: a convolutional arithmetic circuit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ghmpp.backends.algebras import LogFloat
from ghmpp.backends.circuits.layers import Likelihoods
from ghmpp.backends.circuits.wiring import wired
from ghmpp.backends.container import Named
from ghmpp.backends.observe import as_tensor
from ghmpp.backends.reference import run
from ghmpp.errors import EvidenceError, PrecisionError
from ghmpp.models.directed import log_partition
from ghmpp.schedule.build import LOG_EVIDENCE
from ghmpp.schedule.ir import Schedule, Value


class ArithmeticCircuit(nn.Module):
    r"""The weight of evidence by sums and products alone.

    .. math:: Z(e) = \sum_x \prod_v \phi_v(x_v)\, e_v(x_v) \prod_{(u,v)} \psi_{uv}(x_u, x_v)

    A message is a 1 x 1 convolution with the potential as its kernel, one group of channels per
    child rank; siblings meet in product pooling; at the root the prior weighs a last sum. Nothing
    is rescaled and no logarithm is taken, so Z is a polynomial in the potentials and linear in
    the likelihoods of each node.

    Parameters
    ----------
    schedule
        Asked for the log evidence, without rescaling; all potentials are tables with values.
    given
        Names of the observed classes, in the order of the inputs.
    dtype
        Precision.

    Attributes
    ----------
    inputs
        From observations to likelihoods, by observed class.
    layers
        Sums and products by class: ``"pixel"`` sends to the parents of pixels,
        ``"pixel_pool"`` multiplies what siblings have sent. Weights ask for no gradients
        until told to.
    log_partition
        Natural log of Z without evidence, computed in logs from the model's tables.

    Raises
    ------
    ModelError
        If a potential is an index map or has no values.
    ScheduleError
        If the schedule is another one.
    """

    def __init__(self, schedule: Schedule, given: Sequence[str], dtype: torch.dtype) -> None:
        super().__init__()
        forest = schedule.forest
        forest.require_values()
        self.schedule, self.dtype = schedule, dtype
        self.log_partition = log_partition(forest)
        variables = {name: forest.variables[name] for name in given}
        self.inputs = Named({name: Likelihoods(each, dtype) for name, each in variables.items()})
        layers, steps = wired(schedule, dtype)
        self.layers, self._steps = Named(layers), tuple(steps)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Z of each row, (batch,), not normalised.

        Parameters
        ----------
        inputs
            One per given class: states (batch, nodes), integers, -1 where missing; or likelihoods
            (batch, nodes, states), floats, linear, >= 0, of any scale (Z has it too). The user's
            order of nodes; a class with one node may lack the node axis.

        Raises
        ------
        EvidenceError
            If the number, shapes or entries of inputs do not fit.
        PrecisionError
            If Z leaves the range of the precision, so that no digits are left, though the
            evidence is possible. Traced and exported circuits do not check.
        """
        seen = self._read(inputs)
        values: dict[Value, Tensor] = {}
        for step in self._steps:
            if step.observed:
                block = self.schedule.forest.blocks[step.name]
                values[step.out] = seen[block.variable].narrow(1, block.start, block.nodes)
            else:
                read = (values[value] for value in step.reads)
                values[step.out] = self.layers[step.name](*read)
        mass = values[self.schedule.outputs[LOG_EVIDENCE]]
        mass = mass.expand(next((x.shape[0] for x in seen.values()), 1))
        if not torch.compiler.is_compiling():
            self._require_range(mass.detach(), seen)
        return mass

    def log_evidence(self, *inputs: Tensor) -> Tensor:
        """Log probability of the evidence, (batch,): log Z of each row less ``log_partition``.

        The same as :meth:`~ghmpp.inference.queries.Inference.log_evidence`; inputs and errors are
        those of :meth:`forward`. Impossible evidence gives -inf.
        """
        mass: Tensor = self(*inputs)
        return mass.log() - self.log_partition

    def _read(self, inputs: Sequence[Tensor]) -> dict[str, Tensor]:
        """Likelihoods by observed class, tree order."""
        names = ", ".join(self.inputs) or "nothing"
        if len(inputs) != len(self.inputs):
            raise EvidenceError(f"circuit: expected inputs for {names}, got {len(inputs)} inputs.")
        pairs = zip(self.inputs, inputs, strict=True)
        seen = {name: self.inputs[name](as_tensor(x)) for name, x in pairs}
        sizes = [x.shape[0] for x in seen.values()]
        if any(size != sizes[0] for size in sizes):
            listed = ", ".join(f"{name}: {size}" for name, size in zip(seen, sizes, strict=True))
            raise EvidenceError(f"circuit: inputs must have the same batch size, got {listed}.")
        return seen

    def _require_range(self, mass: Tensor, seen: Mapping[str, Tensor]) -> None:
        """Refuse results that are 0, denormal or infinite, where the truth is not."""
        least = torch.finfo(self.dtype).tiny
        doubtful = (~((mass >= least) & mass.isfinite())).nonzero().flatten().tolist()
        if not doubtful:
            return
        with np.errstate(divide="ignore"):
            logs = {name: np.log(x[doubtful].detach().cpu().numpy()) for name, x in seen.items()}
        found = run(self.schedule, logs, LogFloat())[LOG_EVIDENCE]
        if (found > -np.inf).any():
            worst = int(np.argmax(found > -np.inf))
            raise PrecisionError(
                f"circuit: row {doubtful[worst]} has log Z = {found[worst]:.6g}, which "
                f"{self.dtype} cannot hold ({len(doubtful)} such rows); use the log domain: "
                "gh.infer(model, evidence).log_evidence."
            )

    def extra_repr(self) -> str:
        """What it computes, and in which precision."""
        return f"Z of {self.schedule.forest.name!r} given {', '.join(self.inputs)}; {self.dtype}"
