"""The model of a walk: moving, questions, growing and exchanged runs, exercises, progress."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import msgspec
import pytest

from tests.ui.recordings import (
    CELLS,
    LESSON,
    SCRIPT,
    STEPS,
    TAUGHT,
    TRACE,
    FakeSession,
    frames_of,
    timeline_of,
    training,
    two_paths,
)
from tests.worker.servers import forked_workers
from tutor.i18n import N_
from tutor.lesson.catalog import Target
from tutor.session.session import Session
from tutor.study import moves
from tutor.study.commands import is_possible
from tutor.study.model import Model
from tutor.study.moves import FORWARD, Move
from tutor.study.progress import Store
from tutor.study.result import Result
from tutor.trace import events as ev
from tutor.trace import navigation

BACK = Move(moves.back, N_("this is the beginning"))
NEXT_CELL = Move(moves.next_cell, N_("this is the last cell"), ahead=True)
NEXT_PASS = Move(navigation.next_pass, N_("no further backward pass"), ahead=True)
PREVIOUS_PASS = Move(navigation.previous_pass, N_("no backward pass before this step"))
NEXT_ITERATION = Move(navigation.next_iteration, N_("no further iteration"), ahead=True)
QUESTION = 6
"""The step before the cell that the question of `two_paths` is about."""


def walk_of(events: list[ev.Event], target: Target = TRACE, store: Store | None = None) -> Model:
    model = Model(target, timeline=timeline_of(events), store=store)
    model.grew()
    return model


def lesson(store: Store) -> Model:
    return walk_of(two_paths(), TAUGHT, store)


def run_of(session: FakeSession, store: Store | None = None, target: Target = SCRIPT) -> Model:
    """A walk whose first run has begun, and has recorded nothing yet."""
    session.phase = "running"
    model = Model(target, session=session, store=store)  # type: ignore[arg-type]
    assert model.begin() is model.session
    return model


def feed(model: Model, frames: list[bytes]) -> Result:
    """Record more of the run that is shown."""
    for frame in frames:
        model.timeline.feed(frame)
    return model.grew()


def end(model: Model) -> Result:
    """End the run that is shown."""
    assert model.session is not None
    model.session.phase = "ended"
    model.grew()
    return model.ended(model.session)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


# ------------------------------------------------------------ walking


def test_moves_lead_forward_and_back_and_say_where_they_end() -> None:
    model = walk_of(training(2), SCRIPT)
    assert model.move(BACK) == Result("nowhere", "this is the beginning")
    assert model.move(FORWARD) == Result(moved=True)
    assert (model.cursor, model.timeline.kind(3)) == (3, "op")
    assert model.move(BACK) == Result(moved=True)
    assert model.cursor == 0
    assert model.go(model.timeline.steps) == Result(moved=True)
    assert model.move(FORWARD) == Result("nowhere", "this is the last step")


def test_a_cell_leads_to_the_next_and_the_last_to_its_end(store: Store) -> None:
    model = lesson(store)
    model.go(QUESTION)
    model.skip()
    model.go(0)
    seen = [model.cursor for _ in range(4) if model.move(NEXT_CELL).moved]
    assert seen == [7, 23, STEPS]
    assert model.move(NEXT_CELL).text == "this is the last cell"


def test_a_cursor_stays_within_the_recording() -> None:
    model = walk_of(training(2), SCRIPT)
    model.go(10_000)
    assert model.cursor == model.timeline.steps
    model.go(-3)
    assert model.cursor == 0


def test_a_place_is_typed_or_the_text_of_one_is_found() -> None:
    model = walk_of(training(), SCRIPT)
    assert model.go_to_place("iteration 3").moved
    assert model.timeline.state(model.cursor).frames[-1].iterations == {3: 3}
    assert model.go_to_place("999999").outcome == "error"
    before = model.cursor
    assert model.find("nowhere at all") == Result("not found")
    assert model.cursor == before
    model.find("loss.backward")
    assert model.timeline.view(model.cursor).code == "loss.backward()"


def test_where_a_recording_was_full_a_move_ahead_says_so() -> None:
    model = walk_of(training(2), SCRIPT)
    model.timeline.feed(frames_of([ev.Cut(1000, 6, 1, [2], "events")])[0])
    model.last()
    assert "the recording was full at step" in model.move(NEXT_ITERATION).text
    into = Move(navigation.into, N_("there is nothing to go into here"), ahead=True, local=True)
    assert "full" not in into.reason(model.timeline)


def test_playback_goes_on_to_the_end(store: Store) -> None:
    model = walk_of(training(1), SCRIPT)
    while model.play().moved:
        assert model.cursor <= model.timeline.steps
    assert model.cursor == model.timeline.steps
    assert model.play() == Result("nowhere", "this is the last step")
    model = lesson(store)
    while model.play().moved:
        pass
    assert (model.cursor, model.play()) == (QUESTION, Result("question"))


# ------------------------------------------------------------ questions


def test_a_question_holds_the_cursor_whatever_moves_it(store: Store) -> None:
    model = lesson(store)
    assert model.last() == Result(moved=True)
    assert (model.cursor, model.limit, model.asking) == (QUESTION, QUESTION, True)
    assert model.last() == Result("question")
    for move in (FORWARD, NEXT_CELL, NEXT_PASS):
        assert model.move(move) == Result("question")
    assert model.move(PREVIOUS_PASS) == Result("nowhere", "no backward pass before this step")
    assert model.go(20) == Result("question")
    assert model.go_to_place("line 9").outcome == "question"
    assert model.find("print(w.grad").outcome == "not found"
    assert model.cursor == QUESTION
    assert model.gate.last_revealed_cell == 2
    model.go(3)
    assert not model.asking
    assert model.move(NEXT_PASS) == Result(moved=True)  # to where the question is asked
    assert model.cursor == QUESTION


def test_a_question_holds_as_soon_as_it_is_recorded(store: Store) -> None:
    model = Model(TAUGHT, timeline=timeline_of(two_paths()), store=store)
    model.go(STEPS)
    assert model.cursor == QUESTION


@pytest.mark.parametrize(("typed", "right"), [("5", True), ("[5.0]", True), ("4", False)])
def test_an_answer_is_compared_with_the_run(store: Store, typed: str, right: bool) -> None:
    model = lesson(store)
    model.last()
    assert model.answer(typed) == Result("answered")
    assert model.study.answers == {2: (typed, right)}
    assert not model.asking
    assert model.last().moved
    assert model.cursor == STEPS
    assert store.load(TAUGHT.name).answers["predict w.grad"].right == right


def test_an_answer_keeps_what_its_run_gave_in_another_run_and_at_another_time(store: Store) -> None:
    model = run_of(FakeSession(two_paths()), store, TAUGHT)
    feed(model, frames_of(two_paths()))
    end(model)
    model.last()
    model.answer("4")
    other = [ev.Answer(2, [4.0]) if isinstance(event, ev.Answer) else event for event in two_paths()]
    model.run_with_knobs({"lr": "1"})
    feed(model, frames_of(other))
    end(model)
    assert model.study.answers == {2: ("4", False)}
    again = Model(TAUGHT, timeline=timeline_of(other), store=store)
    again.grew()
    for study in (model.study, again.study):
        assert study.judged[2].value in ([5.0], 5)
        assert study.differs(2, ev.Answer(2, [4.0]))
        assert not study.differs(2, ev.Answer(2, [5.0]))


def test_an_answer_of_an_earlier_version_is_read_without_what_its_run_gave(store: Store) -> None:
    assert store.folder is not None
    old = {"lesson": TAUGHT.name, "begun": True, "answers": {"2": {"answer": "5", "right": True}}}
    store._path(TAUGHT.name).write_text(json.dumps(old))
    model = lesson(store)
    assert model.study.answers == {2: ("5", True)}
    assert model.study.judged == {}


def test_no_move_passes_the_step_at_which_an_answer_is_judged_for_the_first_time(store: Store) -> None:
    model = lesson(store)
    model.last()
    assert not is_possible(model, "reveal")
    model.answer("4")
    assert is_possible(model, "reveal")
    end = model.timeline.cells[1].end
    assert end is not None
    for _key in range(2):  # the beginning of the cell, then the verdict
        model.move(NEXT_CELL)
    assert model.cursor == end
    model.record_shown()
    model.go(QUESTION)
    assert not is_possible(model, "reveal")  # it is known
    for _key in range(2):
        model.move(NEXT_CELL)
    assert model.cursor > end


def test_the_verdict_on_an_answer_is_one_key_away(store: Store) -> None:
    model = lesson(store)
    model.last()
    model.answer("4")
    assert model.reveal().moved
    assert model.cursor == model.timeline.cells[1].end
    model.jump_back()
    assert model.cursor == QUESTION


def test_what_is_no_answer_is_asked_again(store: Store) -> None:
    model = lesson(store)
    model.last()
    assert model.answer("five").outcome == "error"
    assert model.asking
    assert model.study.answers == {}
    assert model.answer("5").outcome == "answered"
    assert model.answer("6") == Result()  # nothing is asked any more
    assert model.study.answers == {2: ("5", True)}


def test_one_question_after_another(store: Store) -> None:
    cells = [*CELLS[:3], {**CELLS[2], "index": 3, "of": "x.grad"}, *CELLS[3:]]
    model = walk_of(two_paths(msgspec.structs.replace(LESSON, cells=cells)), TAUGHT, store)
    model.last()
    assert model.answer("5") == Result("asked again")
    assert (model.cursor, model.limit) == (QUESTION, QUESTION)
    assert model.skip() == Result("skipped")
    assert model.limit == STEPS


def test_skipping_reveals_and_is_kept(store: Store) -> None:
    model = lesson(store)
    assert model.skip() == Result("nothing asked")
    model.last()
    assert model.skip() == Result("skipped")
    assert model.gate.last_revealed_cell is None
    again = lesson(store)
    again.last()
    assert again.cursor == STEPS


def test_at_a_second_try_the_first_right_answer_counts(store: Store) -> None:
    def answer(typed: str) -> bool | None:
        model = Model(TAUGHT, timeline=timeline_of(two_paths()), store=store, ask_all=True)
        model.last()
        assert model.asking  # whatever was answered before
        model.answer(typed)
        return store.load(TAUGHT.name).answers["predict w.grad"].right

    assert [answer(typed) for typed in ("4", "5", "4")] == [False, True, True]


def test_the_origin_of_an_answer_is_the_step_that_made_it_so(store: Store) -> None:
    model = lesson(store)
    model.last()
    model.answer("4")
    assert model.study.answer_origin(2, model.timeline) == 20  # w.grad becomes 5


# ------------------------------------------------------------ runs that grow


def test_a_walk_follows_a_run_that_grows_until_it_is_moved() -> None:
    model = run_of(FakeSession(training()))
    frames = frames_of(training(), 7)
    feed(model, frames[:4])
    model.last()
    assert model.follow
    assert feed(model, frames[4:8]).moved
    assert model.cursor == model.timeline.steps
    model.move(BACK)
    before = model.cursor
    assert not feed(model, frames[8:12]).moved
    assert model.cursor == before < model.timeline.steps


def test_ahead_of_a_run_that_grows_there_is_something_to_wait_for() -> None:
    model = run_of(FakeSession(training()))
    assert model.move(FORWARD).outcome == "waiting"
    assert model.move(BACK).outcome == "nowhere"
    assert model.play().outcome == "waiting"
    feed(model, frames_of(training()))
    end(model)
    model.last()
    assert model.move(FORWARD).outcome == "nowhere"


def test_following_stops_at_a_question_and_goes_on_when_it_is_answered(store: Store) -> None:
    model = run_of(FakeSession(two_paths()), store, TAUGHT)
    frames = frames_of(two_paths(), 5)
    feed(model, frames[:2])
    model.last()
    feed(model, frames[2:])
    assert (model.cursor, model.asking) == (QUESTION, True)
    assert model.answer("5") == Result("answered", moved=True)
    assert model.cursor == model.timeline.steps


def test_how_a_run_ended() -> None:
    model = run_of(FakeSession(training()))
    feed(model, frames_of([*training(2)[:-2], ev.CellEnd(1, "stopped"), ev.RunEnd("stopped", 130)]))
    assert end(model) == Result("stopped")
    assert model.exit_status == 0
    model = run_of(FakeSession(training()))
    feed(model, frames_of([*training(2)[:-2], ev.CellEnd(1, "died"), ev.RunEnd("died", 137, "killed")]))
    assert end(model) == Result("failed")  # it is the only run: its last step says why
    assert model.exit_status == 1
    session = FakeSession([])
    session.refused = ev.RunEnd("refused", 2, "wrong.py:1: invalid syntax")
    assert end(run_of(session)) == Result("refused", "wrong.py:1: invalid syntax")


# ------------------------------------------------------------ runs side by side


def test_another_run_begins_at_the_same_moment_with_the_first_as_its_ghost() -> None:
    model = run_of(FakeSession(training()))
    frames = frames_of(training(), 7)
    feed(model, frames)
    end(model)
    model.go_to_place("iteration 3")
    step, first = model.cursor, model.runs.now
    session = model.run_with_knobs({"lr": "0.1"})
    assert session is not None
    assert model.run_with_knobs({"lr": "0.1"}) is None
    session.phase = "running"
    assert model.sessions[-1] is session is model.session
    assert model.cursor == 0
    assert model.runs.ghost is first
    assert not feed(model, frames[:2]).moved  # not recorded yet
    assert feed(model, frames[2:]) == Result("arrived", moved=True)
    assert model.cursor == step
    model.move(FORWARD)
    assert first is not None
    assert model.walk(first) == Result("walking", "as written", moved=True)
    assert model.cursor == step + 1
    assert model.runs.ghost is not None
    assert model.runs.ghost.name == "lr = 0.1"
    assert model.walk(first) == Result()


def test_a_learner_who_has_moved_stays() -> None:
    model = run_of(FakeSession(training()))
    frames = frames_of(training(), 7)
    feed(model, frames)
    end(model)
    model.last()
    assert model.run_with_knobs({"lr": "0.1"}) is not None
    feed(model, frames[:3])
    model.move(FORWARD)
    assert not feed(model, frames[3:]).moved
    assert model.cursor == 3


def test_a_run_that_cannot_begin_gives_way_to_the_one_before() -> None:
    model = run_of(FakeSession(training()))
    feed(model, frames_of(training()))
    end(model)
    model.go(5)
    session = model.run_edited(1, "while")
    assert session is not None
    session.refused = ev.RunEnd("refused", 2, "invalid syntax")
    assert end(model) == Result("restored", "invalid syntax", moved=True)
    assert (model.cursor, len(model.runs.all)) == (5, 1)
    assert model.ended(session) == Result("other")


def test_edited_code_is_kept_until_it_runs() -> None:
    model = run_of(FakeSession(training()))
    feed(model, frames_of(training()))
    end(model)
    original = model.gate.original(1)
    assert model.code_to_edit(1) == original
    model.drafts[1] = "w = 1"
    assert model.code_to_edit(1) == "w = 1"
    assert model.run_edited(1, original) is None
    assert model.code_to_edit(1) == original
    session = model.run_edited(1, "w = 2")
    assert session is not None
    assert session.command.edits == {1: "w = 2"}
    assert model.check_run() == Result("still running")


def test_a_run_that_has_only_been_read_gives_way_to_one_with_other_knobs() -> None:
    model = run_of(FakeSession(training()))
    assert model.check_run() == Result("still running")  # nothing is known of it
    document = next(event for event in training() if isinstance(event, ev.Document))
    feed(model, frames_of([document]))
    assert is_possible(model, "edit")
    assert model.check_run() == Result()
    assert model.run_with_knobs({"lr": "0.1"}) is not None
    assert [run.name for run in model.runs.all] == ["lr = 0.1"]
    assert model.runs.ghost is None


def test_the_same_again_begins_again_and_keeps_the_answers(store: Store) -> None:
    model = run_of(FakeSession(two_paths()), store, TAUGHT)
    feed(model, frames_of(two_paths()))
    end(model)
    model.last()
    model.answer("5")
    model.last()
    model.record_shown()
    assert model.study.furthest == STEPS
    session = model.rerun()
    session.phase = "running"
    assert model.study.furthest == 0
    assert (model.cursor, model.running, len(model.runs.all)) == (0, True, 1)
    feed(model, frames_of(two_paths()))
    assert model.limit == STEPS
    assert walk_of(training(), SCRIPT).check_run() == Result("recording")


def test_a_saved_file_is_walked_on_from_the_same_moment() -> None:
    model = run_of(FakeSession(training()))
    feed(model, frames_of(training()))
    end(model)
    model.go_to_place("iteration 3")
    before, step = model.timeline, model.cursor
    session = model.reload()
    for frame in frames_of(training()):
        session.timeline.feed(frame)
    assert model.timeline is before  # shown only when that is asked for
    assert model.show_reloaded(session) == Result("reloaded", moved=True)
    assert model.timeline is session.timeline
    assert (model.cursor, model.study.furthest, len(model.runs.all)) == (step, step, 1)


@pytest.mark.parametrize(("expression", "answers"), [("w.grad", {3: ("5", True)}), ("x.grad", {})])
def test_an_answer_goes_with_its_question_when_the_file_has_changed(
    store: Store, expression: str, answers: dict[int, tuple[str, bool]]
) -> None:
    model = run_of(FakeSession(two_paths()), store, TAUGHT)
    feed(model, frames_of(two_paths()))
    end(model)
    model.last()
    model.answer("5")
    model.last()
    cells = [CELLS[0], CELLS[0], CELLS[1], {**CELLS[2], "of": expression}, *CELLS[3:]]
    events = [
        ev.Answer(3, event.value) if isinstance(event, ev.Answer) else event
        for event in two_paths(msgspec.structs.replace(LESSON, cells=cells))
    ]
    session = model.reload()
    for frame in frames_of(events):
        session.timeline.feed(frame)
    model.show_reloaded(session)
    assert model.study.answers == answers
    assert model.cursor == (STEPS if answers else QUESTION)


# ------------------------------------------------------------ exercises


EXERCISE = """\
# ---
# jupyter:
#   gradtutor:
#     title: {en: "The square"}
# ---

# %%
import torch

w = torch.tensor(3.0, requires_grad=True)

# %% tags=["exercise"] id="square" kind="fill"
y = w

# %% [markdown] tags=["hint"] lang="en"
# A square is a product.

# %% tags=["solution"]
y = w * w

# %% tags=["check"]
assert y.item() == 9, f"y is {y.item():g}"

# %%
y.backward()
"""


async def exercise_walk(folder: Path, store: Store) -> Model:
    """A walk through the lesson with an exercise, run by a real worker, with the cursor at the exercise."""
    path = folder / "01-square.py"
    path.write_text(EXERCISE, encoding="utf-8")
    target = Target("lesson", path, "graph/square")
    model = Model(target, session=Session(target, workers=forked_workers()), store=store)
    session = model.begin()
    assert session is not None
    await record(model, session)
    model.move(NEXT_CELL)
    return model


async def record(model: Model, session: Session) -> list[str]:
    """Record a run to its end, and return what there was to say."""
    told = []
    await session.run(lambda: told.append(model.grew().outcome))
    told.append(model.grew().outcome)
    told.append(model.ended(session).outcome)
    return [outcome for outcome in told if outcome]


async def test_an_exercise_is_tried_until_its_check_passes(tmp_path: Path, store: Store) -> None:
    model = await exercise_walk(tmp_path, store)
    exercise = model.exercise
    assert exercise is not None
    assert model.attempt(exercise) == "y = w"
    assert not model.exercise_status(exercise).tried
    assert model.gate.unsolved == {2}

    assert "unsolved" in await record(model, model.try_exercise(exercise, "y = w + w"))
    status = model.exercise_status(exercise)
    assert (status.tried, status.solved, status.problem) == (True, False, "y is 6")
    assert model.timeline.kind(model.cursor) == "cell_end"
    assert model.timeline.cell(model.cursor) == 2

    model.keep_attempt(exercise, "y = w **")
    status = model.exercise_status(exercise)
    assert (status.tried, status.ran, status.problem) == (True, False, "")  # its check was of other code

    session = model.try_exercise(exercise, "y = w ** 2")
    assert (model.cursor, model.exercise) == (0, exercise)  # its task and hints stay while it runs
    assert model.hint() == Result("hint")
    assert "solved" in await record(model, session)
    status = model.exercise_status(exercise)
    assert (status.solved, status.problem, status.solution) == (True, "", "y = w * w")
    assert model.gate.unsolved == set()
    assert model.exercise is None  # the next section is read
    model.go(model.cursor - 1)
    assert model.solution() == Result("solution")  # at once, as it is solved
    assert store.load("graph/square").solved == {"square"}
    model.last()
    model.record_shown()
    assert model.finished
    assert [session.phase for session in model.sessions] == ["ended"] * 3


async def test_hints_one_by_one_and_the_solution_when_asked_for_twice(tmp_path: Path, store: Store) -> None:
    model = await exercise_walk(tmp_path, store)
    exercise = model.exercise
    assert exercise is not None
    assert is_possible(model, "hint")
    assert model.solution() == Result("ask again, or a hint")
    assert model.hint() == Result("hint")
    assert not is_possible(model, "hint")
    assert model.hint() == Result("no hint")
    assert model.exercise_status(exercise).solution == ""
    assert model.solution() == Result("solution")
    assert model.exercise_status(exercise).solution == "y = w * w"
    assert model.gate.unsolved == set()
    model.go(0)
    assert (model.hint(), model.solution()) == (Result("nothing to hint at"), Result("nothing to solve"))


# ------------------------------------------------------------ progress


def test_a_lesson_is_done_at_its_end_and_begun_before(store: Store) -> None:
    model = lesson(store)
    model.record_shown()
    assert store.load(TAUGHT.name).mark == "new"
    model.last()
    model.record_shown()
    assert store.load(TAUGHT.name).mark == "begun"
    model.skip()
    model.last()
    model.record_shown()
    assert store.load(TAUGHT.name).mark == "done"
    assert model.finished


def test_a_walk_goes_on_where_it_was_left(store: Store) -> None:
    model = lesson(store)
    model.go(4)
    model.record_shown()
    model.study.save_position(model.cursor)
    again = Model(TAUGHT, timeline=timeline_of(two_paths()), store=store)
    assert again.grew() == Result("back", moved=True)
    assert again.cursor == 4
    assert again.grew() == Result()


# ------------------------------------------------------------ what is possible


def test_what_is_possible_depends_on_the_step() -> None:
    model = walk_of(training(), SCRIPT)
    assert is_possible(model, "forward")
    for command in ("out", "next_cell", "next_iteration", "skip", "stop", "rerun", "edit", "knobs", "hint", "runs"):
        assert not is_possible(model, command), command
    model.go_to_place("pass 2")
    assert is_possible(model, "next_iteration")
    assert is_possible(model, "out")
    assert not any(is_possible(Model(SCRIPT), command) for command in ("forward", "play", "go", "find", "next_pass"))


def test_only_the_model_writes_the_cursor() -> None:
    assert isinstance(inspect.getattr_static(Model, "cursor"), property)
    with pytest.raises(AttributeError):
        Model(SCRIPT).cursor = 3  # type: ignore[misc]


async def test_a_cell_that_failed_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "book.md"
    path.write_text("```python\nx = 1\n```\n\n```python\nx = 1 / 0\n```\n\n```python\nx += 1\n```\n", encoding="utf-8")
    target = Target("file", path, "book.md")
    model = Model(target, session=Session(target, workers=forked_workers()))
    session = model.begin()
    assert session is not None
    await record(model, session)
    assert (model.failed_cell, is_possible(model, "skip")) == (2, True)

    await record(model, model.run_without_failed_cell())
    assert [(cell.cell, cell.outcome) for cell in model.timeline.cells] == [(1, "ok"), (2, "skipped"), (3, "ok")]
    assert [run.name for run in model.runs.all] == ["as written", "cell 2 skipped"]
    assert (model.failed_cell, is_possible(model, "skip")) == (None, False)
