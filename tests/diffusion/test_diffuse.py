"""The entry point: seeds, chunks, decoding, trajectories, conditions, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import ghmpp as gh
from ghmpp.diffusion import StochasticLocalization, VarianceExploding, VariancePreserving
from ghmpp.diffusion.decoding import draw, nearest
from ghmpp.errors import EvidenceError, QueryError, ResourceError
from tests.diffusion.models import broadcast, sticky
from tests.tolerances import EXACT, SIGMAS


def test_samples_say_how_they_came_about():
    found = gh.diffuse(sticky(), 7, steps=5)

    assert (found.states.shape, found.states.dtype) == ((7, 4), np.int64)
    assert (found.variable, found.sampler, found.decode, len(found)) == ("x2", "ab2", "draw", 7)
    assert (found.steps, found.calls, found.trajectory) == (5, 6, None)
    assert found.values.tolist() == [1, 2, 3]
    assert repr(found) == (
        "Samples: 7 of 'x2' (4 nodes) by ab2: 5 steps, decode='draw', 6 calls of the denoiser"
    )


@pytest.mark.parametrize("sampler", ["ab2", "euler", "jump", "masked", "symbols"])
def test_seeds_repeat_and_differ(sampler):
    first, again, other = (
        gh.diffuse(sticky(), 50, sampler=sampler, seed=seed).states for seed in (3, 3, 4)
    )

    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_chunks_are_drawn_one_after_the_other():
    model = broadcast(2)
    found = gh.diffuse(model, 10_000, chunk=999, trajectory=True)

    assert found.calls == 17  # of each sample
    assert found.trajectory.z.shape == (16, 10_000, 4)
    assert len(np.unique(found.trajectory.z[0, :, 0])) == 10_000
    assert abs(found.states.mean() - 0.5) < SIGMAS * 0.5 / 100


@pytest.mark.parametrize("sampler", ["ab2", "euler", "masked", "symbols"])
def test_no_samples_and_one(sampler):
    assert gh.diffuse(sticky(), 0, sampler=sampler, trajectory=True).states.shape == (0, 4)
    assert gh.diffuse(sticky(), 1, sampler=sampler).states.shape == (1, 4)


def test_class_with_one_node_keeps_its_axis():
    model = gh.GHM((2, 2), (1,), [[[0.8, 0.2], [0.3, 0.7]]], state_values=[0, 1])

    assert gh.diffuse(model, 9).states.shape == (9, 1)
    assert gh.inpaint(model, [np.nan, 1], n=3).shape == (2, 3, 1)


@pytest.mark.parametrize(
    "process", [StochasticLocalization(), VariancePreserving(), VarianceExploding()], ids=str
)
def test_trajectory_is_shown_as_the_process_has_it(process):
    model = sticky()
    shown = gh.diffuse(model, 20, process=process, trajectory=True).trajectory
    plain = gh.diffuse(model, 20, trajectory=True).trajectory

    assert (len(shown), shown.process) == (16, process)
    for t, tau, z, localized in zip(shown.times, plain.times, shown.z, plain.z, strict=True):
        assert process.localization_time(t) == pytest.approx(tau, rel=1e-9)
        found = process.to_localization(torch.tensor(z), t).numpy()
        np.testing.assert_allclose(found, localized, rtol=1e-9, atol=EXACT)
    assert "16 steps of 20 samples" in repr(shown)


@pytest.mark.parametrize("decode", ["draw", "argmax", "mean", "round"])
def test_decodings_agree_when_time_is_long(decode):
    model = broadcast(2)
    found = gh.diffuse(model, 500, decode=decode, end=200.0, steps=40)
    wanted = gh.diffuse(model, 500, decode="round", end=200.0, steps=40)

    np.testing.assert_array_equal(found.states, wanted.states)
    assert found.calls == 40 + (decode != "round")


def test_drawing_follows_the_probabilities():
    given = torch.tensor([[0.5, 0.0, 0.2, 0.3]], dtype=torch.float64).expand(40_000, 4) * 7
    found = draw(given, torch.Generator().manual_seed(0))
    shares = torch.bincount(found, minlength=4) / len(found)

    assert int((found == 1).sum()) == 0
    assert float((shares - given[0] / 7).abs().max()) < SIGMAS * 0.5 / 200


def test_nearest_value_of_unordered_values():
    values = torch.tensor([5.0, -1.0, 2.0])
    x = torch.tensor([[9.0, -7.0], [0.4, 3.6]])

    assert nearest(x, values).tolist() == [[0, 1], [1, 0]]


def test_condition_on_the_root_gives_its_own_law():
    model, n = broadcast(2), 20_000
    found = gh.diffuse(model, n, given={"x0": 1}).states

    share = 0.9 * 0.9 + 0.1 * 0.1
    assert abs(found.mean() - share) < SIGMAS * 0.5 / n**0.5
    same = (found[:, 0] == found[:, 1]).mean()
    assert abs(same - (0.9**2 + 0.1**2)) < SIGMAS * 0.5 / n**0.5 + 0.003


def test_rows_follow_their_own_condition_in_every_chunk():
    model, n = broadcast(2), 2000
    roots = np.arange(n) % 2
    found = gh.diffuse(model, n, given={"x0": roots}, chunk=300)

    assert found.states[roots == 1].mean() > 0.75
    assert found.states[roots == 0].mean() < 0.25


def test_guidance_exaggerates_and_counts_both_calls():
    model, n = broadcast(2), 4000
    plain = gh.diffuse(model, n, given={"x0": 1})
    guided = gh.diffuse(model, n, given={"x0": 1}, guidance=3.0)

    assert guided.calls == 2 * plain.calls
    assert guided.states.mean() > plain.states.mean() + 0.05


def test_clamped_leaves_stay():
    found = gh.diffuse(sticky(), 200, given={"x2[1]": 2}).states

    assert set(found[:, 1]) == {2}
    assert len(set(found[:, 0])) == 3


def test_functions_sample_like_the_model_whose_denoiser_they_are():
    model = broadcast(2)
    for process in (StochasticLocalization(), VariancePreserving(), VarianceExploding()):
        exact = gh.denoiser(model, process=process)
        denoise = gh.denoiser(lambda z, t, e=exact: e(z, t), like=model, process=process)
        found = gh.diffuse(denoise, 20_000, decode="mean", end=40.0)

        assert gh.diffusion.total_variation(found, model) < 0.02


def test_relu_and_trained_families_sample_too():
    model = broadcast(2)
    program = gh.compile(model, gh.posterior("x2"), gh.noisy("x2", sigma=1))
    found = gh.diffuse(program.network("relu", delta=0.01), 20_000)

    assert gh.diffusion.total_variation(found, model) < 0.02
    untrained = gh.diffuse(program.network("trainable", width=4), 10)
    assert untrained.states.shape == (10, 4)


def test_several_classes_of_leaves_need_a_name():
    model = gh.zoo.joint_ghm(2, flip=0.1, image=(2,), text=(2,))

    with pytest.raises(QueryError, match="say which with variable="):
        gh.diffuse(model, 3)
    found = gh.diffuse(model, 3, variable="text1", sampler="masked")
    assert found.variable == "text1"


def test_inpainting_is_the_exact_posterior():
    model, n = sticky(), 20_000
    found = gh.inpaint(model, [0, np.nan, np.nan, 2], n)[0]
    posterior = gh.infer(model, {"x2": [[0, -1, -1, 2]]})["x2"][0]

    assert found.shape == (n, 4)
    assert (found[:, [0, 3]] == [0, 2]).all()
    for node in (1, 2):
        shares = np.bincount(found[:, node], minlength=3) / n
        assert abs(shares - posterior[node]).max() < SIGMAS * 0.5 / n**0.5


def test_progress_bar_shows_when_asked(capsys):
    gh.diffuse(sticky(), 3, progress=True)
    gh.diffuse(sticky(), 3)

    said = capsys.readouterr().err
    assert said.count("diffuse ab2") >= 1
    assert "16/16" in said


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"sampler": "ddmp"}, "unknown sampler 'ddmp'; known: 'ab2', 'ddim', 'ddpm', 'euler'"),
        ({"decode": "best"}, "unknown decode='best'; known: 'draw', 'argmax', 'mean', 'round'"),
        ({"n": -1}, "n must be a whole number >= 0, got -1"),
        ({"n": 2.5}, "n must be a whole number"),
        ({"chunk": 0}, "chunk must be a whole number >= 1"),
        ({"steps": 0}, "steps must be a whole number >= 1"),
        ({"sampler": "symbols", "steps": 0}, "steps must be a whole number >= 1"),
        ({"given": {"x0": [0, 1]}}, "given= has 2 rows, so n must be 2, got 5"),
    ],
)
def test_wrong_requests_are_refused(options, says):
    with pytest.raises(QueryError, match=says):
        gh.diffuse(sticky(), **{"n": 5, **options})


def test_bare_function_is_refused():
    with pytest.raises(QueryError, match=r"gh.denoiser\(function, like=model\)"):
        gh.diffuse(lambda z, t: z, 5)


def test_grid_that_ends_before_a_function_begins_is_refused():
    model = broadcast(1)
    exact = gh.denoiser(model, process=VariancePreserving())
    denoise = gh.denoiser(lambda z, t: exact(z, t), like=model, process=VariancePreserving())

    with pytest.raises(QueryError, match="the grid ends before"):
        gh.diffuse(denoise, 5, grid=[0.0, 1e-9])


@pytest.mark.parametrize(
    ("trajectory", "says"), [(False, "samples need"), (True, "and their 16 steps need")]
)
def test_samples_that_do_not_fit_are_refused(trajectory, says):
    with pytest.raises(ResourceError, match=says):
        gh.diffuse(sticky(), 10**12, trajectory=trajectory)


def test_inpainting_refuses_what_does_not_fit():
    with pytest.raises(EvidenceError, match="x2"):
        gh.inpaint(sticky(), [0, 1], n=3)
    with pytest.raises(QueryError, match="n must be a whole number >= 1"):
        gh.inpaint(sticky(), [0, 1, np.nan, 2], n=0)
