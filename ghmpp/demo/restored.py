"""Steps on damaged images: noise is taken away, and missing pixels are filled in."""

from __future__ import annotations

import numpy as np

from ghmpp.demo import comparison
from ghmpp.demo.baselines import NormalImages, memorised
from ghmpp.demo.comparison import OURS, Trial
from ghmpp.demo.report import Section
from ghmpp.demo.stage import Stage
from ghmpp.examples import GREY_LEVELS
from ghmpp.inference.queries import Inference

SIGMAS = (2.0, 4.0, 8.0)
NOISY_SHOWN, MISSING_SHOWN = 5, 8
DENOISED = (
    "Unseen digits with noise of three standard deviations sigma, and three estimates. The "
    "numbers are mean squared errors over all unseen images."
)
COMPLETED = (
    "Unseen digits without their right half, and without each pixel with probability one half "
    "(tinted), and three estimates. The numbers are mean squared errors per missing pixel."
)


def denoised(stage: Stage) -> Section:
    """Noisy held-out images: exact posterior means beside other estimates."""
    trials = noisy_trials(stage)
    count = len(stage.split.test)
    table = comparison.table(f"Mean squared error per pixel, {count} unseen images", trials)
    stage.say_table(table)
    best = comparison.winners(trials)
    stage.say(best)
    shown = comparison.one_of_each(stage.split.test_digits, NOISY_SHOWN)
    picture = stage.save_picture("denoised", comparison.grid(trials, shown), DENOISED)
    stage.numbers["denoising"] = {trial.title: trial.errors for trial in trials}
    told = (
        "Gaussian noise is added to images that no step learns from (grey levels are 0 to 16), "
        "and every pixel is estimated by its exact posterior mean. Nothing was trained to remove "
        f"noise, and one compiled network serves all noise levels (Figure {picture.number}).",
        "Beside it: the Wiener filter, which is the best linear estimate, with the full "
        "covariance of the training images; and the exact posterior mean if only the training "
        "images could occur (memorised images).",
        f"{best} Under strong noise it helps to remember whole images: the quadrants of the tree "
        "know of each other through the digit only.",
    )
    return Section(told, pictures=(picture,), tables=(table,))


def noisy_trials(stage: Stage) -> list[Trial]:
    """The held-out images at each noise level, with all estimates."""
    train, test = stage.split.train, stage.split.test
    normal, engine = NormalImages.fitted(train), Inference(stage.model)
    noise = np.random.default_rng(stage.seed).standard_normal(test.shape)
    trials = []
    for sigma in SIGMAS:
        noisy = test + sigma * noise
        estimates = {
            "Wiener filter": normal.denoise(noisy, sigma),
            "memorised images": memorised(train, noisy, sigma),
            OURS: engine.denoise(noisy, sigma),
        }
        trials.append(Trial(f"sigma = {sigma:g}", noisy, test, estimates))
    return trials


def completed(stage: Stage) -> Section:
    """Held-out images with missing pixels: posterior means beside other estimates."""
    trials, accuracy = missing_trials(stage)
    count = len(stage.split.test)
    table = comparison.table(f"Mean squared error per missing pixel, {count} images", trials)
    stage.say_table(table)
    best = comparison.winners(trials)
    stage.say(best)
    known = ", ".join(f"{share:.1%} ({title})" for title, share in accuracy.items())
    stage.say(f"Digits recognised: {known}")
    shown = comparison.one_of_each(stage.split.test_digits, MISSING_SHOWN)
    picture = stage.save_picture("completed", comparison.grid(trials, shown), COMPLETED)
    stage.numbers["missing pixels"] = {trial.title: trial.errors for trial in trials}
    stage.numbers["accuracy with missing pixels"] = accuracy
    told = (
        "A pixel that is missing sends no message, and that is all: nothing is imputed and "
        f"nothing is trained again. Figure {picture.number} shows the posterior mean of every "
        "missing pixel, beside the mean of the training images and the linear estimate from the "
        "pixels that are seen.",
        f"{best} By squared error a linear estimate comes close; but the tree also knows what it "
        f"is looking at. Digits recognised from what is left: {known}.",
    )
    return Section(told, pictures=(picture,), tables=(table,))


def missing_trials(stage: Stage) -> tuple[list[Trial], dict[str, float]]:
    """The held-out images without some pixels, with all estimates; accuracy on the digits."""
    test = stage.split.test
    normal, engine = NormalImages.fitted(stage.split.train), Inference(stage.model)
    scattered = np.random.default_rng(stage.seed).random(test.shape) < 0.5
    damages = {
        "right half missing": comparison.without_right_half(test),
        "half of the pixels missing": np.where(scattered, np.nan, test),
    }
    trials, accuracy = [], {}
    for title, seen in damages.items():
        beliefs = engine.posteriors({"pixel": seen})
        estimates = {
            "mean image": np.where(np.isnan(seen), normal.mean, seen),
            "linear estimate": normal.complete(seen),
            OURS: beliefs["pixel"] @ np.array(GREY_LEVELS),
        }
        trials.append(Trial(title, seen, test, estimates))
        right = beliefs["digit"].argmax(axis=1) == stage.split.test_digits
        accuracy[title] = float(right.mean())
    return trials, accuracy
