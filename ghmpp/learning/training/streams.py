"""Training data drawn from a model: labels, noisy values, masked tokens, next tokens.

Each function gives a :class:`~ghmpp.learning.training.stream.Stream`, a function of its seed and
the step. So a run that was interrupted goes on with the very batches that it would have had, and
nothing but the present batch is in memory. With ``n`` it is a data set of n samples instead.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from ghmpp.backends.network import Network
from ghmpp.compiler import Program, compile
from ghmpp.errors import QueryError
from ghmpp.inference.arguments import only
from ghmpp.inference.tokens import token_class
from ghmpp.learning.training.hiding import FromNext, Masked
from ghmpp.learning.training.levels import Between as Between
from ghmpp.learning.training.levels import read_levels
from ghmpp.learning.training.stream import Stream as Stream
from ghmpp.models.channels import localized
from ghmpp.models.channels import noisy as noisy_class
from ghmpp.models.convert import as_model
from ghmpp.models.queries import mean, posterior


def of(
    program: Program | Network, *, n: int | None = None, seed: int = 0, redraw: bool = False
) -> Stream:
    """What a program asks for, given what it is given.

    Parameters
    ----------
    program
        A program of one posterior or mean, or a network made from one.
    n, seed, redraw
        As in :class:`~ghmpp.learning.training.stream.Stream`.

    Raises
    ------
    QueryError, EvidenceError, ModelError
        As for :class:`~ghmpp.learning.training.stream.Stream`; also if a network does not know its
        program.

    Examples
    --------
    >>> import ghmpp as gh
    >>> model = gh.zoo.broadcast(depth=2, flip=0.1)
    >>> stream = gh.streams.of(gh.compile(model, gh.posterior("x0"), given="x2"))
    >>> batch = stream.batch(step=0, size=5)
    >>> batch.inputs[0].shape, batch.target.shape
    (torch.Size([5, 4]), torch.Size([5]))
    """
    return Stream(program_of(program), n, seed, redraw=redraw)


def program_of(described: Program | Network) -> Program:
    """The program itself, or that of a network.

    Raises
    ------
    QueryError
        If the network does not know it.
    """
    if isinstance(described, Program):
        return described
    origin = getattr(described, "origin", None)
    if origin is None:
        raise QueryError(
            "stream: this network does not know which program it came from; pass the program."
        )
    return compile(origin.model, origin.queries, origin.given)


def labelled(
    model: object,
    label: Hashable = None,
    *,
    given: Sequence[Hashable] | Hashable = None,
    n: int | None = None,
    seed: int = 0,
) -> Stream:
    """Leaves, and the state of the root: what a classifier learns from.

    Parameters
    ----------
    model
        A complete model.
    label
        What is to be told; None for the only root.
    given
        One or several observed classes; None for all leaves.
    n, seed
        As in :class:`~ghmpp.learning.training.stream.Stream`.

    Raises
    ------
    QueryError, ModelError, ConversionError
        As for :func:`of`; also if there are several roots, and none is named.

    Examples
    --------
    >>> import ghmpp as gh
    >>> gh.streams.labelled(gh.zoo.broadcast(depth=2, flip=0.1), n=1000).program
    Program 'broadcast': posterior(x0) given x2; 6 instructions
    """
    known = as_model(model)
    roots = [name for name in known.forest().roots if name in known.variables]
    asked = posterior(only(roots, "root", label))
    leaves = [name for name in known.forest().leaves if name in known.variables]
    return Stream(compile(known, asked, leaves if given is None else given), n, seed)


def noisy(
    model: object,
    variable: Hashable = None,
    *,
    sigma: float | Between | Sequence[float] | None = None,
    time: float | Between | Sequence[float] | None = None,
    n: int | None = None,
    seed: int = 0,
    redraw: bool = False,
) -> Stream:
    """Noisy values, and the values themselves: what a denoiser learns from.

    Parameters
    ----------
    model, variable
        A complete model, and the class that is seen; None for the only class of leaves.
    sigma, time
        One of the two: Gaussian noise, or stochastic localization. One level for all batches;
        several in turn, one per batch; or ``Between(low, high)``, drawn for each batch with
        uniform logarithm. Networks are told the level of each batch, if it changes.
    n, seed, redraw
        As in :class:`~ghmpp.learning.training.stream.Stream`.

    Raises
    ------
    QueryError, EvidenceError, ModelError, ConversionError
        As for :func:`of`; also if both or none of sigma and time are given.

    Examples
    --------
    >>> import ghmpp as gh
    >>> model = gh.GHM(2, (2,), [[[0.9, 0.1], [0.1, 0.9]]], state_values=[-1, 1])
    >>> stream = gh.streams.noisy(model, sigma=gh.streams.Between(0.1, 10.0))
    >>> stream.batch(step=7, size=3).channel["sigma"] == stream.batch(7, 2).channel["sigma"]
    True
    """
    known = as_model(model)
    name = token_class(known, None if variable is None else str(variable)).name
    if sigma is not None and time is None:
        first, levels = read_levels(sigma)
        given = noisy_class(name, sigma=first)
    elif time is not None and sigma is None:
        first, levels = read_levels(time)
        given = localized(name, time=first)
    else:
        raise QueryError("noisy: pass either sigma= (Gaussian noise) or time= (localization).")
    return Stream(compile(known, mean(name), given), n, seed, levels, redraw=redraw)


def masked(
    model: object,
    variable: Hashable = None,
    *,
    rate: float | tuple[float, float] = 0.15,
    n: int | None = None,
    seed: int = 0,
    redraw: bool = False,
) -> Stream:
    """Sequences with hidden tokens, and what these are: masked language modelling.

    Parameters
    ----------
    model, variable
        A complete model, and the class of the tokens; None for the only class of leaves.
    rate
        Probability that a token is hidden; two to draw it for each sequence, uniform between
        them. At least one token of each sequence is.
    n, seed, redraw
        As in :class:`~ghmpp.learning.training.stream.Stream`.

    Raises
    ------
    QueryError, ModelError, ConversionError
        As for :func:`of`; also if a rate is no probability > 0.

    Examples
    --------
    >>> import ghmpp as gh
    >>> stream = gh.streams.masked(gh.zoo.broadcast(depth=2, flip=0.1), rate=0.5)
    >>> batch = stream.batch(step=0, size=100)
    >>> bool(((batch.inputs[0] == -1) == batch.asked).all())
    True
    """
    low, high = rate if isinstance(rate, tuple) else (rate, rate)
    return Stream(_tokens(model, variable), n, seed, hiding=Masked(low, high), redraw=redraw)


def next_token(
    model: object,
    variable: Hashable = None,
    *,
    n: int | None = None,
    seed: int = 0,
    redraw: bool = False,
) -> Stream:
    """Beginnings of sequences, and the token after each: autoregressive modelling.

    Of each sequence a beginning of random length is seen, empty ones too; the rest is missing.

    Parameters
    ----------
    model, variable
        A complete model, and the class of the tokens; None for the only class of leaves.
    n, seed, redraw
        As in :class:`~ghmpp.learning.training.stream.Stream`.

    Raises
    ------
    QueryError, ModelError, ConversionError
        As for :func:`of`.

    Examples
    --------
    >>> import ghmpp as gh
    >>> stream = gh.streams.next_token(gh.zoo.broadcast(depth=2, flip=0.1))
    >>> stream.batch(step=0, size=100).asked.sum(1).unique()
    tensor([1])
    """
    return Stream(_tokens(model, variable), n, seed, hiding=FromNext(), redraw=redraw)


def _tokens(model: object, variable: Hashable) -> Program:
    """The posterior of tokens given tokens."""
    known = as_model(model)
    name = token_class(known, None if variable is None else str(variable)).name
    return compile(known, posterior(name), name)
