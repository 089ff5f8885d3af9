"""A linear hierarchy: 12 numbers, sparse in 20 atoms, which are sparse in 10 others."""

import numpy as np

import ghmpp as gh


def model(threshold: float = 0.05, seed: int = 0) -> gh.LinearHierarchy:
    rng = np.random.default_rng(seed)
    dictionaries = [rng.normal(size=shape) for shape in ((12, 20), (20, 10))]
    unit = [each / np.linalg.norm(each, axis=0) for each in dictionaries]
    return gh.LinearHierarchy(dictionaries=unit, thresholds=threshold)
