"""Where the claim holds and breaks: networks that are wrong on purpose, trained alike."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from torch import nn

from ghmpp.compiler import Program, compile
from ghmpp.errors import QueryError
from ghmpp.learning.experiments.comparison import Maker, TrainerLike, trained_risks, trainer
from ghmpp.learning.experiments.paths import find_path
from ghmpp.learning.experiments.skipless import WithoutSkips
from ghmpp.learning.experiments.variants import (
    far_siblings,
    removable,
    reordered,
    shuffled,
    untied,
    without_level,
)
from ghmpp.learning.training.rows import only_query
from ghmpp.models.model import Model
from ghmpp.schedule.drawing import require_matplotlib
from ghmpp.schedule.plan import schedule_for

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

VARIANTS = (
    "true structure",
    "no skips",
    "untied tables",
    "wrong depth",
    "wrong tree",
    "permuted leaves",
)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Ablation:
    """Excess risks of trained networks with the true and with wrong structures.

    Parameters
    ----------
    question
        What was learned.
    frame
        One row per variant and seed, with the columns of :func:`ghmpp.compare_architectures`.
    missing
        Variants that the question does not have, and why.
    """

    question: str
    frame: pd.DataFrame
    missing: dict[str, str]

    def picture(self) -> Figure:
        """Excess risk of each variant: a stroke for the mean over seeds, a dot for each seed.

        Raises
        ------
        MissingDependencyError
            If matplotlib is not installed.
        """
        require_matplotlib()
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7.2, 3.6), layout="constrained")
        axes = figure.add_subplot()
        means = self.frame.groupby("variant", sort=False)["excess"].mean()
        axes.plot(means, list(means.index), "|", color="#24476b", ms=18)
        axes.plot(self.frame["excess"], self.frame["variant"], "o", color="#5b8cc0", ms=5)
        axes.invert_yaxis()
        axes.grid(visible=True, axis="x", alpha=0.3)
        axes.set_xlabel(f"excess risk ({self.frame['loss'].iloc[0]})")
        axes.set_title(self.question)
        if (self.frame["excess"] > 0).all():
            axes.set_xscale("log")
        return figure

    def __repr__(self) -> str:
        lines = [f"Ablation of {self.question}", self.frame.to_string(index=False)]
        lines += [f"without {name!r}: {why}" for name, why in self.missing.items()]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        table: str = self.frame.to_html(index=False)
        return table


def ablation(
    program: Program,
    *,
    train: TrainerLike = None,
    samples: int | None = None,
    variants: Collection[str] = VARIANTS,
    seeds: Sequence[int] = (0,),
    width: int = 64,
    n: int = 10_000,
    seed: int = 0,
    **channel: float,
) -> Ablation:
    """Train the network of a model, and the same with one thing wrong, on the same data.

    - "true structure": the program's own trainable network.
    - "no skips": its U-Net with the skip connections cut
      (:class:`~ghmpp.learning.experiments.skipless.WithoutSkips`); only where the question goes
      back down.
    - "untied tables": weights of its own for each edge, which need more data.
    - "wrong depth": the lowest hidden level left out, its children hung on its parent.
    - "wrong tree": leaves put into the tree such that siblings are as far apart as can be.
    - "permuted leaves": leaves put into the tree at random, with the seed of the
      network, such that siblings are parted.

    Parameters
    ----------
    program
        One posterior or mean, given one class of leaves of a regular tree.
    train, samples
        As for :func:`ghmpp.compare_architectures`; data are those of the true program.
    variants
        Which of the above.
    seeds, width, n, seed, channel
        As for :func:`ghmpp.compare_architectures`.

    Raises
    ------
    QueryError
        If a variant is unknown, the model is no regular tree, several classes are given, or as
        for :func:`ghmpp.compare_architectures`.

    Examples
    --------
    >>> import ghmpp as gh
    >>> program = gh.compile(gh.zoo.broadcast(2, 0.1), gh.posterior("x0"), given="x2")
    >>> untrained = lambda network, program, seed: None
    >>> found = gh.ablation(program, train=untrained, width=8)
    >>> list(found.missing)
    ['no skips']
    """
    query = only_query(program, "ablation")
    unknown = [name for name in variants if name not in VARIANTS]
    if unknown:
        known = ", ".join(map(repr, VARIANTS))
        raise QueryError(f"ablation: unknown variant {unknown[0]!r}; known: {known}.")
    if len(program.given) > 1:
        raise QueryError(f"ablation: one class must be given, and {len(program.given)} are.")
    made = _Makers(program, width)
    makers: dict[str, Maker] = {}
    missing: dict[str, str] = {}
    for name in [each for each in VARIANTS if each in variants]:
        found = made.of(name)
        if isinstance(found, str):
            missing[name] = found
        else:
            makers[name] = found
    frame = trained_risks(
        program,
        makers,
        train=trainer(train, samples, "ablation"),
        seeds=seeds,
        n=n,
        seed=seed,
        channel=channel,
        where="ablation",
        column="variant",
    )
    return Ablation(f"{query.kind}({query.variable})", frame, missing)


class _Makers:
    """What makes the network of a variant from a seed; or why there is none."""

    def __init__(self, program: Program, width: int) -> None:
        self.program, self.width = program, width
        self.asked, self.leaf = program.queries[0].variable, program.given[0].variable
        self.path = find_path(program.model, self.leaf, "ablation")

    def of(self, variant: str) -> Maker | str:
        match variant:
            case "no skips":
                return self._skipless()
            case "untied tables":
                return self._untied()
            case "wrong depth":
                return self._shallow()
            case "wrong tree":
                return self._far()
            case "permuted leaves":
                return self._permuted if self._leaves > 1 else "there is one leaf"
            case _:
                return partial(self._network, self.program)

    def _network(self, program: Program, seed: int) -> nn.Module:
        return program.network("trainable", width=self.width, seed=seed)

    def _of_model(self, model: Model) -> Program:
        return compile(model, self.program.queries, self.program.given)

    def _skipless(self) -> Maker | str:
        if self.asked == self.path.classes[0]:
            return "the root is asked for, and its network has no decoder"
        return lambda seed: WithoutSkips(self.program, self.width, seed)

    def _untied(self) -> Maker | str:
        forest = self.program.model.forest()
        loose = untied(forest)
        if loose.edges == forest.edges:
            return "every edge has a potential of its own"
        (query,) = self.program.queries
        schedule = schedule_for(loose, [(query.kind, query.variable)], [self.leaf])
        return partial(self._network, replace(self.program, schedule=schedule))

    def _shallow(self) -> Maker | str:
        gone = removable(self.program.model, self.path, self.asked)
        if gone is None:
            return "there is no level between that nobody asks for"
        shallow = without_level(self.program.model, self.path, gone)
        return partial(self._network, self._of_model(shallow))

    def _far(self) -> Maker | str:
        places = far_siblings(self.path)
        if (places == np.arange(len(places))).all():
            return "all leaves are siblings"
        return partial(
            self._network, self._of_model(reordered(self.program.model, self.leaf, places))
        )

    @property
    def _leaves(self) -> int:
        return len(far_siblings(self.path))

    def _permuted(self, seed: int) -> nn.Module:
        model = reordered(self.program.model, self.leaf, shuffled(self.path, seed))
        return self._network(self._of_model(model), seed)
