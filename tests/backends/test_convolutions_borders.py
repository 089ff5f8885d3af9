"""Networks without a standard form, and inputs that do not fit one, are refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import ghmpp as gh
from ghmpp.backends.convolutions.build import as_convolutions
from ghmpp.errors import EvidenceError, QueryError
from ghmpp.models.channels import Given

RNG = np.random.default_rng(0)


def tables(ranks, parents, children):
    return 3.0 ** RNG.uniform(-1, 1, size=(ranks, parents, children))


MODEL = gh.GHM(
    states=(3, 2, 4),
    branching=(2, 3),
    tables=[tables(2, 3, 2), tables(3, 2, 4)],
    state_values=[0, 1, 2, 5],
)
DENOISER = gh.compile(MODEL, gh.mean("x2"), given=gh.noisy("x2", sigma=1.5))


def classifier():
    return as_convolutions(gh.compile(MODEL, gh.posterior("x0"), given="x2").network())


def denoiser():
    return as_convolutions(DENOISER.network())


class TestRefused:
    def refuse(self, program, *words):
        with pytest.raises(QueryError, match="as_convolutions") as error:
            as_convolutions(program.network())
        assert all(word in str(error.value) for word in words)

    def test_chains(self):
        model = gh.Model()
        model.chain("z", 3, 2, potential=[[2, 1], [1, 2]])

        self.refuse(gh.compile(model, gh.posterior("z")), "'z'", "3 levels", "chain")

    def test_several_roots(self):
        model = gh.Model()
        model.root("a", 2), model.root("b", 2)

        self.refuse(gh.compile(model, gh.posterior("a")), "2 roots")

    def test_rules(self):
        model = gh.GHM(states=2, branching=(2,), tables=[gh.Rules.from_table(np.ones((2, 2, 2)))])

        self.refuse(gh.compile(model, gh.posterior("x0"), given="x1"), "index map")

    def test_a_table_per_node(self):
        model = gh.Model()
        inner = model.root("a", 2).children("b", 2, 2, potential=tables(2, 2, 2))
        inner.children("c", 2, 2, potential=tables(4, 2, 2))

        self.refuse(gh.compile(model, gh.posterior("a"), given="c"), "'c'", "table per node")

    def test_discovered_classes(self):
        import networkx as nx

        graph = nx.DiGraph()
        graph.add_nodes_from(["a", "b", "c"], states=2)
        graph.add_edge("a", "b", potential=[[2, 1], [1, 2]])
        graph.add_edge("a", "c", potential=[[2, 1], [1, 2]])

        self.refuse(gh.compile(graph, gh.posterior("a"), given="b"), "one by one")

    def test_other_answers(self):
        self.refuse(gh.compile(MODEL, gh.log_evidence(), given="x2"), "log_evidence")

    def test_functions_as_channels(self):
        laplace = gh.LogLikelihood(lambda values, z: -abs(z[..., None] - values))
        program = gh.compile(MODEL, gh.mean("x2"), given=Given("x2", laplace))

        self.refuse(program, "'x2'", "LogLikelihood")


class TestInputs:
    def test_wrong_inputs_are_refused(self):
        states, noisy = classifier(), denoiser()
        with pytest.raises(EvidenceError, match="state indices 0 to 3"):
            states(torch.full((1, 6), 4))
        with pytest.raises(EvidenceError, match="state indices"):
            states(torch.full((1, 6), 0.5))
        with pytest.raises(EvidenceError, match=r"must have shape \(batch, 6\)"):
            states(torch.zeros(2, 5))
        with pytest.raises(EvidenceError, match="expected inputs for x2, got 2"):
            states(torch.zeros(2, 6), torch.zeros(2, 6))
        with pytest.raises(EvidenceError, match="belongs to a channel"):
            states(torch.zeros(2, 6), sigma=1.0)
        with pytest.raises(EvidenceError, match="finite, or NaN"):
            noisy(torch.full((1, 6), torch.inf))
        with pytest.raises(EvidenceError, match="no parameter 'gain'"):
            noisy(torch.zeros(1, 6), gain=1.0)

    def test_batches_must_agree(self):
        program = gh.compile(MODEL, gh.posterior("x0"), given=["x1", "x2"])
        with pytest.raises(EvidenceError, match="same batch size, got x1: 1, x2: 3"):
            as_convolutions(program.network())(torch.zeros(1, 2), torch.zeros(3, 6))

    def test_numpy_and_float_states(self):
        convolutions, x = classifier(), torch.tensor([[0, 3, -1, 2, 1, 1]])
        floats = torch.where(x < 0, torch.nan, x.double())

        assert torch.equal(convolutions(floats), convolutions(x))
        assert torch.equal(convolutions(x.numpy()), convolutions(x))

    def test_an_empty_batch(self):
        for family in ("exact", "relu", "trainable"):
            found = as_convolutions(
                DENOISER.network(family, width=None if family == "exact" else 12)
            )

            assert found(torch.zeros(0, 6)).shape == (0, 6)
