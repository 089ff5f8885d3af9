"""Measures of samples, against closed forms and counting."""

from __future__ import annotations

import numpy as np
import pytest

import ghmpp as gh
from ghmpp.diffusion import (
    bits_per_token,
    copies,
    joint_probabilities,
    kl_divergence,
    pair_total_variation,
    quality,
    sampling_floor,
    site_total_variation,
    total_variation,
    validity,
)
from ghmpp.errors import ModelError, QueryError, ResourceError
from tests.diffusion.models import broadcast, extreme, sticky
from tests.tolerances import ENUMERATION, EXACT


def law_by_hand(model):
    """The law of four leaves of a tree (2, 2), by summing over its five nodes."""
    first, second = (model.forest().data[key] for key in model.forest().data if "->" in key)
    first, second = (np.broadcast_to(t, (2, 3, 3)) for t in (first, second))
    pair = np.einsum("sa,sb->sab", second[0], second[1])
    left, right = (np.einsum("rs,sab->rab", table, pair) for table in first)
    law = np.einsum("rab,rcd->abcd", left, right)
    return law.ravel() / law.sum()


@pytest.mark.parametrize("model", [extreme()], ids=["extreme"])
def test_joint_law_is_the_sum_over_hidden_states(model):
    np.testing.assert_allclose(joint_probabilities(model), law_by_hand(model), atol=ENUMERATION)


def test_total_variation_counts_configurations():
    # P(00) = P(11) = .41, P(01) = P(10) = .09.
    samples = [[0, 0], [0, 0], [0, 0], [1, 0]]
    model = gh.zoo.broadcast(1, 0.1)

    assert total_variation(samples, model) == pytest.approx(0.34 + 0.16)
    expected = 0.75 * np.log(0.75 / 0.41) + 0.25 * np.log(0.25 / 0.09)
    assert kl_divergence(samples, model) == pytest.approx(expected)
    np.testing.assert_allclose(site_total_variation(samples, model), [0.25, 0.5], atol=ENUMERATION)
    pairs = pair_total_variation(samples, model)
    np.testing.assert_allclose(pairs, [[0.25, 0.5], [0.5, 0.5]], atol=ENUMERATION)


def test_names_of_states_do_not_count_as_indices():
    model = gh.GHM((2, [5, 0]), (2,), [[[0.9, 0.1], [0.1, 0.9]]])

    assert total_variation([[0, 0], [1, 1]], model) == pytest.approx(0.18)
    bits = bits_per_token([[0, 0], [0, 1]], model)
    np.testing.assert_allclose(bits, -np.log2([0.41, 0.09]) / 2, rtol=ENUMERATION)


def test_exact_samples_have_the_floor_and_the_entropy():
    model, n = sticky(), 50_000
    samples = model.sample(n, 0)["x2"]
    law = joint_probabilities(model)

    assert total_variation(samples, model) == pytest.approx(sampling_floor(law, n), rel=0.3)
    assert kl_divergence(samples, model) == pytest.approx(80 / (2 * n), rel=0.5)
    bits = bits_per_token(samples, model)
    entropy = -(law * np.log2(law)).sum() / 4
    assert bits.mean() == pytest.approx(entropy, abs=5 * bits.std() / n**0.5)


def test_floor_is_what_exact_samples_have_on_average():
    law, n = np.array([0.5, 0.3, 0.2]), 400
    counts = np.random.default_rng(0).multinomial(n, law, size=4000)
    found = abs(counts / n - law).sum(1).mean() / 2

    assert sampling_floor(law, n) == pytest.approx(found, rel=0.03)


def test_impossible_samples_have_infinite_bits():
    model = gh.GHM((2, 2), (2,), [[[1, 0], [0, 1]]])

    assert bits_per_token([[0, 1]], model).tolist() == [np.inf]
    assert kl_divergence([[0, 1]], model) == np.inf
    found = quality([[0, 1], [1, 1]], model)
    assert (found.bits, found.bits_error) == (np.inf, np.inf)


def test_validity_of_rules_level_by_level():
    model = gh.grammar("S -> A B | B A; A -> a b; B -> c c")
    index = {name: k for k, name in enumerate(model.variables["x2"].states)}
    rows = [[index[s] for s in "abcc"], [index[s] for s in "abca"], [index[s] for s in "abab"]]

    assert validity(rows, model) == pytest.approx({"x0": 1 / 3, "x1": 5 / 6})
    with pytest.raises(ModelError):
        validity([[0, 0]], gh.zoo.broadcast(1, 0.1))


def test_copies_are_rows_of_the_training_set():
    training = np.array([[0, 1], [1, 1]], dtype=np.int8)

    assert copies([[0, 1], [1, 0], [1, 1], [1, 1]], training) == 0.75
    assert copies(np.empty((0, 2)), training) == 0.0


def test_quality_says_all_at_once():
    model = gh.zoo.random_hierarchy(v=3, m=2, s=2, L=2)
    samples = gh.diffuse(model, 2000, sampler="masked")
    found = quality(samples, model, training=samples.states[:100])

    assert found.n == 2000
    assert found.bits == pytest.approx(bits_per_token(samples, model).mean())
    assert found.joint == pytest.approx(total_variation(samples, model))
    assert found.site <= found.pair <= found.joint + EXACT
    assert set(found.valid.values()) == {1.0}
    assert 0 < found.copied <= 1
    said = repr(found)
    for word in ("2,000 samples", "bits per token", "of a pair", "of all; exact", "x1 1.0000"):
        assert word in said


def test_quality_of_large_models_leaves_the_joint_out():
    found = quality(gh.diffuse(broadcast(3), 100), broadcast(3), limit=10)

    assert (found.joint, found.floor, found.copied, found.valid) == (None, None, None, {})
    assert "copied" not in repr(found)


@pytest.mark.parametrize(
    ("samples", "says"),
    [
        ([[0, 1, 1]], r"shape \(n, 4\), n at least 1; got \(1, 3\)"),
        (np.empty((0, 4)), "n at least 1"),
        ([[0, 0, 0, 3]], r"state indices 0..2, got 0..3"),
        ([[-1, 0, 0, 0]], "got -1..0"),
    ],
)
def test_what_are_no_samples_is_refused(samples, says):
    with pytest.raises(QueryError, match=says):
        total_variation(samples, sticky())


def test_laws_that_are_too_large_are_refused():
    with pytest.raises(ResourceError, match="81 configurations, the limit is 80; use site_total"):
        joint_probabilities(sticky(), limit=80)
