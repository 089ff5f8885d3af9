"""A model that ships with ghmpp, fitted, and the images that it was fitted to.

The model is a quad-tree of handwritten digits: a digit has four quadrants, a quadrant four blocks
and a block four pixels. ``python -m ghmpp.examples.fit_digits`` is what made the shipped file.
"""

from __future__ import annotations

from importlib import resources
from typing import NamedTuple

import numpy as np

from ghmpp._arrays import IntArray
from ghmpp.models.layouts import morton_order
from ghmpp.models.model import Model
from ghmpp.models.serialize import load

SIDE = 8
GREY_LEVELS = range(17)


class DigitsSplit(NamedTuple):
    """Handwritten digits in two parts, in the order that scikit-learn uses.

    Parameters
    ----------
    train, test
        Grey levels 0 (paper) to 16 (ink), int64, shapes (1347, 64) and (450, 64): 8 x 8 images
        row by row.
    train_digits, test_digits
        The digit 0 to 9 of each image, int64, shapes (1347,) and (450,).
    """

    train: IntArray
    test: IntArray
    train_digits: IntArray
    test_digits: IntArray


def digits() -> Model:
    """The quad-tree of handwritten digits, fitted to the training part of :func:`digits_split`.

    Returns
    -------
    Model
        :func:`digits_model` with tables learned by 80 iterations of EM.

    Raises
    ------
    FormatError
        If the installed file is broken.

    Examples
    --------
    >>> digits()
    Model 'digits': 4 classes, 85 variables
      digit     1 node    10 states  root, prior
      quadrant  4 nodes   64 states  4 per digit, 4 tables
      block     16 nodes  32 states  4 per quadrant, 4 tables
      pixel     64 nodes  17 states  4 per block, 4 tables
    """
    with resources.as_file(resources.files(__name__) / "data" / "digits.json") as path:
        return load(path)


def digits_model() -> Model:
    """The declaration of the quad-tree of handwritten digits; all tables are free.

    Children of a node have a table each, by rank (upper left, upper right, lower left, lower
    right), and nodes of a class share them. Pixels are in the order of the image, row by row.

    Examples
    --------
    >>> digits_model().free
    ('digit->quadrant', 'quadrant->block', 'block->pixel')
    """
    model = Model("digits")
    digit = model.root("digit", 10)
    quadrant = digit.children("quadrant", 4, 64)
    block = quadrant.children("block", 4, 32)
    block.children("pixel", 4, GREY_LEVELS, order=morton_order(SIDE))
    return model


def digits_split() -> DigitsSplit:
    """The 1,797 images of ``sklearn.datasets.load_digits``: 1,347 to learn from, 450 held out.

    The split is stratified by digit, with seed 0, and always the same.

    Examples
    --------
    >>> split = digits_split()
    >>> split.train.shape, split.test.shape, int(split.train.max())
    ((1347, 64), (450, 64), 16)
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    parts = train_test_split(
        images.astype(np.int64),
        labels.astype(np.int64),
        test_size=0.25,
        random_state=0,
        stratify=labels,
    )
    return DigitsSplit(*parts)
