"""The command line as a whole: help, exit codes, and how errors reach the user."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import ghmpp
from ghmpp.cli import commands
from ghmpp.cli.main import main

COMMANDS = (
    "show",
    "compile",
    "bounds",
    "verify",
    "sample",
    "fit",
    "train",
    "sweep",
    "diffuse",
    "demo",
)


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

    example = capsys.readouterr().out.partition("example:\n")[2]
    assert stop.value.code == 0
    assert f"  ghmpp {command} " in example


@pytest.mark.slow
@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "demo"])
def test_examples_run_as_they_stand(command, tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    lines = capsys.readouterr().out.partition("example:\n")[2].splitlines()
    (tmp_path / "tutorials").symlink_to(Path(ghmpp.__file__).parents[1] / "tutorials")
    monkeypatch.chdir(tmp_path)

    assert [main(shlex.split(line)[1:]) for line in lines] == [0] * len(lines)


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
    assert capsys.readouterr().err.startswith(f"ghmpp: {target}: its folder does not exist; ")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        MemoryError("Unable to allocate 512. MiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
    ],
)
def test_lack_of_memory_is_one_clean_message_with_the_cure(error, monkeypatch, capsys):
    def fail(arguments):
        raise error

    monkeypatch.setattr(commands, "model_of", fail)

    assert main(["sample", "spec.py"]) == 2
    assert capsys.readouterr().err.startswith("ghmpp: out of memory: take fewer rows or a smaller")


@pytest.mark.parametrize("command", ["sample", "verify"])
def test_model_too_big_for_memory_is_one_clean_message(command, tmp_path, capsys):
    spec = tmp_path / "big.py"
    spec.write_text("import ghmpp as gh\nmodel = gh.GHM(states=(4,) * 30, branching=(2,) * 29)\n")

    assert main([command, str(spec)]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("ghmpp: sample: ")


def test_text_that_the_terminal_cannot_show_is_one_clean_message(tmp_path):
    spec = tmp_path / "coin.py"
    spec.write_text("import ghmpp as gh\nmodel = gh.Model()\nmodel.root('m\u00fcnze', 2)\n")

    done = subprocess.run(
        [sys.executable, "-m", "ghmpp", "show", str(spec)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(ghmpp.__file__).parents[1],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )

    assert done.returncode == 2
    assert done.stderr == (
        "ghmpp: '\\xfc' cannot be printed in ascii; set PYTHONIOENCODING=utf-8\n"
    )


def test_interruption_says_so(monkeypatch, capsys):
    def interrupt(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "model_of", interrupt)

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
    assert f"-n: expected a whole number >= 1, got '{number}'" in capsys.readouterr().err
