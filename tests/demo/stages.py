"""A stage of the demo for tests: the model that ships, and few images."""

from __future__ import annotations

from pathlib import Path

from ghmpp.demo.stage import Stage
from ghmpp.examples import DigitsSplit, digits, digits_split


def small_stage(folder: Path) -> Stage:
    """A quick stage with 200 images to learn from and 60 held out."""
    split = digits_split()
    parts = (split.train[:200], split.test[:60], split.train_digits[:200], split.test_digits[:60])
    return Stage(folder, DigitsSplit(*parts), digits(), quick=True)
