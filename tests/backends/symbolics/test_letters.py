from __future__ import annotations

import ghmpp as gh
from ghmpp.backends.symbolics.letters import latex_name, letters
from ghmpp.schedule.ir import Evidence, Normalize


def test_latex_names_escape_what_latex_reads():
    assert latex_name("a_b%c") == r"\mathrm{a\_b\%c}"
    assert latex_name("x -> y") == r"\mathrm{x \to y}"


def test_what_is_normalised_has_a_tilde_on_its_letter():
    model = gh.GHM(states=(2, 2, 2), branching=(2, 2)).initialise(seed=0)
    schedule = gh.compile(model, gh.log_evidence(), given="x2").schedule
    found = letters(schedule)
    (first, *_) = (op for op in schedule.ops if isinstance(op, Normalize))

    assert found.latex[first.out] == r"\tilde{h}_{\downarrow,$v}^{\mathrm{x1}}"
    assert found.names[first.scale] == "c_x1"


def test_evidence_at_inner_nodes_is_no_belief_yet():
    model = gh.GHM(states=(2, 2), branching=(2,)).initialise(seed=0)
    schedule = gh.compile(model, gh.posterior("x0"), given=["x0", "x1"]).schedule
    found = letters(schedule)
    symbols = {op.block: found.symbols[op.out] for op in schedule.ops if isinstance(op, Evidence)}

    assert symbols == {"x0": "log p(z_v | x_v)", "x1": "h_v"}
