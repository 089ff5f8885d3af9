from __future__ import annotations

import re

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import ghmpp as gh
from ghmpp.backends.algebras import LogFloat
from ghmpp.backends.reference import run
from ghmpp.backends.symbolics.program import SymbolicProgram
from ghmpp.compiler import Program
from ghmpp.errors import QueryError
from ghmpp.models.convert import as_model, from_networkx
from ghmpp.models.directed import log_partition
from ghmpp.models.factors import Factors
from ghmpp.models.forest import Forest
from ghmpp.models.model import Model
from ghmpp.schedule.build import build_schedule
from ghmpp.schedule.ir import Schedule
from ghmpp.schedule.passes import place_normalization, prune
from ghmpp.verification.answers import Answer
from ghmpp.verification.enumeration import enumeration
from tests.backends.small_forests import FORESTS, chain, likelihoods
from tests.backends.symbolics.printed import (
    CC,
    Array,
    build,
    c_results,
    c_rows,
    python_function,
    python_results,
)
from tests.strategies import factor_graphs, joint_weights, models
from tests.tolerances import ENUMERATION, EXACT, GRADIENT

needs_compiler = pytest.mark.skipif(CC is None, reason="there is no C compiler")
LANGUAGES = ["numpy", "torch"]
LOG_EVIDENCE = ("log_evidence", "")


# Against the reference, on forests with every kind of potential


def all_answers(forest: Forest) -> Schedule:
    """Every result that code is printed for, given the classes of ``likelihoods``."""
    wanted = [LOG_EVIDENCE]
    wanted += [(kind, name) for name in forest.blocks for kind in ("posterior", "mean")]
    wanted += [("edge", name) for name in forest.edges]
    observed = list(likelihoods(forest))
    return prune(place_normalization(build_schedule(forest, wanted, observed)))


def large_logs(forest: Forest) -> dict[str, Array]:
    """Log-likelihoods of size 1e3, a third of them -inf."""
    rng = np.random.default_rng(0)
    return {
        name: LogFloat().lift(linear) + 1e3 * rng.normal(size=linear.shape)
        for name, linear in likelihoods(forest).items()
    }


def reference(schedule: Schedule, logs: dict[str, Array]) -> list[Array]:
    """The answers by the reference interpreter, in the order of printed code."""
    forest, found = schedule.forest, run(schedule, logs, LogFloat())
    results = []
    for kind, name in dict.fromkeys((k, forest.blocks[b].variable if b else "") for k, b in found):
        if not name:
            results.append(found[LOG_EVIDENCE] - log_partition(forest))
        else:
            names = [each.name for each in forest.class_blocks(name)]
            parts = [found[kind, each] for each in names if (kind, each) in found]
            results.append(np.concatenate(parts, axis=1))
    return results


def assert_equal(found: list[Array], expected: list[Array], tolerance: float) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert not np.isnan(one).any()
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", FORESTS)
def test_python_equals_the_reference_at_log_likelihoods_of_size_1000(name, language):
    schedule, logs = all_answers(FORESTS[name]), large_logs(FORESTS[name])

    found = python_results(SymbolicProgram(schedule), language, list(logs.values()))
    assert_equal(found, reference(schedule, logs), EXACT)


@pytest.mark.slow
@needs_compiler
def test_compiled_c_equals_the_reference_at_log_likelihoods_of_size_1000(tmp_path):
    schedules = {name.replace(" ", "_"): all_answers(forest) for name, forest in FORESTS.items()}
    sources = {name: SymbolicProgram(each).c(name) for name, each in schedules.items()}
    library = build(tmp_path, sources)

    for name, schedule in schedules.items():
        logs = large_logs(schedule.forest)
        expected = reference(schedule, logs)
        assert_equal(c_rows(library, name, list(logs.values()), expected), expected, EXACT)


# Against enumeration, on drawn models, in the user's names and order


def asked(model: Model, seen: list[str]) -> Program:
    """All that can be asked of the visible classes."""
    forest = model.forest()
    queries = [gh.log_evidence()]
    for name, variable in forest.visible.items():
        queries.append(gh.posterior(name))
        queries += [gh.mean(name)] if variable.values is not None else []
        above = [forest.edges.get(block.name) for block in forest.class_blocks(name)]
        parents = {forest.blocks[edge.parent].variable for edge in above if edge is not None}
        queries += [gh.edge(name)] if parents and parents <= forest.visible.keys() else []
    return gh.compile(model, queries, given=seen)


def drawn_logs(model: Model, seen: list[str], rng: np.random.Generator) -> dict[str, Array]:
    """Three rows: moderate, of size 1e3, and states excluded."""
    logs = {}
    for name in seen:
        variable = model.forest().variables[name]
        shape = (variable.nodes, len(variable.states))
        x = rng.normal(size=(3, *shape)) * np.array([1.0, 1e3, 1.0])[:, None, None]
        x[2][rng.random(shape) < 0.3] = -np.inf
        logs[name] = x
    return logs


def answers(program: Program, truth: Answer) -> list[Array]:
    """Enumerated answers in the order of a program's queries."""
    kinds = {"posterior": truth.posteriors, "mean": truth.means, "edge": truth.edges}
    return [
        truth.log_evidence if query.kind == "log_evidence" else kinds[query.kind][query.variable]
        for query in program.queries
    ]


def drawn(model: Model, data: st.DataObject) -> tuple[Program, list[Array], list[Array]]:
    """A program, its arguments, and the answers by enumeration."""
    names = list(model.forest().visible)
    seen = data.draw(st.lists(st.sampled_from(names), unique=True, min_size=1))
    program = asked(model, seen)
    logs = drawn_logs(model, seen, np.random.default_rng(data.draw(st.integers(0, 1000))))
    return program, list(logs.values()), answers(program, enumeration(model.forest(), logs))


def assert_answers(found: list[Array], expected: list[Array]) -> None:
    """Equal where the evidence is possible; -inf and no nan where it is not."""
    possible = expected[0] > -np.inf
    assert (found[0][~possible] == -np.inf).all()
    assert all(np.isfinite(each).all() for each in found[1:])
    assert_equal([a[possible] for a in found], [a[possible] for a in expected], ENUMERATION)


@pytest.mark.parametrize("language", LANGUAGES)
@given(model=models(limit=300), data=st.data())
@settings(max_examples=12)
def test_python_equals_enumeration_on_drawn_models(language, model, data):
    program, logs, expected = drawn(model, data)

    assert_answers(python_results(program.symbolic(), language, logs), expected)


def factor_truth(graph: Factors, logs: dict[str, Array]) -> tuple[list[str], list[Array]]:
    """Variables, log evidence and posteriors by the sum over one joint array."""
    names = list(graph.nodes)
    weights = joint_weights(graph)
    with np.errstate(divide="ignore"):
        joint = np.log(weights)
    results = []
    for row in range(3):
        x = joint - np.log(weights.sum())
        for axis, name in enumerate(names):
            if name in logs:
                sizes = [-1 if k == axis else 1 for k in range(len(names))]
                x = x + logs[name][row, 0].reshape(sizes)
        total = np.logaddexp.reduce(x, axis=None)
        shares = np.exp(x - max(total, np.finfo(float).min))
        others = [tuple(k for k in range(len(names)) if k != axis) for axis in range(len(names))]
        results.append([total, *(shares.sum(axis)[None] for axis in others)])
    return names, [np.stack(parts) for parts in zip(*results, strict=True)]


def drawn_graph(graph: Factors, data: st.DataObject) -> tuple[Program, list[Array], list[Array]]:
    """A program about every variable of a factor graph, its arguments, and the answers."""
    seen = data.draw(st.lists(st.sampled_from(list(graph.nodes)), unique=True, min_size=1))
    model = as_model(graph)
    logs = drawn_logs(model, seen, np.random.default_rng(data.draw(st.integers(0, 1000))))
    names, expected = factor_truth(graph, logs)
    queries = [gh.log_evidence(), *map(gh.posterior, names)]
    return gh.compile(model, queries, given=seen), list(logs.values()), expected


@given(graph=factor_graphs(limit=200), data=st.data())
@settings(max_examples=12)
def test_numpy_equals_enumeration_on_discovered_classes_and_junction_trees(graph, data):
    program, logs, expected = drawn_graph(graph, data)

    assert_answers(python_results(program.symbolic(), "numpy", logs), expected)


@needs_compiler
@given(model=models(limit=300), graph=factor_graphs(limit=200), data=st.data())
@settings(max_examples=4)
def test_compiled_c_equals_enumeration_on_drawn_models(tmp_path_factory, model, graph, data):
    cases = {"model": drawn(model, data), "graph": drawn_graph(graph, data)}
    sources = {name: case[0].symbolic().c(name) for name, case in cases.items()}
    library = build(tmp_path_factory.mktemp("c"), sources)

    for name, (_, logs, expected) in cases.items():
        assert_answers(c_rows(library, name, logs, expected), expected)


def test_edges_of_a_tree_that_was_declared_one_by_one():
    declared = gh.GHM(states=(2, 3, 2), branching=(2, 2)).initialise(seed=3)
    seen, names = [f"x2[{k}]" for k in (0, 1, 3)], ["x1[1]", "x2[0]", "x2[2]"]
    copy = from_networkx(declared.graph())
    program = gh.compile(copy, [gh.log_evidence(), *map(gh.edge, names)], given=seen)
    logs = {name: np.random.default_rng(4).normal(size=(2, 1, 2)) for name in seen}
    expected = answers(program, enumeration(copy.forest(), logs))

    assert program.schedule.forest.grouping is not None
    assert_answers(python_results(program.symbolic(), "numpy", list(logs.values())), expected)


def test_arguments_and_answers_are_in_the_users_order():
    order = [2, 0, 3, 1]
    model = gh.Model("permuted")
    leaf = model.root("r", 2).children(
        "x", 4, 2, potential=np.arange(1.0, 17).reshape(4, 2, 2), order=order
    )
    program = gh.compile(model, gh.posterior(leaf.name), given="x")
    logs = {"x": np.random.default_rng(2).normal(size=(1, 4, 2))}

    (found,) = python_results(program.symbolic(), "numpy", [logs["x"]])
    np.testing.assert_allclose(
        found, enumeration(model.forest(), logs).posteriors["x"], rtol=ENUMERATION
    )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("shape", [(), (1,), (0,), (2, 3)])
def test_any_batch_shape_stands_in_front(language, shape):
    model = gh.GHM(states=(2, 3, 2), branching=(2, 2)).initialise(seed=1)
    program = gh.compile(model, [gh.posterior("x1"), gh.log_evidence()], given="x2").symbolic()

    posterior, logs = python_results(program, language, [np.zeros((*shape, 4, 2))])
    assert posterior.shape == (*shape, 2, 3)
    assert logs.shape == shape


@pytest.mark.parametrize("language", LANGUAGES)
def test_impossible_evidence_gives_zeros_and_minus_infinity(language):
    model = gh.GHM(states=(2, 2), branching=(2,), tables=[[[1.0, 0.0], [0.0, 1.0]]])
    program = gh.compile(model, [gh.posterior("x0"), gh.posterior("x1"), gh.log_evidence()], "x1")
    clash = np.array([[0.0, -np.inf], [-np.inf, 0.0]])

    root, leaves, logs = python_results(program.symbolic(), language, [clash])
    assert root.tolist() == [[0, 0]]
    assert leaves.tolist() == [[0, 0], [0, 0]]
    assert logs == -np.inf


def test_gradients_of_printed_torch_are_posteriors():
    import torch

    model = gh.GHM(states=(2, 3, 2), branching=(2, 2)).initialise(seed=1)
    program = gh.compile(model, [gh.posterior("x2"), gh.log_evidence()], given="x2")
    logs = torch.randn(4, 2, dtype=torch.float64, requires_grad=True)
    found = python_function(program.symbolic().torch())(logs)

    (gradient,) = torch.autograd.grad(found["log_evidence"], logs)
    torch.testing.assert_close(gradient, found["posterior_x2"], rtol=GRADIENT, atol=GRADIENT)


def test_code_grows_with_the_levels_not_with_the_nodes():
    def lines(fanout: int) -> list[str]:
        tables = [np.ones((2, 2))] * 3
        model = gh.GHM(states=(2, 2, 2, 2), branching=(fanout,) * 3, tables=tables)
        program = gh.compile(model, gh.posterior("x3"), given="x3").symbolic()
        return [re.sub(r"\d+", "0", text) for text in (program.numpy(), program.c())]

    assert lines(20) == lines(40)


# Symbols and free tables are arguments


def potts() -> Model:
    beta = sp.Symbol("lambda", positive=True)
    model = gh.Model("potts")
    top = model.root("top", 3)
    middle = top.children("middle", 2, 3, potential=lambda s, a: sp.exp(beta) if s == a else 1)
    middle.children(
        "leaf", 2, 3, potential=lambda s, a: sp.exp(-beta * (s - a) ** 2) + sp.exp(-beta)
    )
    return model


def potts_program(beta: float | None = None) -> Program:
    model = potts() if beta is None else potts().bind(**{"lambda": beta})
    return gh.compile(model, [gh.log_evidence(), gh.posterior("top"), gh.posterior("leaf")], "leaf")


@pytest.fixture(scope="module")
def potts_library(tmp_path_factory):
    if CC is None:
        pytest.skip("there is no C compiler")
    return build(tmp_path_factory.mktemp("potts"), {"potts": potts_program().symbolic().c()})


@pytest.mark.parametrize("language", [*LANGUAGES, "c"])
def test_symbols_are_arguments(language, request):
    logs = np.random.default_rng(3).normal(size=(2, 4, 3))
    expected = answers(
        potts_program(), enumeration(potts().bind(**{"lambda": 0.7}).forest(), {"leaf": logs})
    )
    if language == "c":
        library = request.getfixturevalue("potts_library")
        rows = [_potts_row(library, row, 0.7) for row in logs]
        found = [np.stack(parts) for parts in zip(*rows, strict=True)]
    else:
        found = python_results(potts_program().symbolic(), language, [logs, 0.7])

    assert_answers(found, expected)


def _potts_row(library: object, row: Array, beta: float) -> list[Array]:
    return c_results(library, "infer", [row, beta], [(), (1, 3), (4, 3)])


@pytest.mark.parametrize("language", [*LANGUAGES, "c"])
def test_formulas_do_not_overflow(language, request):
    """At coupling 1000 all nodes agree; that the leaves see one state leaves no doubt."""
    logs = np.full((4, 3), -1e3)
    logs[:, 1] = 0.0
    if language == "c":
        found = _potts_row(request.getfixturevalue("potts_library"), logs, 1e3)
    else:
        found = python_results(potts_program().symbolic(), language, [logs, 1e3])

    log_evidence, top, leaf = found
    assert log_evidence == pytest.approx(-np.log(3), rel=EXACT)
    np.testing.assert_allclose(top, [[0, 1, 0]], atol=EXACT)
    np.testing.assert_allclose(leaf, np.eye(3)[[1] * 4], atol=EXACT)


@pytest.mark.parametrize("language", LANGUAGES)
def test_free_tables_are_arguments(language):
    free = gh.GHM(states=(2, 3), branching=(2,), prior=[0.25, 0.75])
    complete = free.initialise(seed=4)
    (edge,) = complete.forest().edges.values()
    table = complete.forest().data[edge.key].copy()
    program = gh.compile(free, [gh.log_evidence(), gh.posterior("x0")], given="x1")
    logs = np.random.default_rng(5).normal(size=(2, 2, 3))
    expected = answers(program, enumeration(complete.forest(), {"x1": logs}))

    assert_answers(python_results(program.symbolic(), language, [logs, table]), expected)


# Names


def test_names_that_are_words_of_a_language_are_changed(tmp_path):
    model = gh.Model("words")
    model.root("lambda", 2).children("int", 2, 2, potential=[[2.0, 1], [1, 3]]).children(
        "l_np", 1, 2, potential=[[2.0, 1], [1, 3]]
    )
    names = ["lambda", "int", "l_np"]
    program = gh.compile(model, [gh.posterior(name) for name in names], given=["l_np", "int"])
    logs = {"l_np": np.zeros((1, 2, 2)), "int": np.random.default_rng(6).normal(size=(1, 2, 2))}
    expected = answers(program, enumeration(model.forest(), logs))

    assert_equal(
        python_results(program.symbolic(), "numpy", list(logs.values())), expected, ENUMERATION
    )
    if CC is not None:
        library = build(tmp_path, {"words": program.symbolic().c()})
        assert_equal(c_rows(library, "infer", list(logs.values()), expected), expected, ENUMERATION)


# The sequence of assignments, and its errors


def test_a_program_is_the_sequence_of_its_assignments():
    program = gh.compile(gh.GHM(states=(2, 2), branching=(2,)), gh.posterior("x0"), "x1").symbolic()

    assert len(program) == len(list(program)) == 9
    assert program[-1].name == "posterior_x0_0_1"
    assert program[:2] == tuple(program)[:2]


def test_the_text_of_a_program_starts_with_its_size():
    program = gh.compile(gh.GHM(states=(2, 2), branching=(2,)), gh.posterior("x0"), "x1").symbolic()

    assert str(program).startswith("9 assignments for 4 instructions of 'ghm': posterior of x0")
    assert "u_x1[v, s] = logsumexp_a(log psi_x0_x1" in str(program)
    assert "<table>" in program._repr_html_()


def test_assignments_beyond_the_limit_are_counted_and_refused_only_when_asked_for():
    schedule = all_answers(chain(4, 2))
    program = SymbolicProgram(schedule, limit=10)

    assert len(program) > 10
    with pytest.raises(QueryError, match=f"{len(program)} assignments exceed limit=10"):
        program[0]


@pytest.mark.parametrize("language", ["numpy", "torch", "c"])
def test_code_beyond_the_limit_is_refused_with_its_size(language):
    program = SymbolicProgram(all_answers(FORESTS["a table per rank"]))
    found = len(program.schedule.ops)

    with pytest.raises(
        QueryError, match=rf"{language}: {found} assignments with 18 constants exceed"
    ):
        getattr(program, language)(limit=found)


@pytest.mark.parametrize("language", ["numpy", "torch", "c"])
def test_counts_are_not_printed(language):
    forest = FORESTS["one child"]
    schedule = build_schedule(forest, [("counts", "x")], ["x"])

    with pytest.raises(QueryError, match="counts are sums over a batch"):
        getattr(SymbolicProgram(schedule), language)()


def test_maxima_are_refused():
    schedule = build_schedule(FORESTS["one child"], [LOG_EVIDENCE], ["x"], semiring="max")

    with pytest.raises(QueryError, match="maxima and choices have no formula"):
        SymbolicProgram(schedule)


# LaTeX


def test_every_equation_is_valid_mathematics_in_latex():
    from matplotlib.mathtext import MathTextParser

    parser = MathTextParser("path")
    kept = [LOG_EVIDENCE, ("edge", "x"), ("mean", "y")]
    schedule = prune(all_answers(FORESTS["an index map per rank"]), kept)
    lines = SymbolicProgram(schedule).latex().splitlines()
    for line in lines[1:-1]:
        parser.parse("$" + line.removesuffix(r" \\").replace("&", "") + "$")


def test_latex_has_one_equation_per_instruction_or_per_node():
    model = gh.GHM(states=(2, 2), branching=(2,), tables=[[[2, 1], [1, 2]]])
    program = gh.compile(model, gh.posterior("x0"), "x1").symbolic()

    assert len(program.latex().splitlines()) == 2 + 4
    assert len(program.latex(nodes=True).splitlines()) == 2 + 2 + 2 + 1 + 1
    assert (
        r"q_{\downarrow,1}^{\mathrm{x1}}(s) &= \log \sum_{a} \psi^{\mathrm{x0 \to x1}}(s, a) \, "
        r"e^{h_{\downarrow,1}^{\mathrm{x1}}(a)} && \mathrm{x1 \to x0} \\"
    ) in program.latex(nodes=True)


def test_latex_beyond_the_limit_is_refused_with_its_size():
    program = SymbolicProgram(all_answers(FORESTS["chain"]))

    with pytest.raises(QueryError, match=f"{len(program.equations)} equations exceed limit=5"):
        program.latex(limit=5)
