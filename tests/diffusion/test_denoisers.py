"""Denoisers from models, networks and functions, against sums over all configurations."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import ghmpp as gh
from ghmpp.diffusion import (
    FunctionDenoiser,
    Guided,
    StochasticLocalization,
    VarianceExploding,
    VariancePreserving,
)
from ghmpp.errors import (
    DenoiserError,
    EvidenceError,
    GhmppError,
    ImpossibleEvidenceError,
    ModelError,
    QueryError,
)
from ghmpp.models.observations import Observation
from ghmpp.verification.enumeration import enumeration
from tests.diffusion.models import broadcast, sticky
from tests.tolerances import ENUMERATION, EXACT

TAU = 0.8


def noisy(rows=6, nodes=4, seed=0):
    return torch.randn(rows, nodes, dtype=torch.float64, generator=generator(seed)) + 1


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def logs(z, values=(1, 2, 3), tau=TAU):
    """Log-likelihoods of localization, by hand."""
    v = np.array(values, dtype=float)
    return z.numpy()[..., None] * v - tau * v**2 / 2


def hard(rows, nodes, states, known):
    """Log-likelihoods of known states, by node."""
    found = np.zeros((rows, nodes, states))
    for node, state in known.items():
        found[:, node] = np.where(np.arange(states) == state, 0.0, -np.inf)
    return found


def test_model_gives_exact_means_and_marginals():
    model, z = sticky(), noisy()
    truth = enumeration(model.forest(), {"x2": logs(z)})
    denoise = gh.denoiser(model)

    np.testing.assert_allclose(denoise(z, TAU), truth.means["x2"], atol=ENUMERATION)
    np.testing.assert_allclose(denoise.marginals(z, TAU), truth.posteriors["x2"], atol=ENUMERATION)
    assert denoise.calls == 2


@pytest.mark.parametrize("known", [{"x0": 2}, {"x1[1]": 0}, {"x0": 1, "x1[0]": 1}])
def test_any_node_can_be_clamped(known):
    model, z = sticky(), noisy()
    seen = {"x2": logs(z)}
    for name, state in known.items():
        level, _, node = name.rstrip("]").partition("[")
        seen[level] = hard(len(z), 1 if level == "x0" else 2, 3, {int(node or 0): state})
    truth = enumeration(model.forest(), seen)

    found = gh.denoiser(model, given=known)
    np.testing.assert_allclose(found(z, TAU), truth.means["x2"], atol=ENUMERATION)


def test_leaves_themselves_can_be_clamped():
    model, z = sticky(), noisy()
    truth = enumeration(model.forest(), {"x2": logs(z) + hard(6, 4, 3, {2: 0})})
    denoise = gh.denoiser(model, given={"x2[2]": 0})

    np.testing.assert_allclose(denoise(z, TAU), truth.means["x2"], atol=ENUMERATION)
    assert denoise(z, TAU)[:, 2].tolist() == [1.0] * 6


def test_rows_can_have_their_own_evidence():
    model, z = sticky(), noisy(3)
    rows = gh.denoiser(model, given={"x0": [0, 1, 2]})

    for state in range(3):
        alone = gh.denoiser(model, given={"x0": state})(z, TAU)
        torch.testing.assert_close(rows(z, TAU)[state], alone[state], rtol=0, atol=EXACT)
    part = rows.part(slice(1, 3))
    torch.testing.assert_close(part(z[1:], TAU), rows(z, TAU)[1:], rtol=0, atol=EXACT)


def test_time_zero_gives_the_prior_mean():
    model = sticky()
    found = gh.denoiser(model)(torch.zeros(2, 4, dtype=torch.float64), 0.0)

    np.testing.assert_allclose(found, 2.0, atol=ENUMERATION)  # the model is symmetric


def test_known_symbols_and_likelihoods_give_posteriors():
    model = sticky()
    x = torch.tensor([[0, -1, 2, -1], [-1, -1, -1, 1]])
    soft = torch.rand(2, 4, 3, dtype=torch.float64, generator=generator()) + 0.1
    denoise = gh.denoiser(model)
    for seen, what in ((x, "states"), (soft, "likelihood")):
        observed = Observation(what, seen)
        given = observed.log_likelihood(model.variables["x2"])
        truth = enumeration(model.forest(), {"x2": given}).posteriors["x2"]

        np.testing.assert_allclose(denoise.marginals_given(observed), truth, atol=ENUMERATION)


def test_symbols_and_clamped_leaves_together():
    model = sticky()
    x = torch.tensor([[0, -1, -1, -1]])
    denoise = gh.denoiser(model, given={"x2[3]": 2})
    truth = enumeration(model.forest(), {"x2": hard(1, 4, 3, {0: 0, 3: 2})}).posteriors["x2"]

    found = denoise.marginals_given(Observation("states", x))
    np.testing.assert_allclose(found, truth, atol=ENUMERATION)


@pytest.mark.parametrize("asked", ["program", "network"])
@pytest.mark.parametrize("channel", ["noisy", "localized"])
def test_programs_and_networks_of_any_channel_are_denoisers(asked, channel):
    model, z = sticky(), noisy()
    given = gh.noisy("x2", sigma=3) if channel == "noisy" else gh.localized("x2", time=9)
    program = gh.compile(model, gh.mean("x2"), given)
    denoise = gh.denoiser(program if asked == "program" else program.network())

    torch.testing.assert_close(denoise(z, TAU), gh.denoiser(model)(z, TAU), rtol=0, atol=EXACT)


def test_network_of_posteriors_gives_means_too_and_takes_evidence():
    model, z = sticky(), noisy()
    program = gh.compile(model, gh.posterior("x2"), [gh.noisy("x2", sigma=1), "x0"])
    found = gh.denoiser(program, given={"x0": 1})(z, TAU)

    wanted = gh.denoiser(model, given={"x0": 1})(z, TAU)
    torch.testing.assert_close(found, wanted, rtol=0, atol=EXACT)


def test_relu_network_stays_within_its_certificate():
    model, z = sticky(), noisy(200)
    program = gh.compile(model, gh.mean("x2"), gh.noisy("x2", sigma=1))
    network = program.network("relu", delta=0.05, dtype="float64")
    for tau in (0.1, 1.0, 10.0):
        off = gh.denoiser(network)(z, tau) - gh.denoiser(model)(z, tau)

        assert float(off.abs().max()) <= network.certificate.bound


def test_trainable_network_is_asked_in_its_own_precision():
    program = gh.compile(sticky(), gh.posterior("x2"), gh.noisy("x2", sigma=1))
    denoise = gh.denoiser(program.network("trainable", width=8))
    found = denoise.marginals(noisy().float(), TAU)

    assert found.dtype == denoise.like.dtype == torch.float32
    torch.testing.assert_close(found.sum(-1), torch.ones(6, 4))


def test_guidance_mixes_two_denoisers():
    model, z = sticky(), noisy()
    free, given = gh.denoiser(model), gh.denoiser(model, given={"x0": 0})
    guided = gh.denoiser(model, given={"x0": 0}, guidance=2.5)
    mixed = free(z, TAU) + 2.5 * (given(z, TAU) - free(z, TAU))

    torch.testing.assert_close(guided(z, TAU), mixed, rtol=0, atol=EXACT)
    assert guided.calls == 2
    probabilities = guided.marginals(z, TAU)
    assert bool((probabilities >= 0).all())
    torch.testing.assert_close(probabilities.sum(-1), torch.ones(6, 4, dtype=torch.float64))


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_guidance_of_one_and_zero_is_one_of_the_two(weight):
    model, z = sticky(), noisy()
    free, given = gh.denoiser(model), gh.denoiser(model, given={"x0": 0})
    guided = Guided(given, free, weight)

    wanted = given if weight else free
    torch.testing.assert_close(guided(z, TAU), wanted(z, TAU), rtol=0, atol=EXACT)
    found = guided.marginals_given(Observation("states", torch.tensor([[-1, 0, -1, -1]])))
    alone = wanted.marginals_given(Observation("states", torch.tensor([[-1, 0, -1, -1]])))
    torch.testing.assert_close(found, alone, rtol=0, atol=EXACT)


@pytest.mark.parametrize(
    "process", [StochasticLocalization(), VariancePreserving(), VarianceExploding()], ids=str
)
@pytest.mark.parametrize("predicts", ["mean", "noise", "score"])
def test_functions_of_every_convention_are_denoisers(process, predicts):
    model, z = sticky(), noisy()
    exact = gh.denoiser(model, process=process)

    def function(z, t):
        alpha, sigma = process.coefficients(t)
        mean = exact(z, t)
        if predicts == "score":
            return process.score(mean, z, t)
        return (z - alpha * mean) / sigma if predicts == "noise" else mean

    denoise = gh.denoiser(function, like=model, process=process, predicts=predicts)
    assert denoise.calls == 0
    t = process.time(TAU)
    torch.testing.assert_close(denoise(z, t), exact(z, t), rtol=0, atol=1e-10)


def test_function_with_two_states_has_marginals():
    model, z = broadcast(2, values=(-1, 3)), noisy()
    exact = gh.denoiser(model)
    denoise = gh.denoiser(lambda z, t: exact(z, t), like=model)

    found = denoise.marginals(z, TAU)
    torch.testing.assert_close(found, exact.marginals(z, TAU), rtol=0, atol=EXACT)


def test_function_with_more_states_has_no_marginals():
    model = sticky()
    exact = gh.denoiser(model)
    denoise = gh.denoiser(lambda z, t: exact(z, t), like=model)

    with pytest.raises(QueryError, match="gives means, and no probabilities"):
        denoise.marginals(noisy(), TAU)
    with pytest.raises(QueryError, match="'masked' and 'symbols' ask for posteriors"):
        gh.diffuse(denoise, 2, sampler="masked")


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda z, t: z[:, :1], r"shape \(2000, 4\).* returned \(2000, 1\)"),
        (lambda z, t: z.numpy(), "returned ndarray"),
        (lambda z, t: z * torch.nan, "returned NaN or infinity"),
    ],
)
def test_functions_that_return_nonsense_are_refused(function, says):
    with pytest.raises(DenoiserError, match=says):
        gh.denoiser(function, like=sticky())


def test_denoiser_error_is_ours_and_a_value_error():
    assert issubclass(DenoiserError, GhmppError)
    assert issubclass(DenoiserError, ValueError)


def test_values_can_be_given_where_states_have_none():
    model = gh.zoo.broadcast(depth=2, flip=0.1)
    z = noisy()
    wanted = gh.denoiser(broadcast(2, values=(-1, 1)))(z, TAU)

    torch.testing.assert_close(
        gh.denoiser(model, values=(-1, 1))(z, TAU), wanted, rtol=0, atol=EXACT
    )


def test_states_without_values_have_no_gaussian_denoiser():
    model = gh.zoo.broadcast(depth=2, flip=0.1)

    with pytest.raises(QueryError, match="no numeric values, which Gaussian noise needs"):
        gh.diffuse(model, 3)


def as_function(z, t):
    return z


@pytest.mark.parametrize(
    ("source", "options", "error", "says"),
    [
        ("model", {"guidance": 2.0}, QueryError, "guidance=2.0 needs given="),
        ("model", {"like": 1}, QueryError, "like= is not for a model"),
        ("model", {"predicts": "noise"}, QueryError, "predicts= is not for a model"),
        ("model", {"variable": "x9"}, QueryError, "unknown class 'x9'"),
        ("model", {"given": {"x9": 1}}, EvidenceError, "x9"),
        ("model", {"values": [1, 2]}, ModelError, r"shape \(3,\)"),
        ("denoiser", {"given": {"x0": 1}}, QueryError, "this is one already"),
        ("function", {}, QueryError, "pass like="),
        ("function", {"given": {"x0": 1}}, QueryError, "given= is not for a function"),
        ("function", {"like": "model", "predicts": "x0"}, QueryError, "unknown predicts='x0'"),
        ("network", {"values": [1, 2, 3]}, QueryError, "values= is not for a compiled network"),
        ("network", {"given": {"x0": 1}}, QueryError, "nothing else given .* has x0"),
        ("network", {"variable": "x1"}, QueryError, "for one leaf"),
    ],
)
def test_options_that_do_not_fit_are_refused(source, options, error, says):
    model = sticky()
    sources = {
        "model": model,
        "denoiser": gh.denoiser(model),
        "function": as_function,
        "network": gh.compile(model, gh.mean("x2"), gh.noisy("x2", sigma=1)),
    }
    options = {**options, "like": model} if options.get("like") == "model" else options

    with pytest.raises(error, match=says):
        gh.denoiser(sources[source], **options)


def test_clamps_of_probability_zero_are_refused():
    model = gh.GHM((2, 2), (2,), [[[1, 0], [0, 1]]], prior=[1, 0], state_values=[0, 1])

    with pytest.raises(ImpossibleEvidenceError, match="x0"):
        gh.denoiser(model, given={"x0": 1})


def test_network_of_means_has_no_marginals():
    denoise = gh.denoiser(gh.compile(sticky(), gh.mean("x2"), gh.noisy("x2", sigma=1)))

    with pytest.raises(QueryError, match=r"compile gh.posterior\('x2'\)"):
        denoise.marginals(noisy(), TAU)


def test_guidance_needs_two_of_a_kind():
    model = sticky()
    one = gh.denoiser(model)

    with pytest.raises(QueryError, match="the same class"):
        Guided(one, gh.denoiser(broadcast(3)), 1.0)
    with pytest.raises(QueryError, match="the same process"):
        Guided(one, gh.denoiser(model, process=VariancePreserving()), 1.0)


def test_denoisers_say_what_they_are():
    found = repr(gh.denoiser(sticky()))

    assert found == "NetworkDenoiser of 'x2' (4 nodes), StochasticLocalization()"
    assert FunctionDenoiser.__name__ in repr(gh.denoiser(as_function, like=sticky(), check=False))


def test_real_variables_are_refused_with_the_cure():
    tree = gh.GaussianGHM(branching=(2,), weights=0.8, noises=0.4)
    program = gh.compile(tree, gh.mean("x1"), gh.localized("x1", time=1.0))

    with pytest.raises(QueryError, match=r"holds real numbers.*sample the model itself"):
        gh.diffuse(program, n=2, steps=2, seed=0)
