"""First step: half of an unseen digit under the model that ships, checked with pgmpy."""

from __future__ import annotations

import time

import numpy as np

from ghmpp._arrays import FloatArray, IntArray
from ghmpp.demo.comparison import without_right_half
from ghmpp.demo.figures import half_digit
from ghmpp.demo.report import Section
from ghmpp.demo.stage import Stage, busy, require_agreement
from ghmpp.examples import GREY_LEVELS
from ghmpp.inference.beliefs import Beliefs
from ghmpp.inference.queries import Inference
from ghmpp.models.evidence import read_evidence
from ghmpp.models.model import Model

SAMPLES = 4
CAPTION = (
    "The left half of a held-out image, the exact posterior of its digit, the posterior mean of "
    "every pixel, exact samples of the whole image, and the image itself."
)


def half_of_a_digit(stage: Stage) -> Section:
    """What the left half of a held-out image says, and that pgmpy says the same."""
    engine = Inference(stage.model)
    images, truth = stage.split.test, stage.split.test_digits
    halves = without_right_half(images)
    with busy("looking for an ambiguous image"):
        row = most_ambiguous(engine.posteriors({"pixel": halves})["digit"], truth)
    seen, digit = halves[[row]], int(truth[row])

    start = time.perf_counter()
    beliefs = engine.posteriors({"pixel": seen})
    seconds = time.perf_counter() - start
    posterior = beliefs["digit"][0]
    likely = ", ".join(f"{d} ({posterior[d]:.0%})" for d in np.argsort(-posterior)[:3])
    stage.say(f"It sees the left half of an unseen {digit}. Which digit is it? {likely}")

    samples = engine.posterior_sample({"pixel": seen}, SAMPLES, seed=stage.seed)["pixel"][0]
    expected = beliefs["pixel"][0] @ np.array(GREY_LEVELS)
    figure = half_digit(seen[0], posterior, expected, samples, images[row])
    picture = stage.save_picture("half-a-digit", figure, CAPTION)

    with busy("asking pgmpy the same"):
        deviation, pgmpy_seconds = against_pgmpy(stage.model, seen, beliefs)
    require_agreement("pgmpy", deviation)
    hidden = stage.model.forest().nodes - int(np.isfinite(seen).sum())
    stage.say(
        f"pgmpy agrees on all {hidden} hidden variables: largest deviation {deviation:.1e} "
        f"({pgmpy_seconds:.1f} s; ghmpp {1000 * seconds:.0f} ms)"
    )
    stage.numbers["half a digit"] = {
        "image": row,
        "digit": digit,
        "posterior": {str(state): float(mass) for state, mass in enumerate(posterior)},
        "hidden variables": hidden,
        "largest deviation from pgmpy": deviation,
        "seconds": {"pgmpy": pgmpy_seconds, "ghmpp": seconds},
    }
    told = (
        f"The model that ships with ghmpp sees the left half of a {digit} that it was not fitted "
        f"to, chosen because its two best guesses are close: {likely}. Every pixel that it does "
        "not see has a posterior too, and whole images are drawn from all of them jointly, by one "
        f"pass down the tree (Figure {picture.number}).",
        f"pgmpy, an independent library, computes the posteriors of the same {hidden} hidden "
        "variables by variable elimination: no probability differs by more than "
        f"{deviation:.1e}.",
    )
    return Section(told, pictures=(picture,))


def most_ambiguous(posteriors: FloatArray, truth: IntArray) -> int:
    """Of the images that are recognised, the one with the most probable second guess.

    ``posteriors`` has shape (images, digits), ``truth`` (images,).
    """
    right = posteriors.argmax(axis=1) == truth
    second = np.sort(posteriors, axis=1)[:, -2]
    return int(np.where(right, second, -1.0).argmax())


def against_pgmpy(model: Model, seen: FloatArray, beliefs: Beliefs) -> tuple[float, float]:
    """Largest deviation of beliefs from pgmpy's posteriors of all variables; pgmpy's seconds.

    ``seen`` are the pixels that the beliefs were given, (batch, 64), NaN where missing.
    """
    from ghmpp.verification.pgmpy_engines import bayesian_elimination

    observations, _ = read_evidence({"pixel": seen}, model.variables)
    logs = {name: seen.log_likelihood(model.variables[name]) for name, seen in observations.items()}
    start = time.perf_counter()
    answer = bayesian_elimination(model, logs, limit=model.forest().nodes)
    seconds = time.perf_counter() - start
    deviations = [
        np.abs(beliefs[name].reshape(theirs.shape) - theirs).max()
        for name, theirs in answer.posteriors.items()
    ]
    return float(max(deviations)), seconds
