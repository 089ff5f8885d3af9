import numpy as np
import pytest

import ghmpp as gh
from ghmpp.errors import QueryError
from tests.learning.experiments.questions import classify, denoise, tree
from tests.tolerances import ENUMERATION, EXACT, SIGMAS


def test_it_is_the_least_squares_fit_of_many_draws():
    model = tree(bound=10)
    rng = np.random.default_rng(0)
    x = model.sample(50_000)["x2"].astype(float)
    z = 2.0 * x + 0.8 * rng.standard_normal(x.shape)
    given = gh.noisy("x2", sigma=0.8, scale=2.0)
    program = gh.compile(model, gh.mean("x2"), given=given)

    found = gh.linear_denoiser(program)

    design = np.c_[z, np.ones(len(z))]
    fit = np.linalg.lstsq(design, x)[0]
    errors = ((design @ fit - x) ** 2).mean(1)
    ours = ((found(z) - x) ** 2).mean(1)
    spread = errors.std() / np.sqrt(len(x))
    assert abs(errors.mean() - found.risk) < SIGMAS * spread
    assert abs(ours.mean() - found.risk) < SIGMAS * spread
    assert np.abs(fit[:-1].T - found.weight).max() < SIGMAS / np.sqrt(len(x))


def test_other_classes_can_be_asked_for_and_given_together():
    model = gh.GHM((2, range(2), range(3)), (2, 2), [[[3, 1], [1, 3]], [[4, 2, 1], [1, 2, 4]]])
    seen = [gh.noisy("x1", sigma=0.5), gh.noisy("x2", sigma=1.0)]

    both = gh.linear_denoiser(gh.compile(model, gh.mean("x1"), given=seen))
    below = gh.linear_denoiser(gh.compile(model, gh.mean("x1"), given=seen[1]))

    assert both.weight.shape == (2, 6)
    assert both.risk < below.risk


def test_bayes_is_better_and_the_mean_alone_is_worse():
    program = denoise(tree(bound=10))
    bayes = gh.bayes_risk(program, n=4000).square

    linear = gh.linear_denoiser(program).risk
    blind = gh.linear_denoiser(gh.compile(program.model, gh.mean("x2"), gh.localized("x2", time=0)))

    assert bayes.interval[1] < linear < blind.risk
    assert (blind.weight == 0).all()


def test_noise_of_a_call_counts():
    model = tree()

    changed = gh.linear_denoiser(denoise(model), sigma=3.0)

    assert changed.risk == pytest.approx(gh.linear_denoiser(denoise(model, sigma=3.0)).risk)
    assert abs(changed.risk - gh.linear_denoiser(denoise(model)).risk) > ENUMERATION


def test_values_without_noise_are_found():
    found = gh.linear_denoiser(denoise(tree(), sigma=1e-8))

    assert found.risk < EXACT
    assert "4 observations -> 4 means" in repr(found)


def test_other_questions_are_refused():
    model = tree()
    with pytest.raises(QueryError, match="a mean, not a posterior"):
        gh.linear_denoiser(classify(model))
    with pytest.raises(QueryError, match="noisy"):
        gh.linear_denoiser(gh.compile(model, gh.mean("x2"), given="x2"))
