"""Prose of a lesson as rows of a given width."""

from __future__ import annotations

from collections.abc import Callable

from tutor.lesson.markdown import BULLET, QUOTE, Block, Span
from tutor.text_width import cut, width, wrapped
from tutor.ui.render.segments import EMPTY, Glyphs, Piece, Row, clean

_SHORT, _TIED = 20, "\N{NO-BREAK SPACE}"
"""Code of so many cells is not broken at its spaces."""


def rows(
    parts: list[Block], cells: int, glyphs: Glyphs, role: Callable[[str], str], live: Callable[[str], str | None]
) -> list[Row]:
    """The rows of some blocks. `role` says what a piece of `code` means, `live` gives the value of an expression."""
    out: list[Row] = []
    for place, block in enumerate(parts):
        lead, margin = (
            text.replace(BULLET, glyphs.bullet).replace(QUOTE, glyphs.down) for text in (block.lead, block.margin)
        )
        width = max(cells - len(lead), 1)
        match block.kind:
            case "gap":
                # Items of one list stay together.
                near = parts[place - 1 : place + 2]
                between = len(near) == 3 and near[0].kind == near[2].kind == "item"
                inner: list[Row] = [] if between else [EMPTY]
            case "code":
                inner = [(("  ", "plain"), (cut(clean(line), width - 2), "code")) for line in block.text.split("\n")]
            case "rule":
                inner = [((glyphs.rule * width, "faint"),)]
            case _:
                base = "heading" if block.kind == "heading" else "plain"
                inner = broken(pieces(block.spans, glyphs, role, live, base), width) or [EMPTY] * bool(lead)
        out += [((margin if at else lead, "quiet"), *row) if lead else row for at, row in enumerate(inner)]
    return out


def broken(parts: list[Piece], cells: int) -> list[Row]:
    """The rows of running text, in which short code stays together."""
    return [tuple((text.replace(_TIED, " "), role) for text, role in row) for row in wrapped(parts, cells)]


def pieces(
    spans: tuple[Span, ...], glyphs: Glyphs, role: Callable[[str], str], live: Callable[[str], str | None],
    base: str = "plain",
) -> list[Piece]:  # fmt: skip
    """The pieces of running text. `base` is the role of plain words in it."""
    out: list[Piece] = []
    for span in spans:
        match span.kind:
            case "text":
                out.append((clean(span.text), base))
            case "break":
                out.append(("\n", base))
            case "live":
                value = live(span.text)
                if value is None:
                    out.append((glyphs.more, f"{base} quiet"))
                else:
                    out.append((clean(value), f"{base} strong {role(span.text)}"))
            case "code":
                inner = span.text.strip() or span.text
                code = clean(inner)
                tied = code.replace(" ", _TIED) if width(code) <= _SHORT else code
                out.append((tied, f"{base} strong {role(inner)}"))
            case "strong":
                out += pieces(span.inner, glyphs, role, live, f"{base} strong")
            case "emphasis":
                out += pieces(span.inner, glyphs, role, live, f"{base} note")
            case "link":
                out += pieces(span.inner, glyphs, role, live, base)
                if span.inner != (Span("text", span.text),):
                    out.append((f" ({clean(span.text)})", f"{base} quiet"))
    return [piece for piece in out if piece[0]]
