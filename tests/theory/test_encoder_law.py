"""Laws of Langevin encoders: figures that were reached elsewhere, and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

import ghmpp as gh
from ghmpp.errors import QueryError
from tests.models.generators import BENT, BENT_Z, latent, linear, residual
from tests.tolerances import EXACT, GRID


def line(share, **options):
    """Law of the encoder of the bent generator, noise 1/2, at step ``share / (M / beta)^2``."""
    model = latent(BENT, noise=0.5)
    step = share * 0.25 / model.invertibility.largest**2
    return gh.encoder_law(model, model.generator(BENT_Z), gh.Langevin(step=step, **options))


def normal(share, layers=None):
    """Law of the encoder of the linear generator, noise 1/5."""
    model = latent(linear(), noise=0.2)
    step = share / (1 + 4 / 0.04)
    gradient_steps = 25
    steps = None if layers is None else layers - gradient_steps
    x = model.sample(1, seed=5)["x"][0]
    return gh.encoder_law(model, x, gh.Langevin(gradient_steps, steps, step))


def test_divergence_of_a_linear_encoder_falls_as_the_square_of_the_step():
    assert normal(0.1, layers=420).divergence <= 2e-3
    assert normal(0.02).divergence <= 0.06 * normal(0.1).divergence


def test_long_linear_encoder_has_the_stationary_law_of_its_steps():
    """Covariance ``2h (I - A^2)^{-1}``, so each variance is ``1 / (p (1 - h p / 2))``."""
    law = normal(0.1, layers=3000)
    precision = np.linalg.inv(law.posterior_covariance)
    step = law.engine.step
    wanted = np.linalg.inv(precision @ (np.eye(5) - step * precision / 2))

    assert np.abs(law.covariance - wanted).max() < EXACT
    assert np.abs(law.mean - law.posterior_mean).max() < EXACT


def test_posterior_of_a_linear_generator_is_that_of_the_joint_normal_law():
    model = latent(linear(), noise=0.2)
    (weight, bias), x = linear()[0], model.sample(1, seed=5)["x"][0]
    gain = weight.T @ np.linalg.inv(weight @ weight.T + 0.04 * np.eye(5))
    law = normal(0.1)

    assert np.abs(law.posterior_mean - gain @ (x - bias)).max() < EXACT
    assert np.abs(law.posterior_covariance - (np.eye(5) - gain @ weight)).max() < EXACT


def test_divergence_of_one_dimension_is_the_textbook_formula():
    law = gh.encoder_law(latent([([[2.0]], None)], 0.5), [1.0], gh.Langevin(steps=3))
    s, v = law.covariance[0, 0], law.posterior_covariance[0, 0]
    apart = law.mean[0] - law.posterior_mean[0]

    assert law.divergence == pytest.approx(
        (s / v - 1 - np.log(s / v) + apart**2 / v) / 2, rel=EXACT
    )


def test_encoder_of_a_curve_is_close_and_beats_every_normal_encoder():
    law = line(0.1, gradient_steps=50, steps=150)

    assert law.total_variation <= 0.005
    assert law.best_normal[2] > 0.043


def test_encoder_of_a_curve_improves_with_smaller_steps():
    found = [line(share).total_variation for share in (0.5, 0.1, 0.02)]

    assert found[0] > 4 * found[1] > 16 * found[2]


def test_grid_has_the_law_of_many_chains():
    law = line(0.5, gradient_steps=0, steps=4)
    model, chains = latent(BENT, noise=0.5), 20_000
    x = np.broadcast_to(model.generator(BENT_Z), (chains, 1))
    network = gh.compile(model, gh.draw("z"), ["x"], engine=law.engine).network()
    z = network(x, seed=1).numpy()
    cumulative = np.cumsum(law.density) * (law.z[1] - law.z[0])
    shares = (z[:, None] <= law.z[::20] + (law.z[1] - law.z[0]) / 2).mean(0)

    assert np.abs(shares - cumulative[::20]).max() < 1.95 / np.sqrt(chains)


def test_law_of_a_line_agrees_with_the_closed_form_where_both_are_known():
    bent = [([[1.5]], [0.2], None), ([[1e-9]], None, "tanh"), ([[0.0]], [0.2], None, [[1.5]])]
    engine = gh.Langevin(5, 40, 0.01, 0.3)
    law = gh.encoder_law(latent(bent, noise=0.5), [1.0], engine)
    straight = gh.encoder_law(latent([([[2.25]], [0.5])], noise=0.5), [1.0], engine)
    wanted = norm.pdf(law.z, straight.mean[0], np.sqrt(straight.covariance[0, 0]))
    posterior = norm.pdf(
        law.z, straight.posterior_mean[0], np.sqrt(straight.posterior_covariance[0, 0])
    )

    assert np.abs(law.density - wanted).max() < GRID
    assert np.abs(law.posterior - posterior).max() < GRID
    assert law.best_normal[2] < GRID


def test_observations_far_from_the_prior_have_a_law():
    law = gh.encoder_law(latent(BENT, noise=0.5), [30.0])

    assert law.total_variation < 0.02
    assert law.z[0] < 23 < law.z[-1]


def test_slopes_that_the_samples_missed_are_noticed():
    hidden = [([[8.0]], [-36.0], "tanh"), ([[3.0]], None, None, [[1.0]])]  # steep at 4.5 only

    with pytest.raises(QueryError, match="steeper there than at its samples"):
        gh.encoder_law(latent(hidden, noise=0.5), [4.5])


@pytest.mark.parametrize(
    ("layers", "x", "engine", "words"),
    [
        (linear(), [0.0], None, "x must be 5 finite numbers"),
        (BENT, [np.nan], None, "encoder_law: x must be 1 finite numbers"),
        (BENT, "far", None, "one observation, got 'far'"),
        (residual(), np.zeros(3), None, "nonlinear in 3. Draw samples"),
        (BENT, [0.0], gh.Langevin(steps=0), "encoder is a point"),
        (BENT, [0.0], gh.Langevin(step=1e-9, steps=1), "need a grid of"),
    ],
)
def test_laws_that_are_not_known_are_refused(layers, x, engine, words):
    with pytest.raises(QueryError, match=words):
        gh.encoder_law(latent(layers), x, engine)
