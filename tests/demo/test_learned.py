"""The step on learning: files on the way, the curve, the declaration that it shows."""

from __future__ import annotations

import numpy as np

from ghmpp.demo import learned
from ghmpp.examples import GREY_LEVELS, SIDE, digits_model
from ghmpp.models.layouts import morton_order
from ghmpp.models.model import Model
from tests.demo.stages import small_stage


def test_fit_saves_the_model_and_follows_the_held_out_images(tmp_path, monkeypatch):
    monkeypatch.setattr(learned, "QUICK_ITERATIONS", 2)
    em, curve = learned.fit(small_stage(tmp_path))

    saved = Model.load(tmp_path / "digits.json")
    np.testing.assert_array_equal(
        saved.forest().data["block->pixel"], em.model_.forest().data["block->pixel"]
    )
    assert len(curve) == len(em.history_) == 3
    assert curve[0] > curve[1] > curve[2]


def test_samples_have_a_column_for_each_digit(tmp_path):
    stage = small_stage(tmp_path)
    rows = learned.drawn(stage)

    assert [row.shape for row in rows] == [(10, 64)] * learned.SAMPLE_ROWS
    assert 0 <= np.min(rows) <= np.max(rows) <= 16


def test_declaration_is_the_code_of_the_model():
    names = {
        "Model": Model,
        "SIDE": SIDE,
        "GREY_LEVELS": GREY_LEVELS,
        "morton_order": morton_order,
    }
    exec(learned.declaration(), names)

    assert repr(names["model"]) == repr(digits_model())
