"""The same moment in another run of the same program: after a what-if one sees both side by side."""

from __future__ import annotations

from tutor.trace.columns import KIND_NUMBERS
from tutor.trace.state import SiteInfo
from tutor.trace.timeline import Timeline

_LINE = KIND_NUMBERS["line"]


def counterpart(timeline: Timeline, step: int, other: Timeline) -> int | None:
    """The step of the other run at which it has done just as much: the same execution of the same statement, and as
    far into it as it goes. None where that statement is not in the other run, or did not run so often there."""
    columns = timeline.columns
    line = columns.kinds.rfind(_LINE, 0, step) + 1
    if line == 0:
        return min(step, other.steps)
    cell = timeline.cell(step)
    begun = next((info.start for info in timeline.cells if info.cell == cell), 0)
    if begun > line:  # between two cells
        here = next((info for info in other.cells if info.cell == cell), None)
        return None if here is None else min(here.start + step - begun, other.steps)
    ended = next((info.end for info in timeline.cells if info.cell == cell and info.end == step), None)
    if ended is not None:
        return next((info.end for info in other.cells if info.cell == cell), None)
    site = columns.sites[line - 1]
    same = _same_site(timeline, site, other)
    if same is None:
        return None
    found = _execution(other, same, columns.sites[:line].count(site))
    if found is None:
        return None
    following = other.columns.kinds.find(_LINE, found)
    last = other.steps if following < 0 else following
    return min(found + step - line, last)


def _execution(timeline: Timeline, site: int, count: int) -> int | None:
    """The step at which a statement began to run for the `count`-th time."""
    sites, at = timeline.columns.sites, -1
    for _time in range(count):
        try:
            at = sites.index(site, at + 1)
        except ValueError:
            return None
    return at + 1


def _same_site(timeline: Timeline, site: int, other: Timeline) -> int | None:
    """The statement of the other run that this one is: the same text in the same cell, as far from its beginning; where
    the cell was edited, the nearest one with this text, or the one that stands in this place."""
    info = timeline.sites.get(site)
    if info is None:
        return None
    cell, line = _place(timeline, info.file, info.span[0])
    text = _header(timeline, info)
    found: list[tuple[bool, int, int]] = []
    for each in other.sites.values():
        if each.op is not None or each.file != info.file:
            continue
        there, row = _place(other, each.file, each.span[0])
        same_text = _header(other, each) == text
        if there == cell and (same_text or (row == line and each.span[1] == info.span[1])):
            found.append((not same_text, abs(row - line), each.site))
    return min(found)[2] if found else None


def _header(timeline: Timeline, info: SiteInfo) -> str | None:
    """The text of a statement, without the block below it."""
    return timeline.book.code(info.file, timeline.book.header(info.file, info.span))


def _place(timeline: Timeline, file: int, line: int) -> tuple[int | None, int]:
    """The cell that a line of a file stands in, and its place there."""
    document = timeline.document
    if document is not None and file == 1:
        for cell in document.cells:
            first = cell.get("first_line", 0)
            if cell.get("number") is not None and first <= line < first + cell.get("lines", 0):
                return cell["number"], line - first
    return None, line
