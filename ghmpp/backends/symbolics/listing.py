"""What printed code consists of, whatever its language: arguments, potentials, runs, answers."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ghmpp._arrays import AnyArray, FloatArray, IntArray, ObjectArray
from ghmpp.backends.symbolic_names import potential_names
from ghmpp.backends.symbolics.equations import Writer
from ghmpp.backends.symbolics.functions import FUNCTIONS
from ghmpp.backends.symbolics.letters import letters
from ghmpp.backends.symbolics.styles import Place, Text
from ghmpp.models.directed import log_partition
from ghmpp.models.expressions import symbols_of
from ghmpp.models.forest import Block, Edge, Forest, VariableClass
from ghmpp.models.index_maps import edge_tables
from ghmpp.schedule.build import LOG_EVIDENCE, build_schedule
from ghmpp.schedule.ir import Message, Op, Readout, Schedule, Unary, Value
from ghmpp.schedule.passes import place_normalization, prune

OutputKey = tuple[str, str]

C_WORDS = frozenset(
    """auto break case char const continue default do double else enum extern float for goto
    if inline int long register restrict return short signed sizeof static struct switch typedef
    union unsigned void volatile while linux unix exp log pow sin cos tan sinh cosh tanh asin acos
    atan fabs malloc free memcpy INFINITY NULL""".split()  # noqa: SIM905  # a list of 50 strings is not easier to read
)
OWN_WORDS = ("np", "torch", "inf", "batch", "log_partition", "work", "i")


class Names:
    """Identifiers that are keywords of no language and no two alike."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        functions = (name for each in FUNCTIONS.values() for name in each)
        python = (*keyword.kwlist, *keyword.softkwlist)
        self._taken = {*python, *C_WORDS, *OWN_WORDS, *functions, *taken}

    def new(self, wish: str) -> str:
        """An identifier as close to the wish as possible.

        Examples
        --------
        >>> names = Names()
        >>> names.new("lambda"), names.new("x 1"), names.new("x-1"), names.new("2")
        ('lambda_', 'x_1', 'x_1_', '_2')
        """
        word = re.sub(r"\W+", "_", wish, flags=re.ASCII).strip("_") or "x"
        word = f"_{word}" if word[0].isdigit() else word
        while word in self._taken:
            word += "_"
        self._taken.add(word)
        return word


@dataclass(frozen=True)
class Potential:
    """A stack in logs: numbers, or formulas in the symbols, or an argument (linear)."""

    name: str
    shape: tuple[int, ...]
    logs: FloatArray | None = None
    entries: tuple[object, ...] = ()
    index: IntArray | None = None
    argument: str = ""


@dataclass(frozen=True)
class Run:
    """One pass through a schedule, with the identifiers of its values."""

    schedule: Schedule
    names: Mapping[Value, str]
    comments: Sequence[str]
    observed: bool = True

    def __iter__(self) -> Iterator[tuple[Op, str]]:
        return zip(self.schedule.ops, self.comments, strict=True)


@dataclass(frozen=True)
class Part:
    """Nodes of a value, and where they stand in an answer, both in order; None: all of them."""

    value: Value
    rows: IntArray | None
    at: IntArray


@dataclass(frozen=True)
class Answer:
    """One answer: name, kind and shape (in C: of the array; no batch), and what it is made of."""

    name: str
    kind: str
    shape: tuple[int, ...]
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Listing:
    """Everything that a printer writes down.

    Parameters
    ----------
    function
        Name of the function.
    forest
        Structure.
    inputs
        By observed class: its argument, the log-likelihoods.
    symbols
        By free symbol: its argument.
    potentials
        By key; also unaries. Index maps are taken from the forest.
    runs
        The schedule; before it one without evidence, if the total mass depends on arguments.
    total
        Log of the total mass, if it is a number and asked for.
    answers
        What is returned, in order.
    names
        Identifiers in use.
    """

    function: str
    forest: Forest
    inputs: Mapping[str, str]
    symbols: Mapping[str, str]
    potentials: Mapping[str, Potential]
    runs: tuple[Run, ...]
    total: float | None
    answers: tuple[Answer, ...]
    names: Names = field(repr=False)

    @property
    def variables(self) -> Mapping[str, VariableClass]:
        """The user's classes."""
        return _variables(self.forest)

    def rows(self, block: Block) -> tuple[str, IntArray] | list[tuple[str, int] | None]:
        """Where the likelihoods of a block come from.

        An argument and its rows, or, if the block was made of several classes, for each node an
        argument and its row, or None if the class is not observed.
        """
        grouping = self.forest.grouping
        nodes = np.arange(block.start, block.start + block.nodes)
        if grouping is None:
            order = self.forest.variables[block.variable].order
            return self.inputs[block.variable], nodes if order is None else order[nodes]
        found: list[tuple[str, int] | None] = [None] * block.nodes
        for name, members in grouping.members.items():
            for node, (home, position) in enumerate(members):
                if home == block.variable and name in self.inputs:
                    found[position] = self.inputs[name], node
        return found

    @property
    def numbers(self) -> int:
        """How many constants the potentials are."""
        return sum(each.logs.size for each in self.potentials.values() if each.logs is not None)

    @property
    def assignments(self) -> int:
        """How many instructions there are."""
        return sum(len(run.schedule.ops) for run in self.runs)


def listing(
    schedule: Schedule, answers: Sequence[OutputKey], given: Sequence[str], function: str
) -> Listing:
    """The parts of the code for a sum schedule without counts and choices."""
    forest = schedule.forest
    names = Names()
    function = names.new(function)
    inputs = {name: names.new(name) for name in given}
    runs, total = [schedule], None
    if LOG_EVIDENCE in answers:
        if _arguments(forest):
            bare = build_schedule(forest, [LOG_EVIDENCE], ())
            runs.insert(0, prune(place_normalization(bare)))
        else:
            total = log_partition(forest)
    keys = dict.fromkeys(key for each in runs for key in _used_keys(each))
    formulas = [key for key in keys if key not in forest.data and key in forest.formulas]
    free = {name for key in formulas for name in symbols_of(forest.formulas[key], forest.name)}
    symbols = {name: names.new(name) for name in sorted(free)}
    called = potential_names(forest)
    potentials = {key: _potential(forest, key, names, called[key]) for key in keys}
    titles = {key: each.name for key, each in potentials.items()}
    written = tuple(
        _run(each, names, {**called, **titles}, observed=each is schedule) for each in runs
    )
    labels = Names()
    found = tuple(answer_of(schedule, key, labels) for key in answers)
    return Listing(function, forest, inputs, symbols, potentials, written, total, found, names)


def log_tables(forest: Forest, edge: Edge) -> FloatArray:
    """An index map as tables of logs, 0 or -inf: (rows, parent states, states)."""
    allowed = edge_tables(forest, edge)
    return np.where(allowed, 0.0, -np.inf)


def _arguments(forest: Forest) -> bool:
    """Whether any potential has no number yet."""
    return any(key not in forest.data for key in forest.keys())


def _variables(forest: Forest) -> Mapping[str, VariableClass]:
    return forest.variables if forest.grouping is None else forest.grouping.original.variables


def _used_keys(schedule: Schedule) -> Iterator[str]:
    """Keys of the tables and unaries that a schedule reads."""
    edges = schedule.forest.edges
    for op in schedule.ops:
        if isinstance(op, Unary):
            yield op.key
        elif isinstance(op, Message) and edges[op.edge].kind == "table":
            yield edges[op.edge].key
        elif isinstance(op, Readout) and op.kind == "edge" and edges[op.block].kind == "table":
            yield edges[op.block].key


def _potential(forest: Forest, key: str, names: Names, wish: str) -> Potential:
    """A stack with its identifier."""
    if key in forest.data:
        with np.errstate(divide="ignore"):
            logs = np.log(np.asarray(forest.data[key], np.float64))
        return Potential(names.new(wish), logs.shape, logs)
    if key in forest.formulas:
        entries: ObjectArray = forest.formulas[key]
        distinct = {entry: position for position, entry in enumerate(dict.fromkeys(entries.flat))}
        index = np.array([distinct[entry] for entry in entries.flat]).reshape(entries.shape)
        return Potential(names.new(wish), entries.shape, entries=tuple(distinct), index=index)
    argument = names.new(wish.replace("psi_", "table_", 1))
    return Potential(names.new(wish), _shape(forest, key), argument=argument)


def _shape(forest: Forest, key: str) -> tuple[int, ...]:
    for edge in forest.edges.values():
        if edge.key == key:
            return edge.rows, forest.blocks[edge.parent].states, forest.blocks[edge.child].states
    block = next(block for block in forest.blocks.values() if block.unary == key)
    return block.unary_rows, block.states


def _run(schedule: Schedule, names: Names, keys: Mapping[str, str], *, observed: bool) -> Run:
    """A schedule with new identifiers, and its equations as comments."""
    named = letters(schedule)
    before = "" if observed else "prior_"
    called = {value: names.new(before + name) for value, name in named.names.items()}
    writer = Writer(schedule.forest, named, Text(called, keys))
    comments = [writer.text(op, Place()) for op in schedule.ops]
    return Run(schedule, called, comments, observed)


def answer_of(schedule: Schedule, key: OutputKey, labels: Names) -> Answer:
    """How an answer (kind, class) is put together from the outputs of a schedule."""
    forest, (kind, name) = schedule.forest, key
    if key == LOG_EVIDENCE:
        whole = Part(schedule.outputs[key], None, np.zeros(1, np.int64))
        return Answer("log_evidence", kind, (), (whole,))
    label = labels.new(f"{kind}_{name}")
    if forest.grouping is not None:
        members = forest.grouping.members[name]
        homes = {home: next(iter(forest.class_blocks(home))) for home, _ in members}
        pieces = tuple(
            Part(
                schedule.outputs[kind, homes[home].name],
                np.array([position]),
                np.array([node]),
            )
            for node, (home, position) in enumerate(members)
        )
        axes = _axes(forest, kind, homes[members[0][0]])
        return Answer(label, kind, (len(members), *axes), pieces)
    variable = forest.variables[name]
    order: AnyArray = np.arange(variable.nodes) if variable.order is None else variable.order
    blocks = [b for b in forest.class_blocks(name) if (kind, b.name) in schedule.outputs]
    spans = [order[block.start : block.start + block.nodes] for block in blocks]
    rank = {int(position): k for k, position in enumerate(np.sort(np.concatenate(spans)))}
    parts = tuple(
        Part(schedule.outputs[kind, block.name], None, np.array([rank[int(p)] for p in span]))
        for block, span in zip(blocks, spans, strict=True)
    )
    return Answer(label, kind, (len(rank), *_axes(forest, kind, blocks[0])), parts)


def _axes(forest: Forest, kind: str, block: Block) -> tuple[int, ...]:
    """Axes of an answer after its nodes."""
    if kind == "mean":
        return ()
    if kind == "edge":
        return forest.blocks[forest.edges[block.name].parent].states, block.states
    return (block.states,)
