"""The details on the screen of a real terminal: one walks on under their sheet, and in a column they follow."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import Start

pytestmark = pytest.mark.sampled(1)

SCRIPT = """\
import torch
X = torch.tensor([[1.0, 0.0, 2.0], [2.0, -1.0, 0.5]])
W = torch.tensor([[3.0, 1.0], [0.0, 2.0], [-2.0, 4.0]], requires_grad=True)
H = X @ W
H.sum().backward()
"""
SHIFT_RIGHT, SHIFT_DOWN = b"\x1b[1;2C", b"\x1b[1;2B"


def test_one_walks_on_under_the_sheet(forked: Start, tmp_path: Path) -> None:
    (tmp_path / "product.py").write_text(SCRIPT)
    terminal = forked("open", str(tmp_path / "product.py"), columns=80, rows=24)
    terminal.wait("first step")
    terminal.press("end")
    terminal.wait("the script is done")
    terminal.press("enter")
    terminal.wait("╭─ step 16 ")
    for step in range(15, 11, -1):
        terminal.press("left")
        terminal.wait(f"╭─ step {step} ")
    terminal.press("p")
    terminal.wait("╭─ step 9 ")
    terminal.press("escape")
    terminal.wait(lambda: "╭─ step" not in terminal.text)
    assert "step 9/16" in terminal.text
    terminal.press("q")
    assert terminal.wait_for_end() == 0
    assert terminal.is_clean


def test_details_follow_in_a_column(forked: Start, tmp_path: Path) -> None:
    (tmp_path / "product.py").write_text(SCRIPT)
    terminal = forked("open", str(tmp_path / "product.py"), columns=200, rows=60)
    terminal.wait("first step")
    terminal.press("end")
    terminal.wait("step 16/16")
    terminal.press("g", "8", "enter")
    terminal.wait("details · step 8 ")
    terminal.wait("H[0, 0] = 1·3 + 0·0 + 2·(-2) = -1")
    terminal.write(SHIFT_RIGHT)
    terminal.write(SHIFT_RIGHT)
    terminal.write(SHIFT_DOWN)
    terminal.wait("H[1, 1] = 2·1 + (-1·2) + 0.5·4 = 2")
    terminal.press("right")
    terminal.wait("details · step 9 ")
    terminal.press("left")
    terminal.wait("H[1, 1] = 2·1 + (-1·2) + 0.5·4 = 2")
    terminal.press("q")
    assert terminal.wait_for_end() == 0
    assert terminal.is_clean
