"""Why a root is in a state: the log-odds as a sum of what each variable below has contributed."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ghmpp._arrays import FloatArray, read_only
from ghmpp.backends.leaves import log_leaves
from ghmpp.errors import QueryError
from ghmpp.inference.impossible import impossible_evidence
from ghmpp.models.convert import as_model
from ghmpp.models.forest import Forest
from ghmpp.observables.contrasts import Contrast, read_root, read_states
from ghmpp.observables.scores import read_rows, rows_of
from ghmpp.observables.sweep import Sweep, collect_schedule

if TYPE_CHECKING:
    from pandas import DataFrame

# Of the largest array of a sweep: more rows are done one part after the other.
ENTRIES = 2_000_000


@dataclass(frozen=True, eq=False, repr=False)
class Relevance:
    """What each variable has contributed to the log-odds of a state of the root.

    ``relevance["pixel"]`` is an array (batch, nodes), user's order, in nats: positive entries
    speak for the state. That of a variable is what all evidence at and below it contributes.

    Parameters
    ----------
    variable
        Name of the root.
    states, against
        By row: the state that is explained, and the other one; ``against`` None = all others.
    log_odds, prior
        Log-odds with the evidence and without, (batch,). They differ by :attr:`total`.
    nodes
        Relevance by class, (batch, nodes); of the root, the total. Read-only.
    evidence
        By observed class, that of the evidence at the variable itself. Read-only.
    deviation
        Largest difference, by row, between the relevance of a variable and the sum of that of its
        children and of its own evidence: rounding.
    """

    variable: str
    states: tuple[Hashable, ...]
    against: tuple[Hashable, ...] | None
    log_odds: FloatArray
    prior: FloatArray
    nodes: Mapping[str, FloatArray]
    evidence: Mapping[str, FloatArray]
    deviation: float

    @property
    def total(self) -> FloatArray:
        """What the evidence has changed in the log-odds, (batch,): the sum over each level."""
        return self.log_odds - self.prior

    def __getitem__(self, name: str) -> FloatArray:
        if name not in self.nodes:
            raise QueryError(f"relevance: no class {name!r}; there are {', '.join(self.nodes)}.")
        return self.nodes[name]

    def frame(self) -> DataFrame:
        """Rows of evidence by variables: one column per variable, such as ``"pixel[3]"``."""
        from pandas import DataFrame

        columns = {
            name if array.shape[1] == 1 else f"{name}[{k}]": array[:, k]
            for name, array in self.nodes.items()
            for k in range(array.shape[1])
        }
        return DataFrame(columns)

    def __repr__(self) -> str:
        lines = [f"Relevance for {self.variable}: {len(self.states):,} rows, nats"]
        for row in range(min(3, len(self.states))):
            other = "all others" if self.against is None else repr(self.against[row])
            lines.append(
                f"  row {row}: {self.states[row]!r} against {other}, log-odds "
                f"{self.prior[row]:.3g} {self.total[row]:+.3g} = {self.log_odds[row]:.3g}"
            )
        for name, array in self.nodes.items():
            if name != self.variable:
                low, high = (array.min(), array.max()) if array.size else (0.0, 0.0)
                lines.append(f"  {name}: {array.shape[1]:,} nodes, {low:+.3g} to {high:+.3g} each")
        return "\n".join(lines)


def relevance(
    model: object,
    evidence: object,
    *,
    state: ArrayLike | Hashable | None = None,
    against: ArrayLike | Hashable | None = None,
    variable: str | None = None,
) -> Relevance:
    r"""Divide what evidence says about a root among the variables that have said it.

    .. math:: \log\frac{p(x_0 = y \mid e)}{p(x_0 \ne y \mid e)} - \log\frac{p(x_0 = y)}{p(x_0
        \ne y)} = \sum_{v \in \text{level}} R_v \quad \text{for every level}

    One sweep back over the messages of the collect pass. A message counts with the change of its
    logs between no evidence and all of it, times the weight of that change. Through a sum over
    states, weights are averages along the straight path from the one to the other, so that
    nothing gets lost: the relevance of a variable is the sum of that of its children. Constants
    in messages change nothing.

    Parameters
    ----------
    model
        A complete model with tables or index maps, a networkx graph or a pgmpy model.
    evidence
        As in :meth:`~ghmpp.inference.queries.Inference.posteriors`; at any variables.
    state
        The state to explain: one for all rows, or one per row (batch,), by name or index; None =
        the most probable one of each row.
    against
        The state that it is compared with, in the same ways; None = all others together.
    variable
        The root; None = the only one.

    Returns
    -------
    Relevance
        Of the model's classes in the tree of that root, without hidden ones.

    Raises
    ------
    QueryError
        If ``variable`` is no root, or a state is missing, compared with itself, or the only one.
    EvidenceError
        If evidence does not fit the model, or a state is unknown.
    ImpossibleEvidenceError
        If evidence in the tree of that root has probability zero, or leaves nothing to compare:
        the log-odds are infinite.
    ModelError
        If the model is not complete.

    Notes
    -----
    States that evidence rules out (observed variables, zeros in tables) are lost at the start of
    the path; what they had in a sum is the relevance of the factors that rule them out, in equal
    shares if there are several. An average takes 20 Gauss-Legendre points for every 6 nats by
    which log-values of a node change apart from each other.

    The idea of relevance that is conserved from layer to layer is that of Bach et al. (2015),
    layer-wise relevance propagation.

    Examples
    --------
    >>> import ghmpp as gh
    >>> model = gh.Model("weather")
    >>> season = model.root("season", ["dry", "wet"])
    >>> days = season.children("day", 3, ["sun", "rain"], potential=[[0.9, 0.1], [0.4, 0.6]])
    >>> found = gh.relevance(model, {"day": [["rain", "rain", "sun"]]}, state="wet")
    >>> found["day"].round(3), found.total.round(3)
    (array([[ 1.792,  1.792, -0.811]]), array([2.773]))
    """
    known = as_model(model)
    observations, batch = read_rows(known, evidence)
    forest = known.forest()
    root = read_root(forest, variable)
    wanted, other = (read_states(root, each, batch) for each in (state, against))
    schedule = collect_schedule(forest, root.blocks[0], tuple(sorted(observations)))
    parts = []
    for rows in _portions(forest, batch):
        leaves = log_leaves(rows_of(observations, rows), forest.variables)
        sweep = Sweep(schedule, leaves, rows.stop - rows.start)
        after = sweep.after(sweep.root)[:, 0]
        dead = np.flatnonzero((after == -np.inf).all(axis=1))
        if len(dead):
            raise impossible_evidence(forest, observations, (dead + rows.start).tolist())
        chosen = after.argmax(axis=1) if wanted is None else wanted[rows]
        others = None if other is None else other[rows]
        parts.append(_explained(sweep, Contrast(root, chosen, others, rows.start)))
    return _joined(parts)


def _explained(sweep: Sweep, contrast: Contrast) -> Relevance:
    """Some rows."""
    forest, root = sweep.schedule.forest, contrast.root
    odds, prior = (
        contrast.log_odds(logs(sweep.root)[:, 0]) for logs in (sweep.after, sweep.before)
    )
    with np.errstate(divide="ignore"):
        sweep.back(np.log(np.stack(contrast.sides, axis=1))[:, None])
    visible = {block for name in forest.visible for block in forest.variables[name].blocks}
    sent = sweep.sent | {root.blocks[0]: (odds - prior)[:, None]}
    others = contrast.others
    return Relevance(
        root.name,
        tuple(root.states[code] for code in contrast.states),
        None if others is None else tuple(root.states[code] for code in others),
        odds,
        prior,
        _by_class(forest, sent, visible.intersection(_tree(forest, root.blocks[0]))),
        _by_class(forest, sweep.seen, sweep.seen),
        sweep.deviation(odds - prior),
    )


def _joined(parts: list[Relevance]) -> Relevance:
    """All rows."""
    first = parts[0]

    def whole(arrays: Iterable[FloatArray]) -> FloatArray:
        return read_only(np.concatenate([*arrays]))

    return Relevance(
        first.variable,
        tuple(state for part in parts for state in part.states),
        None if first.against is None else tuple(s for part in parts for s in part.against or ()),
        whole(part.log_odds for part in parts),
        whole(part.prior for part in parts),
        {name: whole(part.nodes[name] for part in parts) for name in first.nodes},
        {name: whole(part.evidence[name] for part in parts) for name in first.evidence},
        max(part.deviation for part in parts),
    )


def _tree(forest: Forest, root: str) -> set[str]:
    """The blocks of one tree."""
    found = {root}
    for name in forest.blocks:  # parents first
        if name in forest.edges and forest.edges[name].parent in found:
            found.add(name)
    return found


def _by_class(
    forest: Forest, found: Mapping[str, FloatArray], blocks: Collection[str]
) -> dict[str, FloatArray]:
    """Results of some blocks by class, in the user's order; 0 where a block has none."""
    batch = len(next(iter(found.values()), ()))
    results: dict[str, FloatArray] = {}
    for name, variable in forest.variables.items():
        parts = [each for each in forest.class_blocks(name) if each.name in blocks]
        if not parts:
            continue
        tree = np.concatenate(
            [found.get(each.name, np.zeros((batch, each.nodes))) for each in parts], axis=1
        )
        results[name] = tree if variable.order is None else tree[:, np.argsort(variable.order)]
    return results


def _portions(forest: Forest, batch: int) -> Iterator[slice]:
    """Rows whose largest array has a bounded size."""
    entries = (
        forest.blocks[name].nodes * forest.blocks[name].states * forest.blocks[edge.parent].states
        for name, edge in forest.edges.items()
    )
    step = max(1, ENTRIES // max(entries, default=1))
    for start in range(0, max(batch, 1), step):
        yield slice(start, min(start + step, batch))
