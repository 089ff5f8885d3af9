"""The script that made the model of :func:`ghmpp.examples.digits`.

``python -m ghmpp.examples.fit_digits`` takes about ten seconds and replaces the shipped files.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ghmpp.examples import digits_model, digits_split
from ghmpp.inference.queries import Inference
from ghmpp.learning.em.fit import fit
from ghmpp.models.model import Model

DATA = Path(__file__).parent / "data"


def fit_digits() -> Model:
    """The quad-tree fitted to the training images, each with its digit: 80 iterations, seed 0."""
    split = digits_split()
    return fit(
        digits_model(),
        split.train,
        digit=split.train_digits,
        iterations=80,
        smoothing=0.02,
        seed=0,
    )


def main() -> None:
    """Fit, save into the package, and print how good the model is on held-out images."""
    model = fit_digits()
    DATA.mkdir(exist_ok=True)
    model.save(DATA / "digits.json")
    split, engine = digits_split(), Inference(model)
    bits = -engine.log_evidence(split.test).mean() / np.log(2) / split.test.shape[1]
    right = (engine.classify(split.test) == split.test_digits).mean()
    size = sum(file.stat().st_size for file in DATA.glob("digits.*"))
    print(f"{DATA}: {size:,} bytes, {bits:.3f} bits per pixel, accuracy {right:.3f}")


if __name__ == "__main__":
    main()
