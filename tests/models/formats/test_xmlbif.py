"""XMLBIF files: exact both ways, the child fastest, and refused by line and column."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given

from ghmpp.errors import FormatError
from ghmpp.models.factors import Factor, Factors, Node
from ghmpp.models.formats.bif import parse_bif
from ghmpp.models.formats.elements import parse_xml
from ghmpp.models.formats.text import Text
from ghmpp.models.formats.xmlbif import format_xmlbif, parse_xmlbif
from tests.models.formats.drawn import (
    BIF,
    GIVEN_A,
    GIVEN_BA,
    PRIOR,
    XMLBIF,
    assert_same_distributions,
    networks,
)


def parse(content):
    return parse_xmlbif(content.encode(), "f.xml")


@given(graph=networks())
def test_networks_come_back(graph):
    assert_same_distributions(parse(format_xmlbif(graph)), graph)


def test_child_changes_fastest_and_is_the_last_axis():
    graph = parse(XMLBIF)

    tables = {f.child: np.asarray(f.table) * 16 for f in graph.factors}
    assert graph.name == "three variables"
    assert graph.nodes["B"].states == ["b0", "b 1", "b2"]
    assert [f.variables for f in graph.factors] == [("A",), ("A", "B"), ("B", "A", "C")]
    np.testing.assert_array_equal(tables["A"], PRIOR)
    np.testing.assert_array_equal(tables["B"], GIVEN_A)
    np.testing.assert_array_equal(tables["C"], GIVEN_BA)


def test_is_the_same_network_as_in_bif():
    assert_same_distributions(parse(XMLBIF), parse_bif(Text(BIF, "f.bif")))


def test_written_file_is_read_by_pgmpy():
    from pgmpy.readwrite import XMLBIFReader

    graph = parse(XMLBIF)

    theirs = XMLBIFReader(string=format_xmlbif(graph)).get_model()

    for factor in graph.factors:
        cpd = theirs.get_cpds(factor.child)
        assert cpd.state_names[factor.child] == graph.nodes[factor.child].states
        axes = [factor.variables.index(variable) for variable in cpd.variables]
        np.testing.assert_array_equal(cpd.values, np.transpose(factor.table, axes))


@given(graph=networks())
def test_written_file_is_plain_xml_with_the_elements_of_the_standard(graph):
    root = ElementTree.fromstring(format_xmlbif(graph))

    network = root.find("NETWORK")
    assert root.tag == "BIF"
    assert len(network.findall("VARIABLE")) == len(graph.nodes)
    assert len(network.findall("DEFINITION")) == len(graph.nodes)


def test_other_encodings_are_read():
    content = XMLBIF.replace('"1.0"?', '"1.0" encoding="ISO-8859-1"?').replace("a0", "é")

    assert parse_xmlbif(content.encode("latin-1"), "f.xml").nodes["A"].states == ["é", "a1"]
    assert parse_xmlbif(XMLBIF.encode("utf-16"), "f.xml").nodes["A"].states == ["a0", "a1"]


def test_tags_may_be_in_small_letters():
    content = "<bif><network><variable><name>a</name><outcome>y</outcome></variable><definition>"
    graph = parse(content + "<for>a</for><table>1</table></definition></network></bif>")

    assert graph.name == "xmlbif"
    assert graph.nodes["a"].states == ["y"]


A = "<VARIABLE><NAME>a</NAME><OUTCOME>y</OUTCOME><OUTCOME>n</OUTCOME></VARIABLE>"
UTILITY = A.replace("VARIABLE>", "VARIABLE TYPE='utility'>", 1)
B = A.replace(">a<", ">b<")
P = "<DEFINITION><FOR>a</FOR><TABLE>1 0</TABLE></DEFINITION>"


@pytest.mark.parametrize(
    ("content", "line", "column", "words"),
    [
        ("", 1, 1, r"is not XML \(no element found\)"),
        ("BAYES 2", 1, 1, r"is not XML \(syntax error\)"),
        ("<BIF><NETWORK>\n<VARIABLE>", 2, 11, r"is not XML \(no element found\); it is cut short"),
        ("<BIF>\n <A></B></BIF>", 2, 7, r"is not XML \(mismatched tag\)"),
        ("<BIF/>", 1, 1, "BIF: expected one NETWORK in it, got 0"),
        ("<html></html>", 1, 1, "expected BIF with a NETWORK inside, got HTML"),
        ("<BIF>\n<NETWORK/></BIF>", 2, 1, "the network has no VARIABLE"),
        ("<BIF><NETWORK><VARIABLE/></NETWORK></BIF>", 1, 15, "VARIABLE: expected one NAME"),
        (f"<BIF><NETWORK>{A}\n{A}</NETWORK></BIF>", 2, 1, "a second variable 'a'"),
        (
            f"<BIF><NETWORK>\n{A.replace('>n<', '>y<')}</NETWORK></BIF>",
            2,
            1,
            "two outcomes are equal",
        ),
        (f"<BIF><NETWORK>\n{A.replace('OUTCOME', 'X')}</NETWORK></BIF>", 2, 1, "has no OUTCOME"),
        (
            f"<BIF><NETWORK>\n{A.replace('>a<', '><')}</NETWORK></BIF>",
            2,
            1,
            "a variable has no name",
        ),
        (
            f"<BIF><NETWORK>\n{UTILITY}</NETWORK></BIF>",
            2,
            1,
            "variable 'a' has the type 'utility'; expected nature",
        ),
        (f"<BIF>\n<NETWORK>{A}{B}{P}</NETWORK></BIF>", 2, 1, "no DEFINITION for: b"),
        (f"<BIF><NETWORK>{A}{P}\n{P}</NETWORK></BIF>", 2, 1, "a second definition of 'a'"),
    ],
)
def test_malformed_files_are_refused_by_place(content, line, column, words):
    with pytest.raises(FormatError, match=words) as caught:
        parse(content)

    assert (caught.value.path, caught.value.line, caught.value.column) == ("f.xml", line, column)


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        ("", "DEFINITION: expected one FOR in it, got 0"),
        ("<FOR>c</FOR><TABLE>1 0</TABLE>", "no variable 'c'; the variables are: a"),
        ("<FOR>a</FOR><GIVEN>c</GIVEN><TABLE>1 0</TABLE>", "no variable 'c'"),
        ("<FOR>a</FOR>", "DEFINITION: expected one TABLE in it, got 0"),
        ("<FOR>a</FOR><TABLE>1</TABLE><TABLE>0</TABLE>", "expected one TABLE in it, got 2"),
        ("<FOR>a</FOR><GIVEN>a</GIVEN><TABLE>1 0</TABLE>", "a variable stands twice"),
        ("<FOR>a</FOR><TABLE>1 0 0</TABLE>", "expected 2 numbers >= 0 for 2 states, got 3"),
        ("<FOR>a</FOR><TABLE/>", "expected 2 numbers >= 0 for 2 states, got 0"),
        ("<FOR>a</FOR><TABLE>2 -1</TABLE>", "expected 2 numbers >= 0 .* with -1 among them"),
        ("<FOR>a</FOR><TABLE>1 zero</TABLE>", "expected finite decimal numbers, got 'zero'"),
        ("<FOR>a</FOR><TABLE>1 NaN</TABLE>", "expected finite decimal numbers, got 'NaN'"),
    ],
)
def test_malformed_definitions_are_refused_by_line(definition, words):
    with pytest.raises(FormatError, match=words) as caught:
        parse(f"<BIF><NETWORK>{A}\n<DEFINITION>{definition}</DEFINITION></NETWORK></BIF>")

    assert caught.value.line == 2


def test_cycle_is_refused():
    first = "<DEFINITION><FOR>a</FOR><GIVEN>b</GIVEN><TABLE>1 0 1 0</TABLE></DEFINITION>"
    second = first.replace(">a<", ">c<").replace(">b<", ">a<").replace(">c<", ">b<")

    with pytest.raises(FormatError, match=r"the parents form the cycle [ab] -> [ab] -> [ab]\."):
        parse(f"<BIF><NETWORK>{A}{B}{first}{second}</NETWORK></BIF>")


def test_entities_are_refused():
    bomb = '<!DOCTYPE BIF [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><BIF>&b;</BIF>'

    with pytest.raises(FormatError, match=r"line 1, column \d+: declares the entity 'a'"):
        parse(bomb)


@pytest.mark.parametrize("data", [b'<?xml version="1.0" encoding="klingon"?><BIF/>', b"\x00\xff<"])
def test_unknown_encodings_are_refused(data):
    with pytest.raises(FormatError, match="is not XML"):
        parse_xml(data, "f.xml")


def test_deep_nesting_is_refused_without_recursion():
    with pytest.raises(FormatError, match="expected BIF"):
        parse("<a>" * 20_000 + "</a>" * 20_000)


def test_broken_note_is_refused():
    content = XMLBIF.replace("<NETWORK>", '<NETWORK><PROPERTY>ghmpp: {"a</PROPERTY>')

    with pytest.raises(FormatError, match="line 4, column 10: the note is broken"):
        parse(content)


def test_markov_model_cannot_be_written():
    graph = Factors("m", {"a": Node(2)}, (Factor(("a",), np.array([2.0, 1.0])),))

    with pytest.raises(FormatError, match="so XMLBIF cannot describe it"):
        format_xmlbif(graph)
