"""What a run has seen on its way, as a table and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ghmpp.learning.training.checkpoints import Row
from ghmpp.schedule.drawing import require_matplotlib

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

COLUMNS = ("step", "rate", "loss", "validation", "bayes", "excess", "seconds")


def table(rows: Sequence[Row]) -> pd.DataFrame:
    """The history, one row per evaluation; columns that no row has are left out."""
    import pandas as pd

    names = [name for name in COLUMNS if any(name in row for row in rows)]
    frame = pd.DataFrame([{name: row.get(name) for name in names} for row in rows], dtype=float)
    return frame.astype({"step": int})


def picture(history: pd.DataFrame, loss: str, title: str) -> Figure:
    """Losses against steps, with the Bayes risk as the floor, and the excess over it.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.
    """
    require_matplotlib()
    from matplotlib.figure import Figure

    judged = "excess" in history
    figure = Figure(figsize=(8.4 if judged else 4.6, 3.6), layout="constrained")
    axes = figure.add_subplot(1, 2 if judged else 1, 1)
    steps = history["step"]
    axes.plot(steps, history["loss"], lw=1, alpha=0.6, label="training")
    if "validation" in history:
        axes.plot(steps, history["validation"], label="held out")
    if "bayes" in history:
        axes.axhline(history["bayes"].iloc[-1], color="k", ls="--", lw=1, label="Bayes risk")
    axes.set_xlabel("step")
    axes.set_ylabel(loss)
    axes.set_title(title)
    axes.legend()
    if judged:
        axes = figure.add_subplot(1, 2, 2)
        axes.plot(steps, history["excess"], color="C3")
        if (history["excess"] > 0).all():
            axes.set_yscale("log")
        axes.set_xlabel("step")
        axes.set_title("excess over the Bayes risk")
        axes.grid(visible=True, which="major", alpha=0.3)
    return figure


def summary(name: str, history: pd.DataFrame, loss: str, step: int) -> str:
    """One line: what was trained, for how long, and how close it came."""
    last = history[history["step"] == step].iloc[-1]
    found = [
        f"{key} {last[key]:.4g}" for key in COLUMNS[2:6] if key in last and last[key] == last[key]
    ]
    return f"Trained {name}, {loss}, step {step:,}: {', '.join(found)}"
