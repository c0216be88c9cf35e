"""The way in: whether this terminal can show a screen, and the screen from its start to its end."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tutor.i18n import _

if TYPE_CHECKING:
    from tutor.lesson.catalog import Target
    from tutor.session.session import Session
    from tutor.session.worker_process import Workers
    from tutor.trace.timeline import Timeline


def refusal() -> str | None:
    """Why there can be no full screen here, and what to do instead; None where there can."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return _("there is no terminal here. --plain walks without one; `gradtutor steps` and `show` print.")
    if os.environ.get("TERM", "") in ("", "dumb", "unknown"):
        return _("this terminal cannot draw a screen (TERM is dumb or not set). --plain walks without one.")
    return None


def run(
    target: Target | None,
    *,
    lessons_dir: Path,
    session_factory: Callable[[Target], Session],
    workers: Workers | None = None,
    timeline: Timeline | None = None,
    language: str = "en",
) -> int:
    """Show the list of lessons, or open `target`; the exit status.

    `timeline` is a recording to be walked instead of a run; `workers` has a process standing by, so that a run starts
    at once. A target that cannot be run at all ends the screen, with the reason on standard error.
    """
    gc.disable()  # until the screen is there: what is imported now stays anyway
    from tutor.study.progress import Store
    from tutor.ui.app import GradtutorApp
    from tutor.ui.terminal import GRACE, end_by_force

    app = GradtutorApp(
        target, lessons=lessons_dir, factory=session_factory, workers=workers, timeline=timeline, language=language
    )

    async def main() -> None:
        try:
            await app.run_async()
        finally:
            await app.close_sessions()  # the terminal is clean by now; no process may stay

    try:
        asyncio.run(main())
    finally:
        # A thread that writes to a terminal that is gone may never end, and Python would wait for it.
        if app.last is not None:
            app.last.cancel()
        end_by_force(GRACE, 1 if sys.exc_info()[0] is not None else app.return_code or 0)
    if app.parting:
        print(f"gradtutor: {app.parting}", file=sys.stderr)
    if Store.unkept is not None:
        print(f"gradtutor: {Store.unkept}", file=sys.stderr)
    return app.return_code or 0
