"""The standard form: plain convolutions that answer as the network does."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import ghmpp as gh
from ghmpp.approximation.bounds import plan_network
from ghmpp.backends.convolutions.build import as_convolutions
from ghmpp.models.channels import Given
from ghmpp.models.observations import Observed
from ghmpp.verification.enumeration import enumeration
from tests.approximation import networks
from tests.strategies import evidence, regular_models
from tests.tolerances import CONVOLUTIONS, ENUMERATION, EXACT

RNG = np.random.default_rng(0)
FAMILIES = {
    "exact": {"family": "exact"},
    "exact-single": {"family": "exact", "dtype": "float32"},
    "relu": {"family": "relu", "width": 12},
    "relu-double": {"family": "relu", "width": 12, "dtype": "float64"},
    "trainable": {"family": "trainable", "width": 6},
    "trainable-double": {"family": "trainable", "width": 6, "dtype": "float64"},
}


def tables(ranks, parents, children):
    return 3.0 ** RNG.uniform(-1, 1, size=(ranks, parents, children))


# Branching (2, 3), mixed states, a prior, a table per rank above and a shared one below.
MIXED = gh.GHM(
    states=(3, 2, 4),
    branching=(2, 3),
    tables=[tables(2, 3, 2), tables(1, 2, 4)[0]],
    prior=[1, 2, 3],
    state_values=[0, 1, 2, 5],
)
TWO_STATES = gh.GHM(
    states=2, branching=(2, 2, 2), tables=[tables(2, 2, 2) for _ in range(3)], state_values=[-1, 1]
)
CASES = {
    "classifier": (MIXED, gh.posterior("x0"), "x2"),
    "layer": (MIXED, gh.posterior("x1"), "x2"),
    "denoiser": (MIXED, gh.mean("x2"), gh.noisy("x2", sigma=1.5)),
    "odds-classifier": (TWO_STATES, gh.posterior("x0"), "x3"),
    "odds-denoiser": (TWO_STATES, gh.mean("x3"), gh.noisy("x3", sigma=0.8)),
}


def inputs(model, query_given, batch=5):
    """States or noisy values of the leaves, some missing."""
    leaf = list(model.variables.values())[-1]
    rng = np.random.default_rng(1)
    missing = rng.random((batch, leaf.nodes)) < 0.2
    if isinstance(query_given, str):
        states = rng.integers(len(leaf.states), size=(batch, leaf.nodes))
        return torch.tensor(np.where(missing, -1, states))
    return torch.tensor(np.where(missing, np.nan, 3 * rng.normal(size=missing.shape)))


def both(case, **options):
    model, query, observed = CASES[case]
    network = gh.compile(model, query, given=observed).network(**options)
    return network, as_convolutions(network), inputs(model, observed)


def assert_same(found, expected):
    bound = EXACT if expected.dtype == torch.float64 else CONVOLUTIONS
    torch.testing.assert_close(found, expected, rtol=bound, atol=bound)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("case", CASES)
class TestEqual:
    def test_answers_are_those_of_the_network(self, case, family):
        network, convolutions, x = both(case, **FAMILIES[family])

        assert_same(convolutions(x), network(x))

    def test_one_row(self, case, family):
        network, convolutions, x = both(case, **FAMILIES[family])

        found, expected = convolutions(x[:1]), network(x[:1])
        assert_same(found, expected)


@settings(max_examples=20)
@given(st.data())
def test_the_exact_form_is_the_sum_over_all_configurations(data):
    model = data.draw(regular_models(limit=2_000))
    leaf = list(model.variables)[-1]
    noisy = data.draw(st.booleans())
    kinds = ("gaussian", "localized") if noisy else ("states",)
    seen = data.draw(evidence(model, kinds=kinds, classes=[leaf], possible=True))
    found = seen.given[leaf]
    x, channel = (found.values, found.channel) if isinstance(found, Observed) else (found, None)
    queries = [gh.posterior(name) for name in model.variables]
    network = gh.compile(model, queries, given=Given(leaf, channel)).network()

    answers = as_convolutions(network)(torch.tensor(x))

    truth = enumeration(model.forest(), seen.logs).posteriors
    answers = answers if isinstance(answers, tuple) else (answers,)
    for name, answer in zip(model.variables, answers, strict=True):
        expected = truth[name].reshape(answer.shape)
        np.testing.assert_allclose(answer.numpy(), expected, atol=ENUMERATION)


@pytest.mark.parametrize("case", ["layer", "denoiser", "odds-denoiser"])
def test_nets_are_those_of_the_plan(case):
    """The same nets by an interpreter of their own, node by node in numpy."""
    model, query, observed = CASES[case]
    plan = plan_network(model, query, observed, width=12)
    _, convolutions, x = both(case, family="relu", width=12, dtype="float64")
    leaf = list(model.variables.values())[-1]
    if isinstance(observed, str):
        hard = np.where(x.numpy()[..., None] == np.arange(len(leaf.states)), 0.0, -np.inf)
        logs = np.where(x.numpy()[..., None] < 0, 0.0, hard)
    else:
        logs = np.nan_to_num(observed.channel.log_likelihood(leaf.values, x.numpy()))

    beliefs = networks.run(plan.forest, plan.propagated, {leaf.name: logs})[query.variable]

    expected = np.exp(networks.log_softmax(beliefs))
    if query.kind == "mean":
        expected = expected @ leaf.values
    np.testing.assert_allclose(convolutions(x).numpy(), expected, atol=EXACT)


class TestStructure:
    def test_layers_are_plain_convolutions_with_stride_and_groups(self):
        _, convolutions, _ = both("denoiser", **FAMILIES["relu"])

        first, up = convolutions.encoder["x2"][1], convolutions.decoder["x2"][-1]
        inner = convolutions.decoder["x2"][2]
        assert type(first) is nn.Conv1d
        assert (first.kernel_size, first.stride) == ((3,), (3,))
        assert type(up) is nn.ConvTranspose1d
        assert (up.kernel_size, up.stride) == ((3,), (3,))
        assert (inner.kernel_size, inner.groups) == ((1,), 3)

    def test_a_rank_reads_its_own_position_of_the_kernel(self):
        _, convolutions, _ = both("denoiser", **FAMILIES["relu"])
        weight = convolutions.encoder["x1"][1].weight

        ranks = weight.unflatten(0, (2, -1))
        assert (ranks[0, ..., 1] == 0).all()
        assert (ranks[1, ..., 0] == 0).all()
        assert (ranks[0, ..., 0] != 0).any()

    def test_a_classifier_has_no_decoder(self):
        _, convolutions, _ = both("classifier", **FAMILIES["relu"])

        assert list(convolutions.decoder) == []
        assert "x2" in convolutions.encoder

    def test_copies_are_independent(self):
        _, convolutions, x = both("denoiser", **FAMILIES["relu"])
        before = convolutions(x)
        copied = copy.deepcopy(convolutions)
        with torch.no_grad():
            for parameter in copied.parameters():
                parameter.zero_()

        assert torch.equal(convolutions(x), before)
        assert not torch.equal(copied(x), before)

    def test_the_numbers_are_those_of_the_moment(self):
        network, convolutions, x = both("denoiser", family="exact")
        before = convolutions(x)
        with torch.no_grad():
            network.potentials["x1->x2"].fill_(1.0)

        assert torch.equal(convolutions(x), before)
        assert_same(as_convolutions(network)(x), network(x))

    def test_free_nets_learn(self):
        _, convolutions, x = both("denoiser", **FAMILIES["trainable"])
        convolutions(x).square().sum().backward()

        learned = {name for name, p in convolutions.named_parameters() if p.requires_grad}
        fixed = {"inputs.x2.affine.weight", "readout.x2_mean.values.weight"}
        assert learned == set(dict(convolutions.named_parameters())) - fixed
        gradients = (convolutions.get_parameter(name).grad for name in learned)
        assert all(found is not None and found.isfinite().all() for found in gradients)
        assert not any(p.requires_grad for p in both("denoiser", family="exact")[1].parameters())

    def test_making_it_draws_no_random_numbers(self):
        network = both("denoiser", **FAMILIES["relu"])[0]
        state = torch.get_rng_state()
        as_convolutions(network)

        assert torch.equal(torch.get_rng_state(), state)

    @pytest.mark.slow
    @pytest.mark.parametrize("case", ["denoiser", "classifier"])
    def test_it_exports_with_any_batch(self, case):
        _, convolutions, x = both(case, **FAMILIES["relu"])
        shapes = {"inputs": ({0: torch.export.Dim.DYNAMIC},)}
        exported = torch.export.export(convolutions, (x[:3],), dynamic_shapes=shapes)

        assert_same(exported.module()(x), convolutions(x))


def two_trees():
    """Two trees with one root; a prior below, a level of only children, an inner class observed."""
    model = gh.Model("two")
    root = model.root("root", 3, prior=[1, 2, 1])
    left = root.children("left", 2, 2, potential=tables(2, 3, 2))
    left.children(
        "seen", 3, range(4), potential=tables(3, 2, 4), prior=RNG.uniform(1, 2, size=(6, 4))
    )
    left.children("only", 1, 2, potential=tables(1, 2, 2)[0])
    right = root.children("right", 3, 4, potential=tables(1, 3, 4)[0])
    right.children("word", 2, 2, potential=tables(2, 4, 2), prior=[1, 3])
    return model


class TestManyClasses:
    MODEL = two_trees()
    WORD = torch.tensor(RNG.integers(-1, 2, size=(4, 6)))
    LEFT = torch.tensor(RNG.integers(-1, 2, size=(4, 2)))
    SEEN = torch.tensor(RNG.normal(size=(4, 6)))

    @pytest.mark.parametrize("family", ["exact", "relu", "relu-double"])
    def test_branches_inner_evidence_and_priors(self, family):
        for query in (gh.posterior("root"), gh.mean("seen"), gh.posterior("only")):
            given = ["word", "left", gh.noisy("seen", sigma=0.7)]
            network = gh.compile(self.MODEL, query, given=given).network(**FAMILIES[family])
            x = self.WORD, self.LEFT, self.SEEN

            found = as_convolutions(network)(*x, sigma=0.9)
            assert_same(found, network(*x, sigma=0.9))

    def test_several_answers_and_what_no_evidence_reaches(self):
        queries = [gh.posterior("root"), gh.posterior("word"), gh.mean("seen")]
        network = gh.compile(self.MODEL, queries, given=gh.localized("seen", time=0.0)).network()
        convolutions = as_convolutions(network)

        for parameters in ({}, {"time": 2.0}):
            answers = convolutions(self.SEEN, **parameters)
            for found, expected in zip(answers, network(self.SEEN, **parameters), strict=True):
                assert_same(found, expected)

    def test_nothing_given(self):
        network = gh.compile(self.MODEL, gh.posterior("word")).network()

        assert_same(as_convolutions(network)(), network())

    def test_a_table_of_rank_one_beside_nets(self):
        stack = tables(2, 3, 4)
        stack[1] = np.outer([1, 2, 3], [1, 2, 3, 4])
        model = gh.GHM(states=(3, 4), branching=(2,), tables=[stack], state_values=range(4))
        for query in (gh.posterior("x0"), gh.mean("x1")):
            program = gh.compile(model, query, given=gh.noisy("x1", sigma=1.0))
            network = program.network("relu", width=10, dtype="float64")
            z = self.SEEN[:, :2]

            assert_same(as_convolutions(network)(z), network(z))


class TestZeros:
    def test_states_that_cannot_occur_stay_impossible(self):
        stack = tables(2, 3, 4)
        stack[:, :, 3] = 0
        model = gh.GHM(
            states=(3, 4, 2),
            branching=(2, 2),
            tables=[stack, tables(2, 4, 2)],
            prior=[1, 0, 2],
            state_values=[0, 1],
        )
        program = gh.compile(model, gh.posterior("x1"), given=gh.noisy("x2", sigma=1.0))
        network = program.network("relu", width=20, evidence_span=5.0, dtype="float64")
        z = torch.tensor(RNG.normal(size=(4, 4)))

        found = as_convolutions(network)(z)
        assert_same(found, network(z))
        assert (found[..., 3] == 0).all()

    def test_impossible_evidence_gives_zeros(self):
        model = gh.GHM(states=2, branching=(2,), tables=[np.eye(2)])
        network = gh.compile(model, gh.posterior("x0"), given="x1").network()

        found = as_convolutions(network)(torch.tensor([[0, 1], [1, 1]]))
        assert found.tolist() == [[0.0, 0.0], [0.0, 1.0]]

    def test_extreme_values(self):
        for family in ("exact", "relu"):
            network, convolutions, x = both("odds-denoiser", **FAMILIES[family])

            found, expected = convolutions(1e3 * x), network(1e3 * x)
            assert_same(found, expected)
