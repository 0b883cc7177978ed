"""Formulas as drawings, which every browser shows without a script or a font from elsewhere."""

import html
import re

from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import TextPath

SIZE = 90  # of the text around a drawing, whose letters of 100 look no larger: their strokes are thin
LETTER = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C", Path.CLOSEPOLY: "Z"}


def drawing(tex):
    """A formula as SVG on its line of text, in the text's colour and size."""
    path = TextPath((0, 0), f"${tex}$", size=100, prop=FontProperties(math_fontfamily="cm"))
    box = path.get_extents().padded(2)
    steps = []
    for numbers, code in path.iter_segments():
        numbers[1::2] *= -1  # SVG counts downwards
        steps.append(LETTER[code] + " ".join(f"{x:.0f}" for x in ([] if code == Path.CLOSEPOLY else numbers)))
    return (
        f'<svg class="formula" role="img" aria-label="{html.escape(tex)}" '
        f'viewBox="{box.x0:.0f} {-box.y1:.0f} {box.width:.0f} {box.height:.0f}" '
        f'style="height: {box.height / SIZE:.2f}em; vertical-align: {box.y0 / SIZE:.2f}em">'
        f'<path d="{"".join(steps)}"/></svg>'
    )


def visit_inline(writer, node):
    """A formula within a line."""
    writer.body.append(drawing(node.astext()))
    node.clear()  # its text is not to follow


def visit_block(writer, node):
    """A formula of its own; one that is too wide for a phone scrolls by itself."""
    tex = " ".join(node.astext().replace(r"\frac", r"\dfrac").split())
    tex = re.sub(r"\\sum_(\w|{[^}]+})", r"\g<0>\\,", tex)  # or what is summed touches the sign
    writer.body.append(f'<div class="formula">{drawing(tex)}</div>\n')
    node.clear()


def setup(app):
    """Join Sphinx."""
    app.add_html_math_renderer("drawn", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True}
