"""The emitted module: names, state, precision, inputs, batches, memory that is its own."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import sympy as sp
import torch
from torch import Tensor

import ghmpp as gh
from ghmpp.backends.network import Network
from ghmpp.errors import EvidenceError, ModelError, QueryError, ResourceError
from ghmpp.models.model import Model
from ghmpp.models.observations import Observation
from ghmpp.schedule.plan import schedule_for
from tests.tolerances import EXACT, SINGLE

BETA = sp.Symbol("beta", positive=True)


def digits(beta: float = 0.7) -> Model:
    """Class, blocks, pixels; the last potential is a formula of one symbol."""
    rng = np.random.default_rng(0)
    model = gh.Model("digits")
    digit = model.root("digit", 3, prior=[1, 2, 3])
    block = digit.children("block", 2, 4, potential=rng.uniform(1, 2, size=(2, 3, 4)))
    block.children(
        "pixel", 3, range(5), potential=lambda s, x: sp.exp(-BETA * (x - s) ** 2), order=ORDER
    )
    return model.bind(beta=beta)


ORDER = (3, 0, 5, 1, 4, 2)
MODEL = digits()
DENOISER = gh.compile(MODEL, gh.mean("pixel"), given=gh.noisy("pixel", sigma=2.0))
EVERYTHING = gh.compile(
    MODEL,
    [gh.posterior("digit"), gh.posterior("pixel"), gh.log_evidence(), gh.edge("block")],
    given=[gh.noisy("pixel", sigma=2.0), "digit"],
)
Z = torch.tensor(np.random.default_rng(1).normal(2, 3, size=(7, 6)))


def denoiser(**options: object) -> Network:
    return DENOISER.network(**options)


class TestNames:
    def test_messages_are_submodules_by_direction_and_class(self):
        network = denoiser()
        names = dict(network.named_modules())

        expected = {"collect.block", "collect.pixel", "distribute.block", "distribute.pixel"}
        assert expected <= set(names)
        assert names["collect.pixel"].message == "pixel -> block"
        assert names["distribute.pixel"].message == "block -> pixel"

    def test_a_classifier_has_no_way_down(self):
        network = gh.compile(MODEL, gh.posterior("digit"), given="pixel").network()

        assert list(network.distribute) == []
        assert list(network.collect) == ["pixel", "block"]

    def test_print_reads_as_messages(self):
        text = str(denoiser())

        assert "pixel -> block, 5 -> 4 states, 3 ranks" in text
        assert "block -> pixel, 4 -> 5 states, 3 ranks" in text

    def test_potentials_live_once(self):
        network = denoiser()

        assert set(network.state_dict()) == {
            "potentials.digit",
            "potentials.digit->block",
            "symbols.beta",
        }
        assert not any(parameter.requires_grad for parameter in network.parameters())

    def test_awkward_names_are_allowed(self):
        model = gh.Model("odd")
        model.root("forward", 2).children("a.b", 2, 2, potential=[[1, 2], [3, 1]])
        network = gh.compile(model, gh.posterior("a.b"), given="a.b").network()

        assert network(torch.tensor([[0, 1]])).shape == (1, 2, 2)


class TestState:
    def test_it_comes_back(self):
        first, second = denoiser(), gh.compile(digits(0.3), gh.mean("pixel"), DENOISER.given)
        other = second.network()
        assert not torch.equal(first(Z), other(Z))
        other.load_state_dict(first.state_dict())

        assert torch.equal(first(Z), other(Z))

    def test_changing_a_parameter_changes_the_answers(self):
        network = denoiser()
        network(Z)
        with torch.no_grad():
            network.symbols["beta"].fill_(0.3)

        expected = gh.compile(digits(0.3), gh.mean("pixel"), DENOISER.given).network()(Z)
        torch.testing.assert_close(network(Z), expected, rtol=EXACT, atol=EXACT)

    def test_the_domain_follows_the_parameters(self):
        model = gh.GHM(states=(2, 2), branching=(8,), tables=[np.eye(2) + 1])
        queries = [gh.posterior("x0"), gh.log_evidence()]
        network = gh.compile(model, queries, given="x1").network(dtype="float32")
        assert network.domain.dtype == "float32"
        with torch.no_grad():
            network.potentials["x0->x1"].copy_(torch.tensor([[[1, 1e-30], [1e-30, 1]]]))
        posterior, logs = network(torch.tensor([[0] * 4 + [1] * 4]))

        assert network.domain.dtype == "float64"
        np.testing.assert_allclose(posterior, [[0.5, 0.5]], rtol=SINGLE)
        assert float(logs) == pytest.approx(4 * np.log(1e-30), rel=SINGLE)

    def test_parameters_may_be_passed_to_a_call(self):
        """Each lives only as long as its call, so that memory addresses come back."""
        network = gh.compile(digits(), gh.posterior("digit")).network()
        state = network.state_dict()
        for weight in (1.0, 2.0, 5.0):
            prior = torch.tensor([[1.0, 2.0, weight]], dtype=torch.float64)
            changed = {**state, "potentials.digit": prior}
            twin = gh.compile(digits(), gh.posterior("digit")).network()
            twin.load_state_dict(changed)

            found = torch.func.functional_call(network, changed, ())
            torch.testing.assert_close(found, twin(), rtol=EXACT, atol=EXACT)

    def test_a_copy_is_independent(self):
        network = denoiser()
        twin = copy.deepcopy(network)
        with torch.no_grad():
            twin.potentials["digit"].copy_(torch.tensor([[1.0, 0.0, 0.0]]))

        assert torch.equal(network(Z), denoiser()(Z))
        assert not torch.equal(network(Z), twin(Z))


class TestPrecision:
    def test_casting_to_float32_is_asking_for_it(self):
        cast, asked = denoiser().to(torch.float32), denoiser(dtype="float32")

        assert cast(Z).dtype == asked(Z).dtype == torch.float32
        assert torch.equal(cast(Z), asked(Z))
        np.testing.assert_allclose(cast(Z), denoiser()(Z), rtol=SINGLE, atol=SINGLE)

    def test_casting_back_gives_float64(self):
        assert denoiser(dtype="float32").double()(Z).dtype == torch.float64

    def test_the_log_evidence_stays_in_float64(self):
        network = EVERYTHING.network(dtype="float32")
        posterior, _, logs, _ = network(Z, torch.full((7,), -1))

        assert (posterior.dtype, logs.dtype) == (torch.float32, torch.float64)

    def test_other_precisions_are_refused(self):
        with pytest.raises(QueryError, match=r"float16 is not supported; use float32 or float64"):
            denoiser().half()(Z)

    @pytest.mark.parametrize("scale", [1.0, 1e-60])
    def test_entries_that_float32_cannot_hold_are_kept(self, scale):
        """A table whose entries are 1e-60 or span 60 decades is not rounded to zeros."""
        table = scale * np.array([[1, 1e-60], [1e-60, 1]])
        model = gh.GHM(states=(2, 2), branching=(2,), tables=[table])
        x = np.array([[0, 0], [0, 1]])
        beliefs = gh.infer(model, x, dtype="float32")

        exact = gh.infer(model, x)
        np.testing.assert_allclose(beliefs["x0"], exact["x0"], atol=SINGLE)
        np.testing.assert_allclose(beliefs.log_evidence, exact.log_evidence, rtol=SINGLE)
        assert beliefs["x0"].dtype == np.float32

    def test_formulas_do_not_underflow_in_float32(self):
        model = gh.Model("far")
        root = model.root("s", [0, 20])
        root.children("x", 1, [0, 20], potential=lambda s, x: sp.exp(-BETA * (x - s) ** 2))
        bound = model.bind(beta=0.5)

        found = gh.Inference(bound, dtype="float32").log_evidence({"s": [0], "x": [20]})
        assert float(found[0]) == pytest.approx(-200 - np.log(2), rel=1e-6)


class TestInputs:
    def test_channel_parameters_are_those_of_the_call(self):
        """The same weights serve every noise level."""
        network = denoiser()
        changed = network(Z, sigma=4.0)

        other = gh.compile(MODEL, gh.mean("pixel"), given=gh.noisy("pixel", sigma=4.0)).network()
        assert torch.equal(changed, other(Z))
        assert not torch.equal(changed, network(Z))

    def test_several_queries_are_answered_in_order_without_axes_of_single_nodes(self):
        found = EVERYTHING.network()(Z, torch.full((7,), -1))

        assert [tuple(part.shape) for part in found] == [(7, 3), (7, 6, 5), (7,), (7, 2, 3, 4)]

    def test_inputs_may_be_likelihoods(self):
        likelihood = torch.exp(-((Z[..., None] - torch.arange(5)) ** 2) / (2 * 2.0**2))

        torch.testing.assert_close(denoiser()(likelihood), denoiser()(Z), rtol=EXACT, atol=EXACT)

    def test_nan_is_a_missing_observation(self):
        holes = torch.where(torch.arange(6) % 2 == 0, torch.nan, Z)
        likelihood = torch.exp(-((holes[..., None] - torch.arange(5)) ** 2) / 8).nan_to_num(1.0)

        found = denoiser()(holes)
        torch.testing.assert_close(found, denoiser()(likelihood), rtol=EXACT, atol=EXACT)

    def test_arrays_are_taken_too_also_read_only_ones(self):
        fixed = Z.numpy().copy()
        fixed.setflags(write=False)

        assert torch.equal(denoiser()(fixed), denoiser()(Z))

    @pytest.mark.parametrize("shape", [(7,), (7, 5), (7, 6, 4), (1, 7, 6, 5)])
    def test_wrong_shapes_are_refused(self, shape):
        with pytest.raises(EvidenceError, match=r"input 'pixel' must have shape \(batch, 6\)"):
            denoiser()(torch.ones(shape))

    @pytest.mark.parametrize("count", [0, 2])
    def test_a_wrong_number_is_refused(self, count):
        with pytest.raises(EvidenceError, match=f"expected inputs for pixel, got {count} inputs"):
            denoiser()(*[Z] * count)

    def test_batches_that_differ_are_refused(self):
        with pytest.raises(EvidenceError, match="same batch size, got pixel: 7, digit: 3"):
            EVERYTHING.network()(Z, torch.zeros(3, dtype=torch.int64))

    def test_infinities_are_refused(self):
        with pytest.raises(EvidenceError, match="must be finite"):
            denoiser()(torch.full((1, 6), torch.inf))

    def test_unknown_states_are_refused(self):
        network = gh.compile(MODEL, gh.posterior("digit"), given="pixel").network()

        with pytest.raises(EvidenceError, match="state indices 0 to 4"):
            network(torch.full((1, 6), 5))

    def test_likelihoods_must_be_likelihoods(self):
        with pytest.raises(EvidenceError, match="finite numbers >= 0"):
            denoiser()(torch.full((1, 6, 5), -1.0))


class TestBatches:
    @pytest.mark.parametrize("chunk", [1, 2, 6, 7, 100])
    def test_chunks_change_nothing(self, chunk):
        digit = torch.tensor([0, 1, 2, -1, -1, 0, 1])
        whole = EVERYTHING.network()(Z, digit)

        parts = EVERYTHING.network(chunk=chunk)(Z, digit)
        for part, expected in zip(parts, whole, strict=True):
            torch.testing.assert_close(part, expected, rtol=EXACT, atol=EXACT)

    def test_one_row_is_a_batch(self):
        torch.testing.assert_close(denoiser()(Z[:1]), denoiser()(Z)[:1], rtol=EXACT, atol=EXACT)

    def test_no_rows_give_no_rows(self):
        found = EVERYTHING.network()(Z[:0], torch.zeros(0, dtype=torch.int64))

        assert [tuple(part.shape) for part in found] == [(0, 3), (0, 6, 5), (0,), (0, 2, 3, 4)]

    def test_no_evidence_is_one_row(self):
        network = gh.compile(MODEL, [gh.posterior("digit"), gh.log_evidence()]).network()
        posterior, logs = network()

        assert posterior.shape == (1, 3)
        np.testing.assert_allclose(logs, [0.0], atol=EXACT)

    @pytest.mark.parametrize("rows", [1, 1000])
    def test_chunks_fill_the_cache(self, rows):
        assert denoiser(chunk=rows).rows_per_chunk() == rows
        assert 1000 < denoiser().rows_per_chunk() < 10**6


@pytest.mark.parametrize("dtype", ["float32", "float64"])
class TestMemory:
    """Buffers are reused inside a call, never across its border."""

    def test_calls_leave_inputs_and_earlier_results_alone(self, dtype):
        network = EVERYTHING.network(dtype=dtype)
        z, digit = Z.to(network.dtype), torch.tensor([0, 1, 2, -1, -1, 0, 1])
        before = z.clone(), digit.clone()
        first = network(z, digit)
        kept = [part.clone() for part in first]
        second = network(z, digit)
        network(z + 1, digit)

        assert torch.equal(z, before[0])
        assert torch.equal(digit, before[1])
        for part, old, new in zip(first, kept, second, strict=True):
            assert torch.equal(part, old)
            assert torch.equal(part, new)

    def test_parameters_are_left_alone(self, dtype):
        network = EVERYTHING.network(dtype=dtype)
        before = {key: value.clone() for key, value in network.state_dict().items()}
        network(Z, torch.full((7,), -1))

        assert all(torch.equal(value, before[k]) for k, value in network.state_dict().items())

    def test_writing_into_results_does_no_harm(self, dtype):
        network = EVERYTHING.network(dtype=dtype)
        first = [part.clone() for part in network(Z, torch.full((7,), -1))]
        for part in network(Z, torch.full((7,), -1)):
            part.zero_()

        for old, new in zip(first, network(Z, torch.full((7,), -1)), strict=True):
            assert torch.equal(old, new)

    def test_every_row_of_a_result_is_its_own(self, dtype):
        """Also those of a tree that no evidence reaches."""
        model = gh.Model("two")
        model.root("seen", 2)
        model.root("unseen", 2, prior=[1, 3])
        network = gh.compile(model, gh.posterior("unseen"), given="seen").network(dtype=dtype)
        found = network(torch.tensor([0, 1, 0]))
        found[0] = 7.0

        np.testing.assert_allclose(found[1:], [[0.25, 0.75]] * 2)

    def test_likelihoods_are_left_alone(self, dtype):
        network = DENOISER.network(dtype=dtype)
        likelihood = Z[:3, :, None].abs().expand(3, 6, 5).to(network.dtype).clone()
        before = likelihood.clone()
        network(likelihood)

        assert torch.equal(likelihood, before)


def test_draws_of_states_have_their_own_axis_and_nothing_else_has():
    wanted = [("choice", "digit"), ("choice", "pixel"), ("log_evidence", "")]
    network = Network(schedule_for(MODEL.forest(), wanted, ["pixel"], choose="sample"))
    x = Observation("states", np.zeros((2, 6), dtype=np.int64))
    found = network.evaluate({"pixel": x}, generator=torch.Generator().manual_seed(0), draws=4)

    assert [tuple(found[key].shape) for key in wanted] == [(2, 4, 1), (2, 4, 6), (2,)]


def test_a_model_without_mass_is_refused():
    model = gh.Model("dead")
    model.root("a", 2, prior=[1, 0]).children("b", 1, 2, potential=[[0, 0], [1, 1]])
    for dtype in ("float32", "float64"):
        network = gh.compile(model, gh.log_evidence()).network(dtype=dtype)

        with pytest.raises(ModelError, match="no configuration has positive"):
            network()


def test_the_gradient_refuses_a_model_without_mass_too():
    model = gh.Model("dead")
    model.root("a", 2, prior=[1, 0]).children("b", 1, 2, potential=[[0, 0], [1, 1]])
    network = gh.compile(model, gh.log_evidence()).network()
    network.potentials["a"].requires_grad_(True)

    with pytest.raises(ModelError, match="no configuration has positive mass"):
        network()


def test_a_model_too_big_for_memory_is_refused_before_anything_is_made():
    model = gh.GHM(states=(9,) * 4, branching=(2000, 2000, 2000))
    program = gh.compile(model.initialise(0), gh.posterior("x3"), given="x3")

    with pytest.raises(ResourceError, match=r"a batch of 1 needs .*TiB.* largest block: 'x3'"):
        program.network()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_impossible_rows_leave_the_gradients_of_others_finite(dtype):
    model = gh.GHM(states=(2,) * 4, branching=(2, 1, 2), state_values=[0.0, 1.0]).initialise(0)
    queries = [gh.posterior("x0"), gh.mean("x3"), gh.edge("x2")]
    network = gh.compile(model, queries, given="x3").network(dtype=dtype)
    for parameter in network.parameters():
        parameter.requires_grad_(True)
    likelihood = Z[:3, :4, None].abs().expand(3, 4, 2).to(network.dtype).clone()
    likelihood[0, 0] = 0.0
    likelihood.requires_grad_(True)
    sum_of(network(likelihood)).backward()

    for tensor in (likelihood, *network.parameters()):
        assert torch.isfinite(tensor.grad).all()


def sum_of(parts: tuple[Tensor, ...]) -> Tensor:
    return sum((part.sum() for part in parts), torch.zeros(()))


@pytest.mark.parametrize("chunk", [None, 3])
def test_gradients_reach_inputs_and_parameters_and_results_are_those_without(chunk):
    network = EVERYTHING.network(chunk=chunk)
    digit = torch.full((7,), -1)
    plain = network(Z, digit)
    for parameter in network.parameters():
        parameter.requires_grad_(True)
    z = Z.clone().requires_grad_(True)
    tracked = network(z, digit)
    sum_of(tracked).backward()

    for part, expected in zip(tracked, plain, strict=True):
        torch.testing.assert_close(part.detach(), expected, rtol=EXACT, atol=EXACT)
    assert z.grad is not None
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert not plain[0].requires_grad


def test_a_network_made_in_inference_mode_answers_inside_and_outside():
    with torch.inference_mode():
        network = DENOISER.network()
        inside = network(Z)

    torch.testing.assert_close(network(Z), inside, rtol=EXACT, atol=EXACT)
    torch.testing.assert_close(DENOISER.network()(Z), inside, rtol=EXACT, atol=EXACT)


def test_results_may_go_into_a_computation_with_gradients():
    digit = torch.full((7,), -1)
    for part in EVERYTHING.network()(Z, digit):
        weight = torch.ones((), dtype=part.dtype, requires_grad=True)
        (part * weight).sum().backward()

        assert weight.grad is not None


@pytest.mark.parametrize(("factor", "found"), [(0.0, "0.0 to 0.0"), (-1.0, "-"), (np.nan, "nan")])
def test_parameters_that_training_has_broken_are_named(factor, found):
    network = denoiser()
    key = next(iter(network.potentials))

    with torch.no_grad():
        network.potentials[key].mul_(factor)

    with pytest.raises(ModelError, match=rf"potential '{key}': entries must be.*{found}"):
        network(torch.zeros(1, network.schedule.forest.variables[network.given[0].variable].nodes))
