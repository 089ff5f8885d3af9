"""Whatever describes a model becomes one; the rest is refused."""

from __future__ import annotations

import subprocess
import sys

import networkx as nx
import pytest

from ghmpp.errors import ConversionError, ModelError
from ghmpp.models.convert import as_model, factor_graph, from_networkx, from_pgmpy, to_pgmpy
from ghmpp.models.model import Model
from tests.models.laws import assert_same_law, bayesian, bipartite, factors, path


def test_pgmpy_is_recognised_before_networkx():
    network = bipartite(factors())

    assert isinstance(network, nx.Graph)
    assert_same_law(as_model(network))


def test_recognising_pgmpy_does_not_import_it():
    code = "import sys, networkx as nx; from ghmpp.models.convert import as_model; g = nx.Graph();"
    code += "g.add_node('a', states=2); as_model(g); print('pgmpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_other_things_are_no_models():
    with pytest.raises(ConversionError, match=r"expected a ghmpp Model.*got a list from builtins"):
        as_model([1, 2])


def test_options_are_listed():
    model = from_networkx(path(directed=True))

    with pytest.raises(ConversionError, match="kind must be bayesian, markov or factor, got 'x'"):
        to_pgmpy(model, "x")
    with pytest.raises(ConversionError, match="kind must be networkx or pgmpy, got 'x'"):
        factor_graph(model, "x")
    with pytest.raises(ConversionError, match="root: a Bayesian network has its root already"):
        from_pgmpy(bayesian()[0], root="a")


def test_incomplete_model_does_not_go_to_pgmpy():
    model = Model()
    model.root("a", 2).children("b", 1, 2)

    with pytest.raises(ModelError, match="a->b"):
        factor_graph(model, "pgmpy")
