from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR

from ghmpp.errors import QueryError
from ghmpp.learning.training.options import Options
from tests.tolerances import EXACT

PLAIN = Options(100, 8, "adamw", 0.1, "cosine", 0, 0.0, 1.0, None, None, None, 10, 0)


def test_cosine_is_that_of_torch() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    theirs = CosineAnnealingLR(optimizer, T_max=100)
    for step in range(100):
        assert abs(PLAIN.rate_at(step) - theirs.get_last_lr()[0]) < EXACT
        optimizer.step()
        theirs.step()


def test_the_rate_rises_in_equal_steps_and_then_stays() -> None:
    options = replace(PLAIN, warmup=4, schedule="constant")

    rates = [options.rate_at(step) for step in range(7)]
    assert rates == pytest.approx([0.025, 0.05, 0.075, 0.1, 0.1, 0.1, 0.1], abs=EXACT)


def test_only_at_a_constant_rate_more_steps_are_the_same_run() -> None:
    constant = replace(PLAIN, schedule="constant")

    assert constant.described() == replace(constant, steps=200).described()
    assert PLAIN.described() != replace(PLAIN, steps=200).described()


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("steps", 0, "steps must be a whole number >= 1, got 0"),
        ("batch", 2.5, "batch must be a whole number >= 1, got 2.5"),
        ("seed", True, "seed must be a whole number"),
        ("rate", -1.0, "rate must be a finite number > 0, got -1.0"),
        ("clip", float("nan"), "clip must be"),
        ("operator_norm_bound", 0, "operator_norm_bound must be"),
        ("weight_decay", -0.1, "weight_decay must be >= 0"),
        ("ema", 1.0, "ema must be between 0 and 1"),
        ("early_stopping", 0, "early_stopping must be a whole number >= 1"),
        ("optimizer", "adam", "unknown optimizer 'adam'; known: 'adamw', 'sgd'"),
        ("schedule", "linear", "unknown schedule 'linear'; known: 'cosine', 'constant'"),
    ],
)
def test_options_out_of_range_are_refused(name: str, value: object, match: str) -> None:
    with pytest.raises(QueryError, match=match):
        replace(PLAIN, **{name: value})
