r"""How large the matrices of nets are: the class of networks over which the paper learns.

arXiv:2404.18444 bounds the largest operator norm of all :math:`W_1, W_2, W_3` by B (eqs. 9, 19).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ghmpp.backends.families.free import FreeNets, three_matrices
from ghmpp.backends.families.message import NetMessage
from ghmpp.backends.network import Network
from ghmpp.errors import QueryError


@torch.no_grad()
def operator_norms(network: Network) -> dict[str, tuple[float, float, float]]:
    """Largest operator norms of W_3, W_2, W_1 by layer, such as ``collect.pixel``.

    Their largest is the smallest B whose class has the network. Layers without nets are left out.

    Parameters
    ----------
    network
        Of the family "relu" or "trainable".

    Examples
    --------
    >>> import ghmpp as gh
    >>> table = [[3.0, 1.0], [1.0, 2.0]]
    >>> model = gh.GHM(states=2, branching=(2,), tables=[table], state_values=[0, 1])
    >>> program = gh.compile(model, gh.posterior("x0"), given=gh.noisy("x1", sigma=1.0))
    >>> network = program.network("trainable", width=8)
    >>> list(gh.operator_norms(network))
    ['collect.x1']
    """
    return {name: _largest(layer) for name, layer in _net_layers(network)}


@torch.no_grad()
def project(network: Network, bound: float) -> None:
    """The nearest free nets whose matrices have operator norms of at most ``bound``, in place.

    Singular values above the bound are set to it, which is the projection in Frobenius norm.

    Parameters
    ----------
    network
        Of the family "trainable".
    bound
        B > 0, dimensionless.

    Raises
    ------
    QueryError
        If the bound is not positive, or the nets are not free.

    Examples
    --------
    >>> import ghmpp as gh
    >>> table = [[3.0, 1.0], [1.0, 2.0]]
    >>> model = gh.GHM(states=2, branching=(2,), tables=[table], state_values=[0, 1])
    >>> program = gh.compile(model, gh.posterior("x0"), given=gh.noisy("x1", sigma=1.0))
    >>> network = program.network("trainable", width=8)
    >>> gh.project(network, 1.5)
    >>> max(max(norms) for norms in gh.operator_norms(network).values()) < 1.5 + 1e-6
    True
    """
    if not bound > 0:
        raise QueryError(f"project: the bound must be > 0, got {bound}.")
    if network.family != "trainable":
        raise QueryError(
            f"project: needs free nets, of the family 'trainable'; this network is "
            f"{network.family!r}."
        )
    for _, layer in _net_layers(network):
        for matrices in layer.parameters():
            matrices.copy_(_clipped(matrices, bound))


def _net_layers(network: Network) -> Iterator[tuple[str, NetMessage]]:
    """Layers with nets, by the names of their modules."""
    for direction in ("collect", "distribute"):
        layers = getattr(network, direction)
        for name in layers:
            if isinstance(layers[name], NetMessage):
                yield f"{direction}.{name}", layers[name]


def _largest(layer: NetMessage) -> tuple[float, float, float]:
    nets = {net for rows in layer.chosen.values() for net in rows if net is not None}
    norms = [
        [float(torch.linalg.matrix_norm(each.double(), 2)) for each in _matrices(layer, *net)]
        for net in nets
    ]
    first, second, third = (max((each[k] for each in norms), default=0.0) for k in range(3))
    return first, second, third


def _matrices(layer: NetMessage, kind: str, index: int) -> tuple[Tensor, Tensor, Tensor]:
    """W_3, W_2, W_1 of one net."""
    nets = layer.nets(kind)
    if isinstance(nets, FreeNets):
        return nets.first[index], nets.second[index], nets.third[index]
    return three_matrices(nets.dense(index))


def _clipped(matrices: Tensor, bound: float) -> Tensor:
    """Matrices (nets, rows, columns) with singular values up to ``bound``."""
    left, values, right = torch.linalg.svd(matrices, full_matrices=False)
    clipped: Tensor = left * values.clamp_max(bound)[:, None] @ right
    return clipped
