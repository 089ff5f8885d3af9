"""The record of an export, ``spec.json``: the program behind a network, and the files beside it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ghmpp._files import replaced
from ghmpp.backends.origin import Option, Origin
from ghmpp.errors import FormatError
from ghmpp.models.channels import Channel, Gaussian, Given, Localization
from ghmpp.models.queries import Query
from ghmpp.models.serialize import load, save
from ghmpp.schedule.ir import Schedule

SPEC, MODEL = "spec.json", "model.json"
FORMAT = "ghmpp-network"
VERSION = 1
CHANNELS: Mapping[str, type[Gaussian | Localization]] = {
    "gaussian": Gaussian,
    "localization": Localization,
}
# What reading a tampered record may end in.
_BROKEN = (AttributeError, LookupError, RecursionError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file of an export.

    Parameters
    ----------
    name
        In the folder.
    format
        What asked for it, such as "onnx".
    sha256
        Of its content.
    error
        Its largest measured disagreement with the network; None where nothing was measured.
    note
        What to know about it.
    """

    name: str
    format: str
    sha256: str
    error: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Spec:
    """The content of ``spec.json``.

    Parameters
    ----------
    folder
        Where it is.
    schedule
        Digest of the schedule, see :func:`digest`.
    program
        Record of the program behind the network, None where it was exported without weights.
    files
        The files beside it.
    """

    folder: Path
    schedule: str
    program: Mapping[str, Any] | None
    files: tuple[FileRecord, ...]

    def origin(self) -> Origin:
        """What the network was made from.

        Raises
        ------
        FormatError
            If the folder has no weights, or the record or the model's file is broken.
        """
        if self.program is None:
            raise FormatError(
                f"{self.folder}: was exported without weights; export with 'json' among the "
                "formats to read the network back.",
                path=str(self.folder),
            )
        model = load(self.folder / MODEL)
        try:
            return Origin(
                model,
                tuple(Query(**query) for query in self.program["queries"]),
                tuple(_read_given(given) for given in self.program["given"]),
                bool(self.program["simplify"]),
                {name: _read_option(value) for name, value in self.program["options"].items()},
            )
        except _BROKEN as error:
            raise _broken(self.folder / SPEC, error) from error


def digest(schedule: Schedule) -> str:
    """SHA-256 of the instructions of a schedule and of the structure that they run on."""
    forest = schedule.forest
    parts = (schedule.ops, dict(schedule.outputs), schedule.semiring, forest.blocks, forest.edges)
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def record_of(origin: Origin, folder: Path) -> dict[str, Any]:
    """The record of a program; its model goes into files of its own.

    Raises
    ------
    FormatError
        If a name, formula or channel of the model cannot be written.
    """
    record = {
        "queries": [asdict(query) for query in origin.queries],
        "given": [_write_given(given) for given in origin.given],
        "simplify": origin.simplify,
        "options": {name: _write_option(value) for name, value in origin.options.items()},
    }
    save(origin.model, folder / MODEL)
    return record


def write_spec(
    folder: Path, content: Mapping[str, Any], program: Mapping[str, Any] | None, digest: str
) -> None:
    """Write ``spec.json``; ``content`` is what else it says."""
    record = {
        "format": FORMAT,
        "version": VERSION,
        "schedule": digest,
        "program": program,
        **content,
    }
    text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    with replaced(folder / SPEC) as draft:
        draft.write_text(text, encoding="utf-8")


def read_spec(folder: Path) -> Spec:
    """Read the ``spec.json`` of a folder.

    Raises
    ------
    FormatError
        If it is missing, broken, of another format or of a newer version.
    """
    path = folder / SPEC
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FormatError(
            f"{path}: cannot be read ({error.strerror}); an exported network is a folder with it.",
            path=str(path),
        ) from error
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path}: is not JSON ({error}).", path=str(path)) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise FormatError(
            f'{path}: is not a network of ghmpp; expected "format": "{FORMAT}".', path=str(path)
        )
    if content.get("version") != VERSION:
        raise FormatError(
            f"{path}: has version {content.get('version')!r}, but this ghmpp reads version "
            f"{VERSION}; read it with the ghmpp that wrote it, or update ghmpp.",
            path=str(path),
        )
    try:
        files = tuple(FileRecord(**each) for each in content["files"])
        if not all(isinstance(f.name, str) and f.name == Path(f.name).name for f in files):
            raise ValueError("files must lie in the folder itself")
        return Spec(folder, str(content["schedule"]), content["program"], files)
    except _BROKEN as error:
        raise _broken(path, error) from error


def _broken(path: Path, error: Exception) -> FormatError:
    return FormatError(f"{path}: is broken ({type(error).__name__}: {error}).", path=str(path))


def _write_given(given: Given) -> dict[str, Any]:
    """A given class; channels by name, with their parameters."""
    return {"variable": given.variable, "channel": _write_channel(given.variable, given.channel)}


def _write_channel(variable: str, channel: Channel | None) -> dict[str, Any] | None:
    if channel is None:
        return None
    for name, kind in CHANNELS.items():
        if isinstance(channel, kind):
            return {"kind": name, **asdict(channel)}
    raise FormatError(
        f"export: {variable!r} is observed through a Python function, which no file can hold; "
        f"compile with given={variable!r} and pass likelihoods."
    )


def _read_given(record: Mapping[str, Any]) -> Given:
    channel = record["channel"]
    if channel is None:
        return Given(str(record["variable"]))
    parameters = {name: float(value) for name, value in channel.items() if name != "kind"}
    return Given(str(record["variable"]), CHANNELS[channel["kind"]](**parameters))


def _write_option(value: Option) -> Option:
    """JSON has no infinity."""
    return "inf" if value == math.inf else value


def _read_option(value: Option) -> Option:
    return math.inf if value == "inf" else value
