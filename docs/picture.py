"""Draws the pictures in the README from the real app: `python docs/picture.py`. Run it when the screen changes."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

DOCS = Path(__file__).parent
SIZE = (120, 40)
PATIENCE = 60.0


class Picture(NamedTuple):
    """A picture: what is opened, the kind of step it is walked to, and a text that must be on the screen there."""

    file: str
    target: str
    kind: str
    text: str


PICTURES = (
    Picture("lesson.svg", "graph/two-paths", "node", "MulBackward0"),
    Picture("network.svg", str(DOCS.parent / "tests/networks/scripts/micro_gpt.py"), "backward_end", "blocks[0]"),
)


async def draw(wanted: Picture) -> str:
    """Return the screen as SVG."""
    from tutor.lesson.catalog import resolve
    from tutor.paths import lessons_dir
    from tutor.session.session import Session
    from tutor.session.worker_process import Workers
    from tutor.ui.app import GradtutorApp
    from tutor.ui.screens.lesson import LessonScreen

    target, workers = resolve(wanted.target, lessons_dir()), Workers()
    app = GradtutorApp(
        target, lessons=lessons_dir(), factory=lambda opened: Session(opened, workers=workers), workers=workers
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
            step = next(number for number in range(1, timeline.steps) if timeline.kind(number) == wanted.kind)
            await pilot.press("g", *str(step), "enter")
            await pilot.pause(0.2)
            picture = app.export_screenshot(title="gradtutor")
            assert wanted.text in picture, f"{wanted.text} is not on the screen at step {step}"
            return picture
    finally:
        await app.close_sessions()


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        os.environ["XDG_DATA_HOME"] = home  # no progress of the user's
        os.environ.pop("NO_COLOR", None)
        os.environ.update(TERM="xterm-256color", COLORTERM="truecolor", GRADTUTOR_THEME="dark", HOME=home)
        for wanted in PICTURES:
            (DOCS / wanted.file).write_text(asyncio.run(draw(wanted)), encoding="utf-8")
            print(f"wrote {wanted.file}")


if __name__ == "__main__":
    main()
