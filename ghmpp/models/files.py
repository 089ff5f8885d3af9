"""Models in files of all formats: one function to read, one to write."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from ghmpp.errors import ConversionError, FormatError, ModelError
from ghmpp.models.factors import Factors
from ghmpp.models.formats.text import decode, read_bytes, write_text
from ghmpp.models.model import Model

Format: TypeAlias = Literal["uai", "bif", "xmlbif", "node-link", "ghmpp", "spec"]
FORMATS: tuple[Format, ...] = get_args(Format)
# The first that a name ends with; ".gz" may follow, except for those of ghmpp itself.
SUFFIXES: Mapping[str, Format] = {
    ".uai": "uai",
    ".bif": "bif",
    ".xmlbif": "xmlbif",
    ".bifxml": "xmlbif",
    ".xml": "xmlbif",
    ".graph.json": "node-link",
    ".json": "ghmpp",
    ".py": "spec",
}
UNPACKED: tuple[Format, ...] = ("ghmpp", "spec")
FilePath: TypeAlias = str | PathLike[str]


def read(path: FilePath, format: Format | None = None) -> Model:
    """The model in a file of any format.

    ============  ==========================  ==================================================
    format        name ends in                what it is
    ============  ==========================  ==================================================
    "uai"         .uai                        UAI competition, MARKOV or BAYES
    "bif"         .bif                        Bayesian Interchange Format (bnlearn, pgmpy, ...)
    "xmlbif"      .xmlbif, .bifxml, .xml      the same as XML
    "node-link"   .graph.json                 networkx's node-link JSON
    "ghmpp"       .json                       a model as ``Model.save`` writes it
    "spec"        .py                         a Python file that defines ``model``: it is run!
    ============  ==========================  ==================================================

    Files of the first four formats may be packed (``alarm.bif.gz``). A ``.json`` file with a
    node-link graph in it is recognised. Models with loops become junction trees.

    Parameters
    ----------
    path
        The file.
    format
        One of the formats above; None = as the name ends.

    Raises
    ------
    FormatError
        If the file cannot be read, by line and column where they are known; or its format is
        unknown.
    TreewidthError
        If the model is too large for exact inference.

    Warns
    -----
    NormalizationWarning
        If conditional probabilities in a network did not sum to 1 by more than 1e-6; they were
        divided by their sums.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     place = Path(folder, "pair.uai")
    ...     _ = place.write_text("MARKOV  2  2 3  1  2 0 1  6  1 2 3 4 5 6")
    ...     read(place)
    Model 'pair': 2 classes, 2 variables
      x0  1 node  2 states  root
      x1  1 node  3 states  1 per x0, 1 table
    """
    from ghmpp.models.assembly import model_of
    from ghmpp.models.convert_networkx import from_networkx
    from ghmpp.models.formats.network import normalised
    from ghmpp.models.formats.nodelink import parse_json, parse_nodelink
    from ghmpp.models.serialize import FORMAT, load
    from ghmpp.models.specs import load_spec

    kind = _format(path, format)
    if kind == "spec":
        return load_spec(path)
    try:
        if kind in ("ghmpp", "node-link"):
            content = parse_json(decode(read_bytes(path), str(path)))
            if content.get("format") == FORMAT and kind == "ghmpp":
                return load(path)
            return from_networkx(parse_nodelink(content, str(path)))
        return model_of(normalised(_factors(path, kind), str(path)))
    except (ConversionError, ModelError) as error:
        raise FormatError(f"{path}: no model comes out of it: {error}", path=str(path)) from error


def read_factors(path: FilePath, format: Format | None = None) -> Factors:
    """The variables and factors in a file, as it lists them, without building a model.

    Parameters
    ----------
    path, format
        As in :func:`read`.

    Raises
    ------
    FormatError
        As in :func:`read`.
    """
    from ghmpp.models.unfold import factors_of

    kind = _format(path, format)
    if kind in ("uai", "bif", "xmlbif"):
        return _factors(path, kind)
    return factors_of(read(path, kind))


def write(model: object, path: FilePath, format: Format | None = None) -> None:
    """Write a model as a file of any format; :func:`read` gives it back.

    All numbers are kept bit for bit, and so are names, states and numeric state values, in
    comments where the format has no place for them. Only "ghmpp" keeps what is tied, free tables
    and formulas; the others list every variable by itself.

    Parameters
    ----------
    model
        A :class:`Model`; a networkx graph, a pgmpy model; or :class:`Factors`.
    path
        The file; an existing one is replaced at once, or not at all.
    format
        As in :func:`read`, except "spec"; None = as the name ends. "bif" and "xmlbif" describe
        Bayesian networks: a model that is none is written as one with the same law, so that its
        log_partition() becomes 0.

    Raises
    ------
    FormatError
        If the format is unknown, or the name of a state is of a type that files cannot hold.
    ModelError
        If the model has free tables or symbols without value, which only "ghmpp" keeps.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> model = Model("coins")
    >>> bias = model.root("bias", ["fair", "loaded"], prior=[0.9, 0.1])
    >>> _ = bias.children("coin", 1, 2, potential=[[0.5, 0.5], [0.8, 0.2]])
    >>> with TemporaryDirectory() as folder:
    ...     write(model, Path(folder, "coins.bif"))
    ...     print(Path(folder, "coins.bif").read_text())
    // ghmpp: {"variables": {"coin": {"states": 2}}}
    network coins {
    }
    variable bias {
      type discrete [ 2 ] { fair, loaded };
    }
    variable coin {
      type discrete [ 2 ] { 0, 1 };
    }
    probability ( bias ) {
      table 0.9, 0.1;
    }
    probability ( coin | bias ) {
      (fair) 0.5, 0.5;
      (loaded) 0.8, 0.2;
    }
    <BLANKLINE>
    """
    from ghmpp.models.assembly import model_of
    from ghmpp.models.convert import as_model

    kind = _format(path, format)
    if kind == "spec":
        raise FormatError(f"{path}: a spec is a program and cannot be written; save as .json.")
    if kind == "ghmpp":
        (model_of(model) if isinstance(model, Factors) else as_model(model)).save(path)
        return
    write_text(_content(model, kind), Path(path))


def _format(path: FilePath, format: Format | None) -> Format:
    """The format that was asked for, or else that the name of the file says."""
    if format is not None:
        if format not in FORMATS:
            raise FormatError(f"unknown format {format!r}; known: {', '.join(FORMATS)}.")
        return format
    name = Path(path).name.lower()
    packed = name.endswith(".gz")
    for suffix, kind in SUFFIXES.items():
        if name.removesuffix(".gz").endswith(suffix) and not (packed and kind in UNPACKED):
            return kind
    raise FormatError(
        f"{path}: the name does not say which format it has; known endings: "
        f"{', '.join(SUFFIXES)} (and most of them with .gz); or give format= with one of: "
        f"{', '.join(FORMATS)}.",
        path=str(path),
    )


def _factors(path: FilePath, kind: Format) -> Factors:
    """The factors in a file of another program."""
    from ghmpp.models.formats.bif import parse_bif
    from ghmpp.models.formats.uai import parse_uai
    from ghmpp.models.formats.xmlbif import parse_xmlbif

    stem = Path(path).name.partition(".")[0] or kind
    data = read_bytes(path)
    if kind == "xmlbif":
        return parse_xmlbif(data, str(path), stem)
    text = decode(data, str(path))
    return parse_uai(text, stem) if kind == "uai" else parse_bif(text, stem)


def _content(model: object, kind: Format) -> str:
    """The model as a text in a format of another program."""
    from ghmpp.models.assembly import model_of
    from ghmpp.models.bayesian import bayesian
    from ghmpp.models.convert import as_model
    from ghmpp.models.convert_networkx import bipartite
    from ghmpp.models.formats.bif import format_bif
    from ghmpp.models.formats.network import network
    from ghmpp.models.formats.nodelink import format_nodelink
    from ghmpp.models.formats.uai import format_uai
    from ghmpp.models.formats.xmlbif import format_xmlbif
    from ghmpp.models.unfold import factors_of

    if not isinstance(model, Factors):
        found = as_model(model)
        if kind == "node-link" and len(found.variables) == len(found.declarations):
            return format_nodelink(found.graph())
        found.require_complete()
    graph = model if isinstance(model, Factors) else factors_of(found)
    if kind == "node-link":
        return format_nodelink(bipartite(graph))
    if kind == "uai":
        return format_uai(graph)
    if network(graph) is None:
        graph = bayesian(model_of(graph))
    return format_bif(graph) if kind == "bif" else format_xmlbif(graph)
