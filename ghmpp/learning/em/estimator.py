"""A scikit-learn classifier around a fitted model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from ghmpp._arrays import AnyArray, FloatArray
from ghmpp.errors import ModelError, QueryError
from ghmpp.inference.queries import Inference
from ghmpp.learning.em.fit import EM
from ghmpp.learning.em.networks import read_problem
from ghmpp.models.model import Model
from ghmpp.models.states import StatesLike

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from sklearn.utils import Tags


class GHMClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # sklearn has no types
    """Classification with a hierarchical model: the label is one of its variables.

    Missing features (NaN) are summed out exactly, in training and in prediction.

    Parameters
    ----------
    model
        What :func:`ghmpp.fit` takes: a :class:`~ghmpp.models.model.Model` with free
        tables or symbols, a networkx graph or a pgmpy network. None: the simplest tree, every
        feature a child of the label (naive Bayes), features cut into ``bins``.
    target
        Class of the label, with one variable; None = the root. Its states are the labels.
    features
        Class that the columns of X belong to, in its order; or a list with a variable for each
        column. None = the columns of a data frame if they are called like variables, else the
        only class of leaves. Without a model, features may be any numbers; with one, they are
        its states.
    bins
        Without a model: number of bins per feature, with equal numbers of training rows.
    iterations, smoothing, restarts, tolerance
        As in :func:`ghmpp.fit`.
    random_state
        Seed, generator or None, as in scikit-learn.
    states
        As in :func:`ghmpp.fit`: states of variables of a pgmpy network that no CPD
        tells, such as those of a hidden variable, or those that the training rows do not have.

    Attributes
    ----------
    model_
        The fitted model.
    history_
        One record per iteration of EM.
    classes_
        Labels, in the order of the columns of :meth:`predict_proba`.
    n_features_in_
        Number of features.
    cuts_
        Without a model: borders between bins, shape (bins - 1, features).

    Examples
    --------
    >>> X = np.array([[0.1, 3.0], [0.3, 2.5], [0.9, 1.0], [1.1, 0.5]])
    >>> GHMClassifier(bins=2).fit(X, ["a", "a", "b", "b"]).predict([[0.2, np.nan]])
    array(['a'], dtype='<U1')

    With a network, whatever is missing in a row:

    >>> import networkx as nx
    >>> network = nx.DiGraph([("flu", "fever"), ("flu", "cough"), ("fever", "cough")])
    >>> nx.set_node_attributes(network, 2, "states")
    >>> classifier = GHMClassifier(network, target="flu", features=["fever", "cough"])
    >>> classifier.fit([[0, 0], [0, 1], [1, 1], [1, np.nan]], [0, 0, 1, 1]).predict([[np.nan, 1]])
    array([1])
    """

    def __init__(
        self,
        model: object = None,
        *,
        target: str | None = None,
        features: str | Sequence[str] | None = None,
        bins: int = 8,
        iterations: int = 80,
        smoothing: float = 0.02,
        restarts: int = 1,
        tolerance: float = 1e-6,
        random_state: int | np.random.RandomState | None = 0,
        states: Mapping[Any, StatesLike] | None = None,
    ) -> None:
        self.model = model
        self.target = target
        self.features = features
        self.bins = bins
        self.iterations = iterations
        self.smoothing = smoothing
        self.restarts = restarts
        self.tolerance = tolerance
        self.random_state = random_state
        self.states = states

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Learn from rows of features X, shape (rows, features), and labels y, shape (rows,).

        Raises
        ------
        ValueError
            If the data do not fit the model, or an option is out of range.
        """
        X, y = self._validated(X, y)
        check_classification_targets(y)
        features = self._named_features()
        if self.model is None:
            if self.states:
                raise ModelError("GHMClassifier: states are those of a network; pass model= too.")
            self.classes_, labels = np.unique(y, return_inverse=True)
            self.cuts_ = _borders(X, self.bins)
            model = _simplest(len(self.classes_), X.shape[1], self.bins)
        else:
            known = dict(zip(features, X.T, strict=False)) | {self.target: y}
            model = read_problem(self.model, known, {}, states=self.states).model
        self.target_, self.features_ = _roles(model, self.target, self.features, features)
        if self.model is not None:
            self.classes_, labels = np.array(model.variables[self.target_].states), y
        em = EM(
            model,
            iterations=self.iterations,
            smoothing=self.smoothing,
            seed=_seed(self.random_state),
            restarts=self.restarts,
            tolerance=self.tolerance,
            progress=False,
        )
        em.fit({**self._by_class(X), self.target_: labels})
        self.model_, self.history_ = em.model_, em.history_
        self._engine = Inference(self.model_)
        return self

    def predict(self, X: ArrayLike) -> AnyArray:
        """The most probable label of each row, shape (rows,)."""
        probabilities = self.predict_proba(X)
        labels: AnyArray = self.classes_[probabilities.argmax(axis=1)]
        return labels

    def predict_proba(self, X: ArrayLike) -> FloatArray:
        """Posterior probabilities of the labels, shape (rows, classes), rows sum to 1."""
        evidence = self._evidence(X)
        return self._inference().posteriors(evidence)[self.target_]

    def predict_log_proba(self, X: ArrayLike) -> FloatArray:
        """Natural logs of :meth:`predict_proba`; -inf for impossible labels."""
        with np.errstate(divide="ignore"):
            logs: FloatArray = np.log(self.predict_proba(X))
        return logs

    def score_samples(self, X: ArrayLike) -> FloatArray:
        """Log probability of each row, the label summed out, shape (rows,), natural log."""
        evidence = self._evidence(X)
        return self._inference().log_evidence(evidence)

    def _inference(self) -> Inference:
        """The engine of the fitted model, which compiles each question once."""
        engine = getattr(self, "_engine", None)
        if engine is None or engine.model is not self.model_:
            engine = self._engine = Inference(self.model_)
        return engine

    def __getstate__(self) -> dict[str, object]:
        """What is pickled: all but compiled networks, which the first question makes again."""
        state: dict[str, object] = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_engine"}

    def _evidence(self, X: ArrayLike) -> dict[str, AnyArray]:
        check_is_fitted(self, "model_")
        (X,) = self._validated(X)
        return self._by_class(X)

    def _named_features(self) -> tuple[str, ...]:
        """A variable for each column, as far as told: by ``features``, or by a data frame."""
        if self.features is None:
            return tuple(getattr(self, "feature_names_in_", ()))
        return () if isinstance(self.features, str) else tuple(self.features)

    def _by_class(self, X: AnyArray) -> dict[str, AnyArray]:
        """Features as evidence."""
        states = self._states(X)
        if isinstance(self.features_, str):
            return {self.features_: states}
        if X.shape[1] != len(self.features_):
            raise QueryError(
                f"GHMClassifier: X has {X.shape[1]} columns, but features names "
                f"{len(self.features_)} variables: {', '.join(self.features_)}."
            )
        return dict(zip(self.features_, states.T, strict=True))

    def _validated(self, X: ArrayLike, *y: ArrayLike) -> tuple[AnyArray, ...]:
        """Arrays of the right shape, as scikit-learn checks them; NaN is allowed in X."""
        checked = validate_data(
            self,
            X,
            *y,
            reset=bool(y),
            dtype="numeric" if self.model is None else None,
            ensure_all_finite="allow-nan",
        )
        return checked if y else (checked,)

    def _states(self, X: AnyArray) -> AnyArray:
        """Features as states: bins without a model, NaN where missing."""
        if self.model is not None:
            return X
        bins = (X[:, None, :] >= self.cuts_).sum(axis=1)
        return np.where(np.isnan(X), -1, bins)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def _simplest(classes: int, features: int, bins: int) -> Model:
    """Naive Bayes: every feature a child of the label."""
    model = Model("naive Bayes")
    model.root("label", classes).children("feature", features, bins)
    return model


def _borders(X: FloatArray, bins: int) -> FloatArray:
    """Quantiles of each feature that cut it into bins, (bins - 1, features)."""
    if isinstance(bins, bool) or not isinstance(bins, Integral) or bins < 1:
        raise ModelError(f"GHMClassifier: bins must be a whole number >= 1, got {bins!r}.")
    shares = np.linspace(0, 1, bins + 1)[1:-1]
    unseen = np.isnan(X).all(axis=0)
    borders: FloatArray = np.nanquantile(np.where(unseen, 0.0, X), shares, axis=0)
    return borders


def _roles(
    model: Model,
    target: str | None,
    features: str | Sequence[str] | None,
    columns: tuple[str, ...],
) -> tuple[str, str | tuple[str, ...]]:
    """Names of the classes that are the label and the features, or each feature."""
    roots = [name for name in model.variables if model.declarations[name].parent is None]
    target = target or _only(model, roots, "target", "one root")
    if features is None and columns and model.variables.keys() >= set(columns):
        features = columns
    if features is None:
        features = _only(model, model.forest().leaves, "features", "one class of leaves")
    several = () if isinstance(features, str) else tuple(features)
    named = several or (str(features),)
    for name in (target, *named):
        if name not in model.variables:
            known = ", ".join(model.variables)
            raise QueryError(f"GHMClassifier: no class {name!r}; the model has {known}.")
    if target in named:
        raise QueryError(f"GHMClassifier: target and features are both {target!r}.")
    for role, name in [("target", target), *(("feature", each) for each in several)]:
        if model.variables[name].nodes != 1:
            raise QueryError(
                f"GHMClassifier: the {role} {name!r} has {model.variables[name].nodes} variables; "
                f"it must have one."
            )
    return target, several or named[0]


def _only(model: Model, names: Sequence[str], option: str, what: str) -> str:
    if len(names) != 1:
        found = ", ".join(names) or "none"
        raise QueryError(
            f"GHMClassifier: model {model.name!r} does not have {what} but {found}; pass {option}=."
        )
    return names[0]


def _seed(random_state: int | np.random.RandomState | None) -> int:
    """A seed from what scikit-learn takes as a random state."""
    if isinstance(random_state, Integral):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))
