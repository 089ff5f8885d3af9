"""The folder of an export: what may be replaced, and what may not."""

from __future__ import annotations

from pathlib import Path

from ghmpp.errors import FolderExistsError, FormatError
from ghmpp.exports.spec import SPEC, read_spec


def require_free(folder: Path, *, overwrite: bool) -> None:
    """Refuse to replace what is not an earlier export, before anything is computed.

    Raises
    ------
    FolderExistsError
        If the folder has content, and ``overwrite`` is false, or the content is not an export
        and nothing else.
    """
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not overwrite:
        raise FolderExistsError(
            f"{folder}: is not empty; pass overwrite=True to replace an earlier export, or choose "
            "another folder."
        )
    try:
        known = {SPEC, *(record.name for record in read_spec(folder).files)}
    except FormatError as error:
        raise FolderExistsError(
            f"{folder}: has content that is no export, which is never replaced; choose another "
            "folder."
        ) from error
    foreign = sorted(each.name for each in folder.iterdir() if each.name not in known)
    if foreign:
        raise FolderExistsError(
            f"{folder}: has {foreign[0]!r}, which is not of the export; "
            "move it away, or choose another folder."
        )
