"""A sweep's table as curves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ghmpp._arrays import FloatArray
from ghmpp.errors import QueryError
from ghmpp.schedule.drawing import require_matplotlib

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# An axis whose positive values span at least this factor is logarithmic.
WIDE = 8.0


def sweep_picture(
    table: pd.DataFrame, *, x: str, y: str, hue: str | None = None, axes: Axes | None = None
) -> Figure:
    """One curve for each value of a column: means over all other columns, with standard errors.

    Parameters
    ----------
    table
        As :func:`ghmpp.sweep` returns it; rows without a number in ``y`` are left out.
    x, y
        Columns of numbers.
    hue
        Column that tells the curves apart; None = one curve.
    axes
        Where to draw; None = a new figure.

    Returns
    -------
    matplotlib Figure

    Raises
    ------
    QueryError
        If a column does not exist (those there are are listed), has no numbers, or nothing is
        left to draw.
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"n": [1, 2, 1, 2], "seed": [0, 0, 1, 1], "error": [0.5, 0, 0.3, 0.2]})
    >>> sweep_picture(table, x="n", y="error").axes[0].lines[0].get_ydata()
    array([0.4, 0.1])
    """
    require_matplotlib()
    from matplotlib.figure import Figure

    for name in (x, y, *([] if hue is None else [hue])):
        if name not in table.columns:
            known = ", ".join(map(str, table.columns))
            raise QueryError(f"sweep_picture: no column {name!r}; the columns are: {known}.")
    rows = table.assign(**{each: _numbers(table, each) for each in (x, y)}).dropna(subset=[x, y])
    if rows.empty:
        raise QueryError(f"sweep_picture: no row has numbers in {x!r} and {y!r}.")
    if axes is None:
        axes = Figure(figsize=(6.4, 4.2), layout="constrained").add_subplot()
    for value, part in [("", rows)] if hue is None else rows.groupby(hue, sort=False):
        grouped = part.groupby(x)[y]
        means, errors = grouped.mean(), grouped.sem()
        places = means.index.to_numpy(float)
        (line,) = axes.plot(places, means.to_numpy(), "o-", ms=4, lw=1.5, label=str(value))
        if errors.notna().any():
            low, high = means - errors.fillna(0), means + errors.fillna(0)
            axes.fill_between(places, low, high, color=line.get_color(), alpha=0.2, lw=0)
    if _wide(rows[x].to_numpy(float)):
        axes.set_xscale("log")
    axes.set(xlabel=x, ylabel=y)
    axes.grid(visible=True, which="major", alpha=0.3)
    if hue is not None:
        axes.legend(title=hue, frameon=False)
    figure = axes.get_figure(root=True)
    assert isinstance(figure, Figure)
    return figure


def _numbers(table: pd.DataFrame, name: str) -> pd.Series[float]:
    import pandas as pd

    try:
        return pd.to_numeric(table[name]).astype(float)
    except (TypeError, ValueError) as error:
        raise QueryError(f"sweep_picture: the column {name!r} has no numbers: {error}.") from None


def _wide(values: FloatArray) -> bool:
    """Whether values need a logarithmic axis."""
    return bool(values.min() > 0 and np.ptp(np.log(values)) >= np.log(WIDE))
