"""Data frames as evidence, and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ghmpp._arrays import AnyArray, IntArray
from ghmpp.errors import ImpossibleEvidenceError, QueryError, UsageError
from ghmpp.models.lookup import MISSING
from ghmpp.models.observations import Observation
from ghmpp.pgmpy.network import Network, Seen
from ghmpp.pgmpy.plans import Pattern, Plan
from ghmpp.pgmpy.vocabulary import Known, listed

if TYPE_CHECKING:
    import pandas as pd

# Rows between two steps of a progress bar; with fewer, each would cost more.
ROWS = 10_000
# Seconds before a progress bar shows up.
PATIENCE = 2.0


class Rows:
    """The rows of a data frame as evidence, and the engine for what they miss.

    Columns without gaps are constants to every row, so they are pruned like evidence.

    Parameters
    ----------
    network
        The model.
    data
        A row per case, a column per variable.

    Attributes
    ----------
    missing
        The variables that are missing anywhere, in the order of the model.
    engine
        The model, pruned to them.

    Raises
    ------
    UsageError
        If ``data`` is no data frame.
    QueryError
        If nothing is missing, or a column is no variable or comes twice.
    UnknownStateError
        If an entry is no state of its variable.
    """

    def __init__(self, network: Network, data: pd.DataFrame) -> None:
        if not (hasattr(data, "columns") and hasattr(data, "iloc")):
            raise UsageError(
                f"data: expected a pandas DataFrame, a column per variable, got a "
                f"{type(data).__name__}; pass pandas.DataFrame(rows, columns=[...]), with columns "
                f"among {listed(network.vocabulary.variables)}."
            )
        self.data = data
        columns = list(data.columns)
        for name in columns:
            network.vocabulary.find(name, "data")
        twice = [name for name, count in Counter(columns).items() if count > 1]
        if twice:
            raise QueryError(f"data: there are several columns {listed(twice)}; keep one of each.")
        states = {
            known.ours: _positions(known, data.iloc[:, columns.index(name)])
            for name, known in network.vocabulary.variables.items()
            if name in columns
        }
        full = sorted(name for name, found in states.items() if (found >= 0).all())
        known = network.vocabulary.names
        self.missing = [known[name] for name in known if name not in set(full)]
        if not self.missing:
            raise QueryError("data: nothing is missing, so there is nothing to predict.")
        scopes = tuple((each.ours,) for each in self.missing)
        plan = network.plans.compiled(Pattern(scopes, tuple(full)))
        self.engine = plan.engine
        self.states = {copy: states[full[place]] for copy, place in plan.copies.items()}
        self.states |= {name: found for name, found in states.items() if name not in set(full)}
        if not self.states:
            self.states = {scopes[0][0]: np.full(len(data), MISSING)}

    def parts(self, show_progress: bool) -> Iterator[tuple[slice, dict[str, Observation]]]:
        """Some rows at a time: where they stand, and what is observed in them."""
        for part in parts_of(len(self.data), show_progress):
            states = {name: found[part, None] for name, found in self.states.items()}
            yield part, {name: Observation("states", found) for name, found in states.items()}

    def check(self, part: slice, possible: AnyArray) -> None:
        """Refuse rows of probability zero."""
        bad = np.flatnonzero(~np.asarray(possible)) + part.start
        if len(bad):
            labels = listed([self.data.index[row] for row in bad])
            raise ImpossibleEvidenceError(
                f"data: {len(bad)} rows have probability zero, those called {labels}; check or "
                "drop them.",
                tuple(int(row) for row in bad),
            )


def network_of(model: object) -> Network:
    """The network of an engine of this package, or of a pgmpy model."""
    found = getattr(model, "network", None)
    return found if isinstance(found, Network) else Network(model)


def _positions(known: Known, column: pd.Series[Any]) -> IntArray:
    """Positions of the states in a column, -1 where missing."""
    codes, names = column.factorize()
    places = np.array([*map(known.state, names), MISSING], dtype=np.int64)
    found: IntArray = places[codes]
    return found


def state_index(known: Known) -> pd.Index[Any]:
    """The names of the states, by position."""
    import pandas as pd

    return pd.Index(known.states, tupleize_cols=False)


def frame_of(columns: Mapping[Hashable, pd.Series[Any]]) -> pd.DataFrame:
    """Columns side by side; tuples are names of columns like any other."""
    import pandas as pd

    frame = pd.DataFrame(dict(enumerate(columns.values())))
    frame.columns = pd.Index(list(columns), tupleize_cols=False)
    return frame


def repeated(plan: Plan, seen: Seen, count: int) -> dict[str, object]:
    """The same evidence in so many rows."""
    hard = list(seen.hard.values())
    given: dict[str, object] = {
        copy: Observation("states", np.full((count, 1), hard[place]))
        for copy, place in plan.copies.items()
    }
    given |= {name: np.tile(likelihood, (count, 1)) for name, likelihood in seen.soft.items()}
    blank = Observation("states", np.full((count, 1), MISSING))
    return given or {plan.pattern.scopes[0][0]: blank}


def parts_of(rows: int, show_progress: bool) -> Iterator[slice]:
    """All rows, some at a time, under a progress bar where they take long."""
    from pgmpy import config
    from tqdm.auto import tqdm

    hidden = not (show_progress and config.SHOW_PROGRESS)
    with tqdm(total=rows, unit="row", disable=hidden, delay=PATIENCE) as bar:
        for start in range(0, max(rows, 1), ROWS):
            stop = min(start + ROWS, rows)
            yield slice(start, stop)
            bar.update(stop - start)
