"""Where moves and a typed place lead, and at which steps moves stop: functions of a timeline and a step."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from tutor.i18n import N_, _, ngettext, pgettext
from tutor.trace import navigation
from tutor.trace.navigation import SKIPPED, PlaceError, resolve

if TYPE_CHECKING:
    from tutor.trace.timeline import Timeline


Find: TypeAlias = "Callable[[Timeline, int], int | None]"


class Move(NamedTuple):
    """A way to move the cursor."""

    find: Find
    """Returns the step that it leads to from a step; None where it leads nowhere."""
    nowhere: str
    """What to say there, in English."""
    ahead: bool = False
    """Whether it leads on: to what may not be recorded yet, or is hidden by a question."""
    local: bool = False
    """Whether it leads into the current step: where there is nothing in it, it does not matter what comes later."""

    def reason(self, timeline: Timeline) -> str:
        """Return what to say where it leads nowhere; in a cut recording, that there was more."""
        if timeline.cut is None or not self.ahead or self.local:
            return _(self.nowhere)
        return _("{nowhere}: the recording was full at step {step:,}", nowhere=_(self.nowhere), step=timeline.cut)


# ------------------------------------------------------------ the steps at which moves stop

_DEFINITION = re.compile(r"(import|from|def|class|async def)\b|@")


def is_stop(timeline: Timeline, step: int, *, by_lines: bool = False) -> bool:
    """Return whether moves stop at a step: those by statements with `by_lines`, else those by steps.

    They pass the beginning of a cell, imports and definitions, what comes before the first tensor in its cell, and a
    statement before which nothing else has run in the cell, if an operation of it follows: they stop where there is
    something to see.
    """
    kind = timeline.kind(step)
    if kind != "line":
        return kind != "cell"
    if _is_definition(timeline, step):
        return _brings_tensors(timeline, step)
    if _is_before_tensors(timeline, step, by_lines):
        return False
    following = navigation.forward(timeline, step)
    if following is None:
        return timeline.run_end is not None
    return timeline.kind(following) not in ("op", "backward") or not _is_first(timeline, step)


def _is_definition(timeline: Timeline, step: int) -> bool:
    return _DEFINITION.match(timeline.view(step).code or "") is not None


def _brings_tensors(timeline: Timeline, step: int) -> bool:
    """Return whether a step made or changed a tensor, or gave one a name, as an import may do."""
    changes, frames = timeline.changed(step), {frame.frame: frame for frame in timeline.state(step).frames}
    bindings = (frames[frame].names.get(name) for frame, name in changes.names if frame in frames)
    return bool(changes.tensors or changes.grads) or any(bound and bound.what != "value" for bound in bindings)


def _is_before_tensors(timeline: Timeline, step: int, by_lines: bool) -> bool:
    """Return whether the first operation of the program is in the cell of a statement, and the move from it leads there
    or to something before: not where it is made within a call that a move by statements passes.
    """
    first = timeline.columns.operation(1)
    if first is None or step > first or timeline.cell_info(step) != timeline.cell_info(first):
        return False
    first = navigation.forward(timeline, first - 1, 0) or first  # the operations inside a composite come before it
    following = navigation.next_line(timeline, step) if by_lines else None
    return following is None or following < first or navigation.forward(timeline, step) == first


def _is_first(timeline: Timeline, step: int) -> bool:
    """Return whether nothing but imports and definitions came before a statement in its cell."""
    before = navigation.back(timeline, step)
    while before is not None and timeline.kind(before) == "line" and _is_definition(timeline, before):
        before = navigation.back(timeline, before)
    return before is not None and timeline.kind(before) == "cell"


def stopping(find: Find, timeline: Timeline, step: int) -> int | None:
    """Repeat a move up to a stop. Where there is none, and the program has ended, the last step is one."""
    place, target = None, find(timeline, step)
    by_lines = find in (navigation.next_line, navigation.previous_line)
    while target is not None and target != place:
        place = target
        if is_stop(timeline, place, by_lines=by_lines):
            return place
        target = find(timeline, place)
    return place if place is not None and place > step and timeline.run_end is not None else None


def forward(timeline: Timeline, step: int) -> int | None:
    """Return the next step that is a stop."""
    return stopping(navigation.forward, timeline, step)


def back(timeline: Timeline, step: int) -> int | None:
    """Return the previous stop; before the first one is the beginning, 0."""
    place = stopping(navigation.back, timeline, step)
    return 0 if place is None and step else place


def next_line(timeline: Timeline, step: int) -> int | None:
    """Return the next statement that is a stop, or the end of the cell, or a failure (step over)."""
    return stopping(navigation.next_line, timeline, step)


def previous_line(timeline: Timeline, step: int) -> int | None:
    """Return the previous statement that is a stop, or the end of the cell before; before the first one, 0."""
    place = stopping(navigation.previous_line, timeline, step)
    return 0 if place is None and step else place


def next_cell(timeline: Timeline, step: int) -> int | None:
    """Return the step at which the next cell begins; in the last cell, the last step. Step 0 is before all cells."""
    begins = navigation.next_cell(timeline, max(step, 1))
    return timeline.steps if begins is None and step < timeline.steps else begins


FORWARD = Move(forward, N_("this is the last step"), ahead=True)

_FORMS = N_("18, line 9, iteration 30, cell 2, pass 3 or end")
_ITERATION = re.compile(r"(?:i|it|iter|iteration|turn|epoch)\s*[:#]?\s*(\d{1,9})", re.IGNORECASE)
_PASS = re.compile(r"(?:b|pass|backward)\s*[:#]?\s*(\d{1,9})", re.IGNORECASE)


def resolve_typed(timeline: Timeline, step: int, text: str) -> int:
    """Return the step for a text that was typed: `18`, `line 9`, `iteration 30`, `pass 3`, `cell 2`, `end`.

    Raises:
        PlaceError: There is no such step, with the reason for the learner.
    """
    typed = text.strip()
    text = _to_english(typed.lower())
    if match := _ITERATION.fullmatch(text):
        return _iteration_start(timeline, step, int(match[1]))
    if match := _PASS.fullmatch(text):
        pass_info = next((pass_info for pass_info in timeline.passes if pass_info.number == int(match[1])), None)
        if pass_info is None:
            raise PlaceError(
                ngettext("There is {count} backward pass.", "There are {count} backward passes.", len(timeline.passes))
            )
        return pass_info.start_step
    if match := re.fullmatch(r"(line|cell|l|c)\s*[: ]\s*(\d.*)", text):
        kind = "line" if match[1].startswith("l") else "cell"
        return resolve(timeline, f"{kind}:{match[2]}")
    if ":" in text:  # a file and a line: the case of a name matters
        return resolve(timeline, typed, _FORMS)
    return resolve(timeline, re.sub(r"^(?:step|s)\s*(?=\d)", "", text), _FORMS)


def _to_english(text: str) -> str:
    """Return the text with English keywords for those of the learner's language.

    A catalog may list several words for one keyword, separated by `|`.
    """
    words = {
        "cell ": pgettext("typed to go there", "cell"),
        "pass ": pgettext("typed to go there", "pass"),
        "iteration ": pgettext("typed to go there", "iteration"),
        "line ": pgettext("typed to go there", "line"),
        "step ": pgettext("typed to go there", "step"),
        "end": pgettext("typed to go there", "end"),
    }
    for english, translated in words.items():
        if translated != english.strip():
            for word in translated.split("|"):
                text = text.replace(word, english)
    return text


def _iteration_start(timeline: Timeline, step: int, number: int) -> int:
    """Return the step at which iteration `number` of the current loop begins.

    Outside of a loop it is the next loop that begins, else the last one.

    Raises:
        PlaceError: There is no loop, or no such iteration.
    """
    frames = [frame for frame in timeline.state(step).frames if frame.iterations]  # a loop may call a function
    loop = next(reversed(frames[-1].iterations), None) if frames else None
    starts = None if loop is None else timeline.contents.iteration_starts.get(loop)
    if not starts:
        loops = [begins for begins in timeline.contents.iteration_starts.values() if len(begins)]
        unfinished = [begins for begins in loops if begins[-1] > step]
        last_loop = max(loops, key=lambda begins: begins[-1], default=None)
        starts = min(unfinished, key=lambda begins: begins[0], default=last_loop)
    if not starts:
        raise PlaceError(_("There is no loop here."))
    # An inner loop has an iteration of this number in each run of it: count from where the current run began.
    offset = 0
    if loop is not None:
        iteration = frames[-1].iterations[loop]
        offset = max(bisect_right(starts, step) - iteration, 0)
        if SKIPPED in timeline.columns.kinds:
            return _recorded_iteration(timeline, loop, starts[: bisect_right(starts, step)], starts, number)
    if not 1 <= number <= len(starts) - offset:
        raise PlaceError(
            ngettext("This loop has {count} iteration.", "This loop has {count} iterations.", len(starts) - offset)
        )
    return starts[offset + number - 1]


def _recorded_iteration(
    timeline: Timeline, loop: int, before: Sequence[int], starts: Sequence[int], number: int
) -> int:
    """Return the step at which iteration `number` of a loop begins, of which some iterations are not recorded.

    Raises:
        PlaceError: It is not recorded.
    """

    def number_at(start: int) -> int:
        iterations = (frame.iterations.get(loop) for frame in reversed(timeline.state(start).frames))
        return next((iteration for iteration in iterations if iteration is not None), 0)

    first = len(before) - 1
    while first > 0 and number_at(starts[first - 1]) < number_at(starts[first]):
        first -= 1
    for start in starts[first:]:
        reached = number_at(start)
        if reached == number:
            return start
        if reached > number or (start != starts[first] and reached == 1):
            break
    raise PlaceError(_("Iteration {number:,} of this loop is not recorded.", number=number))
