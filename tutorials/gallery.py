"""Run every tutorial, and write ``README.md`` here: picture, one sentence and time of each.

``python tutorials/gallery.py`` replaces the gallery and its pictures. A tutorial is called
``NN_name.py``, opens with a title and a sentence, and saves ``NN_name.png`` in the folder where it
runs, saying so.
"""

from __future__ import annotations

import contextlib
import io
import re
import runpy
import shutil
import time
from pathlib import Path
from tempfile import TemporaryDirectory

FOLDER = Path(__file__).parent
HEAD = """# Tutorials

Scripts in the py:percent format: run them with `python`, which prints what they find and saves
their picture in the current folder, or open them as notebooks (in VS Code, or in Jupyter with
jupytext). This page is written by `python tutorials/gallery.py`.
"""


def tutorials() -> list[Path]:
    """The tutorials in order."""
    return sorted(FOLDER.glob("[0-9][0-9]_*.py"))


def opening(tutorial: Path) -> tuple[str, str]:
    """Title and first sentence of a tutorial."""
    text = tutorial.read_text(encoding="utf-8")
    found = re.match(r"# %% \[markdown\]\n# # (.+)\n#\n((?:# .+\n)+)", text)
    if found is None:
        raise ValueError(f"{tutorial}: must open with '# # Title', '#' and a paragraph.")
    paragraph = " ".join(line.removeprefix("# ") for line in found[2].splitlines())
    return found[1], paragraph.split(". ")[0].removesuffix(".") + "."


def entry(tutorial: Path) -> str:
    """Run a tutorial, take its picture, and describe it as an entry of the gallery."""
    title, sentence = opening(tutorial)
    start = time.perf_counter()
    with TemporaryDirectory() as folder:
        with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()) as said:
            runpy.run_path(str(tutorial), run_name="__main__")
        saved = Path(folder, f"{tutorial.stem}.png").resolve()
        if f"picture: {saved}" not in said.getvalue() or not saved.is_file():
            raise ValueError(
                f"{tutorial}: must save {saved.name}, and print 'picture: ' and where."
            )
        seconds = time.perf_counter() - start
        picture = f"images/{tutorial.stem.partition('_')[2]}.png"
        (FOLDER / "images").mkdir(exist_ok=True)
        shutil.copyfile(saved, FOLDER / picture)
    print(f"{tutorial.name}: {seconds:.0f} s, {picture}", flush=True)
    return (
        f"\n## [{title}]({tutorial.name})\n\n{sentence} ({seconds:.0f} s on two cores)\n\n"
        f'<a href="{tutorial.name}"><img src="{picture}" width="720" alt="{title}"></a>\n'
    )


def main() -> None:
    """Write the gallery."""
    entries = [entry(tutorial) for tutorial in tutorials()]
    (FOLDER / "README.md").write_text(HEAD + "".join(entries), encoding="utf-8")


if __name__ == "__main__":
    main()
