"""The declaration of a model: classes of variables, tied potentials, symbols.

A :class:`Model` is declared step by step and is the only mutable object of the package; what it
means is its :meth:`Model.forest`, which never changes.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from os import PathLike
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from numpy.typing import ArrayLike

from ghmpp._arrays import AnyArray, IntArray
from ghmpp.errors import ModelError
from ghmpp.models import summary, tables
from ghmpp.models.declaration import Declaration, check_name, read_count
from ghmpp.models.expand import expand
from ghmpp.models.expressions import Scalar, Symbol, add_symbol
from ghmpp.models.forest import Forest, VariableClass
from ghmpp.models.potentials import PotentialLike, PriorLike
from ghmpp.models.rule_levels import rule_levels
from ghmpp.models.rules import Rules
from ghmpp.models.states import StatesLike, read_states
from ghmpp.models.variable import Variable

if TYPE_CHECKING:
    import networkx as nx

    from ghmpp.models.assumptions import Assumptions
    from ghmpp.models.validity import Validity


class Model:
    """A generative hierarchical model: a forest of discrete variables with tied potentials.

    Parameters
    ----------
    name
        Name in reports and files.

    Examples
    --------
    >>> model = Model("weather")
    >>> season = model.root("season", ["dry", "wet"], prior=[0.5, 0.5])
    >>> day = season.children("day", 3, ["sun", "rain"], potential=[[0.9, 0.1], [0.4, 0.6]])
    >>> model
    Model 'weather': 2 classes, 4 variables
      season  1 node   2 states  root, prior
      day     3 nodes  2 states  3 per season, 1 table
    """

    def __init__(self, name: str = "model") -> None:
        self.name = name
        self._declarations: dict[str, Declaration] = {}
        self._symbols: dict[str, Symbol] = {}
        self._values: dict[str, Scalar] = {}
        self._forests: dict[bool, Forest] = {}

    @classmethod
    def from_declarations(
        cls,
        name: str,
        declarations: Iterable[Declaration],
        values: Mapping[str, Scalar] | None = None,
    ) -> Model:
        """A model from checked declarations, parents first, and exact values of its symbols."""
        model = cls(name)
        for declared in declarations:
            model.add(declared)
        model._values = {key: v for key, v in (values or {}).items() if key in model._symbols}
        return model

    def root(
        self,
        name: str,
        states: StatesLike,
        *,
        prior: PriorLike | None = None,
        values: ArrayLike | None = None,
    ) -> Variable:
        """Declare a variable without parent; several roots make a forest.

        Parameters
        ----------
        name
            Name of the variable; must be new.
        states
            A number of states, a sequence of numbers (their values too), or a sequence of names.
        prior
            Weights, shape (states,), linear and >= 0, or a function of the state; None = uniform.
        values
            Numeric state values, shape (states,); None = as ``states`` says.

        Raises
        ------
        ModelError
            If the name is taken, or states, values or prior are wrong.
        """
        check_name(name, self._declarations, None)
        declared = Declaration(name, read_states(states, values, f"variable {name!r}"))
        return self.add(tables.with_prior(declared, prior))

    def chain(
        self,
        name: str,
        length: int,
        states: StatesLike,
        *,
        potential: PotentialLike | None = None,
        prior: PriorLike | None = None,
        values: ArrayLike | None = None,
    ) -> Variable:
        """Declare a chain of variables, each the parent of the next (a hidden Markov chain).

        Parameters
        ----------
        name, states, values
            As in :meth:`root`.
        length
            Number of variables, at least 1.
        potential
            One table (states, states), axes (earlier, later), shared by all steps: an array,
            a function or a record. None = free.
        prior
            Weights of the first variable, shape (states,), linear and >= 0; None = uniform.

        Raises
        ------
        ModelError
            If the name is taken, or length, states, values, potential or prior are wrong.
        """
        check_name(name, self._declarations, None)
        place = f"variable {name!r}"
        nodes = read_count(length, "length", place)
        space = read_states(states, values, place)
        declared = Declaration(name, space, nodes=nodes, levels=nodes, chain=True)
        declared = tables.with_potential(declared, declared, potential)
        return self.add(tables.with_prior(declared, prior))

    def add(self, declared: Declaration) -> Variable:
        """Add a checked declaration; its parent must be declared already."""
        for symbol in declared.symbols.values():
            add_symbol(self._symbols, symbol, f"variable {declared.name!r}")
        self._declarations[declared.name] = declared
        self._forests.clear()
        return Variable(self, declared.name)

    @property
    def declarations(self) -> Mapping[str, Declaration]:
        """The declared classes by name, parents before children."""
        return MappingProxyType(self._declarations)

    @property
    def variables(self) -> Mapping[str, VariableClass]:
        """Classes of variables by name, in the order of declaration; without hidden ones."""
        return self.forest().visible

    @property
    def parameters(self) -> dict[str, float | None]:
        """Symbols of the potentials by name, with their values; None = not bound."""
        return {
            name: float(self._values[name]) if name in self._values else None
            for name in sorted(self._symbols)
        }

    @property
    def bound(self) -> Mapping[str, Scalar]:
        """Exact values of the bound symbols, by name."""
        return dict(self._values)

    @property
    def free(self) -> tuple[str, ...]:
        """Keys of the edge classes that have no table yet, and of rules without weights."""
        keys = (declared.free_key for declared in self._declarations.values())
        return tuple(key for key in keys if key is not None)

    @property
    def rules(self) -> dict[str, Rules]:
        """The joint production rules by name of the class that they write; others have none."""
        return rule_levels(self._declarations)

    @property
    def treewidth(self) -> int:
        """Width of the model, see :func:`ghmpp.models.summary.treewidth`."""
        return summary.treewidth(self)

    @property
    def template(self) -> nx.DiGraph[str]:
        """The declaration as a graph, see :func:`ghmpp.models.summary.template`."""
        return summary.template(self)

    def bind(self, **values: object) -> Model:
        """A model in which symbols have values; formulas keep the symbols.

        Parameters
        ----------
        values
            Real numbers by symbol name; floats, integers, fractions or sympy numbers.

        Raises
        ------
        ModelError
            If a symbol is unknown, a value is not a real number or breaks the symbol's
            ``positive=True``, or a potential becomes negative or not finite.

        Examples
        --------
        >>> import sympy
        >>> beta = sympy.Symbol("beta", positive=True)
        >>> model = Model("potts")
        >>> _ = model.root("root", 2).children("leaf", 2, 2, potential=[[beta, 1], [1, beta]])
        >>> model.bind(beta=0.5).parameters
        {'beta': 0.5}
        """
        new = tables.read_values(values, self._symbols)
        declared = self._declarations.values()
        model = Model.from_declarations(self.name, declared, self._values | new)
        model.forest()  # checks the weights at these values
        return model

    def with_tables(self, stacks: Mapping[str, AnyArray]) -> Model:
        """A model with potentials replaced; free tables and formulas become numbers.

        Parameters
        ----------
        stacks
            By key as in ``Forest.data``: tables (rows, parent states, child states), or
            (parent states, child states) when shared; by class name: unaries (rows, states) or
            (states,). Linear, finite, >= 0. All edge classes that share a key change.

        Raises
        ------
        ModelError
            If a key is unknown, or shapes or entries are wrong.
        """
        replaced = tables.replace_stacks(self._declarations, stacks)
        return Model.from_declarations(self.name, replaced, self._values)

    def initialise(self, seed: int = 0) -> Model:
        """A model whose free tables are random: rows ``1 + 0.5 u`` normalised, u in [0, 1]."""
        return self.with_tables(tables.random_stacks(self._declarations, seed))

    def normalized(self) -> Model:
        """The same law in conditional probabilities, see :mod:`ghmpp.models.normalized`."""
        from ghmpp.models.normalized import normalized

        return normalized(self)

    def forest(self, exact: bool = False) -> Forest:
        """The forest of variables that the model means; the same object on every call.

        Parameters
        ----------
        exact
            Potentials as fractions (floats as the fractions they are) and sympy expressions,
            instead of float64.

        Raises
        ------
        ModelError
            If bound symbols make a potential negative or not finite.
        """
        if exact not in self._forests:
            self._forests[exact] = expand(self.name, self._declarations, self._values, exact=exact)
        return self._forests[exact]

    def require_complete(self) -> None:
        """Refuse free tables and symbols without values: a ModelError that names them."""
        if not self._declarations:
            raise ModelError(f"model {self.name!r} is not complete: no variables (root, chain).")
        self.forest().require_values()

    def log_partition(self) -> float:
        """Log of the total weight, see :func:`ghmpp.models.directed.log_partition`."""
        from ghmpp.models.directed import log_partition

        self.require_complete()
        return log_partition(self.forest())

    def sample(self, n: int, seed: int = 0) -> dict[str, IntArray]:
        """Samples: states (n, nodes) by class, see :func:`ghmpp.models.sampling.sample`."""
        from ghmpp.models.sampling import sample

        self.require_complete()
        return sample(self.forest(), n, seed)

    def valid_rules(self, x: object) -> Validity:
        """Which nodes of strings the joint rules can write, see :mod:`ghmpp.models.validity`.

        ``x`` are states of the leaves, by index or name, (leaves,) or (batch, leaves), missing
        where None, NaN or -1; or any other evidence. Of the result, ``found["x1"]``, bool (batch,
        nodes), says whether some symbol of a node expands into what is below it, ``found.broken``
        names the tuples of each string that no rule writes; of possible strings all are valid.

        Raises
        ------
        ModelError, EvidenceError
            If no level has joint rules; or if ``x`` does not fit.

        Examples
        --------
        >>> import ghmpp as gh
        >>> model = gh.grammar("S -> A B | B A; A -> a b; B -> c c")
        >>> found = model.valid_rules([["a", "b", "c", "c"], ["a", "b", "c", "a"]])
        >>> found["x1"].tolist(), found.broken
        ([[True, True], [True, False]], ((), ('x1[1] -> (c, a)',)))
        """
        from ghmpp.models.validity import valid_rules

        return valid_rules(self, x)

    def assumptions(self) -> Assumptions:
        """What arXiv:2404.18444 assumes and holds, see :mod:`ghmpp.models.assumptions`."""
        from ghmpp.models.assumptions import assumptions

        return assumptions(self)

    def graph(self) -> nx.DiGraph[str]:
        """One node per variable, see :func:`ghmpp.models.graphs.graph`."""
        from ghmpp.models.graphs import graph

        return graph(self)

    def factor_graph(self, kind: Literal["networkx", "pgmpy"] = "networkx") -> nx.Graph[Hashable]:
        """The bipartite graph of variables and factors, see :mod:`ghmpp.models.convert`."""
        from ghmpp.models.convert import factor_graph

        return factor_graph(self, kind)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the model, see :func:`ghmpp.models.serialize.save`."""
        from ghmpp.models.serialize import save

        save(self, path)

    @staticmethod
    def load(path: str | PathLike[str]) -> Model:
        """Read a model, see :func:`ghmpp.models.serialize.load`."""
        from ghmpp.models.serialize import load

        return load(path)

    def __repr__(self) -> str:
        return summary.text(self)

    def _repr_html_(self) -> str:
        return summary.html(self)
