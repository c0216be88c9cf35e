"""Paths that are not UTF-8, on the screen: opened, run again after a change, answered, and kept."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.by_forks import COMMAND, inherited
from tests.e2e.conftest import Start
from tests.e2e.terminal import Terminal
from tutor.paths import lessons_dir
from tutor.study.progress import Store
from tutor.trace import tracefile

pytestmark = pytest.mark.sampled(1)

ODD = os.fsdecode(b"\xff\xe9")


def test_a_script_is_opened_and_run_again_when_it_changes(forked: Start, tmp_path: Path) -> None:
    script = tmp_path / f"{ODD}.py"
    script.write_text("import torch\nx = torch.ones(1)\n")
    terminal = forked("open", str(script))
    terminal.wait("first step")
    assert ".py" in terminal.lines[0]
    script.write_text("import torch\nx = torch.ones(1)\nadded = x + 1\n")
    terminal.wait("added = x + 1")
    terminal.press("end")
    terminal.wait("added")
    script.write_text("x = (\n")
    terminal.wait("syntax error")
    terminal.press("q")
    assert terminal.wait_for_end() == 0
    assert terminal.is_clean
    terminal.wait_for_no_orphans()


def test_a_script_that_cannot_run_is_told_after_the_screen(forked: Start, tmp_path: Path) -> None:
    """Its name has an escape in it, which the terminal must not obey."""
    script = tmp_path / f"{ODD}\x1b[5;5H\n.py"
    script.write_text("def f(:\n")
    terminal = forked("open", str(script), columns=250)
    assert terminal.wait_for_end() == 2
    assert terminal.is_clean
    (line,) = terminal.text.strip().splitlines()
    assert line.startswith("gradtutor: ")
    assert "[5;5H" in line
    assert "syntax error" in line


def test_a_recording_is_walked(forked: Start, tmp_path: Path) -> None:
    script, trace = tmp_path / f"{ODD}.py", tmp_path / f"{ODD}.trace"
    script.write_text("import torch\nx = torch.ones(1)\nraise ValueError('no')\n")
    terminal = forked("record", "-o", str(trace), str(script))
    assert terminal.wait_for_end() == 1
    timeline = tracefile.load(trace)
    assert timeline.notices == []
    viewing = forked("view", str(trace))
    viewing.wait("ValueError: no")  # it opens at the failure
    viewing.press("q")
    assert viewing.wait_for_end() == 0


def test_a_lesson_keeps_its_answers_and_its_exercise(tmp_path: Path) -> None:
    """Lessons, progress and editor lie in folders whose names are not UTF-8."""
    folder, home = tmp_path / f"lessons{ODD}", tmp_path / f"home{ODD}"
    (folder / "graph").mkdir(parents=True)
    home.mkdir()
    lesson = next(lessons_dir().glob("graph/*two-paths.py"))
    (folder / "graph" / "01-two-paths.py").write_bytes(lesson.read_bytes())
    with Terminal((*COMMAND, "two-paths", "--lessons", str(folder)), home, **inherited({})) as terminal:
        terminal.wait("first step")
        terminal.press("end")
        terminal.wait("your answer")
        terminal.press("5", "enter")
        terminal.wait("and see")
        terminal.press("q")
        assert terminal.wait_for_end() == 0
        assert terminal.is_clean
    kept = Store(home / "data" / "gradtutor" / "progress").load("graph/two-paths")
    assert [given.answer for given in kept.answers.values()] == ["5"]
