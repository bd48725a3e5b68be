"""SVG that can stand inside a page: unique ids, the page's own colours and font, nothing active, nothing external.

In: a painter of a matplotlib figure, or SVG text.  Out: draw_svg, inline_svg, the colours.  Imports: matplotlib.
"""

import io
import re
import warnings
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import matplotlib
from matplotlib.figure import Figure

from teacher_cache.errors import UserError

# Drawn with these colours, shown with the page's variables, so that figures follow the light and the dark theme.
# Okabe and Ito's blue and vermilion stay apart for colour-blind readers; shapes and dashes differ as well.
INK, SURFACE, GRID, STUDENT, TEACHER, CONTROL = "#000000", "#ffffff", "#b0b0b0", "#0072b2", "#d55e00", "#666666"
_THEME = {
    rf"{INK}\b|#000\b|\bblack\b": "currentColor",
    rf"{SURFACE}\b|#fff\b|\bwhite\b": "var(--surface)",
    GRID: "var(--grid)",
    STUDENT: "var(--student)",
    TEACHER: "var(--teacher)",
    CONTROL: "var(--control)",
}
_COLOURED = {"style", "fill", "stroke"}  # the attributes that hold colours

# User units, CSS pixels where not scaled: text stays readable on a phone, and two fit beside each other on a desk.
WIDTH = 380
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "qdllm",
    "text.parse_math": False,
    "font.size": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 12,
    "lines.linewidth": 1.8,
    "lines.markersize": 6,
}

_DROPPED = {"metadata", "script", "foreignObject"}
_REFERENCE = re.compile(r"url\(\s*['\"]?#([^)'\"]+)['\"]?\s*\)")
_EXTERNAL = re.compile(r"@import[^;]*;?|url\((?!\s*['\"]?#)[^)]*\)")
_FONT = re.compile(r"font-family:[^;]*;?\s*")


def draw_svg(name: str, height: float, paint: Callable[[Figure], None], width: float = WIDTH) -> str:
    """The figure that `paint` draws, `width` by `height` CSS pixels, ready to stand in a page.

    The same calls give the same bytes: no date, ids from a fixed salt, no pyplot state.
    """
    buffer = io.StringIO()
    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        # The reader's browser draws the text; matplotlib's own font only measures it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=(width / 72, height / 72), layout="constrained")
        paint(figure)
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return inline_svg(buffer.getvalue(), name)


def inline_svg(text: str, name: str) -> str:
    """SVG file `text` as an <svg> element labelled by the elements `name`-title and `name`-description.

    Ids get `name` as a prefix, or go where nothing refers to them. Black and white become the theme's ink and surface.
    Scripts, event handlers and references to anything outside the drawing are dropped.

    Raises:
        UserError: `text` is not SVG.
    """
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise UserError(f"{name}: the drawing must be SVG, got {error}; draw it again") from None
    if _local(root.tag) != "svg":
        raise UserError(f"{name}: the drawing must be SVG, got <{_local(root.tag)}>; draw it again")
    referred = set(_REFERENCE.findall(text)) | set(re.findall(r"href=\"#([^\"]+)\"", text))
    _clean(root, name, referred)
    width, height = _find_size(root)
    root.attrib = {
        "viewBox": root.get("viewBox", f"0 0 {width:g} {height:g}"),
        "width": f"{width:g}",
        "height": f"{height:g}",
        "fill": "currentColor",
        "role": "img",
        "aria-labelledby": f"{name}-title",
        "aria-describedby": f"{name}-description",
    }
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=True)


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _find_size(root: ElementTree.Element) -> tuple[float, float]:
    box = root.get("viewBox", "").replace(",", " ").split()
    sides = box[2:] if len(box) == 4 else [root.get("width", ""), root.get("height", "")]
    numbers = [re.match(r"[0-9.]+", side) for side in sides]
    width, height = (float(number.group()) if number else float(WIDTH) for number in numbers)
    return width, height


def _clean(element: ElementTree.Element, name: str, referred: set[str]) -> None:
    """Rename, recolour and strip `element` and all below it, in place."""
    element.tag = _local(element.tag)
    attributes = {}
    for key, value in element.attrib.items():
        cleaned = _clean_attribute(_local(key), value, name, referred)
        if cleaned is not None:
            attributes[_local(key)] = cleaned
    element.attrib = attributes
    if element.tag == "style":
        # Nested, the rules reach this drawing alone and not the page around it.
        rules = _EXTERNAL.sub("", _recolour(element.text or ""))
        element.text = f"[aria-labelledby='{name}-title'] {{ {rules} }}"
    if not (element.text or "").strip():
        element.text = None
    for child in list(element):
        if not isinstance(child.tag, str) or _local(child.tag) in _DROPPED:
            element.remove(child)
            continue
        _clean(child, name, referred)
        child.tail = child.tail if (child.tail or "").strip() else None


def _clean_attribute(key: str, value: str, name: str, referred: set[str]) -> str | None:
    """The attribute's new value; None drops it."""
    if key == "id":
        return f"{name}-{value}" if value in referred else None
    if key == "href":
        return f"#{name}-{value[1:]}" if value.startswith("#") else None
    if key.startswith("on") or key == "space":
        return None
    value = _REFERENCE.sub(rf"url(#{name}-\1)", _EXTERNAL.sub("", _FONT.sub("", value)))
    return _recolour(value) if key in _COLOURED else value


def _recolour(value: str) -> str:
    for colour, variable in _THEME.items():
        value = re.sub(colour, variable, value)
    return value
