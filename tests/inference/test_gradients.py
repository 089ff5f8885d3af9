"""Derivatives of what is returned: in potentials, symbols and evidence, against other routes."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
import torch
from torch import Tensor

import ghmpp as gh
from ghmpp._arrays import FloatArray
from ghmpp.backends.symbolic import closed_form
from ghmpp.models.model import Model
from ghmpp.models.observations import Observed
from ghmpp.verification.enumeration import enumeration
from tests.tolerances import DIFFERENCES, ENUMERATION, GRADIENT

VALUES = np.array([-1.0, 0.0, 2.0])


def tree(small: float = 0.3, zero: bool = True) -> Model:
    """Two levels; one entry is small, one zero; a tiny one calls for logarithms."""
    rng = np.random.default_rng(0)
    tables = [rng.uniform(0.5, 2, size=(2, 2, 3)), rng.uniform(0.5, 2, size=(2, 3, 3))]
    tables[0][0, 1, 2] = small
    tables[1][1, 2, 0] = 0.0 if zero else 0.4
    return gh.GHM(
        states=(2, 3, 3), branching=(2, 2), tables=tables, prior=[1, 2], state_values=VALUES
    )


DOMAINS = {"linear": 0.3, "log": 1e-300}
X = np.array([[0, 1, 2, 1], [2, 2, -1, -1], [0, 0, 0, 0]])
LOGS = np.where((X[..., None] == np.arange(3)) | (X[..., None] < 0), 0.0, -np.inf)


def tracked(network: torch.nn.Module) -> dict[str, Tensor]:
    """Parameters by name, now with gradients."""
    for parameter in network.parameters():
        parameter.requires_grad_(True)
    return dict(network.named_parameters())


class TestPotentials:
    @pytest.mark.parametrize("domain", DOMAINS)
    def test_entry_times_slope_is_the_expected_count_given_evidence_minus_that_without(
        self, domain
    ):
        model = tree(DOMAINS[domain])
        network = gh.compile(model, gh.log_evidence(), given="x2").network()
        assert network.domain.kind == domain
        parameters = tracked(network)
        network(torch.tensor(X)).sum().backward()

        given, without = enumeration(model.forest(), {"x2": LOGS}), enumeration(model.forest())
        for child, key in (("x1", "x0->x1"), ("x2", "x1->x2")):
            parameter = parameters[f"potentials.{key}"]
            found = (parameter * parameter.grad).detach().numpy()
            difference = given.edges[child].sum(0) - len(X) * without.edges[child][0]
            expected = difference.reshape(-1, 2, *difference.shape[1:]).sum(0)
            np.testing.assert_allclose(found, expected, rtol=GRADIENT, atol=GRADIENT)
            assert torch.isfinite(parameter.grad).all()

    def test_entries_that_are_zero_have_the_slope_of_a_finite_difference(self):
        model = tree()
        network = gh.compile(model, gh.log_evidence(), given="x2").network()
        table = tracked(network)["potentials.x1->x2"]
        network(torch.tensor(X)).sum().backward()
        slope = float(table.grad[1, 2, 0])

        step = 1e-7
        before = network(torch.tensor(X)).sum().detach()
        with torch.no_grad():
            table[1, 2, 0] = step
        found = float(network(torch.tensor(X)).sum().detach() - before) / step
        assert found == pytest.approx(slope, rel=1e-4)

    @pytest.mark.parametrize("domain", DOMAINS)
    def test_the_log_partition_has_the_expected_counts_without_evidence(self, domain):
        model = tree(DOMAINS[domain])
        network = gh.compile(model, gh.log_evidence()).network()
        prior = tracked(network)["potentials.x0"]
        network.log_partition().backward()

        expected = enumeration(model.forest()).posteriors["x0"][0]
        found = (prior * prior.grad).detach().numpy()
        np.testing.assert_allclose(found, expected, rtol=GRADIENT)


@pytest.mark.parametrize("domain", DOMAINS)
class TestGradcheck:
    """Autograd against numeric differences, every result, both domains."""

    def network(self, domain: str) -> torch.nn.Module:
        model = tree(DOMAINS[domain], zero=domain == "linear")
        queries = [gh.posterior("x0"), gh.mean("x2"), gh.edge("x1"), gh.log_evidence()]
        return gh.compile(model, queries, given="x2").network()

    def test_in_likelihoods(self, domain):
        x = torch.tensor(np.random.default_rng(1).uniform(0.2, 1, size=(2, 4, 3)))
        x[0, 0, 0] = 1e-3

        assert torch.autograd.gradcheck(self.network(domain), (x.requires_grad_(True),))

    def test_in_potentials(self, domain):
        network = self.network(domain)
        tables = tuple(tracked(network).values())
        x = torch.tensor(X[:2])

        def results(*stacks: Tensor) -> tuple[Tensor, ...]:
            """The answers as a function of tables that are positive."""
            names = dict(zip(network.state_dict(), stacks, strict=True))
            return torch.func.functional_call(network, names, (x,))

        positive = tuple(
            torch.where(table > 1e-10, table, 0.1).detach().requires_grad_(True) for table in tables
        )
        assert torch.autograd.gradcheck(results, positive)


BETA = sp.Symbol("beta", positive=True)


def ising(beta: float) -> Model:
    """Seven spins with one symbol."""
    model = gh.Model("ising")
    root = model.root("root", [-1, 1], prior=[1, 2])
    middle = root.children("middle", 2, [-1, 1], potential=lambda s, t: sp.exp(BETA * s * t))
    middle.children("leaf", 2, [-1, 1], potential=lambda s, t: sp.exp(BETA * s * t / 2))
    return model.bind(beta=beta)


class TestSymbols:
    """The closed form of one program, differentiated by sympy, against autograd of its network."""

    at = 0.7
    seen = np.array([[1, 1, 0, 1]])

    def program(self, given: str | tuple[()] = "leaf"):
        return gh.compile(ising(self.at), [gh.posterior("root"), gh.log_evidence()], given)

    def formulas(self) -> tuple[list[sp.Expr], sp.Expr]:
        """Posterior of the root and log evidence as formulas in beta."""
        spins = (self.seen[..., None] == np.arange(2)).astype(int)
        given = closed_form(self.program().schedule, {"leaf": spins})
        without = closed_form(self.program(()).schedule)
        ratio = given["log_evidence", ""][0] - without["log_evidence", ""][0]
        return list(given["posterior", "root"].ravel()), ratio

    def test_values_and_derivatives_are_those_of_the_closed_form(self):
        network = self.program().network()
        beta = tracked(network)["symbols.beta"]
        posterior, logs = network(torch.tensor(self.seen))

        results = [*posterior.flatten(), logs.squeeze()]
        for result, formula in zip(results, [*self.formulas()[0], self.formulas()[1]], strict=True):
            (slope,) = torch.autograd.grad(result, beta, retain_graph=True)
            (symbol,) = formula.free_symbols
            value, derivative = (
                float(each.subs(symbol, self.at).evalf(30))
                for each in (formula, formula.diff(symbol))
            )
            assert result.item() == pytest.approx(value, rel=ENUMERATION, abs=ENUMERATION)
            assert slope.item() == pytest.approx(derivative, rel=ENUMERATION, abs=ENUMERATION)

    def test_the_straight_line_program_gives_the_same_posterior(self):
        values: dict[sp.Symbol, sp.Expr] = {}
        found: dict[str, float] = {}
        spins = (self.seen[..., None] == np.arange(2)).astype(int)
        likelihoods = {
            sp.Symbol(f"l_leaf_{node}_{state}"): spins[0, node, state]
            for node in range(4)
            for state in range(2)
        }
        for each in self.program().symbolic():
            symbols = {s: likelihoods.get(s, values.get(s)) for s in each.expression.free_symbols}
            symbols = {s: sp.Float(self.at, 30) if v is None else v for s, v in symbols.items()}
            values[sp.Symbol(each.name)] = each.expression.subs(symbols).evalf(30)
            found[each.name] = float(values[sp.Symbol(each.name)])

        posterior, _ = self.program().network()(torch.tensor(self.seen))
        expected = [found[f"posterior_root_0_{state}"] for state in range(2)]
        np.testing.assert_allclose(posterior[0], expected, rtol=ENUMERATION)

    def test_finite_differences_agree(self):
        network = self.program().network()
        beta = tracked(network)["symbols.beta"]
        _, logs = network(torch.tensor(self.seen))
        logs.sum().backward()

        step = 1e-5
        up, down = (
            gh.Inference(ising(self.at + sign * step)).log_evidence({"leaf": 2 * self.seen - 1})
            for sign in (1, -1)
        )
        assert float(beta.grad) == pytest.approx(
            float(up[0] - down[0]) / (2 * step), rel=DIFFERENCES
        )


def score(z: FloatArray, channel: gh.Gaussian | gh.Localization) -> tuple[FloatArray, FloatArray]:
    """Slope of the log density in the observations, and the posterior means there."""
    engine = gh.Inference(tree())
    observed = torch.tensor(z, requires_grad=True)
    logs = engine.log_evidence({"x2": Observed(observed, channel)})
    (slope,) = torch.autograd.grad(logs.sum(), observed)
    means = engine.posteriors({"x2": Observed(z, channel)})["x2"] @ VALUES
    return slope.numpy(), means


Z = np.random.default_rng(2).normal(size=(3, 4)) * 2


class TestTweedie:
    """The slope of the log density in an observation is given by the posterior mean."""

    @pytest.mark.parametrize("channel", [gh.Gaussian(0.6), gh.Gaussian(2.0, scale=-0.5)], ids=repr)
    def test_gaussian_noise(self, channel):
        slope, means = score(Z, channel)

        expected = (channel.scale * means - Z) / channel.sigma**2
        np.testing.assert_allclose(slope, expected, rtol=GRADIENT, atol=GRADIENT)

    @pytest.mark.parametrize("time", [0.0, 0.4, 9.0])
    def test_stochastic_localization(self, time):
        slope, means = score(Z if time else 0 * Z, gh.Localization(time))

        np.testing.assert_allclose(slope, means, rtol=GRADIENT, atol=GRADIENT)

    def test_the_slope_of_a_mean_is_the_posterior_variance(self):
        channel = gh.Gaussian(0.6)
        network = gh.compile(tree(), gh.mean("x2"), gh.noisy("x2", sigma=0.6)).network()
        jacobian = torch.autograd.functional.jacobian(
            lambda z: network(z[None])[0], torch.tensor(Z[0])
        )
        posterior = gh.Inference(tree()).posteriors({"x2": Observed(Z[:1], channel)})["x2"][0]

        variance = posterior @ VALUES**2 - (posterior @ VALUES) ** 2
        np.testing.assert_allclose(jacobian.diagonal(), variance / 0.36, rtol=GRADIENT)
        np.testing.assert_allclose(jacobian, jacobian.t(), rtol=GRADIENT, atol=GRADIENT)

    def test_missing_observations_have_slope_zero(self):
        holes = np.where(np.arange(4) == 1, np.nan, Z)
        slope, _ = score(holes, gh.Gaussian(0.6))

        assert (slope[:, 1] == 0).all()
        assert np.isfinite(slope).all()


@pytest.mark.parametrize("eps", [1e-3, 0.0])
def test_rows_that_are_run_again_have_the_same_gradient(eps):
    """Copies of one state, seen with likelihood ratios of 10^-200: linear arithmetic loses all."""
    model = gh.GHM(states=(2, 2), branching=(3,), tables=[np.eye(2)])
    network = gh.compile(model, [gh.posterior("x0"), gh.log_evidence()], given="x1").network()
    clash = torch.tensor([[1, 1e-200], [1, 1e-200], [1e-300, 1]], dtype=torch.float64)
    x = torch.stack([torch.full((3, 2), 0.5 + eps, dtype=torch.float64), clash]).requires_grad_(
        True
    )
    posterior, logs = network(x)
    (slope,) = torch.autograd.grad(logs.sum(), x)

    assert network.repeated_rows == 1
    np.testing.assert_allclose(logs.detach()[1], np.log(0.5e-300), rtol=ENUMERATION)
    counts = (x * slope).detach()
    expected = posterior.detach()[:, None].expand(-1, 3, -1)
    np.testing.assert_allclose(counts, expected, rtol=GRADIENT, atol=GRADIENT)
