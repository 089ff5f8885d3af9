"""From a model and a question to a program: what may be asked, and what comes out."""

from __future__ import annotations

from time import perf_counter

import networkx as nx
import numpy as np
import pytest
import sympy as sp
import torch

import ghmpp as gh
from ghmpp.errors import ModelError, QueryError, UsageError
from ghmpp.models.model import Model
from ghmpp.models.queries import Query
from ghmpp.schedule.check import check_schedule
from ghmpp.schedule.ir import Evidence, Message
from ghmpp.schedule.plan import schedule_for

REGULAR = gh.GHM(states=(3, 4, 2), branching=(2, 3), state_values=[0.0, 1.0]).initialise(seed=0)


def chain(length: int) -> Model:
    model = gh.Model("chain")
    hidden = model.chain("z", length, 2, potential=[[2, 1], [1, 3]], prior=[1, 2])
    hidden.children("x", 1, 2, potential=[[3, 1], [1, 1]])
    return model


class TestQueries:
    @pytest.mark.parametrize(
        ("query", "shape"),
        [
            (gh.posterior("x0"), (5, 3)),
            (gh.posterior("x2"), (5, 6, 2)),
            (gh.mean("x2"), (5, 6)),
            (gh.edge("x1"), (5, 2, 3, 4)),
            (gh.log_evidence(), (5,)),
        ],
        ids=repr,
    )
    def test_each_is_answered_in_the_promised_shape(self, query, shape):
        network = gh.compile(REGULAR, query, given="x2").network()

        assert network(torch.zeros(5, 6, dtype=torch.int64)).shape == shape

    def test_several_are_one_program(self):
        program = gh.compile(REGULAR, [gh.posterior("x0"), gh.mean("x2")], given="x2")

        assert program.queries == (Query("posterior", "x0"), Query("mean", "x2"))
        assert set(program.schedule.outputs) == {("posterior", "x0"), ("mean", "x2")}

    @pytest.mark.parametrize(
        ("query", "words"),
        [
            (gh.posterior("x9"), "posterior: unknown class 'x9'; the model has x0, x1, x2"),
            (gh.mean("x0"), "mean: the states of 'x0' have no numeric values; declare values="),
            (gh.edge("x0"), "edge: 'x0' is a root and has no parent"),
            ([], "nothing is asked"),
            ([gh.posterior("x0")] * 2, r"query: posterior\(x0\) is listed twice"),
        ],
        ids=repr,
    )
    def test_what_cannot_be_answered_is_refused(self, query, words):
        model = gh.GHM(states=(3, 4, 2), branching=(2, 3), state_values={2: [0.0, 1.0]})
        if isinstance(query, Query) and query.kind == "mean":
            model = gh.Model()
            model.root("x0", list("abc")).children("x1", 2, 2)

        with pytest.raises(QueryError, match=words):
            gh.compile(model, query)

    def test_one_that_is_none_is_refused(self):
        for wrong in (5, "x0", None, [gh.posterior("x0"), 5]):
            with pytest.raises(QueryError, match=r"a query must be gh\.posterior"):
                gh.compile(REGULAR, wrong)


class TestGiven:
    @pytest.mark.parametrize("given", ["x2", ["x2"], gh.noisy("x2", sigma=1.0), ()], ids=repr)
    def test_one_or_many_names_or_channels(self, given):
        program = gh.compile(REGULAR, gh.posterior("x0"), given)
        observed = {op.block for op in program.schedule.ops if isinstance(op, Evidence)}

        assert observed == {each.variable for each in program.given} == ({"x2"} if given else set())

    def test_unknown_names_are_refused(self):
        with pytest.raises(QueryError, match="given: unknown class 'pixel'"):
            gh.compile(REGULAR, gh.posterior("x0"), given="pixel")

    def test_a_class_is_given_once(self):
        with pytest.raises(QueryError, match="given: x2 is listed twice"):
            gh.compile(REGULAR, gh.posterior("x0"), ["x2", gh.noisy("x2", sigma=1.0)])

    def test_channels_need_numeric_states(self):
        model = gh.Model()
        model.root("a", ["x", "y"])

        with pytest.raises(QueryError, match="'a': a channel needs numeric state values"):
            gh.compile(model, gh.posterior("a"), given=gh.noisy("a", sigma=1.0))


class TestPrograms:
    def test_a_program_is_no_function(self):
        program = gh.compile(REGULAR, gh.posterior("x0"), given="x2")

        with pytest.raises(
            UsageError, match=r"does not run; .* program\.network\(\); network\(x\)"
        ):
            program(torch.zeros(1, 6))

    def test_only_the_root_is_a_convnet_and_the_leaves_are_a_unet(self):
        convnet = gh.compile(REGULAR, gh.posterior("x0"), given="x2").schedule
        unet = gh.compile(REGULAR, gh.mean("x2"), given="x2").schedule

        directions = [
            {op.toward for op in schedule.ops if isinstance(op, Message)}
            for schedule in (convnet, unet)
        ]
        assert directions == [{"root"}, {"root", "leaves"}]

    def test_free_tables_may_be_compiled_but_not_run(self):
        program = gh.compile(gh.GHM(states=(2, 3), branching=(2,)), gh.posterior("x0"), "x1")
        check_schedule(program.schedule)

        with pytest.raises(ModelError, match="x0->x1"):
            program.network()

    def test_unbound_symbols_may_be_compiled_but_not_run(self):
        beta = sp.Symbol("beta")
        model = gh.Model()
        model.root("a", 2).children("b", 2, 2, potential=lambda s, x: sp.exp(beta * s * x))
        program = gh.compile(model, gh.posterior("a"), given="b")

        with pytest.raises(ModelError, match="beta"):
            program.network()

    def test_unknown_families_are_refused_with_the_known_ones(self):
        with pytest.raises(QueryError, match=r"unknown family 'magic'; known: 'exact'"):
            gh.compile(REGULAR, gh.posterior("x0")).network("magic")

    def test_it_says_what_it_answers(self):
        program = gh.compile(REGULAR, gh.mean("x2"), given=gh.noisy("x2", sigma=2.0))

        assert "mean(x2) given x2 ~ Gaussian(sigma=2.0, scale=1.0)" in repr(program)

    def test_the_domain_is_stated_for_the_precision(self):
        single = gh.compile(REGULAR, gh.posterior("x0"), "x2", dtype="float32").schedule.domain

        assert single is not None
        assert single.dtype == "float32"

    def test_formulas_have_one_assignment_per_entry(self):
        model = gh.GHM(states=(2, 2), branching=(2,), tables=[[[2, 1], [1, 2]]])
        names = [each.name for each in gh.compile(model, gh.posterior("x0"), "x1").symbolic()]

        assert {"posterior_x0_0_0", "posterior_x0_0_1"} <= set(names)

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"dtype": "double"}, "'double' is unknown; use float32 or float64"),
            ({"chunk": 0}, "at least 1 row"),
        ],
    )
    def test_unknown_options_are_refused(self, options, words):
        with pytest.raises(QueryError, match=words):
            gh.compile(REGULAR, gh.posterior("x0")).network(**options)

    def test_graphs_are_compiled_directly(self):
        graph = nx.DiGraph()
        graph.add_node("a", states=2, prior=[0.25, 0.75])
        graph.add_node("b", states=2)
        graph.add_edge("a", "b", potential=np.eye(2))
        network = gh.compile(graph, gh.posterior("b"), given="a").network()

        assert network(torch.tensor([-1, 0])).tolist() == [[0.25, 0.75], [1.0, 0.0]]


class TestSchedules:
    def test_a_class_stands_for_all_of_its_blocks(self):
        forest = chain(4).forest()
        schedule = schedule_for(forest, [("posterior", "z"), ("log_evidence", "")], ["x"])

        assert set(schedule.outputs) == {
            ("log_evidence", ""),
            *(("posterior", f"z[{k}]") for k in range(4)),
        }

    def test_edges_and_unaries_are_asked_where_there_are_some(self):
        forest = chain(3).forest()
        wanted = [("counts", "z"), ("edge", "z"), ("unary_counts", "z")]
        schedule = schedule_for(forest, wanted, ["x"])

        check_schedule(schedule)
        assert set(schedule.outputs) == {
            *((kind, f"z[{k}]") for k in (1, 2) for kind in ("counts", "edge")),
            ("unary_counts", "z[0]"),
        }

    def test_a_regular_model_of_65536_leaves_compiles_in_under_a_second(self):
        start = perf_counter()
        model = gh.GHM(states=(10,) * 9, branching=(4,) * 8, tables=[np.eye(10) + 1] * 8)
        schedule = gh.compile(model, gh.posterior("x8"), given="x8").schedule
        seconds = perf_counter() - start

        assert schedule.forest.blocks["x8"].nodes == 65_536
        assert seconds < 1.0
