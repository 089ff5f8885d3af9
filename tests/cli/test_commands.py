"""What each command prints and writes."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest

import ghmpp as gh
from ghmpp.cli.main import main
from ghmpp.errors import VerificationError
from ghmpp.models.factors import Factor, Factors, Node

SPECS = sorted((Path(__file__).parents[2] / "tutorials" / "specs").glob("*.py"))
DECLARED = {
    "gaussian_tree": "GaussianGHM",
    "ising_grid": "PairwiseSpins",
    "latent_curve": "LatentGaussian",
    "sparse_layers": "LinearHierarchy",
}

WEATHER = """
import ghmpp as gh

def model(days=2, free=False):
    weather = gh.Model("weather")
    season = weather.root("season", ["dry", "wet"])
    table = None if free else [[0.9, 0.1], [0.4, 0.6]]
    season.children("day", days, ["sun", "rain"], potential=table)
    return weather
"""

POTTS = """
import ghmpp as gh
import sympy as sp

model = gh.Model("potts")
beta = sp.Symbol("beta")
model.root("a", 2).children("b", 2, range(2), potential=lambda s, t: sp.exp(beta * int(s == t)))
"""


@pytest.fixture
def spec(tmp_path):
    path = tmp_path / "weather.py"
    path.write_text(WEATHER)
    return str(path)


@pytest.fixture
def potts(tmp_path):
    path = tmp_path / "potts.py"
    path.write_text(POTTS)
    return str(path)


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


class TestShow:
    @pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
    def test_every_spec_of_the_tutorials_shows(self, path, capsys):
        assert main(["show", str(path)]) == 0
        kind, out = "Model", capsys.readouterr().out
        if path.stem in DECLARED:
            kind = DECLARED[path.stem]
            assert "question: " in out
        assert out.startswith(f"{kind} ")

    def test_settings_reach_the_spec(self, spec, capsys):
        main(["show", spec, "--set", "days=7", "--set", "free=True"])

        assert "day     7 nodes  2 states  7 per season, free" in capsys.readouterr().out

    def test_query_shows_the_plan_from_the_leaves(self, spec, capsys):
        main(["show", spec, "--query", "season"])

        assert "posterior of season given day" in capsys.readouterr().out

    @pytest.mark.parametrize("query", [[], ["--query", "season"]], ids=["model", "plan"])
    @pytest.mark.parametrize(
        ("option", "start"), [("--mermaid", "flowchart"), ("--dot", "digraph")]
    )
    def test_diagrams_are_text(self, spec, capsys, query, option, start):
        main(["show", spec, *query, option])

        assert capsys.readouterr().out.startswith(start)

    @pytest.mark.parametrize("query", [[], ["--query", "season"]], ids=["model", "plan"])
    def test_picture_is_written(self, spec, tmp_path, capsys, query):
        path = tmp_path / "plan.png"
        main(["show", spec, *query, "--picture", str(path)])

        assert path.read_bytes().startswith(b"\x89PNG")
        assert f"written to {path}" in capsys.readouterr().err

    def test_given_without_a_query_is_refused(self, spec, capsys):
        assert main(["show", spec, "--given", "day"]) == 2
        assert "--given: says what a query observes; pass --query too" in capsys.readouterr().err


class TestCompile:
    def test_mean_given_noise(self, spec, tmp_path, capsys):
        path = tmp_path / "spins.py"
        path.write_text(WEATHER.replace('["sun", "rain"]', "[-1, 1]"))
        arguments = ["--query", "mean:day", "--given", "day", "--noisy", "2"]

        assert main(["compile", str(path), *arguments]) == 0
        assert "mean of day given day" in capsys.readouterr().out

    def test_report_goes_to_a_file(self, spec, tmp_path, capsys):
        path = tmp_path / "report.txt"
        main(["compile", spec, "--query", "log_evidence", "-o", str(path)])

        assert capsys.readouterr().out == ""
        assert path.read_text().startswith("weather: log evidence given day")

    def test_given_may_be_repeated(self, spec, capsys):
        main(["compile", spec, "--query", "edge:day", "--given", "day", "--given", "season"])

        first = capsys.readouterr().out.splitlines()[0]
        assert "day" in first
        assert "season" in first

    def test_unknown_kind_lists_the_known_ones(self, spec, capsys):
        assert main(["compile", spec, "--query", "mode:day"]) == 2
        assert "unknown kind 'mode'; known: posterior(CLASS)" in capsys.readouterr().err

    def test_noise_needs_values(self, spec, capsys):
        assert main(["compile", spec, "--query", "season", "--noisy", "1"]) == 2
        assert "numeric state values" in capsys.readouterr().err


class TestVerify:
    def test_success_is_exit_code_0(self, spec, capsys):
        assert main(["verify", spec, "--rows", "1"]) == 0
        assert capsys.readouterr().out.startswith("passed")

    def test_failure_is_exit_code_1(self, spec, monkeypatch, capsys):
        from ghmpp.verification.report import Check, Report

        failed = Check("enumeration", "posterior", 0.5, "day: row 0", 1e-9, 0.1, "gh.verify(model)")
        monkeypatch.setattr(gh, "verify", lambda *_, **__: Report("weather", (failed,)))

        assert main(["verify", spec]) == 1
        assert "FAIL" in capsys.readouterr().out

    def test_free_tables_are_drawn_and_named(self, spec, capsys):
        assert main(["verify", spec, "--set", "free=True", "--rows", "1", "--seed", "3"]) == 0
        assert "drawn at random with seed 3: season->day" in capsys.readouterr().err

    def test_symbol_without_value_is_refused(self, potts, capsys):
        assert main(["verify", potts]) == 2
        assert "symbols without value beta" in capsys.readouterr().err


class TestSample:
    def test_rows_have_one_column_per_variable(self, spec, capsys):
        assert main(["sample", spec, "-n", "4"]) == 0
        rows = rows_of(capsys.readouterr().out)

        assert len(rows) == 4
        assert list(rows[0]) == ["season", "day[0]", "day[1]"]
        assert {row["day[0]"] for row in rows} <= {"sun", "rain"}

    def test_same_seed_gives_the_same_file(self, spec, tmp_path):
        first, second = tmp_path / "first.csv", tmp_path / "second.csv"
        for path in (first, second):
            main(["sample", spec, "-n", "20", "--seed", "5", "-o", str(path)])

        assert first.read_text() == second.read_text()
        assert len(rows_of(first.read_text())) == 20

    def test_symbol_takes_the_value_that_is_set(self, potts, capsys):
        main(["sample", potts, "--set", "beta=50", "-n", "10"])

        assert all(len(set(row.values())) == 1 for row in rows_of(capsys.readouterr().out))


class TestFit:
    def test_learns_what_the_data_say(self, spec, tmp_path, capsys):
        data, output = tmp_path / "data.csv", tmp_path / "model.json"
        data.write_text("season,day[0],day[1]\ndry,sun,sun\nwet,rain,rain\nwet,rain,\n")

        assert main(["fit", spec, str(data), "-o", str(output), "--set", "free=True"]) == 0
        table = gh.load(output).forest().data["season->day"]
        assert table == pytest.approx(np.array([np.eye(2)] * 2), abs=0.05)
        assert f"written to {output}" in capsys.readouterr().err

    def test_unknown_column_lists_the_variables(self, spec, tmp_path, capsys):
        data, output = tmp_path / "data.csv", tmp_path / "model.json"
        data.write_text("weather\nsun\n")

        assert main(["fit", spec, str(data), "-o", str(output), "--set", "free=True"]) == 2
        assert "no variable 'weather'; the variables are: season, day" in capsys.readouterr().err
        assert not output.exists()

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("season,season\ndry,wet\n", "data.csv: has several columns 'season'; keep one"),
            ("season,day[0]\ndry,sun,rain\n", "data.csv: a row has more cells than the first"),
        ],
    )
    def test_csv_that_would_be_misread_is_refused(self, spec, tmp_path, capsys, text, message):
        data = tmp_path / "data.csv"
        data.write_text(text)

        assert main(["fit", spec, str(data), "-o", str(tmp_path / "model.json")]) == 2
        assert message in capsys.readouterr().err

    def test_broken_csv_is_named(self, spec, tmp_path, capsys):
        data = tmp_path / "data.csv"
        data.write_text("")

        assert main(["fit", spec, str(data), "-o", str(tmp_path / "model.json")]) == 2
        assert "data.csv: cannot be read as CSV" in capsys.readouterr().err


class TestDemo:
    def test_runs_into_the_folder(self, tmp_path, monkeypatch):
        calls = []
        monkeypatch.setattr("ghmpp.demo.story.run", lambda *a, **k: calls.append((a, k)))

        assert main(["demo", "--output", str(tmp_path), "--quick"]) == 0
        assert calls == [((tmp_path,), {"quick": True})]

    def test_disagreement_is_exit_code_1(self, tmp_path, monkeypatch, capsys):
        def disagree(*_, **__):
            raise VerificationError("pgmpy disagrees")

        monkeypatch.setattr("ghmpp.demo.story.run", disagree)

        assert main(["demo", "--output", str(tmp_path)]) == 1
        assert capsys.readouterr().err == "ghmpp: pgmpy disagrees\n"


class TestSavedModels:
    @pytest.fixture
    def saved(self, tmp_path):
        from ghmpp.models.specs import load_spec

        (tmp_path / "potts.py").write_text(POTTS)
        path = tmp_path / "potts.json"
        load_spec(tmp_path / "potts.py").save(path)
        return str(path)

    def test_is_a_spec_too(self, saved, capsys):
        assert main(["show", saved, "--set", "beta=0.5"]) == 0
        assert "beta=0.5" in capsys.readouterr().out

    def test_symbols_are_numbers(self, saved, capsys):
        assert main(["show", saved, "--set", "beta=much"]) == 2
        assert "beta of a saved model is a number, got 'much'" in capsys.readouterr().err


class TestSpecArgument:
    def test_other_files_are_refused(self, tmp_path, capsys):
        (tmp_path / "model.net").touch()
        assert main(["show", str(tmp_path / "model.net")]) == 2
        assert "known endings: .uai, .bif" in capsys.readouterr().err

    @pytest.mark.parametrize("name", ["loop.uai", "loop.bif", "loop.xmlbif.gz", "loop.graph.json"])
    def test_networks_of_other_programs_are_models_too(self, tmp_path, name, capsys):
        cause = np.array([0.25, 0.75])
        effect = np.array([[0.5, 0.25, 0.25], [0.125, 0.375, 0.5]])
        both = np.full((2, 3, 2), 0.5)
        factors = (
            Factor(("a",), cause, "a"),
            Factor(("a", "b"), effect, "b"),
            Factor(("a", "b", "c"), both, "c"),
        )
        nodes = {"a": Node(2), "b": Node(3), "c": Node(["no", "yes"])}
        path = str(tmp_path / name)
        gh.write(Factors("loop", nodes, factors), path)

        assert main(["show", path]) == 0
        assert "Model 'loop'" in capsys.readouterr().out
        assert main(["sample", path, "-n", "3"]) == 0
        drawn = rows_of(capsys.readouterr().out)
        assert [set(row) for row in drawn] == [{"a", "b", "c"}] * 3
        assert {row["c"] for row in drawn} <= {"no", "yes"}
        assert main(["compile", path, "--query", "a", "--given", "c"]) == 0

    def test_broken_file_is_one_clean_message(self, tmp_path, capsys):
        path = tmp_path / "broken.uai"
        path.write_text("MARKOV\n2 2")

        assert main(["show", str(path)]) == 2
        assert capsys.readouterr().err.startswith(f"ghmpp: {path}, line 2, column 4: the numbers")

    @pytest.mark.parametrize("setting", ["beta", "=3"])
    def test_setting_needs_name_and_value(self, spec, setting, capsys):
        assert main(["show", spec, "--set", setting]) == 2
        assert f"expected NAME=VALUE such as beta=0.7, got '{setting}'" in capsys.readouterr().err


class TestDeclarations:
    """Specs that declare no hierarchical model."""

    SPEC = str(Path(__file__).parents[2] / "tutorials" / "specs" / "ising_grid.py")
    MEAN = ("--query", "mean(x)")

    def test_declarations_have_plans(self, capsys):
        assert main(["show", self.SPEC, *self.MEAN, "--engine", "tap(steps=3)"]) == 0
        assert "2 rounds" in capsys.readouterr().out  # the last step is the read-out

    def test_declarations_have_no_diagram_of_their_own(self, capsys):
        assert main(["show", self.SPEC, "--mermaid"]) == 2
        assert "pass --query" in capsys.readouterr().err

    def test_programs_are_verified(self, capsys):
        asked = ["verify", self.SPEC, *self.MEAN, "--engine", "loopy(steps=3)", "--rows", "1"]
        assert main(asked) == 0
        assert "reference" in capsys.readouterr().out

    def test_what_is_not_guaranteed_is_said_without_code(self, capsys):
        strong = ["compile", self.SPEC, "--set", "strength=3", *self.MEAN, "--engine", "naive"]
        assert main(strong) == 0
        said = capsys.readouterr().err
        assert said.startswith("ghmpp: warning: ")
        assert "warn(" not in said

    @pytest.mark.parametrize(
        ("engine", "message"),
        [("magic", "known: exact"), ("tap(speed=3)", "not understood"), ("tap(steps=", "unknown")],
    )
    def test_wrong_engines_are_refused(self, engine, message, capsys):
        assert main(["compile", self.SPEC, *self.MEAN, "--engine", engine]) == 2
        assert message in capsys.readouterr().err
