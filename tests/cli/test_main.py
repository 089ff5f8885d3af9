"""The command line as a whole: help, exit codes, and how errors reach the user."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import ghmpp
from ghmpp.cli import commands
from ghmpp.cli.main import main

COMMANDS = ("show", "compile", "verify", "sample", "fit", "demo")


def run_python(*arguments):
    """The result of a new interpreter."""
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(ghmpp.__file__).parents[1],
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command_has_an_example(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])

    assert stop.value.code == 0
    assert f"example:\n  ghmpp {command}" in capsys.readouterr().out


def test_runs_as_a_module():
    assert run_python("-m", "ghmpp", "--version").stdout.strip() == f"ghmpp {ghmpp.__version__}"


def test_parsing_loads_no_heavy_library():
    code = (
        "import sys\n"
        "from ghmpp.cli.main import main\n"
        "try: main(['show', '--help'])\n"
        "except SystemExit: pass\n"
        "print(*{name.split('.')[0] for name in sys.modules})"
    )

    loaded = set(run_python("-c", code).stdout.split())

    assert not loaded & {"torch", "pgmpy", "sympy", "scipy", "pandas", "matplotlib"}


def test_missing_command_lists_the_known_ones(capsys):
    with pytest.raises(SystemExit) as stop:
        main([])

    assert stop.value.code == 2
    assert "required: COMMAND" in capsys.readouterr().err


def test_user_error_is_one_clean_message(capsys):
    code = main(["show", "no-such-file.py"])

    shown = capsys.readouterr()
    assert code == 2
    assert shown.out == ""
    assert shown.err.startswith("ghmpp: no-such-file.py: ")
    assert shown.err.count("\n") == 1


def test_unwritable_file_is_one_clean_message(tmp_path, capsys):
    spec = tmp_path / "coin.py"
    spec.write_text("import ghmpp as gh\nmodel = gh.Model()\nmodel.root('coin', 2)\n")
    target = tmp_path / "missing" / "rows.csv"

    assert main(["sample", str(spec), "-o", str(target)]) == 2
    assert capsys.readouterr().err == f"ghmpp: {target}: its folder does not exist\n"


def test_interruption_says_so(monkeypatch, capsys):
    def interrupt(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "_model", interrupt)

    assert main(["show", "spec.py"]) == 130
    assert capsys.readouterr().err == "ghmpp: interrupted\n"


def test_closed_pipe_is_no_error(tmp_path):
    spec = tmp_path / "coin.py"
    spec.write_text("import ghmpp as gh\nmodel = gh.Model()\nmodel.root('coin', 2)\n")
    arguments = ["-m", "ghmpp", "sample", str(spec), "-n", "100000"]

    with subprocess.Popen(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(ghmpp.__file__).parents[1],
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()

    assert first == "coin\n"
    assert errors == ""
    assert process.returncode == 0


@pytest.mark.parametrize("number", ["0", "-3", "many"])
def test_counts_are_positive(number, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["sample", "spec.py", "-n", number])

    assert stop.value.code == 2
    assert "-n" in capsys.readouterr().err
