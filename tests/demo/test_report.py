"""The report: one file that needs no other, in which every link leads somewhere."""

from __future__ import annotations

import base64
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ghmpp.demo.report import Picture, Section, Table, page

VOID = {"meta", "img", "br", "link"}


class Reader(HTMLParser):
    """Checks that tags are balanced; collects ids, links, sources and text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.sources: list[str] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        found = dict(attrs)
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found["href"]] if "href" in found else []
        self.sources += [found["src"]] if "src" in found else []

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def sections() -> list[Section]:
    table = Table("errors", ["", "a"], [["x < y", "1"], ["ghmpp", "2"]], best=frozenset({(1, 1)}))
    return [
        Section(
            ("See Figure 1, and `Inference.denoise`.", "2 < 3 & 4"),
            pictures=(Picture(1, "1-a.png", "A picture of <b>."),),
            tables=(table,),
            title="First & only",
            seconds=1.25,
        ),
        Section(("Also Figure 2.",), pictures=(Picture(2, "2-b.png", "B"),), title="Second"),
        Section(("No figure.",), listings=(("Code", "if a < b: c"),), title="Third"),
    ]


@pytest.fixture
def html(sections: list[Section], tmp_path: Path) -> str:
    (tmp_path / "1-a.png").write_bytes(b"first")
    (tmp_path / "2-b.png").write_bytes(b"second")
    return page("Title", "Lead.", sections, tmp_path)


@pytest.fixture
def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    return reader


def test_tags_are_balanced(read):
    assert read.open == []


def test_nothing_is_loaded_from_elsewhere(html, read):
    assert all(link.startswith("#") for link in read.links)
    assert all(source.startswith("data:image/png;base64,") for source in read.sources)
    assert "url(" not in html
    assert "http" not in html


def test_every_link_leads_to_something(read):
    assert {link.removeprefix("#") for link in read.links} <= set(read.ids)
    assert len(read.ids) == len(set(read.ids))


def test_pictures_are_inside(read):
    inside = [base64.b64decode(source.partition(",")[2]) for source in read.sources]
    assert inside == [b"first", b"second"]


def test_text_and_figures_link_to_each_other(html):
    assert '<a href="#figure-1">Figure 1</a>' in html
    assert '<a href="#section-1">Back to the text</a>' in html


def test_text_is_shown_as_it_is(read):
    for said in ("2 < 3 & 4", "x < y", "if a < b: c", "A picture of <b>.", "First & only"):
        assert said in read.text


def test_backticks_are_code(html):
    assert "<code>Inference.denoise</code>" in html


def test_best_cell_and_our_row_are_marked(html):
    assert '<tr class="ours"><td>ghmpp</td><td class="best">2</td></tr>' in html


def test_contents_list_every_section(html):
    for number, title in enumerate(("First &amp; only", "Second", "Third"), 1):
        assert f'<li><a href="#section-{number}">{title}</a></li>' in html


def test_time_of_a_step_is_shown(read):
    assert "1.2 s" in read.text
