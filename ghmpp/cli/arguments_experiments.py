"""Arguments of the commands whose runs are saved: train, sweep, diffuse."""

from __future__ import annotations

import argparse
from pathlib import Path

from ghmpp.cli import experiments
from ghmpp.cli.arguments import Subparsers, add_command, add_query, add_seed, positive, whole


def add_train(subparsers: Subparsers) -> None:
    """``ghmpp train``."""
    parser = add_command(
        subparsers,
        experiments.train,
        "train a network on draws from a model, with the exact answer beside it",
        'ghmpp train tutorials/specs/ising_tree.py --set depth=2 --query "mean(spin2)" --noisy 1 '
        "--width 16 --steps 40 --batch 64 --output run",
    )
    add_query(parser, required=True)
    parser.add_argument(
        "--noisy", metavar="SIGMA", type=float, help="observed with Gaussian noise of this size"
    )
    parser.add_argument(
        "--network",
        default="trainable",
        help="trainable (default): what the model compiles to, with free weights; or mlp, cnn, "
        "unet for a standard one",
    )
    parser.add_argument(
        "--init", default="random", help="how trainable nets start: random (default) or relu"
    )
    parser.add_argument("--width", type=positive, default=64, help="of its layers (default 64)")
    parser.add_argument(
        "-n", dest="rows", metavar="ROWS", type=positive, help="so many samples (default: no end)"
    )
    parser.add_argument("--steps", type=positive, default=2000, help="(default 2000)")
    parser.add_argument("--batch", type=positive, default=256, help="rows a step (default 256)")
    parser.add_argument("--optimizer", default="adamw", help="adamw (default) or sgd")
    parser.add_argument("--rate", type=float, help="learning rate (default: by the optimizer)")
    parser.add_argument(
        "--schedule",
        default="cosine",
        help="cosine (default), or constant: then the same command with more steps goes on",
    )
    parser.add_argument("--warmup", metavar="STEPS", type=whole, help="steps in which it rises")
    parser.add_argument("--every", metavar="STEPS", type=positive, help="between evaluations")
    parser.add_argument("--ema", metavar="DECAY", type=float, help="average weights, e.g. 0.999")
    parser.add_argument("--loss", help="square, cross-entropy or denoising")
    parser.add_argument(
        "--export", action="store_true", help="write the network too, to be read by ghmpp.load"
    )
    _add_run(parser)


def add_sweep(subparsers: Subparsers) -> None:
    """``ghmpp sweep``."""
    parser = add_command(
        subparsers,
        experiments.sweep,
        "run an experiment at every point of a grid, and draw what it finds",
        "ghmpp sweep rhm --grid learner=em --grid ratio=1,4 --grid v=4 --grid m=2 --seeds 2 "
        "--output runs",
        spec=False,
    )
    parser.add_argument(
        "experiment",
        metavar="EXPERIMENT",
        help="rhm (examples that a Random Hierarchy Model takes) or denoise (a trained U-Net "
        "beside the best denoiser)",
    )
    parser.add_argument(
        "--grid",
        metavar="NAME=VALUES",
        action="append",
        default=[],
        help="values of a setting, with commas between; may be repeated",
    )
    parser.add_argument(
        "--seeds", metavar="COUNT", type=positive, help="run each point with seeds 0, 1, ..."
    )
    parser.add_argument(
        "--workers", type=positive, default=1, help="processes at one time (default 1)"
    )
    parser.add_argument("--engine", default="joblib", help="joblib (default) or dask")
    for name, what in (
        ("x", "the first setting with several values"),
        ("y", "the first result"),
        ("hue", "the next setting with several values"),
    ):
        parser.add_argument(f"--{name}", metavar="COLUMN", help=f"of the picture (default: {what})")
    _add_run(parser)


def add_diffuse(subparsers: Subparsers) -> None:
    """``ghmpp diffuse``."""
    parser = add_command(
        subparsers,
        experiments.diffuse,
        "sample a model by diffusion with its exact denoiser, and compare the samples with it",
        "ghmpp diffuse tutorials/specs/ising_tree.py --set depth=2 -n 1000 --steps 16 "
        "--sampler ab2 --output samples",
    )
    parser.add_argument(
        "-n", dest="rows", metavar="ROWS", type=positive, default=1000, help="(default 1000)"
    )
    parser.add_argument("--steps", type=positive, default=16, help="(default 16)")
    parser.add_argument(
        "--sampler",
        default="ab2",
        help="ab2 (default), ddim, heun_flow, euler, heun, jump, ddpm, masked or symbols",
    )
    parser.add_argument(
        "--decode", default="draw", help="draw (default), argmax, mean or round, at the end"
    )
    parser.add_argument("--variable", metavar="CLASS", help="what is drawn (default: the leaves)")
    parser.add_argument(
        "--given",
        metavar="CLASS=STATE",
        action="append",
        default=[],
        help="condition, such as digit=3 or pixel[0]=16; may be repeated",
    )
    parser.add_argument(
        "--guidance", metavar="WEIGHT", type=float, default=1.0, help="of it (default 1)"
    )
    _add_run(parser)


def _add_run(parser: argparse.ArgumentParser) -> None:
    """Seed and folder."""
    add_seed(parser)
    parser.add_argument(
        "-o",
        "--output",
        metavar="FOLDER",
        type=Path,
        required=True,
        help="folder of this run: settings, seed, versions, results, pictures; the same command "
        "goes on where it was interrupted",
    )
    parser.add_argument("--overwrite", action="store_true", help="remove another run there")
