"""Reading and being asked: what has the arrows, what stays in view, and what the keys say at a question."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.ui.conftest import ended, explained, lines, opened, screen_of, text
from tests.ui.recordings import CELLS, LESSON, TAUGHT, two_paths, viewer
from tutor.paths import progress_dir

QUESTION = CELLS[2]
LONG = {"en": "\n\n".join(f"Line {number} of a long question." for number in range(1, 6)) + "\n\nWhat is `w.grad`?"}


@pytest.mark.parametrize("key", ["right", "end", "]", "b", "n"])
async def test_no_key_goes_past_a_question_in_silence(key: str) -> None:
    app = viewer(two_paths(), TAUGHT)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("end")
        await pilot.pause()
        await pilot.press(key)
        await pilot.pause()
        assert screen_of(app).model.cursor == 6
        assert "first the question: Enter answers it, s skips it" in text(app)


async def test_where_one_types_letters_are_no_keys() -> None:
    app = viewer(two_paths(), TAUGHT)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("end")
        await pilot.pause()
        assert "s skip" in lines(app)[-1]
        assert "b pass" not in lines(app)[-1]
        await pilot.press("enter")
        await pilot.pause()
        assert lines(app)[-1].split() == ["Enter", "answer", "Esc", "back"]
        await pilot.press("escape", "g")
        await pilot.pause()
        assert lines(app)[-1].split() == ["Enter", "go", "to", "Esc", "back"]


async def test_the_arrows_are_for_the_prose_while_one_reads() -> None:
    app = viewer(two_paths(), TAUGHT)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        screen = screen_of(app)
        assert screen.lesson.has_focus
        await pilot.press("right")
        await pilot.pause()
        assert screen.code.has_focus
        await pilot.press("tab", "right")  # who has chosen a pane stays there
        await pilot.pause()
        chosen = screen.focused
        assert chosen not in (screen.lesson, screen.code)
        await pilot.press("end")
        await pilot.pause()
        assert screen.focused is chosen


async def test_a_long_question_is_seen_whole_when_one_comes_to_it() -> None:
    cells = [{**cell, "text": LONG} if cell is QUESTION else cell for cell in CELLS]
    app = viewer(two_paths(msgspec.structs.replace(LESSON, cells=cells)), TAUGHT)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press(*["right"] * 6)
        await pilot.pause()
        assert screen_of(app).model.asking
        assert "Line 1 of a long question." in text(app)
        assert "What is w.grad?" in text(app)


async def test_a_question_that_does_not_fit_is_seen_up_to_its_end() -> None:
    longer = {"en": "\n\n".join([LONG["en"]] * 3)}
    cells = [{**cell, "text": longer} if cell is QUESTION else cell for cell in CELLS]
    app = viewer(two_paths(msgspec.structs.replace(LESSON, cells=cells)), TAUGHT)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(*["right"] * 6)
        await pilot.pause()
        assert not screen_of(app).question_card.display  # what asks fits
        assert "lesson · more above ─" in text(app)
        assert "What is w.grad?" in text(app)
        await pilot.press(*["up"] * 20)
        await pilot.pause()
        assert "more below" in text(app)


OPTIONS = {"en": [f"Option {number}, {'which takes some words to say, ' * 2}and ends here." for number in range(1, 4)]}


async def test_a_choice_too_long_for_the_lesson_is_a_card_over_panes_that_stay_where_they_are() -> None:
    asks = {"question": "choice", "text": {"en": "Some words.\n\nWhat comes next?"}, "options": OPTIONS}
    cells = [{**cell, **asks} if cell is QUESTION else cell for cell in CELLS]
    app = viewer(two_paths(msgspec.structs.replace(LESSON, cells=cells)), TAUGHT)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("right")
        await pilot.pause()
        screen = screen_of(app)
        before = {name: pane.region[:3] for name, pane in screen.panes.items() if pane.display}
        assert not screen.question_card.display
        await pilot.press("end")
        await pilot.pause()
        assert {name: pane.region[:3] for name, pane in screen.panes.items() if pane.display} == before
        assert "╭─ question" in text(app)
        assert screen.code.region.y >= screen.question_card.region.bottom
        for part in ("What comes next?", "Option 1", "Option 2", "Option 3", "a number from 1 to 3"):
            assert part in text(app)
        await pilot.press("escape")
        await pilot.pause()
        assert "lesson · more above ─" in text(app)
        assert "╭─ question" not in text(app)
        await pilot.press("left", "right")
        await pilot.pause()
        assert screen.question_card.display
        screen._regions["lesson"] = screen._regions["lesson"].split_horizontal(1)[0]  # as beside the card of a problem
        screen._place_question()
        assert not screen.question_card.display  # it would be its frame alone
        await pilot.press(*["tab"] * 4)
        await pilot.pause()
        assert screen.graph.has_focus
        assert not screen.question_card.display  # one looks at what it covers


async def test_the_tensors_that_the_card_of_a_question_covers_are_below_it() -> None:
    cells = [{**cell, "text": {"en": "What is w.grad now, " * 20}} if cell is QUESTION else cell for cell in CELLS]
    app = viewer(two_paths(msgspec.structs.replace(LESSON, cells=cells)), TAUGHT)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = screen_of(app)
        screen.tensors.focus()
        await pilot.press("plus", "plus")
        screen.lesson.focus()
        await pilot.press("end")
        await pilot.pause()
        card, tensors = screen.question_card.region, screen.tensors.region
        assert screen.question_card.display
        assert (tensors.y, tensors.bottom) == (card.bottom, screen.code.region.bottom)
        shown = [line[tensors.x :] for line in lines(app)[tensors.y : tensors.bottom]]
        assert any(line.startswith("│   w ") for line in shown), shown
        await pilot.press("escape")
        await pilot.pause()
        assert screen.tensors.region.y < tensors.y


async def test_no_wide_character_of_a_card_is_lost_at_the_edge_of_a_pane_beneath() -> None:
    asks = {"question": "choice", "text": {"en": "Which?"}, "options": {"en": ["数" * 33] * 3}}
    cells = [{**cell, **asks} if cell is QUESTION else cell for cell in CELLS]
    app = viewer(two_paths(msgspec.structs.replace(LESSON, cells=cells)), TAUGHT)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("end")
        await pilot.pause()
        assert screen_of(app).question_card.display
        assert text(app).count("数") == 3 * 33
        assert all(line.endswith("│") for line in lines(app) if "数" in line)


async def test_enter_after_an_answer_leads_to_the_verdict_which_stays_beside_the_next_question() -> None:
    cells = [*CELLS[:5], {**QUESTION, "index": 5, "of": "x.grad"}, CELLS[5]]
    app = viewer(two_paths(msgspec.structs.replace(LESSON, cells=cells)), TAUGHT)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("end", "4", "enter")
        await pilot.pause()
        assert "press → and see; Enter shows it at once" in text(app)
        assert "Enter see at once" in lines(app)[-1]
        await pilot.press("enter")
        await pilot.pause()
        assert "✗ you said 4, the run gives 5" in explained(app)
        await pilot.press("right")
        await pilot.pause()
        assert "✗ you said 4, the run gives 5" in explained(app)
        assert "first the question: Enter answers it, s skips it" in " ".join(explained(app).split())


async def test_a_second_question_about_the_same_begins_empty() -> None:
    cells = [*CELLS[:3], {**QUESTION, "index": 3}, *CELLS[3:]]
    app = viewer(two_paths(msgspec.structs.replace(LESSON, cells=cells)), TAUGHT)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("end", "5", "enter")
        await pilot.pause()
        screen = screen_of(app)
        assert screen.model.asking
        assert screen.ask.value == ""


TWO = """\
# ---
# jupyter:
#   gradtutor:
#     title: {en: "Two"}
# ---

# %% [markdown] question="predict" of="a" lang="en"
# What is `a`?

# %% [markdown] question="predict" of="b" lang="en"
# And `b`, which is `a + 1`?

# %%
a = 1
b = a + 1  # a comment that makes this line longer than there is room for it at eighty columns, so that it is cut
"""


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [("1", "2", "right: 1 · right: 2"), ("1", "3", "you said 3"), ("4", "2", "you said 4")],
)
async def test_two_questions_are_told_together(
    tmp_path: Path, home: Path, first: str, second: str, message: str
) -> None:
    async with opened(tmp_path, TWO, size=(80, 24)) as (pilot, screen):
        await pilot.press("end", *first, "enter", *second, "enter")
        await pilot.pause()
        assert f"{second} — go on" in text(pilot.app)
        await pilot.press("end")
        await pilot.pause()
        await pilot.press("left", "right")
        await pilot.pause()
        assert screen.model.timeline.kind(screen.model.cursor) == "cell_end"
        assert message in text(pilot.app)
        screen.code.focus()
        at = next(at for at in range(screen.code.count()) if "b = a" in str(screen.code.row(at, 60)))
        screen.code.choose(at)
        await pilot.pause()
        assert "line 15: b = a + 1 # a comment that makes this line longer" in explained(pilot.app)


async def test_a_marked_line_that_is_cut_is_told_until_the_next_step(tmp_path: Path, home: Path) -> None:
    async with opened(tmp_path, TWO, size=(80, 24)) as (pilot, screen):
        await pilot.press("end", "s", "s", "home", "right")
        await pilot.pause()
        screen.code.focus()
        at = next(at for at in range(screen.code.count()) if "b = a" in str(screen.code.row(at, 60)))
        screen.code.choose(at)
        await pilot.pause()
        assert "line 15: b = a + 1" in explained(pilot.app)
        await pilot.press("right")
        await pilot.pause()
        assert screen.model.timeline.kind(screen.model.cursor) == "line"
        assert "line 15: b = a + 1" not in explained(pilot.app)


async def test_short_code_in_options_has_spaces_that_every_terminal_knows(tmp_path: Path, home: Path) -> None:
    lesson = TWO.replace(
        'question="predict" of="a" lang="en"\n# What is `a`?',
        'question="choice" of="2" lang="en"\n# Which?\n#\n# 1. `a - 1` it is\n# 2. `a + 1`',
    )
    async with opened(tmp_path, lesson, size=(80, 24)) as (pilot, _):
        await pilot.press("end")
        await pilot.pause()
        assert "1  a - 1 it is" in text(pilot.app)


LOOP = """\
# ---
# jupyter:
#   gradtutor:
#     title: {en: "Loop"}
# ---

# %%
import torch

k = 2.0  # @param {type: number, min: 0, max: 9}
w = torch.ones(2, requires_grad=True)
for turn in range(2):
    if turn:
        loss = (k * w).sum()
    else:
        loss = w.sum()
loss.backward()
"""


async def test_what_is_looked_for_is_found_in_its_own_line(tmp_path: Path, home: Path) -> None:
    async with opened(tmp_path, LOOP) as (pilot, screen):
        await pilot.press("home", "slash", *"k * w", "enter")
        await pilot.pause()
        view = screen.model.timeline.view(screen.model.cursor)
        assert view.site is not None
        assert view.site.span[0] == 14


async def test_a_gradient_that_differs_from_the_other_run_is_told(tmp_path: Path, home: Path) -> None:
    async with opened(tmp_path, LOOP) as (pilot, screen):
        await pilot.press("end", "k", *["delete"] * 5, "5", "enter")
        await ended(pilot, screen)
        # w is the same; its gradient is k: 5 now, 2 before.
        assert "∇+3" in text(pilot.app)


async def test_progress_that_cannot_be_kept_is_told_beside_the_answer(tmp_path: Path, home: Path) -> None:
    folder = progress_dir()
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("no folder")
    async with opened(tmp_path, TWO, size=(120, 30)) as (pilot, _):
        await pilot.press("end", "1", "enter", "2", "enter")
        await pilot.pause()
        await pilot.press("end")
        await pilot.pause()
        assert "right: 1 · right: 2 · Progress is not kept: File exists" in text(pilot.app)
