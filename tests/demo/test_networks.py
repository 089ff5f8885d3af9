"""The last step: the emitted network answers as the engine does, and its plan is written."""

from __future__ import annotations

import pytest

from ghmpp.compiler import compile
from ghmpp.demo.networks import SIGMA, against_inference, networks
from ghmpp.models.channels import noisy
from ghmpp.models.queries import mean
from tests.demo.stages import small_stage
from tests.tolerances import EXACT


def test_network_and_engine_answer_alike(tmp_path):
    stage = small_stage(tmp_path)
    denoiser = compile(stage.model, mean("pixel"), given=noisy("pixel", sigma=SIGMA))

    assert against_inference(denoiser, stage) < EXACT * 16


@pytest.mark.slow
def test_step_shows_and_writes_both_plans(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    section = networks(small_stage(tmp_path))
    printed, written = capsys.readouterr().out, (tmp_path / "network.txt").read_text()

    for text in (printed, written):
        assert "posterior of digit given pixel" in text
        assert "mean of pixel given pixel" in text
        assert "skip" in text
    assert "(collect)" in written
    assert [picture.file for picture in section.pictures] == ["1-convnet.png", "2-unet.png"]
