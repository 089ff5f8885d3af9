from dataclasses import replace

import numpy as np
import pytest
import torch

import ghmpp as gh
from ghmpp.backends.plain.network import PlainNetwork
from ghmpp.learning.experiments.skipless import WithoutSkips, without_skips
from ghmpp.schedule.check import check_schedule
from tests.learning.experiments.questions import classify, denoise, tree
from tests.tolerances import EXACT


def test_the_schedule_is_legal_and_carries_nothing_across():
    for program in (denoise(tree()), classify(gh.zoo.random_hierarchy(3, 2, 2, 2), "x1")):
        cut = without_skips(program)

        check_schedule(cut)
        assert "Exclude" not in {type(op).__name__ for op in cut.ops}


def test_with_exact_messages_leaves_know_the_root_alone():
    model = tree(branching=(2, 3))
    program = denoise(model)
    network = PlainNetwork(replace(program, schedule=without_skips(program)).network())
    z = torch.tensor(np.random.default_rng(0).normal(1, 2, (4, 6)))

    found = network(z)

    root = gh.compile(model, gh.posterior("x0"), gh.noisy("x2", sigma=1.0)).network()(z)
    first, second = (model.forest().data[key] for key in ("x0->x1", "x1->x2"))
    expected = []
    for leaf in range(6):
        law = root.numpy() @ first[leaf // 3] @ second[leaf % 3]
        expected.append(law @ np.arange(3) / law.sum(1))
    assert np.abs(found.numpy() - np.transpose(expected)).max() < EXACT


@pytest.mark.parametrize("question", [classify, denoise])
def test_it_has_the_form_and_the_weights_of_the_unet(question):
    model = tree()
    program = denoise(model) if question is denoise else classify(model, "x1")
    network, whole = WithoutSkips(program, 8, 0), program.network("trainable", width=8)
    x = torch.zeros(3, 4) if question is denoise else torch.zeros(3, 4, dtype=torch.int64)

    found = network(x)

    def trained(module):
        return {name.removeprefix("plain."): p.shape for name, p in module.named_parameters()}

    assert found.shape == whole(x).shape
    assert trained(network) == trained(whole)
    found.sum().backward()
    if question is denoise:
        assert not torch.equal(network(x + 1), network(x + 1, sigma=3.0))
