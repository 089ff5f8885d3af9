"""``export``: a network as a folder of files, each compared with the network that it came from."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import asdict
from os import PathLike
from pathlib import Path

import torch

from ghmpp._files import replaced_folder
from ghmpp._version import __version__
from ghmpp.backends.network import Network
from ghmpp.backends.prepare import PRECISIONS
from ghmpp.errors import ConversionError, ParityError
from ghmpp.exports.folder import require_free
from ghmpp.exports.formats import Format, Writer, Written, default_formats, read_formats
from ghmpp.exports.onnx_file import check_opset
from ghmpp.exports.parity import answer_name
from ghmpp.exports.rebuild import sha256
from ghmpp.exports.report import ExportReport, Row
from ghmpp.exports.spec import FileRecord, digest, write_spec
from ghmpp.exports.tracing import ports


def export(
    network: object,
    folder: str | PathLike[str],
    formats: str | Sequence[str] | None = None,
    *,
    opset: int = 20,
    check: bool = True,
    overwrite: bool = False,
) -> ExportReport:
    """Write a network as files that others can run, into a folder of its own.

    ==============  ===================================  ======================================
    format          files                                what they are for
    ==============  ===================================  ======================================
    "json"          model.json, model.*.npz,             archive: :func:`ghmpp.load` gives the
                    weights.safetensors, and             network back, bit for bit
                    certificate.json of ReLU networks
    "onnx"          network.onnx                         any ONNX runtime; nodes are called by
                                                         messages, initializers as in
                                                         ``state_dict()``
    "convolutions"  convolutions.onnx                    the same in standard layers, float32:
                                                         ``network.as_convolutions()``
    "pt2"           network.pt2                          ``torch.export.load``, with the same
                                                         version of torch
    "aoti"          network.aoti.pt2                     compiled for this kind of machine only;
                                                         needs a C++ compiler, takes a minute
    "mermaid"       schedule.mmd                         pictures of the architecture
    "dot"           schedule.dot
    "latex"         schedule.tex
    "svg"           schedule.svg
    ==============  ===================================  ======================================

    ``spec.json`` says what the files are. Batches may have any size. Every file that can be run
    is run, and compared with the network: on samples of the model, on missing and on impossible
    evidence, on observed values of a thousand, with one row and with a number of rows that was
    not traced. What was measured is written into the file.

    Parameters
    ----------
    network
        What :meth:`ghmpp.compiler.Program.network` made.
    folder
        Where to write; made if it does not exist, and complete or not there at all.
    formats
        Any of the above. None: json, onnx, pt2 and mermaid; without json for what is no
        hierarchical model, and without files that run for networks that draw noise.
    opset
        Version of ONNX's operators, at least 18.
    check
        Whether a file that disagrees with its network by more than 5e-6 (float32) or 1e-12
        (float64), relative above 1, is refused. It is measured in any case.
    overwrite
        Whether an earlier export in the folder may be replaced. Other content never is.

    Returns
    -------
    ExportReport
        One row per file with its measured disagreement; print it.

    Raises
    ------
    ConversionError
        If it is no network.
    FolderExistsError
        If the folder has content that may not be replaced.
    FormatError
        If a format is unknown, the opset is out of range, or the model cannot be written.
    MissingDependencyError
        If a package is missing that a format needs.
    MissingFolderError
        If the folder that it is to be in does not exist.
    ParityError
        If a file disagrees with its network; nothing is written then.
    QueryError
        If no traced program can hold the network: it makes choices, or is observed through a
        Python function.

    Examples
    --------
    >>> import ghmpp as gh
    >>> from tempfile import TemporaryDirectory
    >>> model = gh.GHM(states=(2, 3), branching=(2,), tables=[[[2, 1, 1], [1, 1, 3]]])
    >>> network = gh.compile(model, gh.posterior("x0"), given="x1").network()
    >>> with TemporaryDirectory() as parent:
    ...     report = gh.export(network, f"{parent}/out", formats=("json", "mermaid"))
    ...     gh.load(f"{parent}/out").answers
    (('posterior', 'x0'),)
    >>> report.passed
    True
    """
    if not isinstance(network, Network):
        raise ConversionError(
            f"export: expected a network, got a {type(network).__name__}; a program makes one with "
            "program.network()."
        )
    asked = read_formats(default_formats(network) if formats is None else formats)
    target = Path(folder)
    if {"onnx", "convolutions"} & set(asked):
        check_opset(opset)
    require_free(target, overwrite=overwrite)
    if network.like.device.type != "cpu":
        network = copy.deepcopy(network).to("cpu")
    with replaced_folder(target) as draft:
        writer = Writer(network, draft, opset)
        written = [(format, each) for format in asked for each in writer.write(format)]
        if check:
            for _, each in written:
                _require_parity(each)
        records = [_record(draft, format, each) for format, each in written]
        content = {
            "ghmpp": __version__,
            "torch": torch.__version__,
            "family": network.family,
            "dtype": PRECISIONS[network.dtype],
            "inputs": [asdict(port) for port in ports(network)],
            "outputs": [answer_name(*key) for key in network.answers],
            "files": [asdict(record) for record in records],
        }
        write_spec(draft, content, writer.program, digest(network.schedule))
    return ExportReport(target, tuple(_row(format, each) for format, each in written))


def _require_parity(written: Written) -> None:
    """Refuse a file that disagrees with its network."""
    found, tolerance = written.deviation, written.tolerance
    if found is None or tolerance is None or found.error <= tolerance:
        return
    raise ParityError(
        f"export: {written.name} differs from its network by {found.error:.1e} at {found.where}, "
        f"more than {tolerance:.0e}; nothing was written. check=False writes it anyway."
    )


def _record(folder: Path, format: Format, written: Written) -> FileRecord:
    error = None if written.deviation is None else written.deviation.error
    return FileRecord(written.name, format, sha256(folder / written.name), error, written.note)


def _row(format: Format, written: Written) -> Row:
    found, tolerance = written.deviation, written.tolerance
    if found is None or tolerance is None:
        return Row(written.name, format, None, None, True, written.note)
    note = "; ".join(filter(None, (written.note, found.where)))
    return Row(written.name, format, found.error, tolerance, found.error <= tolerance, note)
