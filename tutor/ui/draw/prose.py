"""Prose of a lesson: the Markdown that lessons use, as rows of a given width."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from tutor.lesson.model import joined
from tutor.text_width import cut, width, wrapped
from tutor.ui.draw.glyphs import Glyphs
from tutor.ui.draw.row import EMPTY, Piece, Row, clean

_INLINE = re.compile(
    r"(?P<live>\{\{(?P<expr>.+?)\}\})|(?P<code>`+)(?P<inner>.+?)(?P=code)|\*\*(?P<strong>.+?)\*\*"
    r"|(?<![A-Za-z0-9_*])\*(?P<soft>[^\s*](?:[^*]*[^\s*])?)\*(?![A-Za-z0-9_*])|\[(?P<text>[^\]]+)\]\((?P<link>[^)\s]+)\)",
    re.DOTALL,
)
_SHORT, _TIED = 20, "\N{NO-BREAK SPACE}"
"""Code of so many cells is not broken at its spaces."""
_ITEM = re.compile(r"(\s*)([-*+]|\d+[.)])\s+(.*)")


@dataclass(frozen=True)
class Block:
    """A paragraph, heading, item, quote or piece of code."""

    kind: str
    text: str
    lead: str = ""
    """What stands before the first row of an item."""


def blocks(text: str) -> list[Block]:
    """The blocks of a text."""
    found: list[Block] = []
    lines: list[str] = []
    fence: list[str] | None = None

    def flush() -> None:
        if lines:
            found.append(Block("text", joined(lines)))
            lines.clear()

    for line in text.expandtabs(4).split("\n"):
        stripped = line.strip()
        if stripped.startswith("```"):
            if fence is None:
                flush()
                fence = []
            else:
                found.append(Block("code", "\n".join(fence)))
                fence = None
        elif fence is not None:
            fence.append(line)
        elif not stripped:
            flush()
            if found and found[-1].kind != "gap":
                found.append(Block("gap", ""))
        elif stripped.startswith("#") and stripped.lstrip("#").startswith(" "):
            flush()
            found.append(Block("heading", stripped.lstrip("#").strip()))
        elif item := _ITEM.fullmatch(line):
            flush()
            mark = item[2] if item[2][0].isdigit() else "•"
            found.append(Block("item", item[3], " " * min(len(item[1]), 4) + mark + " "))
        elif found and found[-1].kind == "item" and not lines and line.startswith("  "):
            last = found.pop()
            found.append(Block("item", joined((last.text, stripped)), last.lead))
        elif stripped.startswith(">"):
            flush()
            found.append(Block("quote", stripped.lstrip("> ")))
        else:
            lines.append(stripped)
    if fence is not None:
        found.append(Block("code", "\n".join(fence)))
    flush()
    while found and found[-1].kind == "gap":
        found.pop()
    return found


def rows(
    parts: list[Block], cells: int, glyphs: Glyphs, role: Callable[[str], str], live: Callable[[str], str | None]
) -> list[Row]:
    """The rows of some blocks. `role` says what a piece of `code` means, `live` gives the value of an expression."""
    out: list[Row] = []
    for place, block in enumerate(parts):
        match block.kind:
            case "gap":
                # Items of one list stay together.
                near = parts[place - 1 : place + 2]
                if not (len(near) == 3 and near[0].kind == near[2].kind == "item"):
                    out.append(EMPTY)
            case "heading":
                out += wrapped([(clean(block.text), "heading")], cells)
            case "code":
                out += [(("  ", "plain"), (cut(clean(line), cells - 2), "code")) for line in block.text.split("\n")]
            case "item" | "quote":
                lead = block.lead.replace("•", glyphs.bullet) if block.kind == "item" else glyphs.down + " "
                inner = broken(inline(block.text, glyphs, role, live), cells - len(lead))
                later = " " * len(lead) if block.kind == "item" else lead
                out += [((later if at else lead, "quiet"), *row) for at, row in enumerate(inner)]
            case _:
                out += broken(inline(block.text, glyphs, role, live), cells)
    return out


def broken(pieces: list[Piece], cells: int) -> list[Row]:
    """The rows of running text, in which short code stays together."""
    return [tuple((text.replace(_TIED, " "), role) for text, role in row) for row in wrapped(pieces, cells)]


def inline(
    text: str, glyphs: Glyphs, role: Callable[[str], str], live: Callable[[str], str | None], base: str = "plain"
) -> list[Piece]:
    """The pieces of running text."""
    pieces: list[Piece] = []
    at = 0
    for match in _INLINE.finditer(text):
        pieces.append((clean(text[at : match.start()]), base))
        at = match.end()
        if match["live"]:
            expression = match["expr"].strip()
            value = live(expression)
            if value is None:
                pieces.append((glyphs.more, f"{base} quiet"))
            else:
                pieces.append((clean(value), f"{base} strong {role(expression)}"))
        elif match["code"]:
            inner = match["inner"].strip() if match["inner"].strip() else match["inner"]
            code = clean(inner)
            tied = code.replace(" ", _TIED) if width(code) <= _SHORT else code
            pieces.append((tied, f"{base} strong {role(inner)}"))
        elif match["strong"]:
            pieces += inline(match["strong"], glyphs, role, live, f"{base} strong")
        elif match["soft"]:
            pieces += inline(match["soft"], glyphs, role, live, f"{base} note")
        else:
            pieces += [
                *inline(match["text"], glyphs, role, live, base),
                (f" ({clean(match['link'])})", f"{base} quiet"),
            ]
    pieces.append((clean(text[at:]), base))
    return [piece for piece in pieces if piece[0]]
