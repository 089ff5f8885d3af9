"""The facade is light: ``import ghmpp`` loads no heavy library, and its names load on first use."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import ghmpp

HEAVY = ("torch", "pgmpy", "sympy", "scipy", "pandas", "matplotlib")


def fresh_python(code: str) -> str:
    """What a new interpreter prints when it runs the code."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(ghmpp.__file__).parents[1],
    )
    return done.stdout


def test_import_loads_no_heavy_library():
    loaded = fresh_python("import sys, ghmpp; print(*{name.split('.')[0] for name in sys.modules})")

    assert "ghmpp" in loaded.split()
    assert not set(HEAVY) & set(loaded.split())


def test_import_takes_less_than_600_ms():
    code = "import time; t = time.perf_counter(); import ghmpp; print(time.perf_counter() - t)"

    assert min(float(fresh_python(code)) for _ in range(3)) < 0.6


@pytest.mark.parametrize("name", ghmpp.__all__)
def test_every_public_name_loads(name):
    assert getattr(ghmpp, name) is not None
    assert name in dir(ghmpp)


def test_type_checkers_see_the_same_names_as_users():
    tree = ast.parse(Path(ghmpp.__file__).read_text(encoding="utf-8"))
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.name: node.module
        for node in guarded.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }

    assert seen.keys() == ghmpp._LAZY.keys()
    for name, module in seen.items():
        value = getattr(importlib.import_module(module), name, None)
        assert value is getattr(ghmpp, name)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = ghmpp.nonsense
