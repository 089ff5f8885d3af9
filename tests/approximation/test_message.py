"""One message: constants of its potential, and the error of its net."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghmpp.approximation.kernels import gather_kernel, segment_kernel, table_kernel
from ghmpp.approximation.message import make_net, size_net
from tests.approximation.networks import adversarial_logs
from tests.tolerances import EXACT

SEEDS = st.integers(0, 9_999)


def random_table(rng, receiving, sending, zeros=False):
    table = np.exp(rng.choice([0.3, 2.0, 5.0]) * rng.normal(size=(receiving, sending)))
    if zeros:
        table = np.where(rng.random(table.shape) < 0.4, 0, table)
        table[np.arange(receiving), rng.integers(sending, size=receiving)] = 1
    return table


def span(v):
    return v.max(axis=-1) - v.min(axis=-1)


def inputs(rng, states, reach):
    return adversarial_logs(rng, 400, 1, states, span=reach)[:, 0]


@given(seed=SEEDS, receiving=st.integers(2, 5), sending=st.integers(2, 5))
def test_exact_messages_contract_spans_and_stay_within_the_columns(seed, receiving, sending):
    rng = np.random.default_rng(seed)
    kernel = table_kernel(random_table(rng, receiving, sending))
    a, b = inputs(rng, sending, math.inf), inputs(rng, sending, math.inf)
    moved = span(kernel.send(a) - kernel.send(b))

    assert (moved <= kernel.contraction * span(a - b) + 1e-9).all()
    assert span(kernel.send(a)).max() <= kernel.sent_span(math.inf) + 1e-9


@given(seed=SEEDS, zeros=st.booleans(), reach=st.floats(0.1, 20))
def test_span_of_a_message_follows_from_the_reach_of_its_input(seed, zeros, reach):
    rng = np.random.default_rng(seed)
    kernel = table_kernel(random_table(rng, 4, 3, zeros))

    assert span(kernel.send(inputs(rng, 3, reach))).max() <= kernel.sent_span(reach) + 1e-9


def test_largest_contraction_is_attained():
    kernel = table_kernel(np.array([[3.0, 1.0], [1.0, 3.0]]))
    small = np.array([[0.0, 1e-4], [0.0, -1e-4]])

    moved = span(kernel.send(small[:1]) - kernel.send(small[1:]))[0]
    assert kernel.contraction == pytest.approx(0.5, rel=EXACT)
    assert moved == pytest.approx(0.5 * 2e-4, rel=1e-6)


@given(seed=SEEDS, states=st.integers(2, 6), others=st.integers(2, 6))
def test_index_maps_send_what_their_tables_send(seed, states, others):
    rng = np.random.default_rng(seed)
    index = rng.integers(others, size=states)
    index[: min(states, others)] = np.arange(others)[:states]
    table = (np.arange(others)[:, None] == index).astype(float)
    h = rng.normal(size=(5, max(states, others)))

    copied = gather_kernel(index, others).send(h[:, :others])
    np.testing.assert_array_equal(copied, h[:, index])
    if len(set(index)) == others:
        summed = segment_kernel(index, others).send(h[:, :states])
        np.testing.assert_allclose(
            summed, table_kernel(table).send(h[:, :states]), rtol=EXACT, atol=EXACT
        )


def test_permutation_is_exact():
    assert segment_kernel(np.array([2, 0, 1]), 3).gather
    np.testing.assert_array_equal(
        segment_kernel(np.array([2, 0, 1]), 3).send(np.array([10.0, 20.0, 30.0])), [20, 30, 10]
    )


@given(
    seed=SEEDS,
    shape=st.tuples(st.integers(2, 5), st.integers(2, 5)),
    zeros=st.booleans(),
    reach=st.sampled_from([0.2, 3.0, 12.0, math.inf]),
    width=st.sampled_from([6, 13, 40, 150]),
)
def test_error_of_a_net_is_within_its_bound(seed, shape, zeros, reach, width):
    zeros = zeros and math.isfinite(reach)
    rng = np.random.default_rng(seed)
    kernel = table_kernel(random_table(rng, *shape, zeros))
    sized = size_net(kernel, reach, width)
    net, h = make_net(kernel, reach, sized), inputs(rng, shape[1], reach)

    measured = span(net(h) - kernel.send(h)).max()
    assert measured <= sized.error + 1e-11
    assert max(sized.widths) <= width
    np.testing.assert_allclose(
        span(net.dense(h) - kernel.send(h)), span(net(h) - kernel.send(h)), atol=1e-8
    )


@pytest.mark.parametrize("reach", [4.0, math.inf])
@pytest.mark.parametrize("entry", [1.5, 10.0])
def test_bound_is_within_a_small_factor_of_what_is_reached(entry, reach):
    rng = np.random.default_rng(1)
    kernel = table_kernel(entry ** rng.choice([-1.0, 1.0], size=(3, 3)))
    sized = size_net(kernel, reach, 40)
    net = make_net(kernel, reach, sized)
    axis = np.append(-np.geomspace(1e-3, min(reach, 15), 160), 0)
    h = np.stack(np.meshgrid(axis, axis, [0.0]), axis=-1).reshape(-1, 3)
    h = np.concatenate([np.roll(h, k, axis=1) for k in range(3)])

    assert span(net(h) - kernel.send(h)).max() >= sized.error / 4


@given(seed=SEEDS, states=st.integers(2, 4), width=st.sampled_from([10, 60, 300]))
def test_single_precision_is_within_its_bound(seed, states, width):
    rng = np.random.default_rng(seed)
    kernel = table_kernel(random_table(rng, states, states))
    sized = size_net(kernel, math.inf, width, roundoff=2.0**-24)
    h = inputs(rng, states, math.inf).astype(np.float32)

    net = make_net(kernel, math.inf, sized)
    found = net.dense(h, np.float32).astype(float)
    measured = span(found - kernel.send(h.astype(float))).max()
    assert measured <= sized.error + sized.floating


def test_error_falls_with_the_square_of_the_width():
    kernel = table_kernel(np.array([[9.0, 1.0, 2.0], [1.0, 5.0, 1.0], [3.0, 1.0, 1.0]]))
    errors = [size_net(kernel, math.inf, width).error for width in (100, 200, 400, 800)]

    for narrow, wide in pairwise(errors):
        assert wide == pytest.approx(narrow / 4, rel=0.1)


def test_log_odds_are_narrower_for_two_states():
    kernel = table_kernel(np.array([[3.0, 1.0], [1.0, 4.0]]))
    one, two = (size_net(kernel, math.inf, 41, two_state=two) for two in (True, False))

    assert (one.kind, two.kind) == ("log-odds", "exp-log")
    assert one.error < two.error / 2.5


def test_too_narrow_for_any_net_is_none():
    assert size_net(table_kernel(np.eye(4) + 1), math.inf, 4) is None
    assert size_net(table_kernel(np.eye(4) + 1), math.inf, 5) is not None


@pytest.mark.parametrize("table", [[[1.0, 2.0], [3.0, 6.0]], [[2.0, 5.0]], [[2.0], [5.0]]])
def test_tables_of_rank_one_send_constants(table):
    assert table_kernel(np.array(table)).constant
