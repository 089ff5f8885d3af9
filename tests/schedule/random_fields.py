"""Random schedules of fields, with every instruction on fields and every kind of coupling."""

from __future__ import annotations

import numpy as np

from ghmpp.models.forest import Block, Coupling, CouplingKind, Forest, VariableClass
from ghmpp.schedule.domain import choose_domain
from ghmpp.schedule.fields import FieldBuilder
from ghmpp.schedule.functions import FunctionName
from ghmpp.schedule.ir import Schedule, Term, Value

FUNCTIONS: tuple[FunctionName, ...] = (
    "tanh",
    "tanh_slope",
    "sigmoid",
    "sigmoid_slope",
    "softplus",
    "square",
    "one_minus_square",
    "relu",
    "soft",
)
KINDS: tuple[CouplingKind, ...] = ("dense", "sparse", "constant")


def random_forest(rng: np.random.Generator) -> Forest:
    """A class of spins, one of real numbers, and couplings of all kinds between and within."""
    sizes = {"x": int(rng.integers(1, 5)), "z": int(rng.integers(1, 5))}
    variables = {
        "x": VariableClass("x", (-1, 1), np.array([-1.0, 1.0]), sizes["x"], ("x",)),
        "z": VariableClass("z", (), None, sizes["z"], ("z",)),
    }
    blocks = {"x": Block("x", "x", 0, sizes["x"], 2), "z": Block("z", "z", 0, sizes["z"], 1)}
    data: dict[str, np.ndarray] = {"prior": np.array([[-1.0, 0.5, 2.0], [0.1, -0.3, 0.0]])}
    couplings = {}
    for source in blocks:
        for target in blocks:
            for kind in (*KINDS, *(("diagonal",) if source == target else ())):
                name = f"{kind} {source} {target}"
                index = None
                shape: tuple[int, ...] = (sizes[target],)
                if kind == "dense":
                    shape = (sizes[target], sizes[source])
                elif kind == "sparse":
                    index, entries = f"{name} index", int(rng.integers(1, 6))
                    ends = [rng.integers(0, sizes[end], entries) for end in (target, source)]
                    data[index], shape = np.array(ends), (entries,)
                data[name] = rng.normal(scale=0.5, size=shape)
                couplings[name] = Coupling(name, source, target, name, kind, index)
    return Forest("random fields", variables, blocks, {}, data, couplings=couplings)


def random_schedule(rng: np.random.Generator, *, ops: int = 6) -> Schedule:
    """Given spins and numbers, some instructions, and read-outs of both classes."""
    forest = random_forest(rng)
    build = FieldBuilder(forest)
    fields = {
        "x": [build.local("x", "log_odds", build.evidence("x"))],
        "z": [build.evidence("z")],
    }
    for _ in range(ops):
        _add(build, fields, rng, deep=True)
    logs = build.local("x", "spin_logs", fields["x"][-1])
    outputs = [
        build.readout("posterior", "x", logs),
        build.readout("mean", "x", logs),
        build.readout("mean", "z", fields["z"][-1]),
        build.readout("code", "z", fields["z"][0]),
    ]
    return choose_domain(build.schedule(outputs))


def _add(
    build: FieldBuilder,
    fields: dict[str, list[Value]],
    rng: np.random.Generator,
    *,
    deep: bool,
) -> None:
    """One more instruction, at a random block."""
    block = str(rng.choice(["x", "z"]))
    known = fields[block]
    kind = rng.choice(["couple", "local", "prior", "gate", *(["repeat"] if deep else [])])
    if kind == "couple":
        known.append(build.couple(block, *_terms(build.forest, block, fields, rng)))
    elif kind == "local":
        name = FUNCTIONS[int(rng.integers(len(FUNCTIONS)))]
        parameter = 0.3 if name == "soft" else 0.0
        known.append(build.local(block, name, _any(known, rng), parameter=parameter))
    elif kind == "prior":
        name = "prior_mean" if rng.random() < 0.5 else "prior_variance"
        width = build.local(block, "sigmoid", _any(known, rng))
        known.append(build.local(block, name, _any(known, rng), width, key="prior"))
    elif kind == "gate":
        small = (build.local(block, "tanh", _any(known, rng)) for _ in range(2))
        known.append(build.gate(block, *small))
    else:
        _repeat(build, fields, rng)


def _repeat(build: FieldBuilder, fields: dict[str, list[Value]], rng: np.random.Generator) -> None:
    """A few rounds that carry a field of each block."""

    def body(x: Value, z: Value) -> list[Value]:
        inside = {"x": [*fields["x"], x], "z": [*fields["z"], z]}
        for _ in range(3):
            _add(build, inside, rng, deep=False)
        return [
            build.local(name, "tanh", build.couple(name, inside[name][-1], carried))
            for name, carried in (("x", x), ("z", z))
        ]

    rounds = int(rng.integers(1, 4))
    x, z = build.repeat(rounds, [_any(fields["x"], rng), _any(fields["z"], rng)], body)
    fields["x"].append(x)
    fields["z"].append(z)


def _terms(
    forest: Forest, block: str, fields: dict[str, list[Value]], rng: np.random.Generator
) -> list[Term]:
    """Up to three summands that lead to a block."""
    found = [Term(_any(fields[block], rng), scale=float(rng.normal()))]
    for _ in range(int(rng.integers(0, 3))):
        coupling = forest.couplings[str(rng.choice(list(forest.couplings)))]
        transposed = coupling.target != block or bool(
            coupling.source == block and rng.random() < 0.5
        )
        if coupling.kind == "constant":
            if coupling.target == block:
                found.append(Term(None, coupling.name, scale=0.5))
            continue
        if block in (coupling.source, coupling.target):
            there = coupling.target if transposed else coupling.source
            found.append(Term(_any(fields[there], rng), coupling.name, transposed, 0.7))
    return found


def _any(values: list[Value], rng: np.random.Generator) -> Value:
    return values[int(rng.integers(len(values)))]
