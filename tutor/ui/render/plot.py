"""Curves in braille, drawn by plotext, with axes of our own, so that a mark can move without drawing them again.

Figures of the learner's own: recorded plotext calls, drawn again at the size of a pane.

A recording may come from a stranger: only calls that draw are made again, with numbers, texts and lists of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tutor.i18n import _
from tutor.text_width import align_right, pad
from tutor.trace.events import Figure
from tutor.trace.values import number
from tutor.ui.render.segments import Glyphs, Piece, Row

Points = Sequence[tuple[int, float]]
MARKERS = "*+xo#%@"
"""Of the first, second, … curve, where colours do not tell them apart."""


@dataclass(frozen=True)
class Canvas:
    """Curves without axes: for each row and column a character and the role of its curve."""

    lines: tuple[str, ...]
    roles: tuple[tuple[str, ...], ...]
    low: float
    high: float
    last: int
    unreal: int
    """How many points were nan or infinite, and are not drawn."""
    first: int = 0
    scaled: bool = False
    """Whether each curve is drawn from its own least to its own most."""
    log: bool = False
    """Whether the axis is logarithmic: `low` and `high` are powers of ten."""

    def label(self, height: float) -> str:
        """The figure at a height of the axis."""
        try:
            return number(float(f"{10**height if self.log else height:.4g}"))
        except OverflowError:
            return f"1e{height:.0f}"


def spans(curves: Sequence[Points]) -> list[tuple[float, float]]:
    """The least and the most of each curve, of what is finite."""
    found = []
    for curve in curves:
        real = [y for _, y in curve if math.isfinite(y)]
        found.append((min(real), max(real)) if real else (0.0, 0.0))
    return found


def apart(curves: Sequence[Points]) -> bool:
    """Whether on one scale some curve would be no more than a straight line."""
    found = spans(curves)
    all_of_it = max(high for _, high in found) - min(low for low, _ in found)
    return len(found) > 1 and any(0 < high - low < all_of_it / _FLAT for low, high in found)


_FLAT = 10


def thinned(points: Points, dots: int) -> list[tuple[int, float]]:
    """At most two points, the least and the greatest, for each of so many columns of dots."""
    if len(points) <= 2 * dots:
        return list(points)
    first, last = points[0][0], points[-1][0]
    size = max(last - first, 1) / dots
    buckets: dict[int, list[tuple[int, float]]] = {}
    for point in points:
        buckets.setdefault(int((point[0] - first) / size), []).append(point)
    out = []
    for bucket in buckets.values():
        least = min(bucket, key=lambda point: point[1])
        most = max(bucket, key=lambda point: point[1])
        out += sorted({least, most})
    return out


def canvas(
    curves: Sequence[Points], cells: int, height: int, plain: bool = False, roles: Sequence[str] = ("value",),
    first: int = 0, together: bool = False, log: bool = False,
) -> Canvas:  # fmt: skip
    """The curves in so many cells, from x = `first` on. `plain`: in ASCII, each with a marker of its own.

    Where one scale does not suit them each has its own, unless they are to be compared (`together`). On a logarithmic
    axis what is not above zero is left out.
    """
    given = sum(map(len, curves))
    if log:
        curves = [[(x, math.log10(y)) for x, y in curve if y > 0 and math.isfinite(y)] for curve in curves]
    scaled = not together and not log and apart(curves)
    if scaled:
        curves = [
            [(x, (y - low) / (high - low) if high > low else y - low + 0.5) for x, y in curve]
            for curve, (low, high) in zip(curves, spans(curves), strict=True)
        ]
    from textual_plotext.plot import Plot  # late: it costs more than all of the screen

    real = [[(x, y) for x, y in curve if math.isfinite(y)] for curve in curves]
    unreal = given - sum(map(len, real))
    values = [y for curve in real for _, y in curve]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if low == high:
        low, high = low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2
    last = max(max((x for curve in real for x, _ in curve), default=0), first + 1)
    grid = [[" "] * cells for _ in range(height)]
    painted = [[roles[0]] * cells for _ in range(height)]
    for place, curve in enumerate(real):
        points = thinned(curve, cells * 2)
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
        marker = MARKERS[place % len(MARKERS)] if plain else "braille"
        (plot.plot if len(points) > 1 else plot.scatter)(xs, ys, marker=marker)
        for y, line in enumerate(_text(plot.build()).split("\n")[:height]):
            for x, char in enumerate(line[:cells]):
                if char != " ":
                    grid[y][x] = _over(grid[y][x], char)
                    painted[y][x] = roles[place % len(roles)]
    return Canvas(tuple(map("".join, grid)), tuple(map(tuple, painted)), low, high, last, unreal, first, scaled, log)


def _text(ansi: str) -> str:
    from rich.text import Text

    return Text.from_ansi(ansi).plain


def _over(below: str, above: str) -> str:
    """Two cells of braille in one."""
    if "⠀" <= below <= "⣿" and "⠀" <= above <= "⣿":
        return chr(ord(below) | ord(above))
    return above


_ENDS = ("most", "least")
"""What stands at the axis where each curve has its own scale."""


def margin(drawn: Canvas) -> int:
    """How wide the figures on the left are."""
    if drawn.scaled:
        return max(map(len, _ENDS))
    return max(len(drawn.label(value)) for value in (drawn.low, (drawn.low + drawn.high) / 2, drawn.high))


def rows(drawn: Canvas, mark: int | None, glyphs: Glyphs) -> list[Row]:
    """The canvas with its axes, and a mark at point x: what lies before it is bright, what comes is quiet."""
    height, cells = len(drawn.lines), len(drawn.lines[0])
    size = margin(drawn)
    here = None if mark is None else round((mark - drawn.first) * (cells - 1) / (drawn.last - drawn.first))
    labels = {0: drawn.high, height - 1: drawn.low}
    if height >= 5:
        labels[(height - 1) // 2] = drawn.high + (drawn.low - drawn.high) * ((height - 1) // 2) / (height - 1)
    out: list[Row] = []
    for y in range(height):
        label = drawn.label(labels[y]) if y in labels else ""
        if drawn.scaled:
            label = {0: _ENDS[0], height - 1: _ENDS[1]}.get(y, "")
        edge = glyphs.join_left if y in labels else glyphs.down
        out.append(((align_right(label, size) + " ", "quiet"), (edge, "frame"), *_curve(drawn, y, here, glyphs)))
    axis = glyphs.bottom_left + glyphs.across * cells
    out.append(((" " * (size + 1), "quiet"), (axis, "frame")))
    out.append(((" " * (size + 2), "quiet"), *_feet(drawn, mark, here, cells)))
    return out


def _curve(drawn: Canvas, y: int, here: int | None, glyphs: Glyphs) -> list[Piece]:
    pieces: list[Piece] = []
    for x, (char, role) in enumerate(zip(drawn.lines[y], drawn.roles[y], strict=True)):
        if x == here:
            piece = (glyphs.down if char in " ⠀" else char, "now")
        else:
            piece = (char, role if here is not None and x < here else f"{role} quiet")
        if pieces and pieces[-1][1] == piece[1]:
            pieces[-1] = (pieces[-1][0] + piece[0], piece[1])
        else:
            pieces.append(piece)
    return pieces


def _feet(drawn: Canvas, mark: int | None, here: int | None, cells: int) -> list[Piece]:
    """The figures under the axis: first, last, and the one at the mark where it has room."""
    first, last = str(drawn.first), str(drawn.last)
    middle = cells - len(first) - len(last)
    if mark is None or here is None:
        return [(first + " " * middle + last, "quiet")]
    text = str(mark)
    # The ends stay: beside them a mark alone would be taken for one.
    least = len(first) + 1 if mark > drawn.first else 0
    most = cells - len(text) - (len(last) + 1 if mark < drawn.last else 0)
    at = max(least, min(here - len(text) // 2, most))
    left = first if at > len(first) else ""
    tail = last if at + len(text) < cells - len(last) else ""
    before = pad(left, at)
    return [(before, "quiet"), (text, "now"), (align_right(tail, cells - at - len(text)), "quiet")]


_CURVES = {"plot", "scatter", "bar", "hist", "simple_bar"}
_OTHERS = {
    "title", "xlabel", "ylabel", "xlim", "ylim", "xscale", "yscale", "grid", "xticks", "yticks", "horizontal_line",
    "vertical_line", "hline", "vline", "text", "xreverse", "yreverse", "xfrequency", "yfrequency", "frame",
}  # fmt: skip
_ROLES = ("value", "grad", "leaf", "now", "error", "keyword")
_CODES = {11 + place: role for place, role in enumerate(_ROLES)}
"""By plotext's number of a colour: what it means here."""
_NAMED = {
    "blue": "value", "cyan": "value", "orange": "grad", "yellow": "now", "green": "leaf", "red": "error",
    "magenta": "keyword", "gray": "quiet", "white": "plain", "black": "plain",
}  # fmt: skip
_MARKERS = "*+xo#%@"


def figure_rows(figure: Figure, cells: int, height: int, ascii_only: bool, colours: bool) -> tuple[list[Row], str]:
    """The figure in so many cells and rows, and what could not be drawn, in a few words."""
    from textual_plotext.plot import Plot  # late: it costs more than all of the screen

    plot = Plot()
    plot.theme("clear")
    plot.plotsize(cells, height)
    left_out: list[str] = []
    unreal = curves = 0
    chosen = dict(_CODES)
    for call in figure.calls:
        name, args, kwargs = _call(call)
        if name not in _CURVES | _OTHERS:
            if name:
                left_out.append(name)
            continue
        unreal += sum(map(_unreal, args))
        args = [_finite(argument) for argument in args]
        if name in _CURVES:
            code = 11 + curves % len(_ROLES)
            wanted = kwargs.pop("color", None)
            if isinstance(wanted, str) and wanted in _NAMED:
                code = 31 + curves
                chosen[code] = _NAMED[wanted]
            kwargs["color"] = code
            plain = ascii_only or not colours
            if name in ("plot", "scatter"):
                drawn = "braille" if name == "plot" else "•"  # a single dot of braille is easily overlooked
                kwargs["marker"] = _MARKERS[curves % len(_MARKERS)] if plain else drawn
            elif plain:
                kwargs["marker"] = "#"
            curves += 1
        try:
            getattr(plot, name)(*args, **kwargs)
        except Exception:  # arguments that only the script's own plotext would take, or a stranger's
            left_out.append(name)
    try:
        text = plot.build()
    except Exception as error:  # plotext, on what it was given
        return [((_("this figure cannot be drawn: {error}", error=type(error).__name__), "note"),)], ""
    said = [_("{count} nan or inf", count=unreal)] if unreal else []
    said += [", ".join(dict.fromkeys(left_out))] if left_out else []
    return _pieces(text, chosen, ascii_only), _("not drawn: {what}", what="; ".join(said)) if said else ""


def _call(call: Any) -> tuple[str, list[Any], dict[str, Any]]:
    if not isinstance(call, list) or len(call) != 3:
        return "", [], {}
    name, args, kwargs = call
    if not isinstance(name, str) or not isinstance(args, list) or not isinstance(kwargs, dict):
        return "", [], {}
    return name, args, {str(key): value for key, value in kwargs.items() if key not in ("marker", "fillx", "style")}


def _unreal(argument: Any) -> int:
    if isinstance(argument, list):
        return sum(map(_unreal, argument))
    return isinstance(argument, float) and not math.isfinite(argument)


def _finite(argument: Any) -> Any:
    """plotext takes nan for a gap, and does not survive an infinite number."""
    if isinstance(argument, list):
        return [_finite(one) for one in argument]
    return math.nan if isinstance(argument, float) and not math.isfinite(argument) else argument


def _pieces(ansi: str, chosen: dict[int, str], ascii_only: bool) -> list[Row]:
    from rich.text import Text

    found: list[Row] = []
    for line in Text.from_ansi(ansi).split("\n", allow_blank=False):
        row: list[Piece] = []
        at = 0
        for span in line.spans:
            colour = getattr(span.style, "color", None)
            if colour is None or colour.number not in chosen:
                continue
            row += [(line.plain[at : span.start], "quiet"), (line.plain[span.start : span.end], chosen[colour.number])]
            at = span.end
        row.append((line.plain[at:], "quiet"))
        found.append(tuple((_ascii(text) if ascii_only else text, role) for text, role in row if text))
    return found


def _ascii(text: str) -> str:
    return text.translate({**dict.fromkeys(map(ord, "┌┐└┘├┤┬┴┼"), "+"), ord("─"): "-", ord("│"): "|", ord("━"): "-"})
