"""Hypothesis strategies: random models that can be enumerated, and evidence of all kinds.

Structure is drawn by Hypothesis, so that failures shrink to small trees; the numbers in tables
come from a drawn seed. Tables with zeros keep one configuration of positive mass, in which every
node of a class has the same state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import prod
from typing import Literal, get_args

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from ghmpp.errors import ModelError
from ghmpp.models.channels import Gaussian, Localization
from ghmpp.models.factors import Factor, Factors, Node
from ghmpp.models.forest import VariableClass
from ghmpp.models.ghm import GHM
from ghmpp.models.model import Model, Variable
from ghmpp.models.observations import LogLikelihoods, Observed
from ghmpp.models.potentials import ChildOf, ParentOf

LIMIT = 20_000
EvidenceKind = Literal[
    "states", "names", "likelihood", "log_likelihood", "gaussian", "localized", "node"
]
EVIDENCE_KINDS: tuple[EvidenceKind, ...] = get_args(EvidenceKind)
Draw = st.DrawFn
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Evidence:
    """Evidence as a user gives it, and what it means.

    ``logs`` are log-likelihoods by class, (batch, nodes, states), user's order, computed here
    and not by the package.
    """

    given: dict[str, object]
    logs: dict[str, Array]
    batch: int


@st.composite
def regular_models(
    draw: Draw, *, limit: int = LIMIT, zeros: bool = True, wide: bool = False
) -> Model:
    """GHMs with layers of one to four states, one to three levels, and branching 1 to 3."""
    states, branching = [draw(st.integers(1, 4))], []
    size, nodes = states[0], 1
    for _ in range(draw(st.integers(1, 3))):
        m, s = draw(st.integers(1, 3)), draw(st.integers(1, 4))
        if size * s ** (nodes * m) > limit:
            break
        nodes *= m
        size *= s**nodes
        branching.append(m)
        states.append(s)
    if not branching:
        branching, states = [1], [states[0], 1]
    numbers = _Numbers(draw, zeros, wide=wide)
    witness = [int(numbers.rng.integers(s)) for s in states]
    shared = draw(st.booleans())
    tables = [
        numbers.stack(1 if shared else m, states[level], states[level + 1], witness[level:])
        for level, m in enumerate(branching)
    ]
    prior = numbers.unary(states[0], witness[0]) if draw(st.booleans()) else None
    order = draw(st.permutations(range(nodes))) if draw(st.booleans()) else None
    return GHM(
        states=tuple(states),
        branching=tuple(branching),
        tables=[table[0] if shared else table for table in tables],
        prior=prior,
        state_values=numbers.rng.normal(size=states[-1]).round(2),
        order=order,
    )


@st.composite
def chain_models(
    draw: Draw, *, limit: int = LIMIT, zeros: bool = True, wide: bool = False
) -> Model:
    """Hidden chains of 1 to 6 steps with children at every step."""
    numbers = _Numbers(draw, zeros, wide=wide)
    model = Model("chain")
    states, seen = draw(st.integers(2, 3)), draw(st.integers(2, 3))
    per_step = draw(st.integers(1, 2))
    length = draw(st.integers(1, 6))
    while (states * seen**per_step) ** length > limit:
        length -= 1
    hidden = model.chain(
        "z",
        length,
        states,
        potential=numbers.stack(1, states, states, (0, 0))[0],
        prior=numbers.unary(states, 0) if draw(st.booleans()) else None,
        values=numbers.values(states),
    )
    rows = draw(st.sampled_from([1, per_step]))
    stack = numbers.stack(rows, states, seen, (0, seen - 1))
    hidden.children("x", per_step, seen, potential=stack, values=numbers.values(seen))
    return model


@st.composite
def tree_models(
    draw: Draw,
    *,
    limit: int = LIMIT,
    zeros: bool = True,
    maps: bool = True,
    roots: int = 2,
    wide: bool = False,
) -> Model:
    """Irregular templates: several branches and roots, mixed states, all kinds of potentials."""
    grown = _Growing(draw, _Numbers(draw, zeros, wide=wide), limit, maps)
    for k in range(draw(st.integers(1, roots))):
        grown.root(f"r{k}")
    for k in range(draw(st.integers(1, 5))):
        grown.branch(f"v{k}")
    return grown.model


def models(
    *, limit: int = LIMIT, zeros: bool = True, maps: bool = True, wide: bool = False
) -> st.SearchStrategy[Model]:
    """Models of all kinds with at most ``limit`` configurations and positive mass.

    With ``wide``, entries of some models span 50 decades.
    """
    return st.one_of(
        regular_models(limit=limit, zeros=zeros, wide=wide),
        tree_models(limit=limit, zeros=zeros, maps=maps, wide=wide),
        chain_models(limit=limit, zeros=zeros, wide=wide),
    )


@st.composite
def rational_models(draw: Draw, *, limit: int = 2_000, zeros: bool = True) -> Model:
    """Small irregular models whose entries are fractions such as 2/3."""
    grown = _Growing(draw, _Numbers(draw, zeros, rational=True), limit, True)
    grown.root("r0")
    for k in range(draw(st.integers(1, 3))):
        grown.branch(f"v{k}")
    return grown.model


@st.composite
def evidence(
    draw: Draw,
    model: Model,
    *,
    kinds: Sequence[EvidenceKind] = EVIDENCE_KINDS,
    batch: int | None = None,
    classes: Sequence[str] | None = None,
    possible: bool = False,
) -> Evidence:
    """Evidence at any classes of a model, each in one of ``kinds``, with missing nodes.

    With ``possible``, observed states come from a sample of the model.
    """
    rows = draw(st.integers(1, 3)) if batch is None else batch
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    truth = model.sample(rows, seed=int(rng.integers(10_000))) if possible else {}
    found = Evidence({}, {}, rows)
    for name, variable in model.variables.items():
        if classes is not None and name not in classes:
            continue
        allowed = [kind for kind in kinds if _fits(kind, variable)]
        if not allowed or (classes is None and draw(st.booleans())):
            continue
        shape = (rows, variable.nodes)
        states = truth.get(name, rng.integers(len(variable.states), size=shape))
        missing = rng.random(shape) < draw(st.sampled_from([0.0, 0.0, 0.5]))
        kind = draw(st.sampled_from(allowed))
        given, logs = _observe(kind, variable, states, missing, rng)
        found.given.update(given)
        found.logs[name] = logs
    if not found.given:
        return Evidence({}, {}, 1)
    return found


def _fits(kind: EvidenceKind, variable: VariableClass) -> bool:
    """Whether a class can be observed in this way."""
    return kind not in ("gaussian", "localized") or variable.values is not None


def _observe(
    kind: EvidenceKind,
    variable: VariableClass,
    states: NDArray[np.int64],
    missing: NDArray[np.bool_],
    rng: np.random.Generator,
) -> tuple[dict[str, object], Array]:
    """Evidence for one class in the user's words, and its log-likelihoods."""
    name, count = variable.name, len(variable.states)
    hard = np.where(states[..., None] == np.arange(count), 0.0, -np.inf)
    hard = np.where(missing[..., None], 0.0, hard)
    if kind == "states":
        return {name: np.where(missing, -1, states)}, hard
    if kind == "names":
        named = [
            [None if gone else variable.states[state] for state, gone in zip(*row, strict=True)]
            for row in zip(states, missing, strict=True)
        ]
        return {name: named}, hard
    if kind == "node":
        node = int(rng.integers(variable.nodes))
        key = name if variable.nodes == 1 else f"{name}[{node}]"
        hard[:, np.arange(variable.nodes) != node] = 0.0
        return {key: np.where(missing, -1, states)[:, node]}, hard
    if kind in ("likelihood", "log_likelihood"):
        logs = np.where(missing[..., None], 0.0, rng.normal(size=hard.shape))
        sharp = rng.random(missing.shape) < 0.3
        logs = np.where(sharp[..., None], hard + 1.5, logs)
        return {name: np.exp(logs) if kind == "likelihood" else LogLikelihoods(logs)}, logs
    assert variable.values is not None
    values = variable.values[states]
    noise = rng.normal(size=values.shape)
    if kind == "gaussian":
        sigma, scale = 0.3 + float(rng.random()), 1.0 + float(rng.random())
        z = scale * values + sigma * noise
        logs = -((z[..., None] - scale * variable.values) ** 2) / (2 * sigma**2)
        logs = logs - np.log(sigma * np.sqrt(2 * np.pi))
        channel: Gaussian | Localization = Gaussian(sigma, scale)
    else:
        time = 2 * float(rng.random())
        z = time * values + np.sqrt(time) * noise
        logs = variable.values * z[..., None] - time * variable.values**2 / 2
        channel = Localization(time)
    logs = np.where(missing[..., None], 0.0, logs)
    return {name: Observed(np.where(missing, np.nan, z), channel)}, logs


class _Numbers:
    """Random entries from one drawn seed."""

    def __init__(
        self, draw: Draw, zeros: bool, *, rational: bool = False, wide: bool = False
    ) -> None:
        self.rng = np.random.default_rng(draw(st.integers(0, 10_000)))
        self.zero_rate = draw(st.sampled_from([0.0, 0.4])) if zeros else 0.0
        self.spread = draw(st.sampled_from([2.0, 60.0])) if wide else 2.0
        self.rational = rational

    def entries(self, *shape: int) -> NDArray[np.object_] | Array:
        """Positive entries and zeros; fractions with small terms when rational."""
        gone = self.rng.random(shape) < self.zero_rate
        if self.rational:
            terms = self.rng.integers(1, 8, size=(2, *shape))
            flat = [Fraction(int(p), int(q)) for p, q in terms.reshape(2, -1).T]
            filled = np.array([*flat, None], dtype=object)[:-1].reshape(shape)
            return np.where(gone, Fraction(0), filled)
        return np.where(gone, 0.0, np.exp(self.rng.uniform(-self.spread, self.spread, size=shape)))

    def stack(self, rows: int, parents: int, children: int, keep: Sequence[int]) -> Array:
        """Tables with a positive entry at the witness states ``keep[:2]``."""
        tables = self.entries(rows, parents, children)
        tables[:, keep[0], keep[1]] = 1
        return tables

    def unary(self, states: int, keep: int) -> Array:
        """A prior that is positive at the witness state."""
        weights = self.entries(states)
        weights[keep] = 1
        return weights

    def values(self, states: int) -> Array | None:
        """State values of every second class."""
        return self.rng.normal(size=states).round(2) if self.rng.random() < 0.5 else None


@dataclass
class _Growing:
    """A template tree under construction, within a number of configurations."""

    draw: Draw
    numbers: _Numbers
    limit: int
    maps: bool
    model: Model = field(default_factory=lambda: Model("tree"))
    variables: list[Variable] = field(default_factory=list)
    witness: dict[str, int] = field(default_factory=dict)

    def root(self, name: str) -> None:
        states = self.draw(st.integers(1, 4))
        keep = int(self.numbers.rng.integers(states))
        prior = self.numbers.unary(states, keep) if self.draw(st.booleans()) else None
        values = self.numbers.values(states)
        self._add(
            name, self.model.root(name, self._names(states), prior=prior, values=values), keep
        )

    def branch(self, name: str) -> None:
        """Children of any variable so far, if there is room for one more class."""
        parent = self.draw(st.sampled_from(self.variables))
        count, states = self.draw(st.integers(1, 3)), self.draw(st.integers(1, 4))
        above = self.model.variables[parent.name]
        nodes = count * above.nodes
        sizes = (len(each.states) ** each.nodes for each in self.model.variables.values())
        if prod(sizes) * states**nodes > self.limit:
            return
        potential, keep = self._potential(count, nodes, above, states)
        has_prior, has_order = self.draw(st.booleans()), self.draw(st.booleans())
        variable = parent.children(
            name,
            count,
            self._names(states),
            potential=potential,
            prior=self.numbers.unary(states, keep) if has_prior else None,
            values=self.numbers.values(states),
            order=self.draw(st.permutations(range(nodes))) if has_order else None,
        )
        self._add(name, variable, keep)

    def _potential(
        self, count: int, nodes: int, above: VariableClass, states: int
    ) -> tuple[object, int]:
        """A potential, and the witness state that it keeps possible."""
        parents, rng = len(above.states), self.numbers.rng
        kept = self.witness[above.name]
        kinds = ["shared", "ranks", "edges"] + ["child_of", "parent_of"] * self.maps
        kind = self.draw(st.sampled_from(kinds))
        maps = self.draw(st.sampled_from([1, count, nodes])) if kind.endswith("of") else 1
        if kind == "child_of":
            index = rng.integers(states, size=(maps, parents))
            index[:, kept] = index[0, kept]
            return ChildOf(index), int(index[0, kept])
        keep = int(rng.integers(states))
        if kind == "parent_of":
            index = rng.integers(parents, size=(maps, states))
            index[:, keep] = kept
            return ParentOf(index), keep
        rows = {"shared": 1, "ranks": count, "edges": nodes}[kind]
        stack = self.numbers.stack(rows, parents, states, (kept, keep))
        return (stack[0] if rows == 1 else stack), keep

    def _names(self, states: int) -> int | list[str]:
        """A number of states, or named states."""
        return list("abcd"[:states]) if self.draw(st.booleans()) else states

    def _add(self, name: str, variable: Variable, keep: int) -> None:
        self.variables.append(variable)
        self.witness[name] = keep


@st.composite
def factor_graphs(draw: Draw, *, limit: int = 3_000, zeros: bool = True) -> Factors:
    """Up to seven variables under up to eight factors of up to four: loops, parts, zeros.

    Names have spaces and other letters; tables with zeros keep one configuration possible.
    """
    names, sizes = [], []
    for k in range(draw(st.integers(1, 7))):
        size = draw(st.integers(1, 4))
        if prod([*sizes, size]) <= limit:
            names.append(f"{'xßж '[k % 4]} {k}")
            sizes.append(size)
    numbers = _Numbers(draw, zeros)
    witness = [int(numbers.rng.integers(size)) for size in sizes]
    factors = []
    for _ in range(draw(st.integers(0, 8))):
        width = draw(st.integers(0, min(4, len(names))))
        axes = draw(st.permutations(range(len(names))))[:width]
        shape, kept = [sizes[axis] for axis in axes], [witness[axis] for axis in axes]
        keep = int(np.ravel_multi_index(kept, shape)) if axes else 0
        table = numbers.unary(prod(shape), keep)
        factors.append(Factor(tuple(names[axis] for axis in axes), table.reshape(shape)))
    nodes = {
        name: Node(size, prior=numbers.unary(size, keep) if draw(st.booleans()) else None)
        for name, size, keep in zip(names, sizes, witness, strict=True)
    }
    return Factors("drawn", nodes, tuple(factors))


def joint_weights(graph: Factors) -> Array:
    """Product of all factors and priors of a small model, one axis per variable, linear."""
    names = list(graph.nodes)
    sizes = [int(graph.nodes[name].states) for name in names]
    total = np.ones(sizes)
    tables = [((name,), node.prior) for name, node in graph.nodes.items() if node.prior is not None]
    for scope, table in [*tables, *((f.variables, f.table) for f in graph.factors)]:
        order = sorted(range(len(scope)), key=lambda axis: names.index(scope[axis]))
        kept = [size if name in scope else 1 for name, size in zip(names, sizes, strict=True)]
        total = total * np.transpose(table, order).reshape(kept)
    return total


@st.composite
def redundant_models(draw: Draw, *, limit: int = LIMIT, zeros: bool = True) -> Model:
    """Models in which some tables have rank one, some states are copies, some rows sum to 1.

    Copies of a state are equal up to a scale in all tables that touch the class.
    """
    model = draw(st.one_of(models(limit=limit, zeros=zeros, maps=False), chain_models(limit=limit)))
    forest, rng = model.forest(), np.random.default_rng(draw(st.integers(0, 10_000)))
    copied = {
        name: np.where(rng.random(len(each.states)) < 0.5, 0, np.arange(len(each.states)))
        if draw(st.booleans())
        else np.arange(len(each.states))
        for name, each in forest.variables.items()
    }
    stacks: dict[str, Array] = {}
    for name, edge in forest.edges.items():
        rows, columns = (copied[forest.blocks[each].variable] for each in (edge.parent, name))
        stack = stacks.get(edge.key, forest.data[edge.key])[:, rows][:, :, columns]
        kind = draw(st.sampled_from(["as it is", "rank one", "conditional", "scaled"]))
        if kind == "rank one":
            stack = stack.sum(axis=2, keepdims=True) * stack.sum(axis=1, keepdims=True)
        if kind == "conditional":
            sums = stack.sum(axis=2, keepdims=True)
            stack = np.divide(stack, sums, out=stack.copy(), where=sums > 0)
        if kind == "scaled":
            stack = stack * np.exp(rng.normal(size=(len(stack), 1, stack.shape[2])))
        stacks[edge.key] = np.where(stack.any(axis=(1, 2), keepdims=True), stack, 1.0)
    changed = model.with_tables(stacks)
    try:
        changed.log_partition()
    except ModelError:  # what was copied had no mass
        return model
    return changed
