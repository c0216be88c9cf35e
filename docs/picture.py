"""Draws the picture in the README from the real app: `python docs/picture.py`. Run it again when the screen changes."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path

PICTURE = Path(__file__).parent / "lesson.svg"
LESSON = "graph/two-paths"
NODE = "MulBackward0"
SIZE = (120, 36)
PATIENCE = 60.0


async def draw() -> str:
    """The lesson, walked to its first node of the backward pass, as SVG."""
    from tutor.lesson.catalog import resolve
    from tutor.paths import lessons_dir
    from tutor.session.session import Session
    from tutor.session.worker_process import Workers
    from tutor.ui.app import GradtutorApp
    from tutor.ui.screens.lesson import LessonScreen

    target, workers = resolve(LESSON, lessons_dir()), Workers()
    app = GradtutorApp(
        target, lessons=lessons_dir(), factory=lambda one: Session(one, workers=workers), workers=workers
    )  # fmt: skip
    try:
        async with app.run_test(size=SIZE) as pilot:
            screen = app.screen
            assert isinstance(screen, LessonScreen)
            end = time.monotonic() + PATIENCE
            while screen.model.running and time.monotonic() < end:
                await pilot.pause(0.05)
            await pilot.press("end")
            while screen.model.asking:
                await pilot.press("5", "enter")
                await pilot.pause()
            timeline = screen.model.timeline
            step = next(n for n in range(1, timeline.steps) if getattr(timeline.event(n), "kind", "") == "node")
            await pilot.press("g", *str(step), "enter")
            await pilot.pause(0.2)
            picture = app.export_screenshot(title="gradtutor")
            assert NODE in picture, f"{NODE} is not on the screen at step {step}"
            return picture
    finally:
        await app.close_sessions()


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        os.environ["XDG_DATA_HOME"] = home  # nobody's progress
        os.environ.pop("NO_COLOR", None)
        os.environ.update(TERM="xterm-256color", COLORTERM="truecolor", GRADTUTOR_THEME="dark", HOME=home)
        PICTURE.write_text(asyncio.run(draw()), encoding="utf-8")
    print(f"wrote {PICTURE}")


if __name__ == "__main__":
    main()
