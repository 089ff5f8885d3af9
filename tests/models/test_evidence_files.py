"""Evidence files: written for any model, read back for inference."""

from __future__ import annotations

import numpy as np
import pytest

import ghmpp as gh
from ghmpp.errors import FormatError
from ghmpp.models.evidence_files import read_evidence, write_evidence
from ghmpp.models.files import read, read_factors, write
from tests.models.formats.drawn import UAI, posterior
from tests.tolerances import EXACT


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.uai.evid"


def test_foreign_evidence_on_a_foreign_network(path, tmp_path):
    (tmp_path / "net.uai").write_text(UAI)
    path.write_text("2\n1 2 3\n2 1 0 2 1\n")
    model = read(tmp_path / "net.uai")

    found = read_evidence(path, model)

    assert found == {"x1": [None, 0], "x2": [3, 1]}
    beliefs = gh.infer(model, found)["x0"]
    for row, observed in zip(beliefs, [{"C": 3}, {"B": 0, "C": 1}], strict=True):
        expected = [float(mass) for mass in posterior("A", observed)]
        np.testing.assert_allclose(row, expected, atol=EXACT)


def test_numbers_mean_x0_x1_also_where_the_model_has_another_order(path):
    model = gh.Model()
    model.root("x10", 2)
    for k in range(10):
        model.root(f"x{k}", 2)
    path.write_text("2 10 1 2 0")

    assert read_evidence(path, model) == {"x10": 1, "x2": 0}


def digits():
    model = gh.Model("digits")
    model.root("digit", 2).children("pixel", 3, ["off", "on"], potential=[[0.9, 0.1], [0.2, 0.8]])
    return model


def test_evidence_on_classes_comes_back_by_node(path):
    seen = {"pixel": [["on", "off", None], [None, "on", "on"]]}

    write_evidence(seen, path, digits())
    found = read_evidence(path, digits())

    assert found == {"pixel[0]": ["on", None], "pixel[1]": ["off", "on"], "pixel[2]": [None, "on"]}
    np.testing.assert_array_equal(
        gh.infer(digits(), found)["digit"], gh.infer(digits(), seen)["digit"]
    )


def test_numbers_are_those_of_the_model_file(path, tmp_path):
    place = tmp_path / "digits.uai"
    write(digits(), place)

    write_evidence({"pixel[2]": "on"}, path, digits())

    graph = read_factors(place)
    numbers = path.read_text().splitlines()[-1].split()
    assert list(graph.nodes)[int(numbers[1])] == "pixel[2]"
    assert numbers == ["1", numbers[1], "1"]


def test_named_model_needs_the_factors_of_its_file(path, tmp_path):
    place = tmp_path / "digits.uai"
    write(digits(), place)
    path.write_text("1 0 1")

    cure = r"names in model 'digits' do not tell \(digit, .*read_factors\('network.uai'\)"
    with pytest.raises(
        FormatError, match=rf"net\.uai\.evid: it has numbers for variables, .*{cure}"
    ):
        read_evidence(path, read(place))
    first = next(iter(read_factors(place).nodes))
    assert list(read_evidence(path, read_factors(place))) == [first]


def test_evidence_of_another_model_is_refused(path):
    write_evidence({"pixel[2]": "on"}, path, digits())
    other = gh.Model("other")
    other.root("digit", 2).children("dot", 3, 2)

    with pytest.raises(
        FormatError, match=r"about digit, pixel\[0\], .* 'other' are digit, dot\[0\]"
    ):
        read_evidence(path, other)


def test_soft_evidence_is_refused_and_nothing_is_written(path):
    with pytest.raises(FormatError, match="digit: UAI evidence files hold states"):
        write_evidence({"digit": [[0.5, 0.5]]}, path, digits())

    assert not path.exists()


def test_broken_evidence_names_the_file(path):
    path.write_text("1 0 5")

    with pytest.raises(FormatError, match=r"net\.uai\.evid, line 1, column 5: the state of var"):
        read_evidence(path, digits_by_number())


def digits_by_number():
    model = gh.Model()
    model.root("x0", 2)
    return model
