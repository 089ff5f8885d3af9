"""What a circuit is made of, and its files."""

from __future__ import annotations

import networkx as nx
import numpy as np
import onnxruntime
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

import ghmpp as gh
from ghmpp.backends.circuits.circuit import ArithmeticCircuit
from ghmpp.errors import ScheduleError
from ghmpp.exports.tracing import quiet
from ghmpp.models.grouping import group
from ghmpp.schedule.build import LOG_EVIDENCE, build_schedule
from ghmpp.schedule.passes import place_normalization, prune
from tests.tolerances import EXACT, EXPORTED_SINGLE

MODEL = gh.zoo.random_ghm(3, (2, 3), bound=3, seed=0)


def test_layers_are_convolutions_and_products_only():
    circuit = gh.arithmetic_circuit(gh.zoo.random_ghm((4, 3, 2), (2, 3), bound=3))
    convolution = circuit.layers["x2"].convolution
    leaves = [each for each in circuit.modules() if not list(each.children())]

    assert isinstance(convolution, nn.Conv1d)
    assert (convolution.kernel_size, convolution.groups) == ((1,), 3)
    assert (convolution.in_channels, convolution.out_channels) == (6, 9)
    names = {type(each).__name__ for each in leaves}
    assert names <= {"Conv1d", "Products", "Product", "Weights", "Mass", "Likelihoods"}
    assert "given x2; torch.float64" in repr(circuit)


def test_steps_of_a_chain_share_their_layers():
    model = gh.zoo.hidden_markov(50, [[0.9, 0.1], [0.2, 0.8]], [[0.6, 0.4], [0.3, 0.7]])
    circuit = gh.arithmetic_circuit(model)

    assert sum(isinstance(each, nn.Conv1d) for each in circuit.modules()) == 2


def test_irregular_levels_have_ones_where_children_are_missing():
    graph = nx.Graph()
    parents = {"a": "r", "b": "r", "c": "a", "d": "b", "e": "b", "f": "b"}
    for name in ["r", *parents]:
        graph.add_node(name, states=2)
    for name, parent in parents.items():
        graph.add_edge(parent, name, potential=np.array([[0.8, 0.2], [0.1, 0.9]]))
    untied = gh.from_networkx(graph, root="r")
    forest = group(untied.forest())
    ((level, _),) = forest.grouping.members["c"]
    assert forest.edges[level].parents is not None
    schedule = prune(build_schedule(forest, [LOG_EVIDENCE], [level]))
    x = torch.tensor([[0, 1, 1, 0], [1, 1, -1, 0]])
    places = {name: forest.grouping.members[name][0][1] for name in "cdef"}
    truth = gh.Inference(untied).log_evidence({n: x[:, k].numpy() for n, k in places.items()})

    circuit = ArithmeticCircuit(schedule, [level], torch.float64)
    assert_allclose(circuit.log_evidence(x), truth, rtol=EXACT)


def test_schedules_that_rescale_are_refused():
    built = build_schedule(MODEL.forest(), [LOG_EVIDENCE], ["x2"])
    with pytest.raises(ScheduleError, match="no linear collect pass; a bug in ghmpp"):
        ArithmeticCircuit(prune(place_normalization(built)), ["x2"], torch.float64)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "soft"), [("float64", False), ("float64", True), ("float32", True)]
)
def test_onnx_files_give_the_same_likelihood(kind, soft, tmp_path):
    circuit = gh.arithmetic_circuit(MODEL, dtype=kind).eval()
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(-1, 3, (7, 6), generator=generator)
    if soft:
        x = torch.rand(7, 6, 3, dtype=circuit.dtype, generator=generator)
    with quiet():
        batch = torch.export.Dim("batch")
        found = torch.onnx.export(
            circuit, (x[:3],), dynamo=True, dynamic_shapes=(({0: batch},),), verbose=False
        )
    found.save(tmp_path / "circuit.onnx")
    session = onnxruntime.InferenceSession(
        tmp_path / "circuit.onnx", providers=["CPUExecutionProvider"]
    )
    (name,) = (each.name for each in session.get_inputs())

    tolerance = EXACT if kind == "float64" else EXPORTED_SINGLE
    (result,) = session.run(None, {name: x.numpy()})
    assert_allclose(result, circuit(x).numpy(), rtol=tolerance)
