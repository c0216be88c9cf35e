"""Entry point of the screen: check that the terminal can show it, and run the app."""

from __future__ import annotations

import asyncio
import contextlib
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
    """Return why this terminal cannot show the screen, and what to use instead; None where it can."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return _("there is no terminal here. --plain walks without one; `gradtutor steps` and `show` print.")
    if os.environ.get("TERM", "") in ("", "dumb", "unknown"):
        return _("this terminal cannot draw a screen (TERM is dumb or not set). --plain walks without one.")
    from tutor.ui.layout import LEAST, too_small

    with contextlib.suppress(OSError):
        width, height = os.get_terminal_size(sys.stdout.fileno())
        if width and height and too_small(width, height):  # 0: not known
            size, least = f"{width}x{height}", f"{LEAST[0]}x{LEAST[1]}"
            return _(
                "this terminal has {size} cells; the screen needs {least}. --plain needs none.", size=size, least=least
            )
    return None


def run(
    target: Target | None,
    *,
    lessons_dir: Path,
    session_factory: Callable[[Target], Session],
    workers: Workers | None = None,
    timeline: Timeline | None = None,
    language: str = "en",
    images: str = "none",
) -> int:
    """Run the app until it exits, and return the exit status.

    A target that cannot run at all ends the app, with the reason on standard error.

    Args:
        target: What to open; None shows the list of lessons.
        lessons_dir: The folder of the lessons.
        session_factory: Makes the session that runs a target.
        workers: Keeps a worker process on standby, so that a run starts at once.
        timeline: A recording to show instead of a run of `target`.
        language: The language of the interface.
        images: The protocol by which the terminal shows pictures: kitty, sixel or none.
    """
    gc.disable()  # until the screen is shown: nothing imported until then is garbage
    from tutor.study.progress import Store
    from tutor.ui.app import GradtutorApp
    from tutor.ui.terminal import SIGNAL_GRACE, exit_after

    app = GradtutorApp(
        target, lessons=lessons_dir, factory=session_factory, workers=workers, timeline=timeline, language=language,
        images=images,
    )  # fmt: skip

    async def main() -> None:
        try:
            await app.run_async()
        finally:
            await app.close_sessions()  # the terminal is restored by now

    try:
        asyncio.run(main())
    finally:
        # A thread that writes to a closed terminal may hang, and Python would wait for it.
        if app.exit_timer is not None:
            app.exit_timer.cancel()
        exit_after(SIGNAL_GRACE, 1 if sys.exc_info()[0] is not None else app.return_code or 0)
    if app.exit_message:
        print(f"gradtutor: {app.exit_message}", file=sys.stderr)
    if Store.unkept is not None:
        print(f"gradtutor: {Store.unkept}", file=sys.stderr)
    return app.return_code or 0
