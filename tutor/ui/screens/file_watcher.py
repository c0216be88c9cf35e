"""Runs a file again when it is saved while it is open; the cursor stays where it was."""

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

CHECK_INTERVAL = 0.5
"""Seconds between two checks of the file."""
SHOW_AFTER = 2.0
"""Seconds after which a run that takes longer is shown before its end."""


class FileWatcher:
    """Watches the file of a lesson screen."""

    def __init__(self, screen: LessonScreen) -> None:
        self.screen = screen
        self._path = screen.target.path
        self._last_stamp = _stamp(self._path)

    def start(self) -> None:
        """Begin to watch the file; a recording has none to watch."""
        if self.screen.session is not None:
            self.screen.set_interval(CHECK_INTERVAL, self.check_file)

    def check_file(self) -> None:
        """Run the file again if it was saved since the last check."""
        screen = self.screen
        if screen.session is None or not screen.is_current:
            return  # another screen is open: later
        stamp = _stamp(self._path)
        if stamp is None or stamp == self._last_stamp:
            return
        self._last_stamp = stamp
        session = screen.owner.rerun_with(screen.session)
        screen.run_worker(self._record(session), group="session", exclusive=True)

    async def _record(self, session: Session) -> None:
        """Record the new run, and show it at its end, or after a while."""
        screen = self.screen
        started = monotonic()

        def on_arrival() -> None:
            if screen.session is not session and session.timeline.steps and monotonic() - started > SHOW_AFTER:
                self._show_run(session)
            if screen.session is session:
                screen.recording_grew()

        try:
            await session.run(on_arrival)
        finally:
            await session.close()
        if session.refused is not None:
            # The folder is known, and would leave no room for the reason.
            screen.say((clean(session.refused.note.replace(str(self._path), self._path.name)), "error"))
            return
        if screen.session is not session:
            self._show_run(session)
        screen.owner.prepare()
        screen.recording_grew()
        screen.update_soon()

    def _show_run(self, session: Session) -> None:
        """Show the new run, at the moment that the cursor had reached in the old one."""
        screen, old_timeline, step = self.screen, self.screen.timeline, self.screen.cursor
        cell = old_timeline.cell(step) if step else None
        target = counterpart(old_timeline, step, session.timeline) if step else 0
        if target is None:  # the statement is gone: go to the beginning of its cell
            target = next((info.start for info in session.timeline.cells if info.cell == cell), session.timeline.steps)
        screen.study.remap_answers(old_timeline.document, session.timeline.document)
        screen.runner.replace_recording(session)
        screen.lesson.clear_cache()
        screen.study.reset_run()
        screen.study.furthest = target
        screen.recording_grew()
        screen.cursor = target
        screen.say((_("the file was saved, and has run again"), "quiet"))


def _stamp(path: Path) -> tuple[int, int] | None:
    """Return the modification time and size of the file; None while an editor has moved it away."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
