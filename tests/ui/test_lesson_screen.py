"""The lesson screen, by pressing keys: walking, marks, questions, runs."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from textual.pilot import Pilot

from tests.ui.conftest import explained, lines, screen_of, text
from tests.ui.recordings import (
    CELLS,
    LESSON,
    SCRIPT,
    STEPS,
    TAUGHT,
    FakeSession,
    frames_of,
    runner,
    timeline_of,
    training,
    two_paths,
    viewer,
)
from tutor.trace import events as ev
from tutor.ui.app import GradtutorApp
from tutor.ui.panes.code import CodePane

SIZE = (120, 40)


async def open_all(pilot: Pilot[int]) -> None:
    """Answer the question, and stand at step 16: the first node of the backward pass has run."""
    await pilot.press("end", "5", "enter", "b", "right")
    await pilot.pause()


def row(app: GradtutorApp, *parts: str) -> str:
    """The line of the screen with these words."""
    matches = [line for line in lines(app) if all(part in line for part in parts)]
    assert matches, f"no line with {parts} in\n{text(app)}"
    return matches[0]


async def test_the_first_screen_says_where_one_is_and_what_to_press() -> None:
    app = viewer(two_paths())
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        shown = lines(app)
        assert "gradtutor › graph › Two paths to one leaf" in shown[0]
        assert "cpu" in shown[0]
        assert f"step 0/{STEPS}" in shown[0]
        assert "for the first step" in explained(app)
        assert "q quit" in shown[-1]
        screen_of(app)


async def test_forward_and_back_through_the_backward_pass() -> None:
    app = viewer(two_paths())
    async with app.run_test(size=(120, 40)) as pilot:
        await open_all(pilot)
        assert "graph · backward pass 1 · node 1 of 5 · boxes" in text(app)
        await pilot.press("v", "v")
        await pilot.pause()
        assert "graph · backward pass 1 · node 1 of 5 · lanes" in text(app)
        assert "◂ new" in row(app, "add", "a  = 3")
        assert "∇ 2" in row(app, "add", "a  = 3")
        assert "▶mul" in row(app, "y  = 6")
        assert "∇ –" in row(app, "leaf", "w  = 1")
        assert "(2)" in row(app, " a ", "3", "Add")
        assert row(app, "y.backward()", "▶")
        for step in range(17, 22):
            await pilot.press("right")
            await pilot.pause()
            assert f"step {step}/{STEPS}" in lines(app)[0]
        assert "∇ 5 = 3 + 2" in row(app, "leaf", "w  = 1")
        assert row(app, " w ", " 5 ")
        assert row(app, "○─╯", "mul")
        for _ in range(7):
            await pilot.press("left")
        await pilot.pause()
        assert "forward" in next(line for line in text(app).splitlines() if "╮╭─ graph" in line)
        assert " 5 " not in row(app, " w ", "f32")
        screen_of(app)


async def test_the_statement_and_the_part_that_ran_look_different() -> None:
    app = viewer(two_paths())
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("end", "s", "right")
        await pilot.pause()
        code = screen_of(app).code
        shown = {role for painted in code._shown for piece, role in painted if piece.strip() == "x + w"}
        around = {role for painted in code._shown for piece, role in painted if piece.startswith("a =")}
        assert {tuple(role.split()) for role in shown} == {("code", "statement", "here")}
        assert {tuple(role.split()) for role in around} == {("code", "statement")}


async def test_a_question_holds_the_cursor_and_hides_what_is_ahead() -> None:
    app = viewer(two_paths(), TAUGHT)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("end")
        await pilot.pause()
        screen = screen_of(app)
        assert screen.model.cursor == 6
        assert "what will w.grad hold?" in text(app)
        assert "the sum of both paths" not in text(app)
        assert "y.backward()" in text(app)  # the cell that is asked about
        assert "print(w.grad" not in text(app)
        await pilot.press("right")
        await pilot.pause()
        assert screen.model.cursor == 6
        assert "s skips it" in text(app)
        await pilot.press("g", "2", "0", "enter")
        await pilot.pause()
        assert screen.model.cursor == 6
        await pilot.press("s")
        await pilot.pause()
        await pilot.press("right")
        await pilot.pause()
        assert screen.model.cursor == 9
        assert "skipped" in text(app)
        await pilot.press("end")
        await pilot.pause()
        assert screen.model.cursor == STEPS


@pytest.mark.parametrize(("answer", "verdict"), [("5", "5 ✓ right"), ("4", "4 ✗ the run gives 5")])
async def test_an_answer_is_compared_once_the_run_has_told(answer: str, verdict: str) -> None:
    app = viewer(two_paths(), TAUGHT)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("end", *answer, "enter")
        await pilot.pause()
        assert "go on and see" in text(app)
        await pilot.press("right", "right")
        await pilot.pause()
        assert verdict not in text(app)
        await pilot.press("pagedown", "left")
        await pilot.pause()
        screen_of(app).lesson.scroll_rows(-100)
        await pilot.pause()
        assert verdict in text(app)


async def test_what_is_no_answer_is_told_and_asked_again() -> None:
    app = viewer(two_paths(), TAUGHT)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("end", "enter", *"five", "enter")
        await pilot.pause()
        assert "An answer is a number" in text(app)
        assert screen_of(app).model.asking
        await pilot.press("escape")
        await pilot.pause()
        assert screen_of(app).focused is screen_of(app).lesson


@pytest.mark.parametrize(
    ("question", "options", "typed", "message", "answer"),
    [
        ("line", {}, "None", "The answer is a line from 6 to 9.", "9"),
        ("line", {}, "10", "The answer is a line from 6 to 9.", "6"),
        ("choice", {"en": ["one", "two"], "zh": ["一", "二"]}, "3", "Choose a number from 1 to 2.", "2"),
    ],
)
async def test_what_is_no_answer_to_this_question_is_asked_again(
    question: str, options: dict[str, list[str]], typed: str, message: str, answer: str
) -> None:
    cells = [{**cell, "question": question, "options": options} if "question" in cell else cell for cell in CELLS]
    app = viewer(two_paths(msgspec.structs.replace(LESSON, cells=cells)), TAUGHT)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("end", "enter", *typed, "enter")
        await pilot.pause()
        assert message in text(app)
        assert screen_of(app).model.asking
        screen_of(app).ask.value = ""
        await pilot.press(answer, "enter")
        await pilot.pause()
        assert not screen_of(app).model.asking


@pytest.mark.parametrize("typed", ["nan", "NaN", "inf", "-inf", "Inf"])
async def test_nan_and_inf_can_be_typed_without_a_key_before(typed: str) -> None:
    app = viewer(two_paths(), TAUGHT)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("end", *typed)
        await pilot.pause()
        assert screen_of(app).ask.value == typed
        await pilot.press("enter")
        await pilot.pause()
        assert screen_of(app).model.study.answers[2][0] == typed


async def test_keys_that_lead_nowhere_begin_no_answer() -> None:
    app = viewer(two_paths(), TAUGHT)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("end", "n", "n", "i", "i")
        await pilot.pause()
        assert screen_of(app).ask.value == ""
        assert screen_of(app).focused is not screen_of(app).ask


async def test_answers_are_kept_for_the_next_time() -> None:
    for first in (True, False):
        app = viewer(two_paths(), TAUGHT)
        async with app.run_test(size=SIZE) as pilot:
            await pilot.press("end")
            await pilot.pause()
            assert screen_of(app).model.asking == first
            if first:
                await pilot.press("5", "enter")
            await pilot.pause()


async def test_letters_are_text_in_an_input() -> None:
    app = viewer(two_paths(), TAUGHT)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("end", "enter", "q", "s", "n", "left", "slash", "pageup")
        await pilot.pause()
        screen = screen_of(app)
        assert screen.ask.value == "qs/n"
        assert screen.model.cursor == 6
        await pilot.press("tab")
        await pilot.pause()
        assert screen.focused is screen.code


async def test_statements_cells_and_passes_are_walked() -> None:
    app = viewer(two_paths())
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("end", "s", "home")
        await pilot.pause()
        screen = screen_of(app)
        seen = [screen.model.cursor]
        for key in ("n", "n", "p", "]", "n", "b", "i", "o", "[", "["):
            await pilot.press(key)
            await pilot.pause()
            seen.append(screen.model.cursor)
        assert seen == [0, 4, 6, 4, 7, 10, 15, 16, 21, 7, 1]
        await pilot.press("left", "left")
        await pilot.pause()
        assert screen.model.cursor == 0
        assert "this is the beginning" in text(app)


async def test_iterations_are_walked_and_counted_in_the_title() -> None:
    app = viewer(training(), SCRIPT)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("g", *"iteration 3", "enter")
        await pilot.pause()
        assert "code · iteration 3" in text(app)
        await pilot.press("}")
        await pilot.pause()
        assert "code · iteration 4" in text(app)
        assert "epoch = 3" in text(app)
        await pilot.press("{", "{")
        await pilot.pause()
        assert "code · iteration 2" in text(app)
        screen_of(app)


async def test_the_graph_of_the_next_turn_is_no_backward_pass() -> None:
    app = viewer(training(), SCRIPT)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("g", *"pass 3", "enter", "o")
        await pilot.pause()
        assert "graph · backward pass 3 · node 2 of 2" in text(app)
        await pilot.press("n", "n", "n")
        await pilot.pause()
        assert "pass 3" in text(app)
        await pilot.press("v")
        await pilot.pause()
        assert "forward" in next(line for line in text(app).splitlines() if "╮╭─ graph" in line)


async def test_the_chart_marks_the_cursor_and_says_what_it_leaves_out() -> None:
    app = viewer(training(), SCRIPT)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("g", *"pass 3", "enter")
        await pilot.pause()
        assert "chart · loss = 3 · 1 nan or inf · pass 3 of 20" in text(app)
        assert not {"code", "lesson"} & {tab.name for tab in screen_of(app).code.tabs}


async def test_find_goes_to_code_and_to_output_and_on() -> None:
    app = viewer(two_paths())
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("end", "s", "home", "slash", *"w + 1", "enter")
        await pilot.pause()
        screen = screen_of(app)
        assert screen.model.cursor == 10
        await pilot.press("enter")
        await pilot.pause()
        assert screen.model.cursor == 11
        await pilot.press("escape", "slash", *"[RED]", "enter")
        await pilot.pause()
        assert screen.model.cursor == 24
        await pilot.press("escape", "slash", *"nowhere", "enter")
        await pilot.pause()
        assert "not found" in text(app)


@pytest.mark.parametrize(
    ("typed", "step"), [("12", 12), ("step 3", 3), ("line 7", 11), ("cell 2", 22), ("pass 1", 15), ("end", STEPS)]
)
async def test_go_to(typed: str, step: int) -> None:
    app = viewer(two_paths())
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("end", "s", "g", *typed, "enter")
        await pilot.pause()
        assert screen_of(app).model.cursor == step


async def test_go_to_nowhere_is_told() -> None:
    app = viewer(two_paths())
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("g", *"999", "enter")
        await pilot.pause()
        assert "There is no step 999" in text(app)


async def test_tab_goes_round_and_z_zooms() -> None:
    app = viewer(two_paths())
    async with app.run_test(size=SIZE) as pilot:
        screen = screen_of(app)
        seen = []
        for _ in range(6):
            await pilot.press("tab")
            await pilot.pause()
            seen.append(getattr(screen.focused, "NAME", None))
        assert seen == ["code", "output", "graph", "tensors", "chart", "lesson"]
        await pilot.press("tab", "z")
        await pilot.pause()
        assert screen.code.size.width == SIZE[0]
        assert not screen.graph.display
        await pilot.press("tab", "escape")
        await pilot.pause()
        assert screen.graph.display


async def test_a_narrow_terminal_has_lesson_code_graph_and_tensors_in_view() -> None:
    app = viewer(two_paths())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        screen = screen_of(app)
        places = {name: pane.region for name, pane in screen.panes.items() if pane.display}
        assert set(places) == {"lesson", "code", "graph", "tensors"}
        for key in ("right", "right", "right", "end", "s", "end"):
            await pilot.press(key)
            await pilot.pause()
            assert {name: pane.region.offset for name, pane in screen.panes.items() if pane.display} == {
                name: region.offset for name, region in places.items()
            }
        await pilot.press("shift+tab", "tab")  # away from the lesson and to it, which grows
        await pilot.pause()
        assert screen.lesson.size.height > places["lesson"].height
        await pilot.click("#code", offset=(10, 0))
        await pilot.pause()
        assert screen.output.display
        assert not screen.code.display
        assert screen.output.size.height > places["code"].height
        await pilot.resize_terminal(50, 12)
        await pilot.pause()
        assert "needs 60x16" in text(app)
        await pilot.resize_terminal(120, 40)
        await pilot.pause()
        assert screen.lesson.display
        assert screen.code.display
        screen_of(app)


async def test_details_of_a_tensor_a_node_and_a_step() -> None:
    app = viewer(two_paths())
    async with app.run_test(size=SIZE) as pilot:
        await open_all(pilot)
        await pilot.press("tab", "tab", "down", "enter")
        await pilot.pause()
        assert "gradients that it sends on" in text(app)
        await pilot.press("escape", "escape", "tab", "down", "enter")
        await pilot.pause()
        assert "requires grad" in text(app)
        await pilot.press("escape", "escape", "enter")
        await pilot.pause()
        assert "y.backward()" in text(app)
        assert "kind" in text(app)
        await pilot.press("escape", "?")
        await pilot.pause()
        assert "the next backward pass" in text(app)


async def test_the_mouse_picks_a_step_and_a_pane() -> None:
    app = viewer(two_paths())
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("end", "s")
        await pilot.click("#timebar", offset=(118, 0))
        await pilot.pause()
        assert screen_of(app).model.cursor == STEPS
        before = screen_of(app).graph.region
        await pilot.click("#graph", offset=(10, 3))
        await pilot.pause()
        assert screen_of(app).focused is screen_of(app).graph
        assert screen_of(app).graph.region.height > before.height  # as by Tab


async def test_play_walks_by_itself_and_stops_at_the_end() -> None:
    app = viewer(two_paths())
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("end", "s", "g", *"23", "enter", ">", ">", ">", "space")
        screen = screen_of(app)
        for _ in range(200):
            await pilot.pause(0.02)
            if screen.model.cursor == STEPS and not screen.timebar.playing:
                break
        assert screen.model.cursor == STEPS
        assert not screen.timebar.playing


async def test_a_key_that_does_nothing_is_not_shown() -> None:
    app = viewer(two_paths())
    async with app.run_test(size=(200, 60)) as pilot:
        await pilot.pause()
        footer = lines(app)[-1]
        assert "run again" not in footer
        assert "stop" not in footer
        assert "turn" not in footer
        assert "out" not in footer
        await open_all(pilot)
        assert "o out" in lines(app)[-1]


# ---------------------------------------------------------------- runs


async def test_the_screen_is_up_before_torch_and_says_what_it_waits_for() -> None:
    session = FakeSession(two_paths(), hold=0)
    app = runner(session)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause(0.1)
        assert "importing torch" in lines(app)[0]
        assert "importing torch" in explained(app)
        await pilot.press("right", "z", "tab", "?", "escape")
        session.go_on.set()
        await pilot.pause(0.2)
        assert f"/{STEPS}" in lines(app)[0]
        assert "importing" not in text(app)
    assert session.closed


async def test_end_follows_a_program_that_runs() -> None:
    session = FakeSession(training(), hold=5)
    app = runner(session, SCRIPT)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause(0.1)
        screen = screen_of(app)
        await pilot.press("end")
        await pilot.pause()
        before = screen.model.cursor
        assert before == screen.model.timeline.steps
        session.go_on.set()
        await pilot.pause(0.3)
        assert screen.model.cursor == screen.model.timeline.steps > before


async def test_x_stops_and_r_runs_again() -> None:
    session = FakeSession(training(), hold=5)
    app = runner(session, SCRIPT)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause(0.1)
        assert "x stop" in lines(app)[-1]
        await pilot.press("x")
        await pilot.pause(0.2)
        assert "stopped" in lines(app)[0]
        assert "r run again" in lines(app)[-1]
        await pilot.press("end", "r")
        await pilot.pause(0.3)
        assert "stopped" not in lines(app)[0]
        assert screen_of(app).model.cursor == 0
        assert screen_of(app).model.timeline.run_end is not None


async def test_a_worker_that_died_is_told_at_its_last_step() -> None:
    died = [
        *training(2)[:-3],
        ev.CellEnd(1, "died"),
        ev.RunEnd("died", 137, "the process died of SIGKILL at loop.py:3"),
    ]
    app = runner(FakeSession(died), SCRIPT)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause(0.1)
        assert "died" in lines(app)[0]
        await pilot.press("end")
        await pilot.pause()
        assert "SIGKILL at loop.py:3 · r runs again" in explained(app)
        assert app.status() == 1


async def test_a_file_that_cannot_be_run_ends_the_screen() -> None:
    session = FakeSession([])
    session.refused = ev.RunEnd("refused", 2, "wrong.py:1: invalid syntax")
    app = runner(session, SCRIPT)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause(0.1)
    assert app.return_code == 2
    assert app.exit_message == "wrong.py:1: invalid syntax"


async def test_a_growing_recording_is_the_same_as_a_whole_one() -> None:
    whole, grown = timeline_of(training()), timeline_of([])
    for frame in frames_of(training(), 7):
        grown.feed(frame)
    for timeline in (whole, grown):
        app = GradtutorApp(SCRIPT, lessons=Path("lessons"), timeline=timeline)
        async with app.run_test(size=SIZE) as pilot:
            await pilot.press("g", *"40", "enter")
            await pilot.pause()
            if timeline is whole:
                expected = text(app)
            else:
                assert text(app) == expected


async def test_enter_on_a_leaf_shows_the_paths_that_its_gradient_came_over() -> None:
    app = viewer(two_paths(), TAUGHT)
    async with app.run_test(size=SIZE) as pilot:
        await open_all(pilot)
        await pilot.press("o", "left", "tab", "tab", *["up"] * 5, "down", "enter")
        await pilot.pause()
        assert "y → a → w:  1 × 2 × 1 = 2" in text(app)
        assert "y → b → w:  1 × 3 × 1 = 3" in text(app)
        assert "2 + 3 = 5" in text(app)
        await pilot.press("escape")


async def test_a_list_is_typed_from_its_first_bracket_on() -> None:
    app = runner(FakeSession(two_paths()), TAUGHT)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("end")
        await pilot.pause(0.1)
        screen = screen_of(app)
        assert screen.model.asking
        await pilot.press("[", "5", "]")
        await pilot.pause(0.1)
        assert screen.ask.value == "[5]"
        await pilot.press("enter", "end", "[")
        await pilot.pause(0.1)
        assert screen.model.timeline.cell(screen.model.cursor) == 3
        assert not screen.ask.has_focus


def test_a_code_pane_without_a_run_has_no_row_to_bring_into_view() -> None:
    assert CodePane().in_view() is None


async def test_a_part_of_a_secret_is_never_shown_in_clear() -> None:
    """What was typed is dropped with the question, if that or the next one is for a secret."""
    session = FakeSession(two_paths(), hold=1)
    app = runner(session, SCRIPT)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        screen = screen_of(app)
        screen.reply.value = "half"
        for secret, kept in ((False, "half"), (False, "half"), (True, ""), (True, ""), (False, "")):
            session.waiting = ev.Waiting("next? ", secret)
            screen.place_prompt()
            assert screen.reply.display
            assert (screen.reply.value, screen.reply.password) == (kept, secret)
            screen.reply.value = "half"
        session.stopped.set()
