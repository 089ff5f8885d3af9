"""Whatever describes a model becomes a :class:`Model`; and back to networkx and pgmpy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from ghmpp.errors import ConversionError
from ghmpp.models import convert_networkx
from ghmpp.models.assembly import model_of
from ghmpp.models.convert_networkx import from_networkx as from_networkx
from ghmpp.models.convert_networkx import to_networkx as to_networkx
from ghmpp.models.convert_pgmpy import from_pgmpy as from_pgmpy
from ghmpp.models.convert_pgmpy import is_pgmpy
from ghmpp.models.convert_pgmpy import pgmpy_names as pgmpy_names
from ghmpp.models.convert_pgmpy import to_pgmpy as to_pgmpy
from ghmpp.models.declared import FieldModel
from ghmpp.models.factors import Factors
from ghmpp.models.model import Model
from ghmpp.models.spins import PairwiseSpins

if TYPE_CHECKING:
    import networkx as nx


def as_model(described: object) -> Model:
    """The model itself, or the model that a networkx graph or pgmpy model describes.

    Parameters
    ----------
    described
        A :class:`Model`, a graph as in :func:`from_networkx`, a pgmpy model as in
        :func:`from_pgmpy`, :class:`~ghmpp.models.factors.Factors`, or
        :class:`~ghmpp.models.spins.PairwiseSpins`.

    Raises
    ------
    ConversionError
        If it is none of these, or cannot be converted.
    ModelError
        If its potentials are wrong.

    Examples
    --------
    >>> model = Model("one")
    >>> as_model(model) is model
    True
    """
    import networkx as nx

    if isinstance(described, Model):
        return described
    if isinstance(described, Factors):
        return model_of(described)
    if isinstance(described, PairwiseSpins):
        return described.model()
    # Models of pgmpy are networkx graphs too, so pgmpy comes first.
    if is_pgmpy(described):
        return from_pgmpy(described)
    if isinstance(described, nx.Graph):
        return from_networkx(described)
    if isinstance(described, FieldModel):
        raise ConversionError(
            f"{described.name!r} is a {type(described).__name__} and no discrete model; "
            "gh.compile makes the program that answers about it."
        )
    raise ConversionError(
        f"expected a ghmpp Model, a networkx graph or a discrete pgmpy model, got a "
        f"{type(described).__name__} from {type(described).__module__}."
    )


def factor_graph(model: Model, kind: Literal["networkx", "pgmpy"] = "networkx") -> nx.Graph[Any]:
    """The bipartite graph of variables and factors.

    Parameters
    ----------
    model
        Any model; a complete one for pgmpy.
    kind
        "networkx", see :func:`ghmpp.models.convert_networkx.factor_graph`; or "pgmpy", a
        ``FactorGraph``, see :func:`to_pgmpy`.

    Raises
    ------
    ConversionError
        If ``kind`` is unknown.
    ModelError
        If pgmpy is asked for and the model has free tables or symbols without value.
    """
    if kind == "networkx":
        return convert_networkx.factor_graph(model)
    if kind == "pgmpy":
        return to_pgmpy(model, kind="factor")
    raise ConversionError(f"factor_graph: kind must be networkx or pgmpy, got {kind!r}.")
