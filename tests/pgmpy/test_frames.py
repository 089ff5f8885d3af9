"""Predictions and samples as data frames."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chisquare

from ghmpp.errors import ImpossibleEvidenceError, QueryError, UnknownStateError, UsageError
from ghmpp.pgmpy import VariableElimination, predict, predict_probability, simulate
from ghmpp.pgmpy import rows as row_parts
from tests.pgmpy.networks import example, random_network, ring, state_names, truth
from tests.tolerances import ENUMERATION, PGMPY

ODD_NAMES = ["a b", 7, ("x", 1), "é", "b->c"]


@pytest.fixture(scope="module")
def network():
    return random_network(50)


@pytest.fixture(scope="module")
def rows(network):
    """Twenty complete rows, drawn by enumeration."""
    names = list(network.nodes)
    table = truth(network, names)
    drawn = np.random.default_rng(0).choice(table.size, 20, p=table.ravel())
    columns = np.unravel_index(drawn, table.shape)
    return pd.DataFrame(
        {n: [f"s{k}" for k in column] for n, column in zip(names, columns, strict=True)},
        index=[f"row {k}" for k in range(20)],
    )


def with_gaps(rows, share=0.4):
    """The rows with scattered missing entries, none in the first column."""
    mask = np.random.default_rng(1).random(rows.shape) < share
    mask[:, 0] = False
    return rows.mask(mask)


def seen_in(row):
    return {name: state for name, state in row.items() if not pd.isna(state)}


def test_probabilities_of_missing_columns_agree_with_pgmpy(network, rows):
    data = rows.drop(columns=["c", "f"])
    found = predict_probability(network, data, show_progress=False)
    expected = network.predict_probability(data)

    assert list(found.index) == list(rows.index)
    assert set(found.columns) == set(expected.columns)
    np.testing.assert_allclose(found, expected[found.columns], atol=PGMPY)


def test_probabilities_of_scattered_gaps_agree_with_enumeration(network, rows):
    data = with_gaps(rows)
    found = predict_probability(network, data, show_progress=False)

    assert not [name for name in found.columns if name.startswith("a_")]
    for label, row in data.iterrows():
        for name in data.columns[1:]:
            expected = truth(network, [name], seen_in(row))
            columns = [f"{name}_{state}" for state in state_names(network, name)]
            np.testing.assert_allclose(
                found.loc[label, columns].to_numpy(float),
                expected / expected.sum(),
                atol=ENUMERATION,
            )


def test_rows_run_in_parts(network, rows, monkeypatch):
    data = with_gaps(rows)
    whole = predict_probability(network, data, show_progress=False)
    monkeypatch.setattr(row_parts, "ROWS", 7)
    parts = predict_probability(network, data, show_progress=False)

    pd.testing.assert_frame_equal(whole, parts)


def test_predictions_are_the_best_joint_completion(network, rows):
    data = with_gaps(rows).drop(columns=["e"])
    found = predict(network, data, show_progress=False)

    assert list(found.columns) == [*data.columns, "e"]
    for label, row in data.iterrows():
        seen = seen_in(row)
        open_ones = [name for name in found.columns if name not in seen]
        table = truth(network, open_ones, seen)
        guess = tuple(int(found.loc[label, name][1:]) for name in open_ones)
        assert found.loc[label, list(seen)].to_dict() == seen
        assert table[guess] == pytest.approx(table.max())


def test_predictions_agree_with_pgmpy(network, rows):
    data = rows.drop(columns=["b", "g"])
    found = predict(network, data, show_progress=False)
    expected = network.predict(data, n_jobs=1).loc[data.index]

    pd.testing.assert_frame_equal(
        found.astype(object), expected[found.columns].astype(object), check_dtype=False
    )


def test_stochastic_predictions_follow_the_posterior(network):
    data = pd.DataFrame({"a": ["s0"] * 2000, "d": ["s1"] * 2000})
    found = predict(network, data, stochastic=True, seed=0, show_progress=False)
    expected = truth(network, ["g"], {"a": "s0", "d": "s1"}) * len(data)
    expected *= len(data) / expected.sum()
    counts = found["g"].value_counts().reindex(state_names(network, "g"), fill_value=0)

    assert chisquare(counts, expected).pvalue > 1e-3
    again = predict(network, data, stochastic=True, seed=0, show_progress=False)
    pd.testing.assert_frame_equal(found, again)


def test_an_engine_is_used_again(network, rows):
    engine = VariableElimination(network)
    data = with_gaps(rows)
    predict_probability(engine, data, show_progress=False)
    gaps = data[:5].assign(**dict.fromkeys("bcdefg", np.nan))
    predict_probability(engine, gaps, show_progress=False)

    assert engine.network.plans.made == 1


def test_numbers_categories_and_odd_names_are_states_and_columns():
    odd = random_network(51, ODD_NAMES)
    data = pd.DataFrame({7: pd.Categorical(["s1", "s0", "s1"]), "é": ["s0", None, "s1"]})
    found = predict_probability(odd, data, show_progress=False)
    expected = truth(odd, [("x", 1)], {7: "s1", "é": "s0"})

    np.testing.assert_allclose(
        found.loc[0, [f"{('x', 1)}_{s}" for s in state_names(odd, ("x", 1))]].to_numpy(float),
        expected / expected.sum(),
        atol=ENUMERATION,
    )
    filled = predict(odd, data, show_progress=False)
    assert list(filled.columns) == [7, "é", "a b", ("x", 1), "b->c"]


def test_nothing_observed_gives_prior_marginals(network):
    found = predict_probability(network, pd.DataFrame(index=range(3)), show_progress=False)
    expected = truth(network, ["g"])

    assert len(found) == 3
    columns = [f"g_{state}" for state in state_names(network, "g")]
    np.testing.assert_allclose(found.loc[2, columns].to_numpy(float), expected, atol=ENUMERATION)


def test_no_rows_give_no_rows(network):
    found = predict_probability(network, pd.DataFrame({"a": []}), show_progress=False)

    assert len(found) == 0
    assert "g_s0" in found.columns


def test_progress_is_shown_where_it_is_wanted(network, rows, capsys, monkeypatch):
    predict_probability(network, with_gaps(rows))
    assert capsys.readouterr().err == ""  # what takes milliseconds needs no bar

    monkeypatch.setattr(row_parts, "PATIENCE", 0.0)
    predict_probability(network, with_gaps(rows))
    assert "20/20" in capsys.readouterr().err

    predict_probability(network, with_gaps(rows), show_progress=False)
    assert capsys.readouterr().err == ""


def test_only_data_frames_are_data(network):
    for data in ([[1]], np.zeros((2, 3)), {"a": ["s0"]}, None):
        for function in (predict, predict_probability):
            with pytest.raises(
                UsageError, match=r"a pandas DataFrame.* got a \w+; pass .* 'a', 'b'"
            ):
                function(network, data)


def test_wrong_data_is_refused(network, rows):
    with pytest.raises(QueryError, match="nothing is missing"):
        predict_probability(network, rows)
    with pytest.raises(QueryError, match="data: no variable 'z'"):
        predict(network, rows.rename(columns={"c": "z"}))
    with pytest.raises(QueryError, match="several columns 'a'"):
        predict(network, rows[["a", "a", "b"]])
    with pytest.raises(UnknownStateError, match="'a' has no state 'maybe'; its states are 's0'"):
        predict(network, rows[["a"]].replace("s0", "maybe"))


def test_impossible_rows_are_named():
    asia = example("asia")
    data = pd.DataFrame({"either": ["yes", "no"], "lung": ["yes", "yes"]}, index=["fine", "odd"])
    for function in (predict, predict_probability):
        with pytest.raises(ImpossibleEvidenceError, match=r"1 rows.*'odd'") as caught:
            function(asia, data, show_progress=False)
        assert caught.value.rows == (1,)


@pytest.mark.parametrize(
    ("evidence", "likelihoods"),
    [(None, None), ({"d": "s1"}, None), ({"g": "s0"}, {"a": [5.0, 1.0, 3.0]})],
)
def test_samples_follow_the_posterior(network, evidence, likelihoods):
    if likelihoods:
        likelihoods["a"] = likelihoods["a"][: len(state_names(network, "a"))]
    found = simulate(network, 4000, evidence, likelihoods, seed=0, show_progress=False)

    assert list(found.columns) == list(network.nodes)
    pairs = [("b", "f"), ("c", "e")]
    for pair in pairs:
        expected = truth(network, pair, evidence, likelihoods)
        counts = pd.crosstab(found[pair[0]], found[pair[1]], dropna=False).to_numpy()
        assert chisquare(counts, expected * 4000 / expected.sum(), axis=None).pvalue > 1e-3
    for name, state in (evidence or {}).items():
        assert (found[name] == state).all()


def test_equal_seeds_give_equal_samples(network):
    first, second = (simulate(network, 20, seed=3, show_progress=False) for _ in range(2))

    pd.testing.assert_frame_equal(first, second)
    assert not first.equals(simulate(network, 20, seed=4, show_progress=False))


def test_samples_leave_out_latents_unless_asked():
    latent = random_network(52)
    latent.latents = {"c"}

    assert "c" not in simulate(latent, 3, seed=0, show_progress=False)
    assert "c" not in simulate(VariableElimination(latent), 3, seed=0, show_progress=False)
    assert "c" in simulate(latent, 3, include_latents=True, seed=0, show_progress=False)


def test_undirected_models_are_sampled_too():
    found = simulate(ring(), 4000, {"v1": 2}, seed=0, show_progress=False)
    expected = truth(ring(), ["v0"], {"v1": 2})
    counts = found["v0"].value_counts().reindex(range(3), fill_value=0)

    assert chisquare(counts, expected * 4000 / expected.sum()).pvalue > 1e-3


def test_impossible_samples_are_refused():
    with pytest.raises(ImpossibleEvidenceError, match="'either': 'no', 'lung': 'yes'"):
        simulate(example("asia"), 2, {"either": "no", "lung": "yes"}, show_progress=False)
    with pytest.raises(QueryError, match="n_samples must be at least 1, got 0"):
        simulate(ring(), 0)
