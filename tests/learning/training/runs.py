"""Small problems of training, and a run to be killed."""

from __future__ import annotations

import sys

import torch
from torch import Tensor, nn

import ghmpp as gh
from ghmpp.backends.network import Network
from ghmpp.learning.training.train import Trained


def denoiser(seed: int = 0, **options: object) -> Network:
    """A trainable U-Net of two levels."""
    model = gh.zoo.random_ghm([2, 3, range(3)], (2, 2), bound=5, seed=1)
    program = gh.compile(model, gh.mean("x2"), gh.noisy("x2", sigma=1.0))
    return program.network("trainable", **({"width": 8, "seed": seed} | options))


def classifier(seed: int = 0) -> Network:
    """A trainable ConvNet of two levels."""
    model = gh.zoo.random_ghm([2, 3, 3], (2, 2), bound=5, seed=1)
    program = gh.compile(model, gh.posterior("x0"), "x2")
    return program.network("trainable", width=32, seed=seed)


class Dropping(nn.Module):
    """A network of the user's with dropout, and a normalisation that remembers its inputs."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.layers = nn.Sequential(
                nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 4)
            )

    def forward(self, z: Tensor) -> Tensor:
        found: Tensor = self.layers(z)
        return found


def weights(trained: Trained) -> dict[str, Tensor]:
    return trained.network.state_dict()


def equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    """Whether weights are equal bit for bit."""
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def long_run(folder: str | None) -> Trained:
    """A run of some seconds."""
    return gh.train(
        denoiser(),
        steps=500,
        batch=16,
        ema=0.99,
        every=10,
        validation=64,
        early_stopping=1000,
        checkpoint=folder,
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.save(weights(long_run(sys.argv[1])), sys.argv[2])
