"""Pictures: what they say, that no words overlap or leave the sheet, and how they are saved."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import cache
from itertools import combinations
from pathlib import Path

import pytest

from ghmpp.errors import FormatError, MissingDependencyError
from ghmpp.models.model import Model
from ghmpp.schedule.drawing import TIMES
from ghmpp.schedule.picture import (
    save_picture,
    schedule_picture,
    template_picture,
    tree_picture,
)
from tests.schedule.plans import (
    chain,
    classifier,
    decoder,
    denoiser,
    digits,
    everything,
    forest_of,
    islands,
    plan,
    ring,
    scenes,
    smoother,
)

figures = pytest.importorskip("matplotlib.figure")


def weather() -> Model:
    model = Model("weather")
    season = model.chain("season", 365, 4)
    season.children("rain", 1, 2)
    sensor = season.children("sensor", 3, 5, potential=lambda s, x: 1 + s * x)
    sensor.children("reading", 2, 7, prior=[1] * 7)
    return model


def large() -> Model:
    model = Model("large")
    group = model.root("root", 3).children("group", 6, 3)
    group.children("cell", 12, 3).children("leaf", 40, 2)
    return model


def survey() -> Model:
    model = Model("survey")
    root = model.root("intelligence", 3)
    for k in range(6):
        root.children(f"grade_{k}", 1, 2).children(f"letter_{k}", 1, 2)
    return model


PICTURES: dict[str, Callable[[], figures.Figure]] = {
    "classifier": lambda: schedule_picture(classifier()),
    "denoiser": lambda: schedule_picture(denoiser()),
    "every result": lambda: schedule_picture(everything(scenes())),
    "two trees": lambda: schedule_picture(everything(islands())),
    "chain": lambda: schedule_picture(smoother(30)),
    "most probable configuration": lambda: schedule_picture(decoder("argmax")),
    "loop": lambda: schedule_picture(plan(ring().forest(), [("posterior", "c")], ["a"])),
    "loop tree": lambda: tree_picture(ring().forest()),
    "loop template": lambda: template_picture(ring().template),
    "regular tree": lambda: tree_picture(digits()),
    "branches": lambda: tree_picture(scenes()),
    "long chain": lambda: tree_picture(chain(30)),
    "large tree": lambda: tree_picture(large().forest()),
    "named tree": lambda: tree_picture(survey().forest()),
    "chain template": lambda: template_picture(weather().template),
    "deep template": lambda: template_picture(large().template),
    "wide template": lambda: template_picture(survey().template),
}


@cache
def drawn(name: str) -> figures.Figure:
    return PICTURES[name]()


def words(figure: figures.Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


@pytest.mark.slow
@pytest.mark.parametrize("name", PICTURES)
def test_no_words_overlap(name: str) -> None:
    figure = drawn(name)
    boxes = [
        (text.get_text(), text.get_window_extent()) for axes in figure.axes for text in axes.texts
    ]

    for (one, a), (two, b) in combinations(boxes, 2):
        apart = a.x1 <= b.x0 or b.x1 <= a.x0 or a.y1 <= b.y0 or b.y1 <= a.y0
        assert apart, (one, two)


@pytest.mark.parametrize("name", PICTURES)
def test_all_words_are_on_the_sheet(name: str) -> None:
    figure = drawn(name)
    sheet = figure.bbox

    for axes in figure.axes:
        for text in axes.texts:
            box = text.get_window_extent()
            inside = sheet.x0 <= box.x0 and box.x1 <= sheet.x1
            assert inside, text.get_text()
            assert sheet.y0 <= box.y0, text.get_text()
            assert box.y1 <= sheet.y1, text.get_text()


def test_a_denoiser_shows_both_directions_and_its_skips() -> None:
    said = words(schedule_picture(denoiser()))

    assert {"ENCODER", "BOTTLENECK", "DECODER"} <= set(said)
    assert said.count("block → pixel") == 1
    assert said.count("pixel → block") == 2
    assert {"evidence", "pool", "exclude", "mean", "log evidence"} <= set(said)


def test_a_classifier_shows_its_encoder_alone() -> None:
    said = words(schedule_picture(classifier()))

    assert "DECODER" not in said
    assert "posterior" in said
    assert "exclude" not in said


def test_a_message_that_was_pruned_is_not_drawn() -> None:
    forest = forest_of(("top", None, 1, 2), ("low", "top", 1, 2))
    said = words(schedule_picture(plan(forest, [("posterior", "low")], ["low"])))

    assert "top → low" in said
    assert "low → top" not in said


def test_of_a_long_chain_the_first_steps_are_shown() -> None:
    said = words(schedule_picture(smoother(30)))

    assert "z[2]" in said
    assert "z[3] …" in said
    assert said.count("54 more blocks") == 2


@pytest.mark.slow
def test_a_picture_of_a_chain_does_not_grow_with_it() -> None:
    short, long = (schedule_picture(smoother(length)) for length in (30, 300))

    assert tuple(long.get_size_inches()) == tuple(short.get_size_inches())


def discs(figure: figures.Figure) -> int:
    from matplotlib.patches import Circle

    patches = [p for axes in figure.axes for p in axes.patches if isinstance(p, Circle)]
    return sum(patch.radius > 0.05 for patch in patches)


def test_a_small_tree_is_drawn_node_by_node() -> None:
    assert discs(tree_picture(digits())) == 1 + 4 + 16


def test_a_large_tree_shows_the_ends_of_its_rows() -> None:
    assert discs(tree_picture(large().forest())) == 1 + 6 + 8 + 8


def test_a_template_names_classes_counts_and_sizes() -> None:
    said = words(template_picture(weather().template))

    assert {"season", "rain", "sensor", "reading"} <= set(said)
    assert "chain of 365, free" in said
    assert f"{TIMES} 3" in said
    assert f"2,190 {TIMES} 7, prior" in said


def test_helpers_are_counted_apart() -> None:
    hidden = sum(each.hidden for each in ring().forest().variables.values())

    assert f"5 classes and {hidden} helpers: nodes {TIMES} states" in words(drawn("loop template"))
    said = f"5 variables in 5 classes and {hidden} helpers: nodes {TIMES} states"
    assert said in words(drawn("loop tree"))


def test_no_card_stands_alone() -> None:
    """Every box but the root's has a message beside it."""
    said = words(drawn("loop"))

    assert "b" not in said
    assert {"a", "c"} <= set(said)
    links = {end for text in said if " → " in text for end in text.split(" → ")}
    assert {text for text in said if text.startswith("separator") and "→" not in text} <= links


def test_dollar_signs_in_names_are_words_and_not_formulas() -> None:
    forest = forest_of(("$top$", None, 1, 2), ("low_{", "$top$", 2, 2))
    schedule = plan(forest, [("mean", "low_{")], ["low_{"])

    figure = schedule_picture(schedule)
    assert "$top$" in words(figure)
    figure.canvas.draw()


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml")])
def test_pictures_are_saved_by_suffix(tmp_path: Path, suffix: str, start: bytes) -> None:
    target = tmp_path / f"unet{suffix}"

    save_picture(schedule_picture(denoiser()), target)
    assert target.read_bytes().startswith(start)
    assert list(tmp_path.iterdir()) == [target]


def test_other_suffixes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"must end in \.png or \.svg, got 'unet\.bmp'"):
        save_picture(schedule_picture(classifier()), tmp_path / "unet.bmp")


def test_a_failed_save_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "unet.png"
    target.write_bytes(b"old")
    figure = schedule_picture(classifier())

    def fail(path: Path, **options: object) -> None:
        Path(path).write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(figure, "savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        save_picture(figure, target)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_without_matplotlib_the_error_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    with pytest.raises(MissingDependencyError, match=r"pip install ghmpp\[plot\]"):
        tree_picture(digits())


def test_drawing_leaves_pyplot_alone() -> None:
    code = (
        "import sys; from ghmpp.schedule.picture import tree_picture\n"
        "assert 'matplotlib' not in sys.modules\n"
        "from tests.schedule.plans import digits; tree_picture(digits())\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )

    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
