"""``load``: models and networks from files."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from ghmpp.exports.spec import SPEC
from ghmpp.models import serialize
from ghmpp.models.model import Model

if TYPE_CHECKING:
    from ghmpp.backends.network import Network


def load(path: str | PathLike[str]) -> Model | Network:
    """Read what was saved: a model from its ``.json`` file, a network from its folder.

    Parameters
    ----------
    path
        A file that ``model.save`` wrote, or a folder that :func:`ghmpp.export` wrote with "json"
        among its formats. A network is compiled again from its model, and gets its weights back
        bit for bit.

    Raises
    ------
    FormatError
        If a file is missing, broken, of another format or a newer version, files do not belong
        together, or this version of ghmpp compiles the model differently.
    MissingDependencyError
        If a network is to be read and safetensors is not installed.
    """
    target = Path(path)
    if target.is_dir() or target.name == SPEC:
        from ghmpp.exports.rebuild import load_network

        return load_network(target if target.is_dir() else target.parent)
    return serialize.load(target)
