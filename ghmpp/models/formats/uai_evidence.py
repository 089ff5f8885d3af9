"""UAI evidence files: which variables of a network have which states.

Two layouts exist. One sample: the number of observed variables, then pairs of a variable and its
state. Many samples: the number of samples, then each sample as before, on a line of its own.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

from ghmpp.errors import FormatError
from ghmpp.models.evidence import read_evidence
from ghmpp.models.factors import Factors
from ghmpp.models.forest import VariableClass
from ghmpp.models.formats.notes import numbered_note, read_note
from ghmpp.models.formats.numbers import Numbers
from ghmpp.models.formats.text import Text
from ghmpp.models.formats.uai import COMMENT, NOTE
from ghmpp.models.lookup import MISSING
from ghmpp.models.rooting import shortened
from ghmpp.models.states import read_states

Layout = Literal["one", "many"]
Sample: TypeAlias = Mapping[int, int]
States: TypeAlias = dict[str, Hashable] | dict[str, list[Hashable]]


def parse_evidence(
    text: Text, graph: Factors, layout: Layout | None = None, *, ordered: bool = True
) -> States:
    """The evidence in a file, by name of the variable.

    Parameters
    ----------
    text
        The file.
    graph
        The model that it belongs to. A note of the evidence file says which of its variables
        have which numbers.
    layout
        "one" or "many" samples; None = as the file looks: many if its first line is a single
        number and every further line is one sample, or if only that reading fits.
    ordered
        Whether, without a note, the variables are in the order of the UAI file; else they must
        be called x0, x1, ... .

    Returns
    -------
    dict
        One sample: the state by name of the variable. Many: a list of states, None where a
        sample does not observe the variable. :func:`ghmpp.infer` takes both.

    Raises
    ------
    FormatError
        By line and column, for counts that do not fit, an unknown variable or state, or a
        variable that is observed twice in a sample.

    Examples
    --------
    >>> from ghmpp.models.factors import Node
    >>> graph = Factors("pair", {"a": Node(2), "b": Node(["no", "maybe", "yes"])}, ())
    >>> parse_evidence(Text("1 1 2", "pair.uai.evid"), graph)
    {'b': 'yes'}
    >>> parse_evidence(Text("2\\n1 1 2\\n2 0 1 1 0", "pair.uai.evid"), graph)
    {'a': [None, 1], 'b': ['yes', 'no']}
    """
    content = text.blanked(COMMENT)
    names = _names(text, graph, ordered=ordered)
    states = [read_states(graph.nodes[v].states, graph.nodes[v].values, v) for v in names]
    layout = layout or _layout(content)
    numbers = Numbers(text, content)
    count = 1
    if layout == "many":
        count = numbers.whole("the number of samples", below=numbers.left)
    sizes = [len(space) for space in states]
    samples = [_sample(numbers, sizes) for _ in range(count)]
    numbers.finish()
    if layout == "one":
        return {names[k]: states[k].names[state] for k, state in samples[0].items()}
    seen = sorted({k for sample in samples for k in sample})
    return {
        names[k]: [states[k].names[sample[k]] if k in sample else None for sample in samples]
        for k in seen
    }


def format_evidence(samples: Sequence[Sample], graph: Factors, layout: Layout | None = None) -> str:
    """Evidence as a file.

    Parameters
    ----------
    samples
        Of each sample, the state index by number of the variable.
    graph
        The model, its variables in the order of the UAI file.
    layout
        "one" or "many"; None = "one" for a single sample.

    Raises
    ------
    FormatError
        If several samples are to be written as one.
    """
    layout = layout or ("one" if len(samples) == 1 else "many")
    if layout == "one" and len(samples) != 1:
        raise FormatError(
            f"the evidence has {len(samples)} rows, but the layout 'one' holds a single sample; "
            "use the layout 'many'."
        )
    lines = [f"# {numbered_note(graph)}"]
    lines += [str(len(samples))] if layout == "many" else []
    for sample in samples:
        pairs = [number for pair in sorted(sample.items()) for number in pair]
        lines.append(" ".join(map(str, [len(sample), *pairs])))
    return "\n".join(lines) + "\n"


def samples(
    evidence: object, graph: Factors, variables: Mapping[str, VariableClass] | None = None
) -> list[Sample]:
    """Evidence as a user gives it, as states by number of the variable.

    Parameters
    ----------
    evidence
        Hard evidence in any form of :func:`ghmpp.models.evidence.read_evidence`.
    graph
        The model, its variables in the order of the UAI file, nodes of a class by name
        ("pixel[3]").
    variables
        The classes of the model; None = every variable by itself.

    Raises
    ------
    FormatError
        If evidence is not hard.
    EvidenceError
        If it does not fit the model.
    """
    if variables is None:
        spaces = ((n, read_states(v.states, v.values, n)) for n, v in graph.nodes.items())
        variables = {n: VariableClass(n, space.names, space.values, 1, (n,)) for n, space in spaces}
    number = {name: k for k, name in enumerate(graph.nodes)}
    observations, rows = read_evidence(evidence, variables)
    found: list[dict[int, int]] = [{} for _ in range(rows)]
    for name, observation in observations.items():
        if observation.kind != "states":
            raise FormatError(
                f"{name}: UAI evidence files hold states, but this evidence is soft or continuous."
            )
        single = variables[name].blocks == (name,) and variables[name].nodes == 1
        for row, states in enumerate(observation.array.tolist()):
            for node, state in enumerate(states):
                if state != MISSING:
                    found[row][number[name if single else f"{name}[{node}]"]] = state
    return list(found)


def _names(text: Text, graph: Factors, *, ordered: bool) -> list[str]:
    """The variables by number."""
    note = read_note(text, NOTE)
    if ordered and not note:
        return list(graph.nodes)
    known = note.get("variables", {})
    records = [(f"x{k}", known.get(f"x{k}", {})) for k in range(len(graph.nodes))]
    if not all(isinstance(record, dict) for _, record in records):
        raise text.error("its note is broken; delete its line to read the file without it.")
    names = [str(record.get("name", name)) for name, record in records]
    if set(names) == set(graph.nodes):
        return names
    if note:
        raise text.error(
            f"its note says that it is about {shortened(names)}, but the variables of model "
            f"{graph.name!r} are {shortened(graph.nodes)}; read it with the model that it was "
            "written for."
        )
    raise text.error(
        "it has numbers for variables, in the order of the UAI file that it belongs to, which "
        f"the names in model {graph.name!r} do not tell ({shortened(graph.nodes)}); read it with "
        "that file instead of the model: ghmpp.models.files.read_factors('network.uai'), or with "
        "ghmpp.read('network.uai'), whose variables are called x0, x1, ..."
    )


def _layout(content: str) -> Layout:
    """Which layout a file has, from its lines and counts."""
    lines = [line.split() for line in content.split("\n") if line.strip()]
    if not lines or not lines[0][0].isdecimal():
        return "one"  # whose reading finds out what is wrong
    first, rest = int(lines[0][0][:18]), lines[1:]
    samples = all(
        words[0].isdecimal() and len(words) == 1 + 2 * int(words[0][:18]) for words in rest
    )
    if len(lines[0]) == 1 and len(rest) == first > 0 and samples:
        return "many"
    words = [word for line in lines for word in line]
    if len(words) == 1 + 2 * first:
        return "one"
    return "many" if _fits_many(words) else "one"


def _fits_many(words: Sequence[str]) -> bool:
    """Whether the words are a number of samples and then just as many samples."""
    position, samples = 1, 0
    while position < len(words) and words[position].isdecimal():
        position += 1 + 2 * int(words[position][:18])
        samples += 1
    return position == len(words) and words[0] == str(samples)


def _sample(numbers: Numbers, sizes: Sequence[int]) -> dict[int, int]:
    """Variables and states of one sample."""
    found: dict[int, int] = {}
    for _ in _counted(numbers):
        variable = numbers.whole("an observed variable", below=len(sizes))
        if variable in found:
            raise numbers.error(f"the variable {variable} is observed twice in one sample.")
        found[variable] = numbers.whole(f"the state of variable {variable}", below=sizes[variable])
    return found


def _counted(numbers: Numbers) -> Iterable[int]:
    """The pairs that are to come, no more than can stand in the file."""
    count = numbers.whole("the number of observed variables")
    if 2 * count > numbers.left:
        raise numbers.error(
            f"{count} observed variables need {2 * count} numbers, but only {numbers.left} are "
            "left; the file is cut short, or this count is wrong."
        )
    return range(count)
