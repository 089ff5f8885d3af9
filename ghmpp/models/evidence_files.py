"""Evidence in files, in the format of the UAI competition."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from ghmpp.models.factors import Factors, Node
from ghmpp.models.formats.text import decode, read_bytes, write_text
from ghmpp.models.formats.uai_evidence import (
    Layout,
    States,
    format_evidence,
    parse_evidence,
    samples,
)
from ghmpp.models.model import Model


def read_evidence(
    path: str | PathLike[str], model: Model | Factors, *, layout: Layout | None = None
) -> States:
    """The evidence in a UAI evidence file (``.uai.evid``), as :func:`ghmpp.infer` takes it.

    Such a file numbers variables and states from 0, in the order of the UAI file of its network.
    So which variable has which number must be known, in one of three ways:

    - the file says it in a comment, as :func:`write_evidence` makes it: any model of these names;
    - the model's variables are called x0, x1, ..., as :func:`ghmpp.read` calls those of a UAI file
      without names: x3 has the number 3, whatever the order of the model;
    - the factors of the UAI file are given instead of a model: their order counts.

    Evidence of another program on a model whose variables have names of their own is refused,
    because their order in that program is not known.

    Parameters
    ----------
    path
        The file, of one sample or of many.
    model
        What it belongs to, as above; factors come from
        :func:`ghmpp.models.files.read_factors`.
    layout
        "one" or "many" samples; None = as the file looks.

    Returns
    -------
    dict
        States by name of the variable: a state for one sample, a list for many, with None where
        a sample does not observe the variable.

    Raises
    ------
    FormatError
        By line and column, if the file is broken, or names a variable or state that the model
        does not have; or if the model's variables have other names.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> model = Model()
    >>> _ = model.root("x0", 2).children("x1", 1, 3)
    >>> with TemporaryDirectory() as folder:
    ...     place = Path(folder, "pair.uai.evid")
    ...     _ = place.write_text("1 1 2")
    ...     read_evidence(place, model)
    {'x1': 2}
    """
    text = decode(read_bytes(path), str(path))
    if isinstance(model, Factors):
        return parse_evidence(text, model, layout)
    return parse_evidence(text, _by_node(model), layout, ordered=False)


def write_evidence(
    evidence: object,
    path: str | PathLike[str],
    model: Model | Factors,
    *,
    layout: Layout | None = None,
) -> None:
    """Write hard evidence as a UAI evidence file (``.uai.evid``).

    Parameters
    ----------
    evidence
        States by name of the variable, missing where they are None or NaN: what
        :func:`ghmpp.infer` takes, as far as it is hard evidence.
    path
        The file; an existing one is replaced.
    model
        What it belongs to; variables get the numbers that :func:`write` gives them. Their names
        and states stand in a comment.
    layout
        "one" or "many" samples; None = "one" for a single row.

    Raises
    ------
    FormatError
        If evidence is soft or continuous, or several rows are to be written as one.
    EvidenceError
        If it does not fit the model.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> model = Model("pair")
    >>> _ = model.root("a", 2).children("b", 1, ["no", "yes"])
    >>> with TemporaryDirectory() as folder:
    ...     write_evidence({"b": ["yes", None]}, Path(folder, "pair.uai.evid"), model)
    ...     read_evidence(Path(folder, "pair.uai.evid"), model)
    {'b': ['yes', None]}
    """
    from ghmpp.models.unfold import factors_of

    graph = model if isinstance(model, Factors) else factors_of(model)
    variables = None if isinstance(model, Factors) else model.variables
    write_text(format_evidence(samples(evidence, graph, variables), graph, layout), Path(path))


def _by_node(model: Model) -> Factors:
    """The variables of a model, each by itself."""
    nodes = {}
    for name, variable in model.variables.items():
        single = variable.blocks == (name,) and variable.nodes == 1
        for k in range(variable.nodes):
            nodes[name if single else f"{name}[{k}]"] = Node(variable.states, variable.values)
    return Factors(model.name, nodes, ())
