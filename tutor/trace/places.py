"""WHERE on the command line: `end`, `12`, `line:N`, `line:N#K`, `FILE:N`, `cell:C`, `cell:C:N`."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tutor.i18n import N_, _, ngettext
from tutor.trace import events as ev
from tutor.trace.columns import KIND_NUMBERS, NO_STOP
from tutor.trace.source import Block

if TYPE_CHECKING:
    from tutor.trace.timeline import Timeline

_FORMS = N_("end, a step number, line:N, line:N#K, FILE:N, cell:C or cell:C:N")
_LINE = KIND_NUMBERS["line"]
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
