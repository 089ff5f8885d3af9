"""Grammars as text: what is read, and where errors are."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ghmpp as gh
from ghmpp.errors import FormatError, UsageError
from ghmpp.models.grammar import grammar

NOUNS = "S -> NP VP [0.7] | VP NP [0.3]; NP -> a b | b a; VP -> c c"


def named(model: gh.Model, name: str) -> dict[tuple[object, ...], object]:
    """Weight of each rule ``(parent, child, ...)`` of a class, in names."""
    rules = model.rules[name]
    above = model.variables[f"x{int(name[1:]) - 1}"].states
    below = model.variables[name].states
    return {
        (above[parent], *(below[child] for child in children)): weight
        for (parent, children), weight in zip(rules, rules.weights.tolist(), strict=True)
    }


class TestReading:
    def test_productions_and_weights(self):
        model = grammar(NOUNS)

        assert [each.states for each in model.variables.values()] == [
            ("S",),
            ("NP", "VP"),
            ("a", "b", "c"),
        ]
        assert named(model, "x1") == {("S", "NP", "VP"): 0.7, ("S", "VP", "NP"): 0.3}
        assert named(model, "x2") == {
            ("NP", "a", "b"): 1.0,
            ("NP", "b", "a"): 1.0,
            ("VP", "c", "c"): 1.0,
        }

    @pytest.mark.parametrize(
        "text",
        [
            "S -> NP VP [0.7]\n   | VP NP [0.3]\nNP -> a b | b a\nVP -> c c\n",
            "# a grammar; with -> and | in a comment\n\n" + NOUNS.replace(";", " # why\n"),
            NOUNS.replace(" -> ", "->").replace(" | ", "|").replace("; ", ";").replace(" [", "["),
            NOUNS.replace("; ", ";\r\n\t") + ";;\n",
            "S -> NP VP [0.7]; S -> VP NP [ 0.3 ]; VP -> c c; NP -> a b; NP -> b a",
            NOUNS.replace("NP", "'NP'").replace(" a", ' "a"'),
        ],
        ids=["lines", "comments", "tight", "returns", "repeated left sides", "quotes"],
    )
    def test_every_spelling_is_the_same_grammar(self, text):
        model = grammar(text)

        for name in ("x1", "x2"):
            assert named(model, name) == named(grammar(NOUNS), name)

    def test_symbols_may_have_spaces_and_any_letters(self):
        model = grammar("'der Satz' -> Größe 名詞 [1/3] | \"it's\" 'a|b;[c]#' [2e-1]")

        assert named(model, "x1") == {
            ("der Satz", "Größe", "名詞"): Fraction(1, 3),
            ("der Satz", "it's", "a|b;[c]#"): 0.2,
        }
        assert gh.infer(model, [["Größe", "名詞"]]).possible.all()

    def test_fractions_stay_exact(self):
        weights = grammar("S -> a b [1/3] | b a [2/3]").rules["x1"].weights

        assert weights.tolist() == [Fraction(1, 3), Fraction(2, 3)]

    def test_each_level_has_its_own_arity(self):
        model = grammar("S -> A A A; A -> a | b", name="three")

        assert model.name == "three"
        assert {name: each.nodes for name, each in model.variables.items()} == {
            "x0": 1,
            "x1": 3,
            "x2": 3,
        }

    def test_weights_are_relative_over_the_whole_string(self):
        """Strings: A A with 2 * 3 * 3, and B B with 1 * 4 * 4 ways."""
        model = grammar("S -> A A [2] | B B; A -> a [3]; B -> b [4]")

        found = gh.infer(model, [["a", "a"], ["b", "b"], ["a", "b"]], on_impossible="flag")
        np.testing.assert_allclose(np.exp(found.log_evidence), [18 / 34, 16 / 34, 0])

    def test_a_weight_of_zero_forbids(self):
        model = grammar("S -> a b [0] | b a")

        assert gh.Inference(model).log_evidence([["a", "b"], ["b", "a"]]).tolist() == [-np.inf, 0]


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("", 1, 1, "expected a production such as 'S -> a b'.*end of the text"),
        ("# nothing\n ", 2, 2, "expected a production"),
        ("-> a", 1, 1, "expected a symbol, found '->'"),
        ("S a b", 1, 3, "expected '->' after the symbol 'S', found 'a'"),
        ("S", 1, 2, "expected '->' after the symbol 'S', found the end"),
        ("S ->", 1, 5, "expected symbols that 'S' becomes"),
        ("S -> a |", 1, 9, "expected symbols that 'S' becomes"),
        ("S -> a\n| | b", 2, 3, "expected symbols that 'S' becomes, found '|'"),
        ("S -> a [x]", 1, 8, "expected a weight such as"),
        ("S -> a [1/0]", 1, 8, "expected a weight such as"),
        ("S -> a []", 1, 8, "expected a weight such as"),
        ("S -> a [-1]", 1, 8, "finite and >= 0"),
        ("S -> a [inf]", 1, 8, "finite and >= 0"),
        ("S -> a [nan]", 1, 8, "finite and >= 0"),
        ("S -> a [1] b", 1, 12, "'|', ';' or a new line after the weight"),
        ("S -> a [1] [2]", 1, 12, "expected '|', ';' or a new line"),
        ("S -> a -> b", 1, 8, "expected '|', ';' or a new line"),
        ("S -> ''", 1, 6, "cannot be empty"),
        ("S -> 'a", 1, 6, "cannot be read"),
        ("S -> a [1", 1, 8, "cannot be read"),
        ("S -> a b;\nS -> b a\n  | a b", 3, 5, "S -> a b is given twice, first in line 1"),
        ("S -> a b | a", 1, 12, "'S' becomes 1 symbols, but 'S' .* becomes 2 in line 1"),
        ("S -> A B; A -> a; B -> b b", 1, 24, "'B' becomes 2 symbols, but 'A'"),
        ("S -> A b; A -> a a", 1, 16, "'A' has productions, but 'b' on the same level has none"),
        ("S -> A A; A -> S S", 1, 6, "derives itself .*S -> A -> S.*differently"),
        ("S -> S S", 1, 6, "'S' derives itself"),
        ("S -> a b [0] | b a [0/1]", 1, 6, "all weights of 'S' .* are 0, .* no string is possible"),
        ("S -> a b\nX -> c d", 2, 6, "'X' cannot be reached from 'S'"),
    ],
)
def test_errors_say_where_and_what(text, line, column, words):
    with pytest.raises(FormatError, match=words) as error:
        grammar(text)

    assert (error.value.line, error.value.column) == (line, column)
    assert f"grammar, line {line}, column {column}: " in str(error.value)


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("-> a", "a production begins with one, as in 'S -> a b'"),
        ("S a b", "write S -> and what it becomes"),
        ("S -> ", "a symbol that stands for nothing needs a name"),
        ("S -> a -> b", "put symbols with such marks in quotes"),
        ("S -> a [1] b", "a weight stands behind all symbols"),
        ("S -> 'a", "close the quotation mark"),
        ("S -> ''", "write a word between"),
        ("S -> a [-1]", "weights are no logarithms"),
        ("S -> a; S -> a", "keep one of them, with the sum of the weights"),
        ("S -> A b; A -> a a", "let 'b' become 2 symbols too"),
        ("S -> a b | a", "fill up the shorter ones .* such as '_'"),
        ("S -> a; X -> c", "let a symbol above become it, or leave its productions out"),
        ("S -> a [0]", "give one of them a positive weight"),
    ],
)
def test_errors_say_how_to_cure_them(text, cure):
    with pytest.raises(FormatError, match=rf"; {cure}.*\.$"):
        grammar(text)


def test_only_texts_are_grammars(tmp_path):
    for wrong in (5, None, tmp_path / "rules.txt", ["S -> a"]):
        with pytest.raises(UsageError, match=r"expected a text .*, got a \w+; read a file first"):
            grammar(wrong)


@given(st.text("SAab ->|;[]1/#'\n", max_size=25))
def test_any_text_is_a_grammar_or_an_error_with_its_place(text):
    error = error_of(text)

    if error is None:
        assert len(grammar(text).rules) >= 1
    else:
        assert error.line in range(1, text.count("\n") + 2)
        assert str(error).startswith(f"grammar, line {error.line}, column {error.column}: ")


def error_of(text: str) -> FormatError | None:
    """The error of a text, if it is no grammar."""
    try:
        grammar(text)
    except FormatError as error:
        return error
    return None
