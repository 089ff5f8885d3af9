"""Arguments that several commands have."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

SPEC = (
    "Python file that defines `model` (or a function that returns one), a saved .json, or a "
    "network: .uai, .bif, .xmlbif, networkx's .graph.json (and .gz)"
)

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_command(
    subparsers: Subparsers,
    command: Callable[[argparse.Namespace], int],
    summary: str,
    *examples: str,
    spec: bool = True,
) -> argparse.ArgumentParser:
    """A command named like its function, with an example under its help: lines that run."""
    parser = subparsers.add_parser(
        command.__name__,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog="\n  ".join(("example:", *examples)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command=command)
    if spec:
        parser.add_argument("spec", metavar="SPEC", type=Path, help=SPEC)
        parser.add_argument(
            "--set",
            dest="settings",
            metavar="NAME=VALUE",
            action="append",
            default=[],
            help="an argument of the spec's function, or the value of a symbol; may be repeated",
        )
    return parser


def add_query(
    parser: argparse.ArgumentParser, *, required: bool, default: str | None = None
) -> None:
    kinds = (
        '"posterior(CLASS)" (or just CLASS), "mean(CLASS)", "edge(CLASS)" or log_evidence; of real '
        'numbers "mean(CLASS)", "variance(CLASS)", "draw(CLASS)" or "code(CLASS)"'
    )
    parser.add_argument(
        "--query",
        metavar="KIND(CLASS)",
        required=required,
        help=kinds if default is None else f"{kinds} (default: {default})",
    )
    parser.add_argument(
        "--given",
        metavar="CLASS",
        action="append",
        help='class that is observed, or "noisy(CLASS, sigma=2)"; may be repeated (default: all '
        "leaves)",
    )


def add_engine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--engine",
        metavar="NAME",
        help="how a declaration that is no hierarchical model is solved: exact, naive, tap, loopy, "
        'langevin, ista, ...; with options: "tap(steps=20)" (default: what it names itself)',
    )


def add_seed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=whole, default=0, help="of the random numbers (default 0)")


def whole(text: str) -> int:
    """A whole number >= 0."""
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"expected a whole number >= 0, got {text!r}")
    return int(text)


def positive(text: str) -> int:
    """A whole number >= 1."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number >= 1, got {text!r}")
    return int(text)
