"""Exercises as a learner runs them: what stands in the cell runs, is checked, and the cells after it work anyway."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tutor.check.runner import Runner, RunResult
from tutor.explain import describe_check_failure
from tutor.i18n import use
from tutor.trace.command import RunCommand
from tutor.trace.events import Answer, Checked
from tutor.trace.names import names_of
from tutor.trace.values import to_json

LESSON = """\
# ---
# jupyter:
#   gradtutor:
#     title: {en: "A"}
# ---

# %%
import torch

w = torch.tensor([3.0], requires_grad=True)

# %% tags=["exercise"] id="slope" kind="fill"
torch.rand(1)
grad = None

# %% [markdown] tags=["hint"] lang="en"
# Twice.

# %% tags=["solution"]
draw = torch.rand(1)
print("the solution")
grad = 2 * w.detach()
with torch.no_grad():
    w += 1

# %% tags=["check"]
expected = 6.0
print("checking")
assert grad is not None, "grad is still None"
assert float(grad) == expected, f"grad is {float(grad):g}"

# %%
after = grad * 2
twice = (w * 2).sum()
"""
EXERCISE = 13
"""The line at which its code begins."""

Try = Callable[..., RunResult]


@pytest.fixture
def attempt(runner: Runner, tmp_path: Path) -> Try:
    def run(code: str | None = None, lesson: str = LESSON) -> RunResult:
        path = tmp_path / "01-a.py"
        path.write_text(lesson, encoding="utf-8")
        return runner.run(RunCommand(str(path), "a", attempts={} if code is None else {"slope": code}))

    return run


def outcomes(ran: RunResult) -> list[Checked]:
    return [aside.event for aside in ran.timeline.side_events if isinstance(aside.event, Checked)]


def value(ran: RunResult, name: str, step: int | None = None) -> object:
    state = ran.timeline.state(ran.timeline.steps if step is None else step)
    tensor = state.tensors[names_of(state)[name]]
    return to_json(tensor.value, tensor.dtype)


def lines(ran: RunResult) -> list[int | None]:
    timeline = ran.timeline
    return [timeline.view(step).line for step in range(1, timeline.steps + 1) if timeline.kind(step) == "line"]


def test_the_starter_fails_and_what_follows_works(attempt: Try) -> None:
    ran = attempt()
    first, second = outcomes(ran)
    assert (first.ok, first.message, first.line, first.of) == (False, "grad is still None", 29, "attempt")
    assert (second.ok, second.of, second.exercise) == (True, "solution", "slope")
    assert ran.status == 0
    assert [(cell.cell, cell.outcome) for cell in ran.timeline.cells] == [(1, "ok"), (2, "ok"), (3, "ok")]
    assert value(ran, "after") == [12.0]
    # Neither the solution nor the check is walked, or prints.
    assert not set(range(19, 32)) & set(lines(ran))
    assert ran.timeline.output(ran.timeline.steps) == ""


def test_the_solution_is_not_given_away_before_the_next_cell(attempt: Try) -> None:
    ran = attempt()
    end = ran.timeline.cells[1].end
    assert end is not None
    state = ran.timeline.state(end)
    assert state.frames[0].names["grad"].value is None
    assert "draw" not in state.frames[0].names
    assert "expected" not in ran.timeline.state(ran.timeline.steps).frames[0].names
    # From the next cell on all is known of what it did, also where it wrote in place.
    assert value(ran, "w", end) == [3.0]
    assert value(ran, "w", end + 2) == [4.0]
    assert value(ran, "twice") == 8.0


def test_a_right_attempt_runs_alone(attempt: Try) -> None:
    ran = attempt("half = w.detach()\n# as in the rule\n\ngrad = half + half\n")
    (outcome,) = outcomes(ran)
    assert outcome.ok
    assert value(ran, "after") == [12.0]
    assert value(ran, "w") == [3.0]
    # All that follows has moved down with it.
    assert lines(ran) == [8, 10, EXERCISE, EXERCISE + 3, 35, 36]
    assert "half = w.detach()" in ran.timeline.sources[1].text


@pytest.mark.parametrize(
    ("code", "message", "line"),
    [
        ("grad = w.detach()", "grad is 3", 29),
        ("grad = w.dettach()", "Your code stopped with AttributeError: 'Tensor' object has no attribute 'dettach'", 13),
        ("x = 1\ngrad = = 2", "Your code stopped with SyntaxError: invalid syntax (01-a.py, line 14)", 14),
        ("slope = 6", "There is no `grad`: your code does not define it.", 28),
        ("grad = 'a'", "The check could not run: ValueError: could not convert string to float: 'a'", 29),
        ("raise ValueError", "Your code stopped with ValueError.", 13),
    ],
)
def test_a_wrong_attempt_is_told_why(attempt: Try, code: str, message: str, line: int) -> None:
    ran = attempt(code)
    first, second = outcomes(ran)
    assert (first.ok, describe_check_failure(first), first.line) == (False, message, line)
    assert second.ok
    assert ran.status == 0
    assert value(ran, "after") == [12.0]


def test_a_wrong_attempt_is_told_why_in_the_language_that_is_spoken_now(attempt: Try) -> None:
    both = LESSON.replace(
        'f"grad is {float(grad):g}"', '{"en": f"grad is {grad.item():g}", "zh": f"grad 是 {grad.item():g}"}'
    )
    assert both != LESSON
    said = [outcomes(attempt(code, both))[0] for code in ("grad = w.detach()", "slope = 6", "raise ValueError")]
    assert describe_check_failure(said[0]) == "grad is 3"
    use("zh")
    try:
        assert [describe_check_failure(one) for one in said] == [
            "grad 是 3", "没有 `grad`：你的代码没有定义它。", "你的代码出错停下了：ValueError。",
        ]  # fmt: skip
    finally:
        use("en")


def test_a_failing_attempt_can_be_walked(attempt: Try) -> None:
    ran = attempt("half = w * 2\ngrad = half.backwards()")
    kinds = [ran.timeline.kind(step) for step in range(1, ran.timeline.steps + 1)]
    cell = ran.timeline.cells[1]
    assert cell.outcome == "failed"
    assert kinds[cell.start - 1 : cell.end] == ["cell", "line", "op", "line", "failed", "cell_end"]


def test_the_solution_draws_what_an_attempt_would_have_drawn(attempt: Try) -> None:
    seeded = LESSON.replace("import torch\n", "import torch; torch.manual_seed(1)\n", 1)
    unsolved = attempt(None, seeded)
    solved = attempt("draw = torch.rand(1)\ngrad = 2 * w.detach()", seeded)
    assert value(unsolved, "draw") == value(solved, "draw")


def test_an_attempt_that_ends_the_program_ends_the_run(attempt: Try) -> None:
    ran = attempt("raise SystemExit(4)")
    assert ran.status == 4
    assert outcomes(ran) == []
    assert ran.timeline.cells[-1].outcome == "exited"


def line_question(of: str, code: str) -> str:
    return (
        LESSON[: LESSON.index("# %% tags")]
        + f'# %% [markdown] question="line" of="{of}" lang="en"\n# Which line?\n\n# %%\n{code}'
    )


@pytest.mark.parametrize(
    ("of", "code", "line", "last", "count"),
    [
        ("w.grad is not None", "y = w * w\ny.backward()\nz = 1\n", 17, 17, 1),
        ("v > 2", "v = 0\nfor _ in range(5):\n    u = v\n    v = u + 1\n", 19, 19, 3),
        ("len(parts) == 2", "parts = [\n    1,\n    2,\n]\n", 16, 19, 1),
        ("turn == 1", "for turn in range(3):\n    pass\n", 16, 16, 2),
    ],
)
def test_which_line(attempt: Try, of: str, code: str, line: int, last: int, count: int) -> None:
    ran = attempt(None, line_question(of, code))
    (answer,) = [aside.event for aside in ran.timeline.side_events if isinstance(aside.event, Answer)]
    assert (answer.value, answer.last_line, answer.count, answer.error) == (line, last, count, None)


@pytest.mark.parametrize(
    ("of", "says"),
    [("w.item() == 3", "true before the cell begins"), ("w.item() == 5", "never becomes true"), ("q.x", "never")],
)
def test_no_line_does_it(attempt: Try, of: str, says: str) -> None:
    ran = attempt(None, line_question(of, "y = w * w\n"))
    (answer,) = [aside.event for aside in ran.timeline.side_events if isinstance(aside.event, Answer)]
    assert says in (answer.error or "")
    # Asking leaves no trace.
    assert [ran.timeline.kind(step) for step in range(1, ran.timeline.steps + 1)].count("op") == 2
