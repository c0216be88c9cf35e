"""What a program, a lesson or a recording says is shown as it is, and never obeyed."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sampling import count
from tests.trace.conftest import chance_events
from tests.ui.conftest import text
from tests.ui.recordings import SCRIPT, TAUGHT, timeline_of, two_paths, viewer
from tutor.trace import events as ev
from tutor.ui.panes.base import Surface
from tutor.ui.render.segments import ASCII, Row, terminal_glyphs
from tutor.ui.screens.lesson import LessonScreen
from tutor.ui.theme import palette


async def test_markup_chinese_and_escape_sequences_are_text() -> None:
    app = viewer(two_paths(), TAUGHT)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        assert "w[i] and [red]" in text(app)
        await pilot.press("end", "s", "end", "left")
        await pilot.pause()
        shown = text(app)
        assert "tensor([5.]) [red]w[i][/red] 梯度 ␛[31m" in shown
        assert 'print(w.grad, "[red]w[i][/red]", "梯度", "\\x1b' in shown
        assert "warning: UserWarning" in shown
        assert "\x1b" not in shown


async def test_odd_names_and_messages_are_text() -> None:
    events = two_paths(ev.Document("[red]x[/red]\x1b[2J", {"en": "[b]标题[/b]\x1b]0;owned\x07"}, [], {}, "cuda:[0]"))
    events[-1] = ev.RunEnd("died", 137, "[bold]it died[/bold]\x1b[31m")
    app = viewer(events, SCRIPT)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("end")
        await pilot.pause()
        shown = text(app)
        assert "[b]标题[/b]␛]0;owned␇" in shown
        assert "cuda:[0]" in shown
        assert "[bold]it died[/bold]␛[31m" in shown


class _Odd(Surface):
    """Draws a text that a terminal would obey."""

    def rows(self, width: int, height: int) -> list[Row]:
        return [(("a\x1b]2;owned\x07\tb\x9b31m\u202e", "plain"), ("c", "strong"))]


async def test_whatever_a_pane_draws_is_harmless() -> None:
    app = viewer(two_paths(), SCRIPT)
    async with app.run_test(size=(120, 40)) as pilot:
        odd = _Odd()
        odd.styles.height = 1
        await app.screen.mount(odd)
        await pilot.pause()
        odd.paint()
        (strip,) = odd.render_lines(odd.size.region)
        assert strip.text.rstrip() == "a␛]2;owned␇ b�31m·c"


@pytest.mark.parametrize(("encoding", "term"), [("ANSI_X3.4-1968", "xterm-256color"), ("UTF-8", "linux")])
async def test_in_a_terminal_without_unicode_all_is_ascii(
    encoding: str, term: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("locale.getencoding", lambda: encoding)
    monkeypatch.setenv("TERM", term)
    terminal_glyphs.cache_clear()
    palette.cache_clear()
    try:
        app = viewer(two_paths(), TAUGHT)
        async with app.run_test(size=(120, 40)) as pilot:
            await pilot.press("end", "5", "enter", "b", "right", "right")
            await pilot.pause()
            assert text(app).isascii()
            assert app.screen.query_one("#graph").glyphs is ASCII  # type: ignore[attr-defined]
            await pilot.press("?")
            await pilot.pause()
            assert text(app).isascii()
    finally:
        terminal_glyphs.cache_clear()
        palette.cache_clear()


@settings(max_examples=count(4, 12), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_any_recording_can_be_walked(data: st.DataObject) -> None:
    chance = data.draw(st.randoms(use_true_random=False))
    timeline = timeline_of(chance_events(chance.randint, 60))
    app = viewer([], SCRIPT)
    app.timeline = timeline
    size = data.draw(st.sampled_from([(60, 16), (80, 24), (130, 40)]))
    async with app.run_test(size=size) as pilot:
        screen = app.screen
        assert isinstance(screen, LessonScreen)
        for step in range(0, timeline.steps + 1, max(timeline.steps // 12, 1)):
            screen.go_to(step)
            await pilot.pause()
            assert [pane.failure for pane in screen.panes.values()] == [None] * len(screen.panes), step
