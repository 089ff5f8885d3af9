"""Networks from the command line: emitted, printed, exported and checked."""

from pathlib import Path

import pytest

import ghmpp as gh
from ghmpp.cli.main import main

SPECS = Path(__file__).parents[2] / "tutorials" / "specs"
GHM = str(SPECS / "random_ghm.py")
RELU = ["compile", GHM, "--query", "posterior(x0)", "--family", "relu", "--delta", "0.05"]


def test_a_network_is_printed_with_its_certificate(capsys):
    assert main(RELU) == 0
    text = capsys.readouterr().out

    assert "relu, float32" in text
    assert "error of each log posterior <= 0.0" in text
    assert "SHA-256" in text


def test_what_is_exported_is_verified_and_what_is_changed_is_found(tmp_path, capsys):
    folder = tmp_path / "out"
    assert main([*RELU, "--export", str(folder), "--formats", "json,mermaid"]) == 0
    assert f"written to {folder}" in capsys.readouterr().err
    assert main(["verify", str(folder)]) == 0
    assert "holds" in capsys.readouterr().out
    assert gh.load(folder).certificate.bound <= 0.05

    certificate = folder / "certificate.json"
    certificate.write_text(certificate.read_text().replace('"bound": 0.0', '"bound": 0.00000'))
    assert main(["verify", str(folder)]) != 0


def test_a_folder_is_not_overwritten_unasked(tmp_path, capsys):
    export = ["--export", str(tmp_path / "out"), "--formats", "json"]
    assert main([*RELU, *export]) == 0
    assert main([*RELU, *export]) == 2
    assert "overwrite" in capsys.readouterr().err
    assert main([*RELU, *export, "--overwrite"]) == 0


@pytest.mark.parametrize("family", ["exact", "trainable"])
def test_other_families_are_emitted_too(family, capsys):
    assert main(["compile", GHM, "--query", "x0", "--family", family]) == 0
    text = capsys.readouterr().out

    assert f"{family}, float" in text
    assert "Certificate" not in text


def test_noise_is_typed_as_in_python(capsys):
    query = ["--query", "mean(spin4)", "--given", "noisy(spin4, sigma=2)", "--set", "beta=0.3"]
    arguments = ["compile", str(SPECS / "ising_tree.py"), *query, "--family", "relu"]
    assert main([*arguments, "--delta", "0.1", "--dtype", "float64"]) == 0
    assert "relu, float64" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--family", "dense"], "unknown family 'dense'; known: 'exact', 'relu', 'trainable'"),
        (["--family", "relu", "--delta", "0"], "delta must be finite and > 0"),
        (["--family", "relu", "--width", "2"], "width=2 is too small"),
        (["--family", "exact", "--delta", "0.1"], "delta= is for nets"),
        (["--family", "relu", "--construction", "loose"], "unknown construction 'loose'"),
        (["--family", "relu", "--dtype", "float16"], "unknown"),
        (["--export", "out", "--formats", "json,tikz"], "tikz"),
        (["--delta", "0.1"], "--delta and --width are for nets; pass --family relu"),
    ],
)
def test_errors_are_one_clean_message(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["compile", GHM, "--query", "x0", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_widths_are_drawn(tmp_path, capsys):
    picture = tmp_path / "widths.png"
    assert main(["bounds", GHM, "--picture", str(picture)]) == 0
    captured = capsys.readouterr()

    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "paper's width" in captured.out
    assert f"written to {picture}" in captured.err


def test_a_missing_folder_is_named(tmp_path, capsys):
    assert main(["verify", str(tmp_path / "nothing")]) == 2
    assert "nothing: no such file or folder" in capsys.readouterr().err
