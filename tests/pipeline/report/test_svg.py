import re
from xml.etree import ElementTree

import pytest

from pipeline.report.svg import draw_svg, inline_svg
from teacher_cache.errors import UserError

HOSTILE = """<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="40" height="30"
     onload="alert(1)">
  <script>alert(2)</script>
  <style>@import url(http://example.org/a.css); .g { fill: url(http://example.org/b) } .g { stroke: black }</style>
  <a href="javascript:alert(3)"><image xlink:href="http://example.org/c.png"/></a>
  <rect class="g" style="fill: url(http://example.org/d#e)"/><foreignObject><p>text</p></foreignObject>
</svg>"""


def paint(canvas):
    axes = canvas.subplots()
    axes.plot([0, 1], [1, 0], color="#0072b2", marker="o")
    axes.set_xlabel("$5 & <b>")


def test_ids_are_prefixed_and_references_follow(circuit):
    root = ElementTree.fromstring(inline_svg(circuit, "one"))
    ids = {element.get("id") for element in root.iter() if element.get("id")}
    assert ids == {"one-box", "one-gate"}
    assert root.find(".//use").get("href") == "#one-gate"
    assert root.find("g").get("clip-path") == "url(#one-box)"


def test_black_and_white_follow_the_theme(circuit):
    style = ElementTree.fromstring(inline_svg(circuit, "one")).find(".//use").get("style")
    assert style == "fill: var(--surface); stroke: currentColor"


def test_nothing_active_and_nothing_external_stays():
    text = inline_svg(HOSTILE, "x")
    assert not re.search(r"example\.org|alert|<script|foreignObject|onload|http", text)
    assert "[aria-labelledby='x-title']" in text
    assert 'viewBox="0 0 40 30"' in text


@pytest.mark.parametrize("text", ["no drawing", "<p>no drawing</p>"])
def test_what_is_not_svg_is_refused(text):
    with pytest.raises(UserError, match="circuit-0: the drawing must be SVG, got"):
        inline_svg(text, "circuit-0")


def test_drawn_text_is_text_and_not_a_formula():
    root = ElementTree.fromstring(draw_svg("figure", 200, paint))
    assert "$5 & <b>" in [text.text for text in root.iter("text")]


def test_drawing_twice_gives_the_same_bytes_and_other_names_other_ids():
    first, again, other = draw_svg("a", 200, paint), draw_svg("a", 200, paint), draw_svg("b", 200, paint)
    assert first == again
    ids = [set(re.findall(r' id="([^"]+)"', text)) for text in (first, other)]
    assert ids[0]
    assert not ids[0] & ids[1]
