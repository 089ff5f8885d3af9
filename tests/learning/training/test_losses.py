from __future__ import annotations

import numpy as np
import pytest
import torch

import ghmpp as gh
from ghmpp.errors import EvidenceError, QueryError
from ghmpp.learning.training.batches import Batch
from ghmpp.learning.training.losses import (
    CrossEntropy,
    Custom,
    Denoising,
    Loss,
    Square,
    check_answer,
)
from ghmpp.verification.enumeration import enumeration
from tests.tolerances import EXACT

RNG = np.random.default_rng(5)


def probabilities(*shape: int) -> torch.Tensor:
    return torch.tensor(RNG.dirichlet(np.ones(shape[-1]), shape[:-1]))


def test_square_loss_of_posteriors_is_that_of_equation_7() -> None:
    answer, states = probabilities(6, 3), torch.tensor([0, 1, 2, 2, 1, 0])
    truth = np.eye(3)[states.numpy()]

    found = Square()(answer, Batch((), states))
    np.testing.assert_allclose(found, ((answer.numpy() - truth) ** 2).sum(1), atol=EXACT)


def test_square_loss_of_means_is_that_of_equation_18() -> None:
    answer, values = (torch.tensor(RNG.normal(size=(5, 4))) for _ in range(2))

    found = Square()(answer, Batch((), values))
    np.testing.assert_allclose(found, ((answer - values).numpy() ** 2).mean(1), atol=EXACT)


def test_cross_entropy_counts_the_nodes_that_are_asked_for() -> None:
    answer, states = probabilities(2, 3, 4), torch.tensor([[0, 1, 2], [3, 2, 1]])
    asked = torch.tensor([[True, False, True], [False, True, False]])

    found = CrossEntropy()(answer, Batch((), states, asked=asked))
    first = -(answer[0, 0, 0].log() + answer[0, 2, 2].log()) / 2
    np.testing.assert_allclose(found, [first, -answer[1, 1, 2].log()], atol=EXACT)


def test_cross_entropy_of_an_answer_that_rules_out_the_truth_is_large_and_finite() -> None:
    answer = torch.tensor([[1.0, 0.0]], requires_grad=True)
    loss = CrossEntropy()(answer, Batch((), torch.tensor([1])))
    loss.sum().backward()

    assert 80 < float(loss.detach()) < np.inf
    assert bool(answer.grad.isfinite().all())


def test_denoising_loss_weighs_by_signal_over_noise() -> None:
    answer, values = (torch.tensor(RNG.normal(size=(5, 4))) for _ in range(2))
    batch = Batch((), values, {"sigma": 2.0})

    found = Denoising(lambda channel: channel["sigma"] ** -2)(answer, batch)
    torch.testing.assert_close(found, Square()(answer, batch) / 4)


@pytest.mark.parametrize("loss", [Square(), CrossEntropy()])
def test_distance_is_the_excess_over_the_exact_posterior(loss: Loss) -> None:
    model = gh.zoo.random_ghm(3, (2,), bound=5, seed=2)
    with np.errstate(divide="ignore"):
        leaves = np.log(np.eye(3)[np.array([[0, 0], [1, 2], [2, 0]])])
    exact = torch.tensor(enumeration(model.forest(), {"x1": leaves}).posteriors["x0"][:, 0])
    answer = probabilities(3, 3)

    def risk(said: torch.Tensor) -> torch.Tensor:
        rows = [loss(said, Batch((), torch.full((3,), state))) for state in range(3)]
        return (torch.stack(rows, 1) * exact).sum(1)

    distance = loss.distance(answer, exact, Batch((), torch.zeros(3, dtype=torch.int64)))
    torch.testing.assert_close(distance, risk(answer) - risk(exact), rtol=0, atol=EXACT)


def test_a_function_may_give_a_number_per_row_or_per_node() -> None:
    def absolute(answer: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return (answer - target).abs()

    batch = Batch((), torch.zeros(3, 2))
    loss = Custom(absolute)

    assert loss.name == "absolute"
    assert loss(torch.ones(3, 2), batch).tolist() == [1, 1, 1]
    assert loss.distance(torch.ones(3, 2), torch.full((3, 2), 0.5), batch).tolist() == [0.5] * 3
    with pytest.raises(QueryError, match=r"one number for each of 3 rows .*leave out the mean"):
        Custom(torch.nn.functional.mse_loss)(torch.ones(3, 2), batch)


@pytest.mark.parametrize(
    ("answer", "target", "error", "match"),
    [
        (torch.ones(4, 2), torch.ones(4, 3), EvidenceError, r"shape \(4, 2\).*shape \(4, 3\)"),
        (torch.ones(4, 3), torch.zeros(4, 3).long(), EvidenceError, r"\(4, 3, states\)"),
        (torch.ones(4, 2), torch.tensor([0, 1, 2, 0]), EvidenceError, "for 2 states.*0 to 2"),
        (torch.ones(4, 2), torch.tensor([0, 1, -1, 0]), EvidenceError, "from -1"),
        ((torch.ones(4, 2),), torch.zeros(4).long(), QueryError, "one tensor, got tuple"),
    ],
)
def test_answers_that_do_not_fit_are_refused(answer, target, error, match) -> None:
    with pytest.raises(error, match=match):
        check_answer(answer, Batch((), target), "train")
