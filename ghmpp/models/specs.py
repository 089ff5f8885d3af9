"""Specs: Python files that define a model, with settings from the command line."""

from __future__ import annotations

import ast
import inspect
import traceback
from collections.abc import Callable, Collection, Mapping
from os import PathLike
from pathlib import Path

from ghmpp.errors import ConversionError, FormatError
from ghmpp.models.convert import as_model
from ghmpp.models.declared import FieldModel
from ghmpp.models.model import Model

NAMES = ("model", "build")


def load_spec(path: str | PathLike[str], settings: Mapping[str, str] | None = None) -> Model:
    """Run a spec file and give the model that it defines.

    The file defines ``model`` or ``build``: a model, or a function that returns one. A model is
    a :class:`Model`, a networkx graph or a pgmpy model. The file is run as Python code, so use
    only files that you trust.

    Parameters
    ----------
    path
        The Python file.
    settings
        Arguments of the function, and values for symbols of the model, by name. Values are
        Python literals (``4``, ``0.5``, ``(2, 3)``); what is none is taken as text.

    Raises
    ------
    FormatError
        If the file cannot be read or run (the message names the line), defines no model, or a
        setting is unknown or missing (the message lists the accepted ones).
    ModelError
        If a setting is no possible value for a symbol.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "coins.py")
    ...     text = "import ghmpp as gh\\ndef model(sides=2):\\n    m = gh.Model('coin')\\n"
    ...     _ = path.write_text(text + "    m.root('side', sides)\\n    return m")
    ...     load_spec(path, {"sides": "3"})
    Model 'coin': 1 class, 1 variable
      side  1 node  3 states  root
    """
    made = load_declared(path, settings)
    if isinstance(made, Model):
        return made
    try:
        return as_model(made)
    except ConversionError as error:
        raise FormatError(f"{path}: this is for hierarchical models: {error}") from error


def load_declared(
    path: str | PathLike[str], settings: Mapping[str, str] | None = None
) -> Model | FieldModel:
    """Run a spec file and give what it declares, also where it is no hierarchical model.

    Parameters and errors are those of :func:`load_spec`.
    """
    path = Path(path)
    values = {name: _literal(text) for name, text in (settings or {}).items()}
    made = _definition(path)
    arguments: dict[str, object] = {}
    accepted: tuple[str, ...] = ()
    if callable(made):
        accepted = _parameters(path, made, values)
        arguments = {name: values.pop(name) for name in accepted if name in values}
        made = _guarded(path, made, arguments)
    if isinstance(made, FieldModel):
        _refuse_settings(path, values, accepted)
        return made
    try:
        model = as_model(made)
    except ConversionError as error:
        raise FormatError(f"{path}: no model comes out of it: {error}") from error
    _refuse_settings(path, values.keys() - model.parameters.keys(), [*accepted, *model.parameters])
    return model.bind(**values) if values else model


def _refuse_settings(path: Path, unknown: Collection[str], accepted: Collection[str]) -> None:
    """Refuse settings that nothing takes."""
    if unknown:
        known = ", ".join(dict.fromkeys(accepted)) or "none"
        raise FormatError(f"{path}: no setting {min(unknown)!r}; the settings are: {known}.")


def _literal(text: str) -> object:
    """The Python literal, or else the text itself."""
    try:
        value: object = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError):
        return text
    return value


def _definition(path: Path) -> object:
    """What the file calls ``model`` or ``build``."""
    try:
        source = path.read_text(encoding="utf-8")
    except OSError as error:
        raise FormatError(f"{path}: the spec cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: the spec is no text in UTF-8 ({error}).") from error
    namespace: dict[str, object] = {"__name__": "ghmpp_spec", "__file__": str(path)}

    def run() -> None:
        exec(compile(source, str(path), "exec"), namespace)

    _guarded(path, run, {})
    for name in NAMES:
        if name in namespace:
            return namespace[name]
    raise FormatError(
        f"{path}: a spec defines `model` (a model, or a function that returns one), "
        "but this file does not."
    )


def _guarded(
    path: Path, function: Callable[..., object], arguments: Mapping[str, object]
) -> object:
    """Call something in the file; what goes wrong names the file, the line and the arguments."""
    try:
        return function(**arguments)
    except (Exception, SystemExit) as error:
        lines = [
            frame.lineno
            for frame in traceback.extract_tb(error.__traceback__)
            if frame.filename == str(path)
        ]
        if isinstance(error, SyntaxError) and error.filename == str(path):
            lines = [error.lineno]
        place = f"{path}, line {lines[-1]}" if lines else str(path)
        given = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
        using = f"with {given}: " if given else ""
        # A syntax error would name the file and the line once more.
        said = error.msg if isinstance(error, SyntaxError) and lines else error
        raise FormatError(f"{place}: {using}{type(error).__name__}: {said}") from error


def _parameters(
    path: Path, function: Callable[..., object], values: Mapping[str, object]
) -> tuple[str, ...]:
    """Names of the arguments that a function accepts by keyword; all of them if it takes any."""
    parameters = inspect.signature(function).parameters.values()
    named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    missing = [p.name for p in named if p.default is p.empty and p.name not in values]
    if missing:
        raise FormatError(f"{path}: needs the setting {missing[0]!r}, such as {missing[0]}=1.")
    accepted = [p.name for p in named]
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        accepted += [name for name in values if name not in accepted]
    return tuple(accepted)
