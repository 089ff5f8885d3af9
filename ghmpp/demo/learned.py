"""Step on learning: the same model from scratch, by expectation maximisation."""

from __future__ import annotations

import ast
import inspect
import math

import numpy as np

from ghmpp._arrays import IntArray
from ghmpp.demo.baselines import bits_per_pixel, independent_bits
from ghmpp.demo.comparison import OURS
from ghmpp.demo.figures import learning
from ghmpp.demo.report import Section, Table
from ghmpp.demo.stage import Stage
from ghmpp.examples import GREY_LEVELS, digits_model
from ghmpp.inference.queries import Inference
from ghmpp.learning.em.fit import EM, Step
from ghmpp.schedule.picture import tree_picture

ITERATIONS, QUICK_ITERATIONS, SMOOTHING = 80, 10, 0.02
SAMPLE_ROWS = 4
FILE = "digits.json"
TREE = "The tree: every variable, and the number of nodes and states of each class."
LEARNING = (
    "Left: bits per pixel of unseen images, before learning and after every iteration of EM. "
    "Right: images that the learned model draws, one column for each digit."
)


def learned(stage: Stage) -> Section:
    """Learn all tables from the training images, and judge them on the held-out ones."""
    images, digits = stage.split.test, stage.split.test_digits
    em, curve = fit(stage)
    stage.model = em.model_
    rises = np.diff([step.objective for step in em.history_])
    accuracy = float((Inference(stage.model).classify(images) == digits).mean())
    bits = {
        "uniform": math.log2(len(GREY_LEVELS)),
        "independent pixels": independent_bits(stage.split.train, images, len(GREY_LEVELS)),
        OURS: curve[-1],
    }
    rows = [[name, f"{value:.3f}"] for name, value in bits.items()]
    table = Table(f"{len(images)} unseen images", ["", "bits per pixel"], rows)
    stage.say_table(table)
    stage.say(f"Digits recognised: {accuracy:.1%} of {len(images)} unseen images")
    tree = stage.save_picture("tree", tree_picture(stage.model.forest()), TREE)
    progress = stage.save_picture("learning", learning(curve, bits, drawn(stage)), LEARNING)
    stage.numbers["learning"] = {
        "iterations": len(rises),
        "smallest rise of the objective": float(rises.min()),
        "bits per pixel": bits,
        "accuracy": accuracy,
    }
    told = (
        f"A few lines declare the tree (Figure {tree.number}) and leave all its tables open. "
        f"Expectation maximisation learns them from {len(stage.split.train):,} labelled images, "
        "with exact posteriors in every iteration, so that its objective can only rise: in "
        f"{len(rises)} iterations the smallest rise was {rises.min():.2g} nats.",
        f"On {len(images)} images that were held out, a pixel costs {bits[OURS]:.3f} bits, where "
        f"independent pixels cost {bits['independent pixels']:.3f}, and {accuracy:.1%} of the "
        f"digits are recognised (Figure {progress.number}). One pass from the pixels to the root "
        "gives both.",
    )
    listing = ("The declaration", declaration())
    return Section(told, pictures=(tree, progress), tables=(table,), listings=(listing,))


def fit(stage: Stage) -> tuple[EM, list[float]]:
    """Learn; also the bits per pixel of the held-out images at the start and each iteration."""
    test, curve = stage.split.test, list[float]()

    def judge(step: Step) -> None:
        engine = Inference(em.model_)
        curve.append(bits_per_pixel(engine.log_evidence(test), test.shape[1]))

    file, train = stage.path(FILE), stage.split.train
    em = EM(
        digits_model(),
        iterations=QUICK_ITERATIONS if stage.quick else ITERATIONS,
        smoothing=SMOOTHING,
        seed=stage.seed,
        checkpoint=file,
        callback=judge,
    )
    stage.say(f"Learning from {len(train):,} images; each iteration saves the model in {file}")
    return em.fit(train, digit=stage.split.train_digits), curve


def drawn(stage: Stage) -> list[IntArray]:
    """Rows of images that the model draws, each of shape (10, 64): a column for each digit."""
    engine, digits = Inference(stage.model), np.arange(10)
    images = engine.posterior_sample({"digit": digits}, SAMPLE_ROWS, seed=stage.seed)["pixel"]
    return [images[:, row] for row in range(SAMPLE_ROWS)]


def declaration() -> str:
    """The lines of :func:`ghmpp.examples.digits_model` that declare the model."""
    function = ast.parse(inspect.getsource(digits_model)).body[0]
    assert isinstance(function, ast.FunctionDef)
    return "\n".join(ast.unparse(line) for line in function.body[1:-1])
