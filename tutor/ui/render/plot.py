"""Curves and figures: curves in braille with movable marks, and the plotext figures of a program.

plotext draws the curves; the axes are drawn here, so that a mark moves without drawing the curves again. A recording
may be malformed: of the recorded plotext calls only those that draw are repeated, with numbers, texts and lists of
them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tutor.i18n import _
from tutor.text_width import align_right, pad
from tutor.trace.events import Figure
from tutor.trace.number_format import DIGITS, number
from tutor.ui.render.segments import Glyphs, Piece, Row

Points = Sequence[tuple[int, float]]
MARKERS = "*+xo#%@"
"""The characters of the first, second, … curve, where colours do not tell them apart."""
_DOTS = "●○◆◇▲△"
"""The characters of the first, second, … cloud of points in a figure."""
UNREAL = "!"
"""The mark of a point that is nan or infinite: the key that goes to where it comes from."""


@dataclass(frozen=True)
class Canvas:
    """Drawn curves without axes.

    Attributes:
        lines: The rows of characters.
        roles: For each character the role of its curve.
        low: The least value of the vertical axis.
        high: Its greatest value.
        last: The greatest x.
    """

    lines: tuple[str, ...]
    roles: tuple[tuple[str, ...], ...]
    low: float
    high: float
    last: int
    unreal: int
    """The number of points that are nan or infinite, and have a mark in the first row."""
    first: int = 0
    scaled: bool = False
    """Whether each curve has its own scale, from its least to its greatest value."""
    log: bool = False
    """Whether the vertical axis is logarithmic: then `low` and `high` are powers of ten."""
    skipped: int = 0
    """The number of points that are not above zero, and not drawn on a logarithmic axis."""
    parts: tuple[Canvas, ...] = ()
    """Where the curves have a chart each, one above the other: these."""

    def label(self, height: float) -> str:
        """Return the label of the axis at this value; empty where no point is finite."""
        if math.isnan(height):
            return ""
        try:
            return number(float(f"{10**height if self.log else height:.{DIGITS}g}"))
        except OverflowError:
            return f"1e{height:.0f}"


# ------------------------------------------------------------ drawing curves


def spans(curves: Sequence[Points]) -> list[tuple[float, float]]:
    """Return the least and greatest finite value of each curve, 0 and 0 where there is none."""
    bounds = []
    for curve in curves:
        finite = [y for _, y in curve if math.isfinite(y)]
        bounds.append((min(finite), max(finite)) if finite else (0.0, 0.0))
    return bounds


def needs_own_scales(curves: Sequence[Points]) -> bool:
    """Return whether some curve would look like a straight line on a common scale."""
    bounds = spans(curves)
    total = max(high for _, high in bounds) - min(low for low, _ in bounds)
    return len(bounds) > 1 and any(0 < high - low < total / _FLAT_RATIO for low, high in bounds)


_FLAT_RATIO = 10
_LEAST_HEIGHT = 2
"""Fewest rows of one of several charts."""


def thin_out(points: Points, dots: int) -> list[tuple[int, float]]:
    """Return at most two points, the least and the greatest, for each of `dots` columns of dots."""
    if len(points) <= 2 * dots:
        return list(points)
    first, last = points[0][0], points[-1][0]
    size = max(last - first, 1) / dots
    buckets: dict[int, list[tuple[int, float]]] = {}
    for point in points:
        buckets.setdefault(int((point[0] - first) / size), []).append(point)
    extremes = []
    for bucket in buckets.values():
        least = min(bucket, key=lambda point: point[1])
        most = max(bucket, key=lambda point: point[1])
        extremes += sorted({least, most})
    return extremes


def canvas(
    curves: Sequence[Points], cells: int, height: int, plain: bool = False, roles: Sequence[str] = ("value",),
    first: int = 0, together: bool = False, log: bool = False,
) -> Canvas:  # fmt: skip
    """Draw curves.

    Args:
        curves: Points (x, y) of each curve.
        cells: The width.
        height: The rows.
        plain: Whether to draw in ASCII, each curve with its own marker.
        roles: The role of each curve, repeated if there are more curves.
        first: The x of the left edge.
        together: Whether the curves share a scale even where it does not suit them all.
        log: Whether the vertical axis is logarithmic; values that are not positive are left out.
    """
    skipped = 0
    if log:
        skipped = sum(math.isfinite(y) and y <= 0 for curve in curves for _, y in curve)
        curves = [
            [(x, math.log10(y) if 0 < y < math.inf else y) for x, y in curve if not (math.isfinite(y) and y <= 0)]
            for curve in curves
        ]
    last = max(max((x for curve in curves for x, _ in curve), default=0), first + 1)
    roles = [roles[index % len(roles)] for index in range(len(curves))]
    markers = [MARKERS[index % len(MARKERS)] if plain else "braille" for index in range(len(curves))]
    scaled = not together and not log and needs_own_scales(curves)
    if scaled and height >= _LEAST_HEIGHT * len(curves):
        parts = [
            _draw([curve], cells, part_height, [marker], [role], first, last)
            for curve, part_height, marker, role in zip(
                curves, _shares(height, len(curves)), markers, roles, strict=True
            )
        ]
        return Canvas(
            tuple(line for part in parts for line in part.lines), tuple(line for part in parts for line in part.roles),
            math.nan, math.nan, last, sum(part.unreal for part in parts), first, parts=tuple(parts),
        )  # fmt: skip
    if scaled:
        curves = [
            [(x, (y - low) / (high - low) if high > low else y - low + 0.5) for x, y in curve]
            for curve, (low, high) in zip(curves, spans(curves), strict=True)
        ]
    drawn = _draw(curves, cells, height, markers, roles, first, last)
    return replace(drawn, scaled=scaled, log=log, skipped=skipped)


def _shares(height: int, count: int) -> list[int]:
    """Share rows among charts."""
    return [height * (index + 1) // count - height * index // count for index in range(count)]


def _draw(
    curves: Sequence[Points], cells: int, height: int, markers: Sequence[str], roles: Sequence[str], first: int,
    last: int,
) -> Canvas:  # fmt: skip
    """Draw curves on one scale. What is not finite has a mark in the first row."""
    from textual_plotext.plot import Plot  # imported late: it takes longer than the whole screen

    finite = [[(x, y) for x, y in curve if math.isfinite(y)] for curve in curves]
    unreal = [x for curve in curves for x, y in curve if not math.isfinite(y)]
    values = [y for curve in finite for _, y in curve]
    low, high = (min(values), max(values)) if values else (math.nan, math.nan)
    if low == high:
        low, high = low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2
    grid = [[" "] * cells for _ in range(height)]
    cell_roles = [[roles[0]] * cells for _ in range(height)]
    for curve, marker, role in zip(finite, markers, roles, strict=True):
        points = thin_out(curve, cells * 2)
        if not points:
            continue
        plot = Plot()
        plot.theme("clear")
        plot.frame(False)
        plot.xaxes(False, False)
        plot.yaxes(False, False)
        plot.xticks([])
        plot.yticks([])
        plot.plotsize(cells, height)
        plot.xlim(first, last)
        plot.ylim(low, high)
        xs, ys = [x for x, _ in points], [y for _, y in points]
        (plot.plot if len(points) > 1 else plot.scatter)(xs, ys, marker=marker)
        for y, line in enumerate(_text(plot.build()).split("\n")[:height]):
            for x, char in enumerate(line[:cells]):
                if char != " ":
                    grid[y][x] = _overlay(grid[y][x], char)
                    cell_roles[y][x] = role
    for x in unreal:
        column = round((x - first) * (cells - 1) / (last - first))
        grid[0][column], cell_roles[0][column] = UNREAL, "error"
    return Canvas(tuple(map("".join, grid)), tuple(map(tuple, cell_roles)), low, high, last, len(unreal), first)


def _text(ansi: str) -> str:
    from rich.text import Text

    return Text.from_ansi(ansi).plain


def _overlay(below: str, above: str) -> str:
    """Return two characters drawn on top of each other: braille dots add up."""
    if "⠀" <= below <= "⣿" and "⠀" <= above <= "⣿":
        return chr(ord(below) | ord(above))
    return above


# ------------------------------------------------------------ axes and marks

_SCALE_ENDS = ("most", "least")
"""The labels of the axis where each curve has its own scale."""


def margin(drawn: Canvas) -> int:
    """Return the width of the labels on the left."""
    if drawn.parts:
        return max(map(margin, drawn.parts))
    return max(map(len, _labels(drawn).values()))


def _labels(drawn: Canvas) -> dict[int, str]:
    """Return the labels of the vertical axis by row: the greatest value, the least, and one between them."""
    if drawn.scaled:
        return {0: _SCALE_ENDS[0], len(drawn.lines) - 1: _SCALE_ENDS[1]}
    last = len(drawn.lines) - 1
    places = (0, last // 2, last) if last >= 4 else (0, last)
    return {y: drawn.label(drawn.high + (drawn.low - drawn.high) * y / max(last, 1)) for y in places}


def rows(drawn: Canvas, mark: int | None, glyphs: Glyphs) -> list[Row]:
    """Draw a canvas with its axes, and a mark at x: what lies before it is bright, what follows is quiet."""
    cells, label_width = len(drawn.lines[0]), margin(drawn)
    mark_column = None if mark is None else round((mark - drawn.first) * (cells - 1) / (drawn.last - drawn.first))
    lines = [row for part in drawn.parts or (drawn,) for row in _curve_rows(part, mark_column, label_width, glyphs)]
    axis = glyphs.bottom_left + glyphs.across * cells
    lines.append(((" " * (label_width + 1), "quiet"), (axis, "frame")))
    lines.append(((" " * (label_width + 2), "quiet"), *_x_labels(drawn, mark, mark_column, cells)))
    return lines


def _curve_rows(drawn: Canvas, mark_column: int | None, label_width: int, glyphs: Glyphs) -> list[Row]:
    """Return the rows of curves on one scale, with the labels of the vertical axis."""
    labels = _labels(drawn)
    lines: list[Row] = []
    for y in range(len(drawn.lines)):
        edge = glyphs.join_left if y in labels else glyphs.down
        lines.append(
            (
                (align_right(labels.get(y, ""), label_width) + " ", "quiet"),
                (edge, "frame"),
                *_curve_pieces(drawn, y, mark_column, glyphs),
            )
        )
    return lines


def _curve_pieces(drawn: Canvas, y: int, mark_column: int | None, glyphs: Glyphs) -> list[Piece]:
    """Return a row of the curves: bright before the mark, quiet after it."""
    pieces: list[Piece] = []
    for x, (char, role) in enumerate(zip(drawn.lines[y], drawn.roles[y], strict=True)):
        if x == mark_column:
            piece = (glyphs.down if char in " ⠀" else char, "now")
        elif role == "error" and char == UNREAL:
            piece = (char, role)
        else:
            piece = (char, role if mark_column is not None and x < mark_column else f"{role} quiet")
        if pieces and pieces[-1][1] == piece[1]:
            pieces[-1] = (pieces[-1][0] + piece[0], piece[1])
        else:
            pieces.append(piece)
    return pieces


def _x_labels(drawn: Canvas, mark: int | None, mark_column: int | None, cells: int) -> list[Piece]:
    """Return the labels below the axis: first, last, and the one at the mark."""
    first, last = str(drawn.first), str(drawn.last)
    middle = cells - len(first) - len(last)
    if mark is None or mark_column is None:
        return [(first + " " * middle + last, "quiet")]
    text = str(mark)
    # The end labels stay: alone, the label of the mark would look like one of them.
    min_x = len(first) + 1 if mark > drawn.first else 0
    max_x = cells - len(text) - (len(last) + 1 if mark < drawn.last else 0)
    x = max(min_x, min(mark_column - len(text) // 2, max_x))
    left_label = first if x > len(first) else ""
    right_label = last if x + len(text) < cells - len(last) else ""
    lead = pad(left_label, x)
    return [(lead, "quiet"), (text, "now"), (align_right(right_label, cells - x - len(text)), "quiet")]


# ------------------------------------------------------------ figures of the program

_CURVE_CALLS = {"plot", "scatter", "bar", "hist", "simple_bar"}
_OTHER_CALLS = {
    "title", "xlabel", "ylabel", "xlim", "ylim", "xscale", "yscale", "grid", "xticks", "yticks", "horizontal_line",
    "vertical_line", "hline", "vline", "text", "xreverse", "yreverse", "xfrequency", "yfrequency", "frame",
}  # fmt: skip
_ROLES = ("value", "grad", "leaf", "now", "error", "keyword")
_CODES = {11 + place: role for place, role in enumerate(_ROLES)}
"""The role of each plotext colour number used here."""
_NAMED = {
    "blue": "value", "cyan": "value", "orange": "grad", "yellow": "now", "green": "leaf", "red": "error",
    "magenta": "keyword", "gray": "quiet", "white": "plain", "black": "plain",
}  # fmt: skip


def figure_rows(figure: Figure, cells: int, height: int, ascii_only: bool, colours: bool) -> tuple[list[Row], str]:
    """Draw a recorded figure.

    Args:
        figure: The recorded calls.
        cells: The width.
        height: The rows.
        ascii_only: Whether to avoid all other characters.
        colours: Whether the terminal has colours.

    Returns:
        The rows, and a sentence on what could not be drawn; empty if nothing.
    """
    from textual_plotext.plot import Plot  # imported late: it takes longer than the whole screen

    plot = Plot()
    plot.theme("clear")
    plot.plotsize(cells, height)
    left_out: list[str] = []
    unreal = curves = 0
    role_of_code = dict(_CODES)
    for call in figure.calls:
        name, args, kwargs = _call(call)
        if name not in _CURVE_CALLS | _OTHER_CALLS:
            if name:
                left_out.append(name)
            continue
        unreal += sum(map(_count_unreal, args))
        args = [_finite(argument) for argument in args]
        if name in _CURVE_CALLS:
            code = 11 + curves % len(_ROLES)
            colour = kwargs.pop("color", None)
            if isinstance(colour, str) and colour in _NAMED:
                code = 31 + curves
                role_of_code[code] = _NAMED[colour]
            kwargs["color"] = code
            plain = ascii_only or not colours
            if name in ("plot", "scatter"):
                marker = MARKERS[curves % len(MARKERS)] if plain else "braille"
                if name == "scatter" and not ascii_only:  # a single braille dot is easily overlooked
                    marker = _DOTS[curves % len(_DOTS)]
                kwargs["marker"] = marker
            elif plain:
                kwargs["marker"] = "#"
            curves += 1
        try:
            getattr(plot, name)(*args, **kwargs)
        except Exception:  # arguments that this plotext does not accept
            left_out.append(name)
    try:
        text = plot.build()
    except Exception as error:  # plotext may fail on any arguments
        return [((_("this figure cannot be drawn: {error}", error=type(error).__name__), "note"),)], ""
    problems = [_("{count} nan or inf", count=unreal)] if unreal else []
    problems += [", ".join(dict.fromkeys(left_out))] if left_out else []
    note = _("not drawn: {what}", what="; ".join(problems)) if problems else ""
    return _figure_pieces(text, role_of_code, ascii_only), note


def _call(call: Any) -> tuple[str, list[Any], dict[str, Any]]:
    """Return name, arguments and keyword arguments of a recorded call; an empty name where it is malformed."""
    if not isinstance(call, list) or len(call) != 3:
        return "", [], {}
    name, args, kwargs = call
    if not isinstance(name, str) or not isinstance(args, list) or not isinstance(kwargs, dict):
        return "", [], {}
    return name, args, {str(key): value for key, value in kwargs.items() if key not in ("marker", "fillx", "style")}


def _count_unreal(argument: Any) -> int:
    """Return the number of values in an argument that are nan or infinite."""
    if isinstance(argument, list):
        return sum(map(_count_unreal, argument))
    return isinstance(argument, float) and not math.isfinite(argument)


def _finite(argument: Any) -> Any:
    """Return the argument with nan, which plotext draws as a gap, for infinite numbers, at which it fails."""
    if isinstance(argument, list):
        return [_finite(item) for item in argument]
    return math.nan if isinstance(argument, float) and not math.isfinite(argument) else argument


def _figure_pieces(ansi: str, role_of_code: dict[int, str], ascii_only: bool) -> list[Row]:
    """Return what plotext has drawn as rows, with a role for each of its colours."""
    from rich.text import Text

    rows: list[Row] = []
    for line in Text.from_ansi(ansi).split("\n", allow_blank=False):
        row: list[Piece] = []
        end = 0
        for span in line.spans:
            colour = getattr(span.style, "color", None)
            if colour is None or colour.number not in role_of_code:
                continue
            row += [
                (line.plain[end : span.start], "quiet"),
                (line.plain[span.start : span.end], role_of_code[colour.number]),
            ]
            end = span.end
        row.append((line.plain[end:], "quiet"))
        rows.append(tuple((_ascii(text) if ascii_only else text, role) for text, role in row if text))
    return rows


def _ascii(text: str) -> str:
    return text.translate({**dict.fromkeys(map(ord, "┌┐└┘├┤┬┴┼"), "+"), ord("─"): "-", ord("│"): "|", ord("━"): "-"})
