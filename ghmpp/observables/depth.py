"""How many steps of an iteration are best: more can be worse, where it does not converge."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from ghmpp._arrays import AnyArray, FloatArray
from ghmpp.compiler import compile
from ghmpp.errors import GuaranteeWarning, QueryError
from ghmpp.models.channels import Given, LogLikelihood, read_given
from ghmpp.models.queries import Query, mean
from ghmpp.models.spins import PairwiseSpins
from ghmpp.schedule.fields import require_count

if TYPE_CHECKING:
    from ghmpp.backends.network import Network

DEPTHS = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Depths:
    """Mean squared error of an engine by its number of steps.

    Parameters
    ----------
    engine
        Its options, steps left out.
    depths
        Numbers of steps.
    errors
        Mean squared error to the exact answer, per entry, (depths,).
    rows
        Samples that were measured.
    """

    engine: str
    depths: tuple[int, ...]
    errors: FloatArray
    rows: int

    @property
    def best(self) -> int:
        """The number of steps with the smallest error; the fewest of equal ones."""
        return self.depths[int(self.errors.argmin())]

    def __repr__(self) -> str:
        lines = [f"Depths of {self.engine}, {self.rows} samples: best {self.best}"]
        lines += [
            f"  {depth:>5} steps  mean squared error {error:.2e}"
            for depth, error in zip(self.depths, self.errors, strict=True)
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"


def tune_depth(
    model: PairwiseSpins,
    engine: Any,
    given: str | Given | Sequence[str | Given],
    *,
    query: Query | None = None,
    depths: Sequence[int] = DEPTHS,
    n: int = 256,
    seed: int = 0,
) -> Depths:
    """Measure an iteration against the exact answer, for several numbers of steps.

    Samples of the model are seen through the channels of ``given``; what is compared are the
    answers given the same observations.

    Parameters
    ----------
    model
        Spins whose exact answer can be had: those of small treewidth.
    engine
        An engine with the option ``steps``, such as :class:`~ghmpp.schedule.loopy.LoopyBP`.
    given
        What is observed, and how.
    query
        What is asked; None = the means of the first class of ``given``.
    depths
        Numbers of steps, each at least 1.
    n, seed
        Number of samples, and the seed of all that is drawn.

    Raises
    ------
    QueryError
        If the engine has no steps, nothing is given or measured, or a channel cannot be drawn
        from.
    TreewidthError
        If the exact answer does not fit into memory.

    Examples
    --------
    >>> import ghmpp as gh
    >>> chain = gh.PairwiseSpins(0.5 * (np.eye(6, k=1) + np.eye(6, k=-1)))
    >>> found = tune_depth(chain, gh.LoopyBP(), gh.noisy("x", sigma=1.0), depths=(1, 3, 5), n=50)
    >>> found.best, bool(found.errors[-1] < 1e-25)  # a tree: exact after the longest path
    (5, True)
    """
    seen = read_given(given)
    steps = hasattr(engine, "steps") and not isinstance(engine, type)
    if not steps or "steps" not in {field.name for field in fields(engine)}:
        raise QueryError(f"tune_depth: {engine!r} has no steps to choose.")
    if not seen or not depths:
        raise QueryError("tune_depth: needs at least one class in given=, and one depth.")
    require_count("tune_depth", "n", n)
    asked = mean(seen[0].variable) if query is None else query
    program = compile(model, asked, seen, engine="exact")
    inputs = _drawn(model, seen, n, seed)
    exact = _answer(program.network(), inputs)
    errors = []
    for depth in depths:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", GuaranteeWarning)  # what they warn of is measured
            program = compile(model, asked, seen, engine=replace(engine, steps=depth))
        errors.append(float(((_answer(program.network(), inputs) - exact) ** 2).mean()))
    return Depths(repr(replace(engine, steps=None)), tuple(depths), np.array(errors), n)


def _drawn(model: PairwiseSpins, given: Sequence[Given], n: int, seed: int) -> tuple[AnyArray, ...]:
    """Observations of samples: values through their channel, or states."""
    spins = {name: 2 * states - 1 for name, states in model.sample(n, seed).items()}
    rng = np.random.default_rng(seed + 1)
    found: list[AnyArray] = []
    for item in given:
        if item.channel is None:
            found.append(spins[item.variable])
            continue
        if isinstance(item.channel, LogLikelihood):
            raise QueryError(
                f"tune_depth: nothing can be drawn from the channel of {item.variable!r}; use "
                "gh.noisy(...) or gh.localized(...)."
            )
        found.append(item.channel.sample(np.asarray(spins[item.variable], dtype=np.float64), rng))
    return tuple(found)


def _answer(network: Network, inputs: Sequence[AnyArray]) -> FloatArray:
    return np.asarray(network(*inputs).detach().cpu().numpy(), dtype=np.float64)
