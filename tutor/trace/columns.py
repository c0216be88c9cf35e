"""The recording's table of contents: what is known of every step, series, pass and cell without decoding a frame."""

from __future__ import annotations

from array import array

import msgspec

from tutor.trace.events import (
    STEP_KINDS,
    Answer,
    Checked,
    Document,
    Figure,
    Gap,
    Meta,
    OptimizerStep,
    RunEnd,
    Saved,
    Source,
    Warned,
)
from tutor.trace.state import SiteInfo

KIND_NAMES: tuple[str, ...] = ("", *(kind.kind or "" for kind in STEP_KINDS))
"""The name of a step's kind, by its number."""
KIND_NUMBERS: dict[str, int] = {name: number for number, name in enumerate(KIND_NAMES)}
_OP = KIND_NUMBERS["op"]
_CUT = KIND_NUMBERS["cut"]
NO_STOP = 255
"""In `stops`: not a step that `n` and `p` stop at."""
STOP_KINDS = frozenset(KIND_NUMBERS[name] for name in ("line", "cell_end", "failed", "cut"))


class Columns:
    """Per step, from step 1 at place 0."""

    def __init__(self) -> None:
        self.kinds = bytearray()
        self.depths = bytearray()
        """Of operations: how many composites of torch's stand around."""
        self.stops = bytearray()
        """Of lines, ends of cells and failures: the frame's depth, at most 254. Of all else: NO_STOP."""
        self.frame_depths = array("H")
        """How many of the learner's frames are on the stack, the module's included."""
        self.sites = array("I")
        self.iterations = array("I")
        """The turn of the innermost loop, from 1; 0 where there is none."""
        self._operations = array("I")

    def __len__(self) -> int:
        return len(self.kinds)

    @property
    def cut(self) -> int | None:
        """The step at which the recording was full; None where it is whole."""
        return self.kinds.find(_CUT) + 1 or None

    def operation(self, number: int) -> int | None:
        """The step of the `number`-th operation, from 1; None where there are not so many."""
        found = self._operations
        while len(found) < number:
            at = self.kinds.find(_OP, found[-1] if found else 0)
            if at < 0:
                return None
            found.append(at + 1)
        return found[number - 1] if number > 0 else None

    def back(self, step: int, inside: int | None = None) -> int | None:
        """Return the step before this one, over those deeper in composites than `inside` (as deep as this step, if None)."""
        depth = inside
        if depth is None:
            depth = self.depths[step - 1] if 1 <= step <= len(self.depths) else 0
        place = last_at_most(self.depths, depth, step - 1)
        return None if place is None else place + 1

    def append(self, kind: int, depth: int, frame_depth: int, site: int, iteration: int) -> None:
        """One more step."""
        self.kinds.append(kind)
        self.depths.append(min(max(depth, 0), 255))
        self.stops.append(min(frame_depth, NO_STOP - 1) if kind in STOP_KINDS else NO_STOP)
        self.frame_depths.append(min(frame_depth, 0xFFFF))
        self.sites.append(site if 0 <= site <= 0xFFFFFFFF else 0)
        self.iterations.append(min(max(iteration, 0), 0xFFFFFFFF))


class Point(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A value in a series: at which step, the how-manieth from 0."""

    step: int
    x: int
    value: float


class PassInfo(msgspec.Struct, array_like=True, gc=False):
    """A backward pass: from its `Backward` to its `BackwardEnd` (None: it has none yet)."""

    number: int
    start_step: int
    end_step: int | None = None


class CellInfo(msgspec.Struct, array_like=True, gc=False):
    """A code cell that ran: from its `CellStart` to its `CellEnd`, outcome None while it runs."""

    cell: int
    start: int
    end: int | None = None
    outcome: str | None = None
    note: str = ""


class Printed(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Text printed after this step and before the next; `length` of all output with it."""

    step: int
    stream: str
    text: str
    length: int


class Aside(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A warning, figure, answer, gap or optimizer's step, and the step after which it came."""

    step: int
    event: Warned | Figure | Answer | Checked | Gap | OptimizerStep


class Summary(msgspec.Struct, array_like=True, gc=False):
    """All of it, as it is written at the end of a file."""

    kinds: bytes
    depths: bytes
    stops: bytes
    frame_depths: bytes
    sites: bytes
    iterations: bytes
    document: Document | None
    sources: list[Source]
    site_infos: list[SiteInfo]
    metas: list[Meta]
    series: dict[str, list[Point]]
    passes: list[PassInfo]
    cells: list[CellInfo]
    turns: dict[int, bytes]
    printed: list[Printed]
    asides: list[Aside]
    run_end: RunEnd | None
    notices: list[str]
    saved: list[Saved] = []


def first_at_most(column: bytearray, most: int, start: int) -> int | None:
    """The first place from `start` on that holds at most `most`."""
    best, end = None, len(column)
    for value in range(most + 1):
        found = column.find(value, max(start, 0), end)
        if found >= 0:
            best = end = found
    return best


def last_at_most(column: bytearray, most: int, end: int) -> int | None:
    """The last place before `end` that holds at most `most`."""
    best, start = None, 0
    for value in range(most + 1):
        found = column.rfind(value, start, max(end, 0))
        if found >= 0:
            best = start = found
    return best
