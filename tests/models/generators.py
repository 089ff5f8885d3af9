"""Generators of latent Gaussian models, for the tests of all stages."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

import ghmpp as gh

# On one dimension, through three and back; best normal posteriors are far off at BENT_X.
BENT = [
    (np.array([[3.0], [3.0], [-3.0]]), np.array([0.5, -1.0, 0.3]), "tanh"),
    (np.array([[0.5, 0.25, 0.0]]), None, None, np.array([[1.2]])),
]
BENT_Z = np.array([-0.8])


def linear(seed=0):
    """A linear generator in five dimensions, singular values 1 to 2."""
    rng = np.random.default_rng(seed)
    left, right = (np.linalg.qr(rng.normal(size=(5, 5)))[0] for _ in range(2))
    return [(left @ np.diag(np.linspace(1, 2, 5)) @ right, rng.normal(size=5))]


def residual(seed=1):
    """Two residual blocks in three dimensions, with tanh and softplus."""
    rng = np.random.default_rng(seed)
    return [
        (rng.normal(size=(5, 3)), 0.3 * rng.normal(size=5), "tanh"),
        (0.3 * rng.normal(size=(3, 5)), rng.normal(size=3), None, 2 * np.eye(3)),
        (0.2 * rng.normal(size=(3, 3)) + np.eye(3), None, "softplus"),
        (np.eye(3), None, None, np.eye(3)),
    ]


def module(seed=0, *, wide=6):
    """A torch generator 3 -> wide -> wide -> 3, close to the identity on samples."""
    torch.manual_seed(seed)
    first, second, third = nn.Linear(3, wide), nn.Linear(wide, wide), nn.Linear(wide, 3)
    with torch.no_grad():
        for layer, scale in ((first, 0.4), (second, 1.0), (third, 3.0)):
            layer.weight.mul_(0.2).add_(scale * torch.eye(*layer.weight.shape))
    return nn.Sequential(
        first, nn.Tanh(), nn.Sequential(second, nn.Softplus()), nn.Identity(), third
    ).double()


def as_torch(layers):
    """The function of a list of layers in torch, written on its own."""
    functions = {
        None: lambda x: x,
        "tanh": torch.tanh,
        "sigmoid": torch.sigmoid,
        "softplus": nn.functional.softplus,
    }

    def run(z):
        above, now = z, z
        for weight, bias, activation, skip in ((*layer, None, None)[:4] for layer in layers):
            inner = now @ torch.tensor(weight).T
            inner = inner if bias is None else inner + torch.tensor(bias)
            inner = inner if skip is None else inner + above @ torch.tensor(skip).T
            above, now = now, functions[activation](inner)
        return now

    return run


def latent(layers, noise=0.3):
    """The model of a list of layers."""
    return gh.LatentGaussian(layers, noise)
