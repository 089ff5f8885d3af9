"""The report of the demo: one HTML file that needs no other file and no network."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

STYLE = """
:root { --ink: #1f2733; --muted: #6b7686; --rule: #dde1e7; --ours: #4556c9; --tint: #f6f7fb; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2.5rem 1.25rem 5rem; max-width: 62rem; color: var(--ink);
  background: #fff; font: 1.02rem/1.6 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .4rem; }
h2 { font-size: 1.3rem; margin: 3.2rem 0 .6rem; padding-top: 1.2rem;
  border-top: 1px solid var(--rule); }
h2 small { float: right; font-weight: 400; font-size: .85rem; color: var(--muted); }
p { max-width: 44rem; margin: .6rem 0; }
a { color: var(--ours); text-decoration: none; } a:hover { text-decoration: underline; }
p.notice { border-left: .3rem solid var(--ours); padding-left: .8rem; font-weight: 600; }
nav ol { padding-left: 1.3rem; columns: 2; } nav li { margin: .15rem 0; }
figure { margin: 1.4rem 0; }
figure img { max-width: 100%; max-height: 44rem; width: auto; display: block; }
figcaption { color: var(--muted); font-size: .9rem; margin-top: .5rem; max-width: 44rem; }
table { border-collapse: collapse; margin: 1.2rem 0; font-size: .95rem; }
caption { text-align: left; color: var(--muted); font-size: .9rem; padding-bottom: .4rem; }
th, td { padding: .32rem 1.4rem .32rem 0; text-align: right; white-space: nowrap; }
th { font-weight: 600; border-bottom: 1px solid var(--ink); }
td { border-bottom: 1px solid var(--rule); font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; }
tr.ours td:first-child { color: var(--ours); font-weight: 600; }
td.best { font-weight: 700; }
details { margin: 1rem 0; } summary { cursor: pointer; color: var(--ours); }
pre { background: var(--tint); padding: 1rem; overflow-x: auto; font-size: .76rem;
  line-height: 1.45; border-radius: 6px; }
code { background: var(--tint); padding: .1rem .3rem; border-radius: 4px; font-size: .9em; }
pre code { background: none; padding: 0; }
"""


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG file of the folder, its number in the report, and what it shows."""

    number: int
    file: str
    caption: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under a head; the first column names the row.

    ``ours`` is the name of the row of this package, ``best`` the (row, column) of each winner.
    """

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    ours: str = "ghmpp"
    best: frozenset[tuple[int, int]] = frozenset()


@dataclass(frozen=True, slots=True)
class Section:
    """A step of the demo as the report tells it.

    Paragraphs are plain text, in which `code` is set in backticks and "Figure 2" becomes a link.
    Listings are pairs of a title and a text that is shown on demand. Title and time are added
    when the step is done.
    """

    paragraphs: Sequence[str]
    pictures: Sequence[Picture] = ()
    tables: Sequence[Table] = ()
    listings: Sequence[tuple[str, str]] = ()
    title: str = ""
    seconds: float = 0.0


def page(
    title: str, lead: str, sections: Sequence[Section], folder: Path, *, notice: str = ""
) -> str:
    """The whole report as HTML, with the pictures of ``folder`` inside it.

    Parameters
    ----------
    title, lead
        Heading, and the paragraph under it.
    sections
        What was done, in order.
    folder
        Where the files of the pictures are.
    notice
        What the reader must know before anything else.
    """
    warning = f'<p class="notice">{_linked(notice)}</p>\n' if notice else ""
    contents = "".join(
        f'<li><a href="#section-{number}">{escape(section.title)}</a></li>'
        for number, section in enumerate(sections, 1)
    )
    body = "\n".join(
        _section(number, section, folder) for number, section in enumerate(sections, 1)
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n{warning}<p>{_linked(lead)}</p>\n<nav><ol>{contents}</ol></nav>\n"
        f"{body}\n</body>\n</html>\n"
    )


def _section(number: int, section: Section, folder: Path) -> str:
    parts = [
        f'<section id="section-{number}">',
        f"<h2><small>{section.seconds:.1f} s</small>{number}. {escape(section.title)}</h2>",
        *(f"<p>{_linked(text)}</p>" for text in section.paragraphs),
        *(_table(table) for table in section.tables),
        *(_figure(picture, number, folder) for picture in section.pictures),
        *(
            f"<details><summary>{escape(title)}</summary><pre><code>{escape(text)}</code></pre>"
            "</details>"
            for title, text in section.listings
        ),
        "</section>",
    ]
    return "\n".join(parts)


def _figure(picture: Picture, section: int, folder: Path) -> str:
    data = base64.b64encode((folder / picture.file).read_bytes()).decode("ascii")
    return (
        f'<figure id="figure-{picture.number}"><img alt="{escape(picture.caption)}" '
        f'src="data:image/png;base64,{data}"><figcaption><b>Figure {picture.number}.</b> '
        f'{_linked(picture.caption)} <a href="#section-{section}">Back to the text</a>'
        "</figcaption></figure>"
    )


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in table.head)
    rows = []
    for row, cells in enumerate(table.rows):
        marked = "".join(
            f'<td class="best">{escape(cell)}</td>'
            if (row, column) in table.best
            else f"<td>{escape(cell)}</td>"
            for column, cell in enumerate(cells)
        )
        ours = ' class="ours"' if cells[0] == table.ours else ""
        rows.append(f"<tr{ours}>{marked}</tr>")
    return (
        f"<table><caption>{escape(table.caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _linked(text: str) -> str:
    """Text as HTML: backticks are code, figures are links."""
    marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
    return re.sub(r"\b(Figure (\d+))", r'<a href="#figure-\2">\1</a>', marked)
