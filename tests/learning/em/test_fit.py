from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import ghmpp as gh
from ghmpp.errors import (
    EvidenceError,
    FormatError,
    ImpossibleEvidenceError,
    LearningError,
    MissingFolderError,
    ModelError,
)
from ghmpp.learning.em import fit as fit_module
from ghmpp.learning.em.expectation import Expectation
from ghmpp.learning.em.fit import EM, Step, fit
from ghmpp.models.model import Model
from ghmpp.verification.enumeration import enumeration
from tests import strategies
from tests.learning.em.slow_em import slow_em
from tests.tolerances import ENUMERATION, EXACT


def coins(tosses: int = 3) -> Model:
    """A coin chosen at random, tossed several times; both to be learned."""
    model = Model("coins")
    model.root("coin", 2).children("toss", tosses, ["heads", "tails"])
    return model


TOSSES = [[0, 0, 0], [1, 1, 1], [0, 0, 1], [1, 1, -1], [1, 0, 1]]


def test_em_follows_enumeration_on_a_tree_with_missing_values() -> None:
    rng = np.random.default_rng(3)
    model = gh.GHM(states=(2, 3, 2), branching=(2, 2))
    data = rng.integers(-1, 2, size=(6, 4))
    middle = rng.integers(-1, 3, size=(6, 2))
    root = rng.integers(-1, 2, size=6)
    rows = [
        [None if state < 0 else int(state) for state in (top, *mid, *leaves)]
        for top, mid, leaves in zip(root, middle, data, strict=True)
    ]
    start = model.initialise(7).forest().data

    em = EM(model, iterations=5, smoothing=0.1, seed=7, tolerance=0).fit(data, x1=middle, x0=root)
    prior, tables, objectives = slow_em(
        np.full(2, 0.5), (start["x0->x1"], start["x1->x2"]), rows, iterations=5, smoothing=0.1
    )

    learned = em.model_.forest().data
    np.testing.assert_allclose(learned["x0"][0], prior, rtol=ENUMERATION)
    np.testing.assert_allclose(learned["x0->x1"], tables[0], rtol=ENUMERATION)
    np.testing.assert_allclose(learned["x1->x2"], tables[1], rtol=ENUMERATION)
    found = [step.objective for step in em.history_]
    np.testing.assert_allclose(found, objectives, rtol=ENUMERATION)


def test_complete_data_are_counted() -> None:
    toss = np.array([[0, 0, 1], [0, 1, 1], [1, 1, 1], [1, 0, 1]])
    fitted = fit(coins(), coin=[0, 0, 1, 0], toss=toss, smoothing=0.5)

    data = fitted.forest().data
    first, last = data["coin->toss"][0], data["coin->toss"][2]
    np.testing.assert_allclose(data["coin"], [[3.5 / 5, 1.5 / 5]], rtol=EXACT)
    np.testing.assert_allclose(first, [[2.5 / 4, 1.5 / 4], [0.25, 0.75]], rtol=EXACT)
    np.testing.assert_allclose(last, [[0.5 / 4, 3.5 / 4], [0.25, 0.75]], rtol=EXACT)


def test_a_chain_is_counted_over_its_steps() -> None:
    model = Model("chain")
    model.chain("z", 4, 2)

    fitted = fit(model, z=[[0, 0, 1, 1], [0, 1, 1, 0]], smoothing=0)

    data = fitted.forest().data
    np.testing.assert_allclose(data["z->z"], [[[1 / 3, 2 / 3], [1 / 3, 2 / 3]]], rtol=EXACT)
    np.testing.assert_allclose(data["z"], [[1, 0]], rtol=EXACT)


@given(drawn=st.data())
def test_the_objective_never_falls_and_is_the_likelihood_of_the_model(drawn: st.DataObject) -> None:
    complete = drawn.draw(strategies.models(limit=500))
    edges = [d.name for d in complete.declarations.values() if d.source is not None]
    assume(edges)
    opened = drawn.draw(st.sets(st.sampled_from(edges), min_size=1))
    model = Model.from_declarations(
        "open",
        [
            replace(d, potential=None) if d.name in opened else d
            for d in complete.declarations.values()
        ],
    )
    evidence = drawn.draw(strategies.evidence(complete, possible=True))
    assume(evidence.given)
    smoothing = drawn.draw(st.sampled_from([0.0, 0.1]))
    try:
        em = EM(model, iterations=4, smoothing=smoothing, tolerance=0).fit(evidence.given)
    except ModelError as error:  # a chain whose steps would need different tables
        assume("need different conditionals" not in str(error))
        raise

    objectives = [step.objective for step in em.history_]
    assert (np.diff(objectives) >= -ENUMERATION * (1 + np.abs(objectives[-1]))).all()
    truth = enumeration(em.model_.forest(), evidence.logs)
    assert truth.log_partition == pytest.approx(0, abs=ENUMERATION)
    assert truth.log_evidence is not None
    total = pytest.approx(truth.log_evidence.sum(), rel=ENUMERATION, abs=ENUMERATION)
    assert em.history_[-1].log_likelihood == total


def test_smoothing_is_the_prior_term_of_the_objective() -> None:
    em = EM(coins(), iterations=2, smoothing=0.3).fit(TOSSES)

    data = em.model_.forest().data
    logs = np.log(data["coin"]).sum() + np.log(data["coin->toss"]).sum()
    last = em.history_[-1]
    assert last.log_prior == pytest.approx(0.3 * logs, rel=EXACT)
    assert last.objective == last.log_likelihood + last.log_prior


def test_a_falling_objective_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    expect = Expectation.__call__

    def turned(self: Expectation, data: object) -> object:
        found = expect(self, data)  # type: ignore[arg-type]  # what the E-step takes
        wrong = {key: counts[..., ::-1].copy() for key, counts in found.counts.items()}
        return replace(found, counts=wrong)

    monkeypatch.setattr(Expectation, "__call__", turned)

    with pytest.raises(LearningError, match=r"objective fell from .* bug in ghmpp"):
        fit(coins(), coin=[0, 1, 0], toss=[[0, 0, 0], [1, 1, 1], [0, 0, 1]], iterations=3)


def test_a_given_prior_and_given_tables_stay() -> None:
    model = Model("given")
    coin = model.root("coin", 2, prior=[0.25, 0.75])
    coin.children("seen", 1, 2, potential=[[0.9, 0.1], [0.2, 0.8]])
    coin.children("toss", 2, 2)

    fitted = fit(model, toss=[[0, 0], [1, 1]])

    data, given = fitted.forest().data, model.forest().data
    np.testing.assert_array_equal(data["coin"], given["coin"])
    np.testing.assert_array_equal(data["coin->seen"], given["coin->seen"])


def test_a_root_without_learned_edges_keeps_its_uniform_prior() -> None:
    model = Model("far")
    coin = model.root("coin", 2)
    coin.children("hidden", 1, 2, potential=[[0.9, 0.1], [0.2, 0.8]]).children("toss", 2, 2)

    fitted = fit(model, coin=[0, 0, 1], toss=[[0, 0], [1, 1], [0, 1]])

    np.testing.assert_array_equal(fitted.forest().data["coin"], [[0.5, 0.5]])


def test_states_that_are_never_met_keep_their_row_without_smoothing() -> None:
    start = coins().initialise(4).forest().data["coin->toss"]

    fitted = fit(coins(), coin=[0, 0], toss=[[0, 0, 1], [1, 0, 1]], smoothing=0, seed=4)

    np.testing.assert_allclose(fitted.forest().data["coin->toss"][:, 1], start[:, 1], rtol=EXACT)


def test_equal_tables_at_the_start_are_not_tied() -> None:
    model = Model("pair")
    root = model.root("root", 2)
    root.children("a", 1, 2)
    root.children("b", 1, 2)
    same = np.array([[[0.5, 0.5], [0.25, 0.75]]])
    start = model.with_tables({"root->a": same, "root->b": same})

    fitted = fit(model, root=[0, 0, 1], a=[0, 0, 1], b=[1, 1, 0], start=start, smoothing=0)

    np.testing.assert_allclose(fitted.forest().data["root->a"], [np.eye(2)], atol=EXACT)
    np.testing.assert_allclose(fitted.forest().data["root->b"], [1 - np.eye(2)], atol=EXACT)


def test_the_same_seed_gives_the_same_bits() -> None:
    first, second = (fit(coins(), TOSSES, seed=11, iterations=6) for _ in range(2))

    for key, stack in first.forest().data.items():
        np.testing.assert_array_equal(stack, second.forest().data[key])


def test_the_best_restart_wins() -> None:
    alone = [EM(coins(), seed=seed, iterations=3).fit(TOSSES) for seed in (5, 6, 7)]
    together = EM(coins(), seed=5, restarts=3, iterations=3).fit(TOSSES)

    best = max(range(3), key=lambda k: alone[k].history_[-1].objective)
    assert together.history_[-1].objective == alone[best].history_[-1].objective
    assert {step.restart for step in together.history_} == {best}


def test_a_fit_continues_from_its_start() -> None:
    whole = EM(coins(), iterations=6, tolerance=0).fit(TOSSES)
    half = fit(coins(), TOSSES, iterations=3, tolerance=0)
    rest = EM(coins(), iterations=3, tolerance=0, start=half).fit(TOSSES)

    assert rest.history_[-1].objective == pytest.approx(whole.history_[-1].objective, rel=EXACT)


def test_iterations_stop_when_nothing_is_gained() -> None:
    em = EM(coins(), iterations=50).fit(coin=[0, 1], toss=[[0, 0, 0], [1, 1, 1]])

    assert [step.iteration for step in em.history_] == [0, 1, 2]


def test_an_interrupted_fit_leaves_its_best_model(tmp_path: Path) -> None:
    path = tmp_path / "best.json"

    def interrupt(step: Step) -> None:
        if step.iteration == 3:
            raise KeyboardInterrupt

    em = EM(coins(), iterations=10, tolerance=0, checkpoint=path, callback=interrupt)
    with pytest.raises(KeyboardInterrupt):
        em.fit(TOSSES)

    saved = gh.load(path)
    total = gh.Inference(saved).log_evidence(TOSSES).sum()
    assert [step.iteration for step in em.history_] == [0, 1, 2, 3]
    assert total == pytest.approx(em.history_[-1].log_likelihood, rel=EXACT)
    np.testing.assert_array_equal(saved.forest().data["coin"], em.model_.forest().data["coin"])


def test_a_checkpoint_that_cannot_be_written_is_refused_before_learning(tmp_path: Path) -> None:
    def started(step: Step) -> None:
        pytest.fail("an iteration was done")

    with pytest.raises(FormatError, match=r"ends in \.json"):
        fit(coins(), TOSSES, checkpoint=tmp_path / "model.txt", callback=started)
    with pytest.raises(MissingFolderError, match=r"model\.json: its folder does not exist"):
        fit(coins(), TOSSES, checkpoint=tmp_path / "none" / "model.json", callback=started)


def test_a_start_does_not_overwrite_the_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "best.json"
    fit(coins(), TOSSES, iterations=2, checkpoint=path)
    before = gh.load(path).forest().data["coin->toss"]

    def interrupt(step: Step) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(coins(), TOSSES, seed=1, checkpoint=path, callback=interrupt)

    np.testing.assert_array_equal(gh.load(path).forest().data["coin->toss"], before)


def test_the_callback_sees_every_step() -> None:
    seen: list[Step] = []

    em = EM(coins(), iterations=4, tolerance=0, callback=seen.append).fit(TOSSES)

    assert seen == em.history_


def test_a_progress_bar_is_shown_on_demand_only(capsys: pytest.CaptureFixture[str]) -> None:
    fit(coins(), TOSSES, iterations=2)
    silent = capsys.readouterr().err
    fit(coins(), TOSSES, iterations=2, progress=True)
    shown = capsys.readouterr().err

    assert silent == ""
    assert "fit coins" in shown
    assert "nats/row" in shown


def test_without_a_fit_there_is_no_model() -> None:
    with pytest.raises(LearningError, match="no model_ yet; call fit"):
        _ = EM(coins()).model_


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("iterations", 0, "iterations must be a whole number >= 1, got 0"),
        ("restarts", 0, "restarts must be a whole number >= 1"),
        ("seed", -1, "seed must be a whole number >= 0"),
        ("seed", True, "seed must be a whole number"),
        ("smoothing", -0.1, "smoothing must be a finite number >= 0, got -0.1"),
        ("tolerance", float("nan"), "tolerance must be a finite number"),
    ],
)
def test_options_out_of_range_are_refused(option: str, value: float, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        fit(coins(), TOSSES, **{option: value})  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    ("option", "meant"),
    [("iter", "iterations"), ("iteration", "iterations"), ("tol", "tolerance"), ("sead", "seed")],
)
def test_a_misspelt_option_is_told_its_name(option: str, meant: str) -> None:
    words = rf"keyword {option}=: .*no variable '{option}'; .*coin, toss.* option {meant}= meant\?"
    with pytest.raises(EvidenceError, match=words):
        fit(coins(), TOSSES, **{option: 3})


def test_a_misspelt_class_is_told_its_name() -> None:
    with pytest.raises(EvidenceError, match=r"keyword tos=: .* Did you mean 'toss'") as caught:
        fit(coins(), tos=TOSSES)
    assert "option" not in str(caught.value)


def test_a_model_without_anything_open_is_refused() -> None:
    complete = coins().initialise()

    with pytest.raises(ModelError, match="model 'coins' has nothing to learn"):
        fit(complete, TOSSES)


def test_impossible_rows_are_named() -> None:
    model = Model("rigid")
    coin = model.root("coin", 2)
    coin.children("seen", 1, 2, potential=np.eye(2))
    coin.children("toss", 2, 2)

    with pytest.raises(ImpossibleEvidenceError, match="row 1 at ") as caught:
        fit(model, coin=[0, 0, 1], seen=[0, 1, 1], toss=[[0, 0], [0, 0], [1, 1]])
    assert caught.value.rows == (1,)


def test_no_data_are_refused() -> None:
    with pytest.raises(EvidenceError, match="there are no data"):
        fit(coins())


def test_the_public_name_is_this_fit() -> None:
    assert gh.fit is fit_module.fit
