"""Denoisers that are compiled networks: exact inference, ReLU or trained messages."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ghmpp.backends.network import Network
from ghmpp.diffusion.denoisers import Denoiser
from ghmpp.diffusion.processes import Process
from ghmpp.errors import QueryError
from ghmpp.models.channels import Localization
from ghmpp.models.forest import VariableClass
from ghmpp.models.observations import Observation

ANSWERS = ("mean", "posterior")


class NetworkDenoiser(Denoiser):
    """A network, or two, as a denoiser; the weights serve all noise levels.

    Parameters
    ----------
    variable
        The class that is denoised, one of those given to the networks.
    networks
        By answer, "mean" and "posterior" of ``variable``; one of them is enough for means, and
        "posterior" for probabilities.
    process
        In whose coordinates ``denoiser(z, t)`` is asked.
    evidence
        What else is known, by class, one row for all or one for each row asked; at ``variable``
        itself, the states that some nodes are known to have.
    """

    def __init__(
        self,
        variable: VariableClass,
        networks: Mapping[str, Network],
        process: Process,
        evidence: Mapping[str, Observation] | None = None,
    ) -> None:
        super().__init__(variable, process, next(iter(networks.values())).like)
        self.networks = networks
        self.evidence = dict(evidence or {})
        rows = {len(found.array) for found in self.evidence.values()} - {1}
        self.rows = next(iter(rows), None)
        self._known = self._known_states(self.evidence.get(variable.name))

    def mean_at(self, z: Tensor, tau: float) -> Tensor:
        """See :meth:`Denoiser.mean_at`."""
        if "mean" not in self.networks:
            return self.marginals_at(z, tau) @ self.values
        self.calls += 1
        return self._ask("mean", self._observed(z, tau))

    def marginals_at(self, z: Tensor, tau: float) -> Tensor:
        """See :meth:`Denoiser.marginals_at`."""
        self.calls += 1
        return self._ask("posterior", self._observed(z, tau))

    def marginals_given(self, seen: Observation) -> Tensor:
        """See :meth:`Denoiser.marginals_given`."""
        self.calls += 1
        if self._known is not None:
            seen = self._combined(torch.as_tensor(seen.log_likelihood(self.variable)))
        return self._ask("posterior", seen)

    def part(self, rows: slice) -> NetworkDenoiser:
        """The denoiser for some rows of a batch."""
        if self.rows is None:
            return self
        evidence = {
            name: Observation(found.kind, found.array[rows], found.channel)
            for name, found in self.evidence.items()
        }
        return NetworkDenoiser(self.variable, self.networks, self.process, evidence)

    def _known_states(self, found: Observation | None) -> Tensor | None:
        """Log-likelihoods of the denoised class itself, (batch or 1, nodes, states)."""
        if found is None:
            return None
        return torch.as_tensor(found.log_likelihood(self.variable)).to(self.like)

    def _observed(self, z: Tensor, tau: float) -> Observation:
        """Noisy values as evidence, with what is known of single nodes."""
        if self._known is None:
            return Observation("values", z, Localization(tau))  # type: ignore[arg-type]  # tensors are allowed
        values = self.values
        return self._combined(z[..., None] * values - 0.5 * tau * values**2)

    def _combined(self, logs: Tensor) -> Observation:
        assert self._known is not None
        both = logs.to(self._known) + self._known
        return Observation("log_likelihood", both)  # type: ignore[arg-type]  # tensors are allowed

    def _ask(self, kind: str, seen: Observation) -> Tensor:
        """One answer of a network, with the further evidence repeated for each row."""
        if kind not in self.networks:
            raise QueryError(
                f"diffuse: the network knows no posteriors of {self.variable.name!r}; compile "
                f"gh.posterior({self.variable.name!r}), or use decode='mean' or 'round'."
            )
        batch = len(seen.array)
        others = {
            name: _repeated(found, batch)
            for name, found in self.evidence.items()
            if name != self.variable.name
        }
        answers = self.networks[kind].evaluate({self.variable.name: seen, **others})
        return answers[kind, self.variable.name]


def _repeated(found: Observation, batch: int) -> Observation:
    """Evidence of one row for a batch of rows."""
    array = torch.as_tensor(found.array)
    if len(array) == 1:
        array = array.expand(batch, *array.shape[1:])
    return Observation(found.kind, array, found.channel)  # type: ignore[arg-type]  # tensors are allowed


def denoised_class(network: Network, variable: str | None) -> VariableClass:
    """The class that a network denoises: given to it, and answered by it.

    Raises
    ------
    QueryError
        If there is none, or several and none is chosen.
    """
    given = [item.variable for item in network.given]
    answered = {name for kind, name in network.answers if kind in ANSWERS}
    both = [name for name in given if name in answered]
    if variable is not None:
        both = [name for name in both if name == variable]
    if len(both) != 1:
        asked = ", ".join(f"{kind}({name})" for kind, name in network.answers)
        raise QueryError(
            "denoiser: the network must answer gh.mean(leaf) or gh.posterior(leaf) given the noisy "
            f"leaf, for one leaf (or variable=); it answers {asked} given {', '.join(given)}."
        )
    return network.variables[both[0]]


def require_given(network: Network, variable: VariableClass, known: Mapping[str, object]) -> None:
    """Refuse evidence at other classes than the network was compiled with.

    Raises
    ------
    QueryError
        Naming what is missing, or too much.
    """
    wanted = {item.variable for item in network.given} - {variable.name}
    found = set(known) - {variable.name}
    if wanted != found:
        listed = ", ".join(sorted(wanted)) or "nothing else"
        raise QueryError(
            f"denoiser: the network was compiled with {listed} given besides {variable.name!r}, "
            f"but given= has {', '.join(sorted(found)) or 'nothing'}."
        )
