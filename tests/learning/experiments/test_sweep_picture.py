"""Curves of a sweep: means and standard errors of what the table holds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ghmpp.errors import QueryError
from ghmpp.learning.experiments.sweep_picture import sweep_picture
from tests.tolerances import EXACT

TABLE = pd.DataFrame(
    {
        "n": [10, 100, 10, 100, 10, 100],
        "net": ["a", "a", "a", "a", "b", "b"],
        "seed": [0, 0, 1, 1, 0, 0],
        "error": [0.5, 0.2, 0.7, 0.1, 0.3, None],
    }
)


def test_curves_are_means_over_the_other_columns():
    (axes,) = sweep_picture(TABLE, x="n", y="error", hue="net").axes

    first, second = axes.lines
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b"]
    np.testing.assert_allclose(first.get_xydata(), [[10, 0.6], [100, 0.15]], atol=EXACT)
    np.testing.assert_allclose(second.get_xydata(), [[10, 0.3]], atol=EXACT)
    assert axes.get_xscale() == "log"


def test_bands_are_standard_errors():
    (axes,) = sweep_picture(TABLE[TABLE["net"] == "a"], x="n", y="error").axes

    corners = axes.collections[0].get_paths()[0].vertices
    at_first = corners[corners[:, 0] == 10, 1]
    np.testing.assert_allclose([at_first.min(), at_first.max()], [0.5, 0.7], atol=EXACT)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"x": "m", "y": "error"}, "no column 'm'; the columns are: n, net, seed, error"),
        ({"x": "net", "y": "error"}, "the column 'net' has no numbers"),
        ({"x": "n", "y": "error", "hue": "kind"}, "no column 'kind'"),
    ],
)
def test_columns_that_cannot_be_drawn_are_refused(columns, words):
    with pytest.raises(QueryError, match=words):
        sweep_picture(TABLE, **columns)


def test_nothing_to_draw_is_refused():
    with pytest.raises(QueryError, match="no row has numbers"):
        sweep_picture(TABLE[5:], x="n", y="error")
