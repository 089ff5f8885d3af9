"""From a model, a program, a network or a function to a denoiser."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace

import torch
from numpy.typing import ArrayLike

from ghmpp.backends.network import Network
from ghmpp.backends.prepare import torch_precision
from ghmpp.compiler import Program, compile
from ghmpp.diffusion.checks import check_denoiser
from ghmpp.diffusion.denoisers import Denoiser, FunctionDenoiser, Guided, Prediction
from ghmpp.diffusion.networks import NetworkDenoiser, denoised_class, require_given
from ghmpp.diffusion.processes import Process, StochasticLocalization
from ghmpp.errors import QueryError
from ghmpp.inference.queries import Inference
from ghmpp.inference.tokens import token_class
from ghmpp.models.channels import Given, Localization
from ghmpp.models.convert import as_model
from ghmpp.models.evidence import read_evidence
from ghmpp.models.forest import VariableClass
from ghmpp.models.model import Model
from ghmpp.models.observations import Observation
from ghmpp.models.queries import Query
from ghmpp.models.states import read_states
from ghmpp.schedule.domain import Precision

# Samples of the model on which a function is checked.
CHECKED = 2000


def denoiser(
    source: object,
    *,
    variable: Hashable = None,
    process: Process | None = None,
    given: Mapping[Hashable, object] | None = None,
    guidance: float = 1.0,
    values: ArrayLike | None = None,
    like: object = None,
    predicts: Prediction = "mean",
    check: bool = True,
    dtype: Precision = "float64",
    device: str = "cpu",
) -> Denoiser:
    """The denoiser of a model, or what a network or a function makes of one.

    Parameters
    ----------
    source
        A model (or what stands for one): the exact denoiser. A program or a network of any family
        that answers ``gh.mean(leaf)`` or ``gh.posterior(leaf)`` given the noisy leaf; whatever
        channel it was compiled with, it serves all times. A function ``f(z, t)`` of tensors
        (batch, nodes), such as a trained network; then ``like`` is needed.
    variable
        The class that is denoised; None = the only class of leaves.
    process
        In whose coordinates ``denoiser(z, t)`` is asked, and a function takes z and t; None =
        stochastic localization.
    given
        Evidence at other classes or nodes, such as ``{"digit": 3}``, or at nodes of the class
        itself; one row for all samples, or one for each.
    guidance
        Weight w of ``unconditional + w (conditional - unconditional)``, see
        :class:`~ghmpp.diffusion.denoisers.Guided`; needs ``given`` and a model.
    values
        Of a model: numeric values for the states of the class, in place of its own.
    like
        Of a function: the model whose leaves it denoises.
    predicts, check
        Of a function: what it gives, see :class:`~ghmpp.diffusion.denoisers.FunctionDenoiser`;
        and whether :func:`~ghmpp.diffusion.checks.check_denoiser` looks at it first.
    dtype, device
        Of a model: precision, and where its networks run; of a function: of what it takes.

    Raises
    ------
    QueryError
        If an argument does not belong to the source, or the class cannot be denoised.
    DenoiserError
        If a function follows another noise convention.
    EvidenceError, ImpossibleEvidenceError
        If ``given`` does not fit the model, or has probability zero.
    ModelError, ConversionError
        If the source is no model, or the model is incomplete.

    Examples
    --------
    >>> import ghmpp as gh, torch
    >>> model = gh.Model("coins")
    >>> _ = model.root("bias", 2).children("coin", 2, [-1, 1], potential=[[3, 1], [1, 3]])
    >>> denoise = gh.denoiser(model)
    >>> denoise(torch.tensor([[0.5, 0.5]], dtype=torch.float64), 1.0)
    tensor([[0.5484, 0.5484]], dtype=torch.float64)
    >>> denoise.calls
    1
    """
    how = process or StochasticLocalization()
    name = None if variable is None else str(variable)
    if isinstance(source, Denoiser):
        asked = (variable, process, given, values, like)
        if any(each is not None for each in asked) or guidance != 1.0:
            raise QueryError("denoiser: this is one already; give its options where it is made.")
        return source
    if guidance != 1.0 and given is None:
        raise QueryError(f"denoiser: guidance={guidance} needs given=, the condition to follow.")
    if isinstance(source, Program | Network):
        _refuse("a compiled network", guidance=guidance != 1.0, values=values, like=like)
        network = source.network() if isinstance(source, Program) else source
        return _of_network(network, name, how, given)
    if callable(source):
        _refuse("a function", guidance=guidance != 1.0, given=given)
        found = _like(like, name, values)
        blank = torch.empty(0, dtype=torch_precision(dtype), device=device)
        chosen = token_class(found, name)
        made = FunctionDenoiser(source, chosen, blank, process=how, predicts=predicts)
        return _checked(made, found) if check else made
    _refuse("a model", like=like, predicts=predicts != "mean")
    model = _valued(as_model(source), name, values)
    conditional = _of_model(model, name, how, given or {}, dtype, device)
    if guidance == 1.0:
        return conditional
    return Guided(conditional, _of_model(model, name, how, {}, dtype, device), guidance)


def _of_model(
    model: Model,
    name: str | None,
    process: Process,
    given: Mapping[Hashable, object],
    dtype: Precision,
    device: str,
) -> NetworkDenoiser:
    """The exact denoiser, with networks for means and for probabilities."""
    variable = token_class(model, name)
    evidence = _evidence(model, variable, given)
    numeric = variable.values is not None
    leaf = Given(variable.name, Localization(1.0) if numeric else None)
    seen = [leaf, *(Given(other) for other in evidence if other != variable.name)]
    networks: dict[str, Network] = {
        query.kind: compile(model, query, seen, dtype=dtype).network(dtype=dtype, device=device)
        for query in (Query("mean", variable.name), Query("posterior", variable.name))
        if numeric or query.kind == "posterior"
    }
    return NetworkDenoiser(variable, networks, process, evidence)


def _of_network(
    network: Network, name: str | None, process: Process, given: Mapping[Hashable, object] | None
) -> NetworkDenoiser:
    """A compiled network as a denoiser."""
    variable = denoised_class(network, name)
    known: dict[str, Observation] = {}
    if network.origin is not None:
        known = _evidence(network.origin.model, variable, given or {})
    else:
        known, _ = read_evidence(given or {}, network.variables)
    require_given(network, variable, known)
    networks = {kind: network for kind, answered in network.answers if answered == variable.name}
    return NetworkDenoiser(variable, networks, process, known)


def _evidence(
    model: Model, variable: VariableClass, given: Mapping[Hashable, object]
) -> dict[str, Observation]:
    """Checked evidence by class; refused where its probability is zero."""
    if not given:
        return {}
    found, _ = read_evidence(given, model.forest().variables)
    Inference(model).posteriors(given, classes=[variable.name])  # raises where it is impossible
    return found


def _like(like: object, name: str | None, values: ArrayLike | None) -> Model:
    """The model whose leaves a function denoises."""
    if like is None:
        raise QueryError(
            "denoiser: a function does not say what it denoises; pass like=, a model with these "
            "leaves and state values: gh.denoiser(function, like=model)."
        )
    return _valued(as_model(like), name, values)


def _valued(model: Model, name: str | None, values: ArrayLike | None) -> Model:
    """The model with numeric values for the states of a class."""
    if values is None:
        return model
    chosen = token_class(model, name).name
    declared = model.declarations[chosen]
    space = read_states(declared.space.names, values, f"values of {chosen!r}")
    changed = (
        replace(each, space=space) if each.name == chosen else each
        for each in model.declarations.values()
    )
    return Model.from_declarations(model.name, changed, model.bound)


def _checked(made: FunctionDenoiser, model: Model) -> FunctionDenoiser:
    """The denoiser, after a look at what it does to samples of the model."""
    states = model.sample(CHECKED)[made.variable.name]
    check_denoiser(made, made.values[torch.as_tensor(states, device=made.like.device)])
    made.calls = 0
    return made


def _refuse(what: str, **options: object) -> None:
    """Refuse options that a kind of source does not have."""
    for name, option in options.items():
        if option is not None and option is not False:
            raise QueryError(f"denoiser: {name}= is not for {what}.")
