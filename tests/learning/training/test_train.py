from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

import ghmpp as gh
from ghmpp.errors import EvidenceError, LearningError, MissingFolderError, QueryError, UsageError
from tests.learning.training.runs import Dropping, classifier, denoiser, equal, weights
from tests.tolerances import CONVOLUTIONS, EXACT, SINGLE

SHORT = {"steps": 3, "batch": 16, "validation": 32}


@pytest.mark.parametrize(("make", "steps"), [(denoiser, 20), (classifier, 40)])
def test_excess_risk_falls(make, steps: int) -> None:
    history = gh.train(make(), steps=steps, batch=64, validation=200, every=10).history

    start, end = history["excess"].iloc[0], history["excess"].iloc[-1]
    assert 0 < end < start / 2
    assert np.ptp(history["bayes"]) < EXACT
    # The difference of losses on the same data has noise that the excess has not.
    difference = history["validation"] - history["bayes"]
    assert (difference - history["excess"]).abs().max() < 0.1


def test_what_is_passed_stays_as_it_is() -> None:
    network = denoiser()
    trained = gh.train(network, **SHORT)

    assert equal(network.state_dict(), denoiser().state_dict())
    assert not equal(weights(trained), network.state_dict())
    assert not trained.network.training


def test_the_same_arguments_give_the_same_weights() -> None:
    with torch.random.fork_rng():
        first = gh.train(Dropping(), gh.streams.of(denoiser()), **SHORT)
        torch.manual_seed(7)
        before = torch.get_rng_state()
        second = gh.train(Dropping(), gh.streams.of(denoiser()), **SHORT)

        assert equal(weights(first), weights(second))
        assert torch.equal(before, torch.get_rng_state())


def test_a_step_of_sgd_is_a_step_along_the_gradient() -> None:
    network = denoiser()
    batch = gh.streams.of(network).batch(0, 16)
    loss = (network(*batch.inputs) - batch.target).square().mean()
    loss.backward()
    options = {"optimizer": "sgd", "rate": 0.1, "clip": None, "schedule": "constant"}
    trained = gh.train(denoiser(), steps=1, batch=16, warmup=0, validation=0, **options)

    for before, after in zip(network.parameters(), trained.network.parameters(), strict=True):
        moved = before if before.grad is None else before - 0.1 * before.grad
        torch.testing.assert_close(after.detach(), moved.detach(), rtol=0, atol=CONVOLUTIONS)


def test_chunks_give_the_same_gradient() -> None:
    whole, chunked = (gh.train(classifier(), **SHORT, chunk=chunk) for chunk in (None, 5))

    for first, second in zip(weights(whole).values(), weights(chunked).values(), strict=True):
        torch.testing.assert_close(first, second, rtol=0, atol=SINGLE)


def test_fine_tuning_starts_at_the_compiled_network_and_improves_on_it() -> None:
    coarse = denoiser(init="relu", width=4)
    program = gh.streams.program_of(coarse)
    compiled = gh.excess_risk(program.network("relu", width=4), program, 2000, seed=3)
    trained = gh.train(coarse, steps=40, batch=64, validation=1000, rate=2e-3)

    start, end = trained.history["excess"].iloc[0], trained.history["excess"].iloc[-1]
    assert abs(start - compiled.excess.value) < 5 * compiled.excess.error
    assert end < start


def test_weights_stay_within_the_bound_of_operator_norms() -> None:
    trained = gh.train(denoiser(), **SHORT, operator_norm_bound=1.2)

    norms = gh.operator_norms(trained.network).values()
    assert max(max(each) for each in norms) < 1.2 + SINGLE


def test_the_average_of_weights_is_returned() -> None:
    network, rows = denoiser(), []
    options = {"steps": 3, "batch": 16, "validation": 0, "every": 1}
    plain = [
        gh.train(network, **(options | {"steps": k, "schedule": "constant", "warmup": 0}))
        for k in (1, 2, 3)
    ]
    averaged = gh.train(network, **options, schedule="constant", warmup=0, ema=0.75)

    for name, found in weights(averaged).items():
        rows = [weights(each)[name] for each in plain]
        expected = 0.75 * (0.75 * rows[0] + 0.25 * rows[1]) + 0.25 * rows[2]
        torch.testing.assert_close(found, expected, rtol=0, atol=CONVOLUTIONS)


@pytest.mark.slow
def test_early_stopping_returns_the_best_weights_and_not_the_last() -> None:
    data = gh.streams.of(denoiser(), n=8)
    trained = gh.train(
        denoiser(), data, steps=200, batch=8, every=10, validation=200, early_stopping=3
    )

    losses = trained.history["validation"]
    best = int(losses.idxmin())
    assert trained.step == trained.history["step"][best] < trained.history["step"].iloc[-1] < 200
    assert len(losses) == best + 4
    held = gh.streams.of(denoiser()).held_out().batch(0, 200)
    with torch.no_grad():
        again = float((trained.network(*held.inputs) - held.target).square().mean())
    assert abs(again - losses[best]) < SINGLE


def test_noise_of_each_batch_is_told_to_the_network() -> None:
    told: list[float] = []

    class Listening(Dropping):
        def forward(self, z: torch.Tensor, sigma: float) -> torch.Tensor:
            told.append(sigma)
            return super().forward(z)

    model = gh.streams.program_of(denoiser()).model
    gh.train(Listening(), gh.streams.noisy(model, sigma=[0.5, 2.0]), steps=4, validation=0)
    trained = gh.train(denoiser(), gh.streams.noisy(model, sigma=[0.5, 2.0]), **SHORT)

    assert told == [0.5, 2.0, 0.5, 2.0]
    assert trained.history["excess"].iloc[0] > 0


@pytest.mark.slow
def test_masked_tokens_are_learned() -> None:
    model = gh.zoo.broadcast(depth=2, flip=0.1)
    network = gh.compile(model, gh.posterior("x2"), "x2").network("trainable", width=32)
    stream = gh.streams.masked(model, rate=0.5)
    history = gh.train(network, stream, steps=60, batch=64, validation=200, rate=0.01).history

    assert history["excess"].iloc[-1] < history["excess"].iloc[0] / 2


def test_arrays_are_trained_on_and_some_rows_are_held_out() -> None:
    network = classifier()
    batch = gh.streams.of(network).batch(0, 300)
    x, y = batch.inputs[0].numpy(), batch.target.tolist()
    trained = gh.train(network, (x, y), steps=30, batch=32, validation=100, bayes=True)

    assert list(trained.history.columns) == [
        *("step", "rate", "loss", "validation", "bayes", "excess", "seconds")
    ]
    difference = trained.history["validation"] - trained.history["bayes"]
    np.testing.assert_allclose(trained.history["excess"], difference, atol=EXACT)
    assert trained.history["validation"].iloc[-1] < trained.history["validation"].iloc[0]


def test_whole_numbers_are_values_where_means_are_asked_for() -> None:
    z, x = np.random.default_rng(0).normal(size=(9, 4)), np.zeros((9, 4), dtype=int)
    history = gh.train(denoiser(), (z, x), steps=2).history

    assert list(history.columns) == ["step", "rate", "loss", "seconds"]
    assert math.isnan(history["loss"].iloc[0])


def test_history_has_a_picture_with_the_bayes_risk() -> None:
    trained = gh.train(denoiser(), **SHORT)
    left, right = trained.picture().axes

    assert [text.get_text() for text in left.get_legend().get_texts()] == [
        *("training", "held out", "Bayes risk")
    ]
    assert right.get_yscale() == "log"
    assert repr(trained).startswith("Trained Network, square, step 3: loss ")
    with pytest.raises(UsageError, match=r"it is in \.network"):
        trained.model  # noqa: B018  # a property that refuses


def test_callback_is_told_of_every_evaluation() -> None:
    rows: list[dict[str, float]] = []
    trained = gh.train(denoiser(), **SHORT, every=2, callback=rows.append)

    assert [row["step"] for row in rows] == [0, 2, 3] == trained.history["step"].tolist()


def exploding(answer: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return (answer - target).square() + torch.where(target > 1, torch.nan, 0.0)


def test_divergence_stops_the_run_and_says_what_to_try() -> None:
    with pytest.raises(LearningError, match=r"loss is nan in step 0; .*lower rate than 0\.005"):
        gh.train(denoiser(), loss=exploding, validation=0)
    with pytest.raises(LearningError, match=r"in step \d+; .*longer warmup, clip=1\.0"):
        gh.train(denoiser(), optimizer="sgd", rate=1e30, clip=None, validation=0, warmup=0)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"loss": "hinge"}, QueryError, "unknown loss 'hinge'; known: 'square'"),
        ({"loss": "cross-entropy"}, QueryError, "needs states as targets"),
        ({"early_stopping": 2, "validation": 0}, QueryError, "needs held-out data"),
        ({"start": 1}, QueryError, "start= is for models"),
        ({"rate": 0.0}, QueryError, "rate must be"),
        ({"checkpoint": "/nowhere/at/all"}, MissingFolderError, "mkdir -p /nowhere/at"),
    ],
)
def test_wrong_options_are_refused(options, error, match) -> None:
    with pytest.raises(error, match=match):
        gh.train(denoiser(), **options)


def test_data_about_something_else_are_refused() -> None:
    model = gh.streams.program_of(denoiser()).model
    for stream in (
        gh.streams.labelled(model),
        gh.streams.noisy(model, sigma=2.0),
        gh.streams.noisy(model, time=[1.0, 2.0]),
    ):
        with pytest.raises(QueryError, match=r"mean\(x2\) given .*sigma=1\.0.* but the data are"):
            gh.train(denoiser(), stream)
    with pytest.raises(EvidenceError, match=r"stream.* or a pair"):
        gh.train(denoiser(), [1, 2, 3])
    with pytest.raises(EvidenceError, match=r"same number of rows.*got 3, 4 rows"):
        gh.train(denoiser(), (np.zeros((3, 4)), np.zeros((4, 4))))
    with pytest.raises(EvidenceError, match="must have shape"):
        gh.train(denoiser(), (np.zeros((3, 5)), np.zeros((3, 5))))
    with pytest.raises(EvidenceError, match=r"cannot be held out of 3"):
        gh.train(denoiser(), (np.zeros((3, 4)), np.zeros((3, 4))), validation=3)
    with pytest.raises(EvidenceError, match="state indices 0 to 2"):
        gh.train(classifier(), (np.full((3, 4), 3), np.zeros(3, dtype=int)))
    with pytest.raises(EvidenceError, match="for 2 states, but targets are from 0 to 2"):
        gh.train(classifier(), (np.zeros((3, 4), dtype=int), [0, 1, 2]))


def test_networks_without_free_weights_are_refused() -> None:
    exact = gh.streams.program_of(denoiser()).network()

    with pytest.raises(QueryError, match="no weights that may change"):
        gh.train(exact)
    with pytest.raises(QueryError, match="pass data, such as"):
        gh.train(nn.Linear(4, 4))
    with pytest.raises(QueryError, match="family 'trainable'"):
        gh.train(Dropping(), gh.streams.of(exact), operator_norm_bound=1.0)
