r"""The residual network of Mei and Wu: a fixed-point iteration of spins as plain ReLU layers.

The iteration ``m <- tanh(B m + a)`` with ``a = g z + b`` is carried by ``u = [a; m; 1]``:

.. math:: u_0 = W_{in} [z; 1], \quad u_\ell = u_{\ell-1} + W_1 \mathrm{ReLU}(W_2 u_{\ell-1}), \quad
          m = W_{out} u_L,

in which tanh is a piecewise-linear net of N knots, ``-m`` is ``-ReLU(m) + ReLU(-m)``, and one more
unit is constant: width ``D = 2d + 1`` and ``M = d (N + 2) + 1`` units, the same in all layers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp.approximation.check import Check
from ghmpp.approximation.curves import curve
from ghmpp.approximation.fingerprints import Difference, Fingerprint
from ghmpp.approximation.knots import Broken, proved_error
from ghmpp.approximation.norms import spectral_bound
from ghmpp.errors import CertificateError

NAMES = ("w_in", "w_1", "w_2", "w_out")
# Largest argument of tanh, in size, for which errors are bounded.
REACH = 1e6
Weights = Mapping[str, FloatArray]


def residual_weights(matrix: FloatArray, gain: float, field: FloatArray, net: Broken) -> Weights:
    """The four matrices of the iteration ``m <- net(matrix m + gain z + field)``.

    Parameters
    ----------
    matrix
        B, (d, d).
    gain
        g, what an observation adds to its field.
    field
        b, (d,).
    net
        Of tanh, flat on both sides.

    Returns
    -------
    dict
        ``w_in`` (D, d + 1), ``w_1`` (D, M), ``w_2`` (M, D) and ``w_out`` (d, D).
    """
    d, knots = len(matrix), len(net.knots)
    width, units = 2 * d + 1, d * (knots + 2) + 1
    eye, a, m = np.eye(d), slice(0, d), slice(d, 2 * d)
    w_in, w_out = np.zeros((width, d + 1)), np.zeros((d, width))
    w_in[a, :d], w_in[a, -1], w_in[-1, -1] = gain * eye, field, 1.0
    w_out[:, m] = eye
    w_1, w_2 = np.zeros((width, units)), np.zeros((units, width))
    bends = np.repeat(np.eye(d), knots, axis=1)  # which of the first units belong to which node
    first = d * knots
    w_2[:first, a], w_2[:first, m] = bends.T, np.repeat(matrix, knots, axis=0)
    w_2[:first, -1] = -np.tile(net.knots, d)
    w_2[first : first + d, m], w_2[first + d : -1, m] = eye, -eye
    w_2[-1, -1] = 1.0
    w_1[m, :first] = bends * np.tile(np.diff(net.slopes), d)
    w_1[m, first : first + d], w_1[m, first + d : -1] = -eye, eye
    w_1[m, -1] = net.values[0]
    return {"w_in": w_in, "w_1": w_1, "w_2": w_2, "w_out": w_out}


@dataclass(frozen=True, slots=True, repr=False)
class ResidualCertificate:
    r"""How far a residual network can be from the fixed point of its iteration.

    With :math:`\alpha < 1` the norm of B and :math:`\zeta` the error of the net of tanh,

    .. math:: \|m - \hat m\|_2
              \le \alpha^L \sqrt d + \zeta \sqrt d\, \frac{1 - \alpha^L}{1 - \alpha}

    for every z: each layer shrinks a distance by :math:`\alpha` and adds :math:`\zeta\sqrt d`, from
    m = 0, which is at most :math:`\sqrt d` away. Read off the weights themselves, rounded outward;
    arithmetic is exact, and arguments of tanh are up to 1e6 in size.

    Parameters
    ----------
    spins, knots, layers
        d, N and L.
    contraction, net_error
        alpha and zeta.
    start, nets
        The two terms of the bound: what the start leaves over, and what the nets add.
    tensors
        Fingerprints of the weights.
    """

    spins: int
    knots: int
    layers: int
    contraction: float
    net_error: float
    start: float
    nets: float
    tensors: tuple[Fingerprint, ...]

    @property
    def bound(self) -> float:
        """Largest distance to the fixed point in the Euclidean norm over nodes."""
        return (self.start + self.nets) * (1 + 2.0**-50)

    def compared(self, again: ResidualCertificate) -> Check:
        """What another certificate, of the weights at hand, says of this one."""
        differ = tuple(
            Difference(old.name, "other numbers")
            for old, new in zip(self.tensors, again.tensors, strict=True)
            if old != new
        )
        subject = f"Certificate of a residual network of {self.spins} spins"
        return Check(subject, self.bound, again.bound, differ, (), ())

    def __repr__(self) -> str:
        return (
            f"Residual network of {self.spins} spins, {self.layers} layers, {self.knots} knots: "
            f"at most {self.bound:.3g} from the fixed point\n"
            f"  {self.start:.3g} from the start (norm {self.contraction:.4g}), "
            f"{self.nets:.3g} from nets of tanh (error {self.net_error:.3g})"
        )


def certify_residual(weights: Weights, layers: int) -> ResidualCertificate:
    """The certificate of weights, which need not have been made here.

    Raises
    ------
    CertificateError
        If the weights are those of no such iteration, or it contracts nothing.
    """
    matrix, nets = _read(weights)
    alpha, zeta = spectral_bound(matrix), max(each.error for each in nets)
    if not alpha < 1:
        raise CertificateError(
            f"residual network: the norm of A - K is {alpha:.4g}, and only below 1 is there one "
            "fixed point that every start finds; there is no certificate. Take weaker couplings, "
            "or certificate=False."
        )
    root, up = math.sqrt(len(matrix)), 1 + 2.0**-45
    left = alpha**layers * up
    total = sum(alpha**k for k in range(layers)) * up
    return ResidualCertificate(
        len(matrix),
        len(nets[0].net.knots),
        layers,
        alpha,
        zeta,
        left * root * up,
        zeta * root * total * up,
        tuple(Fingerprint.of(name, np.asarray(weights[name])) for name in NAMES),
    )


def _read(weights: Weights) -> tuple[FloatArray, list[_Read]]:
    """The matrix of the iteration and the net of each node; all else must be as it should."""
    w_in, w_1, w_2, w_out = (np.asarray(weights[name], dtype=np.float64) for name in NAMES)
    d = len(w_out)
    knots, rest = divmod(len(w_2) - 1 - 2 * d, d)
    if rest or knots < 1 or w_in.shape != (2 * d + 1, d + 1):
        raise CertificateError(f"residual network: weights for {d} spins have other shapes.")
    first = d * knots
    matrix = w_2[:first:knots, d : 2 * d]
    nets = [
        _Read.of(
            -w_2[node * knots : (node + 1) * knots, -1],
            w_1[d + node, node * knots : (node + 1) * knots],
            w_1[d + node, -1],
        )
        for node in range(d)
    ]
    like = residual_weights(matrix, 0.0, np.zeros(d), nets[0].net)
    mine, theirs = dict(weights), {name: array.copy() for name, array in like.items()}
    theirs["w_in"][:d] = w_in[:d]  # any field
    theirs["w_2"][:first, -1] = w_2[:first, -1]
    own = np.repeat(np.eye(d), knots, axis=1) == 1
    theirs["w_1"][d : 2 * d, :first][own] = w_1[d : 2 * d, :first][own]
    theirs["w_1"][d : 2 * d, -1] = w_1[d : 2 * d, -1]
    for name in NAMES:
        if not np.array_equal(mine[name], theirs[name]):
            raise CertificateError(
                f"residual network: {name} is not that of an iteration m <- tanh(B m + a); only "
                "weights that were not trained have a certificate."
            )
    return matrix, nets


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """A net of tanh that was read off weights.

    Parameters
    ----------
    net
        The same up to roundings.
    slack
        Bound of the difference, for arguments up to ``REACH``.
    """

    net: Broken
    slack: float

    @staticmethod
    def of(knots: FloatArray, weights: FloatArray, constant: float) -> _Read:
        """``constant + sum of weights * ReLU(x - knots)``; its last slope is read as 0."""
        slopes = np.cumsum(weights)
        values = constant + np.concatenate([[0.0], np.cumsum(np.diff(knots) * slopes[:-1])])
        size = 1 + np.abs(values).max() + np.abs(weights).sum() * np.ptp(knots)
        roundings = 2.0**-53 * (4 * len(knots) + 16) * float(size)
        left = abs(math.fsum(weights)) * (REACH + float(np.abs(knots).max()))
        return _Read(Broken(knots, values, np.zeros(2)), roundings + left)

    @property
    def error(self) -> float:
        """The largest error."""
        return proved_error(curve("tanh"), self.net) + self.slack
