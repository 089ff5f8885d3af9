from __future__ import annotations

from dataclasses import replace
from itertools import product
from math import comb, prod

import numpy as np
import pytest
import sympy as sp

import ghmpp as gh
from ghmpp.backends.symbolics.program import SymbolicProgram
from ghmpp.errors import QueryError
from ghmpp.schedule.build import build_schedule
from ghmpp.schedule.passes import prune
from tests.backends.small_forests import FORESTS, brute_force, chain, fractions


def tied(levels: int, fanout: int, states: int) -> SymbolicProgram:
    """The root's posterior where every table of a level is one, all leaves are seen alike, and
    every entry of a table, of the prior and of the likelihood is a symbol of its own.
    """
    tables = [
        np.array(sp.symbols(f"psi{k}_(:{states})_(:{states})")).reshape(states, states)
        for k in range(1, levels)
    ]
    model = gh.GHM(
        states=(states,) * levels,
        branching=(fanout,) * (levels - 1),
        tables=tables,
        prior=np.array(sp.symbols(f"pi_:{states}")),
    )
    leaf = f"x{levels - 1}"
    program = gh.compile(model, gh.posterior("x0"), given=leaf).symbolic()
    likelihood = np.array(sp.symbols(f"l_:{states}"))
    leaves = np.broadcast_to(likelihood, (1, fanout ** (levels - 1), states))
    return replace(program, leaves={leaf: leaves})


def terms_of_power(levels: int, power: int, fanout: int, states: int) -> int:
    """Terms of ``U**power``, where ``U(s) = sum_a psi(s, a) H_a`` is what a child says.

    ``U**power`` has one part per choice of how often each state a is taken; the symbols psi(s, a)
    tell these parts apart. At the leaves ``H_a`` is one symbol; above, it is the product of what
    ``fanout`` equal children say about a, whose symbols are those of row a only.
    """
    if levels == 1:
        return 1
    counts = (c for c in product(range(power + 1), repeat=states) if sum(c) == power)
    below = [terms_of_power(levels - 1, fanout * n, fanout, states) for n in range(power + 1)]
    return sum(prod(below[n] for n in each) for each in counts)


def test_three_layers_three_children_three_states():
    """44 operations as assignments, 8,535 terms expanded.

    As assignments, every level above the leaves has for each of 3 states a sum of 3 products and
    a third power; the root has 3 products with its prior, a sum of 3, and 3 divisions. Expanded,
    the three entries of the unnormalised posterior have 2,845 terms each.
    """
    program = tied(3, 3, 3)

    assert program.operations == 2 * 3 * (3 + 2 + 1) + 3 + 2 + 3 == 44
    assert program.terms("posterior", "x0") == 3 * terms_of_power(3, 3, 3, 3) == 8535


@pytest.mark.parametrize(
    ("levels", "fanout", "states"), [(2, 2, 2), (3, 2, 2), (2, 4, 3), (3, 2, 3)]
)
def test_terms_are_those_of_the_expansion(levels, fanout, states):
    program = tied(levels, fanout, states)
    found = program.expanded("posterior", "x0", limit=10_000)

    counted = sum(len(sp.Add.make_args(entry)) for entry in found.flat)
    assert counted == program.terms("posterior", "x0")
    assert counted == states * terms_of_power(levels, fanout, fanout, states)


def test_terms_of_numeric_tables_are_configurations_of_the_leaves():
    model = gh.GHM(states=(2, 3, 2), branching=(2, 2), tables=[np.ones((2, 3)), np.ones((3, 2))])
    program = gh.compile(model, [gh.posterior("x0"), gh.log_evidence()], given="x2").symbolic()

    assert program.terms("posterior", "x0") == 2 * 2**4
    assert program.terms("log_evidence") == 2**4


def test_zeros_have_no_terms():
    model = gh.GHM(states=(2, 2), branching=(3,), tables=[[[1, 0], [1, 1]]])
    program = gh.compile(model, gh.posterior("x0"), given="x1").symbolic()

    assert program.terms("posterior", "x0") == 1 + comb(3, 0) * 2**3
    assert str(program.expanded("posterior", "x0")[0, 0]) == "l_x1_0_0*l_x1_1_0*l_x1_2_0"


def test_powers_of_one_coupling_are_collected():
    beta = sp.Symbol("beta")
    model = gh.Model("potts")
    model.root("r", 2).children(
        "x", 4, 2, potential=lambda s, a: sp.exp(-beta / 2) if s != a else sp.exp(beta)
    )
    program = gh.compile(model, gh.log_evidence(), given="x").symbolic()
    seen = replace(program, leaves={"x": np.ones((1, 4, 2), int)})

    assert seen.terms("log_evidence") == 5
    expected = 2 * (sp.exp(beta) + sp.exp(-beta / 2)) ** 4
    assert sp.expand(seen.expanded("log_evidence").item() - expected) == 0


@pytest.mark.parametrize("name", ["a table per rank", "index maps", "two roots"])
def test_expanded_answers_agree_with_enumeration(name):
    forest = FORESTS[name]
    observed = list(forest.variables)[-1]
    variable = forest.variables[observed]
    wanted = [("log_evidence", ""), ("mean", observed), *(("posterior", b) for b in forest.blocks)]
    leaves = {
        observed: fractions(np.random.default_rng(1), (1, variable.nodes, len(variable.states)))
    }
    program = SymbolicProgram(prune(build_schedule(forest, wanted, [observed])), leaves=leaves)

    truth = brute_force(forest, leaves, 1)
    assert program.expanded("log_evidence").item() == truth.total[0]
    for block in forest.blocks:
        found = program.expanded("posterior", block)
        shares = found / found.sum(axis=1, keepdims=True)
        assert (shares == truth.posterior[block][0]).all()
    whole = program.expanded("posterior", observed)
    means = program.expanded("mean", observed) / whole.sum(axis=1)
    values = np.array([sp.Rational(k, 2) for k in range(len(variable.states))])
    assert (means == truth.posterior[observed][0] @ values).all()


# Errors


def test_too_many_terms_are_refused_with_their_number():
    with pytest.raises(QueryError, match=r"8,535 terms of posterior x0 exceed limit=1,000"):
        tied(3, 3, 3).expanded("posterior", "x0")


def test_terms_that_cannot_be_collected_are_refused_with_a_bound():
    program = SymbolicProgram(build_schedule(chain(25, 2), [("log_evidence", "")], ["x"]))

    with pytest.raises(QueryError, match=r"about 10\^15 products of log_evidence .* too many"):
        program.terms("log_evidence")
    with pytest.raises(QueryError, match=r"about 10\^15 terms of log_evidence exceed limit=1,000"):
        program.expanded("log_evidence")


def test_unknown_answers_are_refused_with_those_known():
    with pytest.raises(
        QueryError, match=r"\('mean', 'x0'\) is no answer; .* \('posterior', 'x0'\)"
    ):
        tied(2, 2, 2).terms("mean", "x0")
