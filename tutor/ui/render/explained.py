"""The rows of an explanation: what ran with its rule, then its numbers, as grids side by side where they fit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tutor.explain import Explained, formatting, joined
from tutor.explain.node import Phrase
from tutor.explain.products import Product
from tutor.i18n import pgettext
from tutor.text_width import width as cells_of
from tutor.text_width import wrapped
from tutor.ui.render.matrix import number_rows
from tutor.ui.render.segments import (
    EMPTY,
    Glyphs,
    Piece,
    Row,
    clean,
    fit,
    middle_cut,
    row_width,
    shortened,
    shortened_rule,
)

_BETWEEN: Piece = (" · ", "quiet")
_GAP = 3
"""Cells between a product and the element beside it."""
_NAME = 14
"""Cells of a name before a grid where there is little room."""
_SUM = re.compile(r"(?P<left>.*?\] = )?(?P<sum>.*)(?P<result> [=≈] \S+)")
"""An element that is worked out: `grad(W)[0, 0] = 1·2.5 + 0·0 = 2.5`."""


def explained_rows(explained: Explained, width: int, height: int, glyphs: Glyphs) -> list[Row]:
    """Return what just ran, in at most `height` rows of `width` cells: the rule, and from the next row on the numbers.

    Where there is little room, the reason gives way first, then the equation, then what is last.
    """
    rule, notes = _cleaned(explained.rule), _cleaned(explained.notes)
    element = _cleaned(explained.element(10_000)) if explained.element is not None else []
    numbers = [*notes, *_cleaned(explained.numbers[:1]), *element[:1], *_cleaned(explained.numbers[1:])]
    if not explained.numbers:
        return running_rows(joined([*rule, *element[:1], *notes]), width, height)
    if height < 2:
        pieces = joined([*rule, *numbers])
        return running_rows(shortened_rule(pieces, width), width, height)
    body = None
    if explained.product is not None and not notes:
        body = _grid_rows(explained.product, element, width, height - 1, glyphs)
    if body is None:
        needed = len(_flowed(numbers, width))
        head = _fitted(rule, width, max(height - needed, 1), _ranks_of_rule(rule))
        ranks = [0 if phrase in element or (not place and not element) else 1 for place, phrase in enumerate(numbers)]
        return [*head, *_fitted(numbers, width, height - len(head), ranks)]
    return [*_fitted(rule, width, height - len(body), _ranks_of_rule(rule)), *body]


def marked_rows(explained: Explained, width: int, glyphs: Glyphs) -> list[Row]:
    """Return all of an explanation, with its marks: `▷` what ran, `▶` what runs next."""
    ran = explained_rows(explained, width - _MARK, _ENOUGH, glyphs)
    rows: list[Row] = [(("   " if index else f"{glyphs.caller}  ", "now"), *row) for index, row in enumerate(ran)]
    if not explained.next:
        return rows
    label = (f"{pgettext('what runs then', 'next')}  ", "quiet")
    following = wrapped([label, *_cleaned([explained.next])[0]], width - _MARK)
    return rows + [(("   " if index else f"{glyphs.now}  ", "now"), *row) for index, row in enumerate(following)]


_MARK = 3
_ENOUGH = 40
"""Rows that no explanation needs."""


def running_rows(pieces: list[Piece], width: int, height: int) -> list[Row]:
    """Return phrases that are separated by `·` as running text in at most `height` rows, shortened to fit."""
    cells = width * height
    fitting = shortened(pieces, cells)
    rows = wrapped(fitting, width)
    while len(rows) > height and cells > width:  # rows break at words
        cells -= 4
        fitting = shortened(pieces, cells)
        rows = wrapped(fitting, width)
    if len(rows) <= height:
        return rows
    last = [piece for row in rows[height - 1 :] for piece in (*row, (" ", "plain"))]
    return [*rows[: height - 1], fit(tuple(last), width)]


def _cleaned(phrases: Iterable[Phrase]) -> list[Phrase]:
    return [[(clean(text), role) for text, role in phrase] for phrase in phrases]


# ------------------------------------------------------------ phrases


def _flowed(phrases: Sequence[Phrase], width: int) -> list[Row]:
    """Return rows of phrases, which break between phrases where they can."""
    rows: list[Row] = []
    for phrase in phrases:
        together = (*rows[-1], _BETWEEN, *phrase) if rows else tuple(phrase)
        if rows and row_width(together) <= width:
            rows[-1] = together
        elif row_width(phrase) <= width:
            rows.append(tuple(phrase))
        else:
            rows += _wrapped_sum(phrase, width)
    return rows


def _fitted(phrases: Sequence[Phrase], width: int, height: int, ranks: Sequence[int]) -> list[Row]:
    """Return phrases in at most `height` rows: sums with fewer terms, without the phrases that are least important,
    and cut where even that does not help.

    Args:
        phrases: The phrases.
        width: Cells of a row.
        height: Most rows.
        ranks: Of each phrase, how early it gives way; 0 stays.
    """
    cells = width if height == 1 else (width - _LEAST) * height
    kept = [
        (rank, place, _with_fewer_terms(phrase, cells))
        for place, (rank, phrase) in enumerate(zip(ranks, phrases, strict=True))
    ]
    while len(rows := _flowed([phrase for *_, phrase in kept], width)) > height and max(kept)[0]:
        kept.remove(max(kept))
    return rows if len(rows) <= height else running_rows(joined([phrase for *_, phrase in kept]), width, height)


def _ranks_of_rule(rule: Sequence[Phrase]) -> list[int]:
    """Return how early each phrase of a rule gives way: the reason first, then the equation, then all but the first
    formula."""
    has_equation = len(rule) > 2 and [role for _text, role in rule[1]] == ["value"]
    formula = 2 if has_equation else 1
    return [
        0 if place in (0, formula) else 2 if place == 1 else 3 if all(role == "quiet" for _text, role in phrase) else 1
        for place, phrase in enumerate(rule)
    ]


def _with_fewer_terms(phrase: Phrase, cells: int) -> Phrase:
    """Return a phrase in at most `cells` cells, if it is a sum of which terms can be left out; it says how many."""
    (text, role), *others = phrase
    match = _SUM.fullmatch(text)
    if others or match is None or cells_of(text) <= cells:
        return phrase
    left, terms, result = match["left"] or "", match["sum"].split(" + "), match["result"]
    right = formatting.sum_text(terms, cells - cells_of(left) - cells_of(result)) + result
    return [(f"{middle_cut(left, max(cells - cells_of(right), _NAME))}{right}", role)]


# ------------------------------------------------------------ grids


def _grid_rows(
    product: Product, element: Sequence[Phrase], width: int, height: int, glyphs: Glyphs
) -> list[Row] | None:
    """Return a product as grids side by side, and beside them the element that is worked out; None where they do not
    fit."""

    def fit_names(longest: int) -> tuple[list[Row], list[Row]] | None:
        rows = _side_by_side(product, longest, glyphs)
        if rows is None or len(rows) > height:
            return None
        room = width - row_width(rows[0]) - _GAP
        beside = _beside(element, room, height)
        return None if room < 0 or beside is None else (rows, beside)

    fitted = fit_names(width)
    shortest, too_long = _NAME, max(cells_of(matrix.name) for matrix in (*product.factors, product.result))
    if fitted is None and (fitted := fit_names(shortest)) is not None:
        while too_long - shortest > 1:
            middle = (shortest + too_long) // 2
            longer = fit_names(middle)
            shortest, too_long = (shortest, middle) if longer is None else (middle, too_long)
            fitted = longer or fitted
    if fitted is None:
        return None
    rows, beside = fitted
    rows += [((" " * row_width(rows[0]), "quiet"),)] * (len(beside) - len(rows))
    beside += [EMPTY] * (len(rows) - len(beside))
    return [
        _merged((*row, (" " * _GAP, "quiet"), *more)) if more else _merged(row)
        for row, more in zip(rows, beside, strict=True)
    ]


def _beside(element: Sequence[Phrase], width: int, height: int) -> list[Row] | None:
    """Return how an element is worked out, in the room beside the grids; None where there is too little."""
    if not element:
        return []
    for phrases in (element[::-1], element[:1]):  # where its factors are first, unless there is no room
        rows = [row for phrase in phrases for row in _wrapped_sum(phrase, width)]
        if len(rows) <= height and all(row_width(row) <= width for row in rows) and width >= _LEAST:
            return rows
    worked = _with_fewer_terms(list(element[0]), width * height - _LEAST)
    rows = _wrapped_sum(worked, width)
    return rows if len(rows) <= height and width >= _LEAST else None


def _wrapped_sum(phrase: Phrase, width: int) -> list[Row]:
    """Wrap a sum before its signs."""
    pieces = [(re.sub(r" ([+=≈]) ", " \\1\u00a0", text), role) for text, role in phrase]
    return wrapped(pieces, max(width, 1))


_LEAST = 24
"""Cells that an element needs beside the grids."""


def _side_by_side(product: Product, longest: int, glyphs: Glyphs) -> list[Row] | None:
    """Return the factors and the result as grids, with names of at most `longest` cells before them."""
    blocks: list[list[Row]] = []
    signs = ["", "*" if glyphs.ascii and product.sign == "·" else product.sign, "="]
    matrices = [*product.factors, product.result]
    for sign, matrix in zip(signs, matrices, strict=True):
        chosen = product.chosen if matrix is product.result else None
        shape = matrix.grid.shape
        rows = number_rows(list(matrix.grid.flat), product.dtype, shape, matrix.role, glyphs, chosen)
        if rows is None:
            return None
        name = middle_cut(clean(matrix.name), longest)
        blocks.append([((f" {sign} " if sign else "", "quiet"), (f"{name} " if name else "", matrix.role))])
        blocks.append([_plain(row, matrix.role) for row in rows])
    height = max(map(len, blocks))
    middle = (height - 1) // 2
    lines: list[list[Piece]] = [[] for _ in range(height)]
    for block in blocks:
        start = middle - (len(block) - 1) // 2
        blank: Row = ((" " * row_width(block[0]), "quiet"),)
        for y, line in enumerate(lines):
            line += block[y - start] if 0 <= y - start < len(block) else blank
    return [tuple(line) for line in lines]


def _plain(row: Row, role: str) -> Row:
    """Return a row of a grid with the brackets in the role of the numbers: each other role is sent to the terminal."""
    return tuple((text, roles if "chosen" in roles else role) for text, roles in row)


def _merged(row: Iterable[Piece]) -> Row:
    """Join pieces of one role, and blanks to what is before them."""
    pieces: list[Piece] = []
    for text, role in row:
        if pieces and (role == pieces[-1][1] or (not text.strip() and "chosen" not in pieces[-1][1])):
            pieces[-1] = (pieces[-1][0] + text, pieces[-1][1])
        elif text:
            pieces.append((text, role))
    return tuple(pieces)
