"""A compiled query as formulas: assignments to read, and code to run elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import overload

from ghmpp._arrays import AnyArray, ObjectArray
from ghmpp.backends.symbolic import (
    Assignment,
    amount,
    assignment_count,
    require_formulas,
    require_size,
    symbolic,
)
from ghmpp.backends.symbolics.c import c_code
from ghmpp.backends.symbolics.equations import Equation, equations
from ghmpp.backends.symbolics.expansion import expanded, size
from ghmpp.backends.symbolics.letters import latex_name
from ghmpp.backends.symbolics.listing import Listing, OutputKey, listing
from ghmpp.backends.symbolics.python import python_code
from ghmpp.backends.symbolics.table import SymbolTable
from ghmpp.backends.symbolics.terms import merged, operation_count
from ghmpp.errors import QueryError
from ghmpp.schedule.ir import Evidence, Schedule

MOST_LINES = 40


@dataclass(frozen=True, eq=False, repr=False)
class SymbolicProgram(Sequence[Assignment]):
    """A schedule as formulas; a sequence of its assignments, one per entry of a message.

    Nothing is multiplied out unless asked (:meth:`expanded`). Assignments are linear; equations
    (:attr:`equations`) and printed code are in natural logarithms and stable: log-likelihoods of
    any size and -inf (what is excluded) give no nan and no overflow.

    Parameters
    ----------
    schedule
        A sum schedule without choices.
    answers
        Kind and class of what printed code returns; all that the schedule computes if empty.
    given
        Observed classes, the arguments of printed code; those with evidence if empty.
    leaves
        Likelihoods in assignments and expanded formulas, see
        :func:`~ghmpp.backends.symbolic.symbolic`; None: symbols. Printed code takes arguments.
    limit
        Largest number of assignments that is written out.

    Examples
    --------
    >>> import ghmpp as gh
    >>> model = gh.GHM(states=(2, 2), branching=(2,), tables=[[[2, 1], [1, 2]]])
    >>> formulas = gh.compile(model, gh.posterior("x0"), given="x1").symbolic()
    >>> formulas
    9 assignments for 4 instructions of 'ghm': posterior of x0 given x1
    >>> print(formulas[0])
    u_x1_0_0 = 2*l_x1_0_0 + l_x1_0_1
    >>> print(formulas.equations[1].at(0))
    u_x1_0[s] = logsumexp_a(log psi_x0_x1[0, s, a] + l_x1_0[a])
    >>> formulas.terms("posterior", "x0")
    8
    >>> print(formulas.expanded("posterior", "x0")[0, 0])
    4*l_x1_0_0*l_x1_1_0 + 2*l_x1_0_0*l_x1_1_1 + 2*l_x1_0_1*l_x1_1_0 + l_x1_0_1*l_x1_1_1
    """

    schedule: Schedule
    answers: tuple[OutputKey, ...] = ()
    given: tuple[str, ...] = ()
    leaves: Mapping[str, AnyArray] | None = field(default=None)
    limit: int = 5000

    def __post_init__(self) -> None:
        require_formulas(self.schedule)

    @cached_property
    def assignments(self) -> tuple[Assignment, ...]:
        """One linear formula per entry of what the instructions write.

        Raises
        ------
        QueryError
            If there are more than ``limit``.
        """
        return symbolic(self.schedule, self.leaves, limit=self.limit)

    @cached_property
    def equations(self) -> tuple[Equation, ...]:
        """One equation per instruction, for all nodes, in natural logarithms."""
        return equations(self.schedule)

    def __len__(self) -> int:
        return assignment_count(self.schedule, self.leaves)

    @overload
    def __getitem__(self, index: int) -> Assignment: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Assignment, ...]: ...
    def __getitem__(self, index: int | slice) -> Assignment | tuple[Assignment, ...]:
        return self.assignments[index]

    def __iter__(self) -> Iterator[Assignment]:
        return iter(self.assignments)

    def merged(self) -> tuple[Assignment, ...]:
        """The assignments with what is equal written once, see :func:`.terms.merged`."""
        return merged(self.assignments)

    @property
    def operations(self) -> int:
        """Additions, multiplications, divisions and powers in the merged assignments."""
        return operation_count(self.merged())

    def terms(self, kind: str, variable: str = "") -> int:
        """How many terms an answer has when it is multiplied out, found without doing so.

        Parameters
        ----------
        kind, variable
            An answer, such as ``"posterior", "digit"``; ``"log_evidence"`` stands for the
            evidence itself.

        Returns
        -------
        number of terms of all entries together, like terms collected; exact where the entries of
        the potentials have no minus signs, else an upper bound.

        Raises
        ------
        QueryError
            If the answer is unknown, or there are too many terms to count one by one; the
            message has an upper bound.
        """
        collected, count = size(self.schedule, self._key(kind, variable), self.leaves)
        if not collected:
            raise QueryError(
                f"terms: {amount(count)} products of {kind} {variable} are too many to collect "
                "like terms; take a smaller model, or tie its likelihoods."
            )
        return count

    def expanded(self, kind: str, variable: str = "", *, limit: int = 1000) -> ObjectArray:
        """An answer multiplied out: a polynomial in the likelihoods and free potentials.

        Parameters
        ----------
        kind, variable
            As for :meth:`terms`.
        limit
            Largest number of terms.

        Returns
        -------
        object array of sympy expressions, (nodes, states) for posteriors, in the user's order
            Linear and not normalised: each node's entries are divided by their sum to be
            probabilities (means: by the sum of the posterior's entries). Shape () for
            ``"log_evidence"``: the evidence, of which it is the log.

        Raises
        ------
        QueryError
            If the answer is unknown, or has more terms than ``limit``: its size is stated.
        """
        key = self._key(kind, variable)
        _, count = size(self.schedule, key, self.leaves)
        require_size(f"terms of {kind} {variable}".rstrip(), count, limit)
        return expanded(self.schedule, key, self.leaves)

    def latex(self, *, nodes: bool = False, limit: int = 1000) -> str:
        """Aligned equations in LaTeX with the paper's symbols, one per instruction.

        Parameters
        ----------
        nodes
            Write one equation per node, with numbers for nodes (tree order), not one for all.
        limit
            Largest number of equations.

        Raises
        ------
        QueryError
            If there are more equations than ``limit``.

        Examples
        --------
        >>> import ghmpp as gh
        >>> model = gh.GHM(states=(2, 2), branching=(2,), tables=[[[2, 1], [1, 2]]])
        >>> formulas = gh.compile(model, gh.posterior("x0"), given="x1").symbolic()
        >>> print(formulas.latex().splitlines()[-2].split(" &&")[0])
        \\nu_{v}^{\\mathrm{x0}} &= \\mathrm{softmax}(h_{\\downarrow,v}^{\\mathrm{x0}})
        """
        count = sum(each.nodes for each in self.equations) if nodes else len(self.equations)
        require_size("equations", count, limit)
        lines = []
        for each in self.equations:
            every = map(each.latex_at, range(each.nodes)) if nodes else [each.latex]
            side = latex_name(each.origin.name)
            lines += [rf"{line.replace(' = ', ' &= ', 1)} && {side} \\" for line in every]
        return "\n".join([r"\begin{aligned}", *lines, r"\end{aligned}"])

    def table(self) -> SymbolTable:
        """Paper's symbol, instruction, message, layer and formula, one row per instruction."""
        return SymbolTable(self.equations)

    def numpy(self, function: str = "infer", *, limit: int = 100_000) -> str:
        """Source text of a numpy module with one function that answers the queries.

        The function takes one array per given class, (..., nodes, states): natural
        log-likelihoods in the user's order of nodes, any common batch shape in front; then a
        number per free symbol and an array (linear) per free table. It returns a dictionary of
        arrays by ``<kind>_<class>``: linear posteriors (..., nodes, states), means (..., nodes),
        edges (..., nodes, parent states, states), and ``log_evidence`` (...), with the log of the
        total mass without evidence subtracted. Potentials are constants, exact in float64.
        Where evidence is impossible, results are 0 and the log evidence is -inf.

        Parameters
        ----------
        function
            Its name.
        limit
            Largest number of assignments and constants.

        Raises
        ------
        QueryError
            If the code would be larger than ``limit``, or a formula has an unknown function.
        """
        return python_code(self._listing(function, limit, "numpy"), "numpy")

    def torch(self, function: str = "infer", *, limit: int = 100_000) -> str:
        """As :meth:`numpy`, for torch: float64 tensors on the CPU, differentiable."""
        return python_code(self._listing(function, limit, "torch"), "torch")

    def c(self, function: str = "infer", *, limit: int = 100_000) -> str:
        """Source text of a C99 file with one function that answers the queries for one row.

        ``int infer(const double *x2, ..., double *out_posterior_x0, ...)`` takes the arguments
        of :meth:`numpy` without batch, row by row in memory, then room for the answers; it
        returns 0, or 1 if there is not enough memory. It needs libm only, is reentrant, and
        relies on infinities: compile it without ``-ffast-math``.

        Parameters
        ----------
        function, limit
            As for :meth:`numpy`.

        Raises
        ------
        QueryError
            As for :meth:`numpy`.
        """
        return c_code(self._listing(function, limit, "c"))

    def __str__(self) -> str:
        shown = [f"  {each}" for each in self.equations[:MOST_LINES]]
        hidden = len(self.equations) - len(shown)
        return "\n".join([repr(self), *shown, *([f"  ... and {hidden:,} more"] if hidden else [])])

    def __repr__(self) -> str:
        forest, ops = self.schedule.forest, self.schedule.ops
        asked = ", ".join(f"{kind} of {name}" if name else kind for kind, name in self._answers())
        return (
            f"{len(self):,} assignments for {len(ops):,} instructions of {forest.name!r}: "
            f"{asked} given {', '.join(self._given()) or 'nothing'}"
        )

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self))}</p>{self.table()._repr_html_()}"

    def _answers(self) -> tuple[OutputKey, ...]:
        blocks = self.schedule.forest.blocks
        outputs = self.schedule.outputs
        found = ((kind, blocks[name].variable if name else "") for kind, name in outputs)
        return self.answers or tuple(dict.fromkeys(found))

    def _given(self) -> tuple[str, ...]:
        blocks = self.schedule.forest.blocks
        seen = {blocks[op.block].variable for op in self.schedule.ops if isinstance(op, Evidence)}
        return self.given or tuple(name for name in self.schedule.forest.variables if name in seen)

    def _listing(self, function: str, limit: int, language: str) -> Listing:
        found = listing(self.schedule, self._answers(), self._given(), function)
        if found.assignments + found.numbers > limit:
            raise QueryError(
                f"{language}: {found.assignments:,} assignments with {found.numbers:,} constants "
                f"exceed limit={limit:,}; take a smaller model, or raise limit."
            )
        return found

    def _key(self, kind: str, variable: str) -> OutputKey:
        """An answer, which must be one."""
        if (kind, variable) not in self._answers():
            known = ", ".join(f"({kind!r}, {name!r})" for kind, name in self._answers())
            raise QueryError(
                f"symbolic: ({kind!r}, {variable!r}) is no answer; the answers are {known}."
            )
        return kind, variable
