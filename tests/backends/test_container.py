"""Parts of a network by the names of the model, whatever these are."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ghmpp.backends.container import Named

NAMES = ["pixel", "a.b", "a_b", "forward", "training", "_parameters", "r->x", "ä ö", "0"]


def parts(kind: str) -> Named:
    """One part per awkward name."""
    if kind == "modules":
        return Named({name: nn.Linear(1, k + 1) for k, name in enumerate(NAMES)})
    return Named({name: nn.Parameter(torch.full((1,), float(k))) for k, name in enumerate(NAMES)})


@pytest.mark.parametrize("kind", ["modules", "parameters"])
class TestNames:
    def test_every_part_is_found_by_its_name(self, kind):
        named = parts(kind)
        sizes = [named[name].out_features - 1 if kind == "modules" else named[name].item()
                 for name in NAMES]  # fmt: skip

        assert sizes == list(range(len(NAMES)))
        assert (list(named), len(named)) == (NAMES, len(NAMES))

    def test_an_unknown_name_is_a_key_error(self, kind):
        assert "nobody" not in parts(kind)
        with pytest.raises(KeyError, match="nobody"):
            parts(kind)["nobody"]

    def test_names_in_the_state_are_distinct_and_hold_no_other_dots(self, kind):
        named = parts(kind)
        keys = list(named.state_dict())
        stems = {key.rsplit(".", 1)[0] for key in keys} if kind == "modules" else set(keys)

        assert {"pixel", "a_b", "a_b_", "forward_", "r->x"} <= stems
        assert len(stems) == len(NAMES)
        assert not any("." in stem for stem in stems)

    def test_state_comes_back(self, kind):
        first, second = parts(kind), parts(kind)
        with torch.no_grad():
            for parameter in first.parameters():
                parameter.add_(1.0)
        second.load_state_dict(first.state_dict())

        for one, other in zip(first.parameters(), second.parameters(), strict=True):
            assert torch.equal(one, other)

    def test_parts_come_in_order(self, kind):
        named = parts(kind)

        assert all(part is named[name] for part, name in zip(named.parts(), NAMES, strict=True))


def test_nothing_has_no_parts():
    assert list(Named({}).parts()) == []
