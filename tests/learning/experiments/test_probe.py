import numpy as np
import pytest
import torch

import ghmpp as gh
from ghmpp.errors import QueryError
from ghmpp.learning.experiments.activations import activations
from ghmpp.learning.experiments.probe import exact_messages
from ghmpp.learning.experiments.ridge import Ridge
from ghmpp.models.channels import Given
from tests.learning.experiments.questions import classify, denoise, tree
from tests.tolerances import SEARCH, SINGLE


def scores(table):
    return table.pivot(index="layer", columns="message", values="r2")


@pytest.mark.parametrize("features", [5, 400])
def test_a_linear_function_is_found(features):
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(300, 5))
    x = hidden if features == 5 else hidden @ rng.normal(size=(5, features))

    score = Ridge(x + 100.0, 200).score(hidden @ rng.normal(size=(5, 3)) - 7.0)

    assert score == pytest.approx(1, abs=SEARCH)


def test_ridge_is_least_squares_where_nothing_is_to_be_shrunk():
    rng = np.random.default_rng(0)
    x, noise = rng.normal(size=(1200, 4)), rng.normal(size=(1200, 1))
    y = x @ rng.normal(size=(4, 1)) + noise

    score = Ridge(x, 800).score(y)

    design = np.c_[x, np.ones(len(x))]
    fit = np.linalg.lstsq(design[:800], y[:800])[0]
    errors = ((y - design @ fit)[800:] ** 2).sum()
    assert score == pytest.approx(1 - errors / ((y[800:] - y[800:].mean()) ** 2).sum(), abs=1e-3)


def test_noise_and_constants_explain_nothing():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(300, 50)), rng.normal(size=(300, 2))

    assert Ridge(x, 200).score(y) < 0.1
    assert Ridge(np.ones((300, 3)), 200).score(y) < 0.1
    assert np.isnan(Ridge(x, 200).score(np.ones((300, 2))))


def test_exact_messages_are_those_of_the_equations():
    model = tree(branching=(2, 3))
    table = model.forest().data["x1->x2"]
    z = np.random.default_rng(0).normal(size=(7, 6))
    program = gh.compile(model, [gh.posterior("x0"), gh.posterior("x2")], gh.noisy("x2", sigma=1))

    found = exact_messages(program, (torch.tensor(z),), {"sigma": 2.0})

    values = np.arange(3)
    h = np.exp(-((z[..., None] - values) ** 2) / 8)
    logs = np.log(np.einsum("bnra,rsa->bnrs", h.reshape(7, 2, 3, 3), table)).reshape(7, 6, 3)
    logs -= logs.mean(-1, keepdims=True)
    message = found["x2 -> x1", "root", "log"].reshape(7, 6, 3)
    assert np.abs(message.numpy() - logs).max() < 1e-12


@pytest.mark.parametrize("family", ["exact", "relu"])
def test_layers_of_emitted_networks_are_their_messages(family):
    model, given = tree(), gh.noisy("x2", sigma=1.0)
    options = {} if family == "exact" else {"delta": 1e-3}
    network = gh.compile(model, gh.mean("x2"), given).network(family, **options)

    table = scores(gh.probe(network, model, given, n=300))

    for layer, message in (
        ("collect.x2", "x2 -> x1"),
        ("collect.x1", "x1 -> x0"),
        ("distribute.x1", "x0 -> x1"),
        ("distribute.x2", "x1 -> x2"),
    ):
        assert table.loc[layer, message] > 1 - SINGLE
    assert table.loc["collect.x1", "x2 -> x1"] < 0.95


def test_standard_networks_are_probed_layer_by_layer():
    model = tree()
    program = classify(model)
    network = gh.baseline(program, "mlp", width=4)

    table = gh.probe(network, model, "x2", n=300)

    names = ["input", *(f"body.{k}" for k in range(6))]
    assert list(table["layer"].unique()) == names
    linear = table.set_index(["layer", "message"])
    assert linear.loc[("input", "x2 -> x1"), "r2"] > 1 - SEARCH  # a table of the symbols
    assert (table["r2"] <= 1).all()
    assert (table["space"] == "log").all()


def test_messages_with_zeros_are_probed_as_probabilities():
    model = gh.zoo.random_hierarchy(3, 2, 2, 3)
    network = classify(model, leaf="x3").network("trainable", width=4)

    table = gh.probe(network, model, "x3", n=200)

    assert "linear" in set(table["space"])
    assert table["r2"].notna().all()


def test_rows_that_run_in_parts_and_layers_that_run_often_stay_together():
    chain = gh.zoo.hidden_markov(4, [[0.9, 0.1], [0.2, 0.8]], [[0.7, 0.3], [0.1, 0.9]])
    program = gh.compile(chain, gh.posterior("state"), "symbol")
    x = (torch.tensor(chain.sample(50)["symbol"]),)

    whole = activations(program.network(chunk=50), x, {}, 50)
    parts = activations(program.network(chunk=7), x, {}, 50)

    assert whole["collect.state"].shape == (50, 3 * 2)
    assert whole.keys() == parts.keys()
    assert all(torch.allclose(whole[name], parts[name]) for name in whole)


def test_what_cannot_be_probed_is_refused():
    model = tree()
    network = classify(model).network()
    laplace = gh.LogLikelihood(lambda values, z: -abs(z[..., None] - values))
    small = gh.zoo.broadcast(2, 0.1)
    for arguments, words in (
        ((len, model, "x2"), "torch module"),
        ((network, model, "x2", 10), "n must be"),
        ((classify(small).network(), small, "x2"), "only 16 different inputs"),
        ((network, model, Given("x2", laplace)), "noisy"),
        ((torch.nn.Flatten(), model, "x2"), "no layer"),
    ):
        with pytest.raises(QueryError, match=words):
            gh.probe(*arguments)
    broken = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Hardtanh(), torch.nn.Flatten())
    broken[1].forward = lambda z: z * float("nan")
    with pytest.raises(QueryError, match="'1' sends numbers that are not finite"):
        gh.probe(broken, model, gh.noisy("x2", sigma=1.0))
    assert not broken[0]._forward_hooks
    assert denoise(model).network().collect["x2"]._forward_hooks == {}
