"""The formats of an export: what each writes, and how far it is from the network."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeAlias, assert_never, get_args

import torch

from ghmpp._version import __version__
from ghmpp.backends.network import Network
from ghmpp.backends.prepare import PRECISIONS
from ghmpp.backends.symbolics.program import SymbolicProgram
from ghmpp.errors import FormatError
from ghmpp.exports.onnx_file import onnx_bytes, onnx_model, onnx_runner
from ghmpp.exports.parity import TOLERANCES, Deviation, answer_name, deviation, network_runner
from ghmpp.exports.rebuild import CERTIFICATE, WEIGHTS, rebuild
from ghmpp.exports.spec import MODEL, Spec, digest, record_of
from ghmpp.exports.torch_files import (
    compile_package,
    machine,
    package_runner,
    program_bytes,
    program_runner,
)
from ghmpp.exports.tracing import Traced, trace, trace_convolutions
from ghmpp.exports.weights import read_weights, weights_bytes
from ghmpp.schedule import diagrams, picture
from ghmpp.schedule.ir import Noise
from ghmpp.schedule.passes import flat

Format: TypeAlias = Literal[
    "json", "onnx", "convolutions", "pt2", "aoti", "mermaid", "dot", "latex", "svg"
]
FORMATS: tuple[Format, ...] = get_args(Format)
FILES: Mapping[str, str] = {
    "onnx": "network.onnx",
    "convolutions": "convolutions.onnx",
    "pt2": "network.pt2",
    "aoti": "network.aoti.pt2",
    "mermaid": "schedule.mmd",
    "dot": "schedule.dot",
    "latex": "schedule.tex",
    "svg": "schedule.svg",
}
EXACT = 0.0


def default_formats(network: Network) -> tuple[Format, ...]:
    """What is written of a network where nothing is said: what there can be of it."""
    noise = any(isinstance(op, Noise) for op in flat(network.schedule.ops))
    archive: tuple[Format, ...] = () if network.origin is None else ("json",)
    return (*archive, *(() if noise else ("onnx", "pt2")), "mermaid")


def read_formats(formats: str | Sequence[str]) -> tuple[Format, ...]:
    """The formats that were asked for, each once.

    Raises
    ------
    FormatError
        If one is unknown, or there is none.
    """
    asked = dict.fromkeys([formats] if isinstance(formats, str) else formats)
    for name in asked:
        if name not in FORMATS:
            raise FormatError(f"export: unknown format {name!r}; known: {', '.join(FORMATS)}.")
    if not asked:
        raise FormatError(f"export: no format was asked for; known: {', '.join(FORMATS)}.")
    return tuple(name for name in FORMATS if name in asked)


@dataclass(frozen=True, slots=True)
class Written:
    """A file that was written.

    Parameters
    ----------
    name
        In the folder.
    deviation
        Measured disagreement with the network; None where there is nothing to measure.
    tolerance
        What is allowed.
    note
        What to know about it.
    """

    name: str
    deviation: Deviation | None = None
    tolerance: float | None = None
    note: str = ""


class Writer:
    """Writes a network into a folder, format by format.

    Parameters
    ----------
    network
        On the CPU.
    folder
        Where to write.
    opset
        Version of ONNX's operators.
    """

    def __init__(self, network: Network, folder: Path, opset: int) -> None:
        self.network, self.folder, self.opset = network, folder, opset
        self.program: dict[str, Any] | None = None
        self.tolerance = TOLERANCES[network.dtype]

    @cached_property
    def traced(self) -> Traced:
        """The network as a traced program, which several formats hold."""
        return trace(self.network)

    def write(self, format: Format) -> list[Written]:
        """The files of a format."""
        match format:
            case "json":
                return self.json()
            case "onnx":
                return [self.onnx("onnx", self.traced)]
            case "convolutions":
                return [self.onnx("convolutions", trace_convolutions(self.network))]
            case "pt2":
                return [self.pt2()]
            case "aoti":
                return [self.aoti()]
            case "mermaid" | "dot" | "latex" | "svg":
                return [self.picture(format)]
            case _:
                assert_never(format)

    def json(self) -> list[Written]:
        """The model, the weights and the certificate: what the network can be made again from."""
        network, origin = self.network, self.network.origin
        if origin is None:
            raise FormatError(
                "export: 'json' needs the model, which only a network that Program.network made "
                "of a hierarchical one knows; leave 'json' out, as in formats=('onnx', 'pt2')."
            )
        options = {**origin.options, "dtype": PRECISIONS[network.dtype]}  # it may have been cast
        self.program = record_of(replace(origin, options=options), self.folder)
        path, plan = self.folder / WEIGHTS, digest(network.schedule)
        path.write_bytes(weights_bytes(network, {}))
        again = Spec(self.folder, plan, self.program, ()).origin()
        found = deviation(network, network_runner(rebuild(again, plan, read_weights(path), path)))
        path.write_bytes(weights_bytes(network, self.notes(found, EXACT)))
        names = sorted(each.name for each in self.folder.glob(f"{Path(MODEL).stem}.*"))
        files = [Written(name) for name in names]
        if network.certificate is not None:
            network.certificate.save(self.folder / CERTIFICATE)
            files.append(
                Written(CERTIFICATE, note=f"error at most {network.certificate.bound:.3g}")
            )
        return [*files, Written(WEIGHTS, found, EXACT)]

    def onnx(self, format: Literal["onnx", "convolutions"], traced: Traced) -> Written:
        """An ONNX file, of the messages or of the standard form."""
        model, noise = onnx_model(traced, self.opset), format == "onnx"
        found = deviation(self.network, onnx_runner(onnx_bytes(model, {})), noise=noise)
        content = onnx_bytes(model, self.notes(found, self.tolerance))
        return self._written(format, content, found, f"opset {self.opset}")

    def pt2(self) -> Written:
        """A program of torch.export."""
        runner = program_runner(program_bytes(self.traced, "{}"), self.traced.ports)
        found = deviation(self.network, runner)
        notes = json.dumps(self.notes(found, self.tolerance))
        content = program_bytes(self.traced, notes)
        return self._written("pt2", content, found, f"torch {torch.__version__}")

    def aoti(self) -> Written:
        """A package that is compiled for this machine."""
        path = self.folder / FILES["aoti"]
        compile_package(self.traced, path)
        found = deviation(self.network, package_runner(path, self.traced.ports))
        return Written(path.name, found, self.tolerance, f"for {machine()} only")

    def picture(self, format: Literal["mermaid", "dot", "latex", "svg"]) -> Written:
        """The architecture as text or drawing."""
        path, schedule = self.folder / FILES[format], self.network.schedule
        match format:
            case "mermaid":
                text = diagrams.mermaid(schedule)
            case "dot":
                text = diagrams.dot(schedule)
            case "latex":
                text = _latex(self.network)
            case "svg":
                picture.save_picture(picture.schedule_picture(schedule), path)
                return Written(path.name)
            case _:
                assert_never(format)
        path.write_text(text + "\n", encoding="utf-8")
        return Written(path.name)

    def notes(self, found: Deviation, tolerance: float) -> dict[str, str]:
        """What a file says about itself."""
        network = self.network
        return {
            "ghmpp.version": __version__,
            "ghmpp.family": network.family,
            "ghmpp.dtype": PRECISIONS[network.dtype],
            "ghmpp.answers": ", ".join(answer_name(*key) for key in network.answers),
            "ghmpp.given": ", ".join(
                f"{g.variable} {g.channel or 'states'}" for g in network.given
            ),
            "ghmpp.schedule": digest(network.schedule),
            "ghmpp.parity.error": repr(found.error),
            "ghmpp.parity.where": found.where,
            "ghmpp.parity.allowed": repr(tolerance),
        }

    def _written(self, format: Format, content: bytes, found: Deviation, note: str) -> Written:
        path = self.folder / FILES[format]
        path.write_bytes(content)
        return Written(path.name, found, self.tolerance, note)


def _latex(network: Network) -> str:
    """The equations of a schedule as a document."""
    given = tuple(each.variable for each in network.given)
    formulas = SymbolicProgram(network.schedule, network.answers, given)
    return "\n".join(
        (
            r"\documentclass{article}",
            r"\usepackage{amsmath}",
            r"\begin{document}",
            r"\[",
            formulas.latex(),
            r"\]",
            r"\end{document}",
        )
    )
