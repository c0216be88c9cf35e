"""The prose of a lesson as rows of text."""

from __future__ import annotations

from collections.abc import Callable

from tutor.lesson.markdown import BULLET, QUOTE, Block, Span
from tutor.text_width import cut, width, wrapped
from tutor.ui.render.segments import EMPTY, Glyphs, Piece, Row, clean

_SHORT, _TIED = 20, "\N{NO-BREAK SPACE}"
"""Code of at most `_SHORT` cells is kept on one line, by `_TIED` in place of its spaces."""


def rows(
    blocks: list[Block], cells: int, glyphs: Glyphs, role: Callable[[str], str], live: Callable[[str], str | None]
) -> list[Row]:
    """Return the rows of Markdown blocks.

    Args:
        blocks: The blocks.
        cells: The width.
        glyphs: The characters of this terminal.
        role: Returns the role of a piece of code.
        live: Returns the value of an expression as text; None where it has none yet.
    """
    out: list[Row] = []
    for index, block in enumerate(blocks):
        lead, margin = (
            text.replace(BULLET, glyphs.bullet).replace(QUOTE, glyphs.down) for text in (block.lead, block.margin)
        )
        width = max(cells - len(lead), 1)
        match block.kind:
            case "gap":
                # No gap between the items of a list.
                neighbours = blocks[index - 1 : index + 2]
                is_in_list = len(neighbours) == 3 and neighbours[0].kind == neighbours[2].kind == "item"
                content: list[Row] = [] if is_in_list else [EMPTY]
            case "code":
                content = [(("  ", "plain"), (cut(clean(line), width - 2), "code")) for line in block.text.split("\n")]
            case "rule":
                content = [((glyphs.rule * width, "faint"),)]
            case _:
                base = "heading" if block.kind == "heading" else "plain"
                content = wrap_prose(pieces(block.spans, glyphs, role, live, base), width) or [EMPTY] * bool(lead)
        out += [
            ((margin if line_index else lead, "quiet"), *row) if lead else row for line_index, row in enumerate(content)
        ]
    return out


def wrap_prose(parts: list[Piece], cells: int) -> list[Row]:
    """Wrap running text, keeping short code on one line."""
    return [tuple((text.replace(_TIED, " "), role) for text, role in row) for row in wrapped(parts, cells)]


def pieces(
    spans: tuple[Span, ...], glyphs: Glyphs, role: Callable[[str], str], live: Callable[[str], str | None],
    base: str = "plain",
) -> list[Piece]:  # fmt: skip
    """Return the pieces of running text, with `base` as the role of plain words."""
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
