"""Tables of states in CSV files, read by what the model says of each column."""

from __future__ import annotations

import warnings
from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ghmpp.errors import EvidenceError, FormatError
from ghmpp.models.evidence import find_variable

if TYPE_CHECKING:
    import pandas as pd

    from ghmpp.models.forest import VariableClass
    from ghmpp.models.model import Model

# Cells, in lower case, that say "missing", unless a state is called so.
MISSING = frozenset({"", "na", "nan", "none", "null"})


def read_table(path: Path, model: Model) -> pd.DataFrame:
    """The rows of a CSV file, one variable per column; empty cells are missing.

    A cell that is the name of a state means that state, whatever else it looks like: TRUE, 1 or NA
    are texts where the model's states are texts.

    Raises
    ------
    FormatError
        If the file is no CSV, a row is too long, or a column comes twice.
    """
    import pandas as pd

    try:
        names = pd.read_csv(path, header=None, nrows=1, dtype=str, keep_default_na=False).iloc[0]
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than the head
            frame = pd.read_csv(path, index_col=False, dtype=str, keep_default_na=False)
    except pd.errors.ParserWarning:
        raise FormatError(f"{path}: a row has more cells than the first row has names.") from None
    except ValueError as error:
        raise FormatError(f"{path}: cannot be read as CSV ({error}).") from error
    repeated = names[names.duplicated()]
    if len(repeated):
        raise FormatError(f"{path}: has several columns {repeated.iloc[0]!r}; keep one of them.")
    return pd.DataFrame({name: _states(frame[name], str(name), model) for name in frame.columns})


def _states(cells: pd.Series[str], name: str, model: Model) -> pd.Series[Any]:
    """The cells of a column as states of its variable."""
    try:
        variable, _ = find_variable(name, model.variables)
    except EvidenceError:
        return cells.astype(object)  # a column of no variable is refused where it is used
    meaning = {cell: _state(cell, variable) for cell in cells.fillna("").unique()}
    return cells.fillna("").map(meaning.__getitem__).astype(object)


def _state(cell: str, variable: VariableClass) -> Hashable:
    """The state that a cell names; None where missing; a number, or the text, otherwise."""
    for state in variable.states:
        if cell == str(state):
            return state
    if cell.strip().lower() in MISSING:
        return None
    try:
        number = float(cell)
    except ValueError:
        return cell
    return int(number) if number.is_integer() else number
