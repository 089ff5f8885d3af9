"""The pictures of the demo: what they show, and that no words overlap or leave the sheet."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from ghmpp.demo.comparison import OURS as NAME
from ghmpp.demo.comparison import Trial
from ghmpp.demo.figures import (
    OURS,
    UNSEEN,
    Group,
    half_digit,
    image_grid,
    learning,
    mosaic,
)
from ghmpp.demo.overview import overview
from ghmpp.examples import digits_model

pytest.importorskip("matplotlib")

from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 17, (10, 64))


def words(figure: Figure) -> list[Text]:
    """All visible texts that say something."""
    return [
        text
        for text in figure.findobj(Text)
        if text.get_text().strip() and text.get_visible() and text.axes is not None
    ]


def said(figure: Figure) -> dict[str, Text]:
    return {text.get_text(): text for text in words(figure)}


def scores() -> Figure:
    rows = [IMAGES[:3], IMAGES[:3] + 0.5, IMAGES[:3]]
    groups = [Group("left", rows, ["", "1.50", "0.25"]), Group("right", rows, ["", "3.00", ""])]
    return image_grid(["given", "other", NAME], groups, ours=NAME)


def half() -> Figure:
    seen = np.where(np.arange(64) < 32, IMAGES[0], np.nan)
    posterior = np.array([0.005, 0.125, 0.62, 0.25, 0, 0, 0, 0, 0, 0])
    return half_digit(seen, posterior, IMAGES[1] / 1.0, IMAGES[:4], IMAGES[0])


def curve() -> Figure:
    bits = list(4 - 2 * (1 - np.exp(-np.arange(81) / 10)))
    marks = {"uniform": 4.087, "independent pixels": 2.437, NAME: bits[-1]}
    return learning(bits, marks, [IMAGES] * 4)


def whole() -> Figure:
    estimates = {"Wiener filter": IMAGES + 2.0, NAME: IMAGES + 1.0}
    trial = Trial("noise", IMAGES + 3.0, IMAGES, estimates)
    return overview(trial, range(9), digits_model().forest(), rival="Wiener filter")


@pytest.mark.slow
@pytest.mark.parametrize("draw", [scores, half, curve, whole])
def test_words_neither_overlap_nor_leave_the_sheet(draw):
    figure = draw()
    figure.draw_without_rendering()
    boxes = {text.get_text(): text.get_window_extent() for text in words(figure)}
    ticks = {label.get_text() for axes in figure.axes for label in axes.get_xticklabels()}

    for box in boxes.values():
        assert figure.bbox.x0 <= box.x0 <= box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 <= box.y1 <= figure.bbox.y1
    for (one, a), (other, b) in combinations(boxes.items(), 2):
        if not {one, other} <= ticks:
            assert not a.padded(-1).overlaps(b.padded(-1)), (one, other)


def test_grid_names_groups_rows_and_numbers():
    assert {"left", "right", "given", "other", NAME, "1.50", "0.25", "3.00"} <= said(
        scores()
    ).keys()


def test_our_row_is_in_colour_and_the_smallest_number_bold():
    found = said(scores())

    assert found[NAME].get_color() == OURS
    assert found["0.25"].get_fontweight() == "bold"
    assert found["1.50"].get_fontweight() == "normal"


def test_bars_are_the_posterior_with_the_largest_in_colour():
    bars = half().axes[2].patches

    assert [bar.get_height() for bar in bars[:3]] == [0.005, 0.125, 0.62]
    assert [to_hex(bar.get_facecolor()) == OURS for bar in bars] == [k == 2 for k in range(10)]


def test_probabilities_below_one_percent_have_no_label():
    numbers = {text for text in said(half()) if "." in text}

    assert numbers == {f"{mass:.2f}" for mass in (0.125, 0.62, 0.25)}


def test_curve_shows_every_iteration_and_level():
    figure = curve()
    line = figure.axes[1].lines[0]

    assert list(line.get_xdata()) == list(range(81))
    assert {"4.09 uniform", "2.44 independent pixels", f"2.00 {NAME}"} <= said(figure).keys()


def test_overview_shows_errors_and_every_class():
    found = said(whole()).keys()

    assert {"noisy", "Wiener filter", NAME, "truth", "4.00", "1.00"} <= found
    for name in ("digit", "quadrant", "block", "pixel"):
        assert any(text.startswith(f"{name}  ") for text in found)


def drawn(image: np.ndarray) -> np.ndarray:
    """Colours of the middle of each pixel, shape (8, 8, 3)."""
    axes = Figure().add_subplot()
    mosaic(axes, [image[None]])
    return np.asarray(axes.images[0].get_array())[5::10, 5::10]


def test_ink_is_dark_on_white_paper_in_rows():
    image = np.zeros(64)
    image[1] = 16
    image[8] = 8

    colours = drawn(image)
    np.testing.assert_array_equal(colours[0, 1], 0.0)
    np.testing.assert_array_equal(colours[1, 0], 0.5)
    np.testing.assert_array_equal(colours[2:], 1.0)


def test_grey_levels_outside_the_range_are_clipped():
    colours = drawn(np.where(np.arange(64) < 32, -5.0, 30.0))

    np.testing.assert_array_equal(colours[:4], 1.0)
    np.testing.assert_array_equal(colours[4:], 0.0)


def test_pixels_that_are_not_seen_are_tinted():
    colours = drawn(np.full(64, np.nan))

    np.testing.assert_allclose(colours, np.broadcast_to(to_rgb(UNSEEN), (8, 8, 3)))
