"""Record a part of a program: from a place on (`--from`), in the calls of a function (`--only`), up to a number of
iterations (`--for`) or steps (`--steps`).

Before the part the program runs unrecorded, in a gap as between two iterations of the training loop. Where the place
is outside of functions, all loops but those around it, and all functions, run as plain twins; a place in a function is
found by the recorder's calls, and they do nothing else. Behind the part the recording is cut, as past the budget.
"""

from __future__ import annotations

import ast
import sys
import types
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any

from tutor.recorder.callbacks import RESUMABLE, FrameRecorder
from tutor.recorder.variables import Frame
from tutor.trace.command import STATEMENT, CrashLocation
from tutor.trace.events import Gap
from tutor.trace.selection import CodeLine, Part

_GAP = Gap.__struct_config__.tag
_SCALARS = (int, float, str, bool)
_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef


class RecordedPart:
    """Begins the gaps before and between what is recorded, and ends them.

    Args:
        frames: Runs the program's statements.
        location: Has the statement that runs.
        cut: Ends the recording, for a reason.

    Attributes:
        part: What is recorded.
        line_of: Returns where a statement of the program begins; None for one of another file.
    """

    def __init__(self, frames: FrameRecorder, location: CrashLocation, cut: Callable[[str], Any]) -> None:
        self._frames = frames
        self._kept = frames.kept
        self._location = location.numbers
        self.part = Part()
        self.line_of: Callable[[int], CodeLine | None] = lambda site: None
        self._lines: frozenset[CodeLine] | None = None
        """The lines of the loops around the place; None: it may be in any."""
        self._is_reached = self._is_waiting = self._is_resumable = False
        self._path = ""
        self._sites: dict[int, bool] = {}
        """By statement: whether the part begins with it."""
        self._hits = 0
        self._call: Frame | None = None
        """The call of the function that is recorded."""
        self._kept.cut = cut

    def choose(self, part: Part, path: str, texts: Mapping[int, str]) -> None:
        """Record this part of the program at `path`, with these texts: of a script by 0, of a notebook by its cells."""
        self._path = path
        self.part = part
        self._kept.most = part.iterations
        self._is_waiting = bool(part.line or part.name or part.is_mark or part.function)
        if part.function:
            self._kept.is_part = self._is_function
            self._frames.begins_part, self._frames.on_left = self.enters, self._left
            self._frames.on_entered = self.entered
            self._lines = frozenset()
        elif self._is_waiting:
            self._lines = _loops_around(texts, part)

    def begin_cell(self, script: Frame | None) -> None:
        """Wait for the part from the beginning of a cell on."""
        if self._is_waiting and self._call is None and script is not None:
            self._wait(script)

    def _wait(self, frame: Frame) -> None:
        self._is_waiting = True
        self._kept.wait(frame, "only" if self.part.function else "from", self._lines)
        frames, part = self._frames, self.part
        if part.line:
            frames.on_unrecorded_line = self._at_line
        elif part.name:
            note, frames.on_name_stored = frames.on_name_stored, None

            def stored(name: str, value: Any) -> None:
                if note is not None:
                    note(name, value)
                self._stored(name, value)

            frames.on_name_stored = stored

    def _begin(self, python: types.FrameType | None) -> None:
        """Record from here on."""
        self._is_waiting, self._is_reached = False, True
        self._frames.on_unrecorded_line = None
        self._kept.place = (self.part.function and self._statement_in(python)) or self._location[STATEMENT]
        self._kept.end(python)
        self._frames.current = self._frames.find(python)

    def _statement_in(self, python: types.FrameType | None) -> int:
        """Return the site of the statement from which the learner's code calls; 0 if there is none. Plain twins do not
        report theirs."""
        site = 0
        while python is not None and not site:
            site = self._frames.calls.statement_at(python.f_code, python.f_lasti)
            python = python.f_back
        return site

    def _at_line(self) -> None:
        site = self._location[STATEMENT]
        is_place = self._sites.get(site)
        if is_place is None:
            is_place = self._sites[site] = self.line_of(site) == self.part.line
        if is_place and self._kept.gap is not None:
            self._hits += 1
            if self._hits == self.part.count:
                self._begin(sys._getframe(2))

    def _stored(self, name: str, value: Any) -> None:
        if name != self.part.name or type(value) not in _SCALARS or not self._kept.gap:
            return
        awaited = self.part.value
        if value == awaited and (type(value) is bool) == (type(awaited) is bool):  # 1 == True
            self._begin(sys._getframe(3))

    def marked(self, python: types.FrameType) -> None:
        """Note that the program has come to a `breakpoint()`."""
        if self._is_waiting and self.part.is_mark and self._kept.gap is not None:
            self._begin(python)

    def _is_function(self, code: types.CodeType) -> bool:
        """Return whether a function is the one of which calls are recorded.

        Generators and coroutines are not: what runs between their steps is the caller's.
        """
        if not self.part.is_function(code.co_qualname):
            return False
        path = code.co_filename
        if not PurePath(self._path if path.startswith(f"{self._path}, cell ") else path).match(self.part.file):
            return False
        if code.co_flags & RESUMABLE:
            self._is_resumable = True
            return False
        return True

    def enters(self, python: types.FrameType) -> bool:
        """Begin with a call of the function, if this is one; return whether it is recorded."""
        if not self._is_waiting or not self.part.function or not self._is_function(python.f_code):
            return False
        self._begin(python.f_back)
        return True

    def entered(self, frame: Frame) -> None:
        """Note that the call that was begun with is in this frame."""
        if self._call is None and self.part.function:
            self._call = frame

    def _left(self, frame: Frame) -> None:
        """Note that a recorded function is left."""
        if frame is self._call and self._kept.may_begin():
            self._call = None
            script = self._frames.script
            if script is not None and self._frames.on:
                self._wait(script)

    def close(self, append: Callable[[Any], None]) -> None:
        """Say, at the end of the program, that the part has never begun."""
        if self._is_waiting and not self._is_reached:
            append((_GAP, 0, "resumable" if self._is_resumable else "never", 0, self.part.text))


def _loops_around(texts: Mapping[int, str], part: Part) -> frozenset[CodeLine] | None:
    """Return the lines of the loops around the place where a part begins; None if it is, or may be, in a function."""
    loops: set[CodeLine] = set()
    is_met = False
    waiting: list[tuple[int, ast.AST, tuple[CodeLine, ...], bool]] = []
    for cell, text in texts.items():
        try:
            waiting.append((cell, ast.parse(text), (), False))
        except (SyntaxError, ValueError, RecursionError, MemoryError):  # that is said when it runs
            return None
    while waiting:
        cell, node, around, is_inside = waiting.pop()
        if isinstance(node, ast.For | ast.While):
            around = (*around, CodeLine(node.lineno, cell))
        if _is_place(node, cell, part):
            if is_inside:
                return None
            is_met = True
            loops.update(around)
        is_inside = is_inside or isinstance(node, _FUNCTIONS)
        waiting += [(cell, child, around, is_inside) for child in ast.iter_child_nodes(node)]
    return frozenset(loops) if is_met else None


def _is_place(node: ast.AST, cell: int, part: Part) -> bool:
    if part.line:
        return isinstance(node, ast.stmt) and CodeLine(node.lineno, cell) == part.line
    if part.name:
        return isinstance(node, ast.Name) and node.id == part.name and isinstance(node.ctx, ast.Store)
    return isinstance(node, ast.Name) and node.id == "breakpoint"
