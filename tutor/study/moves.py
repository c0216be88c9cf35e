"""Where moves, a typed place and a search lead: functions of a timeline and a step."""

from __future__ import annotations

import ast
import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import lru_cache
from textwrap import dedent
from typing import TYPE_CHECKING, NamedTuple

from tutor.i18n import N_, _, ngettext, pgettext
from tutor.trace import navigation
from tutor.trace.navigation import SKIPPED, PlaceError, resolve

if TYPE_CHECKING:
    from tutor.trace.timeline import Timeline


class Move(NamedTuple):
    """A way to move the cursor."""

    find: Callable[[Timeline, int], int | None]
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


def back(timeline: Timeline, step: int) -> int | None:
    """Return the previous step; before the first one is the beginning, 0."""
    return 0 if step == 1 else navigation.back(timeline, step)


def next_cell(timeline: Timeline, step: int) -> int | None:
    """Return the step at which the next cell begins; in the last cell, the last step. Step 0 is before all cells."""
    begins = navigation.next_cell(timeline, max(step, 1))
    return timeline.steps if begins is None and step < timeline.steps else begins


FORWARD = Move(navigation.forward, N_("this is the last step"), ahead=True)

_FORMS = N_("18, line 9, iteration 30, cell 2, pass 3 or end")
_ITERATION = re.compile(r"(?:i|it|iter|iteration|turn|epoch)\s*[:#]?\s*(\d{1,9})", re.IGNORECASE)
_PASS = re.compile(r"(?:b|pass|backward)\s*[:#]?\s*(\d{1,9})", re.IGNORECASE)


def resolve_typed(timeline: Timeline, step: int, text: str) -> int:
    """Return the step for a text that was typed: `18`, `line 9`, `iteration 30`, `pass 3`, `cell 2`, `end`.

    Raises:
        PlaceError: There is no such step, with the reason for the learner.
    """
    text = text.strip().lower()
    text = _to_english(text)
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


def find_text(timeline: Timeline, step: int, text: str, limit: int) -> int | None:
    """Return the next step whose code or output contains `text`, ignoring case; None where there is none.

    The search starts after `step`, and wraps around at `limit` to end at `step` again.
    """
    needle = text.lower()
    if not needle or not limit:
        return None
    sites = {number for number, site in timeline.sites.items() if needle in _code(timeline, site.file, site.span)}
    output_steps = _matching_output(timeline, needle, limit)
    site_column = timeline.columns.sites
    kind_column = timeline.columns.kinds
    for first, last in ((step, limit), (0, min(step, limit))):
        indices = range(first, last)
        in_code = next((at + 1 for at in indices if site_column[at] in sites and kind_column[at] in _CODE_KINDS), None)
        in_output = next((at for at in output_steps if first < at <= last), None)
        nearest = min((at for at in (in_code, in_output) if at is not None), default=None)
        if nearest is not None:
            return nearest
    return None


_CODE_KINDS = frozenset((navigation.LINE, navigation.OP))


def _code(timeline: Timeline, file: int, span: tuple[int, int, int, int]) -> str:
    """Return the lower-case code of a site, without the body of a compound statement."""
    return _without_body(" " * span[1] + (timeline.definitions.code(file, span) or "")).lower()


@lru_cache(maxsize=1024)
def _without_body(code: str) -> str:
    """Return the code of a compound statement without its body: `for …:` alone."""
    try:
        statement = ast.parse(dedent(code)).body[0] if "\n" in code else None
    except (SyntaxError, ValueError, RecursionError, IndexError):
        return code
    body = getattr(statement, "body", None)
    return "\n".join(code.split("\n")[: max(body[0].lineno - 1, 1)]) if isinstance(body, list) else code


def _matching_output(timeline: Timeline, needle: str, limit: int) -> list[int]:
    """Return the steps that complete a line or piece of output containing `needle`, up to `limit`."""
    steps = []
    line = ""
    for part in timeline.contents.printed:
        if part.step > limit:
            break
        line += part.text.lower()
        if needle in line:
            steps.append(part.step)
            line = ""
        line = line[-max(len(needle), 1) :]
    return steps
