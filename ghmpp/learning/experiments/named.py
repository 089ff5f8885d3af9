"""Experiments with a name, for sweeps: how much data it takes to learn a hierarchy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
import torch

from ghmpp._arrays import FloatArray, IntArray
from ghmpp.compiler import compile
from ghmpp.errors import QueryError
from ghmpp.inference.queries import Inference
from ghmpp.learning.em.fit import fit
from ghmpp.learning.experiments.baselines import BaselineName, baseline
from ghmpp.learning.experiments.linear import linear_denoiser
from ghmpp.learning.experiments.risk import excess_risk
from ghmpp.learning.training.rows import answers
from ghmpp.learning.training.streams import of
from ghmpp.learning.training.train import train
from ghmpp.models.channels import noisy
from ghmpp.models.model import Model
from ghmpp.models.potentials import ChildOf
from ghmpp.models.queries import mean, posterior
from ghmpp.models.states import StatesLike
from ghmpp.models.zoo.checks import require_whole
from ghmpp.models.zoo.factorised import random_ghm
from ghmpp.models.zoo.random_hierarchy import random_hierarchy

Learner = Literal["cnn", "bp", "em"]
# What the test strings and the training strings are drawn with, beside the seed of the rules.
TRAINING, TESTING = 1, 2
# Rate of SGD per unit of width; the paper's networks learn features at any width with it.
CNN_RATE = 0.05
# Nets that stand for messages are told observed symbols as odds of e**2, not as certainties: large
# inputs make them slow to train.
SOFTNESS = 2.0
BP_RATE = 3e-3

Classifier = Callable[[IntArray], IntArray]


def rhm(
    *,
    learner: Learner = "cnn",
    n: int | None = None,
    ratio: float | None = None,
    v: int = 8,
    m: int = 4,
    s: int = 2,
    depth: int = 2,
    classes: int | None = None,
    width: int = 128,
    steps: int = 3000,
    batch: int = 64,
    tests: int = 4000,
    seed: int = 0,
) -> dict[str, object]:
    r"""Learn to classify a Random Hierarchy Model from P examples.

    Deep networks need about :math:`P^* = n_c m^L` examples [1]_: as many as it takes to see, from
    the correlation of low tuples with the class, which of them are synonyms.

    Parameters
    ----------
    learner
        "cnn": the network of the paper, ``gh.baseline(program, "cnn")``, SGD with momentum.
        "bp": the network that belief propagation would be if the rules were known, all its
        messages learned; it knows the tree. "em": the rules themselves are learned by
        :func:`ghmpp.fit` on the true tree.
    n, ratio
        Examples P, or P / P* instead; drawn independently, so that some are the same.
    v, m, s, depth, classes
        Of :func:`ghmpp.zoo.random_hierarchy`.
    width, steps, batch
        Of networks and their training; EM makes up to 100 iterations.
    tests
        Fresh strings on which errors are measured.
    seed
        Of the rules, the examples and the start.

    Returns
    -------
    dict
        ``relative_error``, the test error over that of a guess, 1 - 1/classes; ``examples`` P,
        ``scaled`` P / P*, ``test_error`` on fresh draws, ``unseen_error`` on those of them that
        were no examples, ``train_error``.

    Raises
    ------
    QueryError
        If the learner is unknown, not one of ``n`` and ``ratio`` is given, or there is nothing
        to tell apart.
    ModelError
        If there is no such hierarchy, or ``tests`` is below 1.

    References
    ----------
    .. [1] F. Cagnetta, L. Petrini, U. M. Tomasini, A. Favero, M. Wyart, How deep neural networks
       learn compositional data: the Random Hierarchy Model, Phys. Rev. X 14 (2024), 031001.

    Examples
    --------
    >>> found = rhm(learner="em", ratio=4, v=4, m=2)
    >>> found["examples"], found["relative_error"] < 0.05
    (64, True)
    """
    if learner not in get_args(Learner):
        known = ", ".join(map(repr, get_args(Learner)))
        raise QueryError(f"rhm: unknown learner {learner!r}; known: {known}.")
    if (n is None) == (ratio is None):
        raise QueryError("rhm: give either n, the number of examples, or ratio, n / (n_c m^L).")
    if ratio is not None and not 0 < ratio < np.inf:
        raise QueryError(f"rhm: ratio must be finite and > 0, got {ratio}.")
    if classes == 1:
        raise QueryError("rhm: needs at least 2 classes to tell apart, got 1.")
    require_whole("rhm", tests=(tests, 1))
    model = random_hierarchy(v, m, s, depth, classes, seed=seed)
    roots = v if classes is None else classes
    needed = roots * m**depth
    count = n if n is not None else max(1, round(needed * (ratio or 0.0)))
    strings, labels = _drawn(model, depth, count, seed, TRAINING)
    if learner == "em":
        classify = _by_em(model, depth, strings, labels, seed)
    elif learner == "cnn":
        classify = _by_cnn(model, depth, strings, labels, (width, steps, batch, seed))
    else:
        classify = _by_messages(model, depth, strings, labels, (width, steps, batch, seed))
    fresh, truth = _drawn(model, depth, tests, seed, TESTING)
    wrong = classify(fresh) != truth
    seen = set(map(bytes, strings))
    unseen = np.array([bytes(string) not in seen for string in fresh])
    return {
        "relative_error": float(wrong.mean() / (1 - 1 / roots)),
        "examples": count,
        "scaled": count / needed,
        "test_error": float(wrong.mean()),
        "unseen_error": float(wrong[unseen].mean()) if unseen.any() else float("nan"),
        "train_error": float((classify(strings) != labels).mean()),
    }


def denoise(
    *,
    learner: Literal["trainable"] | BaselineName = "trainable",
    n: int | None = None,
    states: int = 4,
    branching: int = 2,
    depth: int = 3,
    bound: float = 10.0,
    sigma: float = 1.0,
    width: int = 32,
    steps: int = 2000,
    batch: int = 256,
    tests: int = 10_000,
    seed: int = 0,
) -> dict[str, object]:
    r"""Train a U-Net to denoise the leaves of a random model, and compare it with the best one.

    Parameters
    ----------
    learner
        "trainable", the U-Net that the model compiles to with free weights; or a standard network
        of :func:`ghmpp.baseline`.
    n
        Training pairs; None = new ones in every step.
    states, branching, depth, bound
        Of :func:`ghmpp.zoo.random_ghm`: ``branching**depth`` leaves with values 0, 1, ...
    sigma
        Standard deviation of the noise, in units of the gap between values.
    width, steps, batch
        Of the network and its training, with the defaults of :func:`ghmpp.train`.
    tests
        Noisy inputs on which it is judged.
    seed
        Of the model, the data and the start.

    Returns
    -------
    dict
        ``excess``, the network's mean squared error above the least one, ``bayes``; its 95 %
        interval ``low`` .. ``high``; ``linear``, the error of the best linear denoiser; and
        ``share``, the excess over ``linear - bayes``.

    Raises
    ------
    ModelError, QueryError
        If there is no such model or network.

    Examples
    --------
    >>> found = denoise(depth=1, states=2, width=8, steps=20, batch=32, tests=200)
    >>> found["low"] <= found["excess"] <= found["high"]
    True
    """
    if states == 1:
        raise QueryError("denoise: leaves with 1 state are known without being seen; take more.")
    layers: list[StatesLike] = [*[states] * depth, range(states)]
    model = random_ghm(layers, (branching,) * depth, bound=bound, seed=seed)
    leaf = f"x{depth}"
    program = compile(model, mean(leaf), noisy(leaf, sigma=sigma))
    network: torch.nn.Module
    if learner == "trainable":
        network = program.network("trainable", width=width, seed=seed)
    else:
        network = baseline(program, learner, width=width, seed=seed)
    data = of(program, n=n, seed=seed)
    trained = train(
        network, data, steps=steps, batch=batch, validation=0, seed=seed, progress=False
    )
    risk = excess_risk(trained.network, program, n=tests, seed=seed)
    linear, (low, high) = linear_denoiser(program).risk, risk.interval
    return {
        "excess": risk.excess.value,
        "bayes": risk.bayes.value,
        "linear": linear,
        "low": low,
        "high": high,
        "share": risk.excess.value / (linear - risk.bayes.value),
    }


def unknown_rules(model: Model) -> Model:
    """The tree of a hierarchy with all tuples of children in place of its rules, and free tables.

    Each node has a hidden child, the tuple of its children; which tuples a symbol makes is to be
    learned.

    Examples
    --------
    >>> print(unknown_rules(random_hierarchy(v=4, m=2, s=2, L=1)))
    Model 'unknown rules': 3 classes, 4 variables
      x0      1 node   4 states   root, prior
      tuple1  1 node   16 states  1 per x0, free
      x1      2 nodes  4 states   2 per tuple1, child_of
    """
    found = Model("unknown rules")
    top, *below = model.variables.values()
    above = found.root(top.name, len(top.states), prior=np.ones(len(top.states)))
    nodes = 1
    for level, variable in enumerate(below, 1):
        count, states = variable.nodes // nodes, len(variable.states)
        each = np.unravel_index(np.arange(states**count), (states,) * count)
        above = above.children(f"tuple{level}", 1, states**count)
        parts = [ChildOf(index) for index in each]
        above = above.children(variable.name, count, states, potential=parts)
        nodes = variable.nodes
    return found


def _drawn(model: Model, depth: int, n: int, seed: int, purpose: int) -> tuple[IntArray, IntArray]:
    """Strings (n, leaves) and their classes (n,)."""
    found = model.sample(n, seed=int(np.random.default_rng([seed, purpose]).integers(2**62)))
    return np.ascontiguousarray(found[f"x{depth}"]), found["x0"][:, 0]


def _by_em(model: Model, depth: int, strings: IntArray, labels: IntArray, seed: int) -> Classifier:
    """Rules learned by expectation maximisation, and exact inference with them."""
    leaf = f"x{depth}"
    fitted = fit(
        unknown_rules(model),
        {leaf: strings, "x0": labels},
        iterations=100,
        smoothing=0.1,
        seed=seed,
        progress=False,
    )
    engine = Inference(fitted)
    return lambda x: np.asarray(engine.classify({leaf: x})).reshape(len(x))


def _by_cnn(
    model: Model,
    depth: int,
    strings: IntArray,
    labels: IntArray,
    options: tuple[int, int, int, int],
) -> Classifier:
    """The network of the paper."""
    width, steps, batch, seed = options
    program = compile(model, posterior("x0"), f"x{depth}")
    network = baseline(program, "cnn", width=width, seed=seed)
    trained = train(
        network,
        (strings, labels),
        steps=steps,
        batch=batch,
        optimizer="sgd",
        rate=CNN_RATE * network.rate_factor,
        schedule="constant",
        warmup=0,
        clip=None,
        every=steps,
        seed=seed,
        progress=False,
    )
    return lambda x: _most_probable(trained.network, torch.from_numpy(x))


def _by_messages(
    model: Model,
    depth: int,
    strings: IntArray,
    labels: IntArray,
    options: tuple[int, int, int, int],
) -> Classifier:
    """Belief propagation on the tree, each message a small network with free weights."""
    width, steps, batch, seed = options
    program = compile(unknown_rules(model).initialise(seed), posterior("x0"), f"x{depth}")
    network = program.network("trainable", width=width, seed=seed)
    states = len(model.variables[f"x{depth}"].states)
    trained = train(
        network,
        (_softened(strings, states), labels),
        steps=steps,
        batch=batch,
        rate=BP_RATE,
        every=steps,
        seed=seed,
        progress=False,
    )
    return lambda x: _most_probable(trained.network, torch.from_numpy(_softened(x, states)))


def _softened(strings: IntArray, states: int) -> FloatArray:
    """Likelihoods (batch, nodes, states) that favour the observed symbols."""
    found: FloatArray = np.exp(SOFTNESS * np.eye(states)[strings])
    return found


def _most_probable(network: torch.nn.Module, inputs: torch.Tensor) -> IntArray:
    found: IntArray = answers(network, (inputs,), {}).argmax(-1).cpu().numpy()
    return found
