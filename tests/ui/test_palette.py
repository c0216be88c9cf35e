"""The palette: every action with its key, the lessons, the steps and the names, each reached by typing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from textual import actions
from textual.geometry import Region
from textual.pilot import Pilot
from textual.screen import Screen

from tests.ui.conftest import screen_of, text
from tests.ui.recordings import SCRIPT, TAUGHT, FakeSession, timeline_of, training, two_paths, viewer
from tutor import paths
from tutor.lesson.forms import Form
from tutor.lesson.model import Knob
from tutor.study.runs import Runs
from tutor.trace.timeline import Timeline
from tutor.ui.app import GradtutorApp
from tutor.ui.bindings import KEYS, PANE_KEYS, keys_of
from tutor.ui.palette import Command, Commands, Palette
from tutor.ui.panes.base import Pane
from tutor.ui.screens.editor import Editor
from tutor.ui.screens.form import FormScreen
from tutor.ui.screens.glossary import glossary_sheet
from tutor.ui.screens.help import HelpSheet
from tutor.ui.screens.knobs import Knobs
from tutor.ui.screens.lesson import LessonScreen
from tutor.ui.screens.lesson_list import LIST_KEYS, LessonsScreen
from tutor.ui.screens.runs import RunsScreen

SIZE = (120, 40)


async def choose(pilot: Pilot[int], typed: str) -> None:
    """Open the palette, type, and take the first row."""
    await pilot.press("colon")
    await pilot.press(*typed)
    assert isinstance(pilot.app.screen, Palette)
    await pilot.press("enter")  # at once, as one types
    for _ in range(200):
        await pilot.pause(0.02)
        if not isinstance(pilot.app.screen, Palette):
            break
    await pilot.pause()


def offered(app: GradtutorApp, query: str = "") -> list[Command]:
    """Return the rows for a query; without one, those at first."""
    provider = Commands(app.screen)
    if not query:
        return [*provider._problems(), *provider._actions()]
    return [command for command, _score in provider._matching(query, provider.matcher(query))]


@pytest.mark.parametrize("screen", ["lesson", "list"])
async def test_every_action_is_offered_with_its_key(screen: str) -> None:
    is_list = screen == "list"
    app = GradtutorApp(None, lessons=Path("lessons")) if is_list else viewer(training(), SCRIPT)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        keys = [command.key for command in offered(app)]
        wanted = [key for key in (LIST_KEYS if is_list else KEYS) if key.about and key.id != "palette"]
        assert [key.shown for key in wanted if key.shown not in keys] == []
        assert len(wanted) >= 10


def runs() -> Runs:
    result = Runs()
    result.add(FakeSession(two_paths()), "first")  # type: ignore[arg-type]
    return result


DIALOGS: dict[str, Callable[[], Screen[Any]]] = {
    "list": lambda: LessonsScreen(Path("lessons"), "en"),
    "editor": lambda: Editor("cell", "x = 1", "x = 0", lambda: Region(0, 0, 80, 20), hint=lambda: None),
    "knobs": lambda: Knobs({"lr": Knob("lr", "number", 0.1, 1, 5, 8)}, {}),
    "form": lambda: FormScreen(
        "order", Form("order", "order", ("a", "b"), ("a", "b")), "", timeline_of(two_paths()), 1
    ),
    "runs": lambda: RunsScreen(runs()),
    "help": lambda: HelpSheet(None, KEYS),
    "glossary": lambda: glossary_sheet(["leaf"]),
}


@pytest.mark.parametrize("name", DIALOGS)
async def test_each_action_of_a_dialog_is_run_from_the_palette(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    app = GradtutorApp(None, lessons=Path("lessons"))
    async with app.run_test(size=SIZE) as pilot:
        app.push_screen(DIALOGS[name]())
        await pilot.press("ctrl+p")
        assert isinstance(app.screen, Palette)
        await pilot.press("escape")
        screen = app.screen
        keys = [key for key in keys_of(screen) if key.id != "palette"]
        for key in keys:
            namespace, action, _parameters = actions.parse(key.command)
            owner = GradtutorApp if namespace == "app" else type(screen)
            monkeypatch.setattr(owner, f"action_{action}", partial(note, calls, action), raising=False)
        assert len(keys) > 3
        for key in keys:
            (command,) = [command for command in offered(app) if (command.key, command.text) == (key.shown, key.about)]
            calls.clear()
            result = command.run()
            assert asyncio.iscoroutine(result)
            await result
            assert calls == [actions.parse(key.command)[1]]


async def test_each_action_is_run_from_the_palette_as_by_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    app = viewer(training(2), SCRIPT)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        for key in KEYS:
            namespace, name, _parameters = actions.parse(key.command)
            owner = GradtutorApp if namespace == "app" else Pane if key.id in PANE_KEYS else LessonScreen
            monkeypatch.setattr(owner, f"action_{name}", partial(note, calls, name))
        monkeypatch.setattr(LessonScreen, "action_explain", lambda _self, name: calls.append(name))
        for key in KEYS:
            if not key.about or key.id == "palette":
                continue
            (command,) = [command for command in offered(app) if command.text == key.about]
            calls.clear()
            result = command.run()
            assert asyncio.iscoroutine(result)
            await result
            assert calls in ([key.id], [actions.parse(key.command)[1]])


def note(calls: list[str], name: str, *_given: object) -> None:
    calls.append(name)


async def test_an_action_is_found_by_a_word_or_its_key_and_run() -> None:
    app = viewer(training(), SCRIPT)
    async with app.run_test(size=SIZE) as pilot:
        screen = screen_of(app)
        await choose(pilot, "next statement")
        assert screen.model.cursor == 4
        await choose(pilot, "End")
        assert screen.model.cursor == screen.model.limit


async def test_a_step_is_reached_by_a_place_or_a_piece_of_code_and_a_name_by_typing_it() -> None:
    app = viewer(training(), SCRIPT)
    async with app.run_test(size=SIZE) as pilot:
        screen = screen_of(app)
        await choose(pilot, "iteration 3")
        assert screen.model.timeline.state(screen.model.cursor).frames[-1].iterations == {3: 3}
        await choose(pilot, "loss.backward()")
        assert screen.model.timeline.view(screen.model.cursor).code == "loss.backward()"
        await choose(pilot, "w: every")
        assert screen.details.asked is not None
        assert screen.details.asked[0] == "tensor"


async def test_what_a_question_hides_is_not_offered() -> None:
    app = viewer(two_paths(), TAUGHT)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        limit = screen_of(app).model.limit
        assert limit < 14
        assert not [command for command in offered(app, "y.backward()") if command.key == "code"]
        assert not [command for command in offered(app, "20") if command.key == "g"]
        assert [command for command in offered(app, str(limit)) if command.key == "g"]


async def test_a_lesson_is_opened_from_the_list_and_from_a_lesson() -> None:
    app = GradtutorApp(None, lessons=Path("lessons"), factory=lambda _: FakeSession(two_paths()))  # type: ignore[arg-type,return-value]
    async with app.run_test(size=SIZE) as pilot:
        await choose(pilot, "tensors/first-look")
        assert isinstance(app.screen, LessonScreen)
        assert app.screen.model.target.name == "tensors/first-look"
        await choose(pilot, "graph/two-paths")
        assert app.screen.model.target.name == "graph/two-paths"
        assert sum(isinstance(screen, LessonsScreen) for screen in app.screen_stack) == 1


async def test_the_theme_is_in_the_palette_and_nothing_found_is_said() -> None:
    app = viewer(training(), SCRIPT)
    async with app.run_test(size=SIZE) as pilot:
        await choose(pilot, "theme: light")
        assert app.theme == "gradtutor-light"
        await pilot.press("colon", *"zzzz")
        await pilot.pause(0.2)
        assert "nothing has this name" in text(app)
        await pilot.press("escape")
        await pilot.press("g", "colon")
        assert screen_of(app).prompt.value == ":"  # in a field a colon is text


async def test_theme_language_speed_and_views_are_there_the_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    app = viewer(training(), SCRIPT)
    async with app.run_test(size=SIZE) as pilot:
        await choose(pilot, "theme: light")
        await pilot.press("end", "greater_than_sign", "L", "v")
        await pilot.pause()
        speed, view = screen_of(app).timebar.speed, screen_of(app).graph.views.wanted
        await pilot.press("L")
        await pilot.pause()
    app = viewer(training(), SCRIPT)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        assert app.theme == "gradtutor-light"
        assert (screen_of(app).timebar.speed, screen_of(app).graph.views.wanted) == (speed, view)
        assert app.settings.get("language") == "en"
    monkeypatch.setenv("GRADTUTOR_THEME", "dark")
    assert viewer(training(), SCRIPT).theme == "gradtutor-dark"  # the environment comes first


async def test_every_action_can_be_asked_for_before_anything_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a picture is written too
    app = GradtutorApp(SCRIPT, lessons=Path("lessons"), timeline=Timeline())
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        for key in KEYS:
            if key.action.startswith("app.") or key.id in ("play", "leave"):
                continue
            await pilot.press(key.keys.split(",")[0])
            await pilot.press("escape")
        assert offered(app, "step") is not None
        assert screen_of(app).model.cursor == 0


async def test_the_screen_is_written_as_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    app = viewer(two_paths(), TAUGHT)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("right", "E")
        await pilot.pause()
        (path,) = tmp_path.glob("*.svg")
        assert path.name == f"gradtutor-graph-two-paths-step-{screen_of(app).model.cursor}.svg"
        assert path.name in text(app)
        assert "requires_grad" in path.read_text("utf-8")
        path.unlink()
        path.mkdir()
        await pilot.press("E")
        await pilot.pause()
        assert "cannot be written: Is a directory" in text(app)


async def test_settings_that_cannot_be_used_are_told_on_the_screen(home: Path) -> None:
    file = paths.settings_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text('{"theme": "purple"}')
    for app in (viewer(training(2), SCRIPT), GradtutorApp(None, lessons=Path("lessons"))):
        async with app.run_test(size=SIZE) as pilot:
            await pilot.pause()
            assert "settings that are ignored: theme" in text(app)
