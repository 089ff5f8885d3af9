"""Spins with pairwise couplings: Ising models, Boltzmann machines, and their conditional laws."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ghmpp._arrays import FloatArray, IntArray, read_only
from ghmpp.errors import ModelError
from ghmpp.models import spins_checks, spins_sources
from ghmpp.models.binary import BinaryUnits, from_binary, to_binary
from ghmpp.models.channels import Given, noisy, read_given
from ghmpp.models.declared import EngineName, Options
from ghmpp.models.entries import real_numbers
from ghmpp.models.forest import Forest, VariableClass
from ghmpp.models.model import Model
from ghmpp.models.queries import Query
from ghmpp.models.spins_forest import spins_forest
from ghmpp.models.spins_model import spins_model
from ghmpp.models.spins_overlap import onsager, signals
from ghmpp.models.spins_width import Width, couplings_width

if TYPE_CHECKING:
    import networkx as nx

    from ghmpp.models.factors import Factors
    from ghmpp.models.spins_fixed import FixedPoints
    from ghmpp.models.spins_report import SpinsReport


@dataclass(frozen=True, eq=False, repr=False)
class PairwiseSpins:
    r"""Spins x in {-1, +1}^d with pairwise couplings.

    .. math:: \mu(x) \propto \exp\{\langle x, A x\rangle / 2 + \langle b, x\rangle\}

    An Ising model is asked about the class of all spins; a model with latent variables, such as a
    restricted Boltzmann machine, has two classes of which one is observed; a conditional Ising
    model is one whose other class is given as states.

    Parameters
    ----------
    couplings
        A, shape (sites, sites), symmetric, finite, dimensionless. The diagonal is dropped: as
        ``s^2 = 1``, it is a constant of the law.
    fields
        b, shape (sites,) or one number; finite, dimensionless.
    names
        Classes of sites: None for one class "x"; a name; a mapping from names to numbers of
        sites, in the order of the sites; or one from names to positions of sites, each position
        in one class. Results have the sites of a class in this order.
    name
        Name in reports.
    sites
        What the sites are called where they come from; () = by position.

    Raises
    ------
    ModelError
        If couplings are not square, symmetric and finite, fields do not fit, or the classes do
        not part the sites.

    Examples
    --------
    >>> spins = PairwiseSpins([[0, 0.5, 0], [0.5, 0, -1], [0, -1, 0]], fields=0.1)
    >>> spins
    PairwiseSpins 'spins': 3 spins, 2 couplings; x: 3
    >>> spins.log_weight([1, 1, -1])
    1.6
    """

    couplings: FloatArray
    fields: FloatArray
    classes: Mapping[str, tuple[int, ...]]
    name: str
    sites: tuple[Hashable, ...]

    def __init__(
        self,
        couplings: ArrayLike,
        fields: ArrayLike = 0.0,
        names: str | Mapping[str, int | Sequence[int]] | None = None,
        *,
        name: str = "spins",
        sites: Sequence[Hashable] = (),
    ) -> None:
        matrix = spins_checks.read_couplings(couplings, f"spins {name!r}")
        values: Mapping[str, object] = {
            "couplings": read_only(matrix),
            "fields": read_only(spins_checks.read_fields(fields, len(matrix), f"spins {name!r}")),
            "classes": spins_checks.read_classes(names, len(matrix), f"spins {name!r}"),
            "name": name,
            "sites": spins_checks.read_sites(sites, len(matrix), f"spins {name!r}"),
        }
        for key, value in values.items():
            object.__setattr__(self, key, value)

    @classmethod
    def ising(cls, couplings: ArrayLike, fields: ArrayLike = 0.0) -> PairwiseSpins:
        """An Ising model: one class "x"."""
        return cls(couplings, fields, name="ising")

    @classmethod
    def boltzmann(
        cls,
        weights: ArrayLike,
        visible: ArrayLike = 0.0,
        hidden: ArrayLike = 0.0,
        *,
        binary: bool = False,
    ) -> PairwiseSpins:
        r"""A restricted Boltzmann machine: visible spins "x", hidden spins "theta".

        .. math:: \mu(x, \theta) \propto
                  \exp\{\langle x, W\theta\rangle + \langle a, x\rangle + \langle c, \theta\rangle\}

        Parameters
        ----------
        weights
            W, shape (visible, hidden).
        visible, hidden
            Biases a (visible,) and c (hidden,), or one number each.
        binary
            Whether the parameters are those of units in {0, 1}, which are converted by
            ``unit = (1 + spin) / 2``.

        Raises
        ------
        ModelError
            If shapes do not fit, or a number is not finite.

        Examples
        --------
        >>> rbm = PairwiseSpins.boltzmann([[4.0], [0.0]], [1.0, 0.0], [-2.0], binary=True)
        >>> rbm.couplings[0].tolist(), rbm.fields.tolist()
        ([0.0, 0.0, 1.0], [1.5, 0.0, 0.0])
        """
        table = real_numbers(weights, "boltzmann: weights")
        if table.ndim != 2 or 0 in table.shape:
            raise ModelError(
                f"boltzmann: weights must have shape (visible, hidden), got {table.shape}."
            )
        above, below = table.shape
        matrix = np.zeros((above + below, above + below))
        matrix[:above, above:] = table
        matrix[above:, :above] = table.T
        biases = np.concatenate(
            [
                spins_checks.read_fields(visible, above, "boltzmann, visible"),
                spins_checks.read_fields(hidden, below, "boltzmann, hidden"),
            ]
        )
        if binary:
            matrix, biases = from_binary(matrix, biases)
        return cls(matrix, biases, {"x": above, "theta": below}, name="boltzmann")

    @classmethod
    def curie_weiss(cls, d: int, beta: float, field: float = 0.0) -> PairwiseSpins:
        """The Curie-Weiss model: every pair of d spins is coupled by ``beta / d``."""
        return cls(
            spins_sources.curie_weiss(d, beta), np.full(max(d, 0), field), name="curie-weiss"
        )

    @classmethod
    def sherrington_kirkpatrick(cls, d: int, beta: float, seed: int = 0) -> PairwiseSpins:
        """The Sherrington-Kirkpatrick model: couplings N(0, beta^2 / d), drawn with ``seed``."""
        return cls(
            spins_sources.sherrington_kirkpatrick(d, beta, seed), name="sherrington-kirkpatrick"
        )

    @classmethod
    def from_networkx(cls, graph: nx.Graph[Any]) -> PairwiseSpins:
        """The spins of a graph, see :func:`ghmpp.models.spins_sources.from_networkx`."""
        found = spins_sources.from_networkx(graph)
        return cls(found.couplings, found.fields, name=found.name, sites=found.sites)

    @classmethod
    def from_factors(cls, graph: Factors) -> PairwiseSpins:
        """The spins of binary variables, see :func:`ghmpp.models.spins_sources.from_factors`."""
        found = spins_sources.from_factors(graph)
        return cls(found.couplings, found.fields, name=found.name, sites=found.sites)

    @classmethod
    def from_pgmpy(cls, network: object) -> PairwiseSpins:
        """The spins of a pgmpy model of binary variables with factors over one or two of them.

        State 0 becomes -1 and state 1 becomes +1, see
        :func:`ghmpp.models.spins_sources.from_factors`.

        Raises
        ------
        ConversionError
            If it is no discrete pgmpy model, or not pairwise, binary and positive.
        """
        from ghmpp.models.convert_pgmpy import factors_from_pgmpy

        return cls.from_factors(factors_from_pgmpy(network))

    @property
    def variables(self) -> Mapping[str, VariableClass]:
        """Classes of spins by name."""
        return self.forest().variables

    @cached_property
    def nodes(self) -> dict[str, int]:
        """Number of sites by class."""
        return {each: len(sites) for each, sites in self.classes.items()}

    def position(self, site: Hashable) -> tuple[str, int]:
        """The class of a site, by its name in :attr:`sites` or its number, and its place there.

        Raises
        ------
        ModelError
            If there is no such site.
        """
        names = self.sites or tuple(range(len(self.fields)))
        if site not in names:
            raise ModelError(f"spins {self.name!r}: no site {site!r}.")
        number = names.index(site)
        return next((c, at.index(number)) for c, at in self.classes.items() if number in at)

    def log_weight(self, x: ArrayLike) -> float:
        """Exponent ``<x, A x> / 2 + <b, x>`` of a configuration (sites,) of -1 and +1."""
        spins = spins_checks.read_configuration(x, len(self.fields), f"spins {self.name!r}")
        return float(spins @ self.couplings @ spins / 2 + self.fields @ spins)

    def to_binary(self) -> BinaryUnits:
        """The same law for units in {0, 1}, ``unit = (1 + spin) / 2``."""
        return to_binary(self.couplings, self.fields)

    def forest(self, given: tuple[Given, ...] = ()) -> Forest:
        """Blocks, couplings and fields, see :mod:`ghmpp.models.spins_forest`.

        Parameters
        ----------
        given
            What is observed: its signal-to-noise ratio enters the constant Onsager correction,
            and nothing else.

        Raises
        ------
        QueryError
            If a class is unknown.
        """
        known = self._forests.get(given)
        if known is None:
            correction = onsager(self.couplings, self.fields, self.ratios(given))
            known = spins_forest(self.name, self.couplings, self.fields, self.classes, correction)
            self._forests[given] = known
        return known

    @cached_property
    def _forests(self) -> dict[tuple[Given, ...], Forest]:
        return {}

    def ratios(self, given: tuple[Given, ...]) -> FloatArray:
        """Signal-to-noise ratio of what is observed at each site, (sites,)."""
        found = signals(given, self.classes, f"spins {self.name!r}")
        ratios = np.zeros(len(self.fields))
        for each, sites in self.classes.items():
            ratios[list(sites)] = found[each]
        return ratios

    def question(self) -> tuple[Query, tuple[Given, ...]]:
        """The means of the first class, seen in noise of standard deviation 1."""
        first = next(iter(self.classes))
        return Query("mean", first), (noisy(first, sigma=1.0),)

    def require_complete(self) -> None:
        """All numbers are there: nothing is free in this declaration."""

    def model(self, *, gathered: bool = True) -> Model:
        """The same law as an ordinary model, for exact inference.

        A tree where the couplings form one, else a junction tree.

        Parameters
        ----------
        gathered
            Whether its classes are those of the spins, or one for each site, called "x[3]".

        Raises
        ------
        ModelError
            If a coupling is so large that its table overflows.
        TreewidthError
            If the cliques of the junction tree do not fit into memory.

        Examples
        --------
        >>> import ghmpp as gh
        >>> model = PairwiseSpins.curie_weiss(3, 0.5).model()
        >>> gh.infer(model, {"x[0]": 1})["x"].round(3)[0, :, 1]
        array([1.   , 0.596, 0.596])
        """
        return spins_model(self.name, self.couplings, self.fields, self.classes, gathered=gathered)

    def sample(self, n: int, seed: int = 0) -> dict[str, IntArray]:
        """Exact samples: states (n, sites) by class, 0 for -1 and 1 for +1.

        Raises
        ------
        ModelError
            If ``n`` is negative.
        TreewidthError
            If exact inference does not fit into memory.
        """
        return self.model().sample(n, seed)

    def solver(self, query: Query, given: tuple[Given, ...]) -> tuple[EngineName, Options]:
        """Exact where the treewidth is at most 12, else naive mean field."""
        return ("exact" if self.width.exact else "naive"), {}

    @cached_property
    def width(self) -> Width:
        """Bounds of the treewidth of the couplings."""
        return couplings_width(self.couplings)

    def report(self, given: str | Given | Sequence[str | Given] = ()) -> SpinsReport:
        """What can be said before running, see :class:`ghmpp.models.spins_report.SpinsReport`."""
        from ghmpp.models.spins_report import report

        return report(self, read_given(given))

    def fixed_points(self, evidence: object = None, **options: Any) -> FixedPoints:
        """Whether the starting point matters, see :func:`ghmpp.models.spins_fixed.fixed_points`."""
        from ghmpp.models.spins_fixed import fixed_points

        return fixed_points(self, evidence, **options)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"

    def __repr__(self) -> str:
        pairs = int(np.count_nonzero(np.triu(self.couplings, 1)))
        named = ", ".join(f"{each}: {nodes}" for each, nodes in self.nodes.items())
        return f"PairwiseSpins {self.name!r}: {len(self.fields)} spins, {pairs} couplings; {named}"
