"""networkx's node-link JSON: the graph of a model, tables as nested lists.

The graph is what ``Model.graph()`` gives (one node per variable, edges from parent to child), or
the bipartite graph of variables and factors for models that are no trees; the same graphs that
:func:`ghmpp.from_networkx` understands. Any networkx graph of these kinds that
``networkx.node_link_data`` turned into JSON can be read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp.errors import FormatError
from ghmpp.models.formats.text import Text

if TYPE_CHECKING:
    import networkx as nx

FORMAT = "ghmpp-graph"
VERSION = 1
# A number of states costs nothing in the file, so it is limited; names of states are not.
LARGEST_CARDINALITY = 10**6
_PLAIN = (type(None), bool, int, float, str)  # not their subclasses, such as enumerations
_NAMES = ("states", "variables", "axes")
_ARRAYS = ("potential", "prior", "values")


def parse_json(text: Text) -> Mapping[str, Any]:
    """The record in a JSON file.

    Raises
    ------
    FormatError
        By line and column, if it is not JSON, or not a record.

    Examples
    --------
    >>> parse_json(Text('{"nodes": []}', "empty.json"))
    {'nodes': []}
    """
    try:
        content = json.loads(text.content)
    except json.JSONDecodeError as error:
        raise text.error(f"is not JSON ({error.msg}).", error.pos) from error
    except (ValueError, RecursionError) as error:
        raise text.error(f"is not JSON ({error}).") from error
    if not isinstance(content, dict):
        raise text.error("is not a model: expected a JSON record {...}.", 0)
    return content


def parse_nodelink(content: Mapping[str, Any], path: str) -> nx.Graph[Any]:
    """The graph in a node-link record, its tables as float64 arrays.

    Parameters
    ----------
    content
        The record: ``nodes`` (with ``id``) and ``edges`` or ``links`` (with ``source`` and
        ``target``), and the attributes of :func:`ghmpp.from_networkx`.
    path
        Name of the file, for messages.

    Raises
    ------
    FormatError
        If it is no node-link record of a version that we can read, names a node twice or an
        edge between unknown nodes, or an attribute is no table of finite numbers.

    Examples
    --------
    >>> nodes = [{"id": "bias", "states": ["fair", "loaded"], "prior": [0.9, 0.1]}]
    >>> parse_nodelink({"nodes": nodes, "edges": [], "directed": True}, "bias.json").nodes["bias"]
    {'states': ('fair', 'loaded'), 'prior': array([0.9, 0.1])}
    """
    import networkx as nx

    def wrong(problem: str) -> FormatError:
        return FormatError(f"{path}: {problem}", path=path)

    if content.get("format", FORMAT) != FORMAT:
        raise wrong(f"has the format {content['format']!r}; expected {FORMAT!r}.")
    if content.get("version", VERSION) != VERSION:
        raise wrong(
            f"has version {content['version']!r}, but this ghmpp reads version {VERSION}; read it "
            "with the ghmpp that wrote it, or update ghmpp."
        )
    edges = "links" if "links" in content and "edges" not in content else "edges"
    for key in ("nodes", edges):
        found = content.get(key)
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            raise wrong(f"is no node-link record: expected {key!r} with a list of records.")
    if not isinstance(content.get("graph", {}), dict):
        raise wrong("is no node-link record: expected 'graph' with a record.")
    if not all("id" in item for item in content["nodes"]):
        raise wrong("a node has no 'id'.")
    if not all({"source", "target"} <= item.keys() for item in content[edges]):
        raise wrong("an edge has no 'source' or no 'target'.")
    try:
        graph = nx.node_link_graph(dict(content), multigraph=False, edges=edges)
    except (AttributeError, TypeError, ValueError, nx.NetworkXException) as error:
        raise wrong(f"is no node-link record ({type(error).__name__}: {error}).") from error
    if len(graph) != len(content["nodes"]):
        raise wrong(
            f"has {len(content['nodes'])} nodes, but {len(graph)} different ones with those of "
            "the edges; an 'id' stands twice, or an edge has an unknown node."
        )
    for node, data in graph.nodes(data=True):
        _restore(data, f"{path}: node {node!r}", path)
    for parent, child, data in graph.edges(data=True):
        _restore(data, f"{path}: edge {parent!r} - {child!r}", path)
    return graph


def format_nodelink(graph: nx.Graph[Any]) -> str:
    """A graph as node-link JSON, entries as the shortest decimals that are read back bit for bit.

    Parameters
    ----------
    graph
        A graph as in :func:`ghmpp.from_networkx`; potentials are arrays or None.

    Raises
    ------
    FormatError
        If a name of a node or state is no str, int, float, bool, None or tuple of these, or a
        table has symbols without value.
    """
    import networkx as nx

    data = nx.node_link_data(graph, edges="edges")
    head = {"format": FORMAT, "version": VERSION} | {
        key: _plain(value, key) for key, value in data.items() if key not in ("nodes", "edges")
    }
    lists = [f'"{kind}": [\n{_lines(data[kind])}\n]' for kind in ("nodes", "edges")]
    return ",\n".join([json.dumps(head, ensure_ascii=False)[:-1], *lists]) + "}\n"


def _lines(items: Iterable[Mapping[str, Any]]) -> str:
    """Records, one on each line."""
    plain = ({key: _plain(value, key) for key, value in item.items()} for item in items)
    return ",\n".join(json.dumps(item, ensure_ascii=False) for item in plain)


def _restore(data: dict[str, Any], place: str, path: str) -> None:
    """Attributes as they were before JSON: arrays, and tuples for lists."""
    for key in data:
        if key in _ARRAYS and data[key] is not None:
            data[key] = _array(data[key], f"{place}: {key}", path)
        elif key in ("states", "cardinality") and isinstance(data[key], (int, float)):
            if not 1 <= data[key] <= LARGEST_CARDINALITY or data[key] != int(data[key]):
                raise FormatError(
                    f"{place}: expected a number of states in 1..{LARGEST_CARDINALITY}, got "
                    f"{data[key]}.",
                    path=path,
                )
            data[key] = int(data[key])
        elif key in _NAMES and not (isinstance(data[key], list) and _hashable(data[key])):
            raise FormatError(f"{place}: {key}: expected a list of names.", path=path)
        else:
            data[key] = _tuples(data[key])


def _array(value: object, place: str, path: str) -> FloatArray:
    """Nested lists as an array of finite numbers."""
    try:
        array = np.array(value)
    except ValueError:
        array = np.array(None)
    if array.dtype.kind not in "iuf" or not np.isfinite(array).all():
        raise FormatError(
            f"{place}: expected nested lists of finite numbers, all rows of one length.", path=path
        )
    return array.astype(np.float64)


def _hashable(value: Any) -> bool:
    """Whether no record is among nested lists."""
    return all(map(_hashable, value)) if isinstance(value, list) else not isinstance(value, dict)


def _tuples(value: Any) -> Any:
    """Tuples for all lists, since names must be hashable."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _plain(value: Any, key: str) -> Any:
    """An attribute as JSON can hold it."""
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "iuf":
            raise FormatError(
                f"{key}: a table has symbols without value; bind them, or save the model as .json."
            )
        return value.tolist()
    if isinstance(value, (tuple, list, range)):
        return [_plain(item, key) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item, key) for name, item in value.items()}
    if type(value) in _PLAIN:
        return value
    raise FormatError(
        f"{key}: {value!r} of type {type(value).__name__} cannot be saved; names in files are "
        "str, int, float, bool, None or tuples of these."
    )
