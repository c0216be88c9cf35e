"""The way in: whether this terminal can show a screen, and the screen from its start to its end."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tutor.lesson.find import Target


def refusal() -> str | None:
    """Why there can be no full screen here, and what to do instead; None where there can."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return "there is no terminal here. --plain walks without one; `gradtutor steps` and `show` print."
    if os.environ.get("TERM", "") in ("", "dumb", "unknown"):
        return "this terminal cannot draw a screen (TERM is dumb or not set). --plain walks without one."
    return None


def run(
    target: Target | None,
    *,
    lessons: Path,
    language: str = "en",
    knobs: dict[str, str] | None = None,
    device: str | None = None,
    args: list[str] | None = None,
) -> int:
    """Show the list of lessons, or open `target`; the exit status.

    Knobs, device and arguments are for the target. One that cannot be run at all ends the screen, with the reason on
    standard error. Raises TraceError where a recording cannot be read.
    """
    from tutor.ui.app import GradtutorApp

    timeline = None
    if target is not None and target.kind == "trace":
        from tutor.trace.timeline import Timeline

        timeline = Timeline.load(target.path)
    app = GradtutorApp(
        target, lessons=lessons, timeline=timeline, language=language, knobs=knobs, device=device, args=args
    )

    async def main() -> None:
        try:
            await app.run_async()
        finally:
            await app.close_sessions()  # the terminal is clean by now; no process may stay

    asyncio.run(main())
    if app.parting:
        print(f"gradtutor: {app.parting}", file=sys.stderr)
    return app.return_code or 0
