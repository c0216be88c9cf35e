"""Walking a recording: from a step to the one that a key leads to, or None where there is none.

All of it looks at columns only, by searches that run in C, so that a recording of a million steps answers at once.
`step` may be 0, before the first. Steps that go from frame to frame know frames by how deep they are.

The same moment in another run of the same program: after a what-if one sees both side by side.

WHERE on the command line: `end`, `12`, `line:N`, `line:N#K`, `FILE:N`, `cell:C`, `cell:C:N`."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

from tutor.i18n import N_, _, ngettext
from tutor.trace import events as ev
from tutor.trace.index import KIND_NUMBERS, NO_STOP, first_at_most, last_at_most
from tutor.trace.source import Block
from tutor.trace.state import SiteInfo
from tutor.trace.timeline import Timeline

LINE, OP = KIND_NUMBERS["line"], KIND_NUMBERS["op"]
_IN_PASS = {KIND_NUMBERS[kind] for kind in ("backward", "node", "accumulate", "captured", "retained", "hook")}


def forward(timeline: Timeline, step: int, inside: int | None = None) -> int | None:
    """The next step, over operations deeper in torch's composites than `inside` (as deep as this step, if None)."""
    found = first_at_most(timeline.columns.depths, _depth(timeline, step) if inside is None else inside, step)
    return None if found is None else found + 1


def back(timeline: Timeline, step: int, inside: int | None = None) -> int | None:
    """The step before, by the same rule; 0, before the first step, is not led to."""
    return timeline.columns.back(step, inside)


def next_line(timeline: Timeline, step: int) -> int | None:
    """The next statement of this frame or of one around it; also the end of a cell, and a failure."""
    found = first_at_most(timeline.columns.stops, _frames(timeline, step), step)
    return None if found is None else found + 1


def previous_line(timeline: Timeline, step: int) -> int | None:
    """The last such statement before; from within a statement, its beginning."""
    found = last_at_most(timeline.columns.stops, _frames(timeline, step), step - 1)
    return None if found is None else found + 1


def into(timeline: Timeline, step: int) -> int | None:
    """Into what this step does: a function of the learner's, a composite of torch's, a backward pass."""
    columns = timeline.columns
    if not 1 <= step < len(columns):
        return None
    frames, depth = columns.frame_depths[step - 1], columns.depths[step - 1]
    if columns.kinds[step - 1] == KIND_NUMBERS["backward"]:
        return step + 1
    end = next_line(timeline, step) or len(columns) + 1
    for place in range(step, min(end - 1, step + _REACH)):
        if columns.frame_depths[place] > frames or columns.depths[place] > depth:
            return place + 1
    if columns.kinds[step - 1] == OP:  # what a composite is made of comes before its own operation
        first = step
        while first > 1 and columns.depths[first - 2] > depth:
            first -= 1
        return first if first < step else None
    return None


def out(timeline: Timeline, step: int) -> int | None:
    """Out of the composite, the backward pass or the function that this step is in."""
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
    found = first_at_most(columns.stops, frames - 1, step)
    limit = len(columns) if found is None else found
    for place in range(step, min(limit, step + _REACH)):  # an operation of the caller's comes before its next line
        if columns.frame_depths[place] < frames:
            return place + 1
    return None if found is None else found + 1


def next_cell(timeline: Timeline, step: int) -> int | None:
    """The start of the next code cell."""
    return _after([cell.start for cell in timeline.cells], step)


def previous_cell(timeline: Timeline, step: int) -> int | None:
    """The start of this code cell, or from there of the one before."""
    return _before([cell.start for cell in timeline.cells], step)


def next_pass(timeline: Timeline, step: int) -> int | None:
    """The start of the next backward pass."""
    return _after([info.start_step for info in timeline.passes], step)


def previous_pass(timeline: Timeline, step: int) -> int | None:
    """The start of the last backward pass before this step."""
    return _before([info.start_step for info in timeline.passes], step)


def next_iteration(timeline: Timeline, step: int) -> int | None:
    """Where the next turn of the loop around this step begins: its body's first statement. Outside of loops it is the
    first turn of the one that comes next."""
    turns = _turns(timeline, step) or sorted(turns[0] for turns in timeline.contents.iteration_starts.values())
    found = _after(turns, step)
    return found if found is not None and found <= timeline.steps else None


def previous_iteration(timeline: Timeline, step: int) -> int | None:
    """Where the turn before this one begins. Outside of loops it is the last turn of all before this step."""
    turns = _turns(timeline, step)
    if not turns:
        before = (_before(turns, step) for turns in timeline.contents.iteration_starts.values())
        return max((found for found in before if found is not None), default=None)
    place = bisect_right(turns, step) - 2
    return turns[place] if place >= 0 else None


_REACH = 200_000
"""How far `into` and `out` look, step by step."""


def _turns(timeline: Timeline, step: int) -> Sequence[int]:
    """The turns of the innermost loop around a step."""
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


_FORMS = N_("end, a step number, line:N, line:N#K, FILE:N, cell:C or cell:C:N")
_WHERE = re.compile(r"(?P<file>.+):(?P<line>\d{1,9})(#(?P<count>\d{1,9}))?", re.DOTALL)
_CELL = re.compile(r"cell:(?P<cell>\d{1,9})")


class PlaceError(Exception):
    """There is no such place; the text says what there is."""


def resolve(timeline: Timeline, where: str, forms: str = _FORMS) -> int:
    """The step that WHERE means; PlaceError where it means none, which names the `forms` of those that there are."""
    where = where.strip()
    if where == "end":
        return timeline.steps
    if where.isdecimal():
        return _step(timeline, where)
    cell = _CELL.fullmatch(where)
    if cell is not None:
        return _end_of_cell(timeline, int(cell["cell"]))
    parts = _WHERE.fullmatch(where)
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
    """The last step of a cell: its end, or how far it came."""
    for place, info in enumerate(timeline.cells):
        if info.cell == number:
            after = timeline.cells[place + 1].start - 1 if place + 1 < len(timeline.cells) else timeline.steps
            return info.end if info.end is not None else after
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
    """A file by its path, or by the end of its path."""
    sources = list(timeline.sources.values())
    wanted = name.replace("\\", "/").removeprefix("./")
    found = [source for source in sources if source.path.replace("\\", "/") in (name, wanted)]
    if not found:
        found = [source for source in sources if source.path.replace("\\", "/").endswith("/" + wanted.lstrip("/"))]
    paths = sorted({source.path for source in found or sources})
    if len(paths) > 1 and found:
        raise PlaceError(_("{name} may be any of {paths}.", name=repr(name), paths=", ".join(paths)))
    if not found:
        there = ", ".join(paths) or _("none")
        raise PlaceError(_("No file {name} is in this recording; there is {paths}.", name=repr(name), paths=there))
    return found[0].file


def _line(timeline: Timeline, file: int, line: int, count: int | None) -> int:
    """The state after the last completed execution of the statement on a line, or after the `count`-th."""
    text = timeline.book.text(file)
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
    full = timeline.cut
    if not runs:
        said = N_("The statement on line {line} of {name} never ran.")
        if full is not None:
            said = N_(
                "The statement on line {line} of {name} did not run before the recording was full, at step {step:,}."
            )
        raise PlaceError(_(said, line=line, name=name, step=full))
    completed = 0
    for start in reversed(runs) if count is None else runs:
        end = _completion(timeline, start)
        completed += end is not None
        if end is not None and (count is None or completed == count):
            return end
    if full is not None:
        said = ngettext(
            "The statement on line {line} of {name} was completed once before the recording was full, at step "
            "{step:,}.",
            "The statement on line {line} of {name} was completed {count} times before the recording was full, at "
            "step {step:,}.",
            completed,
            line=line,
            name=name,
            step=full,
        )
    elif not completed:
        said = _("The statement on line {line} of {name} was begun, but never completed.", line=line, name=name)
    else:
        said = ngettext(
            "The statement on line {line} of {name} was completed once only.",
            "The statement on line {line} of {name} was completed {count} times only.",
            completed,
            line=line,
            name=name,
        )
    raise PlaceError(said)


def _executions(timeline: Timeline, file: int, block: Block) -> Iterator[int]:
    """The steps at which a statement was about to run."""
    text = timeline.book.text(file)
    start = None if text is None else text.start(block[0])
    sites = [
        site.site
        for site in timeline.sites.values()
        if site.file == file and site.op is None and site.span[:2] == start
    ]
    columns = timeline.columns
    places = sorted(place for site in sites for place in _occurrences(columns.sites, site))
    return (place + 1 for place in places if columns.kinds[place] == _LINE)


def _occurrences(column: array[int], number: int) -> Iterator[int]:
    """Where a number stands in a column."""
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
    """The last step of the execution that begins at this line; None where it raised or was cut short."""
    columns = timeline.columns
    frames = columns.frame_depths[start - 1]
    end = start  # the place of the step after
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
