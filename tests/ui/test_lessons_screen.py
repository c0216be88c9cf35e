"""The list of lessons: what is there, what is next, what is done, and what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ui.conftest import lines, text
from tests.ui.recordings import FakeSession, two_paths
from tutor.lesson.catalog import Target
from tutor.study.progress import GivenAnswer, Progress, Store
from tutor.trace.events import Source
from tutor.ui.app import GradtutorApp
from tutor.ui.screens.lesson import LessonScreen

HEADER = """\
# ---
# jupyter:
#   gradtutor:
#     title: {{en: "{title}", zh: "课"}}
#     summary: {{en: "About [red]{title}[/red] and w[i]."}}
#     needs: {needs}
# ---

# %% [markdown] question="predict" of="x" lang="en"
# What?

# %%
x = 1
"""


@pytest.fixture
def lessons(tmp_path: Path) -> Path:
    """Three lessons in two families."""
    folder = tmp_path / "lessons"
    for name, title, needs in (("tensors/01-first", "First", "[]"), ("tensors/02-gpu", "Far", "[cuda]"),
                               ("graph/01-two", "Two [b]paths[/b]", "[]")):  # fmt: skip
        path = folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEADER.format(title=title, needs=needs), encoding="utf-8")
    return folder


def listed(folder: Path, language: str = "en") -> GradtutorApp:
    return GradtutorApp(None, lessons=folder, factory=lambda _: FakeSession(two_paths()), language=language)  # type: ignore[arg-type,return-value]


async def test_families_titles_and_what_is_next(lessons: Path) -> None:
    app = listed(lessons)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        shown = text(app)
        assert "next  First" in shown
        assert shown.index("tensors") < shown.index("Far") < shown.index("graph") < shown.index("Two [b]paths[/b]")
        assert "0 of 3 done" in shown
        assert "About [red]First[/red] and w[i]." in shown
        assert "1 cell of code · 1 question" in shown


async def test_the_path_is_first_and_has_numbers(lessons: Path) -> None:
    far = lessons / "graph" / "01-two.py"
    header = far.read_text(encoding="utf-8").replace("needs: []", "order: 5\n#     topics: {en: [relu, leaf]}")
    far.write_text(header, encoding="utf-8")
    app = listed(lessons)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        shown = text(app)
        assert "next  Two" in shown
        places = [shown.index(part) for part in ("the path", " 1 Two", "side roads: tensors", "First")]
        assert places == sorted(places)
        assert "graph/two · lesson 1 of 1 of the path" in shown
        assert "topics: relu, leaf" in shown
        assert "about 1 minute" in shown
        (row,) = [line for line in lines(app) if " 1 Two" in line]
        assert "1 min" in row
        await pilot.press("down", "down")
        await pilot.pause()
        assert "tensors/first · a side road" in text(app)


async def test_done_and_begun_are_marked_and_next_is_what_was_begun(lessons: Path, home: Path) -> None:
    store = Store()
    store.save(Progress("tensors/first", begun=True, done=True))
    store.save(Progress("graph/two", begun=True))
    app = listed(lessons)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        assert "go on with  Two" in text(app)
        assert [line for line in lines(app) if "✓ First" in line]
        assert [line for line in lines(app) if "◐ Two" in line]


async def test_a_lesson_that_cannot_run_here_says_why(lessons: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tutor.study.course._DEVICES", ("/nowhere/nvidia",))
    app = listed(lessons)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("down", "down")
        await pilot.pause()
        assert "needs CUDA" in text(app)
        assert "No CUDA device is found here" in text(app)


async def test_enter_opens_and_escape_comes_back(lessons: Path) -> None:
    app = listed(lessons)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("end", "up", "enter")
        await pilot.pause(0.2)
        assert isinstance(app.screen, LessonScreen)
        assert app.screen.model.target.name == "graph/two"
        await pilot.press("right", "escape")
        await pilot.pause(0.2)
        assert "go on with  Two" in text(app)
        assert app.return_code is None
        await pilot.press("q")
    assert app.return_code == 0


async def test_a_click_opens(lessons: Path) -> None:
    app = listed(lessons)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        await pilot.click("#lessons", offset=(8, 1))
        await pilot.pause(0.2)
        assert isinstance(app.screen, LessonScreen)


async def test_the_language_of_the_titles(lessons: Path) -> None:
    app = listed(lessons, "zh")
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        assert "下一课  课" in text(app)


async def test_what_is_wrong_with_a_lesson_is_told_and_the_others_are_there(lessons: Path) -> None:
    (lessons / "graph" / "02-bad.py").write_text("# ---\n# jupyter: {gradtutor: {title: [\n# ---\n")
    app = listed(lessons)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        assert "First" in text(app)
        assert "02-bad.py" in text(app)


async def test_no_lessons_at_all() -> None:
    app = listed(Path("/nowhere"))  # short: a long path would break the sentence over lines
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("down", "pagedown")
        await pilot.pause()
        assert "there is no such folder" in text(app)
        assert "no lessons here" in text(app)


async def test_a_small_terminal_gets_a_hint(lessons: Path) -> None:
    app = listed(lessons)
    async with app.run_test(size=(40, 10)) as pilot:
        await pilot.pause()
        assert "needs 60x16" in text(app)
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert "next  First" in text(app)


async def test_what_was_done_is_shown_and_forgotten_at_the_second_time(lessons: Path, home: Path) -> None:
    Store().save(Progress("graph/two", begun=True, step=7, steps=21, answers={"predict x": GivenAnswer("1", True)}))
    app = listed(lessons)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        assert "begun, left at step 7 of 21" in text(app)
        assert "1 of 1 questions right at the first try" in text(app)
        assert "1 cell of code · 1 question · 21 steps" in text(app)
        await pilot.press("R")
        await pilot.pause()
        assert "once more" in text(app)
        await pilot.press("down", "up", "R")  # another key in between: it asks anew
        await pilot.pause()
        assert Store().load("graph/two").begun
        await pilot.press("R")
        await pilot.pause()
        assert "left at step" not in text(app)
    assert not Store().load("graph/two").begun


async def test_a_lesson_goes_on_where_it_was_left(lessons: Path, home: Path) -> None:
    Store().save(Progress("graph/two", begun=True, step=9, answers={"predict w.grad": GivenAnswer("5", True)}))
    app = listed(lessons)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("enter")
        await pilot.pause(0.2)
        assert isinstance(app.screen, LessonScreen)
        assert app.screen.model.cursor == 9
        assert "back where you left, at step 9" in text(app)
        await pilot.press("home", "end")
        await pilot.pause(0.2)
        assert "this lesson is done" in text(app)
        await pilot.press("right")
        await pilot.pause(0.2)
        assert "this lesson is done" in text(app)  # what comes next stays in view
    assert Store().load("graph/two").done


async def test_the_language_changes_at_once_and_everywhere(lessons: Path, home: Path) -> None:
    app = listed(lessons)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("down", "enter")
        await pilot.pause(0.2)
        await pilot.press("end", "s", "end", "L")
        await pilot.pause(0.2)
        assert "本课已完成" in text(app).replace(" ", "")
        await pilot.press("escape")
        await pilot.pause(0.2)
        assert "课" in text(app)
        await pilot.press("L")
        await pilot.pause(0.1)
        assert "First" in text(app)


async def test_the_list_is_filtered_by_title_summary_and_topic_while_one_types(lessons: Path) -> None:
    path = lessons / "tensors" / "01-first.py"
    path.write_text(path.read_text("utf-8").replace("needs: []", "topics: {en: [chain rule], zh: [链式法则]}"), "utf-8")
    app = listed(lessons)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("slash", *"rule CHAIN")
        await pilot.pause()
        assert "First" in text(app)
        assert "Far" not in text(app)
        await pilot.press("escape", "slash", *"far")  # a title
        await pilot.pause()
        assert "Far" in text(app)
        assert "First" not in text(app)
        await pilot.press(*"zz")
        await pilot.pause()
        assert "no lesson has this" in text(app)
        await pilot.press("escape")
        await pilot.pause()
        assert "next  First" in text(app)
        await pilot.press("slash", *"paths", "enter")
        await pilot.pause(0.2)
        assert isinstance(app.screen, LessonScreen)
        assert app.screen.model.target.name == "graph/two"


async def test_a_file_of_ones_own_is_opened_from_the_list_and_a_wrong_path_says_why(
    lessons: Path, tmp_path: Path
) -> None:
    script = tmp_path / "mine.py"
    script.write_text("print(1)\n")
    app = listed(lessons)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("end", "enter", *str(tmp_path / "none.py"), "enter")
        await pilot.pause()
        assert "there is no such file" in text(app)
        await pilot.press("o", "home", "ctrl+k", *str(tmp_path), "enter")
        await pilot.pause()
        assert "o corrects it" in text(app)
        await pilot.press("o", "end", *"/mine.py --name 'a b'", "enter")  # what was typed is still there
        await pilot.pause(0.2)
        assert isinstance(app.screen, LessonScreen)
        target = app.screen.model.target
        assert (target.kind, target.path, target.args) == ("file", script, ("--name", "a b"))
        await pilot.press("escape")
        await pilot.pause(0.2)
        assert "next  First" in text(app)


async def test_a_lesson_leads_to_the_script_that_it_runs_and_back(lessons: Path) -> None:
    """The script stands in the recording of the lesson, as one of its modules."""
    (lessons / "graph" / "own").mkdir()
    script = lessons / "graph" / "own" / "train it.py"
    script.write_text("print(1)\n")
    events = two_paths()
    events.insert(-1, Source(2, "own/train it.py", script.read_text()))
    app = GradtutorApp(
        Target("lesson", lessons / "graph" / "01-two.py", "graph/two"), lessons=lessons,
        factory=lambda _: FakeSession(events),  # type: ignore[arg-type,return-value]
    )  # fmt: skip
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause(0.2)
        lesson = app.screen
        assert isinstance(lesson, LessonScreen)
        await pilot.press("right")
        before = lesson.model.cursor
        await pilot.press("O", "end", *" 'x", "enter")
        await pilot.pause()
        assert "a quotation mark is not closed" in text(app)
        await pilot.press("O", "end", *"'", "enter")
        await pilot.pause(0.2)
        assert isinstance(app.screen, LessonScreen)
        assert app.screen is not lesson
        assert (app.screen.model.target.path, app.screen.model.target.args) == (script, ("x",))
        await pilot.press("escape")
        await pilot.pause(0.2)
        assert app.screen is lesson
        assert lesson.model.cursor == before
