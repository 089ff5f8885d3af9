"""The correlation of tokens against exact pair probabilities of random rules."""

from __future__ import annotations

import numpy as np
import pytest

import ghmpp as gh
from ghmpp.errors import ModelError
from ghmpp.theory import token_correlation
from tests.tolerances import EXACT


def mean_square(v, m, s, L, models):
    """Mean squares of P(a, b) - P(a) P(b), by height of the common ancestor, over models."""
    squares = 0
    for seed in range(models):
        model = gh.zoo.random_hierarchy(v, m, s, L, seed=seed)
        pairs = gh.observables.pair_probabilities(model)
        squares = squares + gh.observables.token_correlations(pairs) ** 2 / models
    i = np.arange(s**L)
    together = [i[:, None] // s**h == i // s**h for h in range(L + 1)]
    return [squares[together[h] & ~together[h - 1]].mean() for h in range(1, L + 1)]


@pytest.mark.parametrize(
    ("v", "m", "s", "L", "models"), [(32, 8, 2, 2, 6), (64, 16, 2, 2, 4), (12, 12, 3, 2, 6)]
)
def test_random_rules_have_the_closed_form_to_leading_order(v, m, s, L, models):
    for height, found in enumerate(mean_square(v, m, s, L, models), start=1):
        ratio = np.sqrt(found) / token_correlation(v, m, s, height)
        # Each level takes away a share of about 1/v, since sums over a or b vanish.
        assert ratio == pytest.approx(1, abs=(height + 1) / v + 0.03)


def test_one_level_has_the_exact_mean_over_all_choices_of_rules():
    """Of 4 pairs of 2 symbols, 2 are drawn: all 6 choices, then the variance by hand."""
    v, m = 2, 1
    squares = []
    for first in range(4):
        for second in range(first):
            table = np.zeros(4)
            table[[first, second]] = 1 / 2
            joint = table.reshape(2, 2)
            squares.append((joint - np.outer(joint.sum(1), joint.sum(0))) ** 2)
    exact = np.sqrt(np.mean(squares))

    # Two of the six choices are diagonal, each entry then +-1/4; the others are independent.
    assert exact == pytest.approx(np.sqrt(2 / 6) / 4, rel=EXACT)
    assert token_correlation(v, m, 2, 1) == pytest.approx(1 / 4, rel=EXACT)


def test_each_level_up_divides_by_the_number_of_synonyms():
    ratios = [token_correlation(32, 8, 2, h) / token_correlation(32, 8, 2, h + 1) for h in (1, 2)]

    assert ratios == pytest.approx([8, 8], rel=EXACT)


def test_there_is_none_where_every_tuple_is_a_rule():
    assert token_correlation(4, 4, 2, 1) == 0


def test_heights_below_one_and_too_many_rules_are_refused():
    with pytest.raises(ModelError, match="height must be at least 1, got 0"):
        token_correlation(4, 2, 2, 0)
    with pytest.raises(ModelError, match=r"m \* v <= v\*\*s"):
        token_correlation(4, 5, 2, 1)
