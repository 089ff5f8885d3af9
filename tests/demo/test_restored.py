"""Steps on damaged images: what is damaged, and how the estimates compare on few images."""

from __future__ import annotations

import numpy as np

from ghmpp.demo.comparison import OURS
from ghmpp.demo.restored import missing_trials, noisy_trials
from tests.demo.stages import small_stage


def test_noise_has_the_stated_size(tmp_path):
    for trial, sigma in zip(noisy_trials(small_stage(tmp_path)), (2, 4, 8), strict=True):
        assert trial.title == f"sigma = {sigma}"
        assert abs((trial.damaged - trial.truth).std() - sigma) < 0.05 * sigma


def test_posterior_mean_beats_the_wiener_filter_at_moderate_noise(tmp_path):
    for trial in noisy_trials(small_stage(tmp_path))[:2]:
        assert trial.errors[OURS] < 0.85 * trial.errors["Wiener filter"]


def test_memorised_images_win_under_strong_noise_when_there_are_many(tmp_path):
    stage = small_stage(tmp_path)
    stage.split = type(stage.split)(*_all_but_few_tests())

    assert noisy_trials(stage)[2].best == "memorised images"


def test_missing_pixels_are_half_of_the_image(tmp_path):
    trials, _ = missing_trials(small_stage(tmp_path))
    shares = [np.isnan(trial.damaged).mean() for trial in trials]

    assert shares[0] == 0.5
    assert abs(shares[1] - 0.5) < 0.05


def test_estimates_keep_the_pixels_that_are_seen(tmp_path):
    trials, _ = missing_trials(small_stage(tmp_path))

    for trial in trials:
        seen = ~np.isnan(trial.damaged)
        for images in trial.estimates.values():
            np.testing.assert_allclose(images[seen], trial.truth[seen], atol=1e-9)


def test_half_an_image_is_mostly_enough_to_recognise_the_digit(tmp_path):
    _, accuracy = missing_trials(small_stage(tmp_path))

    assert min(accuracy.values()) > 0.6


def _all_but_few_tests():
    from ghmpp.examples import digits_split

    split = digits_split()
    return split.train, split.test[:150], split.train_digits, split.test_digits[:150]
