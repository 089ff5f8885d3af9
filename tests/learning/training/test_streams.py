from __future__ import annotations

import numpy as np
import pytest
import torch

import ghmpp as gh
from ghmpp import streams
from ghmpp.errors import EvidenceError, ModelError, QueryError, ResourceError
from ghmpp.learning.training import stream as stream_module
from ghmpp.learning.training.batches import Batch, Order
from ghmpp.models.channels import LogLikelihood
from ghmpp.verification.enumeration import enumeration
from tests.tolerances import SIGMAS

VALUES = np.array([-1.0, 0.5, 2.0])


def small(seed: int = 0) -> gh.Model:
    """Two levels, three states, unnormalised tables."""
    return gh.zoo.random_ghm([2, 3, VALUES.tolist()], (2, 2), bound=4, seed=seed)


def same(first: Batch, second: Batch) -> bool:
    """Whether two batches are equal bit for bit."""
    pairs = [*zip(first.inputs, second.inputs, strict=True), (first.target, second.target)]
    return first.channel == second.channel and all(torch.equal(x, y) for x, y in pairs)


def every_stream(**options: object) -> list[streams.Stream]:
    model = small()
    return [
        streams.labelled(model, n=options.get("n"), seed=options.get("seed", 0)),
        streams.noisy(model, sigma=0.5, **options),
        streams.noisy(model, time=streams.Between(0.1, 3.0), **options),
        streams.masked(model, rate=(0.2, 0.8), **options),
        streams.next_token(model, **options),
    ]


@pytest.mark.parametrize("n", [None, 10])
def test_any_batch_is_the_same_whenever_it_is_asked_for(n: int | None) -> None:
    for first, second in zip(every_stream(n=n), every_stream(n=n), strict=True):
        in_order = [first.batch(step, 4) for step in range(6)]

        assert all(same(second.batch(step, 4), in_order[step]) for step in (5, 0, 3))
        assert not same(in_order[0], in_order[1])


def test_other_seeds_and_held_out_data_are_others() -> None:
    for first, second in zip(every_stream(seed=0), every_stream(seed=1), strict=True):
        assert not same(first.batch(0, 20), second.batch(0, 20))
        assert not same(first.batch(0, 20), first.held_out().batch(0, 20))


def test_labelled_pairs_have_the_joint_law() -> None:
    model = small(3)
    batch = streams.labelled(model).batch(0, 20_000)
    truth = enumeration(model.forest()).posteriors["x0"][0, 0]
    given = enumeration(model.forest(), {"x2": hard(batch.inputs[0][:1])})
    alike = (batch.inputs[0] == batch.inputs[0][:1]).all(1)

    shares = np.bincount(batch.target.numpy(), minlength=2) / 20_000
    error = np.sqrt(truth * (1 - truth) / 20_000)
    assert (np.abs(shares - truth) < SIGMAS * error).all()
    posterior = given.posteriors["x0"][0, 0]
    found = np.bincount(batch.target[alike].numpy(), minlength=2) / int(alike.sum())
    error = np.sqrt(posterior * (1 - posterior) / int(alike.sum()))
    assert (np.abs(found - posterior) < SIGMAS * error).all()


def hard(states: torch.Tensor) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(np.eye(3)[states.numpy()])


def test_noise_has_its_size_and_targets_are_state_values() -> None:
    gaussian = streams.noisy(small(), sigma=0.5).batch(0, 10_000)
    localized = streams.noisy(small(), time=4.0).batch(0, 10_000)
    noise = (gaussian.inputs[0] - gaussian.target).flatten() / 0.5
    other = (localized.inputs[0] - 4.0 * localized.target).flatten() / 2.0

    assert set(gaussian.target.unique().tolist()) == set(VALUES.tolist())
    for each in (noise, other):
        assert abs(float(each.mean())) < SIGMAS / len(each) ** 0.5
        assert abs(float(each.square().mean()) - 1) < SIGMAS * (2 / len(each)) ** 0.5


def test_levels_go_in_turn_or_are_drawn_between_bounds() -> None:
    turn = streams.noisy(small(), sigma=[0.5, 1.0])
    drawn = streams.noisy(small(), time=streams.Between(0.1, 10.0))
    levels = [drawn.batch(step, 1).channel["time"] for step in range(200)]

    assert [turn.batch(k, 1).channel for k in range(3)] == [
        {"sigma": 0.5},
        {"sigma": 1.0},
        {"sigma": 0.5},
    ]
    assert 0.1 <= min(levels) < 0.2
    assert 5 < max(levels) <= 10.0
    assert abs(np.mean(np.log(levels))) < SIGMAS * np.log(100) / 12**0.5 / 200**0.5


def test_hidden_tokens_are_missing_and_asked_for() -> None:
    stream = streams.masked(small(), rate=0.3)
    batch = stream.batch(0, 5000)
    hidden = batch.inputs[0] == -1

    assert torch.equal(hidden, batch.asked)
    assert torch.equal(batch.inputs[0][~hidden], batch.target[~hidden])
    assert bool(hidden.any(1).all())
    # One of four is hidden for sure, the others with probability 0.3.
    expected = (1 + 3 * 0.3) / 4
    assert abs(float(hidden.double().mean()) - expected) < SIGMAS * 0.5 / 20_000**0.5


def test_next_token_hides_all_from_one_position_on() -> None:
    batch = streams.next_token(small()).batch(0, 2000)
    position = batch.asked.int().argmax(1)
    seen = torch.arange(4) < position[:, None]

    assert bool((batch.asked.sum(1) == 1).all())
    assert torch.equal(batch.inputs[0] == -1, ~seen)
    assert torch.equal(batch.inputs[0][seen], batch.target[seen])
    assert (position.bincount() > 400).all()


def test_a_fixed_data_set_is_gone_through_again_and_again() -> None:
    stream = streams.noisy(small(), sigma=1.0, n=10)
    first = torch.cat([stream.batch(step, 5).inputs[0] for step in (0, 1)])
    second = torch.cat([stream.batch(step, 5).inputs[0] for step in (2, 3)])

    assert sorted(first.tolist()) == sorted(second.tolist())
    assert not torch.equal(first, second)
    assert len(stream.batch(0, 64)) == 10


def test_redrawn_noise_is_new_and_states_are_not() -> None:
    stream = streams.noisy(small(), sigma=1.0, n=6, redraw=True)
    first, second = stream.batch(0, 6), stream.batch(1, 6)

    assert sorted(first.target.tolist()) == sorted(second.target.tolist())
    assert not set(first.inputs[0].flatten().tolist()) & set(second.inputs[0].flatten().tolist())


def test_smaller_data_sets_are_the_beginnings_of_larger_ones() -> None:
    few, many = (streams.labelled(small(), n=n)._kept for n in (5000, 9000))

    np.testing.assert_array_equal(few.states["x2"], many.states["x2"][:5000])


def test_data_that_do_not_fit_into_memory_are_refused() -> None:
    stream = streams.labelled(small(), n=10**15)

    with pytest.raises(ResourceError, match=r"1,000,000,000,000,000 samples need .*leave out n"):
        stream.batch(0, 4)


def test_only_the_asked_batch_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    original = stream_module.draw
    stream = streams.labelled(small())
    monkeypatch.setattr(
        stream_module, "draw", lambda *args: drawn.append(args[2]) or original(*args)
    )
    stream.batch(1000, 16)

    assert drawn == [16]


def test_several_classes_of_leaves_are_several_inputs() -> None:
    model = gh.zoo.joint_ghm(3, flip=0.2, image=(2, 2), text=(3,))
    batch = streams.labelled(model).batch(0, 5)

    assert [tuple(x.shape) for x in batch.inputs] == [(5, 4), (5, 3)]
    assert batch.target.shape == (5,)


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda m: streams.noisy(m), QueryError, "either sigma= .* or time="),
        (lambda m: streams.noisy(m, sigma=1.0, time=1.0), QueryError, "either sigma="),
        (lambda m: streams.noisy(m, sigma=-1.0), EvidenceError, "sigma must be finite and > 0"),
        (lambda m: streams.noisy(m, time=[1.0, -2.0]), EvidenceError, "time must be >= 0"),
        (lambda m: streams.noisy(m, sigma=[]), QueryError, "empty sequence"),
        (lambda m: streams.noisy(m, "x1", sigma=1.0), QueryError, "no numeric values"),
        (lambda m: streams.masked(m, rate=0.0), QueryError, "probability > 0"),
        (lambda m: streams.labelled(m, n=0), QueryError, "whole number >= 1, got 0"),
        (lambda m: streams.labelled(m, "x9"), QueryError, "unknown class 'x9'"),
        (lambda m: streams.Between(2.0, 1.0), QueryError, "0 < low <= high"),
        (
            lambda m: streams.of(gh.compile(m, gh.log_evidence(), "x2")),
            QueryError,
            "one query, a posterior or a mean",
        ),
        (
            lambda m: streams.of(
                gh.compile(m, gh.mean("x2"), stream_module.Given("x2", LogLikelihood(min)))
            ),
            QueryError,
            "not as states or through a function",
        ),
        (
            lambda m: streams.labelled(gh.GHM(2, (2,))),
            ModelError,
            "x0->x1",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused(make, error, match) -> None:
    with pytest.raises(error, match=match):
        make(small())


def test_order_uses_each_row_once_per_epoch_whatever_the_batch() -> None:
    order = Order(7, seed=3)
    rows = np.concatenate([order.rows(step, 3) for step in range(14)])

    for epoch in rows[:42].reshape(6, 7):
        assert sorted(epoch) == list(range(7))
