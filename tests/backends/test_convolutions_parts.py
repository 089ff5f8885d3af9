"""The parts of convolutional networks, one by one, and how a network reads when it is printed."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch

import ghmpp as gh
from ghmpp.backends.convolutions.build import as_convolutions
from ghmpp.backends.convolutions.convolutions import Maker
from ghmpp.backends.convolutions.layers import Normalize, OneHot, Siblings
from ghmpp.backends.convolutions.stages import constant_net, side_by_side, with_constant_unit
from ghmpp.backends.families.stages import Dense, Stage
from tests.tolerances import EXACT

GENERATOR = torch.Generator().manual_seed(0)
INFINITY = float("inf")


def normal(*shape):
    return torch.randn(*shape, generator=GENERATOR, dtype=torch.float64)


def net(*widths, relus):
    stages = [
        Stage(normal(out, into), normal(out), relu)
        for into, out, relu in zip(widths, widths[1:], relus, strict=False)
    ]
    return Dense("logs", tuple(stages))


def assert_same(found, expected):
    torch.testing.assert_close(found, expected, rtol=EXACT, atol=EXACT)


class TestSideBySide:
    NETS = (net(3, 5, 4, 6, 2, relus=(1, 0, 1, 0)), net(3, 7, 2, 2, relus=(1, 1, 0)))

    def test_shapes_are_equal_and_values_unchanged(self):
        stages = side_by_side(self.NETS)
        x = normal(6, 3)

        for which, original in enumerate(self.NETS):
            row = [stage[which] for stage in stages]
            assert_same(Dense("logs", tuple(row))(x), original(x))
        for stage in stages:
            assert stage[0].weight.shape == stage[1].weight.shape
            assert stage[0].relu == stage[1].relu

    def test_a_constant_net_says_the_same_to_everything(self):
        logs = normal(2)
        silent = constant_net(logs, self.NETS[0])

        assert_same(silent(normal(6, 3)), logs.expand(6, 2))

    def test_biases_of_the_last_stage_become_weights_of_a_constant_unit(self):
        stages = with_constant_unit(side_by_side(self.NETS))
        x = normal(6, 3)

        assert all((stage.bias == 0).all() for stage in stages[-1])
        for which, original in enumerate(self.NETS):
            assert_same(Dense("logs", tuple(s[which] for s in stages))(x), original(x))

    def test_so_it_is_with_one_stage_alone(self):
        lone = net(3, 2, relus=(0,))
        stages = with_constant_unit(side_by_side([lone]))
        x = normal(6, 3)

        assert_same(Dense("logs", tuple(s[0] for s in stages))(x), lone(x))


class TestMaker:
    STAGES = tuple(Stage(normal(5, 3), normal(5), False) for _ in range(4))

    @pytest.mark.parametrize(("dimensions", "kernel"), [(1, (4,)), (2, (2, 2)), (2, (1, 4))])
    def test_gather_applies_each_map_at_its_position(self, dimensions, kernel):
        layer = Maker(dimensions, normal(0)).gather(self.STAGES, kernel)
        x = normal(2, 3, *kernel)

        found = layer(x).view(2, 4, 5)
        for rank, stage in enumerate(self.STAGES):
            expected = x.flatten(2)[:, :, rank] @ stage.weight.T + stage.bias
            assert_same(found[:, rank], expected)

    @pytest.mark.parametrize(("dimensions", "kernel"), [(1, (4,)), (2, (2, 2)), (2, (4, 1))])
    def test_scatter_writes_each_map_at_its_position(self, dimensions, kernel):
        layer = Maker(dimensions, normal(0)).scatter(self.STAGES, kernel)
        x = normal(2, 12, *(1,) * dimensions)

        found = layer(x).flatten(2)
        for rank, stage in enumerate(self.STAGES):
            assert_same(found[:, :, rank], x.view(2, 4, 3)[:, rank] @ stage.weight.T)

    def test_grouped_and_pooled(self):
        maker, x = Maker(1, normal(0)), normal(2, 12, 7)
        own = [
            torch.einsum("os,bsn->bon", stage.weight, part) + stage.bias[:, None]
            for stage, part in zip(self.STAGES, x.chunk(4, 1), strict=True)
        ]

        assert_same(maker.grouped(self.STAGES)(x), torch.cat(own, 1))
        assert_same(maker.pooled(self.STAGES)(x), sum(own))

    def test_weights_learn_if_they_are_to(self):
        assert Maker(1, normal(0), learned=True).pooled(self.STAGES).bias.requires_grad
        assert not Maker(1, normal(0)).pooled(self.STAGES).weight.requires_grad


class TestLayers:
    def test_normalize_takes_the_largest_of_each_group(self):
        x = torch.tensor([[1.0, 3.0, -INFINITY, -INFINITY, 2.0, -INFINITY]])[..., None]

        found = Normalize(3)(x)[0, :, 0].tolist()
        assert found == [-2.0, 0.0, -INFINITY, -INFINITY, 0.0, -INFINITY]

    def test_normalize_leaves_out_what_cannot_occur(self):
        barred = torch.tensor([0.0, 0.0, -INFINITY])
        x = torch.tensor([[1.0, 3.0, 9.0]])[..., None]

        found = Normalize(barred=barred, floor=-50.0)(x)
        assert found[0, :, 0].tolist() == [-2.0, 0.0, -50.0]

    @pytest.mark.parametrize("ranks", [2, 5])
    def test_siblings_leave_out_the_own_message_without_subtraction(self, ranks):
        context, messages = normal(1, 3, 4), normal(2, ranks * 3, 4)
        messages[0, 0, 0] = -INFINITY

        found = Siblings(ranks)(context, messages).view(2, ranks, 3, 4)
        for rank in range(ranks):
            others = [part for k, part in enumerate(messages.chunk(ranks, 1)) if k != rank]
            assert_same(found[:, rank], sum(others, start=context.expand(2, 3, 4)))

    def test_symbols_as_logs(self):
        found = OneHot(2)(torch.tensor([0.0, 1.0, 2.0]).view(1, 1, 3))

        assert found[0].T.tolist() == [[0.0, -INFINITY], [-INFINITY, 0.0], [0.0, 0.0]]


@cache
def denoiser():
    rng = np.random.default_rng(0)
    model = gh.Model("digits")
    digit = model.root("digit", 3, prior=[1, 2, 3])
    block = digit.children("block", 2, 4, potential=rng.uniform(1, 2, size=(2, 3, 4)))
    block.children("pixel", 3, range(5), potential=rng.uniform(1, 2, size=(3, 4, 5)))
    program = gh.compile(model, gh.mean("pixel"), given=gh.noisy("pixel", sigma=2.0))
    return as_convolutions(program.network("relu", width=10))


class TestPrinted:
    def test_print_reads_as_encoder_bottleneck_decoder_with_skips(self):
        network = denoiser()
        text = str(network)

        places = [text.index(f"({part})") for part in ("encoder", "bottleneck", "decoder")]
        assert places == sorted(places)
        assert "pixel -> block" in text[places[0] : places[1]]
        assert "digit_prior" in text[places[1] : places[2]]
        assert "context decoder.block, skip from encoder.pixel" in text[places[2] :]
        assert "(pixel_skip): Add(inputs.pixel + decoder.pixel)" in text[places[2] :]

    def test_a_root_without_prior_has_a_bottleneck_too(self):
        model = gh.GHM(states=2, branching=(2,), tables=[[[2, 1], [1, 2]]])
        network = as_convolutions(gh.compile(model, gh.posterior("x1"), given="x1").network())

        assert list(network.bottleneck) == ["x0_flat"]

    def test_the_summary_names_the_message_of_each_layer(self):
        network = denoiser()
        rows = {row.layer: row for row in network.summary().rows}

        first, last = rows["encoder.pixel.1"], rows["decoder.pixel.7"]
        assert first.message == "pixel -> block"
        assert first.kind.startswith("Conv1d 5 -> ")
        assert first.kind.endswith("k3 s3")
        assert rows["decoder.block.4"].message == "digit -> block"
        assert last.kind.startswith("ConvTranspose1d ")
        assert last.kind.endswith(" -> 5, k3 s3")
        assert rows["readout.pixel_mean.values"].output == ("B", 1, 6)

    def test_the_summary_counts_all_parameters(self):
        network = denoiser()
        expected = sum(parameter.numel() for parameter in network.parameters())

        assert network.summary().parameters == expected
        assert str(network.summary()).endswith(f"{expected:,} parameters")

    def test_the_summary_as_html(self):
        network = denoiser()
        html = network._repr_html_()

        assert html.count("<tr>") == len(network.summary().rows) + 1
        assert "pixel -&gt; block" in html
        assert not any(module._forward_hooks for module in network.modules())
