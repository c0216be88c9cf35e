"""Every test has a home of its own for progress, and knows what is on the screen as text."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import textual.app
import textual.pilot
from textual._context import active_app
from textual.app import App
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet
from textual.css.types import CSSLocation
from textual.pilot import Pilot

from tests.worker.servers import forked_workers
from tutor.i18n import use
from tutor.lesson.catalog import Target
from tutor.session.session import Session
from tutor.ui.app import GradtutorApp
from tutor.ui.screens.lesson import LessonScreen


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Progress is kept here; the terminal is one with colours and UTF-8, whatever runs the tests."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    for name in ("NO_COLOR", "COLORFGBG", "GRADTUTOR_THEME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    """No test leaves another language behind."""
    yield
    use("en")


async def settle(min_sleep: float = 0, max_sleep: float = 5) -> None:
    """Wait until nothing is left to run, the update of the screen and a change of its size included.

    Textual's `wait_for_idle` guesses that by the processor's time, and sleeps 40 ms for each key.
    """
    loop: Any = asyncio.get_running_loop()
    app = active_app.get()
    latest = monotonic() + max_sleep
    while monotonic() < latest:
        await asyncio.sleep(0)
        if loop._ready:
            continue
        if app._resize_event is not None:  # a timer takes it up
            await asyncio.sleep(1 / 120)
            continue
        app.screen._on_timer_update()
        await asyncio.sleep(0)
        if not loop._ready:
            return


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key is pressed as soon as all that the one before it has asked for is done."""
    for module in (textual.app, textual.pilot):
        monkeypatch.setattr(module, "wait_for_idle", settle)


_parse_rules = Stylesheet._parse_rules


@cache
def _parsed(
    variables: frozenset[tuple[str, str]], css: str, place: CSSLocation, default: bool, tie: int, scope: str
) -> list[RuleSet]:
    return _parse_rules(Stylesheet(variables=dict(variables)), css, place, default, tie, scope)


def parse_once(
    sheet: Stylesheet,
    css: str,
    read_from: CSSLocation,
    is_default_rules: bool = False,
    tie_breaker: int = 0,
    scope: str = "",
) -> list[RuleSet]:
    """As Textual parses rules, but those of all apps together."""
    return _parsed(frozenset(sheet._variables.items()), css, read_from, is_default_rules, tie_breaker, scope)


@pytest.fixture(autouse=True)
def parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The style sheets of one app are those of the next: each is parsed once."""
    monkeypatch.setattr(Stylesheet, "_parse_rules", parse_once)


def lines(app: App[int]) -> list[str]:
    """What is on the screen, as text."""
    height = app.size.height
    strips = app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip).rstrip() for strip in strips[:height]]


def text(app: App[int]) -> str:
    """The same in one piece."""
    return "\n".join(lines(app))


def screen_of(app: App[int]) -> LessonScreen:
    """The lesson's screen, none of whose panes has failed."""
    assert isinstance(app.screen, LessonScreen)
    assert [pane.failure for pane in app.screen.panes.values()] == [None] * len(app.screen.panes)
    return app.screen


def real(folder: Path, lesson: str, language: str = "en") -> GradtutorApp:
    """The app on this text as the lesson graph/one of a folder, run by a real worker."""
    path = folder / "graph" / "01-one.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(lesson, encoding="utf-8")
    workers = forked_workers()
    return GradtutorApp(
        Target("lesson", path, "graph/one"), lessons=folder, workers=workers, language=language,
        factory=lambda target: Session(target, workers=workers),
    )  # fmt: skip


@asynccontextmanager
async def opened(
    folder: Path, lesson: str, size: tuple[int, int] = (140, 44)
) -> AsyncIterator[tuple[Pilot[int], LessonScreen]]:
    """The same on the screen, when its run has ended."""
    app = real(folder, lesson)
    async with app.run_test(size=size) as pilot:
        await ended(pilot, screen_of(app))
        yield pilot, screen_of(app)
    await app.close_sessions()


async def ended(pilot: Pilot[int], screen: LessonScreen) -> None:
    """Waits until nothing runs any more."""
    for _ in range(600):
        await pilot.pause(0.05)
        if not screen.model.running:
            await pilot.pause(0.05)
            return
    raise AssertionError("the run did not end")


def explained(app: App[int]) -> str:
    """Return the explanation on the screen, with what runs next, on one line."""
    rows = screen_of(app).explain._shown
    return " ".join(" ".join("".join(text for text, _role in row) for row in rows).split())
