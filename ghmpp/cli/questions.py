"""Queries and observations as they are typed: ``mean(pixel)``, ``noisy(pixel, sigma=2)``."""

from __future__ import annotations

import re
from collections.abc import Callable

from ghmpp.errors import QueryError
from ghmpp.models.channels import Given, localized, noisy
from ghmpp.models.queries import Query, edge, log_evidence, mean, posterior

KINDS = {"posterior": posterior, "mean": mean, "edge": edge}
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
            "edge(CLASS) and log_evidence."
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
    pairs = [setting.partition("=") for setting in settings]
    try:
        numbers = {key.strip(): float(value) for key, _, value in pairs}
        return CHANNELS[call[1]](name, **numbers)
    except (KeyError, TypeError, ValueError) as error:
        raise QueryError(
            f"--given: {text!r} is not understood ({error}); expected CLASS, "
            "noisy(CLASS, sigma=2) or localized(CLASS, time=3)."
        ) from None
