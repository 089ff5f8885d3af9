"""The commands whose runs are saved, one folder each: train, sweep, diffuse."""

from __future__ import annotations

import ast
import sys
from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ghmpp.cli.commands import completed, model_of, program_of, say_written
from ghmpp.errors import QueryError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from torch import nn

    from ghmpp.compiler import Program
    from ghmpp.diffusion.samples import Samples
    from ghmpp.models.model import Model

# What a run is stored under, or how it is carried out: no part of what it is.
OUTSIDE = ("command", "output", "overwrite", "seed", "export", "workers", "engine", "x", "y", "hue")
# Steps between evaluations of a run that has no planned end.
EVERY = 50
# Rows of a table that are printed.
PRINTED = 40


def train(arguments: Namespace) -> int:
    """Train a network; write history, picture, checkpoint, and the network itself if asked."""
    import ghmpp as gh
    from ghmpp.learning.experiments.runs import open_run

    program = program_of(completed(model_of(arguments), arguments.seed), arguments)
    network = _network(program, arguments)
    constant = arguments.schedule == "constant"  # then a run may go on for longer
    run = open_run(
        arguments.output,
        "train",
        _settings(arguments),
        seed=arguments.seed,
        free=("steps",) if constant else (),
        overwrite=arguments.overwrite,
    )
    if run.resumed:
        print(f"going on with {run.folder}", file=sys.stderr)
    trained = gh.train(
        network,
        gh.streams.of(program, n=arguments.rows, seed=arguments.seed),
        loss=arguments.loss,
        steps=arguments.steps,
        batch=arguments.batch,
        optimizer=arguments.optimizer,
        rate=arguments.rate,
        schedule=arguments.schedule,
        warmup=0 if constant and arguments.warmup is None else arguments.warmup,
        every=EVERY if constant and arguments.every is None else arguments.every,
        ema=arguments.ema,
        seed=arguments.seed,
        checkpoint=run.folder,
    )
    run.save_table("history.csv", trained.history)
    run.save_picture("history.png", trained.picture())
    risk = gh.excess_risk(trained.network, program, seed=arguments.seed)
    run.finish(
        step=trained.step,
        loss=trained.loss,
        bayes=risk.bayes.value,
        excess=risk.excess.value,
        interval=risk.interval,
    )
    if arguments.export:
        gh.export(trained.network, run.folder / "network", formats="json", overwrite=True)
    print(trained)
    print(risk)
    say_written(run.folder)
    return 0


def sweep(arguments: Namespace) -> int:
    """Run an experiment on a grid; exit code 1 where a cell failed."""
    import ghmpp as gh
    from ghmpp.learning.experiments.runs import open_run

    grid = dict(map(_axis, arguments.grid))
    if arguments.seeds is not None:
        grid["seed"] = list(range(arguments.seeds))
    run = open_run(
        arguments.output,
        "sweep",
        {"experiment": arguments.experiment, "grid": grid},
        seed=arguments.seed,
        free=("grid",),
        overwrite=arguments.overwrite,
    )
    table = gh.sweep(
        arguments.experiment,
        grid,
        folder=run.folder / "cells",
        workers=arguments.workers,
        engine=arguments.engine,
        seed=arguments.seed,
    )
    run.save_table("table.csv", table)
    failed = int(table["failure"].notna().sum())
    figure = _curves(table, grid, arguments)
    if figure is not None:
        run.save_picture("picture.png", figure)
    run.finish(cells=len(table), failed=failed)
    print(table.to_string(max_rows=PRINTED, float_format="{:.4g}".format))
    say_written(run.folder)
    if failed:
        print(f"{failed} of {len(table)} cells failed; the same command tries them again.")
    return 1 if failed else 0


def diffuse(arguments: Namespace) -> int:
    """Draw samples by diffusion as CSV, and say how they compare with the model."""
    import ghmpp as gh
    from ghmpp.learning.experiments.runs import open_run

    model = completed(model_of(arguments), arguments.seed)
    run = open_run(
        arguments.output,
        "diffuse",
        _settings(arguments),
        seed=arguments.seed,
        overwrite=arguments.overwrite,
    )
    samples = gh.diffuse(
        model,
        arguments.rows,
        steps=arguments.steps,
        sampler=arguments.sampler,
        decode=arguments.decode,
        variable=arguments.variable,
        given=dict(map(_condition, arguments.given)) or None,
        guidance=arguments.guidance,
        seed=arguments.seed,
    )
    run.save_table("samples.csv", _named(samples, model))
    found: dict[str, object] = {"calls": samples.calls, "impossible": samples.impossible}
    print(samples)
    if not arguments.given:
        from ghmpp.diffusion.quality import quality

        report = quality(samples, model)
        found |= {"bits": report.bits, "site": report.site, "pair": report.pair}
        found |= {"joint": report.joint, "floor": report.floor, "valid": dict(report.valid)}
        run.save_picture("picture.png", _frequencies(samples, model))
        print(report)
    run.finish(**found)
    say_written(run.folder)
    return 0


def _settings(arguments: Namespace) -> dict[str, object]:
    """What a run depends on, with paths as texts."""
    found = {name: value for name, value in vars(arguments).items() if name not in OUTSIDE}
    return {name: str(value) if name == "spec" else value for name, value in found.items()}


def _network(program: Program, arguments: Namespace) -> nn.Module:
    """The network that is to be trained."""
    import ghmpp as gh

    if arguments.network != "trainable":
        return gh.baseline(program, arguments.network, width=arguments.width, seed=arguments.seed)
    return program.network(
        "trainable", width=arguments.width, init=arguments.init, seed=arguments.seed
    )


def _axis(text: str) -> tuple[str, list[object]]:
    """Name and values of ``--grid NAME=VALUES``."""
    name, equals, values = text.partition("=")
    if not equals or not name.strip() or not values.strip():
        raise QueryError(f"--grid: expected NAME=VALUES such as n=100,1000, got {text!r}.")
    return name.strip(), [_literal(each.strip()) for each in values.split(",")]


def _condition(text: str) -> tuple[str, object]:
    """Variable and state of ``--given CLASS=STATE``."""
    name, equals, state = text.partition("=")
    if not equals or not name.strip() or not state.strip():
        raise QueryError(f"--given: expected CLASS=STATE such as digit=3, got {text!r}.")
    return name.strip(), _literal(state.strip())


def _literal(text: str) -> object:
    """A number, None or a truth value; or else the text itself."""
    try:
        found: object = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return found


def _curves(
    table: pd.DataFrame, grid: dict[str, list[object]], arguments: Namespace
) -> Figure | None:
    """The picture of a sweep; None where nothing can be drawn that nobody has asked for."""
    from ghmpp.learning.experiments.sweep_picture import sweep_picture

    several = [name for name, values in grid.items() if len(values) > 1 and name != "seed"]
    numbers = [name for name in several if all(_is_number(value) for value in grid[name])]
    results = [name for name in table.columns if name not in (*grid, "seed")]
    x = arguments.x or next(iter(numbers), None)
    y = arguments.y or next(iter(results))
    if x is None or (arguments.y is None and not table[y].notna().any()):
        return None
    hue = arguments.hue or next((name for name in several if name != x), None)
    return sweep_picture(table, x=x, y=y, hue=hue)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _named(samples: Samples, model: Model) -> pd.DataFrame:
    """One row per sample, states by name, one column per variable."""
    import pandas as pd

    states = model.variables[samples.variable].states
    nodes = samples.states.shape[1]
    name = samples.variable
    titles = [name] if nodes == 1 else [f"{name}[{node}]" for node in range(nodes)]
    columns: Sequence[Any] = [[states[state] for state in column] for column in samples.states.T]
    return pd.DataFrame(dict(zip(titles, columns, strict=True)))


def _frequencies(samples: Samples, model: Model) -> Figure:
    """How often each state of each leaf was drawn, against its probability."""
    import numpy as np
    from matplotlib.figure import Figure

    import ghmpp as gh

    states = len(model.variables[samples.variable].states)
    exact = gh.Inference(model).posteriors({}, classes=[samples.variable])[samples.variable]
    drawn = (samples.states[..., None] == np.arange(states)).mean(axis=0)
    figure = Figure(figsize=(4.6, 4.4), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, exact.max()], [0, exact.max()], color="k", lw=0.8)
    axes.plot(np.ravel(exact), np.ravel(drawn), ".", ms=5, alpha=0.6)
    axes.set(xlabel="probability of a state of a leaf", ylabel="frequency in the samples")
    axes.set_title(f"{len(samples):,} samples by {samples.sampler}, {samples.calls} calls each")
    return figure
