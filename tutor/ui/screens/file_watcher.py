"""A file that is saved while it is open is run again, and the learner stays where they stood."""

from __future__ import annotations

import os
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from tutor.i18n import _
from tutor.trace.navigation import counterpart
from tutor.ui.render.segments import clean

if TYPE_CHECKING:
    from tutor.session.session import Session
    from tutor.ui.screens.lesson import LessonScreen

LOOK = 0.5
"""Seconds between two looks at the file."""
PATIENCE = 2.0
"""Seconds after which a run that goes on takes the screen, wherever it has come to."""


class Reloader:
    """Watches the file of a lesson screen."""

    def __init__(self, screen: LessonScreen) -> None:
        self.screen = screen
        self._path = screen.target.path
        self._seen = _stamp(self._path)

    def start(self) -> None:
        """Looks at the file from now on; a recording's never changes what was recorded."""
        if self.screen.session is not None:
            self.screen.set_interval(LOOK, self.look)

    def look(self) -> None:
        """Run the file again if it was saved since."""
        screen = self.screen
        if screen.session is None or not screen.is_current:
            return  # somebody edits on another screen: later
        stamp = _stamp(self._path)
        if stamp is None or stamp == self._seen:
            return
        self._seen = stamp
        session = screen.owner.again(screen.session)
        screen.run_worker(self._record(session), group="session", exclusive=True)

    async def _record(self, session: Session) -> None:
        screen = self.screen
        began = monotonic()

        def arrived() -> None:
            if screen.session is not session and session.timeline.steps and monotonic() - began > PATIENCE:
                self._take(session)
            if screen.session is session:
                screen.arrived()

        try:
            await session.run(arrived)
        finally:
            await session.close()
        if session.refused is not None:
            # The folder is known, and would leave no room for what is wrong.
            screen.say((clean(session.refused.note.replace(str(self._path), self._path.name)), "error"))
            return
        if screen.session is not session:
            self._take(session)
        screen.owner.prepare()
        screen.arrived()
        screen.soon()

    def _take(self, session: Session) -> None:
        """The new run is on the screen, at the moment at which the learner stood in the old one."""
        screen, before, step = self.screen, self.screen.timeline, self.screen.cursor
        cell = before.cell(step) if step else None
        found = counterpart(before, step, session.timeline) if step else 0
        if found is None:  # that statement is gone: the beginning of its cell
            found = next((info.start for info in session.timeline.cells if info.cell == cell), session.timeline.steps)
        screen.study.remap_answers(before.document, session.timeline.document)
        screen.runner.renew(session)
        screen.lesson.forget()
        screen.study.reset_run()
        screen.study.furthest = found
        screen.arrived()
        screen.cursor = found
        screen.say((_("the file was saved, and has run again"), "quiet"))


def _stamp(path: Path) -> tuple[int, int] | None:
    """Changes with each save; None while an editor has the file out of the way."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
