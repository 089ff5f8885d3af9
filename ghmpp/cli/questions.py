"""Queries and observations as they are typed: ``mean(pixel)``, ``noisy(pixel, sigma=2)``."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Literal

from ghmpp.errors import QueryError
from ghmpp.models.channels import Given, localized, noisy
from ghmpp.models.queries import (
    Query,
    code,
    draw,
    edge,
    log_evidence,
    mean,
    posterior,
    variance,
)
from ghmpp.schedule.engines import ENGINES, Engine, engine_named

KINDS = {
    "posterior": posterior,
    "mean": mean,
    "variance": variance,
    "edge": edge,
    "draw": draw,
    "code": code,
}
CHANNELS: dict[str, Callable[..., Given]] = {"noisy": noisy, "localized": localized}


def read_query(text: str) -> Query:
    """``KIND(CLASS)`` or ``KIND:CLASS``, ``CLASS`` (its posterior), or ``log_evidence``.

    Raises
    ------
    QueryError
        If the kind is unknown.

    Examples
    --------
    >>> read_query("mean(pixel)")
    Query(kind='mean', variable='pixel')
    """
    if text in ("log_evidence", "log_evidence()"):
        return log_evidence()
    call = re.fullmatch(r"(\w+)\((.*)\)", text) or re.fullmatch(r"([^:]*):(.*)", text)
    if call is None:
        return posterior(text)
    if call[1] not in KINDS:
        raise QueryError(
            f"--query: unknown kind {call[1]!r}; known: posterior(CLASS), mean(CLASS), "
            "variance(CLASS), edge(CLASS), draw(CLASS), code(CLASS) and log_evidence."
        )
    return KINDS[call[1]](call[2].strip())


def read_given(text: str) -> Given:
    """``CLASS`` (its states), ``noisy(CLASS, sigma=S)`` or ``localized(CLASS, time=T)``.

    Raises
    ------
    QueryError
        If the channel or its parameters are not understood.

    Examples
    --------
    >>> read_given("noisy(pixel, sigma=2)")
    Given(variable='pixel', channel=Gaussian(sigma=2.0, scale=1.0))
    """
    call = re.fullmatch(r"(\w+)\((.*)\)", text)
    if call is None:
        return Given(text)
    name, *settings = (part.strip() for part in call[2].split(","))
    try:
        numbers = {key: float(value) for key, value in map(_setting, settings)}
        return CHANNELS[call[1]](name, **numbers)
    except (KeyError, TypeError, ValueError) as error:
        raise QueryError(
            f"--given: {text!r} is not understood ({error}); expected CLASS, "
            "noisy(CLASS, sigma=2) or localized(CLASS, time=3)."
        ) from None


def read_engine(text: str) -> Engine | Literal["exact"]:
    """``NAME``, or ``NAME(option=value, ...)``: ``tap(steps=20, damping=0.5)``.

    Raises
    ------
    QueryError
        If the engine or an option is unknown.

    Examples
    --------
    >>> read_engine("loopy(steps=4)")
    LoopyBP(steps=4, damping=None, temperature=1.0)
    """
    call = re.fullmatch(r"(\w+)(?:\((.*)\))?", text)
    if call is None or call[1] not in ENGINES:
        raise QueryError(f"--engine: {text!r} is unknown; known: {', '.join(ENGINES)}.")
    if call[1] == "exact":
        return "exact"
    settings = [part.strip() for part in (call[2] or "").split(",") if part.strip()]
    try:
        options = {key: ast.literal_eval(value) for key, value in map(_setting, settings)}
        return engine_named(call[1], **options)
    except (SyntaxError, TypeError, ValueError) as error:
        raise QueryError(f"--engine: {text!r} is not understood ({error}).") from None


def _setting(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.strip(), value.strip()
