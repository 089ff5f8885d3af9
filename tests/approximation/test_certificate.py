"""Certificates: their promise, their verdicts on changed weights and models, and their files."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import sympy

import ghmpp as gh
from ghmpp.approximation.certificate import certify_weights
from ghmpp.approximation.weights import arrays, layer_weights, with_arrays
from ghmpp.errors import CertificateError, FormatError, MissingFolderError
from tests.approximation.classics import CLASSIFICATION, DENOISING, coupled_model, kernel_model
from tests.approximation.networks import exact, log_softmax, run
from tests.approximation.raw import planned, sender

VERDICTS = ("weights differ, bound still holds", "bound broken")


def certified(model, query, given=None, **options):
    """A plan, its layers, the arrays that are stored, and their certificate."""
    plan, layers = planned(model, query, given, **options)
    certificate = certify_weights(plan, layers)
    dtype = np.float32 if options.get("dtype") == "float32" else np.float64
    return plan, {k: v.astype(dtype) for k, v in arrays(layers).items()}, certificate


@pytest.fixture(scope="module")
def made():
    return model3(), *certified(model3(), "x0", delta=0.02)


def model3():
    return kernel_model(2, 2, 3, 3.0)


def largest_error(plan, layers, logs):
    """Largest error of a log posterior of the root over some evidence, by running the network."""
    steps = plan.propagated
    true = run(plan.forest, exact(steps), logs)
    found = run(plan.forest, steps, logs, send=sender(plan.forest, layers))
    return max(
        abs(log_softmax(found[name]) - log_softmax(true[name])).max() for name in steps.beliefs
    )


def every_state(forest, name):
    """All observed states of a class, missing ones too, as log-likelihoods."""
    (block,) = forest.class_blocks(name)
    rows = np.where(np.vstack([np.eye(block.states), np.ones(block.states)]) > 0, 0.0, -np.inf)
    index = np.indices([block.states + 1] * block.nodes).reshape(block.nodes, -1).T
    return {name: rows[index]}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("at", [0, 3, 12, 20])
def test_wished_errors_are_certified(at, dtype):
    m, depth, states, entry, delta, _, _ = (CLASSIFICATION + DENOISING)[at]
    query = "x0" if at < len(CLASSIFICATION) else gh.mean(f"x{depth}")
    options = {"delta": delta, "dtype": dtype, "log_odds": at % 2 == 0}
    plan, _, certificate = certified(kernel_model(m, depth, states, entry), query, **options)

    assert certificate.bound <= delta
    assert certificate.bound == pytest.approx(plan.bounds.bound, rel=1e-3)
    assert certificate.bounds.delta == delta
    assert certificate.bounds.paper_width == plan.bounds.paper_width
    assert certificate.bounds.width <= plan.bounds.width


def test_errors_just_out_of_reach_of_rounded_weights_are_not_promised():
    wide = gh.bounds(model3(), "x0", width=31, dtype="float32").bound
    for delta in (wide, wide * (1 + 1e-12), wide * (1 + 1e-7)):
        _, _, certificate = certified(model3(), "x0", delta=delta, dtype="float32")

        assert certificate.bound <= delta


def test_certificate_of_deep_trees_does_not_grow_with_weak_couplings():
    bounds = [
        certified(coupled_model(depth, 1.2), gh.mean(f"x{depth}"), width=9)[2].bound
        for depth in (6, 12)
    ]

    assert bounds[1] == pytest.approx(bounds[0], rel=0.01)


def test_budgets_lead_from_messages_to_beliefs(made):
    _, plan, _, certificate = made
    by_message = {each.message: each for each in certificate.messages}

    assert list(by_message) == ["x2 -> x1", "x1 -> x0"]
    assert max(by_message["x2 -> x1"].own) < 1e-12
    assert certificate.beliefs[0].errors[0] == pytest.approx(
        sum(by_message["x1 -> x0"].accumulated)
    )
    assert by_message["x1 -> x0"].nets == (("exp_log", 0), ("exp_log", 1))
    assert len(certificate.beliefs[0].errors) == plan.forest.blocks["x0"].nodes


def test_weights_of_something_else_are_refused(made):
    model, _, _, certificate = made
    with pytest.raises(CertificateError, match=r"none has such a name; pass those of its network"):
        certificate.check({"conv.weight": np.zeros(3)}, model)


def test_same_weights_and_model_hold(made):
    model, _, kept, certificate = made
    check = certificate.check(kept, model)

    assert check
    assert check.verdict == "holds"
    assert repr(check).startswith("Certificate of model 'ghm', posterior(x0): holds\n")
    assert (check.weights, check.model, check.grown, check.places) == ((), (), (), ())


def test_each_entry_changed_by_one_percent_is_reported_with_the_right_verdict():
    model = gh.GHM(
        states=(2, 3),
        branching=(2,),
        tables=[[[3.0, 1.0, 0.5], [0.4, 2.0, 1.0]]],
        state_values=[1.0, 2.0, 3.0],
    )
    plan, kept, certificate = certified(model, "x0", gh.noisy("x1", sigma=1.0), width=7)
    rng = np.random.default_rng(0)
    logs = -rng.exponential(2.0, size=(400, 2, 3)) * (rng.random((400, 2, 3)) < 0.8)
    found = check_changes(model, plan, kept, certificate, {"x1": logs})

    assert found[VERDICTS[0]] > 0
    assert found[VERDICTS[1]] > 0


def check_changes(model, plan, kept, certificate, logs, factor=1.01):
    """Change each entry in turn; the verdict may be good only if no input shows otherwise."""
    layers = layer_weights(plan.forest, plan.propagated.steps)
    counts = dict.fromkeys((*VERDICTS, "seen broken"), 0)
    for name, array in kept.items():
        for place in np.flatnonzero(array):
            wrong = kept | {name: array.copy()}
            wrong[name].flat[place] *= factor
            check = certificate.check(wrong, model)
            counts[check.verdict] += 1

            assert [each.name for each in check.weights] == [name]
            if certificate.bound < largest_error(plan, with_arrays(layers, wrong), logs):
                assert check.verdict == "bound broken"
                counts["seen broken"] += 1
            if not check:
                assert name in repr(check)
                assert any(name in each.tensors for each in check.grown)
    return counts


@pytest.mark.slow
@pytest.mark.parametrize("log_odds", [True, False])
def test_each_entry_of_networks_of_observed_states_changed_is_reported(log_odds):
    model = gh.zoo.broadcast(2, 0.1)
    plan, kept, certificate = certified(model, "x0", width=9, log_odds=log_odds)
    logs = every_state(plan.forest, "x2")

    for factor in (1.01, 0.99, 1.5):
        counts = check_changes(model, plan, kept, certificate, logs, factor)
        assert counts["bound broken"] >= counts["seen broken"] >= 2 * (factor == 1.5)


def test_constants_that_cancel_do_not_matter(made):
    model, _, kept, certificate = made
    name = "collect.x1.exp_log.log_constant"
    check = certificate.check(kept | {name: kept[name] * 1.01}, model)

    assert check.verdict == "weights differ, bound still holds"
    assert f"differs: {name} (other numbers)" in repr(check)
    assert check.places == ()


def test_broken_bounds_say_where_and_by_how_much(made):
    model, _, kept, certificate = made
    name = "collect.x1.exp_log.exp_slopes"
    wrong = kept[name].copy()
    wrong[0, 3] *= 1.5
    check = certificate.check(kept | {name: wrong}, model)

    assert not check
    assert check.verdict == "bound broken"
    assert check.places == ("x1 -> x0",)
    assert check.found > check.bound == certificate.bound
    assert f"bound broken at x1 -> x0\n  derived {check.found:.6g} > certified" in repr(check)
    assert f"x1 -> x0 ({name}): error" in repr(check)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda array: None, "missing"),
        (lambda array: array[:, :-1], r"shape (2, 9) instead of (2, 10)"),
        (lambda array: array * math.nan, "other numbers"),
        (lambda array: array.astype(np.float32), "float32 instead of float64, other numbers"),
    ],
)
def test_tensors_that_do_not_fit_are_named(made, change, words):
    model, _, kept, certificate = made
    name = "collect.x1.exp_log.exp_knots"
    array = change(kept[name])
    others = {key: value for key, value in kept.items() if key != name}
    check = certificate.check(others if array is None else others | {name: array}, model)

    assert check.verdict != "holds"
    size = kept[name].shape[1]
    words = words.replace("9)", f"{size - 1})").replace("10)", f"{size})")
    assert f"{name} ({words})" in repr(check)
    assert bool(check) == ("float32" in words and check.found <= check.bound)


def test_more_tensors_than_certified_are_named(made):
    model, _, kept, certificate = made
    check = certificate.check(
        kept | {"distribute.x1.exp_log.inner": np.ones(3), "other": np.ones(2)}, model
    )

    assert check.verdict == "weights differ, bound still holds"
    assert [str(each) for each in check.weights] == ["distribute.x1.exp_log.inner (not certified)"]


def test_wider_numbers_of_the_same_value_are_named():
    _, kept, certificate = certified(model3(), "x0", delta=0.02, dtype="float32")
    check = certificate.check({k: v.astype(np.float64) for k, v in kept.items()}, model3())

    assert check.verdict == "weights differ, bound still holds"
    assert {each.why for each in check.weights} == {"float64 instead of float32"}


def test_potentials_in_the_network_are_compared_with_the_model():
    model = gh.Model()
    root = model.root("root", 3, prior=[0.1, 0.2, 0.7])
    root.children("leaf", 2, 3, potential=np.eye(3) + 1)
    plan, kept, certificate = certified(model, "root", width=30)
    held = {f"potentials.{key}": array for key, array in plan.forest.data.items()}
    table = f"potentials.{plan.forest.edges['leaf'].key}"
    prior = f"potentials.{plan.forest.blocks['root'].unary}"
    wrong = held[prior] * np.array([1.5, 1.0, 1.0])

    def check(**changed):
        return certificate.check(kept | held | changed, model)

    assert check().verdict == "holds"
    # Nets stand for the table; the prior is used as it is.
    assert check(**{table: 2 * held[table]}).verdict == "weights differ, bound still holds"
    assert check(**{prior: wrong}).verdict == "bound broken"
    assert check(**{prior: wrong}).places == (prior,)
    assert "shape (2,) instead of" in repr(check(**{prior: np.ones(2)}))


def test_symbols_in_the_network_are_compared_with_the_model():
    beta = sympy.Symbol("beta", positive=True)
    model = gh.Model()
    root = model.root("root", 2)
    root.children("seen", 2, 2, potential=[[2, 1], [1, 2]])
    root.children("unseen", 1, 2, potential=[[beta, 1], [1, 1]])
    model = model.bind(beta=3.0)
    _, kept, certificate = certified(model, "root", "seen", width=20)
    same = certificate.check(kept | {"symbols.beta": np.array(3.0)}, model)
    other = certificate.check(kept | {"symbols.beta": np.array(4.0)}, model)

    assert same.verdict == "holds"
    assert other.verdict == "bound broken"
    assert other.found == pytest.approx(same.found + math.log(5 / 4), abs=0.1)
    assert "symbols.beta (another value)" in repr(other)


def test_other_tables_break_the_bound(made):
    _, plan, kept, certificate = made
    tables = [plan.forest.data[plan.forest.edges[name].key].copy() for name in ("x1", "x2")]
    tables[0][0, 0, 0] *= 1.2
    other = gh.GHM(states=3, branching=(2, 2), tables=tables, state_values=np.arange(3) + 1.0)
    check = certificate.check(kept, other)

    assert check.verdict == "bound broken"
    assert check.places == ("x1 -> x0",)
    assert "differs in the model" in repr(check)


@pytest.mark.parametrize(
    "model",
    [
        kernel_model(2, 3, 3, 3.0),
        gh.GHM(states=3, branching=(2, 2), tables=[np.eye(3) + 1, np.eye(3) + 1]),
    ],
)
def test_models_of_another_structure_are_refused(made, model):
    _, _, kept, certificate = made

    with pytest.raises(CertificateError, match=r"posterior\(x0\): is for another model.*expected"):
        certificate.check(kept, model)


def test_models_without_the_class_are_refused(made):
    _, _, kept, certificate = made
    other = gh.Model("other")
    other.root("season", 3).children("day", 2, 3, potential=np.eye(3) + 1)

    with pytest.raises(CertificateError, match=r"is for another model\. .*unknown class 'x0'"):
        certificate.check(kept, other)


def test_models_of_other_sizes_guarantee_nothing(made):
    _, _, kept, certificate = made
    tables = [np.ones((2, 4, 4)) + np.eye(4)] * 2
    other = gh.GHM(states=4, branching=(2, 2), tables=tables, state_values=np.arange(4) + 1.0)

    assert certificate.check(kept, other).found == math.inf


def test_weights_that_guarantee_nothing_have_no_certificate():
    plan, layers = planned(model3(), "x0", delta=0.02)
    name = "collect.x1.exp_log.inner"
    wrong = arrays(layers) | {name: -arrays(layers)[name]}

    with pytest.raises(CertificateError, match="the weights of x1 -> x0 guarantee nothing"):
        certify_weights(plan, with_arrays(layers, wrong))


def test_tables_that_single_precision_cannot_hold_are_refused():
    table = [[1.0, 1e-50], [1e-50, 1.0]]
    model = gh.GHM(states=2, branching=(2,), tables=[table], state_values=[0.0, 1.0])
    options = {"log_odds": False, "delta": 0.5}

    assert certified(model, gh.mean("x1"), **options)[2].bound <= 0.5
    with pytest.raises(gh.errors.QueryError, match="float32 cannot hold the weights"):
        certified(model, gh.mean("x1"), dtype="float32", **options)


def test_report_says_what_is_certified(made):
    _, _, kept, certificate = made
    text = repr(certificate)

    assert text.startswith("Certificate of model 'ghm', posterior(x0) given x2: error of each log")
    assert f"weights: {len(kept)} arrays, {sum(a.size for a in kept.values()):,} numbers" in text
    assert certificate.sha256 in text
    assert certificate.sha256 in certificate._repr_html_()


@pytest.mark.parametrize("span", [math.inf, 3.0])
def test_certificates_are_kept_in_files(tmp_path, span):
    model = model3()
    _, kept, certificate = certified(model, gh.mean("x2"), delta=0.02, evidence_span=span)
    path = tmp_path / "certificate.json"
    certificate.save(path)
    content = json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(name))

    assert gh.Certificate.load(path) == certificate
    assert gh.Certificate.load(path).check(kept, model).verdict == "holds"
    assert (content["format"], content["version"]) == ("ghmpp-certificate", 1)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": "ghmpp-bounds"}, "holds no certificate of ghmpp"),
        ({"version": 2}, "has version 2, but this ghmpp reads version 1"),
        ({"sha256": "0" * 64}, "do not belong together"),
        ({"messages": [{}]}, "is broken"),
        ({"beliefs": [{"block": "x0", "errors": ["much"]}]}, "is broken"),
        ({"domain": {"evidence_span": None, "speed": 1}}, "is broken"),
        ({"domain": {"evidence_span": None, "dtype": "float8"}}, "is broken"),
        ({"bounds": {}}, "is broken"),
        ({"tensors": None}, "is broken"),
    ],
)
def test_foreign_and_broken_files_are_refused(made, tmp_path, change, words):
    path = tmp_path / "certificate.json"
    made[3].save(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))

    with pytest.raises(FormatError, match=words):
        gh.Certificate.load(path)


def test_missing_files_and_folders_are_refused(made, tmp_path):
    with pytest.raises(FormatError, match="cannot be read"):
        gh.Certificate.load(tmp_path / "certificate.json")
    with pytest.raises(MissingFolderError, match="folder does not exist"):
        made[3].save(tmp_path / "missing" / "certificate.json")


@pytest.mark.parametrize(
    "nets", [(("exp_log", 5), ("exp_log", 1)), (("log_odds", 0), ("exp_log", 1))]
)
def test_certificates_that_speak_of_other_nets_are_refused(made, nets):
    model, _, kept, certificate = made
    last = replace(certificate.messages[-1], nets=nets)
    wrong = replace(certificate, messages=(*certificate.messages[:-1], last))

    with pytest.raises(CertificateError, match=r"needs the array 'collect\.x1\."):
        wrong.check(kept, model)
