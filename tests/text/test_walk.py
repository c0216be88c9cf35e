"""Walking with lines of input, as over a pipe."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.ui.recordings import CELLS, timeline_of
from tests.ui.recordings import LESSON as LESSON_DOCUMENT
from tests.ui.recordings import two_paths as two_paths_events
from tests.worker.recording import Forker
from tutor import paths
from tutor.check.runner import Runner
from tutor.lesson.catalog import Target
from tutor.study.progress import Store
from tutor.text import show
from tutor.text.walk import Walker
from tutor.trace.command import RunCommand
from tutor.trace.timeline import Timeline

LESSON = paths.lessons_dir() / "graph" / "01-two-paths.py"


@pytest.fixture(scope="module")
def two_paths(record: Forker) -> Timeline:
    return record(LESSON).timeline


@pytest.fixture(scope="module")
def plain(record: Forker) -> Timeline:
    script = """\
import torch
w = torch.tensor([1.0], requires_grad=True)
def model(x):
    return w * x
for i in range(2):
    loss = model(3.0) ** 2
    loss.backward()
print("w[i]", "\\x1b[31m")
w -= 1
"""
    return record(script).timeline


def walk(timeline: Timeline, *typed: str, store: Store | None = None) -> str:
    out = io.StringIO()
    name = timeline.document.name if timeline.document is not None else ""
    target = Target("trace" if store is None else "lesson", Path(name), name)
    Walker(target, timeline, store, "en", io.StringIO("".join(line + "\n" for line in typed)), out).run()
    return out.getvalue()


def steps_told(text: str) -> list[int]:
    words = [line.split()[0] for line in text.splitlines() if line.strip()]
    return [int(word[:-1]) for word in words if word[:-1].isdecimal() and word[-1] == ":"]


TURNED = """\
# ---
# jupyter:
#   gradtutor:
#     title: {en: "Turned"}
# ---

# %%
lr = 0.1  # @param {type: number, min: 0.01, max: 0.5}
w = 1 - 2 * lr

# %% [markdown]
# It came down a little.

# %%
done = True
"""


@pytest.mark.parametrize(("lr", "notice"), [("0.1", False), ("0.5", True)])
def test_a_text_says_for_which_knobs_it_was_written(runner: Runner, tmp_path: Path, lr: str, notice: bool) -> None:
    path = tmp_path / "one.py"
    path.write_text(TURNED)
    timeline = runner.run(RunCommand(str(path), "one", knobs={"lr": lr})).timeline
    out = io.StringIO()
    show.write_text(timeline, timeline.cells[0].end or 0, out)
    said = "This text was written for lr = 0.1; this run has lr = 0.5."
    for text in (walk(timeline, "end", "q"), out.getvalue()):
        assert "It came down a little." in text
        assert text.count(said) == notice
    fields = show.record(timeline, timeline.cells[0].end or 0)
    assert (fields["notice"], fields["prose"]) == (said if notice else None, ["It came down a little."])


@pytest.mark.parametrize(("lr", "fell"), [("0.1", False), ("0.5", True)])
def test_a_text_with_when_is_shown_where_the_run_makes_it_true(
    runner: Runner, tmp_path: Path, lr: str, fell: bool
) -> None:
    path = tmp_path / "one.py"
    fallen = '# %% [markdown] when="w <= 0.5"\n# It fell to {{ w }}.\n\n# %%\ndone'
    path.write_text(TURNED.replace("[markdown]", '[markdown] when="w > 0.5"').replace("# %%\ndone", fallen))
    timeline = runner.run(RunCommand(str(path), "one", knobs={"lr": lr})).timeline
    out = io.StringIO()
    show.write_text(timeline, timeline.cells[0].end or 0, out)
    for text in (walk(timeline, "end", "q"), out.getvalue()):
        assert ("It fell to 0." in text, "It came down" in text) == (fell, not fell)
        assert "written for" not in text


def test_enter_takes_a_step_and_h_goes_back(plain: Timeline) -> None:
    # No stops: 1, where the cell begins; 2, an import; 3, before which nothing else has run; 5, a definition.
    assert steps_told(walk(plain, "", "", "", "h", "back", "", "q", "")) == [4, 6, 7, 6, 4, 6]


def test_each_step_says_what_changed(plain: Timeline) -> None:
    text = walk(plain, "b", "", "", "", "", "")
    assert text.count("w.grad: None becomes 18\n") == 1  # the line says it already
    assert "\nw = 1" not in walk(plain, "4")
    assert "w.grad: None becomes 18" not in walk(plain, "end")


@pytest.mark.parametrize(
    ("typed", "explained"),
    [
        ("3", "the path through b alone"),
        ("[2.001]", "the path through a alone"),
        ("6", "what two paths bring is added"),
        ("4", None),
        ("5", None),
        ("s", None),
    ],
)
def test_a_wrong_answer_is_explained_to_who_gave_it(two_paths: Timeline, typed: str, explained: str | None) -> None:
    text = walk(two_paths, "cell:2", typed, "s")
    texts = ("the path through b alone", "the path through a alone", "what two paths bring is added")
    assert [part for part in texts if part in text] == ([] if explained is None else [explained])


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        # x = 3 and w = 2 give (x + w) + (w + 1) = 8; x = 2 and w = 4 give 11.
        (["8"], ["Right: w.grad is 8."]),
        (["5", "11"], ["the path through b alone", "Right: w.grad is 11."]),
        (["4", "4"], ["You said 4, but w.grad is 8.", "You said 4, but w.grad is 11."]),
        ([""], []),
    ],
)
def test_a_question_is_asked_again_with_other_numbers(
    two_paths: Timeline, runner: Runner, tmp_path: Path, answers: list[str], told: list[str]
) -> None:
    store, out = Store(tmp_path), io.StringIO()
    command = RunCommand(str(LESSON), "graph/two-paths")

    def run_again(changes: dict[str, Any]) -> Timeline:
        return runner.run(msgspec.structs.replace(command, **changes)).timeline

    typed = io.StringIO("".join(line + "\n" for line in ["cell:2", "4", *answers, "q"]))
    target = Target("lesson", LESSON, "graph/two-paths")
    Walker(target, two_paths, store, "en", typed, out, run_again).run()
    text = out.getvalue()
    assert "Not so. Go on to see why.\nAgain, with x = 3 and w = 2: what will w.grad be?" in text  # before the cell
    assert ("Again, with x = 2 and w = 4" in text) == (len(answers) == 2)
    assert [part for part in told if part in text] == told
    (given,) = store.load("graph/two-paths").answers.values()
    assert (given.answer, given.right, given.again) == ("4", False, "Right" in "".join(told))


@pytest.mark.parametrize(
    ("lesson", "typed", "told"),
    [
        ("graph/two-paths", ["e", "1", "-3", "-3", "9", "-10"], "9 comes to p on one of its two paths"),
        ("graph/two-paths", ["e", "1", "-3", "-3", "6", "-10"], "Exercise by-hand: solved."),
        ("graph/two-paths", ["e", "1", "three", "", "", ""], "An answer is a number"),
        ("graph/two-paths", ["1", "e"], "no exercise to try here"),
    ],
)
def test_an_exercise_is_tried(
    two_paths: Timeline, runner: Runner, tmp_path: Path, lesson: str, typed: list[str], told: str
) -> None:
    command = RunCommand(str(LESSON), lesson)
    store, out = Store(tmp_path), io.StringIO()

    def run_again(changes: dict[str, Any]) -> Timeline:
        return runner.run(msgspec.structs.replace(command, **changes)).timeline

    lines = ["cell:2", "s", "cell:4", "s", *typed, "q"] if typed[0] == "e" else [*typed, "q"]
    source = io.StringIO("".join(line + "\n" for line in lines))
    Walker(Target("lesson", LESSON, lesson), two_paths, store, "en", source, out, run_again).run()
    assert told in out.getvalue()
    assert ("by-hand" in store.load(lesson).solved) == ("solved" in told)


def test_going_to_places(plain: Timeline) -> None:
    end = plain.steps
    assert plain.kind(end - 1) == "failed"
    assert steps_told(walk(plain, "end", "", "1", "7")) == [end - 1, end, 1, 7]
    assert "There is no step 999" in walk(plain, "999")
    assert "never ran" in walk(plain, "line:9#2") or "completed" in walk(plain, "line:9#2")
    assert "A question mark lists the commands" in walk(plain, "hello")


def test_over_and_into_and_out(plain: Timeline) -> None:
    text = walk(plain, "n", "n", "i", "o", "}", "{", "b", "B", "]", "[")
    assert "in model" in text
    assert "No backward pass comes before this." not in walk(plain, "B", "end", "B").splitlines()[-1]
    assert "This is the first step." in walk(plain, "h")
    assert "This was the last step." in walk(plain, "end", "", "")


def test_help_and_everything(plain: Timeline) -> None:
    assert "the next statement" in walk(plain, "?")
    assert "tensors" in walk(plain, "end", "show")


def test_what_was_printed_comes_without_its_escapes(plain: Timeline) -> None:
    text = walk(plain, "end")
    assert "printed: w[i] \\x1b[31m" in text
    assert "\x1b" not in text


def test_a_failure_is_explained_and_its_cause_found(record: Forker, plain: Timeline) -> None:
    (failed,) = [step for step in range(1, plain.steps + 1) if plain.kind(step) == "failed"]
    assert "w is a leaf that requires grad" in walk(plain, str(failed))
    assert "this is the only problem" in walk(plain, str(failed), "!")
    assert steps_told(walk(plain, "1", "!")) == [1, failed]
    twice = record("import torch\nw = torch.tensor(1., requires_grad=True)\ny = w * w\ny.backward()\ny.backward()\n")
    (failed,) = twice.steps_of("failed")
    assert steps_told(walk(twice.timeline, "g 5", "'", '"')) == [5, 1, 5]
    cause = twice.timeline.passes[0].start_step
    assert steps_told(walk(twice.timeline, str(failed), "!", "!")) == [failed, cause, failed]


def test_a_nan_is_explained_where_it_begins(record: Forker) -> None:
    recording = record("import torch\nx = torch.tensor([4.0, -1.0])\ny = x.sqrt()\nz = y.sum()\n")
    text = walk(recording.timeline, "!")
    assert steps_told(text) == [recording.op("x.sqrt()")]
    assert "y = x.sqrt() is nan where x is negative: 1 of its 2 elements, x[1] = -1." in text
    assert "Perhaps: x.clamp(min=1e-6) in place of x." in text


def test_without_problems_there_is_nowhere_to_go(record: Forker) -> None:
    recording = record("import torch\nx = torch.ones(2)\n")
    assert "nothing went wrong here" in walk(recording.timeline, "!")


def test_words_of_the_text_are_explained(two_paths: Timeline) -> None:
    text = walk(two_paths, "t", "t leaf", "glossary zzz")
    assert "In the glossary: graph, leaf, grad_fn. Type t and a word for its meaning." in text
    assert "leaf (叶子节点): A tensor that no recorded operation made." in text
    assert "Lesson: tensors/first-look." in text
    assert "zzz is not in the glossary." in text


def test_prose_and_questions_come_before_their_cell(two_paths: Timeline) -> None:
    text = walk(two_paths, "", "]", "5", "]", "3", "end")
    assert text.index("While your code computes") < text.index(", x = torch")
    assert text.index("what will w.grad hold?") < text.index(", a = x + w")
    assert "Right: w.grad is 5." in walk(two_paths, "]", "]", "5", "cell:2")
    over = walk(two_paths, "]", "]", "5", "n", "]", "s")  # the end of cell 2 is jumped over
    assert over.index("Right: w.grad is 5.") < over.index("just that share: 2.") < over.index(", print(")
    assert "You said 4, but w.grad is 5." in walk(two_paths, "]", "]", "4", "cell:2")
    assert "You skipped the question: w.grad is 5." in walk(two_paths, "]", "]", "s", "cell:2")


def test_nothing_after_a_question_is_seen_before_it_is_settled(two_paths: Timeline) -> None:
    text = walk(two_paths, "end")
    assert "= 2 + 1 = 3" not in text
    assert "cell 3" not in text
    assert "Type an answer" in walk(two_paths, "end", "", "five")
    assert "a number, a list" in walk(two_paths, "end", "five")
    whole = walk(two_paths, "end", "5", "None", "")
    assert f"{two_paths.steps}: cell 5 is done" in whole
    assert "gets just that share: 2." in whole
    assert "Two things to remember" in whole


def test_progress_is_kept(two_paths: Timeline, tmp_path: Path) -> None:
    name = two_paths.document.name if two_paths.document is not None else ""
    store = Store(tmp_path)
    walk(two_paths, "", "", store=store)
    assert (store.load(name).mark, store.load(name).step) == ("begun", 5)
    walk(two_paths, "end", "4", "None", "1", store=store)
    found = store.load(name)
    assert found.mark == "done"
    assert [given.right for given in found.answers.values()] == [False, True]


def test_a_question_at_the_very_end_is_asked_once_and_completes_the_lesson(tmp_path: Path) -> None:
    last = {**CELLS[2], "index": len(CELLS)}
    timeline = timeline_of(two_paths_events(msgspec.structs.replace(LESSON_DOCUMENT, cells=[*CELLS, last])))
    store = Store(tmp_path)
    text = walk(timeline, "end", "5", "", "five", "4", "", store=store)
    assert text.count("After y.backward(), what will w.grad hold?") == 3
    assert text.count("Now see.") == 2
    assert store.load(LESSON_DOCUMENT.name).mark == "done"
    assert walk(timeline, "end", "5", store=store).count("Now see.") == 1  # every question is asked each time


def test_input_that_ends_early(two_paths: Timeline) -> None:
    assert walk(two_paths).count("\n") == 1
    walk(two_paths, "end")


PROSE = """\
# %%
x = 5

# %% [markdown]
# {{ x }} is **filled** in
# on one row.
# - {{ x }}
#   - `{{ x }}`
#
# ```
# {{ x }}
# ```
#
# | a | b |
# |---|---|
# | {{ x }} | 2 |

# %%
y = 1
"""


def test_a_bookmark_is_kept_with_its_note_and_said_at_its_step(plain: Timeline) -> None:
    assert "A bookmark is here" in walk(plain, "", "", "a the loss, here", "q")
    assert "bookmark: the loss, here" in walk(plain, "m", "q")  # the next time
    said = walk(plain, "", "", "a", "a the loss, here", "", "", "M", "a", "M", "m", "q")
    assert "A bookmark is here: m and M lead to it." in said
    assert said.count("bookmark: the loss, here") == 2  # on the way there, and back at it
    assert "No bookmark is here any more." in said
    assert "No bookmark comes before this." in said
    assert "No bookmark comes after this: a makes one." in said


def test_prose_is_filled_and_said_without_its_marks(record: Forker) -> None:
    text = walk(record(PROSE).timeline, "end")
    rows = text[text.index("5 is") :].split("\n")[:5]
    assert rows == ["5 is filled in on one row.", "5", "{{ x }}", "{{ x }}", "a: 5; b: 2"]


LINE_AND_EXERCISE = """\
# ---
# jupyter:
#   gradtutor:
#     title: {en: "A"}
# ---

# %%
import torch

w = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)

# %% [markdown] question="line" of="w.grad is not None" lang="en"
# Which line?

# %%
y = (w * w).sum()
y.backward()

# %% [markdown] question="predict" of="w.grad" lang="en"
# What is it now?

# %% tags=["exercise"] id="slope" kind="fill"
slope = None

# %% tags=["solution"]
slope = w.grad

# %% tags=["check"]
assert slope is not None, "slope is still None"

# %%
after = slope * 2
"""


@pytest.fixture(scope="module")
def asking(record: Forker, tmp_path_factory: pytest.TempPathFactory) -> Timeline:
    path = tmp_path_factory.mktemp("asking") / "01-a.py"
    path.write_text(LINE_AND_EXERCISE, encoding="utf-8")
    return record(path).timeline


def test_which_line(asking: Timeline) -> None:
    text = walk(asking, "cell:2", "y.backward()", "17", "cell:2")
    assert "16: y = (w * w).sum()" in text
    assert "An answer is a number" in text
    assert "Right: it is line 17." in text
    assert "You said 16, but it is line 17." in walk(asking, "cell:2", "16", "cell:2")
    assert "The answer is a line from 16 to 17." in walk(asking, "cell:2", "17.0")


def test_a_wrong_list_says_where(asking: Timeline) -> None:
    text = walk(asking, "cell:3", "s", "[2, 5, 6]", "cell:3")
    assert "You said [2, 5, 6], but w.grad is [2, 4, 6]. Off: [1]." in text
    assert "Off" not in walk(asking, "cell:3", "s", "7", "cell:3")


def test_an_exercise_says_what_its_check_said(asking: Timeline) -> None:
    text = walk(asking, "cell:3", "s", "s", "cell:3", "end")
    assert "Exercise slope: slope is still None (e tries it.)" in text
    assert "assert" not in text


def test_where_the_recording_was_full_it_says_so(record: Forker) -> None:
    script = "import torch\nfor k in range(900):\n    n = k\nw = torch.ones(1, requires_grad=True)\n"
    script += "(w * 2).sum().backward()\n"
    timeline = record(script, max_events=1000).timeline
    cut = timeline.cut
    assert cut is not None
    text = walk(timeline, str(cut), "b", "}", "", "")
    assert "the recording is full here, line" in text
    assert f"No backward pass comes after this. The recording was full at step {cut:,}." in text
    assert f"No iteration comes after this. The recording was full at step {cut:,}." in text
    assert f"This was the last step. The recording was full at step {cut:,}." in text
    assert "the recording was full" not in walk(timeline, "3", "h").lower()


def test_where_other_processes_start_it_says_so(record: Forker) -> None:
    script = "import subprocess, sys\nx = 1\nsubprocess.run([sys.executable, '-c', ''])\n"
    assert "other processes start here: what runs in them is not recorded" in walk(
        record(script).timeline, "n", "n", "n", "n"
    )
