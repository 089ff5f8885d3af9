"""Files as text: whole, of sane size, and able to say where in them something is wrong."""

from __future__ import annotations

import gzip
import re
import zlib
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from ghmpp._files import replaced
from ghmpp.errors import FormatError

LARGEST = 2**30  # bytes, unpacked: a small packed file may claim to hold any amount
PIECE = 2**20
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Text:
    """The content of a file, lines ending in a newline, and the name of the file."""

    content: str
    path: str

    def error(self, problem: str, offset: int | None = None) -> FormatError:
        """The error for a problem at an offset of the content, by line and column from 1."""
        if offset is None:
            return FormatError(f"{self.path}: {problem}", path=self.path)
        line = self.content.count("\n", 0, offset) + 1
        column = offset - self.content.rfind("\n", 0, offset)
        return located(problem, self.path, line, column)

    def end(self, problem: str) -> FormatError:
        """The error for a problem at the end of the content."""
        return self.error(problem, len(self.content.rstrip()))

    def blanked(self, pattern: re.Pattern[str]) -> str:
        """The content with spaces for what the pattern finds, so that offsets stay.

        What begins with a quotation mark is left as it is, so that a pattern can step over it.
        """

        def blank(found: re.Match[str]) -> str:
            return found[0] if found[0][0] == '"' else re.sub(r"[^\n]", " ", found[0])

        return pattern.sub(blank, self.content)


def located(problem: str, path: str, line: int, column: int) -> FormatError:
    """The error for a problem at a line and column, from 1."""
    message = f"{path}, line {line}, column {column}: {problem}"
    return FormatError(message, path=path, line=line, column=column)


def shown(text: str) -> str:
    """A piece of a file for messages, quoted and short."""
    return repr(text if len(text) <= 40 else f"{text[:40]}...")


def read_bytes(path: str | PathLike[str]) -> bytes:
    """The content of a file, unpacked if its name ends in ".gz".

    Raises
    ------
    FormatError
        If it cannot be read or unpacked, or is larger than 1 GiB.
    """
    place, pieces, size = Path(path), [], 0
    try:
        with gzip.open(place) if place.suffix.lower() == ".gz" else place.open("rb") as file:
            while size <= LARGEST and (piece := file.read(PIECE)):
                pieces.append(piece)
                size += len(piece)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FormatError(f"{place}: cannot be unpacked ({error}).", path=str(place)) from error
    except OSError as error:
        raise FormatError(
            f"{place}: cannot be read ({error.strerror}).", path=str(place)
        ) from error
    if size > LARGEST:
        raise FormatError(
            f"{place}: holds more than {LARGEST} bytes, the most that is read.", path=str(place)
        )
    return b"".join(pieces)


def decode(data: bytes, path: str) -> Text:
    """The bytes as text.

    Raises
    ------
    FormatError
        If they are not UTF-8, or hold control characters, as binary files do.

    Examples
    --------
    >>> decode(b"MARKOV\\r\\n1\\r\\n", "one.uai").content
    'MARKOV\\n1\\n'
    """
    try:
        content = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        problem = f"byte {data[error.start]:#04x} is no UTF-8 text; save the file as UTF-8."
        raise located(problem, path, line, column) from error
    text = Text(content.replace("\r\n", "\n").replace("\r", "\n"), path)
    control = _CONTROL.search(text.content)
    if control:
        raise text.error(
            f"the character {control[0]!r} belongs to no text; the file is binary or broken.",
            control.start(),
        )
    return text


def write_text(content: str, path: Path) -> None:
    """Write a file at once, packed if its name ends in ".gz"; the same content, the same bytes.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    data = content.encode("utf-8")
    if path.suffix.lower() == ".gz":
        data = gzip.compress(data, mtime=0)
    with replaced(path) as draft:
        draft.write_bytes(data)
