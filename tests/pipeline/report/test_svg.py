"""Drawings that stand inside a page: ids of their own, the page's colours, text that stays text."""

import re
from xml.etree import ElementTree

import pytest

from pipeline.report.svg import draw_svg, inline_svg
from student_jax.config import CircuitConfig
from student_jax.export.drawing import draw_circuit


def paint(canvas):
    axes = canvas.subplots()
    axes.plot([0, 1], [1, 0], color="#0072b2", marker="o")
    axes.set_xlabel("$5 & <b>")


@pytest.fixture(scope="module")
def drawings(tmp_path_factory):
    path = tmp_path_factory.mktemp("circuit") / "circuit.svg"
    draw_circuit(CircuitConfig(qubits=3, layers=1), 2, path)
    return [draw_svg("figure", 200, paint), inline_svg(path.read_text(), "circuit")]


def test_ids_are_prefixed_and_references_follow(drawings):
    for name, text in zip(("figure", "circuit"), drawings, strict=True):
        ids = re.findall(r'\bid="([^"]+)"', text)
        assert ids
        assert len(set(ids)) == len(ids)
        assert all(one.startswith(f"{name}-") for one in ids)
        assert set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', text.replace("'", ""))) <= {
            pair for one in ids for pair in ((one, ""), ("", one))
        }
        assert ElementTree.fromstring(text).get("aria-labelledby") == f"{name}-title"


def test_colours_and_font_are_the_pages_and_nothing_reaches_around(drawings):
    assert "var(--student)" in drawings[0]
    for text in drawings:
        assert not re.search(r"#000000|#ffffff|font-family|<style|<metadata|https?:|xlink", text)


def test_drawn_text_is_text_and_not_a_formula(drawings):
    assert "$5 & <b>" in [text.text for text in ElementTree.fromstring(drawings[0]).iter("text")]


def test_drawing_twice_gives_the_same_bytes(drawings):
    assert draw_svg("figure", 200, paint) == drawings[0]


def test_what_matplotlib_did_not_draw_is_refused():
    with pytest.raises(ValueError, match="x: the drawing must be matplotlib's SVG"):
        inline_svg("<p>no drawing</p>", "x")
