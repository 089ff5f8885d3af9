from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import sympy

from ghmpp._arrays import ObjectArray
from ghmpp.backends.algebras import Exact
from ghmpp.backends.reference import run
from ghmpp.backends.symbolic import Assignment, assignment_count, closed_form, symbolic
from ghmpp.backends.symbolic_names import leaf_symbols
from ghmpp.errors import QueryError
from ghmpp.models.forest import Forest
from ghmpp.schedule.build import build_schedule
from ghmpp.schedule.ir import Message, Schedule
from ghmpp.schedule.passes import place_normalization, prune
from tests.backends.small_forests import FORESTS, Class, brute_force, chain, fractions, grow

LOG_EVIDENCE = ("log_evidence", "")


def everything(forest: Forest) -> Schedule:
    """Posteriors, edges, counts and log evidence, observing the last class."""
    wanted = [LOG_EVIDENCE, *(("posterior", name) for name in forest.blocks)]
    wanted += [(kind, name) for name in forest.edges for kind in ("edge", "counts")]
    observed = list(forest.variables)[-1]
    return prune(place_normalization(build_schedule(forest, wanted, [observed])))


def random_leaves(schedule: Schedule) -> dict[str, ObjectArray]:
    """Positive fractions for every likelihood symbol."""
    rng = np.random.default_rng(0)
    return {name: fractions(rng, array.shape) for name, array in leaf_symbols(schedule).items()}


def executed(
    assignments: tuple[Assignment, ...], start: Mapping[str, Fraction]
) -> dict[str, sympy.Expr]:
    """Values of all names, by running the assignments in order."""
    values = {sympy.Symbol(name): sympy.Rational(number) for name, number in start.items()}
    for each in assignments:
        values[sympy.Symbol(each.name)] = each.expression.xreplace(values)
    return {symbol.name: value for symbol, value in values.items()}


@pytest.mark.parametrize("name", ["a table per rank", "three branches", "index maps", "two roots"])
def test_running_the_assignments_gives_the_exact_results(name):
    schedule = everything(FORESTS[name])
    leaves = random_leaves(schedule)
    names = leaf_symbols(schedule)
    start = {
        str(symbol): number
        for key in names
        for symbol, number in zip(names[key].flat, leaves[key].flat, strict=True)
    }
    found = executed(symbolic(schedule), start)

    exact = run(schedule, leaves, Exact())
    for (kind, block), array in exact.items():
        if kind == "posterior":
            for (_, node, state), value in np.ndenumerate(array):
                assert found[f"posterior_{block}_{node}_{state}"] == value
    assert found["log_evidence"] == sympy.log(exact[LOG_EVIDENCE][0])


def test_assigned_names_are_new_and_used_only_after():
    forest = FORESTS["three branches"]
    known = {str(symbol) for symbol in leaf_symbols(everything(forest))["w"].flat}
    for each in symbolic(everything(forest)):
        assert each.name not in known
        assert {symbol.name for symbol in each.expression.free_symbols} <= known
        known.add(each.name)


def test_messages_are_named_after_the_child_and_the_state_of_the_parent():
    x, s = sympy.symbols("l_x_1_0 l_x_1_1")
    forest = grow(Class("r", 2), Class("x", 2, "r", 2))
    forest = replace(forest, data={"r->x": np.array([[[1, 2], [3, 4]]])})
    schedule = build_schedule(forest, [("posterior", "r")], ["x"])
    found = {each.name: each.expression for each in symbolic(schedule)}

    assert found["u_x_1_0"] == x + 2 * s
    assert found["u_x_1_1"] == 3 * x + 4 * s
    assert found["p_x_0_1"] == sympy.Symbol("u_x_0_1") * sympy.Symbol("u_x_1_1")


def test_results_are_divided_by_a_total_with_a_name():
    schedule = everything(FORESTS["one child"])
    found = {each.name: each.expression for each in symbolic(schedule)}

    total, share = found["z_posterior_r_0"], found["posterior_r_0_1"]
    assert {symbol.name for symbol in total.free_symbols} == {"q_r_0_0", "q_r_0_1"}
    assert share == sympy.Symbol("q_r_0_1") / sympy.Symbol("z_posterior_r_0")


def test_there_are_as_many_assignments_as_counted():
    for forest in FORESTS.values():
        schedule = everything(forest)
        assert assignment_count(schedule) == len(symbolic(schedule))


def test_assignments_remember_their_instruction():
    schedule = everything(FORESTS["one child"])
    messages = [each.name for each in symbolic(schedule) if isinstance(each.op, Message)]

    assert messages == ["u_x_0_0", "u_x_0_1", "v_x_0_0", "v_x_0_1", "v_x_0_2"]


def test_blocks_of_a_chain_get_identifiers():
    names = {each.name for each in symbolic(everything(chain(2, 2)))}

    assert "u_z_1_0_1" in names
    assert all(name.isidentifier() for name in names)


def test_blocks_whose_identifiers_would_meet_stay_apart():
    forest = grow(Class("a-b", 2), Class("a_b", 2))
    schedule = build_schedule(forest, [("posterior", name) for name in forest.blocks], ["a-b"])
    names = [each.name for each in symbolic(schedule)]

    assert len(names) == len(set(names))


def test_given_likelihoods_are_assigned():
    schedule = everything(FORESTS["one child"])
    leaves = {"x": np.array([[[0, 1, 0]]])}
    lines = list(map(str, symbolic(schedule, leaves)))

    assert lines[:3] == ["l_x_0_0 = 0", "l_x_0_1 = 1", "l_x_0_2 = 0"]


def test_free_tables_become_symbols():
    forest = replace(grow(Class("r", 2), Class("x", 2, "r")), data={})
    schedule = build_schedule(forest, [LOG_EVIDENCE], ["x"])
    (found,) = closed_form(schedule, {"x": np.array([[[1, 0]]])})[LOG_EVIDENCE]

    assert found == sympy.log(sum(sympy.symbols("psi_r_x_0_0_0 psi_r_x_0_1_0")))


def test_formulas_are_kept_as_declared():
    beta = sympy.Symbol("beta", positive=True)
    forest = grow(Class("r", 2), Class("x", 2, "r", 2))
    table = np.array([[[sympy.exp(beta), 1], [1, sympy.exp(beta)]]])
    forest = replace(forest, data={"r->x": np.ones((1, 2, 2))}, formulas={"r->x": table})
    schedule = build_schedule(forest, [("posterior", "r")], ["x"])
    found = closed_form(schedule, {"x": np.array([[[1, 0], [1, 0]]])})["posterior", "r"]

    expected = sympy.exp(2 * beta) / (sympy.exp(2 * beta) + 1)
    assert sympy.simplify(found[0, 0, 0] - expected) == 0


def test_the_closed_form_of_the_evidence_has_one_term_per_configuration():
    forest = grow(Class("r", 2), Class("x", 2, "r", 2))
    schedule = build_schedule(forest, [LOG_EVIDENCE], ["x"])
    (found,) = closed_form(schedule)[LOG_EVIDENCE]

    terms = sympy.exp(found).as_coefficients_dict()
    assert len(terms) == 4
    assert sum(terms.values()) == brute_force(forest, {}, 1).total[0]


def test_closed_forms_agree_with_enumeration():
    forest = FORESTS["a table per rank"]
    schedule = everything(forest)
    leaves = random_leaves(schedule)
    found = closed_form(schedule, leaves)

    truth = brute_force(forest, leaves, 1)
    assert found[LOG_EVIDENCE].tolist() == [sympy.log(sympy.Rational(truth.total[0]))]
    for name, posterior in truth.posterior.items():
        assert (found["posterior", name] == posterior).all()


def test_derivatives_of_the_log_evidence_are_expected_counts():
    forest = FORESTS["a table per rank"]
    tables = {"y->x": forest.data["y->x"]}
    free = replace(
        forest, data={key: table for key, table in forest.data.items() if key not in tables}
    )
    leaves = random_leaves(everything(forest))
    schedule = build_schedule(free, [LOG_EVIDENCE], ["x"])
    (log_evidence,) = closed_form(schedule, leaves)[LOG_EVIDENCE]

    counts = run(everything(forest), leaves, Exact())["counts", "x"]
    values = {
        sympy.Symbol(f"psi_y_x_{row}_{s}_{a}"): sympy.Rational(value)
        for (row, s, a), value in np.ndenumerate(tables["y->x"])
    }
    for symbol, value in values.items():
        index = tuple(map(int, symbol.name.split("_")[-3:]))
        assert (symbol * log_evidence.diff(symbol)).xreplace(values) == counts[index]
        assert value == tables["y->x"][index]


def test_closed_forms_of_impossible_evidence_are_zero():
    schedule = build_schedule(FORESTS["one child"], [("posterior", "r")], ["x"])
    found = closed_form(schedule, {"x": np.zeros((1, 1, 3), int)})

    assert found["posterior", "r"].tolist() == [[[0, 0]]]


# Errors


def test_too_many_assignments_are_refused_with_their_number():
    schedule = everything(chain(4, 2))
    number = len(symbolic(schedule))

    with pytest.raises(QueryError, match=f"{number} assignments exceed limit={number - 1}"):
        symbolic(schedule, limit=number - 1)


def test_too_many_configurations_are_refused_with_their_number():
    schedule = build_schedule(chain(40, 2), [LOG_EVIDENCE], ["x"])

    with pytest.raises(QueryError, match=r"about 10\^24 configurations exceed limit=1,000"):
        closed_form(schedule)


@pytest.mark.parametrize("formulas", [symbolic, closed_form])
@pytest.mark.parametrize(
    ("outputs", "semiring"), [([LOG_EVIDENCE], "max"), ([("choice", "r")], "sum")]
)
def test_maxima_and_choices_are_refused(formulas, outputs, semiring):
    schedule = build_schedule(FORESTS["one child"], outputs, ["x"], semiring=semiring)

    with pytest.raises(QueryError, match="maxima and choices have no formula"):
        formulas(schedule)


def test_assignments_are_for_one_row():
    schedule = everything(FORESTS["one child"])

    with pytest.raises(QueryError, match="one row, got a batch of 2"):
        symbolic(schedule, {"x": np.ones((2, 1, 3))})


def test_symbols_called_like_an_assignment_are_refused():
    schedule = everything(FORESTS["one child"])
    leaves = {"x": np.array([[[sympy.Symbol("u_x_0_0"), 1, 1]]])}

    with pytest.raises(QueryError, match=r"rename the symbols \['u_x_0_0'\]"):
        symbolic(schedule, leaves)
