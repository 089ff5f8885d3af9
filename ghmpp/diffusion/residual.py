"""``residual_network``: the denoiser of spins as the residual network that it is."""

from __future__ import annotations

import warnings

import numpy as np
import torch

from ghmpp._arrays import FloatArray
from ghmpp.approximation.curves import curve
from ghmpp.approximation.field_plan import FieldPlan
from ghmpp.approximation.knots import widest
from ghmpp.approximation.residual import certify_residual, residual_weights
from ghmpp.backends.residual import ResidualNetwork
from ghmpp.compiler import compile
from ghmpp.errors import GuaranteeWarning, QueryError
from ghmpp.models.channels import Gaussian, Given, Localization
from ghmpp.models.declared import FieldModel
from ghmpp.models.queries import mean
from ghmpp.schedule.domain import Precision
from ghmpp.schedule.ir import Evidence, Local, Repeat, Schedule
from ghmpp.schedule.variational import TAP, NaiveMeanField


def residual_network(
    spins: FieldModel,
    given: Given,
    *,
    steps: int,
    knots: int = 64,
    onsager: bool = False,
    certificate: bool = True,
    trainable: bool = False,
    tied: bool = True,
    dtype: Precision = "float64",
) -> ResidualNetwork:
    r"""The residual network of Mei and Wu [1]_, for one class of spins that is seen in noise.

    Its layers are the steps of naive mean field, read off the compiled schedule, with a
    piecewise-linear net in place of tanh; weights are in their literal form,
    ``u + W_1 ReLU(W_2 u)``. For use, ``compile(...).network("relu")`` computes the same faster.

    Parameters
    ----------
    spins
        A declaration of spins, one class.
    given
        ``gh.noisy(...)`` or ``gh.localized(...)`` of that class: the network is for this noise.
    steps
        L, number of layers, at least 1.
    knots
        N, knots of the net of tanh, at least 2.
    onsager
        Whether the constant Onsager correction K is subtracted from the couplings.
    certificate
        Whether a network without a proof is refused.
    trainable
        For a twin that is to be trained: its weights have gradients, and no certificate.
    tied
        Whether layers share their weights.
    dtype
        Of the weights.

    Returns
    -------
    a module from observations (batch, d) to means (batch, d); ``network.certificate`` bounds its
    distance to the fixed point, see :class:`.ResidualCertificate`.

    Raises
    ------
    CertificateError
        If the norm of A - K is 1 or more, and a certificate is wanted.
    QueryError
        If the model has other classes, or is not seen in Gaussian noise.

    References
    ----------
    .. [1] S. Mei, Y. Wu, Deep networks as denoising algorithms, arXiv:2309.11420.

    Examples
    --------
    >>> import ghmpp as gh
    >>> spins = gh.PairwiseSpins([[0, 0.4], [0.4, 0]])
    >>> network = residual_network(spins, gh.noisy("x", sigma=1.0), steps=20, knots=64)
    >>> network
    ResidualNetwork(20 layers with the same weights, width 5, 133 units)
    >>> network.certificate.bound < 5e-4
    True
    """
    if isinstance(steps, bool) or steps != int(steps) or steps < 1:
        raise QueryError(f"residual_network: steps must be a whole number >= 1, got {steps!r}.")
    if not isinstance(given.channel, Gaussian | Localization):
        raise QueryError(
            "residual_network: expected given=gh.noisy(...) or gh.localized(...), whose log odds "
            "are linear in what is observed."
        )
    engine = TAP(2, 0.0, "constant") if onsager else NaiveMeanField(2, 0.0)
    with warnings.catch_warnings():  # what is not guaranteed is refused below
        warnings.simplefilter("ignore", GuaranteeWarning)
        schedule = compile(spins, mean(given.variable), given, engine=engine).schedule
    matrix, field = iteration_of(schedule)
    gain = given.channel.coefficients()[0]
    weights = residual_weights(matrix, gain, field, widest(curve("tanh"), int(knots)))
    weights = {name: array.astype(dtype).astype(np.float64) for name, array in weights.items()}
    proved = certificate and not trainable
    return ResidualNetwork(
        weights,
        int(steps),
        dtype=torch.float64 if dtype == "float64" else torch.float32,
        trainable=trainable,
        tied=tied,
        certificate=certify_residual(weights, int(steps)) if proved else None,
    )


def iteration_of(schedule: Schedule) -> tuple[FloatArray, FloatArray]:
    """B and b of a compiled iteration ``m <- tanh(B m + a + b)`` with the log odds a.

    Raises
    ------
    QueryError
        If the schedule is no such iteration.
    """
    forms = FieldPlan.of(schedule).forms
    repeats = [op for op in schedule.ops if isinstance(op, Repeat)]
    odds = [
        op.out for op in schedule.ops if isinstance(op, Local) and op.function.name == "log_odds"
    ]
    seen = [op for op in schedule.ops if isinstance(op, Evidence)]
    bends = [op for each in repeats for op in each.body if isinstance(op, Local)]
    right = len(repeats) == len(odds) == len(seen) == len(bends) == 1
    if not right or len(repeats[0].carried) != 1 or bends[0].function.name != "tanh":
        raise QueryError(
            f"residual_network: {schedule.forest.name!r} must be one class of spins, all of them "
            "observed; others have no iteration m <- tanh(B m + a)."
        )
    inside = repeats[0].carried[0].inside
    form = forms[bends[0].sources[0]]
    matrix, field = np.zeros((form.nodes, form.nodes)), np.zeros(form.nodes)
    for atom, part in form.parts.items():
        if atom == inside:
            matrix = part.matrix
        elif isinstance(atom, str):
            constant = schedule.forest.data[schedule.forest.couplings[atom].key]
            field = field + part.matrix @ constant
    return matrix, field
