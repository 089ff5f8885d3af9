"""What the demo compares with, against closed forms and direct sums."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from math import exp, log2

import numpy as np
import pytest

from ghmpp.demo.baselines import (
    RIDGE,
    NormalImages,
    bits_per_pixel,
    independent_bits,
    mean_squared_error,
    memorised,
)
from tests.tolerances import EXACT

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 17, (200, 6))
IMAGES[:, 1] = (IMAGES[:, 0] + IMAGES[:, 1]) // 2


@pytest.fixture
def normal() -> NormalImages:
    return NormalImages.fitted(IMAGES)


class TestNormalImages:
    def test_moments_are_those_of_the_images(self, normal):
        deviations = IMAGES - IMAGES.mean(axis=0)

        np.testing.assert_allclose(normal.mean, IMAGES.sum(axis=0) / 200, rtol=EXACT)
        np.testing.assert_allclose(normal.covariance, deviations.T @ deviations / 199, rtol=EXACT)

    def test_one_pixel_is_shrunk_toward_the_mean(self):
        normal = NormalImages(np.array([2.0]), np.array([[9.0]]))

        found = normal.denoise(np.array([[12.0]]), sigma=4.0)
        np.testing.assert_allclose(found, [[2 + 10 * 9 / 25]], rtol=EXACT)

    def test_denoising_is_the_mean_of_the_joint_normal_by_precisions(self, normal):
        noisy, sigma = IMAGES[:3] + RNG.normal(size=(3, 6)), 1.5
        precision = np.linalg.inv(normal.covariance)
        weighted = normal.mean @ precision + noisy / sigma**2

        expected = weighted @ np.linalg.inv(precision + np.eye(6) / sigma**2)
        np.testing.assert_allclose(normal.denoise(noisy, sigma), expected, rtol=1e-9)

    def test_completion_keeps_what_is_seen(self, normal):
        seen = IMAGES[:2].astype(float)
        seen[:, 2] = np.nan

        found = normal.complete(seen)
        np.testing.assert_array_equal(np.delete(found, 2, axis=1), np.delete(IMAGES[:2], 2, axis=1))

    def test_completion_is_the_conditional_mean_by_precisions(self, normal):
        seen = IMAGES[:1].astype(float)
        seen[0, [1, 4]] = np.nan
        known = ~np.isnan(seen[0])
        precision = np.linalg.inv(normal.covariance + RIDGE * np.diag(known))

        found = normal.complete(seen)[0, ~known]
        pull = precision[np.ix_(~known, known)] @ (seen[0] - normal.mean)[known]
        expected = normal.mean[~known] - np.linalg.solve(precision[np.ix_(~known, ~known)], pull)
        np.testing.assert_allclose(found, expected, rtol=1e-9)

    def test_constant_pixels_do_no_harm(self):
        images = IMAGES.copy()
        images[:, 0] = 3
        seen = images[:1].astype(float)
        seen[0, 5] = np.nan

        assert np.isfinite(NormalImages.fitted(images).complete(seen)).all()


class TestMemorised:
    def test_is_a_mean_of_training_images_weighted_by_likelihood(self):
        noisy, sigma = np.array([[3.0, 5.0]]), 2.0
        images = np.array([[3, 4], [0, 9], [7, 7]])
        weights = [exp(-((3 - a) ** 2 + (5 - b) ** 2) / (2 * sigma**2)) for a, b in images.tolist()]

        expected = np.array(weights) @ images / sum(weights)
        np.testing.assert_allclose(memorised(images, noisy, sigma)[0], expected, rtol=EXACT)

    def test_little_noise_recalls_an_image(self):
        found = memorised(IMAGES, IMAGES[:5] + 0.01, sigma=0.05)

        np.testing.assert_allclose(found, IMAGES[:5], atol=EXACT)


class TestScores:
    def test_independent_pixels_cost_what_their_histograms_say(self):
        train, test = np.array([[0, 1], [0, 0], [2, 1]]), np.array([[0, 2], [1, 1]])
        bits = []
        for pixel in range(2):
            counts = Counter(train[:, pixel].tolist())
            for level in test[:, pixel].tolist():
                share = (counts[level] + Fraction(1, 10)) / (3 + Fraction(3, 10))
                bits.append(-log2(share))

        assert independent_bits(train, test, 3) == pytest.approx(sum(bits) / 4, rel=EXACT)

    def test_bits_of_fair_coins(self):
        assert bits_per_pixel(np.log([1 / 8, 1 / 8]), pixels=3) == pytest.approx(1.0, rel=EXACT)

    def test_squared_error(self):
        assert mean_squared_error(np.array([[1.0, 2.0]]), np.array([[3, 2]])) == 2.0
