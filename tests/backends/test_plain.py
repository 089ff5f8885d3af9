"""The plain network gives what the network gives, for every kind of model, query and evidence."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import ghmpp as gh
from ghmpp.backends.network import Network
from ghmpp.backends.plain.network import PlainNetwork
from ghmpp.errors import QueryError
from ghmpp.models.assembly import model_of
from ghmpp.models.channels import Channel, Gaussian, Given, Localization
from ghmpp.models.model import Model
from ghmpp.schedule.plan import schedule_for
from tests.strategies import factor_graphs, models
from tests.tolerances import EXACT, EXPORTED_SINGLE


def queries(model: Model) -> list[object]:
    """All that can be asked of a model at once."""
    variables, forest = model.forest().visible, model.forest()
    edges = {forest.blocks[child].variable for child in forest.edges}
    return [
        gh.log_evidence(),
        *(gh.posterior(name) for name in variables),
        *(gh.mean(name) for name, each in variables.items() if each.values is not None),
        *(gh.edge(name) for name in variables if name in edges),
    ]


def inputs(network: Network, rows: int, rng: np.random.Generator) -> list[torch.Tensor]:
    """States, some of them missing, and observed values, some of them far away."""
    found = []
    for item in network.given:
        variable = network.variables[item.variable]
        shape = (rows, variable.nodes)
        if item.channel is None:
            found.append(torch.tensor(rng.integers(-1, len(variable.states), shape)))
        else:
            z = rng.normal(0, 3, shape) * rng.choice([1, 300], shape)
            z[rng.random(shape) < 0.2] = np.nan
            found.append(torch.tensor(z, dtype=network.dtype))
    return found


def disagreement(network: Network, given: list[torch.Tensor], **channel: float) -> float:
    """The largest difference of all answers, relative above 1; shapes and types are equal."""
    scalars = [torch.tensor(value, dtype=network.dtype) for value in channel.values()]
    with torch.no_grad():
        found, expected = PlainNetwork(network)(*given, *scalars), network(*given, **channel)
    found = found if isinstance(found, tuple) else (found,)
    expected = expected if isinstance(expected, tuple) else (expected,)
    worst = 0.0
    for a, b in zip(found, expected, strict=True):
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        assert not a.isnan().any()
        assert torch.equal(a.isinf(), b.isinf())
        gap = torch.where(b.isinf(), 0.0, (a - b) / b.abs().clamp_min(1.0))
        worst = max(worst, float(gap.abs().max()) if gap.numel() else 0.0)
    return worst


@settings(max_examples=25)
@given(data=st.data(), dtype=st.sampled_from(["float64", "float32"]))
def test_every_answer_is_that_of_the_network(data, dtype):
    model = data.draw(st.one_of(models(limit=3000), factor_graphs(limit=500).map(model_of)))
    channels = st.sampled_from([None, Gaussian(0.7), Gaussian(2.0, -0.5), Localization(0.0)])
    observed = [
        Given(name, None if variable.values is None else data.draw(channels))
        for name, variable in model.forest().visible.items()
        if data.draw(st.booleans())
    ]
    simplify = data.draw(st.booleans())
    asked = queries(model)[1:2] if simplify else queries(model)
    network = gh.compile(model, asked, observed, simplify=simplify).network(dtype=dtype)

    rows = data.draw(st.sampled_from([1, 4]))
    worst = disagreement(network, inputs(network, rows, np.random.default_rng(0)))

    assert worst < (EXACT if dtype == "float64" else EXPORTED_SINGLE)


def small(zeros: bool = False) -> Model:
    """Two states over two over three, one of them numeric; with zeros, some are excluded."""
    table = [[0.7, 0.2, 0.1], [0.0 if zeros else 0.05, 0.3, 0.7]]
    model = gh.Model("small")
    middle = model.root("top", 2).children("middle", 2, 2, potential=[[0.8, 0.2], [0.3, 0.7]])
    middle.children("low", 3, 3, potential=table, values=[0.0, 0.1, 0.3], order=(3, 5, 1, 0, 2, 4))
    return model


@pytest.mark.parametrize("channel", [None, Gaussian(0.4), Localization(2.0)])
@pytest.mark.parametrize("family", ["relu", "trainable"])
@pytest.mark.parametrize("query", [gh.posterior("top"), gh.mean("low")])
def test_layers_that_approximate_are_called_as_in_the_network(family, query, channel: Channel):
    program = gh.compile(small(), query, Given("low", channel))
    sizes = {"delta": 0.05} if family == "relu" else {"width": 8}
    network = program.network(family, **sizes)

    given = inputs(network, 4, np.random.default_rng(0))

    assert disagreement(network, given) < EXPORTED_SINGLE


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_layers_stay_parts_of_the_network(dtype):
    program = gh.compile(small(), gh.mean("low"), gh.noisy("low", sigma=0.4))
    network = program.network("relu", delta=0.05, dtype=dtype)

    plain = PlainNetwork(network)

    parameters = {id(parameter) for parameter in network.parameters()}
    assert {id(parameter) for parameter in plain.parameters()} == parameters
    assert network.state_dict().keys() <= dict(plain.named_parameters()).keys()


def test_likelihoods_are_taken_too():
    network = gh.compile(small(), queries(small()), "low").network()
    rng = np.random.default_rng(0)
    likelihoods = torch.tensor(rng.uniform(0, 5, (4, 6, 3)) * (rng.random((4, 6, 3)) < 0.8))
    likelihoods[0, 0] = 0.0

    assert disagreement(network, [likelihoods]) < EXACT


@pytest.mark.parametrize(
    ("channel", "changed"),
    [
        (Gaussian(0.4), {"sigma": 3.0, "scale": -1.5}),
        (Gaussian(0.4), {"sigma": 0.4, "scale": 0.0}),
        (Localization(0.5), {"time": 0.0}),
    ],
)
def test_channel_parameters_are_those_of_the_call(channel, changed):
    network = gh.compile(small(), queries(small()), Given("low", channel)).network()

    given = inputs(network, 4, np.random.default_rng(0))

    assert PlainNetwork(network).channel.keys() == changed.keys()
    assert disagreement(network, given, **changed) < EXACT


def test_channels_that_differ_keep_what_differs():
    model = small()
    model.root("other", 2, values=[0.0, 1.0])
    given = [gh.noisy("low", sigma=0.4), gh.noisy("other", sigma=0.5)]
    network = gh.compile(model, gh.mean("low"), given).network()

    assert PlainNetwork(network).channel == {"scale": 1.0}
    assert disagreement(network, inputs(network, 2, np.random.default_rng(0))) < EXACT


def test_what_is_impossible_has_no_probability_and_no_nan():
    model = small(zeros=True)
    network = gh.compile(model, queries(model), ["middle", "low"]).network()

    evidence, *posteriors = PlainNetwork(network)(torch.ones(1, 2).long(), torch.zeros(1, 6).long())

    assert evidence.item() == -torch.inf
    assert all(bool((answer == 0).all()) for answer in posteriors)


def test_nothing_given_is_one_row():
    network = gh.compile(small(), queries(small())).network()

    assert disagreement(network, []) < EXACT


class TestRefusals:
    def test_most_probable_states(self):
        outputs = [("choice", "low")]
        schedule = schedule_for(small().forest(), outputs, ["low"], semiring="max")

        with pytest.raises(QueryError, match="ask for posteriors, means, edges"):
            PlainNetwork(Network(schedule))

    def test_samples(self):
        outputs = [("choice", "low")]
        schedule = schedule_for(small().forest(), outputs, ["low"], choose="sample")

        with pytest.raises(QueryError, match="choices are made step by step; ask for posteriors"):
            PlainNetwork(Network(schedule))

    @pytest.mark.parametrize("kind", ["counts", "unary_counts"])
    def test_counts(self, kind):
        model = small() if kind == "counts" else gh.Model("one").root("low", 2, prior=[1, 2]).model
        schedule = schedule_for(model.forest(), [(kind, "low")], ["low"])

        with pytest.raises(QueryError, match="sums over the batch; ask for edges"):
            PlainNetwork(Network(schedule))

    def test_functions(self):
        laplace = gh.LogLikelihood(lambda values, z: -abs(z[..., None] - values))
        network = gh.compile(small(), gh.mean("low"), Given("low", laplace)).network()

        with pytest.raises(QueryError, match="Python function, which no file can hold"):
            PlainNetwork(network)
