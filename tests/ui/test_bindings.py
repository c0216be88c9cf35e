"""The table of keys: what it binds exists, the key line shows what does something now, and the rest says why not."""

from __future__ import annotations

import pytest
from textual import actions
from textual.binding import Binding, BindingsMap
from textual.dom import DOMNode

from tests.ui.conftest import lines, screen_of, text
from tests.ui.recordings import SCRIPT, TRACE, training, two_paths, viewer
from tutor.ui.app import GradtutorApp
from tutor.ui.bindings import BY_ID, KEY_LINE, KEYS, Key
from tutor.ui.details.pane import DetailsPane
from tutor.ui.panes.base import Pane
from tutor.ui.panes.chart import ChartPane
from tutor.ui.panes.graph.pane import GraphPane
from tutor.ui.panes.inputs import AnswerInput
from tutor.ui.screens.editor import Editor
from tutor.ui.screens.form import FormScreen
from tutor.ui.screens.help import HelpSheet
from tutor.ui.screens.knobs import Knobs
from tutor.ui.screens.lesson import LessonScreen
from tutor.ui.screens.lesson_list import LessonsScreen
from tutor.ui.screens.runs import RunsScreen
from tutor.ui.screens.sheet import Sheet

OWNERS: tuple[type[DOMNode], ...] = (
    LessonScreen, LessonsScreen, RunsScreen, Sheet, DetailsPane, Pane, GraphPane, ChartPane, AnswerInput,
    Editor, FormScreen, Knobs, HelpSheet,
)  # fmt: skip
SIZE = (120, 40)


@pytest.mark.parametrize("owner", OWNERS)
def test_each_binding_has_its_action(owner: type[DOMNode]) -> None:
    for _key, binding in BindingsMap(owner.BINDINGS):
        namespace, name, _parameters = actions.parse(binding.action)
        target = GradtutorApp if namespace == "app" else owner
        assert callable(getattr(target, f"action_{name}", None)), binding.action


def test_a_key_is_bound_once_and_in_the_key_line_once() -> None:
    assert len(BY_ID) == len(KEYS)
    assert len(set(KEY_LINE)) == len(KEY_LINE)
    assert set(KEY_LINE) == {key.id for key in KEYS if key.label}
    first = [binding.key for binding in LessonScreen.BINDINGS if isinstance(binding, Binding) and binding.id]
    names = [name for keys in first for name in keys.split(",")]
    assert [name for name in names if names.count(name) > 1] == [
        "enter"
    ] * 4  # an answer, its verdict, other numbers, details


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("left", "this is the beginning"),
        ("right_curly_bracket", "no further iteration"),
        ("o", "this is the outermost level"),
        ("i", "there is nothing to go into here"),
        ("x", "nothing runs"),
        ("s", "nothing is asked here"),
        ("H", "hints belong to exercises"),
        ("S", "solutions belong to exercises"),
        ("k", "this is a recording"),
        ("e", "this is a recording"),
        ("w", "there is one run so far"),
        ("c", "to chart a tensor put the mark on it"),
        ("u", "to ask who changed a tensor put the mark on it"),
        ("enter", "for the first step"),
        ("escape", "q quits"),
    ],
)
async def test_a_key_that_does_nothing_says_why(key: str, reason: str) -> None:
    app = viewer(two_paths(), TRACE)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press(key)
        await pilot.pause()
        assert reason in text(app)
        assert screen_of(app).model.cursor == 0


async def test_a_pane_has_keys_of_its_own_while_it_has_the_focus() -> None:
    app = viewer(training(), SCRIPT)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = screen_of(app)
        await pilot.press("end")
        await pilot.pause()
        assert "V detail" not in lines(app)[-1]
        for columns in (120, 80):  # they come before keys of the screen, but for the first
            await pilot.resize_terminal(columns, 40)
            for pane, keys in (("graph", ("v view", "V detail")), ("tensors", (", sort", "/ find"))):
                screen.show_pane(pane)
                await pilot.pause()
                for key in (*keys, "← → step", ": palette", "? help", "q quit"):
                    assert key in lines(app)[-1]
        await pilot.resize_terminal(120, 40)
        screen.show_pane("chart")
        await pilot.press("c")
        await pilot.pause()
        assert "nothing was added to the chart" in text(app)
        await pilot.press("v")
        await pilot.pause()
        assert "logarithmic axis" in text(app)
        before = screen.model.cursor
        await pilot.press("up")
        await pilot.pause()
        assert screen.model.timeline.pass_of(screen.model.cursor) is not None
        assert screen.model.cursor < before


async def test_a_click_on_the_key_line_presses_the_key() -> None:
    app = viewer(training(), SCRIPT)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        await pilot.click("#keyline", offset=(lines(app)[-1].index("line"), 0))
        await pilot.pause(0.1)
        assert screen_of(app).model.cursor == 4
        await pilot.click("#keyline", offset=(lines(app)[-1].index("help"), 0))
        await pilot.pause(0.1)
        assert isinstance(app.screen, Sheet)


@pytest.mark.parametrize("key", [key for key in KEYS if key.move is not None], ids=lambda key: key.id)
def test_a_key_that_moves_the_cursor_names_a_function(key: Key) -> None:
    assert key.move is not None
    move = key.move.load()
    assert callable(move.find)
    assert (move.nowhere, move.ahead) == (key.move.nowhere, key.move.ahead)


async def test_u_goes_from_change_to_change_of_the_marked_tensor_and_a_quotation_mark_back() -> None:
    app = viewer(training(), SCRIPT)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("end")
        screen = screen_of(app)
        screen.show_pane("tensors")
        await pilot.press("down")
        assert screen.selection is not None
        tensor, timeline, steps = screen.selection[1], screen.model.timeline, [screen.model.cursor]
        for _ in range(3):
            await pilot.press("u")
            await pilot.pause()
            steps.append(screen.model.cursor)
            changes = timeline.changed(steps[-1], steps[-1] - 1)
            assert tensor in changes.tensors | changes.grads
        assert steps == sorted(set(steps), reverse=True)
        await pilot.press("apostrophe", "apostrophe", "apostrophe")
        await pilot.pause()
        assert screen.model.cursor == steps[0]
        await pilot.press("u", "down")
        assert screen.selection is not None
        other, before = screen.selection[1], screen.model.cursor
        assert other != tensor
        await pilot.press("u")
        await pilot.pause()
        changes = timeline.changed(screen.model.cursor, screen.model.cursor - 1)
        assert screen.model.cursor < before
        assert other in changes.tensors | changes.grads


async def test_the_tensors_are_sorted_from_any_pane() -> None:
    app = viewer(training(), SCRIPT)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("right", "comma")
        await pilot.pause()
        assert screen_of(app).focused is screen_of(app).tensors
        assert screen_of(app).tensors.order == 1
        await pilot.press("comma")
        await pilot.pause()
        assert screen_of(app).tensors.order == 2
