"""The likelihood of a model as a convolutional arithmetic circuit."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

from ghmpp.errors import QueryError
from ghmpp.models.convert import as_model
from ghmpp.models.queries import check_class
from ghmpp.schedule.build import LOG_EVIDENCE, build_schedule
from ghmpp.schedule.domain import Precision
from ghmpp.schedule.passes import prune

if TYPE_CHECKING:
    from ghmpp.backends.circuits.circuit import ArithmeticCircuit


def arithmetic_circuit(
    model: object,
    given: Hashable | Sequence[Hashable] | None = None,
    *,
    dtype: Precision = "float64",
) -> ArithmeticCircuit:
    """The weight of evidence by sums and products alone: a plain torch network without logs.

    The collect pass of ``gh.compile(model, gh.log_evidence(), given=given)``, instruction by
    instruction, in the linear domain: 1 x 1 convolutions by the tables, product pooling over
    children, and a last sum with the prior. It is the network known as a convolutional arithmetic
    circuit, and as a hierarchical Tucker tensor.

    Parameters
    ----------
    model
        A complete model whose potentials are tables, a networkx graph or a pgmpy model.
    given
        Names of observed classes, in the order of the inputs; None = all classes of leaves.
    dtype
        "float64" or "float32".

    Returns
    -------
    ArithmeticCircuit
        ``circuit(x)`` is Z of each row, (batch,), linear and not normalised: over all states of
        what is observed it sums to Z without evidence, which is 1 if the tables are conditional
        probabilities. ``circuit.log_evidence(x)`` is normalised.

    Raises
    ------
    ModelError
        If the model is not complete or has index maps (joint rules, junction trees).
    QueryError
        If a class is unknown or given twice.

    Notes
    -----
    Z falls with the number of leaves, by some factor for each. With tables of probabilities,
    float32 holds about 100 leaves and float64 about 1,000; beyond that a call raises
    ``PrecisionError``, and an exported circuit returns 0. :func:`ghmpp.infer` rescales or takes
    logs, and has no limit.

    References
    ----------
    .. [1] N. Cohen, O. Sharir, A. Shashua, On the Expressive Power of Deep Learning: A Tensor
       Analysis, arXiv:1509.05009.

    Examples
    --------
    >>> import ghmpp as gh, torch
    >>> model = gh.GHM(states=(2, 2), branching=(3,), tables=[[[3, 1], [1, 3]]])
    >>> circuit = gh.arithmetic_circuit(model)
    >>> circuit(torch.tensor([[0, 0, 1], [0, 0, -1]]))
    tensor([12., 40.], dtype=torch.float64)
    """
    from ghmpp.backends.circuits.circuit import ArithmeticCircuit
    from ghmpp.backends.prepare import torch_precision

    known = as_model(model)
    known.require_complete()
    forest = known.forest()
    listed: Hashable | Sequence[Hashable] = forest.leaves if given is None else given
    if isinstance(listed, str) or not isinstance(listed, Sequence):
        listed = [listed]
    names = [str(name) for name in listed]
    for name in names:
        check_class(forest, "arithmetic_circuit: given", name)
        if names.count(name) > 1:
            raise QueryError(f"arithmetic_circuit: {name!r} is given twice; list it once.")
    schedule = prune(build_schedule(forest, [LOG_EVIDENCE], names))
    return ArithmeticCircuit(schedule, names, torch_precision(dtype))
