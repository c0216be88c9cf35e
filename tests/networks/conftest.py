"""Recordings of the networks, the true answers of plain runs, and their walks on the screen."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.ui.conftest import english, home, parsed, settled  # noqa: F401 - fixtures that every test of the screen has
from tests.worker.recording import Forker
from tests.worker.servers import run_python
from tutor.lesson.catalog import Target
from tutor.trace.timeline import Timeline
from tutor.ui.app import GradtutorApp
from tutor.ui.screens.lesson import LessonScreen

SCRIPTS = Path(__file__).parent / "scripts"
NETWORKS = tuple(sorted(path.stem for path in SCRIPTS.glob("*.py")))
Answers = Callable[[str], dict[str, Any]]
Recorded = Callable[[str], Timeline]


@pytest.fixture(scope="session")
def answers() -> Answers:
    """The answers of a plain run of a network, in a process that knows nothing of gradtutor."""

    @cache
    def answers_of(name: str) -> dict[str, Any]:
        program = str(Path(__file__).with_name("plain_answers.py"))
        status, printed, errors = run_python([program, str(SCRIPTS / f"{name}.py")], dict(os.environ))
        assert status == 0, errors
        found: dict[str, Any] = json.loads(printed)
        return found

    return answers_of


@pytest.fixture(scope="session")
def recorded(record: Forker) -> Recorded:
    """The recording of a network, made once."""

    @cache
    def recording_of(name: str) -> Timeline:
        recording = record(SCRIPTS / f"{name}.py")
        assert (recording.status, recording.stderr) == (0, "")
        return recording.timeline

    return recording_of


@asynccontextmanager
async def walk(timeline: Timeline, name: str, size: tuple[int, int]) -> AsyncIterator[tuple[Pilot[int], LessonScreen]]:
    """The screen on a recording, before its first step, with nothing left to ask."""
    app = GradtutorApp(
        Target("trace", Path(f"{name}.trace"), f"{name}.trace"), lessons=Path("lessons"), timeline=timeline
    )
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, LessonScreen)
        for _ in screen.model.gate.questions:
            await pilot.press("end", "s")
        await pilot.press("home")
        await pilot.pause()
        yield pilot, screen


async def go_to(pilot: Pilot[int], step: int) -> None:
    """Type the number of a step."""
    await pilot.press("g", *str(step), "enter")
    await pilot.pause()
