"""Find text in the code and the output of a recording."""

from __future__ import annotations

import ast
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from textwrap import dedent
from typing import TYPE_CHECKING

from tutor.trace import navigation

if TYPE_CHECKING:
    from tutor.trace.timeline import Timeline


def steps_with(timeline: Timeline, text: str, limit: int) -> list[int]:
    """Return the steps up to `limit` whose code or output contains `text`, ignoring case, in order."""
    needle = text.strip().lower()
    if not needle:
        return []
    sites = {number for number, site in timeline.sites.items() if needle in _code(timeline, site.file, site.span)}
    kinds = timeline.columns.kinds
    placed = enumerate(timeline.columns.sites[:limit])
    in_code = [at + 1 for at, site in placed if site in sites and kinds[at] in _CODE_KINDS]
    return sorted({*in_code, *_matching_output(timeline, needle, limit)})


def nearest(steps: Sequence[int], step: int, previous: bool = False) -> int | None:
    """Return the index of the step after `step`, or before it; after the last one comes the first, and vice versa."""
    if not steps:
        return None
    return (bisect_left(steps, step) - 1 if previous else bisect_right(steps, step)) % len(steps)


def places_with(timeline: Timeline, step: int, text: str, limit: int) -> Iterator[tuple[int, str]]:
    """Yield, for each statement that contains `text`, the next step that runs it and its first row of code."""
    kinds, sites = timeline.columns.kinds, timeline.columns.sites
    steps = [match for match in steps_with(timeline, text, limit) if kinds[match - 1] == navigation.LINE]
    begin = bisect_right(steps, step)
    seen: set[int] = set()
    for match in (*steps[begin:], *steps[:begin]):
        site = sites[match - 1]
        if site not in seen:
            seen.add(site)
            yield match, (timeline.view(match).code or "").split("\n")[0].strip()


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
