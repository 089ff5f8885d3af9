"""The demo from start to end: its steps in order, and what a run leaves in its folder."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import version
from os import PathLike
from pathlib import Path

from ghmpp.demo.earlier import aside, forget, set_aside
from ghmpp.demo.report import Section, page
from ghmpp.demo.stage import Stage
from ghmpp.examples import digits, digits_split
from ghmpp.schedule.drawing import require_matplotlib

LIBRARIES = ("numpy", "torch", "pgmpy", "scikit-learn")
Step = Callable[[Stage], Section]

TITLE = "A tree of handwritten digits"
LEAD = (
    "One small model is learned, questioned, checked and compiled. It is a tree: a digit has four "
    "quadrants, a quadrant four blocks, a block four pixels with 17 grey levels. Belief "
    "propagation on a tree is exact, and on this one it is a convolutional network. Every number "
    "on this page was computed by the run that wrote it."
)
UNFINISHED = "Unfinished. Steps done: {}. The run is still under way, or it was stopped."


def run(folder: str | PathLike[str], *, quick: bool = False, seed: int = 0) -> Path:
    """Run the demonstration, and write its pictures, model, numbers and report.

    Parameters
    ----------
    folder
        Where files go; made if needed. Files of an earlier run wait in its folder "previous",
        until this one is finished.
    quick
        Whether to learn with few iterations, for a first look.
    seed
        Seed of every random number.

    Returns
    -------
    path of the report
        Complete HTML after every step, so also when the run is interrupted; it says so then.

    Raises
    ------
    OSError
        If the folder cannot be written.
    MissingDependencyError
        If matplotlib is not installed.
    VerificationError
        If an independent engine disagrees.
    """
    begun = time.perf_counter()
    require_matplotlib()
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    set_aside(folder)
    print(f"ghmpp demo: a model of handwritten digits. Everything goes to {folder}/", flush=True)
    try:
        stage = Stage(folder, digits_split(), digits(), quick=quick, seed=seed)
        stage.numbers["run"] = {"quick": quick, "seed": seed, "cores": os.cpu_count() or 1}
        stage.numbers["versions"] = {name: version(name) for name in LIBRARIES}
        for number, (title, step) in enumerate(_steps(), 1):
            print(f"\n{number}. {title}", flush=True)
            _take(stage, title, step)
    except KeyboardInterrupt:
        earlier = aside(folder)
        kept = f"; the run before is in {earlier}/" if earlier else ""
        print(f"\nStopped; every file in {folder}/ is complete{kept}.", flush=True)
        raise
    _write(stage)
    forget(folder)
    report = folder / "report.html"
    print(f"\nDone in {time.perf_counter() - begun:.0f} s. Open {report} in a browser.", flush=True)
    return report


def _steps() -> Iterator[tuple[str, Step]]:
    """Title and function of each step; heavy libraries load when their step comes."""
    from ghmpp.demo.first import half_of_a_digit

    yield "Half of an unseen digit", half_of_a_digit
    from ghmpp.demo.learned import learned

    yield "The model, learned from scratch", learned
    from ghmpp.demo.restored import completed, denoised

    yield "Noise, taken away", denoised
    yield "Missing pixels, filled in", completed
    from ghmpp.demo.checked import checked

    yield "Every number, checked by brute force", checked
    from ghmpp.demo.networks import networks

    yield "The ConvNet and the U-Net that it is", networks


def _take(stage: Stage, title: str, step: Step) -> None:
    """Take a step, and write report and numbers as they are then."""
    start = time.perf_counter()
    section = step(stage)
    seconds = time.perf_counter() - start
    stage.sections.append(replace(section, title=title, seconds=seconds))
    stage.numbers["seconds"] = {done.title: done.seconds for done in stage.sections}
    _write(stage, UNFINISHED.format(len(stage.sections)))
    stage.say(f"{seconds:.1f} s")


def _write(stage: Stage, notice: str = "") -> None:
    """Write the report, and then the numbers, which record every file of the run."""
    stage.save_text("report.html", page(TITLE, LEAD, stage.sections, stage.folder, notice=notice))
    stage.save_numbers(finished=not notice)
