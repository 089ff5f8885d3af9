"""Entry point of the command ``ghmpp``: the arguments, and how errors reach the user."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import ghmpp
from ghmpp.cli import commands
from ghmpp.errors import GhmppError, VerificationError

OUT_OF_MEMORY = (
    "out of memory: take fewer rows or a smaller model; ghmpp compile says what a query needs"
)
SPEC = (
    "Python file that defines `model` (or a function that returns one), a saved .json, or a "
    "network: .uai, .bif, .xmlbif, networkx's .graph.json (and .gz)"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv
        Arguments without the program's name; None = those of the process.

    Returns
    -------
    int
        0 on success, 1 when a verification fails, 2 on an error of the user (with one message
        on standard error), 130 when interrupted.
    """
    arguments = _parser().parse_args(argv)
    try:
        code: int = arguments.command(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # as in `ghmpp show model.py | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (GhmppError, OSError) as error:
        print(f"ghmpp: {_message(error)}", file=sys.stderr)
        return 1 if isinstance(error, VerificationError) else 2
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "can't allocate memory" not in str(error):
            raise  # that is how torch says it
        print(f"ghmpp: {OUT_OF_MEMORY} ({error or 'MemoryError'})", file=sys.stderr)
        return 2
    except UnicodeEncodeError as error:
        shown = ascii(error.object[error.start : error.end])
        print(
            f"ghmpp: {shown} cannot be printed in {error.encoding}; set PYTHONIOENCODING=utf-8",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        print("ghmpp: interrupted", file=sys.stderr)
        return 130
    return code


def _message(error: Exception) -> str:
    """What went wrong, in words."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ghmpp",
        description="Compile hierarchical models into exact inference and neural networks.",
        epilog="Help on a command, with an example: ghmpp COMMAND --help",
    )
    parser.add_argument("--version", action="version", version=f"ghmpp {ghmpp.__version__}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for add in (
        _add_show,
        _add_compile,
        _add_bounds,
        _add_verify,
        _add_sample,
        _add_fit,
        _add_demo,
    ):
        add(subparsers)
    return parser


_Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _add(
    subparsers: _Subparsers,
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


def _add_show(subparsers: _Subparsers) -> None:
    parser = _add(
        subparsers,
        commands.show,
        "print or draw a model, or the plan of a query on it",
        "ghmpp show tutorials/specs/digits.py --query digit --picture plan.png",
    )
    _add_query(parser, required=False)
    text = parser.add_mutually_exclusive_group()
    for name, program in (("mermaid", "Mermaid"), ("dot", "Graphviz")):
        instead = f"print a diagram for {program} instead"
        text.add_argument(f"--{name}", dest="text", action="store_const", const=name, help=instead)
    parser.add_argument("--picture", metavar="FILE", type=Path, help="draw it too (.png, .svg)")


def _add_compile(subparsers: _Subparsers) -> None:
    parser = _add(
        subparsers,
        commands.compile,
        "print the program of a query: operations, messages, shapes and cost",
        "ghmpp compile tutorials/specs/digits.py --query mean:pixel --given pixel --noisy 2",
    )
    _add_query(parser, required=True)
    parser.add_argument(
        "--noisy", metavar="SIGMA", type=float, help="observed with Gaussian noise of this size"
    )
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="write the report here")


def _add_bounds(subparsers: _Subparsers) -> None:
    parser = _add(
        subparsers,
        commands.bounds,
        "how wide a ReLU network must be for a guaranteed error, beside the paper's width",
        "ghmpp bounds tutorials/specs/random_ghm.py --query x0 --delta 0.01",
    )
    _add_query(parser, required=True)
    parser.add_argument(
        "--noisy", action="store_true", help="observed with noise, of any size, not as states"
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--delta", type=float, help="wished error (default 0.01)")
    size.add_argument("--width", type=_positive, help="units per hidden layer, instead")
    parser.add_argument(
        "--budget",
        default="equal-width",
        help="equal-width (default), min-parameters or min-flops",
    )
    parser.add_argument(
        "--evidence-span",
        metavar="SPAN",
        type=float,
        default=float("inf"),
        help="log-likelihoods of a node differ by at most this much (default: any amount)",
    )
    parser.add_argument("--dtype", default="float64", help="float64 (default), float32 or real")
    parser.add_argument("-o", "--output", metavar="JSON", type=Path, help="write the bounds here")


def _add_query(parser: argparse.ArgumentParser, *, required: bool) -> None:
    parser.add_argument(
        "--query",
        metavar="KIND:CLASS",
        required=required,
        help="posterior:CLASS (or just CLASS), mean:CLASS, edge:CLASS or log_evidence",
    )
    parser.add_argument(
        "--given",
        metavar="CLASS",
        action="append",
        help="class that is observed; may be repeated (default: all leaves)",
    )


def _add_verify(subparsers: _Subparsers) -> None:
    parser = _add(
        subparsers,
        commands.verify,
        "compare every engine with independent ones; exit code 1 where they disagree",
        "ghmpp verify tutorials/specs/random_ghm.py --rows 4",
    )
    parser.add_argument("--rows", type=_positive, default=4, help="rows of evidence (default 4)")
    _add_seed(parser)


def _add_sample(subparsers: _Subparsers) -> None:
    parser = _add(
        subparsers,
        commands.sample,
        "draw configurations, as CSV with one column per variable",
        "ghmpp sample tutorials/specs/ising_tree.py --set beta=0.7 -n 5 --seed 0",
    )
    parser.add_argument(
        "-n", dest="rows", metavar="ROWS", type=_positive, default=5, help="rows (default 5)"
    )
    _add_seed(parser)
    parser.add_argument("-o", "--output", metavar="CSV", type=Path, help="write the rows here")


def _add_fit(subparsers: _Subparsers) -> None:
    parser = _add(
        subparsers,
        commands.fit,
        "learn free tables and symbols from data by EM",
        "ghmpp sample tutorials/specs/digits.py -n 200 --output data.csv",
        "ghmpp fit tutorials/specs/digits.py data.csv --output model.json",
    )
    parser.add_argument(
        "data",
        metavar="DATA",
        type=Path,
        help="CSV with one column per observed variable, such as pixel[3]; empty = missing",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="JSON",
        type=Path,
        required=True,
        help="write the model here; while it learns, the best one so far",
    )
    parser.add_argument(
        "--iterations", type=_positive, default=80, help="at most this many (default 80)"
    )
    _add_seed(parser)


def _add_demo(subparsers: _Subparsers) -> None:
    parser = _add(
        subparsers,
        commands.demo,
        "the whole idea on handwritten digits: verify, learn, classify, denoise, report",
        "ghmpp demo --output ghmpp-demo",
        spec=False,
    )
    parser.add_argument(
        "--output", metavar="FOLDER", type=Path, default=Path("ghmpp-demo"), help="for the report"
    )
    parser.add_argument(
        "--quick", action="store_true", help="learn with few iterations, for a first look"
    )


def _whole(text: str) -> int:
    """A whole number >= 0."""
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"expected a whole number >= 0, got {text!r}")
    return int(text)


def _add_seed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=_whole, default=0, help="of the random numbers (default 0)")


def _positive(text: str) -> int:
    """A whole number >= 1."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number >= 1, got {text!r}")
    return int(text)
