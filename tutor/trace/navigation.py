"""Moving through a recording: stepping as in a debugger, the same step in another run, and places by name.

The functions that take a step return another one, or None if there is none. `step` may be 0, before the first. They
search only `Columns`, by functions that run in C, so that a recording of a million steps answers at once, and they tell
frames apart by the depth of the call stack.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tutor.i18n import N_, _, ngettext
from tutor.trace import events as ev
from tutor.trace.index import KIND_NUMBERS, NO_STOP, first_at_most, last_at_most
from tutor.trace.source import Block
from tutor.trace.state import SiteInfo

if TYPE_CHECKING:
    from tutor.trace.timeline import Timeline

# ---------------------------------------------------------------- stepping

LINE, OP, SKIPPED = KIND_NUMBERS["line"], KIND_NUMBERS["op"], KIND_NUMBERS["skipped"]
_MARK = KIND_NUMBERS["mark"]
_IN_PASS = {KIND_NUMBERS[kind] for kind in ("backward", "node", "accumulate", "captured", "retained", "hook")}


def forward(timeline: Timeline, step: int, inside: int | None = None) -> int | None:
    """Return the next step at most `inside` composites deep (by default, as deep as this step)."""
    place = first_at_most(timeline.columns.depths, _depth(timeline, step) if inside is None else inside, step)
    return None if place is None else place + 1


def back(timeline: Timeline, step: int, inside: int | None = None) -> int | None:
    """Return the previous step by the same rule; never 0."""
    return timeline.columns.back(step, inside)


def next_line(timeline: Timeline, step: int) -> int | None:
    """Return the next statement of this frame or of a caller, or the end of the cell, or a failure (step over)."""
    place = first_at_most(timeline.columns.stops, _frames(timeline, step), step)
    return None if place is None else place + 1


def previous_line(timeline: Timeline, step: int) -> int | None:
    """Return the previous statement of this frame or of a caller; from within a statement, its beginning."""
    place = last_at_most(timeline.columns.stops, _frames(timeline, step), step - 1)
    return None if place is None else place + 1


def into(timeline: Timeline, step: int) -> int | None:
    """Return the first step inside this one: in a called function, a torch composite or a backward pass (step into)."""
    columns = timeline.columns
    if not 1 <= step < len(columns):
        return None
    frames, depth = columns.frame_depths[step - 1], columns.depths[step - 1]
    if columns.kinds[step - 1] == KIND_NUMBERS["backward"]:
        return step + 1
    end = next_line(timeline, step) or len(columns) + 1
    for place in range(step, min(end - 1, step + _MAX_SEARCH)):
        if columns.frame_depths[place] > frames or columns.depths[place] > depth:
            return place + 1
    if columns.kinds[step - 1] == OP:  # the operations inside a composite come before its own
        first = step
        while first > 1 and columns.depths[first - 2] > depth:
            first -= 1
        return first if first < step else None
    return None


def out(timeline: Timeline, step: int) -> int | None:
    """Return the first step after the composite, backward pass or function that this step is in (step out)."""
    columns = timeline.columns
    if not 1 <= step <= len(columns):
        return None
    if columns.depths[step - 1]:
        return forward(timeline, step, columns.depths[step - 1] - 1)
    if columns.kinds[step - 1] in _IN_PASS:
        info = timeline.pass_of(step)
        return None if info is None else info.end_step
    frames = columns.frame_depths[step - 1]
    if frames <= 1:
        return None
    line = first_at_most(columns.stops, frames - 1, step)
    limit = len(columns) if line is None else line
    for place in range(step, min(limit, step + _MAX_SEARCH)):  # the caller may run an operation before its next line
        if columns.frame_depths[place] < frames:
            return place + 1
    return None if line is None else line + 1


def is_inside(timeline: Timeline, step: int) -> bool:
    """Return whether a step is in a function call, a composite operation or a backward pass."""
    columns = timeline.columns
    is_called = columns.frame_depths[step - 1] > 1 or columns.depths[step - 1] > 0
    return is_called or timeline.pass_of(step) is not None


def next_cell(timeline: Timeline, step: int) -> int | None:
    """Return the start of the next code cell."""
    return _after([cell.start for cell in timeline.cells], step)


def previous_cell(timeline: Timeline, step: int) -> int | None:
    """Return the start of this code cell; from there, of the previous one."""
    return _before([cell.start for cell in timeline.cells], step)


def next_pass(timeline: Timeline, step: int) -> int | None:
    """Return the start of the next backward pass."""
    return _after([info.start_step for info in timeline.passes], step)


def previous_pass(timeline: Timeline, step: int) -> int | None:
    """Return the start of the last backward pass before this step."""
    return _before([info.start_step for info in timeline.passes], step)


def next_breakpoint(timeline: Timeline, step: int) -> int | None:
    """Return the next step at which the program called `breakpoint()`."""
    return timeline.columns.kinds.find(_MARK, step) + 1 or None


def next_mark(timeline: Timeline, step: int) -> int | None:
    """Return the next step at which the program called `breakpoint()`, or that has a bookmark."""
    marks = [next_breakpoint(timeline, step), _after(sorted(timeline.bookmarks), step)]
    return min((mark for mark in marks if mark is not None and mark <= timeline.steps), default=None)


def previous_mark(timeline: Timeline, step: int) -> int | None:
    """Return the last step before this one at which the program called `breakpoint()`, or that has a bookmark."""
    breakpoint = timeline.columns.kinds.rfind(_MARK, 0, max(step - 1, 0)) + 1
    return max([breakpoint, *(mark for mark in timeline.bookmarks if mark < step)]) or None


def next_iteration(timeline: Timeline, step: int) -> int | None:
    """Return the first step of the next iteration of the innermost loop; outside of loops, of the next loop."""
    starts = _iteration_starts(timeline, step) or sorted(
        starts[0] for starts in timeline.contents.iteration_starts.values()
    )
    start = _after(starts, step)
    return start if start is not None and start <= timeline.steps else None


def previous_iteration(timeline: Timeline, step: int) -> int | None:
    """Return the first step of the previous iteration of the innermost loop; outside of loops, of the last one."""
    starts = _iteration_starts(timeline, step)
    if not starts:
        before = (_before(starts, step) for starts in timeline.contents.iteration_starts.values())
        return max((start for start in before if start is not None), default=None)
    place = bisect_right(starts, step) - 2
    return starts[place] if place >= 0 else None


_MAX_SEARCH = 200_000
"""Maximum number of steps that `into` and `out` search one by one."""


def _iteration_starts(timeline: Timeline, step: int) -> Sequence[int]:
    """Return the first steps of all iterations of the innermost loop around a step; empty outside of loops."""
    if not 1 <= step <= timeline.steps:
        return ()
    for frame in reversed(timeline.state(step).frames):
        if frame.iterations:
            return timeline.contents.iteration_starts.get(next(reversed(frame.iterations)), ())
    return ()


def _depth(timeline: Timeline, step: int) -> int:
    depths = timeline.columns.depths
    return depths[step - 1] if 1 <= step <= len(depths) else 0


def _frames(timeline: Timeline, step: int) -> int:
    depths = timeline.columns.frame_depths
    return min(depths[step - 1], NO_STOP - 1) if 1 <= step <= len(depths) else 1


def _after(places: Sequence[int], step: int) -> int | None:
    place = bisect_right(places, step)
    return places[place] if place < len(places) else None


def _before(places: Sequence[int], step: int) -> int | None:
    place = bisect_left(places, step)
    return places[place - 1] if place else None


# ---------------------------------------------------------------- the same step in another run


def counterpart(timeline: Timeline, step: int, other: Timeline) -> int | None:
    """Return the step of another run of the program that corresponds to a step.

    Returns:
        The step as far into the same execution of the same statement, at most at its end. None if the other run has no
        such statement, or executed it fewer times.
    """
    columns = timeline.columns
    line = columns.kinds.rfind(LINE, 0, step) + 1
    if line == 0:
        return min(step, other.steps)
    cell = timeline.cell(step)
    cell_start = next((info.start for info in timeline.cells if info.cell == cell), 0)
    if cell_start > line:  # between two cells
        other_cell = next((info for info in other.cells if info.cell == cell), None)
        return None if other_cell is None else min(other_cell.start + step - cell_start, other.steps)
    cell_end = next((info.end for info in timeline.cells if info.cell == cell and info.end == step), None)
    if cell_end is not None:
        return next((info.end for info in other.cells if info.cell == cell), None)
    site = columns.sites[line - 1]
    other_site = _same_site(timeline, site, other)
    if other_site is None:
        return None
    start = _execution(other, other_site, columns.sites[:line].count(site))
    if start is None:
        return None
    following = other.columns.kinds.find(LINE, start)
    last = other.steps if following < 0 else following
    return min(start + step - line, last)


def _execution(timeline: Timeline, site: int, count: int) -> int | None:
    """Return the step at which the `count`-th execution of a statement began; None if there were fewer."""
    sites, at = timeline.columns.sites, -1
    for _time in range(count):
        try:
            at = sites.index(site, at + 1)
        except ValueError:
            return None
    return at + 1


def _same_site(timeline: Timeline, site: int, other: Timeline) -> int | None:
    """Return the site in another run of the statement at a site.

    That is the nearest statement in the same cell with the same text, else the one at the same place in the cell.
    """
    info = timeline.sites.get(site)
    if info is None:
        return None
    cell, line = _place_in_cell(timeline, info.file, info.span[0])
    text = _header(timeline, info)
    candidates: list[tuple[bool, int, int]] = []
    for other_info in other.sites.values():
        if other_info.op is not None or other_info.file != info.file:
            continue
        other_cell, other_line = _place_in_cell(other, other_info.file, other_info.span[0])
        same_text = _header(other, other_info) == text
        if other_cell == cell and (same_text or (other_line == line and other_info.span[1] == info.span[1])):
            candidates.append((not same_text, abs(other_line - line), other_info.site))
    return min(candidates)[2] if candidates else None


def _header(timeline: Timeline, info: SiteInfo) -> str | None:
    """Return the text of a statement without its body."""
    return timeline.definitions.code(info.file, timeline.definitions.header(info.file, info.span))


def _place_in_cell(timeline: Timeline, file: int, line: int) -> tuple[int | None, int]:
    """Return the number of the cell around a line and the line's position in it, from 0; (None, line) outside."""
    source = timeline.sources.get(file)
    if source is not None and source.cell is not None:
        return source.cell, line - 1
    document = timeline.document
    if document is not None and file == 1:
        for cell in document.cells:
            first = cell.get("first_line", 0)
            if cell.get("number") is not None and first <= line < first + cell.get("lines", 0):
                return cell["number"], line - first
    return None, line


# ---------------------------------------------------------------- places by name

_PLACE_FORMS = N_("end, a step number, line:N, line:N#K, FILE:N, cell:C or cell:C:N")
_LINE_PLACE = re.compile(r"(?P<file>.+):(?P<line>\d{1,9})(#(?P<count>\d{1,9}))?", re.DOTALL)
_CELL = re.compile(r"cell:(?P<cell>\d{1,9})")


class PlaceError(Exception):
    """A text that names no place in the recording; the message says what exists."""


def resolve(timeline: Timeline, where: str, forms: str = _PLACE_FORMS) -> int:
    """Return the step that WHERE on the command line means.

    Args:
        timeline: The recording.
        where: `end`, `12`, `line:N`, `line:N#K`, `FILE:N`, `cell:C` or `cell:C:N`.
        forms: What the error message lists as possible.

    Raises:
        PlaceError: If there is no such place.
    """
    where = where.strip()
    if where == "end":
        return timeline.steps
    if where.isdecimal():
        return _step(timeline, where)
    cell = _CELL.fullmatch(where)
    if cell is not None:
        return _end_of_cell(timeline, int(cell["cell"]))
    parts = _LINE_PLACE.fullmatch(where)
    if parts is None:
        raise PlaceError(_("{where} is no place in a recording: say {forms}.", where=repr(where), forms=_(forms)))
    count = None if parts["count"] is None else int(parts["count"])
    in_cell = _CELL.fullmatch(parts["file"])
    if in_cell is not None:
        file = _file_of_cell(timeline, int(in_cell["cell"]))
    elif parts["file"] == "line":
        file = _main_file(timeline)
    else:
        file = _file_called(timeline, parts["file"])
    return _line(timeline, file, int(parts["line"]), count)


def _step(timeline: Timeline, where: str) -> int:
    if len(where) > 18 or not 0 <= int(where) <= timeline.steps:
        raise PlaceError(
            _("There is no step {number}: this recording has {count}.", number=where, count=timeline.steps)
        )
    return int(where)


def _end_of_cell(timeline: Timeline, number: int) -> int:
    """Return the last step of a cell, whether it ended or not."""
    for place, info in enumerate(timeline.cells):
        if info.cell == number:
            last = timeline.cells[place + 1].start - 1 if place + 1 < len(timeline.cells) else timeline.steps
            return info.end if info.end is not None else last
    ran = max((info.cell for info in timeline.cells), default=0)
    if ran:
        raise PlaceError(_("Code cell {number} did not run: cells 1 to {ran} did.", number=number, ran=ran))
    raise PlaceError(_("Code cell {number} did not run: no cell did.", number=number))


def _main_file(timeline: Timeline) -> int:
    if 1 not in timeline.sources:
        raise PlaceError(_("This recording has no source text."))
    if timeline.sources[1].cell is not None:
        raise PlaceError(_("In a notebook lines are counted in each code cell: say cell:C:N."))
    return 1


def _file_of_cell(timeline: Timeline, number: int) -> int:
    for source in timeline.sources.values():
        if source.cell == number:
            return source.file
    cells = [source.cell for source in timeline.sources.values() if source.cell is not None]
    if not cells:
        raise PlaceError(_("This is no notebook, its lines are those of the file: say line:N."))
    text = N_("There is no code cell {number} in this recording: the last is {last}.")
    raise PlaceError(_(text, number=number, last=max(cells)))


def _file_called(timeline: Timeline, name: str) -> int:
    """Return the number of a file by its path or the end of its path."""
    sources = list(timeline.sources.values())
    wanted = name.replace("\\", "/").removeprefix("./")
    matches = [source for source in sources if source.path.replace("\\", "/") in (name, wanted)]
    if not matches:
        matches = [source for source in sources if source.path.replace("\\", "/").endswith("/" + wanted.lstrip("/"))]
    paths = sorted({source.path for source in matches or sources})
    if len(paths) > 1 and matches:
        raise PlaceError(_("{name} may be any of {paths}.", name=repr(name), paths=", ".join(paths)))
    if not matches:
        names = ", ".join(paths) or _("none")
        raise PlaceError(_("No file {name} is in this recording; there is {paths}.", name=repr(name), paths=names))
    return matches[0].file


def _line(timeline: Timeline, file: int, line: int, count: int | None) -> int:
    """Return the last step of the `count`-th completed execution of the statement on a line; by default of the last."""
    text = timeline.definitions.text(file)
    name = timeline.sources[file].path
    if text is None or not 1 <= line <= len(text.lines):
        count = len(text.lines) if text else 0
        raise PlaceError(_("{name} has no line {line}: it has {count}.", name=name, line=line, count=count))
    blocks = text.covering(line)
    if not blocks:
        raise PlaceError(_("There is no statement on line {line} of {name}.", line=line, name=name))
    if count == 0:
        raise PlaceError(_("Executions are counted from 1: say line:{line}#1.", line=line))
    # `if x: y = 1` on one line: where the inner statement never ran, the outer one is meant.
    same_line = [block for block in blocks if block[1] == blocks[0][1]] or blocks[:1]
    runs = next((runs for block in same_line if (runs := list(_executions(timeline, file, block)))), [])
    cut = timeline.cut
    if not runs:
        message = N_("The statement on line {line} of {name} never ran.")
        if cut is not None:
            message = N_(
                "The statement on line {line} of {name} did not run before the recording was full, at step {step:,}."
            )
        raise PlaceError(_(message, line=line, name=name, step=cut))
    completed = 0
    for start in reversed(runs) if count is None else runs:
        end = _completion(timeline, start)
        completed += end is not None
        if end is not None and (count is None or completed == count):
            return end
    if cut is not None:
        message = ngettext(
            "The statement on line {line} of {name} was completed once before the recording was full, at step "
            "{step:,}.",
            "The statement on line {line} of {name} was completed {count} times before the recording was full, at "
            "step {step:,}.",
            completed,
            line=line,
            name=name,
            step=cut,
        )
    elif not completed:
        message = _("The statement on line {line} of {name} was begun, but never completed.", line=line, name=name)
    elif SKIPPED in timeline.columns.kinds:
        message = _(
            "The statement on line {line} of {name} is recorded {count} times; `--all` records all iterations.",
            count=completed,
            line=line,
            name=name,
        )
    else:
        message = ngettext(
            "The statement on line {line} of {name} was completed once only.",
            "The statement on line {line} of {name} was completed {count} times only.",
            completed,
            line=line,
            name=name,
        )
    raise PlaceError(message)


def _executions(timeline: Timeline, file: int, block: Block) -> Iterator[int]:
    """Yield the steps at which a statement was about to run."""
    text = timeline.definitions.text(file)
    start = None if text is None else text.start(block[0])
    sites = [
        info.site
        for info in timeline.sites.values()
        if info.file == file and info.op is None and info.span[:2] == start
    ]
    columns = timeline.columns
    places = sorted(place for info in sites for place in _occurrences(columns.sites, info))
    return (place + 1 for place in places if columns.kinds[place] == LINE)


def _occurrences(column: array[int], number: int) -> Iterator[int]:
    """Yield the positions of a number in a column."""
    if not 0 <= number <= 0xFFFFFFFF:
        return
    data, size = memoryview(column).cast("B").tobytes(), column.itemsize
    pattern = array(column.typecode, [number]).tobytes()
    place = data.find(pattern)
    while place >= 0:
        if place % size == 0:
            yield place // size
        place = data.find(pattern, place + 1)


def _completion(timeline: Timeline, start: int) -> int | None:
    """Return the last step of the execution that begins at step `start`; None if it raised or was cut off."""
    columns = timeline.columns
    frames = columns.frame_depths[start - 1]
    end = start  # position of the step after
    while end < len(columns):
        depth, stop = columns.frame_depths[end], columns.stops[end] != NO_STOP
        if depth < frames or (stop and depth == frames):
            break
        end += 1
    else:
        return None
    after = timeline.event(end + 1)
    line = timeline.event(start)
    if isinstance(after, ev.Failed) and isinstance(line, ev.Line):
        # Frames are numbered as they start: this one's number or a higher one raised while it ran.
        raised_here = after.frame is None or after.frame >= line.frame
        return None if raised_here else end
    if isinstance(after, ev.Cut) or (isinstance(after, ev.CellEnd) and after.outcome != "ok"):
        return None
    return end
