"""Names, equations, levels and modules of instructions."""

from __future__ import annotations

import pytest

from ghmpp.schedule.ir import Combine, Exclude, Message, Normalize, Pool, Readout, Schedule
from ghmpp.schedule.provenance import module_name, phases, provenance
from tests.schedule.plans import (
    classifier,
    decoder,
    denoiser,
    digits,
    everything,
    find,
    scenes,
    smoother,
)


def test_a_message_is_named_from_sender_to_receiver() -> None:
    schedule = denoiser()
    names = [provenance(op, schedule.forest).name for op in schedule.ops if isinstance(op, Message)]

    assert names == ["pixel -> block", "block -> digit", "digit -> block", "block -> pixel"]


@pytest.mark.parametrize(
    ("kind", "name"), [(Pool, "pixel -> block[2]"), (Exclude, "digit[2] -> block")]
)
def test_a_rank_is_named_at_the_parent(kind: type[Pool | Exclude], name: str) -> None:
    schedule = denoiser()
    op = schedule.ops[find(schedule, kind)]

    assert provenance(op, schedule.forest, rank=2).name == name


def test_messages_are_submodules_by_pass_and_class() -> None:
    schedule = denoiser()
    modules = [provenance(op, schedule.forest).module for op in schedule.ops]

    wanted = ["collect.pixel", "collect.block", "distribute.block", "distribute.pixel"]
    assert [module for module in modules if module] == wanted


def test_all_steps_of_a_chain_share_one_module() -> None:
    forest = smoother(5).forest
    steps = [edge for name, edge in forest.edges.items() if name.startswith("z")]

    assert {module_name(edge, "root", forest) for edge in steps} == {"collect.z"}


def test_level_is_the_depth_below_the_root() -> None:
    forest = digits()
    levels = {name: provenance(Combine(name, (), 0), forest).level for name in forest.blocks}

    assert levels == {"digit": 0, "block": 1, "pixel": 2}


@pytest.mark.parametrize(
    ("kind", "equation", "term"),
    [
        (Message, "(MP-CLS), (MP-DNS)", "q_v = f_down"),
        (Pool, "(MP-CLS), (MP-DNS)", "sum of q_v'"),
        (Exclude, "(MP-DNS)", "u_v - q_v"),
        (Normalize, "(5)", "h_s - max h"),
    ],
)
def test_instructions_cite_the_equations_of_the_paper(
    kind: type[Message | Pool | Exclude | Normalize], equation: str, term: str
) -> None:
    schedule = denoiser()
    found = provenance(schedule.ops[find(schedule, kind)], schedule.forest)

    assert found.equation == equation
    assert term in found.formula


def test_the_readout_of_a_classifier_is_the_softmax_at_the_root() -> None:
    schedule = classifier()
    found = provenance(schedule.ops[find(schedule, Readout)], schedule.forest)

    assert (found.phase, found.formula) == ("readout", "softmax(h_r)")


def test_every_kind_of_instruction_has_a_provenance() -> None:
    for schedule in (everything(scenes()), decoder("argmax"), decoder("sample")):
        for op in schedule.ops:
            assert provenance(op, schedule.forest).formula


def phase_list(schedule: Schedule, kind: type[Combine | Normalize]) -> list[str]:
    found = zip(schedule.ops, phases(schedule), strict=True)
    return [phase for op, phase in found if isinstance(op, kind)]


def test_what_depends_on_a_message_to_the_leaves_is_the_distribute_phase() -> None:
    assert set(phase_list(classifier(), Normalize)) == {"collect"}
    assert phase_list(denoiser(), Combine) == ["collect", "distribute"]


def test_a_classifier_has_no_distribute_phase() -> None:
    assert "distribute" not in phases(classifier())
