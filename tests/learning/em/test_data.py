from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ghmpp.errors import EvidenceError
from ghmpp.learning.em.data import read_data
from ghmpp.models.model import Model


def weather() -> Model:
    model = Model("weather")
    model.root("season", ["dry", "wet"]).children("day", 2, ["sun", "rain"])
    return model


def test_an_array_belongs_to_the_leaves() -> None:
    observations, batch = read_data(weather(), [[0, 1], [1, 1], [0, -1]], {})

    assert batch == 3
    np.testing.assert_array_equal(observations["day"].array, [[0, 1], [1, 1], [0, -1]])


def test_keywords_are_joined_with_an_array() -> None:
    observations, batch = read_data(weather(), [[0, 1], [1, 1]], {"season": ["wet", None]})

    assert batch == 2
    np.testing.assert_array_equal(observations["season"].array, [[1], [-1]])
    np.testing.assert_array_equal(observations["day"].array, [[0, 1], [1, 1]])


def test_keywords_are_joined_with_a_dictionary_and_repeated() -> None:
    observations, _ = read_data(weather(), {"day": [[0, 1], [1, 1]]}, {"season": "wet"})

    np.testing.assert_array_equal(observations["season"].array, [[1], [1]])


def test_keywords_are_joined_with_a_frame() -> None:
    frame = pd.DataFrame({"day[0]": ["sun", "rain"], "day[1]": ["rain", None]})

    observations, _ = read_data(weather(), frame, {"season": [0, 1]})

    np.testing.assert_array_equal(observations["day"].array, [[0, 1], [1, -1]])
    np.testing.assert_array_equal(observations["season"].array, [[0], [1]])


def test_no_data_are_refused() -> None:
    with pytest.raises(EvidenceError, match=r"there are no data; pass .* season="):
        read_data(weather(), None, {})


def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(EvidenceError, match="the data have no rows"):
        read_data(weather(), np.zeros((0, 2), dtype=int), {})


def test_a_class_given_twice_is_refused() -> None:
    with pytest.raises(EvidenceError, match="'day' is given twice"):
        read_data(weather(), [[0, 1]], {"day": [[0, 1]]})


def test_an_unknown_class_is_refused() -> None:
    with pytest.raises(EvidenceError, match=r"no variable 'sesaon'.* Did you mean 'season'"):
        read_data(weather(), [[0, 1]], {"sesaon": [1]})


def test_different_batches_are_refused() -> None:
    with pytest.raises(EvidenceError, match="batches must have the same size"):
        read_data(weather(), [[0, 1], [0, 0], [1, 1]], {"season": [1, 0]})


def test_a_bare_array_for_two_classes_of_leaves_is_refused() -> None:
    model = weather()
    model.root("other", 2)

    with pytest.raises(EvidenceError, match="does not say which variable"):
        read_data(model, [[0, 1]], {})
    with pytest.raises(EvidenceError, match="does not say which variable"):
        read_data(model, [[0, 1]], {"season": [1]})


def test_a_column_for_many_nodes_is_refused_with_keywords_too() -> None:
    frame = pd.DataFrame({"day": [0, 1]})

    with pytest.raises(EvidenceError, match="one column per node"):
        read_data(weather(), frame, {"season": [0, 1]})
