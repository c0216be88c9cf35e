"""Where a key leads, and where `g` and `/` lead: functions of a timeline and a step."""

from __future__ import annotations

import ast
import re
from bisect import bisect_right
from collections.abc import Callable
from functools import lru_cache
from textwrap import dedent

from tutor.i18n import N_, _, ngettext, pgettext
from tutor.trace import navigation
from tutor.trace.navigation import PlaceError, resolve
from tutor.trace.timeline import Timeline

MOVES: dict[str, Callable[[Timeline, int], int | None]] = {
    "forward": navigation.forward,
    "back": lambda timeline, step: 0 if step == 1 else navigation.back(timeline, step),
    "next_line": navigation.next_line,
    "previous_line": navigation.previous_line,
    "into": navigation.into,
    "out": navigation.out,
    "next_cell": lambda timeline, step: navigation.next_cell(timeline, max(step, 1)),  # before the first one is in it
    "previous_cell": navigation.previous_cell,
    "next_iteration": navigation.next_iteration,
    "previous_iteration": navigation.previous_iteration,
    "next_pass": navigation.next_pass,
    "previous_pass": navigation.previous_pass,
}
NOWHERE = {
    "forward": N_("this is the last step"),
    "back": N_("this is the beginning"),
    "next_line": N_("no statement follows"),
    "previous_line": N_("no statement before this one"),
    "into": N_("there is nothing to go into here"),
    "out": N_("this is the outermost level"),
    "next_cell": N_("this is the last cell"),
    "previous_cell": N_("this is the first cell"),
    "next_iteration": N_("no further iteration"),
    "previous_iteration": N_("no iteration before this one"),
    "next_pass": N_("no further backward pass"),
    "previous_pass": N_("no backward pass before this step"),
}
"""What to say where a key leads nowhere."""

_AHEAD = ("forward", "next_line", "next_cell", "next_iteration", "next_pass")

_FORMS = N_("18, line 9, iteration 30, cell 2, pass 3 or end")
_TURN = re.compile(r"(?:i|it|iter|iteration|turn|epoch)\s*[:#]?\s*(\d{1,9})", re.IGNORECASE)
_PASS = re.compile(r"(?:b|pass|backward)\s*[:#]?\s*(\d{1,9})", re.IGNORECASE)


def nowhere(timeline: Timeline, key: str) -> str:
    """What to say where a key leads nowhere; in a recording that was full, that there was more."""
    if timeline.cut is None or key not in _AHEAD:
        return _(NOWHERE[key])
    return _("{nowhere}: the recording was full at step {step:,}", nowhere=_(NOWHERE[key]), step=timeline.cut)


def go(timeline: Timeline, step: int, text: str) -> int:
    """The step that was typed: `18`, `line 9`, `iteration 30`, `pass 3`, `cell 2`, `end`. Raises PlaceError."""
    text = text.strip().lower()
    text = _in_english(text)
    if match := _TURN.fullmatch(text):
        return _turn(timeline, step, int(match[1]))
    if match := _PASS.fullmatch(text):
        info = next((info for info in timeline.passes if info.number == int(match[1])), None)
        if info is None:
            raise PlaceError(
                ngettext("There is {count} backward pass.", "There are {count} backward passes.", len(timeline.passes))
            )
        return info.start_step
    if match := re.fullmatch(r"(line|cell|l|c)\s*[: ]\s*(\d.*)", text):
        kind = "line" if match[1].startswith("l") else "cell"
        return resolve(timeline, f"{kind}:{match[2]}")
    return resolve(timeline, re.sub(r"^(?:step|s)\s*(?=\d)", "", text), _FORMS)


def _in_english(text: str) -> str:
    """The same with English words where the learner's language has others; a catalog may list several, apart by `|`."""
    words = {
        "cell ": pgettext("typed to go there", "cell"),
        "pass ": pgettext("typed to go there", "pass"),
        "iteration ": pgettext("typed to go there", "iteration"),
        "line ": pgettext("typed to go there", "line"),
        "step ": pgettext("typed to go there", "step"),
        "end": pgettext("typed to go there", "end"),
    }
    for english, said in words.items():
        if said != english.strip():
            for word in said.split("|"):
                text = text.replace(word, english)
    return text


def _turn(timeline: Timeline, step: int, number: int) -> int:
    """The start of a turn of the loop around this step; outside of one, of the loop that begins next, else the last."""
    frames = [frame for frame in timeline.state(step).frames if frame.iterations]  # a function may be called in one
    loop = next(reversed(frames[-1].iterations), None) if frames else None
    turns = None if loop is None else timeline.contents.iteration_starts.get(loop)
    if not turns:
        known = [found for found in timeline.contents.iteration_starts.values() if len(found)]
        later = [found for found in known if found[-1] > step]
        last = max(known, key=lambda found: found[-1], default=None)
        turns = min(later, key=lambda found: found[0], default=last)
    if not turns:
        raise PlaceError(_("There is no loop here."))
    # In a loop within a loop the same number comes again and again: count from where this run of it began.
    start = 0
    if loop is not None:
        turn = frames[-1].iterations[loop]
        start = max(bisect_right(turns, step) - turn, 0)
    if not 1 <= number <= len(turns) - start:
        raise PlaceError(
            ngettext("This loop has {count} iteration.", "This loop has {count} iterations.", len(turns) - start)
        )
    return turns[start + number - 1]


def find(timeline: Timeline, step: int, text: str, limit: int) -> int | None:
    """The next step, from the one after `step` round to it again, whose code or printed text holds `text`."""
    wanted = text.lower()
    if not wanted or not limit:
        return None
    sites = {number for number, site in timeline.sites.items() if wanted in _code(timeline, site.file, site.span)}
    printed = _printed(timeline, wanted, limit)
    columns = timeline.columns.sites
    kinds = timeline.columns.kinds
    for first, last in ((step, limit), (0, min(step, limit))):
        in_code = next((at + 1 for at in range(first, last) if columns[at] in sites and kinds[at] in _OF_CODE), None)
        in_text = next((at for at in printed if first < at <= last), None)
        found = min((at for at in (in_code, in_text) if at is not None), default=None)
        if found is not None:
            return found
    return None


_OF_CODE = frozenset((navigation.LINE, navigation.OP))


def _code(timeline: Timeline, file: int, span: tuple[int, int, int, int]) -> str:
    return _head(" " * span[1] + (timeline.book.code(file, span) or "")).lower()


@lru_cache(maxsize=1024)
def _head(code: str) -> str:
    """The code without the statements in it: what `for …:` does, not what is done there."""
    try:
        statement = ast.parse(dedent(code)).body[0] if "\n" in code else None
    except (SyntaxError, ValueError, RecursionError, IndexError):
        return code
    body = getattr(statement, "body", None)
    return "\n".join(code.split("\n")[: max(body[0].lineno - 1, 1)]) if isinstance(body, list) else code


def _printed(timeline: Timeline, wanted: str, limit: int) -> list[int]:
    """The steps by which a piece of output with this text in it was complete."""
    steps = []
    line = ""
    for part in timeline.contents.printed:
        if part.step > limit:
            break
        line += part.text.lower()
        if wanted in line:
            steps.append(part.step)
            line = ""
        line = line[-max(len(wanted), 1) :]
    return steps
