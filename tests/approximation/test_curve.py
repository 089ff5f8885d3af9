import numpy as np
import pytest

import ghmpp as gh
from ghmpp.errors import QueryError
from tests.approximation.classics import kernel_model


def test_each_point_is_the_bounds_of_its_error():
    model = kernel_model(2, 2, 2, 1.5)
    curve = gh.width_curve(model, gh.posterior("x0"), deltas=(0.01, 0.1), budget="min-flops")

    for point, delta in zip(curve.bounds, (0.1, 0.01), strict=True):
        assert point == gh.bounds(model, gh.posterior("x0"), delta=delta, budget="min-flops")


def test_the_table_has_both_widths():
    curve = gh.width_curve(kernel_model(2, 2, 2, 1.5), gh.posterior("x0"), deltas=(0.01,))
    text, page = repr(curve), curve._repr_html_()

    assert "Theorem 3" in text
    for cell in ("0.01", f"{curve.bounds[0].width}", "129,600"):
        assert cell in text.splitlines()[-1]
        assert f"<td>{cell}</td>" in page


def test_the_picture_has_a_line_for_each():
    curve = gh.width_curve(kernel_model(2, 2, 2, 1.5), gh.posterior("x0"), deltas=(1, 0.1))
    (axes,) = curve.picture().axes
    ours, paper = (line.get_ydata() for line in axes.get_lines())

    np.testing.assert_array_equal(ours, [each.width for each in curve.bounds])
    np.testing.assert_array_equal(paper, [each.paper_width for each in curve.bounds])


def test_the_paper_has_no_line_where_it_has_no_theorem():
    curve = gh.width_curve(kernel_model(2, 2, 2, 1.5), gh.posterior("x1"), deltas=(1, 0.1))

    assert len(curve.picture().axes[0].get_lines()) == 1
    assert "none of its theorems" in repr(curve)


def test_no_errors_are_refused():
    with pytest.raises(QueryError, match="at least one error"):
        gh.width_curve(kernel_model(2, 2, 2, 1.5), gh.posterior("x0"), deltas=())
