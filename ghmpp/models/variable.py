"""A declared class of variables, as the handle that its children are declared from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from ghmpp.errors import ModelError
from ghmpp.models import summary
from ghmpp.models.declaration import Declaration, check_name, read_count, read_order
from ghmpp.models.potentials import PotentialLike, PriorLike
from ghmpp.models.rule_levels import rule_name, with_rules
from ghmpp.models.rules import RulesLike
from ghmpp.models.states import StatesLike, read_states
from ghmpp.models.tables import with_potential, with_prior

if TYPE_CHECKING:
    from ghmpp.models.model import Model


@dataclass(frozen=True, slots=True, eq=False)
class Variable:
    """A declared class of variables, from which its children are declared.

    Parameters
    ----------
    model
        The model that it belongs to.
    name
        Name of the class.
    """

    model: Model
    name: str

    def children(
        self,
        name: str,
        count: int,
        states: StatesLike,
        *,
        potential: PotentialLike | None = None,
        rules: RulesLike | None = None,
        prior: PriorLike | None = None,
        values: ArrayLike | None = None,
        order: ArrayLike | None = None,
    ) -> Variable:
        """Declare ``count`` children for each node of this class; several calls give branches.

        Parameters
        ----------
        name
            Name of the class of children; must be new.
        count
            Children per node, at least 1; node k has parent ``k // count`` and rank ``k % count``.
        states
            A number of states, a sequence of numbers (their values too), or a sequence of names.
        potential
            Weights, linear, >= 0, finite: an array (parent states, child states) shared by all
            ranks, (count, ...) one table per rank, or (nodes, ...) one per edge in tree order; a
            list with an array or function per rank; a function ``f(parent, child)`` or
            ``f(parent, child, rank)`` of state values (names where states have no values); entries
            may be fractions or sympy expressions; :class:`~ghmpp.models.potentials.ChildOf` and
            ``ParentOf`` are index maps. None = free: one table per rank, learned later.
        rules
            Joint production rules instead of a potential, where the children of one parent depend
            on each other: a joint table ``psi[parent, child 1, ..., child count]``, linear, >= 0;
            a list of ``(parent, (child, ...), weight)`` in state names, weights optional; or a
            record :class:`~ghmpp.models.rules.Rules`, whose weights may be free. Only positive
            entries cost anything. A hidden class, called like the children with " rule" added,
            says which rule each parent used.
        prior
            Unary weights of each child: (states,), or (nodes, states) in tree order, or a function
            of the state. None = none.
        values
            Numeric state values, shape (states,); None = as ``states`` says.
        order
            ``order[k]`` is the user's position of tree node k, shape (nodes of the class,), such as
            :func:`ghmpp.models.layouts.morton_order`. None = tree order.

        Raises
        ------
        ModelError
            If the name is taken, or any other argument is wrong.

        Examples
        --------
        >>> from ghmpp.models.model import Model
        >>> model = Model()
        >>> pair = model.root("pair", 2).children("leaf", 2, 3, potential=lambda s, a: 1 + s * a)
        >>> model.forest().data["pair->leaf"]
        array([[[1., 1., 1.],
                [1., 2., 3.]]])
        """
        known = self.model.declarations
        above = known[self.name]
        check_name(name, known, self.name)
        place = f"variable {name!r}"
        count = read_count(count, "count", place)
        declared = Declaration(
            name,
            read_states(states, values, place),
            self.name,
            count,
            above.nodes * count,
            above.levels,
            order=read_order(order, above.nodes * count, place),
        )
        if rules is None:
            declared = with_potential(declared, above, potential)
        elif potential is None:
            check_name(rule_name(name), known, self.name)
            helper, declared = with_rules(declared, above, rules)
            self.model.add(helper)
        else:
            raise ModelError(f"{place}: give either a potential or rules, not both.")
        return self.model.add(with_prior(declared, prior))

    def __repr__(self) -> str:
        return summary.line(self.model, self.name)

    def _repr_html_(self) -> str:
        return summary.html(self.model, self.name)
