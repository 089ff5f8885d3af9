import networkx as nx
import numpy as np
import pytest
import torch
from pgmpy.factors.discrete import TabularCPD
from pgmpy.models import DiscreteBayesianNetwork

import ghmpp as gh
from ghmpp.approximation.bounds import plan_network
from ghmpp.backends.families.free import FreeNets
from ghmpp.backends.families.message import NetMessage
from ghmpp.errors import EvidenceError, QueryError
from tests.approximation import networks
from tests.backends.families.nets import (
    adversarial,
    chain,
    irregular,
    mixed,
    units_only,
)
from tests.tolerances import EXACT, SINGLE


def denoiser(model, leaf="x2", sigma=1.0):
    return gh.compile(model, gh.mean(leaf), gh.noisy(leaf, sigma=sigma))


def log_likelihoods(model, leaf, z, sigma=1.0):
    values = model.forest().variables[leaf].values
    return (values * z.numpy()[..., None] - values**2 / 2) / sigma**2


class TestRelu:
    def test_it_is_the_network_that_the_plan_describes(self):
        """Against the same nets run by numpy, node by node."""
        model, z = mixed(), adversarial(30, 6)
        program = denoiser(model)
        plan = plan_network(model, gh.mean("x2"), program.given, width=40)
        logs = {"x2": log_likelihoods(model, "x2", z)}
        beliefs = networks.run(plan.forest, plan.propagated, logs)["x2"]
        values = model.forest().variables["x2"].values

        found = program.network("relu", width=40, dtype="float64")(z)

        expected = np.exp(networks.log_softmax(beliefs)) @ values
        np.testing.assert_allclose(found, expected, atol=EXACT)

    @pytest.mark.parametrize(
        ("model", "query", "given"),
        [
            (mixed(), gh.mean("x2"), gh.noisy("x2", sigma=1.0)),
            (mixed(states=(2, 2, 2)), gh.mean("x2"), gh.noisy("x2", sigma=1.0)),
            (mixed(states=(2, 3, 2)), gh.posterior("x1"), gh.noisy("x2", sigma=1.0)),
            (mixed(branching=(1, 3)), gh.mean("x2"), gh.noisy("x2", sigma=1.0)),
        ],
    )
    def test_lookups_are_the_units_that_they_stand_for(self, model, query, given):
        program = gh.compile(model, query, given)
        z = adversarial(40, model.forest().variables["x2"].nodes)
        network = program.network("relu", delta=0.02, dtype="float64")

        looked_up = network(z)

        np.testing.assert_allclose(looked_up, units_only(network)(z), atol=EXACT)

    def test_lookups_are_the_units_in_float32_too(self):
        program, z = denoiser(mixed()), adversarial(40, 6, dtype=torch.float32)
        network = program.network("relu", width=200)

        looked_up = network(z)

        assert looked_up.dtype == torch.float32
        np.testing.assert_allclose(looked_up, units_only(network)(z), atol=1e-6, rtol=1e-6)

    @pytest.mark.parametrize("missing", [False, True])
    def test_observed_states_are_read_exactly(self, missing):
        model = mixed()
        program = gh.compile(model, gh.posterior("x1"), "x2")
        x = torch.tensor(np.random.default_rng(0).integers(-1 if missing else 0, 5, size=(40, 6)))

        found = program.network("relu", delta=1e-3, dtype="float64")

        errors = (found(x).log() - program.network()(x).log()).abs()
        assert errors.max() <= 1e-3
        symbols = found.collect["x2"](*leaf_message(found, x))
        exact = program.network().collect["x2"](*leaf_message(found, x))
        difference = symbols - exact
        np.testing.assert_allclose(difference - difference[:, :1], 0, atol=EXACT)

    def test_likelihoods_are_refused_where_states_are_read(self):
        network = gh.compile(mixed(), gh.posterior("x0"), "x2").network("relu", delta=0.1)
        with pytest.raises(EvidenceError, match=r"x2: .* read observed states.*evidence_span"):
            network(torch.ones(1, 6, 5))

    @pytest.mark.parametrize("family", ["relu", "trainable"])
    def test_a_tied_chain_shares_its_layers(self, family):
        program = gh.compile(chain(), gh.posterior("state"), "symbol")
        options = {"delta": 0.01} if family == "relu" else {"delta": 0.01, "init": "relu"}
        network = program.network(family, dtype="float64", **options)
        x = torch.tensor(np.random.default_rng(0).integers(0, 4, size=(30, 5)))

        errors = (network(x).log() - program.network()(x).log()).abs()

        assert 0 < errors.max() <= 0.01
        assert list(network.collect) == ["symbol", "state"]

    @pytest.mark.parametrize("family", ["relu", "trainable"])
    def test_a_tree_without_rule_has_nets_of_its_own_at_every_edge(self, family):
        graph = irregular()
        observed = ["b", "d", "e", "f"]
        rng = np.random.default_rng(1)
        program = gh.compile(graph, gh.posterior("c"), observed)
        sizes = [graph.nodes[name]["states"] for name in observed]
        options = {"delta": 0.01} if family == "relu" else {"delta": 0.01, "init": "relu"}
        network = program.network(family, dtype="float64", **options)
        rows = [torch.tensor(rng.integers(0, size, size=(50, 1))) for size in sizes]

        errors = (network(*rows).log() - program.network()(*rows).log()).abs()

        assert 0 < errors.max() <= 0.01

    def test_zeros_are_no_obstacle_where_evidence_is_bounded(self):
        model = gh.zoo.random_hierarchy(4, 2, 2, 2, classes=3, seed=0)
        span, rng = 4.0, np.random.default_rng(0)
        leaf = model.forest().leaves[0]
        root = model.forest().variables[model.forest().blocks[model.forest().roots[0]].variable]
        program = gh.compile(model, gh.posterior(root.name), leaf)
        network = program.network("relu", delta=0.05, evidence_span=span, dtype="float64")
        nodes = model.forest().variables[leaf].nodes
        states = len(model.forest().variables[leaf].states)
        likelihoods = torch.tensor(np.exp(-rng.uniform(0, span, size=(50, nodes, states))))

        exact, found = program.network()(likelihoods), network(likelihoods)

        positive = exact > 0
        assert (found[~positive] == 0).all()
        errors = (found[positive].log() - exact[positive].log()).abs()
        assert 0 < errors.max() <= 0.05

    @pytest.mark.parametrize(
        ("asked", "given"), [("a", ["c"]), ("c", ["c"]), ("a", ["a"]), ("b", ["a", "b", "c"])]
    )
    def test_variables_of_cliques_are_answered_whatever_is_known_of_them(self, asked, given):
        """A variable with a prior or evidence of its own is asked, which hangs off a clique."""
        graph = nx.DiGraph([("a", "b"), ("a", "c"), ("b", "c")])
        random = np.random.default_rng(0)
        network = DiscreteBayesianNetwork(graph.edges)
        for name in graph:
            parents = list(graph.predecessors(name))
            table = random.dirichlet(np.ones(2), size=2 ** len(parents)).T
            network.add_cpds(TabularCPD(name, 2, table, parents, [2] * len(parents)))
        program = gh.compile(network, gh.posterior(asked), given)
        proved = program.network("relu", delta=0.05, evidence_span=3.0, dtype="float64")
        inputs = [torch.tensor(np.exp(random.uniform(-3, 0, size=(50, 2)))) for _ in given]

        error = (proved(*inputs).log() - program.network()(*inputs).log()).abs().max()
        assert float(error) <= proved.certificate.bound <= 0.05
        assert proved.certificate.check(proved, network).verdict == "holds"

    def test_a_row_does_not_depend_on_its_batch(self):
        program, z = denoiser(mixed()), adversarial(50, 6, dtype=torch.float32)
        network = program.network("relu", delta=0.01, chunk=7)

        np.testing.assert_allclose(network(z)[11:12], network(z[11:12]), atol=SINGLE)

    def test_gradients_reach_the_inputs(self):
        program, z = denoiser(mixed()), adversarial(5, 6).clamp(-3, 3).requires_grad_()
        network = program.network("relu", delta=0.01, dtype="float64")
        network(z).sum().backward()
        looked_up = z.grad.clone()
        z.grad = None

        units_only(network)(z).sum().backward()

        np.testing.assert_allclose(looked_up, z.grad, atol=EXACT)
        assert looked_up.abs().max() > 0


def leaf_message(network, x):
    """What the leaf layer of a network is called with for observed states (-1: missing)."""
    from ghmpp.backends.kernels import Log

    seen = x[..., None] == torch.arange(5)
    logs = torch.where(seen | (x[..., None] < 0), 0.0, -torch.inf).double()
    setting = network.setting(tracked=False)
    ranks = logs.view(len(x), 2, 3, 5).permute(2, 3, 1, 0)
    return Log(), setting.potentials["x2"], ranks, "x2"


class TestTrainable:
    @pytest.mark.parametrize("given", ["x2", gh.noisy("x2", sigma=1.0)])
    def test_it_can_start_as_the_relu_network(self, given):
        program = gh.compile(mixed(), gh.posterior("x0"), given)
        noisy = adversarial(40, 6)
        states = torch.tensor(np.random.default_rng(0).integers(-1, 5, size=(40, 6)))
        inputs = states if given == "x2" else noisy

        relu = program.network("relu", delta=0.05, dtype="float64")
        free = program.network("trainable", delta=0.05, init="relu", dtype="float64")

        np.testing.assert_allclose(free(inputs).detach(), relu(inputs), atol=EXACT)
        assert free.certificate is None

    def test_tied_tables_have_tied_nets(self):
        table = np.array([[3.0, 1.0], [1.0, 2.0]])
        model = gh.GHM(states=2, branching=(3, 2), tables=[table, table], state_values=[0, 1])
        network = denoiser(model).network("trainable", width=8)

        assert network.collect["x1"].free.first.shape == (1, 8, 3)
        assert denoiser(mixed()).network("trainable", width=8).collect["x2"].free.first.shape == (
            3,
            8,
            6,
        )

    def test_the_same_seed_gives_the_same_network(self):
        first, second, other = (
            denoiser(mixed()).network("trainable", width=8, seed=seed) for seed in (1, 1, 2)
        )
        z = adversarial(3, 6, dtype=torch.float32)

        assert (first(z) == second(z)).all()
        assert (first(z) != other(z)).any()

    def test_it_learns(self):
        """A few steps of descent bring it closer to the exact posterior means."""
        program = denoiser(mixed())
        network = program.network("trainable", width=16, seed=0)
        z = torch.randn(256, 6, generator=torch.Generator().manual_seed(0)) * 2
        exact = program.network()(z.double()).float()
        optimizer = torch.optim.Adam(network.parameters(), 1e-2)
        losses = []
        for _ in range(30):
            optimizer.zero_grad()
            loss = ((network(z) - exact) ** 2).mean()
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))

        assert losses[-1] < losses[0] / 4

    def test_outputs_stay_finite_for_extreme_inputs(self):
        z = torch.tensor([[1e3, -1e3, 0.0, 1e3, 1e3, -1e3]])
        assert denoiser(mixed()).network("trainable", width=8)(z).isfinite().all()

    def test_only_its_nets_learn(self):
        network = denoiser(mixed()).network("trainable", width=8)
        learned = {name for name, p in network.named_parameters() if p.requires_grad}

        assert learned == {
            f"{direction}.{child}.free.{matrix}"
            for direction in ("collect", "distribute")
            for child in ("x1", "x2")
            for matrix in ("first", "second", "third")
        }

    def test_copies_have_no_nets(self):
        model = gh.zoo.random_hierarchy(4, 2, 2, 2, classes=3, seed=0)
        leaf = model.forest().leaves[0]
        network = gh.compile(model, gh.posterior(leaf), leaf).network("trainable", width=8)
        kinds = {name: type(network.collect[name]) for name in network.collect}

        assert NetMessage in kinds.values()
        for name, kind in kinds.items():
            edge = network.schedule.forest.edges[name]
            assert (kind is NetMessage) == (edge.kind != "child_of")


class TestBadInput:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"family": "dense"}, r"unknown family 'dense'; known: 'exact', 'relu', 'trainable'"),
            ({"delta": 0.1}, r"delta= is for nets .*this one is 'exact'"),
            ({"family": "trainable", "delta": 0.1}, r"delta= is for nets .* init='relu'"),
            ({"family": "trainable", "init": "zeros"}, r"unknown init 'zeros'; known"),
            ({"family": "trainable", "width": 1}, r"width must be at least 2, got 1"),
            ({"family": "relu", "delta": 0.0}, r"delta must be finite and > 0"),
            ({"family": "relu", "width": 3}, r"width=3 is too small"),
        ],
    )
    def test_it_is_refused(self, options, message):
        with pytest.raises(QueryError, match=message):
            denoiser(mixed()).network(**options)

    def test_nets_are_planned_for_one_query(self):
        program = gh.compile(
            mixed(), [gh.posterior("x0"), gh.mean("x2")], gh.noisy("x2", sigma=1.0)
        )
        with pytest.raises(QueryError, match="nets are planned for one query"):
            program.network("relu", delta=0.1)

    def test_nets_do_not_know_the_evidence(self):
        program = gh.compile(mixed(), gh.log_evidence(), gh.noisy("x2", sigma=1.0))
        for options in ({"family": "relu"}, {"family": "trainable"}):
            with pytest.raises(QueryError, match="log_evidence"):
                program.network(**options)


def test_free_nets_are_the_formula_of_the_paper():
    generator = torch.Generator().manual_seed(0)
    nets = FreeNets.random(1, (3, 2), 5, torch.float64, generator)
    h = torch.randn(3, dtype=torch.float64) - 3
    first, second, third = (each[0].detach() for each in (nets.first, nets.second, nets.third))

    expected = third @ (second @ (first @ torch.cat((h, torch.ones(1)))).relu()).relu()

    index = torch.zeros(1, 1, dtype=torch.int64)
    np.testing.assert_allclose(nets(h.view(1, 3, 1, 1), index)[0, :, 0, 0].detach(), expected)
    np.testing.assert_allclose(nets.dense(0).stages[0].weight.detach(), first[:, :-1])


@pytest.mark.parametrize("seed", range(5))
def test_sums_of_large_logs_are_part_of_the_proof(seed):
    """Rules are copied without error, but what is copied is rounded."""
    rng = np.random.default_rng(seed)
    model = gh.zoo.random_hierarchy(v=3, m=3, s=2, L=1, seed=seed)
    given = ["x1", "x0"]
    program = gh.compile(model, gh.posterior("x0"), given)
    network = program.network("relu", evidence_span=8.0, delta=0.5)
    exact = program.network()
    root, leaves = (len(model.forest().variables[name].states) for name in ("x0", "x1"))
    inputs = (
        torch.tensor(np.exp(-rng.uniform(0, 8, size=(40, 2, leaves)))).float(),
        torch.tensor(np.exp(-rng.uniform(0, 8, size=(40, root)))).float(),
    )
    truth = exact(*(each.double() for each in inputs))
    seen = truth > np.exp(-80)

    errors = (network(*inputs).double().log() - truth.log()).abs()[seen]

    assert errors.max() <= network.certificate.bound
