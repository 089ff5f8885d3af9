"""Specs: those of the tutorials load and obey their settings; mistakes name the file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

import ghmpp as gh
from ghmpp.errors import FormatError, ModelError
from ghmpp.models.model import Model
from ghmpp.models.specs import load_declared, load_spec

SPECS = Path(__file__).parents[2] / "tutorials" / "specs"


def nodes(model):
    return {name: variable.nodes for name, variable in model.variables.items()}


def states(model):
    return {name: len(variable.states) for name, variable in model.variables.items()}


# --- the specs of the tutorials -----------------------------------------------------------------


def test_all_specs_are_known():
    assert sorted(path.stem for path in SPECS.glob("*.py")) == [
        "digits",
        "gaussian_tree",
        "hidden_markov_chain",
        "ising_grid",
        "ising_tree",
        "latent_curve",
        "random_ghm",
        "sparse_layers",
        "two_trees_one_root",
    ]


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.py")), ids=lambda path: path.stem)
def test_specs_are_short_and_say_what_they_are(path):
    lines = path.read_text().splitlines()

    assert len(lines) <= 15
    assert lines[0].startswith('"""')
    assert lines[0].endswith('."""')


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.py")), ids=lambda path: path.stem)
def test_specs_mean_a_forest_that_answers(path):
    model = load_declared(path)
    if not isinstance(model, Model):
        query, given = model.question()
        assert gh.compile(model, query, given).schedule.outputs
        return
    model = model.initialise(seed=0)

    assert model.forest().nodes == sum(nodes(model).values())
    assert model.log_partition() > -1


def test_steps_along_the_curve_are_few():
    curve = load_declared(SPECS / "latent_curve.py")
    found = gh.Langevin().resolved(curve.forest())

    assert curve.invertibility.condition < 2
    assert found.gradient_steps + found.steps < 300


def test_digits():
    assert nodes(load_spec(SPECS / "digits.py"))["pixel"] == 64
    model = load_spec(SPECS / "digits.py", {"depth": "2", "patterns": "5", "greys": "3"})

    assert nodes(model) == {"digit": 1, "patch1": 4, "pixel": 16}
    assert states(model) == {"digit": 10, "patch1": 5, "pixel": 3}
    assert model.variables["pixel"].values.tolist() == [0.0, 1.0, 2.0]
    assert model.variables["pixel"].order.tolist()[:5] == [0, 1, 4, 5, 2]


def test_hidden_markov_chain():
    model = load_spec(SPECS / "hidden_markov_chain.py", {"length": "7", "stay": "0.5"})

    assert nodes(model) == {"state": 7, "symbol": 7}
    assert model.forest().data["state->state"][0].tolist() == [
        [0.5, 0.25, 0.25],
        [0.25, 0.5, 0.25],
        [0.25, 0.25, 0.5],
    ]


def test_two_trees_one_root():
    model = load_spec(SPECS / "two_trees_one_root.py", {"words": "3", "pictures": "4"})

    assert nodes(model) == {"topic": 1, "word": 3, "picture": 4, "colour": 12}
    assert model.log_partition() == pytest.approx(0, abs=1e-12)


def test_ising_tree():
    model = load_spec(SPECS / "ising_tree.py", {"depth": "2", "branching": "3", "beta": "0.25"})

    assert nodes(model) == {"spin0": 1, "spin1": 3, "spin2": 9}
    assert model.parameters == {"beta": 0.25}
    assert model.forest().keys() == ("spin0->spin1",)


def test_random_ghm():
    settings = {"depth": "2", "branching": "3", "states": "2", "seed": "5"}
    first, again = (load_spec(SPECS / "random_ghm.py", settings) for _ in range(2))
    other = load_spec(SPECS / "random_ghm.py", settings | {"seed": "6"})

    assert nodes(first) == {"x0": 1, "x1": 3, "x2": 9}
    assert first.log_partition() == pytest.approx(again.log_partition(), rel=0)
    assert (first.forest().data["x0->x1"] == again.forest().data["x0->x1"]).all()
    assert (first.forest().data["x0->x1"] != other.forest().data["x0->x1"]).any()


# --- what a spec may define ---------------------------------------------------------------------


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "spec.py"
        path.write_text(text)
        return path

    return write


def test_model_may_be_defined_directly(write):
    path = write("import ghmpp as gh\nmodel = gh.Model('m')\nmodel.root('a', 2)\n")

    assert nodes(load_spec(path)) == {"a": 1}


def test_function_may_be_called_build(write):
    path = write(
        "import ghmpp as gh\ndef build(*, n):\n    m = gh.Model()\n    m.root('a', n)\n    return m"
    )

    assert states(load_spec(path, {"n": "4"})) == {"a": 4}


def test_networkx_graphs_are_models_too(write):
    path = write("import networkx as nx\nmodel = nx.Graph()\nmodel.add_node('a', states=3)\n")

    assert states(load_spec(path)) == {"a": 3}


def test_spec_is_not_run_as_a_script(write):
    path = write("import ghmpp as gh\nmodel = gh.Model()\nif __name__ == '__main__':\n    boom\n")

    assert load_spec(path).name == "model"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4", 4),
        ("0.5", 0.5),
        ("(2, 3)", (2, 3)),
        ("True", True),
        ("plain", "plain"),
        ("'4'", "4"),
        ("a b", "a b"),
        ("", ""),
        (" 4", 4),
    ],
)
def test_settings_are_literals_or_text(write, text, expected):
    path = write(
        "import ghmpp as gh\ndef model(**given):\n"
        "    m = gh.Model()\n    m.root('a', [given['x'], 'other'])\n    return m"
    )

    assert load_spec(path, {"x": text}).variables["a"].states == (expected, "other")


SYMBOLIC = """
import ghmpp as gh, sympy as sp
model = gh.Model()
model.root("a", 2).children("b", 1, 2, potential=lambda s, t: sp.exp(sp.Symbol("c") * s * t))
"""


def test_settings_also_bind_symbols(write):
    path = write(SYMBOLIC)

    assert load_spec(path).parameters == {"c": None}
    assert load_spec(path, {"c": "0.5"}).parameters == {"c": 0.5}
    with pytest.raises(ModelError, match=r"bind\(c="):
        load_spec(path, {"c": "warm"})


# --- mistakes -----------------------------------------------------------------------------------


def test_unknown_setting_lists_the_known_ones(write):
    with pytest.raises(FormatError, match=r"digits\.py: no setting 'deep'.*depth, patterns, greys"):
        load_spec(SPECS / "digits.py", {"deep": "2"})
    with pytest.raises(FormatError, match=r"no setting 'beta'; the settings are: c\."):
        load_spec(write(SYMBOLIC), {"beta": "2"})


def test_missing_setting_is_named(write):
    path = write("def model(width, height=2):\n    pass\n")

    with pytest.raises(FormatError, match=r"spec\.py: needs the setting 'width'"):
        load_spec(path, {"height": "3"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n\ndef model(:\n", r"spec\.py, line 3: SyntaxError: [^()]*$"),
        ("x = 1\nx.nothing\n", r"spec\.py, line 2: AttributeError: 'int' object"),
        (
            "def model():\n    return inner()\ndef inner():\n    1 / 0\n",
            "line 4: ZeroDivisionError",
        ),
        (
            "import ghmpp as gh\nmodel = gh.Model()\n\nmodel.root('a', 0)\n",
            "line 4: ModelError: variable 'a'",
        ),
        ("import nowhere_at_all\n", "line 1: ModuleNotFoundError"),
        ("import sys\nsys.exit('no data')\n", "line 2: SystemExit: no data"),
    ],
)
def test_mistakes_name_the_line(write, text, message):
    with pytest.raises(FormatError, match=message):
        load_spec(write(text))


def test_mistakes_of_a_setting_name_it_and_what_the_spec_said(write):
    path = write("def model(depth=2, width=1):\n    raise ValueError('side is 0.125')\n")

    with pytest.raises(FormatError, match=r"py, line 2: with depth=-3: ValueError: side is 0\.125"):
        load_spec(path, {"depth": "-3"})
    with pytest.raises(FormatError, match=r"py, line 2: ValueError: side is"):
        load_spec(path)


def test_spec_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "binary.py").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(FormatError, match=r"binary\.py: the spec is no text in UTF-8"):
        load_spec(tmp_path / "binary.py")


def test_spec_must_define_a_model(write):
    with pytest.raises(FormatError, match=r"spec\.py: a spec defines `model`"):
        load_spec(write("modle = 3\n"))
    with pytest.raises(FormatError, match=r"spec\.py: no model comes out.*got a NoneType"):
        load_spec(write("def model():\n    pass\n"))


def test_spec_must_exist(tmp_path):
    with pytest.raises(FormatError, match=r"nothing\.py: the spec cannot be read"):
        load_spec(tmp_path / "nothing.py")
