"""SVG that matplotlib draws, as it may stand inside a page: ids of its own, the page's colours and font.

In: a painter of a matplotlib figure, or an SVG file of matplotlib's.  Out: draw_svg, inline_svg, the colours.
Imports: matplotlib.
"""

import io
import re
import warnings
from collections.abc import Callable
from typing import Any

import matplotlib
from matplotlib.figure import Figure

# Drawn with these colours, shown with the page's variables, so that figures follow the light and the dark theme.
# Okabe and Ito's blue and vermilion stay apart for colour-blind readers; shapes and dashes differ as well.
INK, SURFACE, GRID, STUDENT, TEACHER, COMPARATOR = "#000000", "#ffffff", "#b0b0b0", "#0072b2", "#d55e00", "#666666"
_THEME = {
    INK: "currentColor",
    SURFACE: "var(--surface)",
    GRID: "var(--grid)",
    STUDENT: "var(--student)",
    TEACHER: "var(--teacher)",
    COMPARATOR: "var(--comparator)",
}

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
_SIZE = re.compile(r'<svg [^>]*width="([0-9.]+)pt" height="([0-9.]+)pt"[^>]*>')
# What a page cannot do with: rules for everything around the drawing, matplotlib's own fonts, who drew it and when.
_FOREIGN = re.compile(r'<metadata>.*?</metadata>|<style.*?</style>|font-family:[^;"]*;?\s*|xlink:(?=href)', re.DOTALL)


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
    """What matplotlib wrote as an <svg> element labelled by the elements `name`-title and `name`-description.

    Ids get `name` as a prefix; black and white become the theme's ink and surface.
    """
    size = _SIZE.search(text)
    if size is None:
        raise ValueError(f"{name}: the drawing must be matplotlib's SVG")
    body = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", _FOREIGN.sub("", text[size.end() :]))
    for colour, variable in _THEME.items():
        body = body.replace(colour, variable)
    width, height = size.groups()
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" fill="currentColor" role="img" '
        f'aria-labelledby="{name}-title" aria-describedby="{name}-description">{body.strip()}'
    )
