from __future__ import annotations

import pytest

import ghmpp as gh
from ghmpp.backends.symbolics.table import COLUMNS, SymbolTable


@pytest.fixture(scope="module")
def program() -> gh.Program:
    model = gh.GHM(states=(2, 3, 2), branching=(2, 2), state_values=[0.0, 1.0]).initialise(seed=1)
    return gh.compile(model, gh.mean("x2"), given="x2")


@pytest.fixture(scope="module")
def table(program: gh.Program) -> SymbolTable:
    return program.symbolic().table()


def test_layers_are_the_modules_of_the_network(program, table):
    layers = {row[COLUMNS.index("layer")] for row in table.rows} - {"-"}

    modules = {name for name, _ in program.network().named_modules()}
    assert layers == {"collect.x1", "collect.x2", "distribute.x1", "distribute.x2"}
    assert layers <= modules


def test_symbols_are_those_of_the_papers_equations(table):
    found = {(row[1], row[2]): row[0] for row in table.rows}

    assert found["Evidence", "x2"] == "h_v"
    assert found["Message", "x2 -> x1"] == "q_v"
    assert found["Pool", "x2 -> x1"] == "h_v"
    assert found["Exclude", "x1 -> x2"] == "u_v - q_v"
    assert found["Message", "x1 -> x2"] == "log nu_up,v"
    assert found["Combine", "x2"] == "b_v"
    assert found["Readout", "x2"] == "m(z)_v"


def test_there_is_one_row_per_instruction(program, table):
    assert len(table) == len(table.rows) == len(program.schedule.ops)
    assert [row[1] for row in table.rows] == [type(op).__name__ for op in program.schedule.ops]


def test_text_and_markdown_have_a_head_and_all_rows(table):
    assert str(table).splitlines()[0].split() == list(COLUMNS)
    assert len(str(table).splitlines()) == 1 + len(table)
    assert len(table.markdown().splitlines()) == 2 + len(table)
    assert "`collect.x2`" in table.markdown()


def test_markdown_cells_keep_bars(table):
    (evidence,) = (line for line in table.markdown().splitlines() if "Evidence" in line)

    assert r"log p(observation v \| s)" in evidence


def test_latex_has_symbols_and_formulas(table):
    text = table.latex()

    assert text.startswith(r"\begin{tabular}{lllllll}")
    assert r"$q_{\downarrow,v}^{\mathrm{x2}}(s)$ & $\mathrm{Message}$" in text
    assert r"$\log \sum_{a} \psi_{\iota(v)}^{\mathrm{x1 \to x2}}(s, a) \, e^{" in text


def test_html_is_escaped(table):
    assert "x2 -&gt; x1" in table._repr_html_()


def test_frames_have_the_columns(table):
    frame = table.frame()

    assert list(frame.columns) == list(COLUMNS)
    assert frame.loc[frame["layer"] == "collect.x2", "name"].tolist() == ["u_x2"]
