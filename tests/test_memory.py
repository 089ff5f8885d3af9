"""How much memory there is, and what is said to what needs more."""

from __future__ import annotations

import os

import pytest

from ghmpp import _memory
from ghmpp._memory import physical_memory, require_bytes
from ghmpp.errors import ResourceError


def test_what_does_not_fit_is_refused_with_both_numbers_the_cure_and_the_largest_part(monkeypatch):
    monkeypatch.setattr(_memory, "physical_memory", lambda: 1023)

    with pytest.raises(ResourceError, match=r"two need 1\.0 KiB, .* is 1023 B; wait; .*: 'b'"):
        require_bytes(1024, "two need", cure="wait", largest="item: 'b'")


def test_what_fits_exactly_is_allowed(monkeypatch):
    monkeypatch.setattr(_memory, "physical_memory", lambda: 1024)

    require_bytes(1024, "two need", cure="wait", largest="item: 'b'")


def test_where_the_system_does_not_say_nothing_is_refused(monkeypatch):
    monkeypatch.delattr(os, "sysconf")
    monkeypatch.setattr(_memory, "GROUP_LIMITS", ())

    assert physical_memory() is None
    require_bytes(10**30, "two need", cure="wait", largest="item: 'b'")


def test_the_machine_has_less_than_an_exabyte():
    assert 2**20 < (physical_memory() or 2**30) < 2**60


def test_a_container_has_what_its_control_group_allows(tmp_path, monkeypatch):
    first, second = tmp_path / "first", tmp_path / "second"
    monkeypatch.setattr(_memory, "GROUP_LIMITS", (first, second))
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 2**21, "SC_PAGE_SIZE": 2**12}.get)

    assert physical_memory() == 2**33
    first.write_text("max\n")
    assert physical_memory() == 2**33
    second.write_text(f"{2**30}\n")
    assert physical_memory() == 2**30
