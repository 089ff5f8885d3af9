"""The formulas of the paper against each other, against brute force, and against our widths."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
import sympy
import torch

from ghmpp.approximation.paper import theorem_3_width, theorem_6_width
from ghmpp.theory import paper
from ghmpp.theory.results import LETTERS
from tests.tolerances import EXACT

NUMBERS = {"C": 1.5, "K": 2.5, "L": 3, "S": 3, "d": 12, "m": 4, "m_1": 7, "epsilon": 0.2}


def at(result, **numbers):
    return result.value(**{k: v for k, v in (NUMBERS | numbers).items() if k in result.letters})


@pytest.mark.parametrize("name", paper.RESULTS)
def test_every_formula_can_be_read_evaluated_and_printed(name):
    result = paper.RESULTS[name]

    assert 0 < result.value(**dict.fromkeys(result.letters, 2)) < math.inf
    assert set(map(str, result.printed_expression.free_symbols)) <= set(LETTERS)
    assert result.latex()
    assert bool(result.erratum) == (result.status != "as stated")


def test_formulas_are_read_without_sympy():
    code = "import sys, ghmpp as gh; gh.theory.paper.RESULTS; assert 'sympy' not in sys.modules"

    subprocess.run([sys.executable, "-c", code], check=True)


# Widths


@pytest.mark.parametrize(
    ("states", "entry", "leaves", "depth", "delta"),
    [(2, 1.5, 4, 2, 0.01), (3, 10.0, 27, 3, 0.3), (7, 1.1, 81, 4, 1.0), (12, 1.0, 1, 1, 1e6)],
)
def test_widths_are_those_that_are_compared_with_ours(states, entry, leaves, depth, delta):
    numbers = {"S": states, "K": entry, "d": leaves, "L": depth, "delta": delta}

    assert paper.theorem_3.value(**numbers) == theorem_3_width(states, entry, leaves, depth, delta)
    assert paper.theorem_6.value(**numbers) == theorem_6_width(states, entry, leaves, depth, delta)


def test_printed_width_of_theorem_3_is_too_small_for_its_proof_at_large_errors():
    numbers = {"S": 10, "K": 1, "d": 1, "L": 1, "delta": 300}
    printed = paper.theorem_3.printed_expression.subs(
        {symbol: numbers[symbol.name] for symbol in paper.theorem_3.expression.free_symbols}
    )
    units = paper.lemma_13_exp.value(S=10, K=1, delta=300 / 3)  # delta / (d 3^L)

    assert printed == 4
    assert printed < 10 * units + 1 <= paper.theorem_3.value(**numbers)


@pytest.mark.parametrize("delta", [1.0, 0.5, 0.01])
def test_printed_widths_are_right_up_to_delta_one(delta):
    for result in (paper.theorem_3, paper.theorem_6):
        numbers = {"S": 2, "K": 1, "d": 1, "L": 1, "delta": delta}
        printed = result.printed_expression.subs(
            {symbol: sympy.Rational(str(numbers[symbol.name])) for symbol in _symbols(result)}
        )
        assert printed == result.value(**numbers)


def _symbols(result):
    return result.printed_expression.free_symbols


# Rates


def test_12_makes_the_first_term_of_theorem_1_epsilon_squared():
    width = at(paper.equation_12_width, C=1)
    first = at(paper.theorem_1, D=round(width), n=10**30, eta=0.5, C=1)

    assert width == pytest.approx(round(width), rel=1e-3)
    assert first == pytest.approx(NUMBERS["epsilon"] ** 2, rel=1e-3)


@pytest.mark.parametrize(
    ("theorem", "width", "samples"),
    [
        (paper.theorem_1, paper.equation_12_width, paper.equation_12_samples),
        (paper.theorem_4, paper.equation_21_width, paper.equation_21_samples),
    ],
)
def test_samples_make_the_second_term_epsilon_squared_up_to_logarithms(theorem, width, samples):
    ratios = []
    for epsilon in (0.1, 0.001):
        D, n = (round(at(each, C=1, epsilon=epsilon)) for each in (width, samples))
        whole = at(theorem, D=D, n=n, eta=0.5, C=1)
        ratios.append((whole - epsilon**2) / epsilon**2)
        base = 3 if theorem is paper.theorem_1 else 18
        log = math.log(NUMBERS["d"] * NUMBERS["m_1"] * D * NUMBERS["S"] * base ** NUMBERS["L"])
        assert ratios[-1] == pytest.approx(math.sqrt(log), rel=0.05)

    assert ratios[1] < 1.5 * ratios[0]


@pytest.mark.parametrize(
    ("samples", "simplified", "constant"),
    [
        (paper.equation_12_samples, paper.equation_13, 2**4),
        (paper.equation_21_samples, paper.equation_22, 2**10),
    ],
)
@pytest.mark.parametrize(("m", "L"), [(3, 2), (4, 5), (7, 3)])
def test_13_and_22_are_the_rates_for_two_states(samples, simplified, constant, m, L):
    full = at(samples, S=2, K=1, d=m**L, m_1=m * L, L=L)

    assert full == pytest.approx(constant * at(simplified, d=m**L, m=m, L=L), rel=1e-9)


@pytest.mark.parametrize(("simplified", "power"), [(paper.equation_13, 4), (paper.equation_22, 8)])
def test_13_and_22_are_polynomial(simplified, power):
    for m in (3, 5, 20):
        found = at(simplified, C=1, d=m**3, m=m, L=3, epsilon=1)

        assert found <= 3**2 * m * (m**3) ** power * (1 + EXACT)


def test_22_needs_three_children():
    assert at(paper.equation_22, C=1, d=8, m=2, L=3, epsilon=1) > 3**2 * 2 * 8**8


# Generalization


def test_covering_numbers_count_the_parameters_of_the_classes():
    S, D, m = 3, 5, (2, 4)
    inner = sum(S * D + D * D + D * (S + 1) for ranks in m for _ in range(ranks))
    numbers = {"D": D, "S": S, "m_1": sum(m), "r": 0.5, "Delta": 1.0}

    assert paper.proposition_7_covering.value(**numbers) == pytest.approx(inner * math.log(2))
    assert paper.proposition_8_covering.value(**numbers) == pytest.approx(2 * inner * math.log(2))


def test_propositions_7_and_8_are_lemma_3():
    B, D, S, m_1, d, L, n, eta = 2.0, 40, 3, 6, 9, 2, 10**6, 0.01
    lipschitz = paper.lemma_20.value(B=B, D=D, S=S, m_1=m_1, d=d, L=L)
    lemma = paper.lemma_3.value(
        C=1, sigma=1, sigma_prime=lipschitz, d_p=D * (D + 2 * S + 1) * m_1, A_p=2, B_p=2 * B,
        eta=eta, n=n,
    )  # fmt: skip
    bound = paper.proposition_7.value(C=1, D=D, S=S, m_1=m_1, d=d, L=L, B=B, n=n, eta=eta)

    assert bound / 2 < lemma < 2 * bound  # up to a constant


def test_lipschitz_constants_are_gradients_times_sizes_of_matrices():
    B, D, S, m_1, d, L, z = 1.5, 40, 3, 6, 9, 2, 7.0
    sizes = m_1 * (S + D)
    convnet = paper.lemma_19.value(B=B, S=S, d=d, L=L)  # three matrices for each rank
    unet = paper.lemma_24.value(B=B, S=S, d=d, L=L, z=z)  # and in both directions

    found = paper.lemma_20.value(B=B, D=D, S=S, m_1=m_1, d=d, L=L)
    assert found == pytest.approx(4 * 3 * sizes * convnet, rel=EXACT)
    found = paper.lemma_25.value(B=B, D=D, S=S, m_1=m_1, d=d, L=L, z=z)
    assert found == pytest.approx(2 * S * 6 * sizes * unet, rel=EXACT)


def test_square_losses_change_by_at_most_2_S_times_a_mean():
    rng = np.random.default_rng(0)
    S, d = 5, 2  # fewer leaves than states: the printed 2 d is too small
    x, mean, other = rng.uniform(1, S, size=(3, 500, d))
    changed = abs(((x - mean) ** 2).sum(1) - ((x - other) ** 2).sum(1))
    moved = abs(mean - other).sum(1)

    assert (changed <= 2 * S * moved).all()
    assert (changed > 2 * d * moved).any()


def test_lemma_4_bounds_the_squared_distance():
    rng = np.random.default_rng(0)
    for delta in (0.01, 0.3, 2.0):
        p = rng.dirichlet(np.ones(4), size=500)
        q = p * np.exp(rng.uniform(-delta, delta, p.shape) / 2)
        q = q / q.sum(axis=1, keepdims=True)
        within = abs(np.log(p) - np.log(q)).max(axis=1) <= delta

        assert within.all()
        assert ((p - q) ** 2).sum(axis=1).max() <= paper.lemma_4.value(delta=delta)


# Gradients in the weights


def normalize(h):
    return h - h.max(-1, keepdim=True).values


def message(weights, h):
    """``W1 ReLU(W2 ReLU(W3 [h; 1]))``."""
    first, second, third = weights
    one = torch.ones(*h.shape[:-1], 1, dtype=h.dtype)
    inner = torch.relu(torch.cat([h, one], -1) @ third.T)
    return torch.relu(inner @ second.T) @ first.T


def drawn(rng, shapes, B):
    """Matrices of operator norm B."""
    found = []
    for shape in shapes:
        matrix = rng.normal(size=shape)
        matrix *= B / np.linalg.norm(matrix, 2)
        found.append(torch.tensor(matrix, requires_grad=True))
    return found


def largest_gradient(outputs, weights):
    """Largest operator norm of the gradient of an output in a matrix."""
    return max(
        float(torch.linalg.matrix_norm(grad, 2))
        for output in outputs
        for grad in torch.autograd.grad(output, weights, retain_graph=True, allow_unused=True)
        if grad is not None
    )


@pytest.mark.parametrize("seed", range(4))
def test_lemma_19_bounds_the_gradient_of_convnets(seed):
    rng = np.random.default_rng(seed)
    S, D, m, B = 6, 7, 2, 1.5
    nets = [[drawn(rng, ((S, D), (D, D), (D, into)), B) for _ in range(m)] for into in (S + 1, 2)]
    x = torch.tensor(rng.integers(1, S + 1, size=4)).double()[:, None]
    q = torch.stack([message(nets[1][k % m], x[k]) for k in range(4)])
    h = normalize(q.reshape(2, m, S).sum(1))
    root = normalize(sum(message(nets[0][k], h[k]) for k in range(m)))
    weights = [w for level in nets for rank in level for w in rank]
    found = largest_gradient(torch.softmax(root, -1), weights)

    assert 0 < found <= paper.lemma_19.value(B=B, S=S, L=2, d=4)


@pytest.mark.parametrize("size", [1.0, 1e3])
def test_lemma_24_bounds_the_gradient_of_unets_by_the_largest_noisy_value(size):
    rng = np.random.default_rng(int(size))
    S, D, m, B = 4, 6, 2, 1.5
    down, up = ([drawn(rng, ((S, D), (D, D), (D, S + 1)), B) for _ in range(m)] for _ in range(2))
    z = torch.tensor([0.1, size])
    states = torch.arange(1, S + 1).double()
    h = states * z[:, None] - states**2 / 2
    q = torch.stack([message(down[k], normalize(h[k])) for k in range(m)])
    b = torch.stack([message(up[k], normalize(q.sum(0) - q[k])) + h[k] for k in range(m)])
    means = torch.softmax(b, -1) @ states
    weights = [w for each in (*down, *up) for w in each]
    found = largest_gradient(means, weights)

    assert 0 < found <= paper.lemma_24.value(B=B, S=S, L=1, d=2, z=max(size, 0.1))


def test_normalisation_is_not_2_lipschitz_in_the_euclidean_norm():
    e = np.eye(6)[0]
    moved = e - e.max()

    assert np.linalg.norm(moved) > 2 * np.linalg.norm(e)
