import numpy as np
import pandas as pd
import pytest

import ghmpp as gh
from ghmpp.cli.main import main
from ghmpp.cli.tables import read_table
from ghmpp.errors import FormatError


def coin(states):
    model = gh.Model("coin")
    model.root("seen", states=states)
    return model


def cells(tmp_path, text, states):
    path = tmp_path / "rows.csv"
    path.write_text("seen\n" + text)
    return read_table(path, coin(states))["seen"].tolist()


@pytest.mark.parametrize(
    ("states", "text", "meaning"),
    [
        (("2", "1", "0"), "2\n0\n1\n", ["2", "0", "1"]),
        ((2, 1, 0), "2\n0\n1\n", [2, 0, 1]),
        (("TRUE", "FALSE"), "TRUE\nFALSE\n", ["TRUE", "FALSE"]),
        ((True, False), "True\nFalse\n", [True, False]),
        (("yes", "NA"), "NA\nyes\n", ["NA", "yes"]),
        (("yes", "None"), "None\nyes\n", ["None", "yes"]),
        (("1.0", "2.0"), "1.0\n2.0\n", ["1.0", "2.0"]),
    ],
)
def test_a_cell_that_is_the_name_of_a_state_means_it(tmp_path, states, text, meaning):
    found = cells(tmp_path, text, states)

    assert found == meaning
    assert [type(each) for each in found] == [type(each) for each in meaning]


@pytest.mark.parametrize("cell", ["", "NA", "nan", "None", "null"])
def test_cells_without_a_state_are_missing(tmp_path, cell):
    first, second = cells(tmp_path, f'wet\n"{cell}"\n', ("wet", "dry"))

    assert first == "wet"
    assert pd.isna(second)


def test_other_cells_are_numbers_or_texts_for_the_evidence_to_judge(tmp_path):
    assert cells(tmp_path, "1\n0.5\nfog\n", ("wet", "dry")) == [1, 0.5, "fog"]


def test_a_file_that_is_no_table_is_refused_by_name(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("")
    with pytest.raises(FormatError, match=r"rows\.csv: cannot be read as CSV"):
        read_table(path, coin(2))


@pytest.mark.parametrize("states", [("2", "1", "0"), ("TRUE", "FALSE", "NA"), (5, 3, 1)])
def test_what_sample_writes_fit_reads(tmp_path, states):
    def model(table):
        declared = gh.Model("two")
        declared.root("first", states=2).children("seen", 1, states=states, potential=table)
        return declared

    true, rows = model([[0.7, 0.2, 0.1], [0.1, 0.2, 0.7]]), tmp_path / "rows.csv"
    names = {name: str(tmp_path / f"{name}.json") for name in ("true", "free", "fitted")}
    true.save(names["true"])
    model(None).save(names["free"])
    assert main(["sample", names["true"], "-n", "2000", "--seed", "1", "-o", str(rows)]) == 0
    assert main(["fit", names["free"], str(rows), "-o", names["fitted"]]) == 0

    found = gh.load(names["fitted"])
    np.testing.assert_allclose(
        gh.infer(found, {})["seen"], gh.infer(true, {})["seen"], atol=4 * 0.5 / 2000**0.5
    )
    posterior = gh.infer(found, {"first": [0]})["seen"]
    np.testing.assert_allclose(posterior, [[0.7, 0.2, 0.1]], atol=4 * 0.5 / 1000**0.5)
