"""Files that are never half-written: the old one or the new one, also after an interruption."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ghmpp.errors import MissingFolderError


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place if nothing fails.

    Raises
    ------
    MissingFolderError
        If the folder does not exist.
    OSError
        If the path is a folder, or the file cannot be written; it names ``path``.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     target = Path(folder, "answer.txt")
    ...     with replaced(target) as draft:
    ...         _ = draft.write_text("42")
    ...     target.read_text(), len(list(target.parent.iterdir()))
    ('42', 1)
    """
    require_folder(path)
    if path.exists() and not path.is_file():
        yield path  # a device or a pipe, which must stay what it is
        return
    # A link stays, and what it points to is replaced. Threads and processes may write the same
    # file at one time, each its own draft.
    target = Path(os.path.realpath(path))
    draft = target.with_name(f".{path.stem}.{secrets.token_hex(4)}{path.suffix}")
    try:
        yield draft
        with draft.open("r+b") as file:
            os.fsync(file.fileno())
        draft.replace(target)
    except OSError as error:
        if error.filename != str(draft):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        draft.unlink(missing_ok=True)


def require_folder_place(path: Path) -> None:
    """Refuse a path that can be no folder.

    Raises
    ------
    NotADirectoryError
        If it is a file.
    MissingFolderError
        If the folder that it is to be in does not exist.
    """
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "is a file; name a folder", str(path))
    if not Path(os.path.realpath(path)).parent.is_dir():
        raise MissingFolderError(
            f"{path}: the folder that it is to be in does not exist; make it first "
            f"(mkdir -p {path.parent}), or choose another path."
        )


@contextmanager
def replaced_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside ``path`` that takes its place if nothing fails.

    What was in the old folder is gone then; whether that may be is for the caller to know.

    Raises
    ------
    MissingFolderError
        If the folder that it is to be in does not exist.
    OSError
        If the path is a file, or the folder cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     target = Path(folder, "answers")
    ...     with replaced_folder(target) as draft:
    ...         _ = (draft / "first.txt").write_text("42")
    ...     [each.name for each in target.iterdir()], len(list(target.parent.iterdir()))
    (['first.txt'], 1)
    """
    require_folder_place(path)
    target = Path(os.path.realpath(path))
    token = secrets.token_hex(4)
    draft, old = (target.with_name(f".{target.name}.{token}{end}") for end in ("", ".old"))
    draft.mkdir()
    try:
        yield draft
        for each in draft.iterdir():
            with each.open("r+b") as file:
                os.fsync(file.fileno())
        if not target.exists():
            draft.rename(target)
            return
        target.rename(old)
        try:
            draft.rename(target)
        except OSError:
            old.rename(target)
            raise
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def require_folder(path: Path) -> None:
    """Refuse a path at which no file can be, before anything is computed for it.

    Raises
    ------
    MissingFolderError
        If the folder does not exist.
    IsADirectoryError
        If the path itself is a folder.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a folder; name a file in it", str(path))
    if not path.parent.is_dir():
        raise MissingFolderError(
            f"{path}: its folder does not exist; make it first (mkdir -p {path.parent}), or choose "
            "another path."
        )
