"""Ridge regression in closed form, judged on rows that it has not seen."""

from __future__ import annotations

import numpy as np

from ghmpp._arrays import FloatArray

# Penalties in units of the largest eigenvalue.
PENALTIES = np.logspace(-11, 1, 25)
# Deviations below this part of the largest entry are rounding.
CONSTANT = 1e-9


class Ridge:
    """Linear regressions of many targets on the same features.

    Parameters
    ----------
    features
        Shape (rows, features), finite; each is centred and scaled, constant ones are left out.
    seen
        Rows that are fitted; the others judge.

    Notes
    -----
    With the Gram matrix ``K = X X^T`` of the seen rows, predictions are
    ``X' X^T (K + penalty)^-1 y``, so that more features than rows are no trouble. The penalty is
    the one with the least leave-one-out error of the seen rows, which is
    ``((K + penalty)^-1 y)_i / (K + penalty)^-1_ii`` at row i.
    """

    def __init__(self, features: FloatArray, seen: int) -> None:
        self.seen = seen
        x = features - features[:seen].mean(0)
        spread = x[:seen].std(0)
        kept = spread > CONSTANT * np.abs(features).max(0, initial=0.0)
        x = x[:, kept] / spread[kept]
        values, self._vectors = np.linalg.eigh(x[:seen] @ x[:seen].T)
        self._values = np.clip(values, 0, None)
        self._unseen = x[seen:] @ x[:seen].T
        self.features = int(kept.sum())

    def score(self, targets: FloatArray) -> float:
        """Share of the variance of the unseen rows that is explained, (rows, targets); <= 1.

        Of several targets the variances are summed; NaN where no target varies.

        Examples
        --------
        >>> x = np.random.default_rng(0).normal(size=(300, 5))
        >>> round(Ridge(x, 200).score(x @ np.arange(10.0).reshape(5, 2)), 6)
        1.0
        """
        y, truth = targets[: self.seen], targets[self.seen :]
        mean = y.mean(0)
        varying = targets.std(0) > CONSTANT * np.abs(targets).max(0, initial=0.0)
        total = ((truth - truth.mean(0)) ** 2)[:, varying].sum()
        if not total > 0:
            return float("nan")
        y, truth, mean = y[:, varying], truth[:, varying], mean[varying]
        if not self._values.max() > 0:
            return float(1 - ((truth - mean) ** 2).sum() / total)
        rotated = self._vectors.T @ (y - mean)
        best = min(self._values.max() * PENALTIES, key=lambda each: self._left_out(rotated, each))
        weights = self._vectors @ (rotated / (self._values + best)[:, None])
        return float(1 - ((mean + self._unseen @ weights - truth) ** 2).sum() / total)

    def _left_out(self, rotated: FloatArray, penalty: float) -> float:
        """Squared leave-one-out errors of the seen rows."""
        shrunk = 1 / (self._values + penalty)
        errors = self._vectors @ (rotated * shrunk[:, None])
        return float(((errors / (self._vectors**2 @ shrunk)[:, None]) ** 2).sum())
