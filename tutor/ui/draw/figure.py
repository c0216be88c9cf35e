"""Figures of the learner's own: recorded plotext calls, drawn again at the size of a pane.

A recording may come from a stranger: only calls that draw are made again, with numbers, texts and lists of them.
"""

from __future__ import annotations

import math
from typing import Any

from tutor.i18n import _
from tutor.trace.events import Figure
from tutor.ui.draw.row import Piece, Row

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
