"""Parsing the Markdown of lessons into a flat list of blocks, each with its inline spans.

CommonMark by markdown-it-py, and tables, with what prose about code needs:

- `{{ expression }}` is a live value; in code it is two braces.
- `_` is only a character of names, and a `*` inside a word of Latin letters or digits opens nothing: `__init__`,
  `a*b*c` and `x**2` stay as they are.
- Wide characters need no spaces beside `**`: CommonMark would not close the bold text in `**“粗”**字`.
- HTML, images and reference definitions are text: a lesson may contain `[1]: the gradient`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

from tutor.lesson.model import NO_SPACE, join_lines

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

Kind = Literal["text", "item", "heading", "row", "code", "rule", "gap"]
BULLET, QUOTE = "•", ">"
"""The marks in a block's `lead` and `margin`."""

_LIVE = re.compile(r"\{\{(.+?)\}\}", re.DOTALL)


@dataclass(frozen=True)
class Span:
    """A part of running text: plain text, code, a live value, a line break, or a part with inner spans."""

    kind: Literal["text", "code", "live", "break", "strong", "emphasis", "link"]
    text: str = ""
    """The text, code or expression; of a link, its target."""
    inner: tuple[Span, ...] = ()
    """The strong, emphasized or linked text."""
    start: int = 0
    """Of a live value: offsets in the Markdown at which its braces begin, and end."""
    end: int = 0


@dataclass(frozen=True)
class Block:
    """A paragraph, the first one of a list's item, a heading, a table's row, code, a rule, or a gap between two."""

    kind: Kind
    text: str = ""
    """The Markdown of running text in one line, or the lines of code."""
    spans: tuple[Span, ...] = ()
    lead: str = ""
    """Prefix of the first row: indentation, and the marks of lists and quotations."""
    margin: str = ""
    """Prefix of the other rows."""
    start: int = 0
    """Offsets in the Markdown at which it begins, and ends: whole lines, without the last line end."""
    end: int = 0
    item: int | None = None
    """Index of the list item that it is in, from 0 over the text, not counting nested lists; None outside of lists."""


def blocks(text: str) -> list[Block]:
    """Parse a text.

    Returns:
        The blocks in their order; a `gap` where empty lines stand between two of them.
    """
    return list(_with_gaps(_Reader(text).read(), text))


def spans(text: str) -> tuple[Span, ...]:
    """Parse running text, such as an option of a question."""
    reader = _Reader(text)
    (token,) = _parser().parseInline(text)
    return reader.spans(token, 0)


def prepare() -> None:
    """Import the parser in advance: it takes a moment."""
    _parser()


def live_values(text: str) -> list[Span]:
    """Return the live values in a text, each an expression with its offsets."""
    if "{{" not in text:
        return []
    return [span for block in blocks(text) for span in _walk(block.spans) if span.kind == "live"]


def words(text: str) -> str:
    """Return the plain text of a text, without code and live values, a line per block."""
    return "\n".join("".join(s.text for s in _walk(block.spans) if s.kind == "text") for block in blocks(text))


def items(text: str) -> list[str]:
    """Return the items of the lists in a text, each as running text in one line."""
    texts: dict[int, list[str]] = {}
    for block in blocks(text):
        if block.item is not None and block.kind != "gap":
            code = "`" + " ".join(block.text.split()) + "`" if block.kind == "code" else block.text
            texts.setdefault(block.item, []).append(code)
    return [join_lines(part for part in parts if part) for parts in texts.values()]


def _walk(parts: tuple[Span, ...]) -> Iterator[Span]:
    for span in parts:
        yield span
        yield from _walk(span.inner)


@cache
def _parser() -> MarkdownIt:
    # Takes 15 ms, and `gradtutor list` reads no text.
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark").enable("table")
    # Without `normalize` a carriage return is not a line end, as in the rest of gradtutor.
    parser.disable(["normalize", "html_block", "html_inline", "image", "reference"])
    parser.inline.ruler.at("emphasis", _stars)
    parser.inline.ruler.before("emphasis", "live", _live)
    parser.normalizeLink = lambda url: url  # type: ignore[method-assign]  # an address is shown as it was written
    return parser


def _live(state: StateInline, silent: bool) -> bool:
    """Inline rule for `{{ expression }}`."""
    match = _LIVE.match(state.src, state.pos, state.posMax)
    if match is None:
        return False
    if not silent:
        token = state.push("live", "", 0)
        token.content = match[1].strip()
        token.meta = {"at": state.pos}
    state.pos = match.end()
    return True


def _stars(state: StateInline, silent: bool) -> bool:
    """Inline rule for `*` and `**`; the parser pairs openers and closers."""
    from markdown_it.rules_inline.state_inline import Delimiter

    start = state.pos
    if silent or state.src[start] != "*":
        return False
    end = start
    while end < state.posMax and state.src[end] == "*":
        end += 1
    before = state.src[start - 1] if start else " "
    after = state.src[end] if end < state.posMax else " "
    opens = _flanks(before, after) and not (_is_latin(before) and _is_latin(after))
    for _ in range(start, end):
        state.push("text", "", 0).content = "*"
        state.delimiters.append(
            Delimiter(marker=ord("*"), length=end - start, token=len(state.tokens) - 1, end=-1, open=opens,
                      close=_flanks(after, before))
        )  # fmt: skip
    state.pos = end
    return True


def _flanks(outside: str, inside: str) -> bool:
    """Return whether stars between these characters can open or close emphasis on the inner side.

    As in CommonMark 0.31, section 6.2, except that wide punctuation and the marks of code and live values count as
    letters inside, and that wide characters end a word outside.
    """
    if inside.isspace():
        return False
    letter = inside in "`{}" or _is_wide(inside) or not _is_punctuation(inside)
    return letter or outside.isspace() or _is_wide(outside) or _is_punctuation(outside)


def _is_punctuation(char: str) -> bool:
    return unicodedata.category(char)[0] in "PS"


def _is_wide(char: str) -> bool:
    return unicodedata.east_asian_width(char) in "WF"


def _is_latin(char: str) -> bool:
    return char.isascii() and char.isalnum()


def _with_gaps(parts: Iterable[Block], text: str) -> Iterator[Block]:
    last: Block | None = None
    for block in parts:
        if last is not None and text.count("\n", last.end, block.start) > 1:
            item = block.item if block.item == last.item else None
            yield Block("gap", start=last.end, end=block.start, item=item)
        yield block
        last = block


class _Reader:
    """Reads the blocks of a text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._rows = text.split("\n")
        self._offsets = [0]
        """Offset of each row."""
        for row in self._rows:
            self._offsets.append(self._offsets[-1] + len(row) + 1)
        self._margins: list[str] = []
        """Prefixes of a row from the lists and quotations around it."""
        self._marks: str | None = None
        """Prefix of the next block, if an item begins there."""
        self._item: int | None = None

    def read(self) -> Iterator[Block]:
        """Yield the blocks, without the gaps between them."""
        numbers: list[int] = []
        """Number of the next item, for each list around."""
        count = 0
        opening: Token | None = None
        in_table = False
        for token in _parser().parse(self._text):
            match token.type:
                case "bullet_list_open" | "ordered_list_open":
                    numbers.append(int(token.attrs.get("start", 1)))
                case "bullet_list_close" | "ordered_list_close":
                    numbers.pop()
                case "list_item_open":
                    mark = f"{numbers[-1]}{token.markup} " if token.markup in (".", ")") else f"{BULLET} "
                    numbers[-1] += 1
                    if not self._margins:
                        self._item, count = count, count + 1
                    self._marks = self._before() + mark
                    self._margins.append(" " * len(mark))
                    opening = token
                case "list_item_close":
                    if self._marks is not None and opening is not None:
                        yield self._block("item", opening)
                    self._margins.pop()
                    self._item = self._item if self._margins else None
                case "blockquote_open":
                    self._marks = None if self._marks is None else f"{self._marks}{QUOTE} "
                    self._margins.append(f"{QUOTE} ")
                case "blockquote_close":
                    self._margins.pop()
                case "paragraph_open" | "heading_open" | "table_open":
                    opening = token
                    in_table = token.type == "table_open"
                    for row in range(*token.map or ()) if in_table else ():
                        yield self._table_row(token, row)
                case "table_close":
                    in_table = False
                case "inline" if opening is not None and not in_table:
                    kind: Kind = "text" if self._marks is None else "item"
                    yield self._block("heading" if opening.type == "heading_open" else kind, opening, token)
                case "fence" | "code_block":
                    yield self._block("code", token)
                case "hr":
                    yield self._block("rule", token)

    def _before(self) -> str:
        return "".join(self._margins) if self._marks is None else self._marks

    def _block(self, kind: Kind, token: Token, inline: Token | None = None) -> Block:
        first, last = token.map or (0, 0)
        text = token.content.removesuffix("\n").expandtabs(4)
        if inline is not None:
            text = join_lines(line.strip() for line in inline.content.replace("\\\n", "\n").split("\n")).expandtabs(4)
        lead, self._marks = self._before(), None
        return Block(
            kind, text, () if inline is None else self.spans(inline, first), lead, "".join(self._margins),
            self._offsets[first], self._offsets[last] - 1, self._item,
        )  # fmt: skip

    def _table_row(self, table: Token, row: int) -> Block:
        """Return a row of a table as it is in the Markdown."""
        (inline,) = _parser().parseInline(self._rows[row].strip())
        table = table.copy(map=[row, row + 1])
        return self._block("row", table, inline)

    def spans(self, inline: Token, first: int) -> tuple[Span, ...]:
        """Return the spans of running text that begins in row `first` of the Markdown."""
        tokens = inline.children or []
        flat = "".join(_FLAT.get(token.type, "") or token.content for token in tokens)
        # Between wide characters, and beside their punctuation, a line end is not a space.
        dropped = {match.end() - 1 for match in NO_SPACE.finditer(flat)}
        at = 0
        parts: list[list[Span]] = [[]]
        targets: list[str] = []
        for token in tokens:
            characters = _FLAT.get(token.type, "") or token.content
            match token.type:
                case "text" | "softbreak":
                    text = "".join(char for place, char in enumerate(characters, at) if place not in dropped)
                    if parts[-1] and parts[-1][-1].kind == "text":
                        text = parts[-1].pop().text + text
                    parts[-1].append(Span("text", text.expandtabs(4)))
                case "hardbreak":
                    parts[-1].append(Span("break"))
                case "code_inline":
                    parts[-1].append(Span("code", token.content))
                case "live":
                    parts[-1].append(self._live(token, inline.content, first))
                case "strong_open" | "em_open" | "link_open":
                    parts.append([])
                    targets.append(str(token.attrs.get("href", "")))
                case "strong_close" | "em_close" | "link_close":
                    inner = tuple(parts.pop())
                    parts[-1].append(Span(_KINDS[token.type], targets.pop(), inner))
            at += len(characters)
        return tuple(parts[0])

    def _live(self, token: Token, content: str, first: int) -> Span:
        """Return a live value with its offsets in the Markdown, where the rows of the content are indented."""
        before = content[: token.meta["at"]].split("\n")
        row = first + len(before) - 1
        indentation = self._rows[row].rfind(content.split("\n")[len(before) - 1])
        start = self._text.find("{{", self._offsets[row] + max(indentation, 0) + len(before[-1]))
        return Span("live", token.content, start=start, end=self._text.find("}}", start + 3) + 2)


_FLAT = {"softbreak": " ", "hardbreak": "\n", "code_inline": "\0", "live": "\0"}
"""Stand-ins for tokens when spaces are examined."""
_KINDS: dict[str, Literal["strong", "emphasis", "link"]] = {
    "strong_close": "strong", "em_close": "emphasis", "link_close": "link",
}  # fmt: skip
