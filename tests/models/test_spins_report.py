"""What is said about fixed points before, and found by trying."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ghmpp as gh
from ghmpp.errors import GuaranteeWarning, ModelError, QueryError
from ghmpp.models.cavities import arrows, contraction, longest_path
from ghmpp.models.channels import Given
from ghmpp.models.spectrum import Spectrum, spectrum
from ghmpp.models.spins_overlap import onsager, overlaps
from ghmpp.models.spins_width import Width, couplings_width
from tests.spins import diffused, drawn, means, random_couplings, random_tree
from tests.tolerances import EXACT

RNG = np.random.default_rng(0)


def circulant(eigenvalues):
    """Symmetric matrix with these eigenvalues, which has their mean on the diagonal."""
    size = len(eigenvalues)
    row = np.real(np.fft.ifft(eigenvalues))
    return np.array([[row[(j - i) % size] for j in range(size)] for i in range(size)])


STRETCHED = circulant([-8.0, *[0.71] * 5, 0.9, *[0.71] * 5])


def test_strong_curie_weiss_has_no_guarantee_and_two_fixed_points():
    spins = gh.PairwiseSpins.curie_weiss(12, 1.6)

    report = spins.report(gh.noisy("x", sigma=1.0))

    assert report.naive.largest == pytest.approx(1.6 * 11 / 12)
    assert not report.unique
    assert not report.converges
    assert "uniqueness not guaranteed: largest eigenvalue 1.467 >= 1" in repr(report)
    assert spins.fixed_points().share == 1


@pytest.mark.parametrize(("t", "share", "error", "trivial"), [(1.5, 0.98, 0.25, 0.178)])
def test_two_fixed_points_are_counted_by_rows_of_evidence(t, share, error, trivial):
    spins = gh.PairwiseSpins.curie_weiss(12, 1.6)
    rng = np.random.default_rng(1)
    x = drawn(spins.couplings, spins.fields, 400, rng)
    z, lam, sig = diffused(x, t, rng)

    found = spins.fixed_points({"x": (z, gh.Gaussian(sig, lam))})

    exact = means(spins.couplings, spins.fields, lam / sig**2 * z)
    assert found.share == pytest.approx(share, abs=0.03)
    assert ((found.zero - exact) ** 2).mean() == pytest.approx(error, rel=0.3)
    assert ((np.tanh(lam / sig**2 * z) - exact) ** 2).mean() == pytest.approx(trivial, rel=0.3)
    assert "rows have two fixed points or more" in repr(found)


def test_a_stretched_spectrum_is_flagged_and_damped():
    spins = gh.PairwiseSpins(STRETCHED)
    np.testing.assert_allclose(np.diag(STRETCHED), 0, atol=EXACT)

    report = spins.report()
    found = spins.fixed_points({"x": (RNG.normal(size=(3, 12)), gh.Gaussian(sigma=1.0))})

    assert (report.naive.smallest, report.naive.largest) == pytest.approx((-8.0, 0.9))
    assert report.unique
    assert not report.converges
    assert "undamped it may not converge" in repr(report)
    assert report.naive.rate(report.naive_damping) < 1
    assert found.gap.max() < 1e-8
    assert not found.moving.any()


def test_the_damped_iteration_reaches_the_fixed_point_and_the_undamped_does_not():
    spins = gh.PairwiseSpins(STRETCHED)
    z = RNG.normal(size=(3, 12))
    given = gh.noisy("x", sigma=1.0)

    fixed = spins.fixed_points({"x": (z, gh.Gaussian(sigma=1.0))}, tolerance=1e-14)
    programs = [gh.compile(spins, gh.mean("x"), given, engine=gh.NaiveMeanField(steps=2000))]
    undamped = gh.NaiveMeanField(steps=2000, damping=0.0)
    with pytest.warns(GuaranteeWarning, match="with damping=0 steps may never settle"):
        programs.append(gh.compile(spins, gh.mean("x"), given, engine=undamped))
    damped, free = (program.network()(z).numpy() for program in programs)

    np.testing.assert_allclose(fixed.up, fixed.down, atol=1e-10)
    np.testing.assert_allclose(damped, fixed.up, atol=1e-10)
    assert np.abs(free - fixed.up).max() > 0.1


@settings(max_examples=30)
@given(st.integers(2, 8), st.integers(0, 2**32 - 1))
def test_damped_steps_never_raise_the_free_energy_and_converge(size, seed):
    rng = np.random.default_rng(seed)
    axes, _ = np.linalg.qr(rng.normal(size=(size, size)))
    matrix = (axes * rng.uniform(-10, 0.9, size)) @ axes.T
    field, m = rng.normal(size=size), np.zeros(size)
    damping = spectrum(matrix).damping

    def free_energy(m):
        low, high = (1 - m) / 2, (1 + m) / 2
        return low @ np.log(low) + high @ np.log(high) - m @ matrix @ m / 2 - field @ m

    energies = [free_energy(m)]
    for _ in range(1500):
        m = damping * m + (1 - damping) * np.tanh(matrix @ m + field)
        energies.append(free_energy(m))

    assert np.diff(energies).max() <= EXACT
    np.testing.assert_allclose(m, np.tanh(matrix @ m + field), atol=EXACT)


@pytest.mark.parametrize("smallest", [-0.3, -1.0, -1.7, -30.0])
@pytest.mark.parametrize("largest", [0.2, 0.99])
def test_damping_makes_the_linear_map_a_contraction(smallest, largest):
    found = Spectrum(smallest, largest)

    assert found.rate(found.damping) < 1
    assert (found.damping == 0) == (found.norm < 1)
    for more in (0.01, 0.1):  # no other damping is better, where one is needed
        if found.damping > 0:
            assert found.rate(found.damping) <= found.rate(
                found.damping + more * (1 - found.damping)
            )
            assert found.rate(found.damping) <= found.rate(found.damping * (1 - more))


def test_the_number_of_steps_shrinks_an_error_as_promised():
    found = Spectrum(-0.4, 0.8)

    steps = found.steps(0.0, 1e-6, 1000)

    assert 0.8**steps <= 1e-6 < 0.8 ** (steps - 1)
    assert Spectrum(-0.4, 1.2).steps(0.0, 1e-6, 77) == 77


def test_large_spectra_are_found_by_their_ends():
    vector = RNG.normal(size=1200)
    vector /= np.linalg.norm(vector)

    found = spectrum(0.1 * np.eye(1200) + np.outer(vector, vector))

    assert found.largest == pytest.approx(1.1)
    assert found.smallest == pytest.approx(0.1)
    assert spectrum(np.zeros((3, 3))) == Spectrum(0.0, 0.0)


def test_the_overlap_of_single_spins_is_a_gaussian_integral():
    # Without couplings q = E tanh(t + sqrt(t) g)^2, here by a Riemann sum.
    g = np.linspace(-12, 12, 20_001)
    density = np.exp(-(g**2) / 2) / np.sqrt(2 * np.pi) * (g[1] - g[0])
    ratios = np.array([0.0, 0.5, 3.0, np.inf])

    found = overlaps(np.zeros((4, 4)), np.zeros(4), ratios)

    expected = [(np.tanh(t + np.sqrt(t) * g) ** 2 * density).sum() for t in ratios[:3]]
    np.testing.assert_allclose(found, [*expected, 1.0], atol=1e-5)


def test_the_overlap_of_glassy_spins_is_what_samples_have():
    spins = gh.PairwiseSpins.sherrington_kirkpatrick(12, 0.3, seed=4)
    rng = np.random.default_rng(0)
    x = drawn(spins.couplings, spins.fields, 3000, rng)
    exact = means(spins.couplings, spins.fields, 0.5 * x + np.sqrt(0.5) * rng.normal(size=x.shape))

    q = overlaps(spins.couplings, spins.fields, np.full(12, 0.5))
    correction = onsager(spins.couplings, spins.fields, np.full(12, 0.5))

    np.testing.assert_allclose(q, (exact**2).mean(0), atol=0.05)
    np.testing.assert_allclose(correction, spins.couplings**2 @ (1 - q))


def test_the_longest_path_is_that_of_the_graph():
    for seed in range(5):
        matrix = random_tree(12, np.random.default_rng(seed))
        assert longest_path(arrows(matrix)) == nx.diameter(nx.from_numpy_array(matrix != 0))
    assert longest_path(arrows(np.ones((3, 3)) - np.eye(3))) is None
    assert longest_path(arrows(np.zeros((2, 2)))) == 0


def test_the_rate_of_messages_is_a_spectral_radius():
    matrix = random_couplings(6, RNG, scale=0.3)
    edges = arrows(matrix)
    after = (edges.target[None, :] == edges.source[:, None]) & (
        edges.source[None, :] != edges.target[:, None]
    )
    whole = after * np.tanh(np.abs(edges.strength))[:, None]

    radius = np.abs(np.linalg.eigvals(whole)).max()

    assert contraction(edges) == pytest.approx(radius, rel=1e-6)


@pytest.mark.parametrize(
    ("graph", "least", "most"),
    [
        (nx.complete_graph(9), 8, 8),
        (nx.cycle_graph(9), 2, 2),
        (nx.path_graph(9), 1, 1),
        (nx.empty_graph(3), 0, 0),
        (nx.grid_2d_graph(4, 9), 2, 4),
        (nx.complete_graph(60), 59, None),
    ],
)
def test_bounds_of_the_treewidth(graph, least, most):
    found = couplings_width(nx.to_numpy_array(graph))

    assert found == Width(least, most)
    assert found.exact == (most is not None and most <= 12)


def test_exact_inference_is_the_default_where_the_width_allows():
    given = gh.noisy("x", sigma=1.0)
    narrow = gh.PairwiseSpins.sherrington_kirkpatrick(6, 0.3)
    wide = gh.PairwiseSpins.sherrington_kirkpatrick(60, 0.3)

    exact = gh.compile(narrow, gh.mean("x"), given).schedule
    naive = gh.compile(wide, gh.mean("x"), given).schedule

    assert exact.forest.couplings == {}
    assert naive.forest.couplings != {}
    assert narrow.report().exact
    assert not wide.report().exact
    assert "treewidth at least 59; not used by default" in repr(wide.report())


def test_trees_are_said_to_be_exact():
    report = gh.PairwiseSpins(random_tree(5, RNG)).report()

    assert report.tree
    assert "exact: the couplings form a tree" in repr(report)


def test_unknown_options_of_fixed_points_are_refused():
    with pytest.raises(QueryError, match="unknown onsager_term='self'; known: 'naive', 'constant'"):
        gh.PairwiseSpins.curie_weiss(3, 0.5).fixed_points(onsager_term="self")
    with pytest.raises(ModelError, match="fixed_points: steps must be a whole number >= 1, got 0"):
        gh.PairwiseSpins.curie_weiss(3, 0.5).fixed_points(steps=0)


def test_no_rows_have_no_fixed_points_in_question():
    found = gh.PairwiseSpins.curie_weiss(3, 0.5).fixed_points({"x": np.zeros((0, 3), dtype=int)})

    assert found.share == 0


def test_names_of_classes_are_states_that_are_given():
    spins = gh.PairwiseSpins.curie_weiss(3, 0.5)

    assert repr(spins.report("x")) == repr(spins.report([Given("x")]))
