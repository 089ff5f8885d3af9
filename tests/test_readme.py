"""The code of the README runs, in order, as a newcomer would paste it."""

from __future__ import annotations

import inspect
import re
import runpy
from pathlib import Path

import pytest

import ghmpp as gh

README = Path(__file__).parents[1] / "README.md"
PRINTED = {
    "[[0.027 0.973]\n [0.919 0.081]]": "posterior of the season",
    "[-1.687 -0.925]": "log evidence",
    "[[0.582 0.418]]": "pgmpy network",
}


def code_blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_tour_runs_and_prints_what_it_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    tour = tmp_path / "tour.py"
    tour.write_text("\n".join(code_blocks()), encoding="utf-8")

    runpy.run_path(str(tour))

    printed = capsys.readouterr().out
    for expected, what in PRINTED.items():
        assert expected in printed, what


def test_every_public_name_is_listed_with_what_its_docstring_says():
    table = table_of_names()

    shown = README.read_text(encoding="utf-8")
    assert table in shown, f"the table of names in README.md has to be:\n\n{table}"


def table_of_names() -> str:
    """The public names of ghmpp and the first lines of their docstrings, as in the README."""
    rows = [
        f"| `gh.{name}` | {first_line(getattr(gh, name))} |"
        for name in sorted(gh.__all__, key=lambda name: (name.lower(), name))
        if name != "__version__"
    ]
    return "\n".join(["| name | what it is |", "|---|---|", *rows])


def first_line(thing: object) -> str:
    """The first sentence of a docstring, in Markdown."""
    text = (inspect.getdoc(thing) or "").partition("\n\n")[0].replace("\n", " ")
    return (
        re.sub(r":\w+:`~?(?:[\w.]*\.)?(\w+)`", r"`\1`", text)
        .replace("``", "`")
        .replace("<", "&lt;")
    )


def test_every_link_of_the_readme_exists():
    links = re.findall(r"\]\(([^)#]+)\)", README.read_text(encoding="utf-8"))

    missing = [link for link in links if "://" not in link and not (README.parent / link).exists()]
    assert not missing
