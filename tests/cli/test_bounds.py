"""What ``ghmpp bounds`` prints and writes."""

from __future__ import annotations

from pathlib import Path

import pytest

import ghmpp as gh
from ghmpp.cli.main import main

SPECS = Path(__file__).parents[2] / "tutorials" / "specs"
GHM = str(SPECS / "random_ghm.py")
ISING = str(SPECS / "ising_tree.py")


def test_bounds_are_printed(capsys):
    assert main(["bounds", GHM, "--query", "x0", "--delta", "0.05"]) == 0
    text = capsys.readouterr().out

    assert "posterior(x0) given x3: error of each log posterior <= " in text
    assert "(asked: 0.05)" in text
    assert "Theorem 3" in text


def test_mean_of_the_leaves_is_of_noisy_ones(capsys):
    assert main(["bounds", ISING, "--query", "mean:spin4", "--set", "beta=0.2"]) == 0
    assert "Theorem 6" in capsys.readouterr().out


def test_given_width_and_noise(capsys):
    arguments = ["--query", "spin0", "--given", "spin4", "--noisy", "--width", "30"]

    assert main(["bounds", ISING, *arguments]) == 0
    assert "width 30 (given)" in capsys.readouterr().out


def test_bounds_are_written(tmp_path, capsys):
    path = tmp_path / "bounds.json"
    main(["bounds", GHM, "--query", "x0", "--budget", "min-flops", "-o", str(path)])

    assert gh.Bounds.load(path).budget == "min-flops"
    assert f"written to {path}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--delta", "-1"], "delta must be finite and > 0, got -1.0"),
        (["--budget", "cheap"], "unknown budget 'cheap'; known: equal-width"),
        (["--width", "2"], "width=2 is too small"),
    ],
)
def test_errors_are_one_clean_message(arguments, words, capsys):
    assert main(["bounds", GHM, "--query", "x0", *arguments]) == 2
    assert words in capsys.readouterr().err
