"""The look-alikes load neither pgmpy nor torch before they are needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import ghmpp
import ghmpp.pgmpy


def test_import_loads_neither_pgmpy_nor_torch():
    code = "import sys, ghmpp.pgmpy; print(*{name.split('.')[0] for name in sys.modules})"
    root = Path(ghmpp.__file__).parents[1]
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root
    )

    assert "ghmpp" in run.stdout.split()
    assert not {"pgmpy", "torch", "pandas", "sympy"} & set(run.stdout.split())


def test_public_names_are_listed():
    for name in ghmpp.pgmpy.__all__:
        assert getattr(ghmpp.pgmpy, name).__doc__
