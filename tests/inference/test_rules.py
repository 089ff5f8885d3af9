"""Joint rules: table, rules and a list of all configurations agree; zeros, gradients, long ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import ghmpp as gh
from ghmpp.errors import ImpossibleEvidenceError
from ghmpp.models.rules import Rules
from tests.models.joint_rules import JointModel, joint_models, observed
from tests.tolerances import DIFFERENCES, ENUMERATION, SINGLE

FORMS = ("table", "record", "list")


@pytest.mark.slow
@settings(max_examples=200)
@given(data=st.data(), model=joint_models())
def test_posteriors_evidence_and_the_best_configuration_are_those_of_all_configurations(
    data, model
):
    forms = data.draw(st.lists(st.sampled_from(FORMS), min_size=3, max_size=3))
    evidence, likelihoods = data.draw(observed(model))
    weights = model.given(likelihoods)
    engine = gh.Inference(model.declared(forms[: len(model.branching)]), on_impossible="flag")

    beliefs = engine.posteriors(evidence)
    totals = weights.sum(axis=1)
    assert beliefs.possible.tolist() == (totals > 0).tolist()
    with np.errstate(divide="ignore"):
        logs = np.log(totals) - np.log(model.weights.sum())
    np.testing.assert_allclose(beliefs.log_evidence, logs, rtol=ENUMERATION, atol=ENUMERATION)
    for level in range(len(model.states)):
        expected = model.posterior(weights, level)
        found = beliefs[f"x{level}"].reshape(expected.shape)
        np.testing.assert_allclose(found, expected, rtol=0, atol=ENUMERATION)
    best = best_weights(model, engine.map(evidence), weights)
    np.testing.assert_allclose(best, weights.max(axis=1), rtol=ENUMERATION)


def best_weights(model: JointModel, best: dict[str, np.ndarray], weights: np.ndarray) -> np.ndarray:
    """Weight of one configuration per row of the batch; 0 where there is none."""
    found = []
    for row, total in enumerate(weights.sum(axis=1)):
        same = np.ones(weights.shape[1], dtype=bool)
        for level, states in enumerate(model.configurations):
            places = [model.place(level, node) for node in range(model.sizes[level])]
            chosen = best[f"x{level}"].reshape(len(weights), -1)[row, places]
            same &= (states == chosen).all(axis=1)
        assert same.sum() == (total > 0)
        found.append(weights[row, same].sum())
    return np.array(found)


@settings(max_examples=25)
@given(data=st.data(), model=joint_models())
def test_edges_and_means_are_those_of_all_configurations(data, model):
    evidence, likelihoods = data.draw(observed(model))
    weights = model.given(likelihoods)
    assume((weights.sum(axis=1) > 0).all())
    last = len(model.branching)
    values = np.arange(model.states[-1]) - 0.5
    declared = model.declared(values=values)

    beliefs = gh.infer(declared, evidence)
    for level in range(1, last + 1):
        expected = model.pair(weights, level)
        found = beliefs.edge(f"x{level - 1}", f"x{level}")
        np.testing.assert_allclose(found, expected, rtol=0, atol=ENUMERATION)
    if list(likelihoods) == [last]:
        network = gh.compile(declared, gh.mean(f"x{last}"), given=f"x{last}").network()
        means = network(torch.tensor(likelihoods[last])).numpy()
        expected_means = model.posterior(weights, last) @ values
        np.testing.assert_allclose(means, expected_means.reshape(means.shape), atol=ENUMERATION)


@pytest.fixture(scope="module")
def hierarchy() -> gh.Model:
    """4,096 leaves under unambiguous random rules."""
    return gh.zoo.random_hierarchy(v=8, m=4, s=2, L=12, seed=5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
class TestLong:
    def softened(self, states: np.ndarray, eps: float) -> np.ndarray:
        return np.where(states[..., None] == np.arange(8), 1 - eps, eps / 7)

    def test_a_hard_string_of_4096_leaves_tells_every_symbol(self, hierarchy, dtype):
        truth = hierarchy.sample(2, seed=1)
        beliefs = gh.infer(hierarchy, truth["x12"], dtype=dtype)

        assert np.isfinite(beliefs.log_evidence).all()
        for name, states in truth.items():
            one_hot = states[..., None] == np.arange(8)
            np.testing.assert_allclose(beliefs[name].reshape(one_hot.shape), one_hot, atol=SINGLE)

    @pytest.mark.parametrize("eps", [0.3, 1e-3])
    def test_soft_evidence_gives_finite_posteriors_that_sum_to_1(self, hierarchy, dtype, eps):
        states = hierarchy.sample(2, seed=2)["x12"]
        states[1] = np.random.default_rng(0).integers(8, size=4096)  # ungrammatical
        beliefs = gh.infer(hierarchy, {"x12": self.softened(states, eps)}, dtype=dtype)

        assert beliefs.possible.all()
        assert np.isfinite(beliefs.log_evidence).all()
        for name in beliefs:
            np.testing.assert_allclose(beliefs[name].sum(axis=-1), 1, atol=SINGLE)

    def test_an_ungrammatical_string_is_impossible_and_its_tuple_is_named(self, hierarchy, dtype):
        states = hierarchy.sample(3, seed=3)["x12"]
        allowed = {children for _, children in hierarchy.rules["x12"]}
        wrong = next(w for w in range(8) if (w, int(states[1, 7])) not in allowed)
        states[1, 6] = wrong
        flagged = gh.infer(hierarchy, states, dtype=dtype, on_impossible="flag")

        assert flagged.possible.tolist() == [True, False, True]
        assert flagged.log_evidence[1] == -np.inf
        assert all(np.isfinite(flagged[name]).all() for name in flagged)
        words = rf"row 1 at x11\[3\] -> \({wrong}, {states[1, 7]}\); every state there"
        with pytest.raises(ImpossibleEvidenceError, match=words):
            gh.infer(hierarchy, states, dtype=dtype)


class TestImpossible:
    def test_grammars_name_the_tuple_in_symbols(self):
        model = gh.grammar("S -> NP VP | VP NP; NP -> a b | b a; VP -> c c")
        strings = [["a", "b", "c", "c"], ["a", "a", "c", "c"], ["a", "b", "b", "a"]]

        words = r"row 1 at x1\[0\] -> \(a, a\), row 2 at x0 -> \(NP, NP\); every state"
        with pytest.raises(ImpossibleEvidenceError, match=words) as error:
            gh.infer(model, strings)
        assert error.value.rows == (1, 2)
        assert gh.Inference(model).log_evidence(strings)[1:].tolist() == [-np.inf, -np.inf]

    def test_a_tuple_that_is_seen_in_part_lists_what_is_possible(self):
        model = gh.grammar("S -> A B | B A; A -> a b | b a; B -> c d | d c")

        with pytest.raises(ImpossibleEvidenceError, match=r"x1\[1\] -> \(a, \{c, d\}\)"):
            gh.infer(model, {"x2": [[[1, 1, 1, 1]] * 2 + [[1, 0, 0, 0], [0, 0, 1, 1]]]})

    def test_a_symbol_that_is_seen_inside_breaks_the_tuple_that_it_is_in(self):
        model = gh.grammar("S -> A B; A -> a a; B -> b b")

        with pytest.raises(ImpossibleEvidenceError, match=r"row 0 at x0 -> \(B, any\)"):
            gh.infer(model, {"x1[0]": ["B"]})


class TestGradients:
    """psi * d log Z / d psi = expected count: a zero weight and hard evidence stay finite."""

    TABLE = np.array([[[0.0, 0.5], [0.25, 0.25]], [[1.0, 0.5], [0.0, 2.0]]])

    def model(self) -> gh.Model:
        parent, *children = np.indices(self.TABLE.shape).reshape(3, -1)
        rules = Rules(parent, np.stack(children, axis=1), self.TABLE.ravel())  # zeros are rules
        return gh.GHM(2, (2, 2), [rules, rules], prior=[1, 2])

    def gradients(self, x: np.ndarray) -> dict[str, torch.Tensor]:
        network = gh.compile(self.model(), gh.log_evidence(), given="x2").network()
        for parameter in network.parameters():
            parameter.requires_grad_(parameter.is_floating_point())
        network(torch.tensor(x)).sum().backward()
        return {n: p for n, p in network.named_parameters() if p.grad is not None}

    def log_evidence(self, tables: list[np.ndarray], x: np.ndarray) -> float:
        law = JointModel((2, 2, 2), (2, 2), np.array([1.0, 2.0]), tuple(tables))
        weights = law.given({2: (x[..., None] == np.arange(2)).astype(float)})
        return float(np.sum(np.log(weights.sum(axis=1)) - np.log(law.weights.sum())))

    def test_slopes_are_finite_at_zeros_and_those_of_all_configurations(self):
        x = np.array([[0, 1, 1, 0], [1, 1, 0, 1]])
        found = self.gradients(x)

        weights = {name: p for name, p in found.items() if p.numel() == self.TABLE.size}
        assert weights
        assert all(torch.isfinite(p.grad).all() for p in found.values())
        tables, step = [self.TABLE, self.TABLE], 1e-5
        for entry in np.ndindex(self.TABLE.shape):
            up, down = self.TABLE.copy(), self.TABLE.copy()
            up[entry], down[entry] = up[entry] + step, down[entry] - step
            slope = sum(
                self.log_evidence([*tables[:level], up, *tables[level + 1 :]], x)
                - self.log_evidence([*tables[:level], down, *tables[level + 1 :]], x)
                for level in range(2)
            ) / (2 * step)
            index = int(np.ravel_multi_index(entry, self.TABLE.shape))
            total = sum(float(p.grad.reshape(-1)[index]) for p in weights.values())
            assert total == pytest.approx(slope, rel=DIFFERENCES, abs=DIFFERENCES)

    @pytest.mark.parametrize(
        ("small", "large", "domain"), [(0.5, 0.3, "linear"), (1e-300, 1e300, "log")]
    )
    def test_slopes_are_finite_in_both_domains_under_a_prior_of_zero(self, small, large, domain):
        table = self.TABLE.copy()
        table[1, 0, 1], table[1, 1, 0] = small, large
        parent, *children = np.indices(table.shape).reshape(3, -1)
        rules = Rules(parent, np.stack(children, axis=1), table.ravel())
        model = gh.GHM(2, (2, 2, 2), [rules] * 3, prior=[1, 0])
        network = gh.compile(model, gh.log_evidence(), given="x3").network()
        assert network.domain.kind == domain
        for parameter in network.parameters():
            parameter.requires_grad_(parameter.is_floating_point())
        hard = torch.eye(2, dtype=torch.float64)[torch.tensor([[0, 1, 1, 0, 0, 1, 1, 1]])]
        hard.requires_grad_(True)
        network(hard).sum().backward()

        slopes = [p.grad for p in network.parameters() if p.grad is not None]
        assert len(slopes) >= 2
        assert all(torch.isfinite(slope).all() for slope in (*slopes, hard.grad))
