"""A program's questions are asked on the screen, and replayed on a rerun; secrets are shown nowhere."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.conftest import Start
from tests.e2e.terminal import Terminal

SCRIPT = """\
import getpass, sys, torch
n = int(input("how many? "))
w = torch.ones(n, requires_grad=True)
password = getpass.getpass("password: ")
for line in sys.stdin:
    loss = (w * float(line)).sum()
    loss.backward()
    print("loss", loss.item(), len(password))
print("over")
"""


def asks(terminal: Terminal, prompt: str) -> bool:
    """Whether a field has this prompt."""
    return any(line.startswith(f" {prompt}") for line in terminal.lines)


def test_a_program_asks_on_the_screen(forked: Start, tmp_path: Path) -> None:
    script = tmp_path / "ask.py"
    script.write_text(SCRIPT)
    terminal = forked("open", str(script), columns=120, rows=40)
    terminal.wait(lambda: "Enter send" in terminal.text and '▶  2  n = int(input("how many? "))' in terminal.text)
    terminal.press("escape", "left")  # one walks what is recorded meanwhile
    terminal.wait("Enter answer")
    terminal.press("enter", "3", "enter")
    terminal.wait(lambda: asks(terminal, "password:") and bool(terminal.line("how many? 3")))
    terminal.press(*"sesame")
    terminal.wait("••••••")
    terminal.press("enter")
    terminal.wait(lambda: asks(terminal, "the program reads a line"))
    terminal.press("2", "enter")
    terminal.wait("loss 6.0 6")
    assert "sesame" not in terminal.text
    terminal.press("ctrl+d")
    terminal.wait(lambda: "Enter send" not in terminal.text)
    terminal.press("end")
    terminal.wait(lambda: "│ over" in terminal.text and "running" not in terminal.lines[0])
    terminal.press("r")  # the first answer is given again
    terminal.wait(lambda: asks(terminal, "password:") and bool(terminal.line("how many? 3")))
    terminal.press(*"open", "enter")
    terminal.wait(lambda: "waiting" not in terminal.lines[0] and "running" not in terminal.lines[0])
    terminal.press("end")
    terminal.wait("loss 6.0 4")
    terminal.press("q")
    assert terminal.wait_for_end() == 0
