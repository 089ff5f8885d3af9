"""What prepared potentials are remembered by."""

from __future__ import annotations

import gc

import torch

from ghmpp.backends.state import State, current

CPU = torch.device("cpu")
NONE = State(torch.float64, CPU, ())


def test_nothing_changed_is_the_same_state():
    tensors = [torch.ones(3), torch.ones(2)]
    state = current(NONE, torch.float64, CPU, tensors)

    assert current(state, torch.float64, CPU, tensors) is state
    assert current(state, torch.float64, CPU, reversed(tensors)) is not state


def test_parameters_precision_and_device_make_another():
    tensor = torch.ones(3)
    state = current(NONE, torch.float64, CPU, [tensor])

    assert current(state, torch.float32, CPU, [tensor]) != state
    assert current(state, torch.float64, torch.device("meta"), [tensor]) != state
    tensor += 1
    assert current(state, torch.float64, CPU, [tensor]) != state


def test_an_address_is_not_used_again_while_it_is_remembered():
    state = current(NONE, torch.float64, CPU, [torch.ones(1000)])
    gc.collect()

    others = [torch.ones(1000) for _ in range(50)]
    assert all(current(state, torch.float64, CPU, [other]) != state for other in others)
