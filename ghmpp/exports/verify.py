"""``verify_export``: whether files still are what was exported, and still say what is true."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from ghmpp.approximation.certificate import Certificate
from ghmpp.backends.network import Network
from ghmpp.errors import FormatError, GhmppError
from ghmpp.exports.onnx_file import onnx_runner
from ghmpp.exports.parity import TOLERANCES, Run, deviation
from ghmpp.exports.rebuild import CERTIFICATE, WEIGHTS, certified_model, changed, load_network
from ghmpp.exports.report import ExportReport, Row
from ghmpp.exports.spec import SPEC, FileRecord, read_spec
from ghmpp.exports.torch_files import package_runner, program_runner
from ghmpp.exports.tracing import ports


def verify_export(folder: str | PathLike[str]) -> ExportReport:
    """Check an exported folder from its files alone.

    The network is made again from model and weights. Every file is compared with what was
    exported (SHA-256), every file that can be run with the network, and the certificate with the
    weights.

    Parameters
    ----------
    folder
        What :func:`ghmpp.export` wrote.

    Returns
    -------
    ExportReport
        One row per file; ``report.passed`` says whether all is well.

    Raises
    ------
    FormatError
        If ``spec.json`` is missing, broken or incomplete, or the network cannot be made again.
    MissingDependencyError
        If a package is missing that a file needs.
    """
    place = Path(folder)
    spec = read_spec(place)
    network = None if spec.program is None else load_network(place, trusted=True)
    if network is not None:
        needed = {WEIGHTS} if network.certificate is None else {WEIGHTS, CERTIFICATE}
        if unlisted := sorted(needed - {record.name for record in spec.files}):
            raise FormatError(
                f"{place / SPEC}: does not list {unlisted[0]!r}, so nothing is known of it; export "
                "again.",
                path=str(place / SPEC),
            )
    return ExportReport(place, tuple(_row(place, record, network) for record in spec.files))


def _row(folder: Path, record: FileRecord, network: Network | None) -> Row:
    """One file: what was exported, and as good as it should be."""
    same = not changed(folder, record)
    notes = [] if same else ["is not the file that was exported (missing, or SHA-256 differs)"]
    error = tolerance = None
    good = same
    try:
        if record.name == CERTIFICATE and network is not None:
            found = Certificate.load(folder / CERTIFICATE).check(
                folder / WEIGHTS, certified_model(network)
            )
            where = f" at {', '.join(found.places)}" if found.places else ""
            good, notes = good and bool(found), [*notes, f"{found.verdict}{where}"]
        elif (runner := _runner(folder, record, network)) is not None and network is not None:
            worst = deviation(network, runner, noise=record.format != "convolutions")
            error, tolerance = worst.error, TOLERANCES[network.dtype]
            good, notes = good and error <= tolerance, [*notes, worst.where]
        elif record.format in RUN:
            notes.append("no weights beside it to compare with")
    except GhmppError as problem:
        good, notes = False, [*notes, str(problem)]
    return Row(record.name, record.format, error, tolerance, good, "; ".join(notes))


RUN = ("onnx", "convolutions", "pt2", "aoti")


def _runner(folder: Path, record: FileRecord, network: Network | None) -> Run | None:
    """What runs a file; None where nothing can, or there is nothing to compare with."""
    path = folder / record.name
    if network is None or record.format not in RUN or not path.is_file():
        return None
    match record.format:
        case "onnx" | "convolutions":
            return onnx_runner(path.read_bytes())
        case "pt2":
            return program_runner(path.read_bytes(), ports(network))
        case _:
            return package_runner(path, ports(network))
