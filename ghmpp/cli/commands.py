"""The commands: each calls the library with the parsed arguments and prints what comes back.

A command returns its exit code. The library is imported inside, so that ``ghmpp --help`` is
immediate; answers go to standard output, remarks to standard error.
"""

from __future__ import annotations

import csv
import io
import sys
from argparse import Namespace
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ghmpp._files import replaced
from ghmpp.cli.tables import read_table
from ghmpp.errors import QueryError

if TYPE_CHECKING:
    from ghmpp.compiler import Program, Query
    from ghmpp.models.channels import Given
    from ghmpp.models.model import Model


def show(arguments: Namespace) -> int:
    """Print or draw a model, or the plan of a query on it."""
    from ghmpp.schedule import diagrams, picture

    model = _model(arguments)
    if arguments.query is None:
        if arguments.given:
            raise QueryError("--given: says what a query observes; pass --query too.")
        template = model.template
        figure = partial(picture.template_picture, template)
        texts = {"mermaid": diagrams.mermaid_template, "dot": diagrams.dot_template}
        text = texts[arguments.text](template) if arguments.text else repr(model)
    else:
        schedule = _program(model, arguments).schedule
        figure = partial(picture.schedule_picture, schedule)
        writers = {"mermaid": diagrams.mermaid, "dot": diagrams.dot}
        text = writers[arguments.text](schedule) if arguments.text else str(schedule)
    if arguments.picture:
        picture.save_picture(figure(), arguments.picture)
        _say_written(arguments.picture)
    print(text)
    return 0


def compile(arguments: Namespace) -> int:
    """Print the program of a query, or write it to a file."""
    program = _program(_model(arguments), arguments, noisy=arguments.noisy)
    _emit(f"{program.schedule}\n", arguments.output)
    return 0


def bounds(arguments: Namespace) -> int:
    """Print the width that guarantees an error, or the error that a width guarantees."""
    import ghmpp as gh

    model = _complete(_model(arguments), 0)
    given: Sequence[str | Given] | None = arguments.given
    if arguments.noisy:
        names: Sequence[str] = arguments.given or model.forest().leaves
        given = [gh.noisy(name, sigma=1.0) for name in names]
    found = gh.bounds(
        model,
        _query(arguments.query),
        delta=arguments.delta,
        width=arguments.width,
        given=given,
        budget=arguments.budget,
        evidence_span=arguments.evidence_span,
        dtype=arguments.dtype,
    )
    if arguments.output is not None:
        found.save(arguments.output)
        _say_written(arguments.output)
    print(found)
    return 0


def verify(arguments: Namespace) -> int:
    """Compare every engine with independent ones; exit code 1 where they disagree."""
    import ghmpp as gh

    model = _complete(_model(arguments), arguments.seed)
    report = gh.verify(model, rows=arguments.rows, seed=arguments.seed)
    print(report)
    return 0 if report.passed else 1


def sample(arguments: Namespace) -> int:
    """Draw configurations as CSV: one column per variable, states by name."""
    model = _complete(_model(arguments), arguments.seed)
    columns: dict[str, list[object]] = {}
    for name, drawn in model.sample(arguments.rows, seed=arguments.seed).items():
        states = model.variables[name].states
        for node, column in enumerate(drawn.T):
            title = name if drawn.shape[1] == 1 else f"{name}[{node}]"
            columns[title] = [states[state] for state in column]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    _emit(text.getvalue(), arguments.output)
    return 0


def fit(arguments: Namespace) -> int:
    """Learn free tables and symbols from a CSV file, and save the model."""
    import ghmpp as gh

    model = _model(arguments)
    data = read_table(arguments.data, model)
    fitted = gh.fit(
        model,
        data,
        iterations=arguments.iterations,
        seed=arguments.seed,
        checkpoint=arguments.output,
    )
    fitted.save(arguments.output)
    _say_written(arguments.output)
    print(fitted)
    return 0


def demo(arguments: Namespace) -> int:
    """Run the demonstration on handwritten digits."""
    from ghmpp.demo.story import run

    run(arguments.output, quick=arguments.quick)
    return 0


def _model(arguments: Namespace) -> Model:
    """The model of a spec or of any other file that describes one, with ``--set`` applied."""
    from ghmpp.models.files import read
    from ghmpp.models.specs import load_spec

    path: Path = arguments.spec
    settings = dict(map(_setting, arguments.settings))
    if path.suffix == ".py":
        return load_spec(path, settings)
    model = read(path)
    return model.bind(**{k: _number(k, v) for k, v in settings.items()}) if settings else model


def _setting(text: str) -> tuple[str, str]:
    """Name and value of ``--set NAME=VALUE``."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise QueryError(f"--set: expected NAME=VALUE such as beta=0.7, got {text!r}.")
    return name.strip(), value.strip()


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise QueryError(f"--set: {name} of a saved model is a number, got {text!r}.") from None


def _complete(model: Model, seed: int) -> Model:
    """The model with its free tables drawn at random, saying so."""
    if not model.free:
        return model
    names = ", ".join(model.free)
    print(f"free tables drawn at random with seed {seed}: {names}", file=sys.stderr)
    return model.initialise(seed)


def _program(model: Model, arguments: Namespace, *, noisy: float | None = None) -> Program:
    """The compiled ``--query``, given ``--given`` or else all leaves."""
    import ghmpp as gh

    given: Sequence[str] = arguments.given or model.forest().leaves
    observed = [name if noisy is None else gh.noisy(name, sigma=noisy) for name in given]
    return gh.compile(model, _query(arguments.query), given=observed)


def _query(text: str) -> Query:
    """``KIND:CLASS``, ``CLASS`` (its posterior) or ``log_evidence``."""
    import ghmpp as gh

    if text == "log_evidence":
        return gh.log_evidence()
    kind, colon, variable = text.partition(":")
    if not colon:
        return gh.posterior(text)
    kinds = {"posterior": gh.posterior, "mean": gh.mean, "edge": gh.edge}
    if kind not in kinds:
        raise QueryError(
            f"--query: unknown kind {kind!r}; known: posterior:CLASS, mean:CLASS, edge:CLASS "
            "and log_evidence."
        )
    return kinds[kind](variable)


def _emit(text: str, path: Path | None) -> None:
    """Print the text, or write it to a file and say so."""
    if path is None:
        print(text, end="")
        return
    with replaced(path) as draft:
        draft.write_text(text, encoding="utf-8")
    _say_written(path)


def _say_written(path: Path) -> None:
    print(f"written to {path}", file=sys.stderr)
