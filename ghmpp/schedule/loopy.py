"""Belief propagation on graphs with cycles: messages along all directed edges at once."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ghmpp._arrays import AnyArray, FloatArray, IntArray, read_only
from ghmpp.errors import GuaranteeWarning, QueryError
from ghmpp.models.cavities import Arrows, arrows, contraction, longest_path
from ghmpp.models.forest import Block, Coupling, Forest, VariableClass
from ghmpp.schedule.ir import Schedule, Term, Value
from ghmpp.schedule.sites import Sites
from ghmpp.schedule.variational import MOST_STEPS, TOLERANCE, check_iteration

# tanh of more is so near 1 that float64 keeps too few digits of the message that it stands for.
LARGEST = 12.0
CAUTIOUS = 0.5
MESSAGES = "messages"


@dataclass(frozen=True, slots=True)
class LoopyBP:
    r"""Belief propagation with a message for each directed edge, unrolled.

    .. math:: u_{i \to j} = \operatorname{atanh}(\tanh A_{ij} \tanh(h_i - u_{j \to i})), \qquad
              h_i = a_i + \sum_k u_{k \to i}, \qquad m_i = \tanh h_i.

    On trees it is exact after as many steps as the longest path has edges. With cycles, more
    steps can make it worse: see :func:`ghmpp.observables.depth.tune_depth`.

    Parameters
    ----------
    steps
        Number of updates of all messages, at least 1. None: on trees the longest path; else as
        many as shrink an error to 1e-8 where messages are known to contract, at most 200.
    damping
        Share of the old message, in [0, 1). None: 0 where messages are known to contract [1]_,
        else 0.5.
    temperature
        T of the law :math:`\mu^{1/T}` that is asked about: couplings, fields and evidence are
        divided by T > 0. Toward 0, the most probable configuration.

    Raises
    ------
    QueryError
        If a number is out of range.

    References
    ----------
    .. [1] J. M. Mooij, H. J. Kappen, Sufficient conditions for convergence of the sum-product
       algorithm, IEEE Trans. Inf. Theory 53 (2007), 4422-4437.
    """

    steps: int | None = None
    damping: float | None = None
    temperature: float = 1.0

    def __post_init__(self) -> None:
        check_iteration(type(self).__name__, self.steps, self.damping)
        number = isinstance(self.temperature, (int, float))
        if not number or not 0 < self.temperature < np.inf:
            raise QueryError(
                f"LoopyBP: temperature must be finite and > 0, got {self.temperature!r}."
            )

    def build(
        self, forest: Forest, outputs: Collection[tuple[str, str]], observed: Collection[str]
    ) -> Schedule:
        """The schedule of the updates; arguments as for :meth:`.NaiveMeanField.build`.

        Raises
        ------
        QueryError
            If a class is not of spins or called "messages", or a coupling so large that messages
            would lose their digits.

        Warns
        -----
        GuaranteeWarning
            If the couplings form a cycle, and messages may stretch errors.
        """
        for name, variable in forest.variables.items():
            if variable.real:
                raise QueryError(
                    f"LoopyBP: {name!r} is a class of real numbers, and messages are between "
                    "spins; use gh.NaiveMeanField() or gh.TAP()."
                )
        if MESSAGES in forest.blocks:
            raise QueryError(
                f"LoopyBP: a class is called {MESSAGES!r}, which is what the messages are called; "
                "choose another name."
            )
        found = Sites(forest, observed)
        matrix, places = found.joint
        matrix = matrix / self.temperature
        if np.abs(matrix).max(initial=0.0) > LARGEST:
            raise QueryError(
                f"LoopyBP: couplings up to {np.abs(matrix).max():g} (divided by the temperature) "
                f"make messages that lose their digits; they must stay below {LARGEST:g}. "
                "engine='exact' has no such limit."
            )
        edges = arrows(matrix)
        if not len(edges.strength):
            return found.finish(outputs, *self._alone(found))
        steps, damping = self._plan(edges)
        sites = Sites(_with_messages(forest, edges, places), observed)
        fields = self._fields(sites, steps, damping)
        return sites.finish(outputs, fields, {})

    def _plan(self, edges: Arrows) -> tuple[int, float]:
        """Steps and damping where they are not given."""
        longest = longest_path(edges)
        rate = 0.0 if longest is not None else contraction(edges)
        damping = self.damping
        if damping is None:
            damping = 0.0 if rate < 1 else CAUTIOUS
        if rate >= 1:
            warnings.warn(
                f"LoopyBP: messages stretch errors by up to {rate:.4g} in each step; convergence "
                "to the only fixed point is guaranteed below 1. More steps can be worse: see "
                "gh.tune_depth.",
                GuaranteeWarning,
                stacklevel=5,  # where gh.compile is called
            )
        if self.steps is not None:
            return self.steps, damping
        if longest is not None and damping == 0:
            return longest, damping
        rate = damping + (1 - damping) * rate
        if rate >= 1:
            return MOST_STEPS, damping
        needed = np.log(TOLERANCE) / np.log(max(rate, TOLERANCE))
        return min(MOST_STEPS, int(np.ceil(needed)) + (longest or 0)), damping

    def _own(self, sites: Sites, block: str) -> list[Term]:
        """The field of a block from evidence and constants."""
        own = sites.inputs[block]
        return [] if own is None else [Term(own, scale=1 / self.temperature)]

    def _alone(self, sites: Sites) -> tuple[dict[str, Value], dict[str, Value]]:
        """Fields of spins that hear nothing of each other."""
        build = sites.builder
        return {block: build.couple(block, *self._own(sites, block)) for block in sites.blocks}, {}

    def _fields(self, sites: Sites, steps: int, damping: float) -> dict[str, Value]:
        """Fields of all sites after the updates."""
        build = sites.builder
        own = {block: self._own(sites, block) for block in sites.blocks}

        def totals(u: Value) -> dict[str, Value]:
            return {
                block: build.couple(block, *own[block], Term(u, f"{MESSAGES} to {block}"))
                for block in sites.blocks
            }

        def update(u: Value) -> list[Value]:
            spread = [Term(h, f"{MESSAGES} from {block}") for block, h in totals(u).items()]
            back = Term(u, f"{MESSAGES} back", scale=-1.0)
            cavity = build.local(MESSAGES, "tanh", build.couple(MESSAGES, *spread, back))
            sent = build.couple(MESSAGES, Term(cavity, f"{MESSAGES} strength"))
            new = build.local(MESSAGES, "atanh", sent)
            if damping > 0:
                new = build.couple(MESSAGES, Term(u, scale=damping), Term(new, scale=1 - damping))
            return [new]

        (u,) = build.repeat(steps, [build.zero(MESSAGES)], update)
        return totals(u)


def _with_messages(forest: Forest, edges: Arrows, places: Mapping[str, slice]) -> Forest:
    """The forest with a block of directed edges, and what leads there and back."""
    count = len(edges.strength)
    data: dict[str, AnyArray] = dict(forest.data)
    couplings = dict(forest.couplings)

    def add(name: str, source: str, target: str, index: IntArray) -> None:
        data[name] = read_only(np.ones(index.shape[1]))
        data[f"{name} index"] = read_only(index)
        couplings[name] = Coupling(name, source, target, name, "sparse", f"{name} index")

    for block, place in places.items():
        from_here = np.nonzero((edges.source >= place.start) & (edges.source < place.stop))[0]
        to_here = np.nonzero((edges.target >= place.start) & (edges.target < place.stop))[0]
        sources = edges.source[from_here] - place.start
        targets = edges.target[to_here] - place.start
        add(f"{MESSAGES} from {block}", block, MESSAGES, np.stack([from_here, sources]))
        add(f"{MESSAGES} to {block}", MESSAGES, block, np.stack([targets, to_here]))
    back = np.stack([np.arange(count), edges.reverse])
    add(f"{MESSAGES} back", MESSAGES, MESSAGES, back)
    name = f"{MESSAGES} strength"
    strength: FloatArray = np.tanh(edges.strength)
    data[name] = read_only(strength)
    couplings[name] = Coupling(name, MESSAGES, MESSAGES, name, "diagonal")
    variable = VariableClass(MESSAGES, (), None, count, (MESSAGES,), hidden=True)
    return replace(
        forest,
        variables={**forest.variables, MESSAGES: variable},
        blocks={**forest.blocks, MESSAGES: Block(MESSAGES, MESSAGES, 0, count, 1)},
        data=data,
        couplings=couplings,
    )
