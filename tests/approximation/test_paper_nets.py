"""Lemmas 8 to 16 of the paper, repaired, one by one; and what they say as printed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ghmpp.approximation.kernels import table_kernel
from ghmpp.approximation.message import lemma_sizes, make_net, size_net
from ghmpp.approximation.paper_nets import LemmaSizes, UniformExpNet, UniformLogNet
from tests.approximation.networks import adversarial_logs
from tests.tolerances import EXACT

DELTAS = st.sampled_from([3.0, 1.0, 0.7, 0.3, 0.11, 0.02, 0.003])


def lemma_8(delta):
    """The net of Lemma 8, and its number of units M."""
    units = math.ceil(1 / delta) + 1
    return UniformExpNet(units - 1), units


def lemma_9(bound, delta):
    """The net of Lemma 9, and its number of units M."""
    units = math.ceil(2 * bound / delta) + 1
    return UniformLogNet(max(units - 2, 1), bound), units


def random_table(rng, bound, shape):
    """Entries in [1/K, K], both ends attained."""
    table = bound ** rng.uniform(-1, 1, shape)
    table.flat[:2] = 1 / bound, bound
    return table


def below_zero():
    """Points u <= 0, dense near 0 and far out."""
    return np.concatenate([-np.geomspace(1e-6, 800, 8_001), np.linspace(-9, 0, 8_001)])


def normalised(rng, states, batch=300):
    """Inputs of all sizes with largest entry 0."""
    return adversarial_logs(rng, batch, 1, states)[:, 0]


def message(table, h):
    return np.log(np.exp(h) @ table.T)


# Lemma 8


@given(delta=DELTAS)
def test_lemma_8_error_is_at_most_delta_and_has_one_sign(delta):
    net, _ = lemma_8(delta)
    above = net(below_zero()) - np.exp(below_zero())

    assert above.min() >= -1e-15
    assert above.max() <= net.error <= delta
    assert net(-math.inf) == pytest.approx(net.error, rel=EXACT)  # attained at the left


@given(delta=DELTAS)
def test_lemma_8_is_exact_at_zero_and_does_not_fall(delta):
    net, _ = lemma_8(delta)

    assert net(0.0) == 1
    assert np.diff(net(np.sort(below_zero()))).min() >= -1e-15


@given(delta=DELTAS)
def test_lemma_8_units_and_constants(delta):
    net, units = lemma_8(delta)
    made = net.units()

    assert len(made.weights) + 2 == max(units, 2)  # two for the constant e_1, here a bias
    assert made.weights.max(initial=0) <= 1
    np.testing.assert_allclose(made(below_zero()), net(below_zero()), rtol=1e-9, atol=1e-12)
    if units > 2:
        assert abs(made.knots).max(initial=0) <= math.log(units)


@pytest.mark.parametrize("delta", [0.1, 0.01, 0.001])
def test_lemma_8_beyond_the_flat_tail_is_far_better_than_delta(delta):
    net, _ = lemma_8(delta)
    u = np.linspace(net.knots[0], 0, 100_001)

    assert (net(u) - np.exp(u)).max() <= 0.087 * delta


def printed_lemma_8(delta, x):
    """Its formula with the differences of b as they are printed."""
    last = math.ceil(1 / delta)  # M - 1
    e = np.arange(1, last + 1) / last
    b = -np.log(e)
    slopes = np.diff(e) / np.diff(b)
    a = np.diff(slopes, prepend=0.0)
    units = np.maximum(x[:, None] + b[:-1], 0) @ a
    return units + np.maximum(-x + e[0], 0) - np.maximum(-x, 0)


@pytest.mark.parametrize(("delta", "error"), [(0.1, 1.8), (0.01, 1.98), (0.001, 1.998)])
def test_lemma_8_as_printed_has_the_wrong_sign(delta, error):
    x = -np.geomspace(1e-9, 40, 2_001)
    missed = abs(printed_lemma_8(delta, x) - np.exp(x)).max()

    assert missed == pytest.approx(error, abs=1e-3)


def test_lemma_8_bound_of_the_biases_fails_for_two_units():
    delta = 1.0
    _, units = lemma_8(delta)  # ReLU(-x + e_1) has the bias e_1 = 1

    assert units == 2
    assert math.log(units) < 1


# Lemma 9


@given(delta=DELTAS, bound=st.sampled_from([1.001, 1.5, 2.0, 9.0, 40.0, 300.0]))
def test_lemma_9_error_is_at_most_delta_and_has_one_sign(delta, bound):
    net, units = lemma_9(bound, delta)
    y = np.exp(np.linspace(-math.log(bound), math.log(bound), 20_001))
    below = np.log(y) - net(y)

    assert below.min() >= -1e-13
    assert below.max() <= net.error + 1e-13
    assert net.error <= delta
    assert len(net.units().weights) + 2 <= max(units, 3)


@pytest.mark.slow
@given(delta=DELTAS, bound=st.sampled_from([1.5, 9.0, 40.0]))
def test_lemma_9_constants(delta, bound):
    net, _ = lemma_9(bound, delta)
    made = net.units()
    y = np.exp(np.linspace(-math.log(bound), math.log(bound), 999))

    assert made.weights.max() <= 2 * bound
    assert made.knots.max() <= bound * (1 + EXACT)
    np.testing.assert_allclose(made(y), net(y), rtol=1e-9, atol=1e-9)


def test_lemma_9_needs_far_fewer_units_when_knots_are_uniform_in_value():
    bound, delta = 40.0, 0.1
    few = UniformLogNet(math.ceil(2 * math.log(bound) / delta), bound)

    assert few.error <= delta**2 / 8 * (1 + EXACT)
    assert few.segments + 2 < math.ceil(2 * bound / delta) / 10


def test_lemma_9_with_knots_uniform_in_x_misses_delta():
    bound, delta = 40.0, 0.1
    knots = np.linspace(1 / bound, bound, math.ceil(2 * bound / delta))
    y = np.exp(np.linspace(-math.log(bound), math.log(bound), 200_001))
    missed = abs(np.interp(y, knots, np.log(knots)) - np.log(y)).max()

    assert missed > 1.4 * delta


def test_lemma_9_has_no_interval_for_a_bound_below_one():
    bound = 0.5

    assert 1 / bound > bound


# Lemma 10


def indicator(x):
    def relu(v):
        return np.maximum(v, 0)

    return 2 * relu(x - 0.5) + 2 * relu(x + 0.5) - 4 * relu(x)


def test_lemma_10_is_an_indicator_at_the_integers():
    x = np.arange(-9, 10)

    np.testing.assert_array_equal(indicator(x), x == 0)


# Lemmas 11 and 13


@settings(max_examples=30)
@given(
    seed=st.integers(0, 999), delta=DELTAS, log_delta=DELTAS, bound=st.sampled_from([1.2, 3.0, 10])
)
def test_lemma_11_errors_of_exp_and_log_add_up(seed, delta, log_delta, bound):
    rng = np.random.default_rng(seed)
    states = int(rng.integers(2, 5))
    table = random_table(rng, bound, (states, states))
    exp, _ = lemma_8(delta)
    log, _ = lemma_9(states * bound, log_delta)
    h = normalised(rng, states)
    missed = abs(log(exp(h) @ table.T) - message(table, h)).max()

    assert missed <= log.error + states * bound**2 * exp.error + 1e-12
    assert missed <= log_delta + states * bound**2 * delta


@settings(max_examples=30)
@given(seed=st.integers(0, 999), delta=DELTAS, bound=st.sampled_from([1.2, 3.0, 10.0]))
def test_lemma_13_error_is_at_most_delta_with_its_numbers_of_units(seed, delta, bound):
    rng = np.random.default_rng(seed)
    states = int(rng.integers(2, 5))
    table = random_table(rng, bound, (states, states))
    log_units = math.ceil(2 * states * bound / delta) + 1
    exp_units = math.ceil(2 * states * bound**2 / delta) + 1
    exp = UniformExpNet(exp_units - 1)
    log = UniformLogNet(max(log_units - 2, 1), states * bound)
    h = normalised(rng, states)

    assert abs(log(exp(h) @ table.T) - message(table, h)).max() <= delta
    assert log.error <= delta / 2
    assert exp.growth(table_kernel(table).log_ratio) <= delta / 2


def test_lemma_13_takes_half_the_units_that_lemma_9_asks_for():
    states, bound, delta = 3, 10.0, 0.1
    _, units = lemma_9(states * bound, delta / 2)

    assert units - 1 == 2 * math.ceil(2 * states * bound / delta)


def test_lemma_13_bound_of_the_biases_needs_a_small_delta():
    states, bound, delta = 2, 1.2, 40.0
    units = math.ceil(2 * states * bound**2 / delta) + 1

    assert math.log(units) > math.log(4 * states * bound**2 / delta)


# Lemma 14


def two_layers(matrices, h):
    """``W1 ReLU(W2 ReLU(W3 [h; 1]))`` as the paper writes it."""
    first, second, third = matrices
    one = np.ones((len(h), 1))
    inner = np.maximum(np.concatenate([h, one], axis=1) @ third.T, 0)
    return np.maximum(inner @ second.T, 0) @ first.T


def printed_lemma_14(table, exp, log):
    """The matrices of its proof: all units face as printed, constants are pairs of units."""
    states, bound = len(table), log.bound
    made = exp.units()
    a = np.concatenate([made.weights, [1.0, -1.0]])
    w = np.concatenate([np.ones_like(made.weights), [-1.0, -1.0]])
    b = np.concatenate([-made.knots, [exp.values[0], 0.0]])
    third = np.zeros((states * len(a) + 1, states + 1))
    third[:-1] = np.concatenate(
        [np.kron(np.eye(states), w[:, None]), np.tile(b[:, None], (states, 1))], axis=1
    )
    third[-1, -1] = 1
    hat = np.zeros((states + 1, states * len(a) + 1))
    hat[:-1, :-1] = np.kron(np.eye(states), a)
    hat[-1, -1] = 1
    slopes = np.diff(log.values) / np.diff(log.knots)
    log_a = np.concatenate([np.diff(slopes, prepend=0.0), -math.log(bound) * np.array([1, -1])])
    log_b = np.concatenate([-log.knots[:-1], [1.0, 0.0]])
    tilde = np.concatenate(
        [
            np.kron(np.eye(states), np.ones((len(log_a), 1))),
            np.tile(log_b[:, None], (states, 1)),
        ],
        axis=1,
    )
    middle = np.eye(states + 1)
    middle[:-1, :-1] = table
    return np.kron(np.eye(states), log_a), tilde @ middle @ hat, third


@pytest.mark.parametrize(("states", "bound", "width"), [(2, 1.5, 90), (3, 2.0, 300)])
def test_lemma_14_is_the_same_function_in_our_layout(states, bound, width):
    rng = np.random.default_rng(states)
    table = random_table(rng, bound, (states, states))
    kernel = table_kernel(table)
    sizes = lemma_sizes(kernel, width)
    net = make_net(kernel, math.inf, size_net(kernel, math.inf, width, construction="paper"))
    matrices = printed_lemma_14(table, sizes.exp, sizes.log)
    h = normalised(rng, states)
    h = np.maximum(h, -1e3)

    np.testing.assert_allclose(two_layers(matrices, h), net(h), atol=1e-10)
    exp_units, log_units = sizes.exp.steps + 1, sizes.log.segments + 2
    assert matrices[0].shape == (states, states * log_units)
    assert matrices[1].shape == (states * log_units, states * exp_units + 1)
    assert matrices[2].shape == (states * exp_units + 1, states + 1)
    assert max(matrices[1].shape) <= width


def test_the_layout_of_the_paper_cancels_in_single_precision():
    states, bound, width = 3, 10.0, 3_000
    table = random_table(np.random.default_rng(0), bound, (states, states))
    kernel = table_kernel(table)
    sizes = lemma_sizes(kernel, width)
    net = make_net(kernel, math.inf, size_net(kernel, math.inf, width, construction="paper"))
    h = np.array([[0.0, -1e6, -1e7]])
    matrices = [each.astype(np.float32) for each in printed_lemma_14(table, sizes.exp, sizes.log)]
    printed = np.maximum(np.append(h, [[1]], axis=1).astype(np.float32) @ matrices[2].T, 0)
    printed = np.maximum(printed @ matrices[1].T, 0) @ matrices[0].T
    ours = net.dense(h, np.float32)

    assert np.ptp(printed - net(h)) > 20 * np.ptp(ours - net(h))
    assert np.ptp(ours - net(h)) < 1e-4


# Lemmas 12, 15 and 16


@given(seed=st.integers(0, 999), delta=DELTAS, bound=st.sampled_from([1.2, 3.0, 10.0]))
def test_lemmas_12_and_15_send_observed_states_with_error_delta(seed, delta, bound):
    rng = np.random.default_rng(seed)
    states = int(rng.integers(2, 5))
    table = random_table(rng, bound, (states, states))
    log = UniformLogNet(max(math.ceil(bound / delta) - 1, 1), bound)
    seen = indicator(np.arange(states)[:, None] - np.arange(states))
    sent = log(seen @ table.T)

    assert abs(sent - np.log(table.T)).max() <= delta


def printed_lemma_16(table, log):
    """First-layer matrix of a net that reads the observed state, 1 to S."""
    states = len(table)
    j = np.repeat(np.arange(1, states + 1), 3)
    biases = -(j + np.tile([0.5, -0.5, 0.0], states))
    return np.concatenate([np.stack([np.ones(3 * states), biases], axis=1), [[0.0, 1.0]]]), np.kron(
        np.eye(states), [2.0, 2.0, -4.0]
    )


@pytest.mark.parametrize(("states", "largest"), [(2, 2.5), (4, 4.5)])
def test_lemma_16_reads_one_number_and_its_biases_exceed_one(states, largest):
    table = random_table(np.random.default_rng(0), 3.0, (states, states))
    third, hat = printed_lemma_16(table, None)
    x = np.arange(1, states + 1)[:, None]
    units = np.maximum(np.append(x, np.ones_like(x), axis=1) @ third.T, 0)

    np.testing.assert_allclose(units[:, :-1] @ hat.T, np.eye(states), atol=EXACT)
    assert third.shape == (3 * states + 1, 2)
    assert abs(third).max() == largest


@pytest.mark.parametrize("width", [40, 400, 4_000])
def test_lemma_16_net_for_observed_states(width):
    rng = np.random.default_rng(width)
    kernel = table_kernel(random_table(rng, 3.0, (3, 4)))
    sized = size_net(kernel, math.inf, width, construction="paper", symbols=True)
    net = make_net(kernel, math.inf, sized)
    missed = np.log(kernel.weights.T) - net(np.arange(4))

    assert missed.min() >= -1e-13
    assert missed.max() <= sized.error <= 4 * 4**2 * 3.0**2 / width  # delta for this width
    np.testing.assert_allclose(net(4), np.log(kernel.sums), rtol=EXACT)  # missing
    np.testing.assert_allclose(net.dense(np.arange(5)), net(np.arange(5)), atol=1e-12)


# Nets in a layer of the theorems


@settings(max_examples=60)
@given(
    seed=st.integers(0, 999),
    receiving=st.integers(2, 5),
    sending=st.integers(2, 5),
    width=st.sampled_from([11, 12, 40, 500, 6_000]),
    bound=st.sampled_from([1.05, 2.0, 10.0]),
)
def test_nets_stay_within_their_error_and_the_paper_s(seed, receiving, sending, width, bound):
    rng = np.random.default_rng(seed)
    kernel = table_kernel(random_table(rng, bound, (receiving, sending)) * 7.0)
    sized = size_net(kernel, math.inf, width, construction="paper")
    net = make_net(kernel, math.inf, sized)
    h = normalised(rng, sending)
    missed = np.ptp(net(h) - kernel.send(h), axis=-1).max()
    states = max(receiving, sending)

    assert missed <= sized.error + 1e-12
    if width > 4 * states + 2:  # narrower layers are not what the theorems take
        assert sized.error <= 4 * states**2 * bound**2 / width
    np.testing.assert_allclose(np.diff(net.dense(h), axis=-1), np.diff(net(h), axis=-1), atol=1e-9)


@given(
    states=st.integers(2, 9),
    bound=st.floats(1, 100),
    needed=st.floats(1e-3, 1e7),
)
def test_units_of_both_layers_fit_into_the_width_of_the_theorems(states, bound, needed):
    # X of the theorems; both of their requirements
    width = max(4 * math.ceil(needed), states * (math.ceil(2 * needed / states) + 1) + 1)
    sizes = LemmaSizes(states, bound, width)
    delta = states**2 * bound**2 / needed

    assert states * (sizes.exp.steps + 1) + 1 <= width
    assert states * sizes.log.segments + 1 <= width
    assert sizes.exp.steps >= math.floor(2 * states * bound**2 / delta)
    fits = width // states - 2
    assert sizes.log.segments >= max(1, min(math.floor(2 * states * bound / delta) - 1, fits))


def test_narrow_layers_and_zeros_have_no_net():
    kernel = table_kernel(np.array([[3.0, 1.0], [1.0, 3.0]]))

    assert size_net(kernel, math.inf, 4, construction="paper") is None
    assert size_net(table_kernel(np.eye(2)), 3.0, 99, construction="paper") is None


def test_sizes_beyond_every_float_are_still_sizes():
    kernel = table_kernel(np.array([[3.0, 1.0], [1.0, 3.0]]))
    sized = size_net(kernel, math.inf, 10**400, construction="paper")

    assert sized.widths == (10**400, 10**400)
    assert sized.error < 1e-200
