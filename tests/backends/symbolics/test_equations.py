from __future__ import annotations

import re

import networkx as nx
import numpy as np
import pytest

import ghmpp as gh
from ghmpp.backends.algebras import LogFloat
from ghmpp.backends.reference import execute
from ghmpp.backends.reference_machine import prepare
from ghmpp.backends.symbolics.equations import equations
from ghmpp.models.forest import Forest
from ghmpp.schedule.build import build_schedule
from ghmpp.schedule.ir import Evidence, Normalize, Readout, Schedule
from ghmpp.schedule.passes import place_normalization, prune
from tests.backends.small_forests import FORESTS, likelihoods
from tests.tolerances import EXACT


def everything(forest: Forest) -> Schedule:
    wanted = [("log_evidence", ""), *(("posterior", name) for name in forest.blocks)]
    return prune(place_normalization(build_schedule(forest, wanted, list(likelihoods(forest)))))


class Index:
    """An array of logs that is read by node names and states, as equations write it."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __getitem__(self, index: object) -> np.ndarray:
        return self.array[index]


def value_of(equation: str, space: dict[str, object]) -> np.ndarray:
    """The right-hand side of an equation of one node as an array over its free states."""
    left, right = equation.split(" = ", 1)
    free = re.search(r"\[(\w)\]", left)[1]
    right = re.sub(r"log (psi_\w+\[[^\]]*\])", r"log(\1)", right)
    segment = re.match(r"logsumexp_\{(\w): (.*) = (\w)\}\((.*)\)$", right)
    if segment:
        variable, index, _, body = segment.groups()
        size = len(space[body.split("[")[0]].array)  # type: ignore[attr-defined]
        sent = [eval(index, {**space, variable: k}) for k in range(size)]
        logs = [eval(body, {**space, variable: k}) for k in range(size)]
        states = np.arange(space["receivers"])  # type: ignore[call-overload]
        terms = np.where(np.array(sent) == states[:, None], np.array(logs), -np.inf)
        return np.logaddexp.reduce(terms, axis=1)
    through = re.match(r"logsumexp_(\w)\((.*)\)$", right)
    results = []
    for state in range(space["receivers"]):  # type: ignore[call-overload]
        local = {**space, free: state}
        if through:
            variable, body = through.groups()
            source = re.search(rf"(\w+)\[{variable}\]$", body)[1]
            size = len(space[source].array)  # type: ignore[attr-defined]
            terms = [eval(body, {**local, variable: k}) for k in range(size)]
            results.append(np.logaddexp.reduce(terms))
        else:
            results.append(eval(right, local))
    return np.array(results, float)


@pytest.mark.parametrize("name", ["three branches", "index maps", "an index map per edge"])
def test_equations_of_single_nodes_compute_what_the_reference_computes(name):
    """Every equation is evaluated as it is printed, from the values of the reference."""
    forest = FORESTS[name]
    schedule = everything(forest)
    logs = {k: LogFloat().lift(v[:1]) for k, v in likelihoods(forest).items()}
    machine = prepare(schedule, logs, LogFloat())
    with np.errstate(divide="ignore"):
        space: dict[str, object] = {"log": lambda x: np.log(np.float64(x))}
        for equation, op in zip(equations(schedule), execute(machine, schedule.ops), strict=True):
            array = machine.values[op.out]
            for node in range(0 if isinstance(op, Readout) else array.shape[1]):
                space[f"{equation.name}_{node}"] = Index(array[0, node])
                if isinstance(op, Evidence | Normalize):
                    continue
                for key, stack in forest.data.items():
                    kinds = {edge.key: edge.kind for edge in forest.edges.values()}
                    prefix = "psi_" if kinds.get(key, "table") == "table" else "index_"
                    space[prefix + re.sub(r"\W+", "_", key)] = stack.astype(
                        float if prefix == "psi_" else int
                    )
                space["receivers"] = array.shape[2]
                found = value_of(equation.at(node), space)
                np.testing.assert_allclose(found, array[0, node], rtol=EXACT, atol=EXACT)


def test_any_node_is_called_v_and_its_parent_pa_v():
    model = gh.GHM(states=(2, 2, 2), branching=(2, 2)).initialise(seed=0)
    found = {
        e.name: e.text for e in equations(gh.compile(model, gh.posterior("x2"), "x2").schedule)
    }

    assert found["u_x2"] == "u_x2[v, s] = logsumexp_a(log psi_x1_x2[v % 2, s, a] + l_x2[v, a])"
    assert found["e_x2"] == "e_x2[v, s] = v_x1[pa(v), s] + sum over siblings of v: u_x2[v', s]"


def test_children_and_siblings_on_irregular_trees_are_the_right_ones():
    tree = nx.DiGraph([("r", "a"), ("r", "b"), ("a", "c"), ("b", "d"), ("b", "e")])
    for name in tree:
        tree.nodes[name]["states"] = 2
    for edge in tree.edges:
        tree.edges[edge]["potential"] = [[2.0, 1.0], [1.0, 3.0]]
    schedule = gh.compile(tree, gh.posterior("d"), given=["c", "d", "e"]).schedule
    pooled = [e for e in equations(schedule) if e.name.startswith("p_d")]
    told = [e for e in equations(schedule) if e.name.startswith("e_d")]

    rights = [[e.at(k).split(" = ")[1] for k in range(e.nodes)] for e in pooled]
    counts = sorted(right.count("u_") for each in rights for right in each)
    assert counts == [1, 2]
    siblings = sorted(e.at(k).count("u_") for e in told for k in range(e.nodes))
    assert siblings == [0, 1, 1]


def test_second_values_of_a_letter_have_other_symbols():
    schedule = everything(FORESTS["three branches"])
    lefts = [each.latex.split(" = ")[0] for each in equations(schedule)]

    assert len(lefts) == len(set(lefts))
