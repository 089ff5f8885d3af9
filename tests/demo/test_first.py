"""The first step: which image is shown, and that pgmpy is really asked."""

from __future__ import annotations

import numpy as np
import pytest

from ghmpp.demo.comparison import without_right_half
from ghmpp.demo.first import against_pgmpy, half_of_a_digit, most_ambiguous
from ghmpp.errors import VerificationError
from ghmpp.examples import digits, digits_split
from ghmpp.inference.queries import Inference
from tests.demo.stages import small_stage
from tests.tolerances import PGMPY


def test_most_ambiguous_is_recognised_and_has_the_closest_second_guess():
    posteriors = np.array([[0.9, 0.1, 0.0], [0.6, 0.4, 0.0], [0.5, 0.5, 0.0], [0.4, 0.3, 0.3]])

    assert most_ambiguous(posteriors, truth=np.array([0, 0, 2, 0])) == 1


@pytest.mark.slow
def test_pgmpy_agrees_and_a_wrong_model_does_not():
    model, seen = digits(), without_right_half(digits_split().test[:1])
    beliefs = Inference(model).posteriors({"pixel": seen})
    tables = model.forest().data["digit->quadrant"]
    wrong = model.with_tables({"digit->quadrant": tables[::-1]})

    assert against_pgmpy(model, seen, beliefs)[0] < PGMPY
    assert against_pgmpy(wrong, seen, beliefs)[0] > 1e-3


def test_step_refuses_a_disagreement(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr("ghmpp.demo.first.against_pgmpy", lambda *_: (1e-3, 0.1))

    with pytest.raises(VerificationError, match="from pgmpy"):
        half_of_a_digit(small_stage(tmp_path))
