import numpy as np
import pytest
import torch

import ghmpp as gh
from ghmpp.errors import EvidenceError, QueryError
from ghmpp.learning.experiments.paths import find_path
from tests.learning.experiments.questions import classify, denoise, tree
from tests.tolerances import SINGLE

KINDS = ("mlp", "cnn", "unet")


def picture(side=4, order=None):
    model = gh.zoo.quadtree(side, states=(2, 3, range(4))).initialise(0)
    return model


def close(one, other):
    return torch.allclose(one, other, atol=SINGLE)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("top", ["x0", "x1"])
def test_posteriors_have_the_form_of_an_emitted_network(kind, top):
    program = classify(tree(), top)
    x = torch.tensor([[0, 1, 2, -1], [-1, -1, -1, -1]])

    found = gh.baseline(program, kind, width=8)(x)

    expected = program.network()(x)
    assert found.shape == expected.shape
    assert close(found.sum(-1), torch.ones(found.shape[:-1]))


@pytest.mark.parametrize("kind", ["mlp", "unet"])
def test_means_have_the_form_of_an_emitted_network(kind):
    program = denoise(tree())
    z = torch.tensor([[0.3, float("nan"), 5.0, 1.0]])
    network = gh.baseline(program, kind, width=8, dtype="float64")

    found, noisier = network(z), network(z, sigma=3.0)

    assert found.shape == (1, 4)
    assert found.dtype == torch.float64
    assert not close(found, noisier)


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_gives_the_same_weights_and_leaves_torch_alone(kind):
    program = classify(tree())
    torch.manual_seed(0)
    before = torch.get_rng_state()

    one, same, other = (gh.baseline(program, kind, width=8, seed=s) for s in (1, 1, 2))

    weights = [torch.cat([p.flatten() for p in each.parameters()]) for each in (one, same, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("kind", ["cnn", "unet"])
@pytest.mark.parametrize("top", ["x0", "x1"])
def test_nodes_are_in_the_users_order(kind, top):
    rng = np.random.default_rng(0)
    tables = [rng.uniform(0.2, 2, (2, 3, 3)), rng.uniform(0.2, 2, (3, 3, 3))]
    order = np.array([5, 0, 3, 1, 4, 2])
    straight = gh.GHM(3, (2, 3), tables)
    turned = gh.GHM(3, (2, 3), tables, order=order)
    tree_order = torch.tensor(rng.integers(0, 3, (5, 6)))
    users = torch.empty_like(tree_order)
    users[:, order] = tree_order

    one = gh.baseline(classify(straight, top), kind, width=8)(tree_order)
    other = gh.baseline(classify(turned, top), kind, width=8)(users)

    assert close(one, other)


def test_the_unet_of_an_image_reads_it_row_by_row():
    program = gh.compile(picture(), gh.posterior("x2"), given="x2")
    network = gh.baseline(program, "unet", width=4)
    x = torch.tensor(np.random.default_rng(0).integers(0, 4, (3, 16)))
    seen = []
    network.body.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))

    network(x)

    one_hot = torch.nn.functional.one_hot(x, 4).movedim(2, 1).reshape(3, 4, 4, 4).float()
    assert close(seen[0], 2 * one_hot)
    assert isinstance(network.body.head, torch.nn.Conv2d)


def test_classes_within_an_image_are_answered_where_they_lie():
    program = gh.compile(picture(), gh.posterior("x1"), given="x2")
    network = gh.baseline(program, "unet", width=4)
    network.body = torch.nn.Identity()  # pixels instead of quarters, in their cells

    path = find_path(program.model, "x2", "test")

    assert path.splits == ((2, 2), (2, 2))
    assert path.cells("x1", program.model).tolist() == [0, 1, 2, 3]
    assert path.cells("x2", program.model).tolist() == list(range(16))


def test_a_plain_cnn_is_scaled_as_it_says():
    model = tree(branching=(2,), states=3)
    program = gh.compile(model, gh.posterior("x0"), given="x1")
    network = gh.baseline(program, "cnn", width=512)
    x = torch.tensor([[0, 2]])

    found = network(x)[0]

    layer, readout = network.body.levels[0], network.body.readout
    inner = np.sqrt(3) * (layer.weight[:, 0, 0] + layer.weight[:, 2, 1]) / np.sqrt(6)
    expected = (readout.T @ inner.relu() / 512).softmax(0)
    assert close(found, expected)
    assert abs(float(layer.weight.detach().std()) - 1) < 0.1
    assert network.rate_factor == 512
    assert gh.baseline(program, "mlp").rate_factor == 1


def test_a_plain_cnn_reads_patches_alone():
    program = classify(tree(branching=(2, 3)), "x1")
    network = gh.baseline(program, "cnn", width=8)
    x = torch.zeros(1, 6, dtype=torch.int64)
    y = x.clone()
    y[0, 5] = 2

    one, other = network(x)[0], network(y)[0]

    assert torch.equal(one[0], other[0])
    assert not torch.equal(one[1], other[1])


def test_a_unet_of_any_depth_has_its_levels():
    program = denoise(tree(branching=(2, 3, 2)), "x3")

    network = gh.baseline(program, "unet", width=4)

    assert [each.kernel_size for each in network.body.down] == [(2,), (3,), (2,)]
    assert [each.kernel_size for each in network.body.up] == [(2,), (3,), (2,)]
    z = torch.zeros(1, 12)
    far = z.clone()
    far[0, 11] = 2.0
    assert network(z)[0, 0] != network(far)[0, 0]  # through the bottleneck


def test_likelihoods_stand_for_states():
    program = classify(tree())
    x = torch.tensor([[0, 1, 2, 2]])
    likelihoods = 5.0 * torch.nn.functional.one_hot(x, 3).double()

    for kind in KINDS:
        network = gh.baseline(program, kind, width=4)

        assert close(network(x), network(likelihoods))


def test_standard_networks_can_learn():
    program = classify(tree(bound=10))
    x = torch.cartesian_prod(*[torch.arange(3)] * 4)
    truth = program.network()(x).float()
    for kind in KINDS:
        network = gh.baseline(program, kind, width=16)
        before = gh.excess_risk(network, program).excess.value
        optimiser = torch.optim.Adam(network.parameters(), lr=0.02)
        for _ in range(20):
            optimiser.zero_grad()
            (-truth * network(x).log()).sum(-1).mean().backward()
            optimiser.step()

        assert gh.excess_risk(network, program).excess.value < before / 2


def test_the_mlp_reads_several_classes():
    model = tree()
    given = ["x0", gh.noisy("x2", sigma=1.0)]
    program = gh.compile(model, gh.mean("x2"), given=given)

    network = gh.baseline(program, "mlp", width=4)

    found = network(torch.tensor([0, 1]), torch.zeros(2, 4))
    assert found.shape == (2, 4)
    assert not torch.equal(found[0], found[1])
    with pytest.raises(QueryError, match="2 are given"):
        gh.baseline(program, "unet")


def test_rules_count_as_one_level():
    program = gh.compile(gh.zoo.random_hierarchy(4, 2, 2, 3), gh.posterior("x0"), given="x3")

    network = gh.baseline(program, "cnn", width=4)

    assert len(network.body.levels) == 6  # a convolution and a ReLU for each level


def test_bad_arguments_are_refused():
    program, chain = classify(tree()), gh.zoo.hidden_markov(3, np.eye(2) + 1, np.eye(2) + 1)
    for arguments, words in (
        (("resnet",), "known: 'mlp', 'cnn', 'unet'"),
        (("mlp", 0), "width"),
        (("mlp", 4, "int8"), "dtype"),
    ):
        options = dict(zip(("kind", "width", "dtype"), arguments, strict=False))
        with pytest.raises(QueryError, match=words):
            gh.baseline(program, **options)
    with pytest.raises(QueryError, match="take 'unet'"):
        gh.baseline(denoise(tree()), "cnn")
    with pytest.raises(QueryError, match=r"regular tree.*'mlp' needs none"):
        gh.baseline(gh.compile(chain, gh.posterior("state"), "symbol"), "cnn")
    spins = gh.PairwiseSpins([[0, 0.5], [0.5, 0]])
    seen = gh.compile(spins, gh.mean("x"), gh.noisy("x", sigma=1.0))
    with pytest.raises(QueryError, match=r"'x' gathers variables.*'mlp' needs none"):
        gh.baseline(seen, "unet")
    joint = gh.zoo.joint_ghm(2, flip=0.1, image=(2,), text=(2,))
    with pytest.raises(QueryError, match="not on the way"):
        gh.baseline(gh.compile(joint, gh.posterior("text1"), "image1"), "unet")
    with pytest.raises(QueryError, match="got likelihoods"):
        gh.baseline(denoise(tree()), "mlp")(torch.ones(1, 4, 3))
    with pytest.raises(EvidenceError, match="must have shape"):
        gh.baseline(program, "mlp")(torch.zeros(1, 3, dtype=torch.int64))
