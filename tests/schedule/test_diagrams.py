"""Mermaid and dot text: every arrow joins declared boxes, names are quoted, chains folded."""

from __future__ import annotations

import re
from collections.abc import Callable

import networkx as nx
import pytest

from ghmpp.models.model import Model
from ghmpp.schedule.diagrams import dot, dot_template, mermaid, mermaid_template
from ghmpp.schedule.ir import Schedule
from tests.schedule.plans import (
    classifier,
    decoder,
    denoiser,
    everything,
    forest_of,
    plan,
    scenes,
    smoother,
)

PLANS: dict[str, Callable[[], Schedule]] = {
    "classifier": classifier,
    "denoiser": denoiser,
    "chain": lambda: smoother(40),
    "every result": lambda: everything(scenes()),
    "sample": lambda: decoder("sample"),
}


def weather() -> Model:
    model = Model("weather")
    season = model.chain("season", 365, 4)
    season.children("rain", 1, 2)
    season.children("sensor", 3, 5, potential=lambda s, x: 1 + s * x)
    return model


@pytest.mark.parametrize("name", PLANS)
def test_mermaid_arrows_join_declared_boxes(name: str) -> None:
    text = mermaid(PLANS[name]())

    boxes = re.findall(r"^ +(\w+)\[\"", text, flags=re.M)
    arrows = re.findall(r"^ +(\w+) -\.?->(?:\|\"[^\"|]*\"\|)? (\w+)$", text, flags=re.M)
    assert len(boxes) == len(set(boxes))
    assert arrows
    assert {end for arrow in arrows for end in arrow} <= set(boxes)
    assert text.count("subgraph") == len(re.findall(r"^  end$", text, flags=re.M))


@pytest.mark.parametrize("name", PLANS)
def test_dot_arrows_join_declared_boxes(name: str) -> None:
    text = dot(PLANS[name]())

    boxes = re.findall(r"^ +(\w+) \[label=", text, flags=re.M)
    arrows = re.findall(r"^  (\w+) -> (\w+) \[", text, flags=re.M)
    assert arrows
    assert {end for arrow in arrows for end in arrow} <= set(boxes)
    assert text.count("{") == text.count("}")


@pytest.mark.parametrize("name", PLANS)
def test_boxes_use_declared_colours(name: str) -> None:
    text = mermaid(PLANS[name]())

    used = set(re.findall(r":::(\w+)$", text, flags=re.M))
    assert used == set(re.findall(r"classDef (\w+) ", text))


def test_every_data_flow_but_scales_is_an_arrow() -> None:
    text = mermaid(classifier())

    # evidence -> message -> pool -> normalize -> message -> pool; prior; combine; readout
    assert len(re.findall(r"-->", text)) == len(classifier().ops) - 1


def test_skip_connections_are_dotted_and_named() -> None:
    found = re.findall(r'-\.->\|"(.*)"\|', mermaid(denoiser()))

    assert sorted(found) == ["block -&gt; digit", "pixel", "pixel -&gt; block"]


def test_a_long_chain_is_folded() -> None:
    short, long = mermaid(smoother(50)), mermaid(smoother(500))

    assert len(long.splitlines()) == len(short.splitlines())
    assert "times more" in long


def test_names_are_escaped() -> None:
    forest = forest_of(('the "top"', None, 1, 2), ("<low>", 'the "top"', 2, 2))
    schedule = plan(forest, [("mean", "<low>")], ["<low>"])

    assert "&lt;low&gt; -&gt; the &quot;top&quot;" in mermaid(schedule)
    assert 'the \\"top\\"' in dot(schedule)
    assert '"<low>' not in mermaid(schedule)


def test_a_template_shows_classes_children_and_what_is_free() -> None:
    text = mermaid_template(weather().template)

    assert '"season<br/>365 x 4 states"' in text
    assert '-->|"chain of 365, free"| ' in text
    assert '-->|"x 1, free"| ' in text
    assert '-->|"x 3"| ' in text


def test_a_template_in_dot_has_the_same_boxes_and_arrows() -> None:
    text = dot_template(weather().template)

    assert len(re.findall(r"\[label=", text)) == 3 + 3
    assert 'label="season\\n365 x 4 states"' in text


def test_an_empty_template_is_an_empty_diagram() -> None:
    assert mermaid_template(nx.DiGraph()) == "flowchart TD"
