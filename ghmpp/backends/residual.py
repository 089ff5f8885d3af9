"""The residual network of Mei and Wu as a torch module: proved, exported, or trained."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ghmpp._arrays import FloatArray
from ghmpp.approximation.check import Check
from ghmpp.approximation.residual import NAMES, ResidualCertificate, certify_residual
from ghmpp.errors import CertificateError


class ResidualNetwork(nn.Module):
    r"""``u <- u + W_1 ReLU(W_2 u)``, L times, between two linear maps.

    Parameters
    ----------
    weights
        ``w_in``, ``w_1``, ``w_2``, ``w_out``, see
        :func:`ghmpp.approximation.residual.residual_weights`.
    layers
        L, at least 1.
    dtype
        Of the weights.
    trainable
        Whether weights have gradients.
    tied
        Whether all layers share theirs; else each has its own, which start alike.
    certificate
        What is proved of them; None for networks that are to be trained.

    Attributes
    ----------
    w_in, w_out
        (D, d + 1) and (d, D).
    w_1, w_2
        One (D, M) and (M, D) for each layer, or one for all.
    """

    def __init__(
        self,
        weights: Mapping[str, FloatArray],
        layers: int,
        *,
        dtype: torch.dtype = torch.float64,
        trainable: bool = False,
        tied: bool = True,
        certificate: ResidualCertificate | None = None,
    ) -> None:
        super().__init__()
        self.layers, self.certificate = layers, certificate

        def parameter(name: str) -> nn.Parameter:
            return nn.Parameter(torch.tensor(weights[name], dtype=dtype), requires_grad=trainable)

        copies = 1 if tied else layers
        self.w_in, self.w_out = parameter("w_in"), parameter("w_out")
        self.w_1 = nn.ParameterList([parameter("w_1") for _ in range(copies)])
        self.w_2 = nn.ParameterList([parameter("w_2") for _ in range(copies)])

    @property
    def tied(self) -> bool:
        """Whether all layers share their weights."""
        return len(self.w_1) == 1

    def forward(self, z: Tensor) -> Tensor:
        """Means of the spins, (batch, d), from what was observed of them, (batch, d)."""
        constant = torch.ones_like(z[:, :1])
        u = torch.cat((z, constant), 1) @ self.w_in.t()
        for layer in range(self.layers):
            k = 0 if self.tied else layer
            u = u + torch.relu(u @ self.w_2[k].t()) @ self.w_1[k].t()
        return u @ self.w_out.t()

    def weights(self) -> dict[str, FloatArray]:
        """The weights of the first layer and of both ends, float64."""
        parts = (self.w_in, self.w_1[0], self.w_2[0], self.w_out)
        return {
            name: part.detach().double().cpu().numpy()
            for name, part in zip(NAMES, parts, strict=True)
        }

    def certify(self) -> ResidualCertificate:
        """The certificate of the weights that it has now.

        Raises
        ------
        CertificateError
            If they are those of no fixed-point iteration, or of one that contracts nothing, or
            differ between layers.
        """
        for parts in (self.w_1, self.w_2):
            if any(not torch.equal(part, parts[0]) for part in parts):
                raise CertificateError(
                    "residual network: its layers have different weights, so that they are no "
                    "iteration; only weights that were not trained have a certificate."
                )
        return certify_residual(self.weights(), self.layers)

    def check(self) -> Check:
        """Whether its certificate holds for the weights that it has now.

        Raises
        ------
        CertificateError
            As for :meth:`certify`; or if it has no certificate.
        """
        if self.certificate is None:
            raise CertificateError("residual network: it was made without a certificate.")
        return self.certificate.compared(self.certify())

    def __repr__(self) -> str:
        width, units = self.w_1[0].shape
        shared = "the same weights" if self.tied else "weights of their own"
        return f"ResidualNetwork({self.layers} layers with {shared}, width {width}, {units} units)"
