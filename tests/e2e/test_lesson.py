"""A lesson on the screen of a real terminal: picked from the list, walked forward and back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.e2e.conftest import Start
from tests.e2e.terminal import Terminal
from tests.sampling import sample

pytestmark = pytest.mark.sampled(2)


def tensor(terminal: Terminal, name: str) -> list[str]:
    """What the tensors pane says of a name: its value, shape, dtype, device, marks and gradient."""
    for line in terminal.lines:
        found = re.search(rf"│[ ▸┊]*{name} +(\S+ +(?:\d+|scalar) .*?) *[│┃]", line)
        if found:
            return found[1].split()
    return []


def test_two_paths_forward_and_back_through_the_backward_pass(forked: Start) -> None:
    terminal = forked("graph/two-paths")
    terminal.wait("Two paths to one leaf")
    terminal.wait("first step")
    terminal.press("end")
    terminal.wait("step 7/43")  # the question holds it up
    assert "what will w.grad hold?" in terminal.text
    assert tensor(terminal, "w")[-1] == "None"

    terminal.press("5", "enter")
    terminal.wait("and see")
    for step in range(10, 23):
        terminal.press("right")
        terminal.wait(f"step {step}/43")
        gradients = [tensor(terminal, name)[-1:] for name in "xw"]
        assert gradients == [["2" if step >= 20 else "None"], ["5" if step >= 21 else "None"]], step
        if step == 19:  # both shares are under way, and told apart
            assert tensor(terminal, "a")[-1] == "(2)"
            assert tensor(terminal, "b")[-1] == "(3)"
    assert "backward pass 1 is over" in terminal.text
    assert [tensor(terminal, name)[0] for name in "xwaby"] == ["2", "1", "3", "2", "6"]

    for step in range(21, 14, -1):
        terminal.press("left")
        terminal.wait(f"step {step}/43")
    assert [tensor(terminal, name)[-1] for name in "xw"] == ["None", "None"]
    assert "(2)" not in terminal.text
    assert [tensor(terminal, name)[0] for name in "xwaby"] == ["2", "1", "3", "2", "6"]

    terminal.press("q")
    assert terminal.wait_for_end() == 0
    assert terminal.is_clean


def test_an_answer_is_kept_for_the_next_time(forked: Start) -> None:
    first = forked("graph/two-paths")
    first.wait("first step")
    first.press("end")
    first.wait("your answer")
    first.press("4", "enter")
    first.wait("and see")
    first.press("end")
    first.wait("step 23/43")
    first.press("q")
    assert first.wait_for_end() == 0

    second = forked("graph/two-paths")
    second.wait("back where you left")
    assert "step 23/43" in second.text
    second.press("home")
    second.wait("step 0/43")
    second.press("end")
    second.wait("step 23/43")  # only the second question holds it up


def test_the_list_opens_a_lesson_and_comes_back(start: Start) -> None:
    terminal = start()
    terminal.wait("Two paths to one leaf")
    for title in ("First look", "Who requires grad"):
        assert title in terminal.text
    while "graph/two-paths" not in terminal.text:
        terminal.press("down")
        terminal.wait(lambda: True)
    terminal.press("enter")
    terminal.wait("first step")
    assert "y.backward()" in terminal.text
    terminal.press("escape")
    terminal.wait(lambda: "graph/two-paths" in terminal.text and "y.backward()" not in terminal.text)
    terminal.press("q")
    assert terminal.wait_for_end() == 0
    assert terminal.is_clean
    terminal.wait_for_no_orphans()


def test_another_size_is_another_arrangement_of_the_same(forked: Start) -> None:
    terminal = forked("graph/two-paths")
    terminal.wait("first step")
    terminal.press("right")
    terminal.wait("step 4/43")
    for columns, rows in ((80, 24), (200, 60), (40, 10), (120, 36)):
        terminal.resize(columns, rows)
        small = columns == 40
        terminal.wait(lambda small=small: ("step 4/43" not in terminal.text) == small)  # type: ignore[misc]
        assert max(map(len, terminal.lines)) <= columns
        assert len(terminal.lines) == rows
        if not small:
            terminal.wait(lambda: "quit" in terminal.lines[-1])  # the last row to be painted
            assert terminal.lines[0].strip().startswith("gradtutor")
    terminal.press("q")
    assert terminal.wait_for_end() == 0


@pytest.mark.parametrize("size", sample([(80, 24), (200, 60)], 1))
def test_the_pass_is_legible_at_this_size(forked: Start, size: tuple[int, int]) -> None:
    terminal = forked("graph/two-paths", columns=size[0], rows=size[1])
    terminal.wait("first step")
    terminal.press("end")
    terminal.wait("step 7/43")
    terminal.press("s")
    terminal.wait("skipped")
    terminal.press("b", "right")
    terminal.wait("step 17/43")
    terminal.press("o")
    terminal.wait("step 22/43")
    assert [tensor(terminal, name)[-1] for name in "xw"] == ["2", "5"]


def test_what_a_program_prints_and_is_called_is_shown_and_never_obeyed(forked: Start, tmp_path: Path) -> None:
    script = tmp_path / "odd.py"
    script.write_text(
        'w = [1, 2]\nname = "[red]markup[/red]"  # 你好\nprint("\\x1b[2J\\x1b]0;owned\\x07", name, "你好", w)\n'
    )
    terminal = forked("open", str(script))
    terminal.wait("first step")
    terminal.press("end")
    terminal.wait("[red]markup[/red] 你好 [1, 2]")
    assert "你好" in terminal.line("name =")
    assert "[2J" in terminal.line("你好 [1, 2]")
