"""Every test has a home of its own for progress, and knows what is on the screen as text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.app import App

from tests.worker.recording import Forker
from tutor.language import use


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


@pytest.fixture(scope="session")
def record(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forker]:
    """Records a script, or its text, in a process of its own."""
    forker = Forker(tmp_path_factory.mktemp("recorded"))
    yield forker
    forker.close()


def lines(app: App[int]) -> list[str]:
    """What is on the screen, as text."""
    height = app.size.height
    strips = app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip).rstrip() for strip in strips[:height]]


def text(app: App[int]) -> str:
    """The same in one piece."""
    return "\n".join(lines(app))
