"""Substitution processes against the closed forms of their transition probabilities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghmpp.errors import ModelError
from ghmpp.models.zoo.substitution import BASES, f81, gamma_rates, hky85, jc69, k80, substitution
from tests.tolerances import ENUMERATION, EXACT

LENGTHS = st.floats(0, 20)
KAPPAS = st.floats(0.1, 20)
FREQUENCIES = st.lists(st.floats(0.05, 1), min_size=4, max_size=4)
PURINES = np.array([base in "AG" for base in BASES])
ALIKE = PURINES[:, None] == PURINES


def processes():
    return [
        jc69(),
        k80(3.0),
        f81([0.1, 0.2, 0.3, 0.4]),
        hky85(2.5, [0.1, 0.2, 0.3, 0.4]),
        substitution(np.random.default_rng(0).uniform(0, 1, (5, 5)), states="abcde"),
    ]


@given(LENGTHS)
def test_jukes_cantor(t):
    expected = np.full((4, 4), 0.25 - 0.25 * np.exp(-4 * t / 3))
    np.fill_diagonal(expected, 0.25 + 0.75 * np.exp(-4 * t / 3))

    np.testing.assert_allclose(jc69().transition(t), expected, atol=ENUMERATION)


@given(LENGTHS, KAPPAS)
def test_kimura(t, kappa):
    slow, fast = np.exp(-4 * t / (kappa + 2)), np.exp(-2 * t * (kappa + 1) / (kappa + 2))
    expected = np.where(ALIKE, 0.25 + 0.25 * slow - 0.5 * fast, 0.25 - 0.25 * slow)
    np.fill_diagonal(expected, 0.25 + 0.25 * slow + 0.5 * fast)

    np.testing.assert_allclose(k80(kappa).transition(t), expected, atol=ENUMERATION)


@given(LENGTHS, FREQUENCIES)
def test_felsenstein(t, frequencies):
    pi = np.array(frequencies) / sum(frequencies)
    kept = np.exp(-t / (1 - (pi**2).sum()))

    expected = kept * np.eye(4) + (1 - kept) * pi
    np.testing.assert_allclose(f81(frequencies).transition(t), expected, atol=ENUMERATION)


@given(LENGTHS, KAPPAS, FREQUENCIES)
def test_hasegawa_kishino_yano(t, kappa, frequencies):
    pi = np.array(frequencies) / sum(frequencies)
    group = np.where(PURINES, pi[PURINES].sum(), pi[~PURINES].sum())
    unlike = 2 * pi[PURINES].sum() * pi[~PURINES].sum()
    rate = 1 / (unlike + 2 * kappa * (pi[0] * pi[2] + pi[1] * pi[3]))
    slow = np.exp(-rate * t)
    fast = np.exp(-rate * t * (1 + group * (kappa - 1)))
    within = pi + pi * (1 / group - 1) * slow + (np.eye(4) - pi / group) * fast
    expected = np.where(ALIKE, within, pi * (1 - slow))

    found = hky85(kappa, frequencies).transition(t)
    np.testing.assert_allclose(found, expected, atol=ENUMERATION)


@pytest.mark.parametrize("process", processes(), ids=lambda process: process.name)
def test_one_substitution_is_expected_in_a_unit_of_length(process):
    step, stationary = 1e-6, process.frequencies
    changed = 1 - stationary @ np.diag(process.transition(step))

    assert changed / step == pytest.approx(1, rel=1e-5)
    np.testing.assert_allclose(stationary @ process.rates, 0, atol=EXACT)
    assert stationary.sum() == pytest.approx(1, rel=EXACT)


@pytest.mark.parametrize("process", processes(), ids=lambda process: process.name)
def test_branches_in_a_row_are_one_branch(process):
    parts = process.transition(0.3) @ process.transition(0.25, rate=2.0)

    np.testing.assert_allclose(process.transition(0.8), parts, atol=ENUMERATION)
    np.testing.assert_allclose(process.transition(0.0), np.eye(len(parts)), atol=EXACT)
    long = np.broadcast_to(process.frequencies, parts.shape)
    np.testing.assert_allclose(process.transition(1e3), long, atol=ENUMERATION)


def test_processes_know_whether_they_are_reversible():
    assert all(process.reversible for process in processes()[:4])
    assert not substitution([[0, 1, 0], [0, 0, 1], [1, 0, 0]], states="abc").reversible


@given(
    shape=st.floats(0.1, 50),
    categories=st.integers(1, 8),
)
def test_gamma_rates_increase_and_have_mean_one(shape, categories):
    rates = gamma_rates(shape, categories)

    assert rates.shape == (categories,)
    assert (np.diff(rates) > 0).all()
    assert rates.mean() == pytest.approx(1, rel=ENUMERATION)


def test_gamma_rates_have_the_published_values():
    published = [0.0334, 0.2519, 0.8203, 2.8944]  # Yang (1994), table 2: shape 1/2

    np.testing.assert_allclose(gamma_rates(0.5, 4), published, atol=6e-5)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: k80(0), "kappa must be finite and positive, got 0"),
        (lambda: hky85(np.inf, [1, 1, 1, 1]), "kappa must be finite"),
        (lambda: f81([1, 1, 1]), "four positive numbers"),
        (lambda: f81([1, 1, 0, 1]), "four positive numbers"),
        (lambda: jc69().transition(-0.1), "must be finite and >= 0, got length=-0.1"),
        (lambda: jc69().transition(1, rate=np.nan), "rate=nan"),
        (lambda: substitution([[0, 1], [1, 0]]), r"must have shape \(4, 4\)"),
        (lambda: substitution([[0, -1], [1, 0]], states="ab"), "must be finite and >= 0"),
        (lambda: substitution([[0, 1], [0, 0]], states="ab"), "never be reached"),
        (lambda: gamma_rates(0, 4), "positive shape and categories >= 1"),
        (lambda: gamma_rates(1, 0), "positive shape and categories >= 1"),
    ],
)
def test_bad_numbers_are_refused(make, words):
    with pytest.raises(ModelError, match=words):
        make()
