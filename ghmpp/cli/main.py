"""Entry point of the command ``ghmpp``: the arguments, and how errors reach the user."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

import ghmpp
from ghmpp.cli import arguments_experiments, commands
from ghmpp.cli.arguments import (
    Subparsers,
    add_command,
    add_engine,
    add_query,
    add_seed,
    positive,
)
from ghmpp.errors import GhmppError, GuaranteeWarning, VerificationError

OUT_OF_MEMORY = (
    "out of memory: take fewer rows or a smaller model; ghmpp compile says what a query needs"
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
        with warnings.catch_warnings():
            warnings.simplefilter("default", GuaranteeWarning)
            warnings.showwarning = _say_warning
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


def _say_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """A warning as the user of a command needs it, without a line of code."""
    print(f"ghmpp: warning: {message}", file=sys.stderr)


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
        arguments_experiments.add_train,
        arguments_experiments.add_sweep,
        arguments_experiments.add_diffuse,
        _add_demo,
    ):
        add(subparsers)
    return parser


def _add_show(subparsers: Subparsers) -> None:
    parser = add_command(
        subparsers,
        commands.show,
        "print or draw a model, or the plan of a query on it",
        "ghmpp show tutorials/specs/digits.py --query digit --picture plan.png",
    )
    add_query(parser, required=False)
    add_engine(parser)
    text = parser.add_mutually_exclusive_group()
    for name, program in (("mermaid", "Mermaid"), ("dot", "Graphviz")):
        instead = f"print a diagram for {program} instead"
        text.add_argument(f"--{name}", dest="text", action="store_const", const=name, help=instead)
    parser.add_argument("--picture", metavar="FILE", type=Path, help="draw it too (.png, .svg)")


def _add_compile(subparsers: Subparsers) -> None:
    parser = add_command(
        subparsers,
        commands.compile,
        "print the program of a query, or emit its network: exact, ReLU with a proof, trainable",
        'ghmpp compile tutorials/specs/digits.py --query "mean(pixel)" --given '
        '"noisy(pixel, sigma=2)"',
        'ghmpp compile tutorials/specs/random_ghm.py --query "posterior(x0)" --family relu '
        "--delta 0.01 --export network --formats json,mermaid",
        "ghmpp verify network",
    )
    add_query(parser, required=True)
    add_engine(parser)
    parser.add_argument(
        "--noisy", metavar="SIGMA", type=float, help="observed with Gaussian noise of this size"
    )
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="write the report here")
    parser.add_argument("--family", help="emit the network: exact, relu or trainable")
    _add_size(parser)
    parser.add_argument("--dtype", help="float32 or float64 (default: float64 for exact)")
    parser.add_argument(
        "--init", default="random", help="how trainable nets start: random (default) or relu"
    )
    parser.add_argument("--export", metavar="FOLDER", type=Path, help="write the network here")
    parser.add_argument(
        "--formats",
        help="what to write: json, onnx, pt2, aoti, mermaid, dot, latex, svg, with commas between "
        "(default: json, onnx, pt2 and mermaid, as far as the network has them)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the folder")
    add_seed(parser)


def _add_bounds(subparsers: Subparsers) -> None:
    parser = add_command(
        subparsers,
        commands.bounds,
        "how wide a ReLU network must be for a guaranteed error, beside the paper's width",
        "ghmpp bounds tutorials/specs/random_ghm.py --picture widths.png",
        "ghmpp bounds tutorials/specs/random_ghm.py --query x0 --delta 0.01",
    )
    add_query(parser, required=False, default="posterior of the root")
    parser.add_argument(
        "--noisy", action="store_true", help="observed with noise, of any size, not as states"
    )
    _add_size(parser)
    parser.add_argument("--dtype", default="float64", help="float64 (default), float32 or real")
    parser.add_argument("-o", "--output", metavar="JSON", type=Path, help="write the bounds here")
    parser.add_argument(
        "--picture", metavar="FILE", type=Path, help="plot width against error (.png, .svg)"
    )


def _add_size(parser: argparse.ArgumentParser) -> None:
    """How wide nets are."""
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--delta", type=float, help="wished error of ReLU nets")
    size.add_argument("--width", type=positive, help="units per hidden layer, instead")
    parser.add_argument(
        "--budget",
        default="equal-width",
        help="equal-width (default), min-parameters or min-flops",
    )
    parser.add_argument(
        "--construction", default="tight", help="tight (default), or paper for its own nets"
    )
    parser.add_argument(
        "--evidence-span",
        metavar="SPAN",
        type=float,
        default=float("inf"),
        help="log-likelihoods of a node differ by at most this much (default: any amount)",
    )


def _add_verify(subparsers: Subparsers) -> None:
    parser = add_command(
        subparsers,
        commands.verify,
        "compare every engine with independent ones, or check an exported network; exit code 1 "
        "where they disagree",
        "ghmpp verify tutorials/specs/random_ghm.py --rows 4",
    )
    add_query(parser, required=False, default="all that the model answers")
    add_engine(parser)
    parser.add_argument("--rows", type=positive, default=4, help="rows of evidence (default 4)")
    add_seed(parser)


def _add_sample(subparsers: Subparsers) -> None:
    parser = add_command(
        subparsers,
        commands.sample,
        "draw configurations, as CSV with one column per variable",
        "ghmpp sample tutorials/specs/ising_tree.py --set beta=0.7 -n 5 --seed 0",
    )
    parser.add_argument(
        "-n", dest="rows", metavar="ROWS", type=positive, default=5, help="rows (default 5)"
    )
    add_seed(parser)
    parser.add_argument("-o", "--output", metavar="CSV", type=Path, help="write the rows here")


def _add_fit(subparsers: Subparsers) -> None:
    parser = add_command(
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
        "--iterations", type=positive, default=80, help="at most this many (default 80)"
    )
    add_seed(parser)


def _add_demo(subparsers: Subparsers) -> None:
    parser = add_command(
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
