"""What the demo compares with: estimates from the training images alone, without a tree.

Images are rows of 64 grey levels from 0 to 16, in the order of the pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ghmpp._arrays import FloatArray, IntArray

RIDGE = 0.5
"""Variance added to seen pixels: many are constant, so their covariance is singular."""


@dataclass(frozen=True, slots=True, eq=False)
class NormalImages:
    """Images as one multivariate normal distribution: its estimates are the best linear ones.

    Parameters
    ----------
    mean
        Mean image, shape (pixels,).
    covariance
        Full covariance, shape (pixels, pixels).
    """

    mean: FloatArray
    covariance: FloatArray

    @classmethod
    def fitted(cls, images: IntArray) -> NormalImages:
        """Mean and covariance of training images, shape (images, pixels)."""
        return cls(images.mean(axis=0), np.cov(images.T))

    def denoise(self, noisy: FloatArray, sigma: float) -> FloatArray:
        r"""The Wiener filter with the full covariance C.

        .. math:: \hat x = \mu + C (C + \sigma^2 I)^{-1} (z - \mu)

        Parameters
        ----------
        noisy
            Images plus Gaussian noise, shape (batch, pixels).
        sigma
            Standard deviation of the noise, in grey levels; > 0.

        Returns
        -------
        array of shape (batch, pixels)
            Posterior mean of each pixel under the normal distribution.
        """
        noise = sigma**2 * np.eye(len(self.mean))
        gain = np.linalg.solve(self.covariance + noise, self.covariance)
        return self.mean + (noisy - self.mean) @ gain

    def complete(self, seen: FloatArray) -> FloatArray:
        """Missing pixels by their mean given the seen ones; seen pixels stay.

        Parameters
        ----------
        seen
            Images, shape (batch, pixels), NaN where missing.

        Returns
        -------
        array of shape (batch, pixels)
            Without NaN.
        """
        completed = seen.copy()
        for image in completed:
            missing = np.isnan(image)
            known = ~missing
            among = self.covariance[np.ix_(known, known)] + RIDGE * np.eye(int(known.sum()))
            across = self.covariance[np.ix_(known, missing)]
            deviation = np.linalg.solve(among, image[known] - self.mean[known])
            image[missing] = self.mean[missing] + deviation @ across
        return completed


def memorised(images: IntArray, noisy: FloatArray, sigma: float) -> FloatArray:
    r"""Denoise as if only the training images existed: their exact posterior mean.

    .. math:: \hat x = \sum_i w_i x_i, \quad w_i \propto \exp(-|z - x_i|^2 / 2 \sigma^2)

    Parameters
    ----------
    images
        Training images, shape (images, pixels).
    noisy
        Images plus Gaussian noise, shape (batch, pixels).
    sigma
        Standard deviation of the noise, in grey levels; > 0.

    Returns
    -------
    array of shape (batch, pixels)
        A mean of training images for each row.
    """
    squares = (noisy**2).sum(1)[:, None] + (images**2).sum(1) - 2 * noisy @ images.T
    logs = -squares / (2 * sigma**2)
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    means: FloatArray = weights @ images / weights.sum(axis=1, keepdims=True)
    return means


def independent_bits(train: IntArray, test: IntArray, levels: int) -> float:
    """Bits per pixel of test images when each pixel is coded by its own histogram.

    Histograms come from training images, with 0.1 added to each of the ``levels`` counts.
    """
    counts = np.stack([(train == level).sum(axis=0) for level in range(levels)], axis=1) + 0.1
    frequencies = counts / counts.sum(axis=1, keepdims=True)
    pixels = np.arange(test.shape[1])
    return float(-np.log2(frequencies[pixels, test]).mean())


def mean_squared_error(estimate: FloatArray, truth: IntArray) -> float:
    """Mean squared error per pixel, in squared grey levels."""
    return float(((estimate - truth) ** 2).mean())


def bits_per_pixel(log_evidence: FloatArray, pixels: int) -> float:
    """Mean of ``-log2 p`` per pixel, from natural logs of the probabilities of images, (batch,)."""
    return float(-log_evidence.mean() / math.log(2) / pixels)
