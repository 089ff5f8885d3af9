import pytest

import ghmpp as gh
from ghmpp.cli.questions import read_given, read_query
from ghmpp.errors import QueryError


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("mean(pixel)", gh.mean("pixel")),
        ("mean:pixel", gh.mean("pixel")),
        ("pixel", gh.posterior("pixel")),
        ("posterior(pixel[3])", gh.posterior("pixel[3]")),
        ("edge( pixel )", gh.edge("pixel")),
        ("log_evidence", gh.log_evidence()),
        ("log_evidence()", gh.log_evidence()),
    ],
)
def test_queries_are_typed_as_they_are_written_in_python(text, query):
    assert read_query(text) == query


@pytest.mark.parametrize("text", ["mode(pixel)", "mode:pixel"])
def test_unknown_kinds_list_the_known_ones(text):
    with pytest.raises(QueryError, match=r"--query: unknown kind 'mode'; known: posterior"):
        read_query(text)


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("pixel", gh.noisy("pixel", sigma=1.0).__class__("pixel")),
        ("noisy(pixel, sigma=2)", gh.noisy("pixel", sigma=2.0)),
        ("noisy(pixel, sigma=2, scale=.5)", gh.noisy("pixel", sigma=2.0, scale=0.5)),
        ("localized(pixel,time=3)", gh.localized("pixel", time=3.0)),
    ],
)
def test_observations_are_typed_as_they_are_written_in_python(text, given):
    assert read_given(text) == given


@pytest.mark.parametrize(
    "text",
    ["noisy(pixel)", "noisy(pixel, sigma)", "noisy(pixel, size=2)", "foggy(pixel, sigma=2)"],
)
def test_what_is_not_understood_is_shown_with_what_is(text):
    with pytest.raises(QueryError, match=r"--given: .*not understood.*expected CLASS, noisy\("):
        read_given(text)
