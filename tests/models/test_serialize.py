"""What is saved comes back the same, entry by entry; what is broken is refused by name."""

from __future__ import annotations

import json
from enum import Enum
from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import given

from ghmpp.errors import FormatError, GhmppError, MissingFolderError
from ghmpp.models import serialize
from ghmpp.models.formulas import decode, encode
from ghmpp.models.model import Model
from ghmpp.models.serialize import load, save
from tests.strategies import models, rational_models

BETA = sympy.Symbol("beta", positive=True)
GAMMA = sympy.Symbol("gamma", real=True)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.json"


def ising():
    model = Model("ising")
    root = model.root("spin", [-1, 1], prior=[Fraction(1, 3), Fraction(2, 3)])
    root.children("leaf", 2, [-1, 1], potential=lambda s, t: sympy.exp(BETA * s * t))
    return model


def assert_same_stack(found, expected):
    assert (found is None) == (expected is None)
    if found is not None and expected is not None:
        assert found.identity() == expected.identity()
        assert found.symbols == expected.symbols


def assert_same_model(found, expected):
    """Equal declarations, entry by entry, in the same order."""
    assert (found.name, found.bound, found.free) == (expected.name, expected.bound, expected.free)
    assert list(found.declarations) == list(expected.declarations)
    for mine, theirs in zip(
        found.declarations.values(), expected.declarations.values(), strict=True
    ):
        for field in ("name", "parent", "count", "nodes", "levels", "chain"):
            assert getattr(mine, field) == getattr(theirs, field)
        assert mine.space.names == theirs.space.names
        assert [type(name) for name in mine.space.names] == [
            type(name) for name in theirs.space.names
        ]
        np.testing.assert_equal(mine.space.values, theirs.space.values)
        np.testing.assert_equal(mine.order, theirs.order)
        assert_same_stack(mine.potential, theirs.potential)
        assert_same_stack(mine.prior, theirs.prior)


def saved(model, path):
    save(model, path)
    return load(path)


# --- round trips --------------------------------------------------------------------------------


@given(model=models())
def test_models_of_all_kinds_come_back(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model.json"

    assert_same_model(saved(model, path), model)


@given(model=rational_models())
def test_fractions_come_back_exactly(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model.json"

    assert_same_model(saved(model, path), model)


def test_free_tables_stay_free(path):
    model = Model()
    model.root("a", 2).children("b", 3, 2)

    assert_same_model(saved(model, path), model)


def test_formulas_keep_their_symbols(path):
    again = saved(ising(), path)

    assert_same_model(again, ising())
    assert again.parameters == {"beta": None}


@pytest.mark.parametrize("value", [0.7, Fraction(7, 10), sympy.sqrt(2)])
def test_values_of_symbols_are_kept_exactly(path, value):
    model = ising().bind(beta=value)
    again = saved(model, path)

    assert again.bound == model.bound
    assert again.log_partition() == model.log_partition()


def test_states_keep_their_types(path):
    model = Model("été")
    states = ["a", 3, 2.5, True, ("x", 1, ("y", False)), None, -0.5, 10**30]
    model.root("état", states, values=range(8))

    assert_same_model(saved(model, path), model)


def test_numbers_without_values_stay_without(path):
    model = Model()
    model.root("counted", 3)
    model.root("valued", range(3))
    again = saved(model, path)

    assert again.variables["counted"].values is None
    assert again.variables["valued"].values.tolist() == [0.0, 1.0, 2.0]


def test_float_entries_come_back_bitwise(path):
    model = Model()
    table = np.array([[np.nextafter(1, 2), 5e-324], [0.1 + 0.2, 1e308]])
    model.root("a", 2).children("b", 1, 2, potential=table)
    again = saved(model, path)

    assert again.forest().data["a->b"].tobytes() == table.tobytes()


def test_model_saves_and_loads_itself(path):
    model = ising()
    model.save(str(path))

    assert_same_model(Model.load(str(path)), model)


def arrays_of(path):
    """The npz file that a saved model names."""
    return path.with_name(json.loads(path.read_text())["arrays"]["file"])


def test_existing_files_are_replaced(path):
    save(ising(), path)
    model = Model("other")
    model.root("a", 2)

    assert_same_model(saved(model, path), model)
    assert sorted(path.parent.iterdir()) == sorted([path, arrays_of(path)])


# --- formulas -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "formula",
    [
        Fraction(-2, 3),
        BETA,
        sympy.exp(-BETA * (GAMMA - sympy.Rational(1, 2)) ** 2) / sympy.sqrt(2 * sympy.pi),
        sympy.Float("0.1", 40) * BETA,
        sympy.Float(0.1) * BETA,
        sympy.Piecewise((BETA, GAMMA > 1), (sympy.Abs(GAMMA), GAMMA < 0), (2, True)),
        sympy.Max(BETA, GAMMA, 3) + sympy.Min(BETA, GAMMA) + sympy.cosh(GAMMA) ** BETA,
        sympy.Piecewise((1, sympy.And(BETA > 1, sympy.Ne(GAMMA, 2))), (sympy.E**GAMMA, True)),
        sympy.factorial(GAMMA) + sympy.binomial(5, GAMMA) + sympy.EulerGamma,
    ],
)
def test_formulas_survive_as_json(formula):
    text = json.dumps(encode(formula))
    again = decode(json.loads(text), {"beta": BETA, "gamma": GAMMA})

    assert again == formula
    assert type(again) is type(formula)


@pytest.mark.parametrize(
    "tree",
    [
        ["__import__", "os"],
        ["sympify", "__import__('os').getcwd()"],
        ["Symbol", "unknown"],
        ["constant", "I"],
        ["Lambda", ["Symbol", "beta"]],
        [["exp"], 1],
        [],
        None,
        {"exp": 1},
    ],
)
def test_other_json_is_no_formula(tree):
    with pytest.raises(FormatError, match="not a formula"):
        decode(tree, {"beta": BETA})


@pytest.mark.parametrize(
    "formula", [sympy.zeta(BETA), sympy.Function("f")(BETA), sympy.Function("exp")(BETA)]
)
def test_unusual_functions_are_refused_when_saving(formula):
    with pytest.raises(FormatError, match=r"a formula with (zeta|f|exp) cannot be saved.*known"):
        encode(formula)


# --- files --------------------------------------------------------------------------------------


def test_interrupted_save_leaves_the_old_model(path, monkeypatch):
    save(ising(), path)
    before = path.read_bytes()

    def fail(_):
        raise OSError("disk full")

    monkeypatch.setattr("ghmpp._files.os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        save(Model("other"), path)
    assert path.read_bytes() == before
    assert_same_model(load(path), ising())
    assert sorted(path.parent.iterdir()) == sorted([path, arrays_of(path)])


@pytest.mark.parametrize("step", [1, 2])
def test_save_cut_short_at_any_file_leaves_a_model_that_loads(path, monkeypatch, step):
    save(ising(), path)
    done = []

    def cut(_):
        done.append(1)
        if len(done) == step:
            raise KeyboardInterrupt

    monkeypatch.setattr("ghmpp._files.os.fsync", cut)
    with pytest.raises(KeyboardInterrupt):
        save(ising().bind(beta=1).normalized(), path)

    assert_same_model(load(path), ising())


def test_changed_arrays_are_found_out(path):
    save(ising(), path)
    arrays_of(path).write_bytes(arrays_of(path).read_bytes() + b"x")

    with pytest.raises(FormatError, match=r"model\..*\.npz is not the file.*SHA-256"):
        load(path)


def test_missing_files_are_named(path):
    with pytest.raises(FormatError, match=r"model\.json: cannot be read"):
        load(path)
    save(ising(), path)
    arrays_of(path).unlink()
    with pytest.raises(FormatError, match=r"arrays in model\..*\.npz cannot be read.*keep the two"):
        load(path)


def test_missing_folder_is_refused_with_the_cure(tmp_path):
    path = tmp_path / "none" / "model.json"

    with pytest.raises(MissingFolderError, match=r"none/model\.json: its folder .*; make it first"):
        save(ising(), path)
    assert issubclass(MissingFolderError, GhmppError)


def test_folder_is_no_file(tmp_path, monkeypatch):
    (tmp_path / "model.json").mkdir()
    with pytest.raises(IsADirectoryError, match=r"is a folder; name a file in it.*model\.json"):
        save(ising(), tmp_path / "model.json")

    monkeypatch.chdir(tmp_path)
    with pytest.raises(FormatError, match=r"\.: a model's file ends in \.json.*use 'model\.json'"):
        save(ising(), ".")


def test_link_to_a_model_is_followed(path):
    real = path.parent / "models" / "first.json"
    real.parent.mkdir()
    save(Model("old"), real)
    path.symlink_to(real)

    save(ising(), path)

    assert path.is_symlink()
    assert_same_model(load(path), ising())
    assert_same_model(load(real), ising())


@pytest.mark.parametrize("name", ["model", "model.npz", "model.pkl"])
def test_path_must_be_json(tmp_path, name):
    with pytest.raises(FormatError, match=r"ends in \.json.*use 'model\.json'"):
        save(ising(), tmp_path / name)
    with pytest.raises(FormatError, match=r"ends in \.json"):
        load(tmp_path / name)


def edited(path, **changes):
    """The saved model with some of its JSON changed."""
    save(ising(), path)
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | changes))
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "else"}, 'not a model of ghmpp; expected "format": "ghmpp-model"'),
        ({"version": 2}, "has version 2, but this ghmpp reads version 1"),
        ({"classes": [{"name": "a"}]}, "is broken .KeyError: 'states'"),
        ({"classes": 3}, "is broken .TypeError"),
        ({"symbols": {}}, "not a formula"),
        ({"arrays": {}}, "is broken .KeyError: 'file'"),
    ],
)
def test_broken_records_are_refused(path, changes, message):
    with pytest.raises(FormatError, match=f"model.json: .*{message}"):
        load(edited(path, **changes))


def change_first(path, field, value):
    save(ising(), path)
    content = json.loads(path.read_text())
    content["classes"][1][field] = value
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("states", ["x", "x"], "listed twice"),
        ("count", -1, "count must be a whole number"),
        ("parent", "nobody", "nobody"),
        ("potential", {"kind": "magic", "array": "class1.potential"}, "unknown kind.*'magic'"),
        ("order", "nowhere", "nowhere"),
    ],
)
def test_records_pass_the_checks_of_a_declaration(path, field, value, message):
    change_first(path, field, value)

    with pytest.raises(FormatError, match=message):
        load(path)


def test_what_is_no_json_is_refused(path):
    path.write_text("{'format': 'ghmpp-model'}")

    with pytest.raises(FormatError, match=r"model\.json: is not JSON"):
        load(path)


def test_pickles_are_never_loaded(path):
    save(ising(), path)
    packed = arrays_of(path)
    with packed.open("wb") as file:
        np.savez(file, **{"class0.values": np.array([object], dtype=object)})
    content = json.loads(path.read_text())
    content["arrays"]["sha256"] = serialize.hashlib.sha256(packed.read_bytes()).hexdigest()
    path.write_text(json.dumps(content))

    with pytest.raises(FormatError, match="allow_pickle=False"):
        load(path)


class Colour(Enum):
    RED = 1


@pytest.mark.parametrize("name", [Colour.RED, Fraction(1, 2), ("x", frozenset())])
def test_other_state_names_are_refused(path, name):
    model = Model()
    model.root("a", ["x", name])

    with pytest.raises(FormatError, match=r"a: state .* cannot be saved; state names"):
        save(model, path)
    assert not path.exists()
