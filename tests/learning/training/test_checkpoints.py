from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import ghmpp as gh
from ghmpp.errors import FormatError, LearningError, QueryError
from ghmpp.learning.training.checkpoints import NAME
from tests.learning.training.runs import Dropping, classifier, denoiser, equal, long_run, weights

START = {"steps": 2, "batch": 8, "validation": 0}
OPTIONS = {"steps": 12, "batch": 8, "every": 3, "validation": 16}


class Killed(Exception):
    """An interruption."""


def stop_at(step: int):
    def callback(row: dict[str, float]) -> None:
        if row["step"] == step:
            raise Killed

    return callback


@pytest.mark.parametrize(
    ("make", "step", "options"),
    [
        (denoiser, 0, {}),
        (denoiser, 9, {"ema": 0.9, "early_stopping": 9, "operator_norm_bound": 1.5}),
        (classifier, 3, {"optimizer": "sgd", "loss": "square"}),
        (Dropping, 3, {"schedule": "constant", "data": "denoiser"}),
    ],
)
def test_an_interrupted_run_ends_with_the_same_weights(make, options, step, tmp_path) -> None:
    options = OPTIONS | options
    data = gh.streams.of(denoiser(), n=50, seed=4) if options.pop("data", None) else None
    whole = gh.train(make(), data, **options)
    with pytest.raises(Killed):
        gh.train(make(), data, **options, checkpoint=tmp_path, callback=stop_at(step))
    seen: list[float] = []
    resumed = gh.train(
        make(),
        data,
        **options,
        checkpoint=tmp_path,
        callback=lambda row: seen.append(row["step"]),
    )

    assert equal(weights(whole), weights(resumed))
    assert seen == list(range(step + 3, 13, 3))
    columns = ["step", "rate", "loss", "validation", "bayes", "excess"]
    assert resumed.history[columns].equals(whole.history[columns])


def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    first = gh.train(denoiser(), **OPTIONS, checkpoint=tmp_path / "run")
    second = gh.train(
        denoiser(), **OPTIONS, checkpoint=tmp_path / "run", callback=stop_at(OPTIONS["steps"])
    )

    assert equal(weights(first), weights(second))


def test_more_steps_at_a_constant_rate_go_on(tmp_path: Path) -> None:
    options = OPTIONS | {"schedule": "constant", "warmup": 2}
    gh.train(denoiser(), **(options | {"steps": 6}), checkpoint=tmp_path)
    resumed = gh.train(denoiser(), **options, checkpoint=tmp_path)

    assert equal(weights(resumed), weights(gh.train(denoiser(), **options)))
    with pytest.raises(QueryError, match="has 12 steps, more than steps=6"):
        gh.train(denoiser(), **(options | {"steps": 6}), checkpoint=tmp_path)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"network": denoiser(width=9)}, r"network: collect\.x1\S* was \[2, 8, 4\].*\[2, 9, 4\]"),
        ({"network": denoiser(seed=1)}, "start: weights was"),
        ({"batch": 9}, "options: batch was 8, is 9"),
        ({"steps": 3}, "options: steps was 2, is 3"),
        ({"loss": "denoising"}, "loss: name was square, is denoising"),
        ({"data": gh.streams.of(denoiser(), n=20)}, "data: n was None, is 20"),
    ],
)
def test_checkpoints_of_other_runs_are_refused_with_what_differs(change, match, tmp_path) -> None:
    gh.train(denoiser(), **START, checkpoint=tmp_path)
    arguments = {"network": denoiser()} | START | change

    with pytest.raises(FormatError, match=f"is of another run: .*{match}.*resume=False"):
        gh.train(**arguments, checkpoint=tmp_path)


def test_a_run_can_be_begun_anew(tmp_path: Path) -> None:
    gh.train(denoiser(), **START, checkpoint=tmp_path)
    again = gh.train(denoiser(seed=1), **START, checkpoint=tmp_path, resume=False)

    assert equal(weights(again), weights(gh.train(denoiser(seed=1), **START)))


def test_other_arrays_are_other_data(tmp_path: Path) -> None:
    x, y = gh.streams.of(classifier()).batch(0, 20).inputs[0], torch.zeros(20).long()
    gh.train(classifier(), (x, y), steps=2, checkpoint=tmp_path)
    y[0] = 1

    with pytest.raises(FormatError, match="data: arrays was"):
        gh.train(classifier(), (x, y), steps=2, checkpoint=tmp_path)


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK\x03\x04 cut"])
def test_broken_checkpoints_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(content)

    with pytest.raises(FormatError, match=r"checkpoint\.pt: is no checkpoint .*remove it"):
        gh.train(denoiser(), **OPTIONS, checkpoint=tmp_path)


def test_checkpoints_of_other_versions_are_refused(tmp_path: Path) -> None:
    torch.save({"version": 99}, tmp_path / NAME)

    with pytest.raises(FormatError, match=r"version 99, this ghmpp reads 1"):
        gh.train(denoiser(), **OPTIONS, checkpoint=tmp_path)


class Planted:
    """What runs a command when it is unpickled without care."""

    def __reduce__(self):
        return os.mkdir, ("planted",)


def test_nothing_in_a_checkpoint_is_executed(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"version": 1, "step": Planted()}, tmp_path / NAME)

    with pytest.raises(FormatError, match="is no checkpoint"):
        gh.train(denoiser(), **OPTIONS, checkpoint=tmp_path)
    assert not (tmp_path / "planted").exists()


def test_the_last_good_checkpoint_outlives_divergence(tmp_path: Path) -> None:
    calls = [0]

    def bad_from_the_sixth_on(answer: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        calls[0] += 1
        return (answer - target).square() * (float("nan") if calls[0] > 5 else 1.0)

    loss = bad_from_the_sixth_on
    with pytest.raises(LearningError, match=f"weights of step 3 are kept in {tmp_path}"):
        gh.train(denoiser(), loss=loss, **(OPTIONS | {"validation": 0}), checkpoint=tmp_path)

    kept = torch.load(tmp_path / NAME, weights_only=True)
    assert kept["step"] == 3
    assert all(bool(x.isfinite().all()) for x in kept["module"].values())


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_ends_with_the_same_weights(tmp_path: Path) -> None:
    folder, result = tmp_path / "run", tmp_path / "weights.pt"
    command = [sys.executable, "-m", "tests.learning.training.runs", str(folder), str(result)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    moments = random.Random(3)
    kills = 0
    while not result.exists():
        process = subprocess.Popen(command, cwd=Path(__file__).parents[3], env=environment)
        before = (folder / NAME).stat().st_mtime_ns if (folder / NAME).exists() else 0
        while process.poll() is None and kills < 3:  # until it has come further
            time.sleep(0.01)
            if (folder / NAME).exists() and (folder / NAME).stat().st_mtime_ns > before:
                time.sleep(moments.uniform(0.0, 0.5))
                process.send_signal(signal.SIGKILL)
                break
        kills += process.wait() == -signal.SIGKILL

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    whole = long_run(None)
    torch.set_num_threads(threads)
    assert kills == 3
    assert equal(torch.load(result, weights_only=True), weights(whole))
