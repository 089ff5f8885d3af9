"""The gallery lists every tutorial, and the tutorials run."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "tutorials"
TUTORIALS = sorted(FOLDER.glob("[0-9]*.py"))


@pytest.fixture(scope="module")
def gallery():
    spec = importlib.util.spec_from_file_location("gallery", FOLDER / "gallery.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("tutorial", TUTORIALS, ids=lambda path: path.stem)
def test_gallery_has_title_sentence_time_and_picture(tutorial, gallery):
    title, sentence = gallery.opening(tutorial)
    text = (FOLDER / "README.md").read_text()

    assert f"## [{title}]({tutorial.name})" in text
    assert re.search(re.escape(sentence) + r" \(\d+ s on two cores\)", text)


def test_pictures_of_the_gallery_exist_and_are_small():
    pictures = re.findall(r'src="([^"]+)"', (FOLDER / "README.md").read_text())

    assert len(pictures) == len(TUTORIALS)
    for picture in pictures:
        assert (FOLDER / picture).stat().st_size < 300_000


def test_tutorial_without_title_is_refused(gallery, tmp_path):
    (tmp_path / "01_bad.py").write_text("import this\n")

    with pytest.raises(ValueError, match="must open with"):
        gallery.opening(tmp_path / "01_bad.py")


@pytest.mark.parametrize("said", ["", "print('picture: here.png')"])
def test_tutorial_that_saves_no_picture_where_it_says_is_refused(gallery, tmp_path, said):
    tutorial = tmp_path / "01_bad.py"
    tutorial.write_text(f"# %% [markdown]\n# # Title\n#\n# Says nothing.\n\n# %%\n{said}\n")

    with pytest.raises(ValueError, match=r"must save 01_bad\.png, and print"):
        gallery.entry(tutorial)


def test_picture_is_saved_where_the_tutorial_runs(gallery, tmp_path, monkeypatch):
    tutorial = tmp_path / "01_good.py"
    tutorial.write_text(
        "# %% [markdown]\n# # Title\n#\n# Says where.\n\n# %%\n"
        "from pathlib import Path\npicture = Path('01_good.png').resolve()\n"
        "picture.write_bytes(b'PNG')\nprint('picture:', picture)\n"
    )
    monkeypatch.setattr(gallery, "FOLDER", tmp_path)

    assert "[Title](01_good.py)" in gallery.entry(tutorial)
    assert (tmp_path / "images" / "good.png").read_bytes() == b"PNG"


@pytest.mark.slow
@pytest.mark.parametrize("tutorial", TUTORIALS, ids=lambda path: path.stem)
def test_tutorial_runs_and_leaves_its_picture(tutorial, gallery, tmp_path, monkeypatch):
    monkeypatch.setattr(gallery, "FOLDER", tmp_path)
    entry = gallery.entry(tutorial)

    assert tutorial.name in entry
    assert len(list(tmp_path.glob("images/*.png"))) == 1
