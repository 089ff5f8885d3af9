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
from typing import TYPE_CHECKING, overload

from ghmpp._files import replaced
from ghmpp.cli.questions import read_engine, read_given, read_query
from ghmpp.cli.tables import read_table
from ghmpp.errors import FormatError, QueryError
from ghmpp.models.declared import FieldModel
from ghmpp.models.model import Model
from ghmpp.schedule.picture import save_picture

if TYPE_CHECKING:
    from ghmpp.compiler import Program
    from ghmpp.models.channels import Given


def show(arguments: Namespace) -> int:
    """Print or draw a model, or the plan of a query on it."""
    from ghmpp.schedule import diagrams, picture

    declared = declared_of(arguments)
    if arguments.query is None:
        if arguments.given:
            raise QueryError("--given: says what a query observes; pass --query too.")
        if not isinstance(declared, Model):
            return _show_declared(declared, arguments)
        model, template = declared, declared.template
        figure = partial(picture.template_picture, template)
        texts = {"mermaid": diagrams.mermaid_template, "dot": diagrams.dot_template}
        text = texts[arguments.text](template) if arguments.text else repr(model)
    else:
        schedule = program_of(declared, arguments).schedule
        figure = partial(picture.schedule_picture, schedule)
        writers = {"mermaid": diagrams.mermaid, "dot": diagrams.dot}
        text = writers[arguments.text](schedule) if arguments.text else str(schedule)
    if arguments.picture:
        save_picture(figure(), arguments.picture)
        say_written(arguments.picture)
    print(text)
    return 0


def compile(arguments: Namespace) -> int:
    """Print the program of a query, and of a family its network; write what is asked for."""
    from ghmpp.cli.networks import emit_network

    declared = declared_of(arguments)
    if arguments.family is None and not arguments.delta is arguments.width is None:
        raise QueryError("--delta and --width are for nets; pass --family relu too.")
    if arguments.family is None and arguments.export is None:
        _emit(f"{program_of(declared, arguments).schedule}\n", arguments.output)
        return 0
    return emit_network(program_of(completed(declared, arguments.seed), arguments), arguments)


def bounds(arguments: Namespace) -> int:
    """Print widths for several errors, or all about one error or width."""
    import ghmpp as gh

    model = completed(model_of(arguments), 0)
    given: Sequence[str | Given] | None = None
    if arguments.given or arguments.noisy:
        given = _observed(model, arguments, noisy=1.0 if arguments.noisy else None)
    options = {
        "given": given,
        "budget": arguments.budget,
        "construction": arguments.construction,
        "evidence_span": arguments.evidence_span,
        "dtype": arguments.dtype,
    }
    query = read_query(arguments.query or _root(model))
    if arguments.picture is not None or arguments.delta is arguments.width is None:
        curve = gh.width_curve(model, query, **options)
        if arguments.picture is not None:
            save_picture(curve.picture(), arguments.picture)
            say_written(arguments.picture)
        print(curve)
    if arguments.delta is not None or arguments.width is not None or arguments.output is not None:
        found = gh.bounds(model, query, delta=arguments.delta, width=arguments.width, **options)
        if arguments.output is not None:
            found.save(arguments.output)
            say_written(arguments.output)
        print(found)
    return 0


def verify(arguments: Namespace) -> int:
    """Compare every engine with independent ones; exit code 1 where they disagree.

    Of a folder that an export has written, the certificate and the files are checked.
    """
    import ghmpp as gh

    if arguments.spec.is_dir():
        found = gh.verify_export(arguments.spec)
        print(found)
        return 0 if found.passed else 1
    subject: object = completed(declared_of(arguments), arguments.seed)
    if arguments.query is not None:
        subject = program_of(subject, arguments)
    report = gh.verify(subject, rows=arguments.rows, seed=arguments.seed)
    print(report)
    return 0 if report.passed else 1


def sample(arguments: Namespace) -> int:
    """Draw configurations as CSV: one column per variable, states by name."""
    model = completed(model_of(arguments), arguments.seed)
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

    model = model_of(arguments)
    data = read_table(arguments.data, model)
    fitted = gh.fit(
        model,
        data,
        iterations=arguments.iterations,
        seed=arguments.seed,
        checkpoint=arguments.output,
    )
    fitted.save(arguments.output)
    say_written(arguments.output)
    print(fitted)
    return 0


def demo(arguments: Namespace) -> int:
    """Run the demonstration on handwritten digits."""
    from ghmpp.demo.story import run

    run(arguments.output, quick=arguments.quick)
    return 0


def _show_declared(declared: FieldModel, arguments: Namespace) -> int:
    """Print a declaration that has no tree, and what it is asked where nothing is said."""
    if arguments.text is not None or arguments.picture:
        raise QueryError("show: only hierarchical models have a diagram; pass --query for a plan.")
    query, given = declared.question()
    observed = ", ".join(f"{item.variable} ~ {item.channel or 'itself'}" for item in given)
    print(f"{declared!r}\nquestion: {query.kind}({query.variable}) given {observed}")
    return 0


def declared_of(arguments: Namespace) -> Model | FieldModel:
    """What a spec declares, or the model of any other file, with ``--set`` applied."""
    from ghmpp.models.specs import load_declared

    if arguments.spec.suffix == ".py" and arguments.spec.exists():
        return load_declared(arguments.spec, dict(map(_setting, arguments.settings)))
    return model_of(arguments)


def model_of(arguments: Namespace) -> Model:
    """The model of a spec or of any other file that describes one, with ``--set`` applied."""
    from ghmpp.models.files import read
    from ghmpp.models.specs import load_spec

    path: Path = arguments.spec
    settings = dict(map(_setting, arguments.settings))
    if not path.exists():
        raise FormatError(f"{path}: no such file or folder.")
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


@overload
def completed(model: Model, seed: int) -> Model: ...
@overload
def completed(model: Model | FieldModel, seed: int) -> Model | FieldModel: ...
def completed(model: Model | FieldModel, seed: int) -> Model | FieldModel:
    """The model with its free tables drawn at random, saying so."""
    if not isinstance(model, Model) or not model.free:
        return model
    names = ", ".join(model.free)
    print(f"free tables drawn at random with seed {seed}: {names}", file=sys.stderr)
    return model.initialise(seed)


def program_of(model: object, arguments: Namespace) -> Program:
    """The compiled ``--query``, given ``--given`` or else all leaves."""
    import ghmpp as gh

    observed = _observed(model, arguments, noisy=getattr(arguments, "noisy", None))
    named = getattr(arguments, "engine", None)
    engine = None if named is None else read_engine(named)
    return gh.compile(model, read_query(arguments.query), given=observed, engine=engine)


def _observed(model: object, arguments: Namespace, *, noisy: float | None) -> list[Given]:
    """What ``--given`` says, or all leaves; with ``--noisy`` through that noise."""
    import ghmpp as gh

    if not isinstance(model, Model) and isinstance(model, FieldModel) and not arguments.given:
        items = list(model.question()[1])
    else:
        leaves = model.forest().leaves if isinstance(model, Model) else ()
        items = [read_given(text) for text in arguments.given or leaves]
    if noisy is None:
        return items
    return [
        item if item.channel is not None else gh.noisy(item.variable, sigma=noisy) for item in items
    ]


def _root(model: Model) -> str:
    """The class of the first root."""
    forest = model.forest()
    return forest.blocks[forest.roots[0]].variable


def _emit(text: str, path: Path | None) -> None:
    """Print the text, or write it to a file and say so."""
    if path is None:
        print(text, end="")
        return
    with replaced(path) as draft:
        draft.write_text(text, encoding="utf-8")
    say_written(path)


def say_written(path: Path) -> None:
    print(f"written to {path}", file=sys.stderr)
