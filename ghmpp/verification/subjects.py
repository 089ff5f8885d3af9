"""What can be verified, seen in one way: a forest, and answers to evidence."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ghmpp._arrays import AnyArray, FloatArray
from ghmpp.compiler import Program, compile
from ghmpp.errors import ConversionError, EvidenceError
from ghmpp.inference.queries import Inference
from ghmpp.models.channels import Given
from ghmpp.models.convert import as_model
from ghmpp.models.declared import FieldModel
from ghmpp.models.evidence import read_evidence
from ghmpp.models.forest import Forest
from ghmpp.models.model import Model
from ghmpp.models.observations import Observation
from ghmpp.models.queries import mean
from ghmpp.schedule.domain import Precision
from ghmpp.verification.answers import Answer
from ghmpp.verification.factored import Joint
from ghmpp.verification.recursion import log_mass
from ghmpp.verification.report import TOLERANCES

if TYPE_CHECKING:
    from torch import Tensor

    from ghmpp.backends.network import Network

EDGE_ENTRIES = 5_000_000


@dataclass(frozen=True)
class Asked:
    """One batch of evidence: as given, checked, and as log-likelihoods by class."""

    evidence: object
    observations: Mapping[str, Observation]
    logs: Mapping[str, FloatArray]
    batch: int


@dataclass(frozen=True)
class Subject:
    """What is verified.

    Parameters
    ----------
    title
        In words.
    word
        What a line of Python calls it.
    forest
        The forest that it should answer about.
    model
        The model, where it is known (a network alone does not keep it).
    precision
        Precision of its results.
    given
        What may be observed; None = anything.
    ask
        Its answer to a batch of evidence.
    joint
        Of a junction tree: its variables and factors.
    limit
        Largest deviation that passes, by what it has proved of itself; None = by its precision.
    states_only
        Whether it reads observed states only.
    network
        A network of fields, which is compared with the definition of its instructions.
    """

    title: str
    word: str
    forest: Forest
    model: Model | None
    precision: Precision
    given: tuple[Given, ...] | None
    ask: Callable[[Asked], Answer]
    joint: Joint | None = None
    limit: float | None = None
    states_only: bool = False
    network: Network | None = None

    def read(self, evidence: object) -> Asked:
        """Check a batch of evidence.

        Raises
        ------
        EvidenceError
            If the evidence does not fit the model, or names what is not given.
        """
        leaves, variables = self.forest.leaves, self.forest.variables
        default = leaves[0] if len(leaves) == 1 else None
        observations, batch = read_evidence(evidence, variables, default=default)
        given = observations if self.given is None else [item.variable for item in self.given]
        if not set(observations) <= set(given):
            raise EvidenceError(
                f"verify: this {self.word} is given {', '.join(given) or 'nothing'}, but the "
                f"evidence has {', '.join(observations)}."
            )
        logs = {name: each.log_likelihood(variables[name]) for name, each in observations.items()}
        return Asked(evidence, observations, logs, batch)


def read_subject(thing: object) -> Subject:
    """See a model, an engine, a program or a network as a subject.

    Raises
    ------
    ConversionError
        If it is none of these.
    ModelError
        If the model is incomplete or wrong.
    """
    from ghmpp.backends.network import Network

    if isinstance(thing, Program):
        model = thing.declared if isinstance(thing.declared, Model) else None
        return replace(_network(thing.network()), title=repr(thing), word="program", model=model)
    if isinstance(thing, Network):
        return _network(thing)
    if isinstance(thing, Inference):
        return _engine(thing, word="engine")
    try:
        model = as_model(thing)
    except ConversionError as error:
        if isinstance(thing, FieldModel):
            return read_subject(compile(thing, *thing.question()))
        raise ConversionError(f"verify: no program, network or engine, and {error}") from error
    return _engine(Inference(model), word="model")


def _engine(engine: Inference, word: str) -> Subject:
    """An engine, asked for all that it knows; impossible rows are flagged, never raised."""
    model = engine.model
    flagging = Inference(
        model,
        dtype=engine.dtype,
        device=engine.device,
        batch_size=engine.batch_size,
        on_impossible="flag",
    )
    nodes = sum(variable.nodes for variable in model.variables.values())
    title = f"model {model.name!r}, {nodes:,} variables, {engine.dtype}"
    joint = Joint.of(model)
    ask = partial(_ask_engine, flagging, joint)
    return Subject(title, word, model.forest(), model, engine.dtype, None, ask, joint)


def _ask_engine(engine: Inference, joint: Joint | None, asked: Asked) -> Answer:
    """Posteriors, edges, counts, means and the best configuration, each by its own verb."""
    forest = engine.model.forest()
    asked_of, chosen = tuple(forest.variables), tuple(forest.variables)
    if joint is not None:
        asked_of, chosen = joint.classes(asked.batch, EDGE_ENTRIES), tuple(joint.sizes)
    beliefs = engine.posteriors(asked.evidence, classes=asked_of)
    possible = bool(np.asarray(beliefs.possible).all())
    found = engine.map(asked.evidence, classes=chosen)
    choice = {name: np.asarray(states).reshape(asked.batch, -1) for name, states in found.items()}
    return Answer(
        log_evidence=np.asarray(beliefs.log_evidence),
        log_partition=engine.log_partition(),
        posteriors={
            name: np.asarray(beliefs[name]).reshape(
                asked.batch, forest.variables[name].nodes, len(forest.variables[name].states)
            )
            for name in asked_of
        },
        means=_means(engine, asked),
        edges={
            child: np.asarray(engine.edge(asked.evidence, parent, child))
            for child, parent in edge_classes(forest, asked.batch).items()
            if joint is None
        },
        # Counts of impossible evidence are refused, whatever the engine does otherwise.
        counts=engine.expected_counts(asked.evidence)[0] if possible else {},
        best=(
            log_mass(forest, choice, asked.logs)
            if joint is None
            else joint.log_mass(choice, asked.logs)
        ),
        choice=choice,
    )


def edge_classes(forest: Forest, batch: int) -> dict[str, str]:
    """Class of the parents by class of the children, where edge posteriors fit the memory."""
    found: dict[str, str] = {}
    for edge in forest.edges.values():
        parent, child = forest.blocks[edge.parent], forest.blocks[edge.child]
        if any(forest.variables[end.variable].apart for end in (parent, child)):
            continue
        nodes = forest.variables[child.variable].nodes
        if batch * nodes * parent.states * child.states <= EDGE_ENTRIES:
            found[child.variable] = parent.variable
    return found


def _means(engine: Inference, asked: Asked) -> dict[str, FloatArray]:
    """Posterior means of the classes with values, by a compiled program."""
    variables = engine.model.forest().variables
    queries = [mean(name) for name, each in variables.items() if each.values is not None]
    if not queries:
        return {}
    program = compile(engine.model, queries, tuple(asked.observations), dtype=engine.dtype)
    network = program.network(dtype=engine.dtype, device=engine.device)
    results = network.evaluate(asked.observations)
    return {query.variable: _array(results["mean", query.variable]) for query in queries}


def _network(network: Network) -> Subject:
    """A network, asked through its ``forward``, about the potentials that it holds now.

    A posterior of a network with a certificate may differ by the factor that is proved, and a
    mean by as much as is proved; both by rounding of the evidence.
    """
    from ghmpp.backends.families.message import reads_symbols
    from ghmpp.backends.prepare import PRECISIONS

    if network.family == "trainable" and network.fields is None:
        raise ConversionError(
            "verify: the weights of a trainable network are its own and need not agree with any "
            "engine; verify the program that it came from, or measure its risk."
        )
    forest = network.forest if network.fields is None else network.current_forest()
    given = ", ".join(item.variable for item in network.given) or "nothing"
    precision = PRECISIONS[network.dtype]
    title = f"network of {forest.name!r} given {given}, {forest.nodes:,} variables, {precision}"
    limit = None
    if network.certificate is not None:
        bound = network.certificate.bound
        proved = math.expm1(bound) if network.answers[0][0] == "posterior" else bound
        limit = proved + TOLERANCES[precision]
    return Subject(
        title,
        "network",
        forest,
        None,
        precision,
        network.given,
        partial(_ask_network, network),
        limit=limit,
        states_only=reads_symbols(network.collect),
        network=None if network.fields is None else network,
    )


def _ask_network(network: Network, asked: Asked) -> Answer:
    """The outputs of ``forward``, sorted by kind."""
    results = network(*network_inputs(network, asked))
    outputs = results if isinstance(results, tuple) else (results,)
    variables = network.variables
    found: dict[tuple[str, str], AnyArray] = {}
    for (kind, name), output in zip(network.answers, outputs, strict=True):
        single = name in variables and variables[name].nodes == 1
        found[kind, name] = _array(output)[:, None] if single else _array(output)
    return answer_of(found)


def answer_of(found: Mapping[tuple[str, str], AnyArray]) -> Answer:
    """Results by kind and class, (batch, nodes, ...), sorted by kind; draws and codes as means."""
    kinds: dict[str, dict[str, AnyArray]] = {
        kind: {} for kind in ("posterior", "mean", "variance", "edge")
    }
    log_evidence: FloatArray | None = None
    for (kind, name), array in found.items():
        if kind == "log_evidence":
            log_evidence = array
        elif kind in ("draw", "code"):
            kinds["mean"][f"{kind} of {name}"] = array
        else:
            kinds[kind][name] = array
    return Answer(
        log_evidence=log_evidence,
        posteriors=kinds["posterior"],
        means=kinds["mean"],
        variances=kinds["variance"],
        edges=kinds["edge"],
    )


def network_inputs(network: Network, asked: Asked) -> list[Tensor]:
    """Inputs of a network for a batch of evidence: states, values, or else likelihoods.

    Values are passed as such where the network has the same channel; a class without
    observation is passed as missing.
    """
    import torch

    inputs: list[Tensor] = []
    for item in network.given:
        variable = network.variables[item.variable]
        nothing = Observation("states", np.full((asked.batch, variable.nodes), -1))
        if variable.real:
            gone = np.full((asked.batch, variable.nodes), np.nan)
            nothing = Observation("values", gone, item.channel)
        seen = asked.observations.get(item.variable, nothing)
        direct = {
            "states": item.channel is None,
            "values": item.channel == seen.channel,
            "numbers": True,
        }.get(seen.kind, False)
        array = seen.array if direct else np.exp(seen.log_likelihood(variable))
        inputs.append(torch.as_tensor(array))
    return inputs


def _array(tensor: Tensor) -> AnyArray:
    return np.asarray(tensor.detach().cpu().numpy())
