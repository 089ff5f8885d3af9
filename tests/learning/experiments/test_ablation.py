import pytest
from matplotlib.figure import Figure

import ghmpp as gh
from ghmpp.errors import QueryError
from ghmpp.learning.experiments.ablation import VARIANTS
from ghmpp.learning.experiments.comparison import ARCHITECTURES
from tests.learning.experiments.questions import classify, denoise, tree


def untrained(network, program, seed):
    """Nothing."""


def test_every_variant_is_measured_on_the_true_question():
    program = denoise(tree())

    found = gh.ablation(program, train=untrained, width=4, seeds=(0, 1), n=50)

    assert list(found.frame["variant"].unique()) == list(VARIANTS)
    assert len(found.frame) == 2 * len(VARIANTS)
    assert found.frame["bayes"].nunique() == 1
    numbers = found.frame.groupby("variant")["parameters"].first()
    assert numbers["untied tables"] > numbers["true structure"]
    assert numbers["wrong tree"] == numbers["true structure"] == numbers["no skips"]
    assert found.missing == {}


def test_variants_that_make_no_difference_are_named():
    root = gh.compile(tree(branching=(2,)), gh.posterior("x0"), given="x1")

    found = gh.ablation(root, train=untrained, width=4)

    assert list(found.missing) == ["no skips", "untied tables", "wrong depth", "wrong tree"]
    assert "all leaves are siblings" in repr(found)


def test_the_trainer_sees_the_true_program_and_may_give_another_network():
    program = classify(tree())
    seen = []

    def train(network, asked, seed):
        seen.append((asked, seed))
        return asked.network()

    found = gh.ablation(program, train=train, width=4, seeds=(3,), variants=["wrong tree"])

    assert seen == [(program, 3)]
    assert found.frame["excess"].max() < 1e-12


def test_the_picture_shows_all_variants():
    found = gh.ablation(classify(tree()), train=untrained, width=4)

    figure = found.picture()

    assert isinstance(figure, Figure)
    names = [each.get_text() for each in figure.axes[0].get_yticklabels()]
    assert names == [name for name in VARIANTS if name != "no skips"]
    assert "<table" in found._repr_html_()


def test_architectures_are_compared_on_the_same_inputs():
    program = classify(tree())
    makers = {"exact": lambda seed: program.network(), "own": lambda seed: program.network("relu")}

    named = gh.compare_architectures(program, train=untrained, width=4, seeds=(0, 1), n=50)
    own = gh.compare_architectures(program, makers, train=untrained)

    assert sorted(named["architecture"]) == sorted(ARCHITECTURES * 2)
    assert named["bayes"].nunique() == 1
    assert (named["low"] <= named["excess"]).all()
    assert own.set_index("architecture").loc["exact", "excess"] < 1e-12


def test_networks_are_trained_on_the_models_draws_if_nothing_else_is_said():
    program = classify(tree(bound=10))
    few = {"steps": 30, "batch": 32, "optimizer": "sgd", "rate": 0.05}

    before = gh.compare_architectures(program, train=untrained, width=8)
    after = gh.compare_architectures(program, train=few, samples=500, width=8)

    assert (after["excess"] < before["excess"]).all()


def test_bad_arguments_are_refused():
    program = classify(tree())
    with pytest.raises(QueryError, match="known: 'true structure'"):
        gh.ablation(program, train=untrained, variants=["upside down"])
    with pytest.raises(QueryError, match="known: 'trainable', 'mlp'"):
        gh.compare_architectures(program, ["resnet"], train=untrained)
    with pytest.raises(QueryError, match="function"):
        gh.compare_architectures(program, train=5)
    with pytest.raises(QueryError, match="samples= is for"):
        gh.compare_architectures(program, train=untrained, samples=5)
    with pytest.raises(QueryError, match="nothing to train"):
        gh.ablation(program, train=untrained, seeds=())
    both = gh.compile(tree(), gh.posterior("x0"), given=["x1", "x2"])
    with pytest.raises(QueryError, match="one class must be given"):
        gh.ablation(both, train=untrained)


@pytest.mark.slow
def test_trained_networks_need_their_skips_and_beat_the_linear_denoiser():
    program = denoise(tree(states=4, bound=10))
    chosen = ("true structure", "no skips", "wrong tree")

    found = gh.ablation(
        program, train={"steps": 250, "batch": 128}, variants=chosen, width=16, n=2000
    )

    excess = found.frame.set_index("variant")["excess"]
    linear = gh.linear_denoiser(program).risk - gh.bayes_risk(program, n=2000).square.value
    assert excess["true structure"] < linear < excess["no skips"]
    assert excess.idxmin() == "true structure"
