"""XML as elements that know where they stand; entities are refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.parsers import expat

from ghmpp.errors import FormatError
from ghmpp.models.formats.text import located


@dataclass(slots=True)
class Element:
    """An element of an XML file.

    Parameters
    ----------
    tag
        Its name, in capitals.
    attributes
        Its attributes, names in capitals.
    place
        File, line and column of its start, from 1.
    text
        Its own text, without white space at the ends.
    children
        The elements in it.
    """

    tag: str
    attributes: dict[str, str]
    place: tuple[str, int, int]
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def all(self, tag: str) -> list[Element]:
        """The children with this name."""
        return [child for child in self.children if child.tag == tag]

    def first(self, tag: str) -> Element | None:
        """The first child with this name, if there is one."""
        return next(iter(self.all(tag)), None)

    def only(self, tag: str) -> Element:
        """The child with this name; there must be one."""
        found = self.all(tag)
        if len(found) != 1:
            raise self.error(f"{self.tag}: expected one {tag} in it, got {len(found)}.")
        return found[0]

    def error(self, problem: str) -> FormatError:
        """The error for a problem with this element."""
        return located(problem, *self.place)


def parse_xml(data: bytes, path: str) -> Element:
    """The root element of an XML file.

    Parameters
    ----------
    data
        The bytes of the file.
    path
        Name of the file, for messages.

    Raises
    ------
    FormatError
        By line and column, if it is not well-formed XML, or declares entities, which could make
        a small file grow without limit.

    Examples
    --------
    >>> root = parse_xml(b"<a><b> 1 </b><b>2</b></a>", "a.xml")
    >>> [child.text for child in root.all("B")]
    ['1', '2']
    """
    builder = _Builder(path)
    try:
        builder.parser.Parse(data, True)
    except expat.ExpatError as error:
        problem = expat.ErrorString(error.code)
        raise located(
            f"is not XML ({problem}); it is cut short or broken.",
            path,
            error.lineno,
            error.offset + 1,
        ) from error
    except (LookupError, ValueError) as error:  # an encoding that Python does not know
        raise FormatError(f"{path}: is not XML ({error}).", path=path) from error
    return builder.root.children[0]


class _Builder:
    """Builds the tree from what the parser finds."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.root = Element("", {}, (path, 1, 1))
        self.open = [self.root]
        self.pieces: list[list[str]] = [[]]
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.characters
        self.parser.EntityDeclHandler = self.entity

    def place(self) -> tuple[str, int, int]:
        """Where the parser stands."""
        return self.path, self.parser.CurrentLineNumber, self.parser.CurrentColumnNumber + 1

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        upper = {name.upper(): value for name, value in attributes.items()}
        element = Element(tag.upper(), upper, self.place())
        self.open[-1].children.append(element)
        self.open.append(element)
        self.pieces.append([])

    def end(self, _: str) -> None:
        self.open.pop().text = "".join(self.pieces.pop()).strip()

    def characters(self, text: str) -> None:
        self.pieces[-1].append(text)

    def entity(self, name: str, *_: object) -> None:
        raise located(f"declares the entity {name!r}, which is not read.", *self.place())
