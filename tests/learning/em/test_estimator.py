from __future__ import annotations

import pickle
from collections.abc import Callable

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from pgmpy.models import DiscreteBayesianNetwork
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.utils.estimator_checks import parametrize_with_checks

import ghmpp as gh
from ghmpp.errors import EvidenceError, ModelError, QueryError
from ghmpp.learning.em.estimator import GHMClassifier
from ghmpp.learning.em.fit import fit
from ghmpp.models.model import Model
from ghmpp.schedule.ir import Schedule
from ghmpp.schedule.plan import schedule_for
from tests.tolerances import EXACT


@parametrize_with_checks([GHMClassifier(iterations=2)])
def test_scikit_learn_accepts_the_estimator(
    estimator: GHMClassifier, check: Callable[[GHMClassifier], None]
) -> None:
    check(estimator)


def weather() -> Model:
    model = Model("weather")
    season = model.root("season", ["dry", "wet"])
    season.children("week", 2, 3).children("day", 2, ["sun", "rain"])
    return model


DAYS = [[0, 0, 0, 1], [0, 0, 0, 0], [1, 1, 0, 1], [1, 1, 1, 1]]
SEASONS = ["dry", "dry", "wet", "wet"]


def test_a_given_model_is_fitted_as_by_fit() -> None:
    classifier = GHMClassifier(weather(), iterations=4, random_state=3).fit(DAYS, SEASONS)

    expected = fit(weather(), DAYS, season=SEASONS, iterations=4, seed=3)
    for key, stack in expected.forest().data.items():
        np.testing.assert_array_equal(classifier.model_.forest().data[key], stack)
    assert classifier.classes_.tolist() == ["dry", "wet"]
    assert classifier.n_features_in_ == 4
    assert classifier.history_[-1].iteration == 4


def test_probabilities_are_posteriors_of_the_label() -> None:
    classifier = GHMClassifier(weather(), iterations=4).fit(DAYS, SEASONS)
    rows = [[0, 1, np.nan, 1], [np.nan] * 4]

    found = classifier.predict_proba(rows)

    posteriors = gh.infer(classifier.model_, {"day": rows})["season"]
    np.testing.assert_allclose(found, posteriors, rtol=EXACT)
    np.testing.assert_allclose(classifier.predict_log_proba(rows), np.log(posteriors), rtol=EXACT)
    np.testing.assert_allclose(found[1], classifier.model_.forest().data["season"][0], rtol=EXACT)


def test_labels_are_state_names() -> None:
    classifier = GHMClassifier(weather()).fit(DAYS, SEASONS)

    assert classifier.predict(DAYS).tolist() == SEASONS
    assert classifier.score(DAYS, SEASONS) == 1.0


def test_rows_are_scored_with_the_label_summed_out() -> None:
    classifier = GHMClassifier(weather(), iterations=3).fit(DAYS, SEASONS)

    expected = gh.Inference(classifier.model_).log_evidence({"day": DAYS})
    np.testing.assert_allclose(classifier.score_samples(DAYS), expected, rtol=EXACT)


def test_without_a_model_it_is_naive_bayes_on_bins() -> None:
    X, y = load_iris(return_X_y=True)

    classifier = GHMClassifier(bins=6, smoothing=1.0).fit(X, y)

    bins = (X[:, None] >= classifier.cuts_).sum(axis=1)
    logs = np.log(np.bincount(y) + 1.0)[None].repeat(len(X), axis=0)
    for label in range(3):
        rows = bins[y == label]
        for k in range(X.shape[1]):
            counts = np.bincount(rows[:, k], minlength=6) + 1.0
            logs[:, label] += np.log(counts / counts.sum())[bins[:, k]]
    expected = np.exp(logs) / np.exp(logs).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(classifier.predict_proba(X), expected, rtol=1e3 * EXACT)
    assert classifier.score(X, y) > 0.9


def test_missing_features_need_no_imputation() -> None:
    X, y = load_iris(return_X_y=True)
    X[np.random.default_rng(0).random(X.shape) < 0.3] = np.nan

    assert GHMClassifier().fit(X, y).score(X, y) > 0.85


def test_a_feature_that_is_never_seen_does_no_harm() -> None:
    X = np.array([[0.0, np.nan], [1.0, np.nan]] * 5)

    classifier = GHMClassifier(bins=2).fit(X, [0, 1] * 5)

    assert classifier.predict([[0.0, 3.0], [1.0, -2.0]]).tolist() == [0, 1]


def test_it_can_be_cloned_and_pickled() -> None:
    classifier = GHMClassifier(weather(), iterations=2).fit(DAYS, SEASONS)

    again = pickle.loads(pickle.dumps(classifier))

    np.testing.assert_array_equal(again.predict_proba(DAYS), classifier.predict_proba(DAYS))
    assert clone(classifier).get_params()["iterations"] == 2


def test_each_question_is_compiled_once_per_fitted_model(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[object] = []

    def counted(*arguments: object, **options: object) -> Schedule:
        compiled.append(arguments)
        return schedule_for(*arguments, **options)

    classifier = GHMClassifier(weather(), iterations=2).fit(DAYS, SEASONS)
    monkeypatch.setattr("ghmpp.inference.answering.schedule_for", counted)
    for _ in range(3):
        classifier.predict(DAYS)
        classifier.score_samples(DAYS)
    assert len(compiled) == 2

    classifier.fit(DAYS[::-1], SEASONS).predict(DAYS)
    assert len(compiled) == 3


def test_another_fitted_model_is_not_answered_from_the_first() -> None:
    classifier = GHMClassifier(weather(), iterations=2).fit(DAYS, SEASONS)
    classifier.predict(DAYS)

    classifier.model_ = weather().initialise(7)

    expected = gh.infer(classifier.model_, {"day": DAYS})["season"]
    np.testing.assert_allclose(classifier.predict_proba(DAYS), expected, rtol=EXACT)


def test_compiled_networks_are_not_pickled() -> None:
    classifier = GHMClassifier(weather(), iterations=2).fit(DAYS, SEASONS)
    classifier.predict(DAYS)

    assert b"torch" not in pickle.dumps(classifier)


def test_roles_can_be_named() -> None:
    model = Model("two")
    root = model.root("root", 2)
    root.children("label", 1, ["no", "yes"])
    root.children("x", 2, 2)

    classifier = GHMClassifier(model, target="label", features="x")
    classifier.fit([[0, 0], [1, 1]], ["no", "yes"])

    assert classifier.classes_.tolist() == ["no", "yes"]


def test_unclear_roles_are_refused() -> None:
    model = Model("two")
    root = model.root("root", 2)
    root.children("a", 1, 2)
    root.children("b", 2, 2)

    with pytest.raises(QueryError, match="one class of leaves but a, b; pass features="):
        GHMClassifier(model).fit([[0], [1]], [0, 1])
    with pytest.raises(QueryError, match="no class 'c'; the model has root, a, b"):
        GHMClassifier(model, features="c").fit([[0], [1]], [0, 1])
    with pytest.raises(QueryError, match="target and features are both 'a'"):
        GHMClassifier(model, target="a", features="a").fit([[0], [1]], [0, 1])
    with pytest.raises(QueryError, match="target 'b' has 2 variables"):
        GHMClassifier(model, target="b", features="a").fit([[0], [1]], [0, 1])


def test_labels_that_are_no_states_are_refused() -> None:
    with pytest.raises(EvidenceError, match="'cold' is not a state"):
        GHMClassifier(weather()).fit(DAYS, ["dry", "cold", "wet", "wet"])


def test_features_that_do_not_fit_the_model_are_refused() -> None:
    with pytest.raises(EvidenceError, match="day: states of 4 node"):
        GHMClassifier(weather()).fit([[0, 1], [1, 1]], ["dry", "wet"])


def test_options_are_checked_in_fit() -> None:
    with pytest.raises(ModelError, match="iterations must be"):
        GHMClassifier(iterations=0).fit([[0.0], [1.0]], [0, 1])
    with pytest.raises(ModelError, match="bins must be a whole number >= 1, got 0"):
        GHMClassifier(bins=0).fit([[0.0], [1.0]], [0, 1])


def network() -> nx.DiGraph:
    """A network with a cycle, in which a disease has two signs, one of which causes the other."""
    graph = nx.DiGraph([("flu", "fever"), ("flu", "cough"), ("fever", "cough")])
    nx.set_node_attributes(graph, {"flu": ["no", "yes"], "fever": 2, "cough": 2}, "states")
    return graph


SIGNS = np.array([[0, 0], [0, 1], [1, 1], [1, np.nan], [np.nan, 0], [1, 1]])
FLU = ["no", "no", "yes", "yes", "no", "yes"]


def test_a_network_classifies_by_one_of_its_variables() -> None:
    named = ["fever", "cough"]
    classifier = GHMClassifier(network(), target="flu", features=named, smoothing=0.5)
    classifier.fit(SIGNS, FLU)

    expected = fit(
        network(), {"fever": SIGNS[:, 0], "cough": SIGNS[:, 1], "flu": FLU}, smoothing=0.5
    )
    beliefs = gh.infer(expected, {"fever": [np.nan, 1], "cough": [1, 1]})
    found = classifier.predict_proba([[np.nan, 1], [1, 1]])
    np.testing.assert_allclose(found, beliefs["flu"], rtol=EXACT)
    assert classifier.classes_.tolist() == ["no", "yes"]


def test_columns_of_a_data_frame_are_variables() -> None:
    data = pd.DataFrame(SIGNS, columns=["fever", "cough"])
    bare = DiscreteBayesianNetwork(network().edges)

    classifier = GHMClassifier(bare, target="flu", smoothing=0.5).fit(data, FLU)

    assert classifier.features_ == ("fever", "cough")
    named = GHMClassifier(network(), target="flu", features=["fever", "cough"], smoothing=0.5)
    np.testing.assert_allclose(
        classifier.predict_proba(data), named.fit(SIGNS, FLU).predict_proba(SIGNS), rtol=1e-3
    )


def test_features_must_be_variables_one_for_each_column() -> None:
    for features, words in (
        (["fever"], "X has 2 columns, but features names 1 variables: fever"),
        (["fever", "chill"], "no class 'chill'; the model has flu, fever, cough"),
        (["fever", "flu"], "target and features are both 'flu'"),
    ):
        with pytest.raises(QueryError, match=words):
            GHMClassifier(network(), target="flu", features=features).fit(SIGNS, FLU)
    with pytest.raises(QueryError, match="the feature 'day' has 4 variables"):
        GHMClassifier(weather(), features=["day"]).fit(np.zeros((2, 1)), ["dry", "wet"])


def test_states_that_no_row_has_can_be_given() -> None:
    bare = DiscreteBayesianNetwork([("cause", "fever"), ("cause", "cough"), ("cause", "flu")])
    states = {"cause": 2, "cough": [0, 1, 2]}
    classifier = GHMClassifier(
        bare, target="flu", features=["fever", "cough"], states=states, iterations=3
    )
    classifier.fit(SIGNS, FLU)

    data = {"fever": SIGNS[:, 0], "cough": SIGNS[:, 1], "flu": FLU}
    expected = fit(bare, data, states=states, iterations=3)
    assert tuple(classifier.model_.variables["cough"].states) == (0, 1, 2)
    assert len(classifier.model_.variables["cause"].states) == 2
    np.testing.assert_allclose(
        classifier.predict_proba([[1, 2]]),
        gh.infer(expected, {"fever": 1, "cough": [2]})["flu"],
        rtol=EXACT,
    )
    with pytest.raises(ModelError, match="states are those of a network; pass model= too"):
        GHMClassifier(states=states).fit(SIGNS, FLU)
