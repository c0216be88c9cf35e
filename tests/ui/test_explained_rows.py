"""The rows of explanations, of every lesson and in every room."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.sampling import sample
from tests.worker.recording import Forker
from tutor import paths
from tutor.explain import lines
from tutor.ui.render.explained import explained_rows, marked_rows
from tutor.ui.render.segments import ASCII, UNICODE, Row, row_width

LESSONS = sorted(paths.lessons_dir().glob("*/*.py"))
ROOMS = ((56, 1), (76, 2), (96, 2), (116, 4), (196, 5))
"""Cells and rows that a terminal of 60x16, 80x24, 100x30, 120x40 and 200x60 has."""
STEPS = 60
PRODUCT = """\
import torch
X = torch.tensor([[1.0, 2.0], [0.0, -1.0], [2.0, 0.5]])
W = torch.tensor([[1.0, -2.0], [3.0, 4.0]], requires_grad=True)
H = X @ W
torch.relu(H).sum().backward()
"""


def text(row: Row) -> str:
    return "".join(text for text, _roles in row).replace("\u00a0", " ")


@pytest.mark.slow
@pytest.mark.parametrize("path", sample(LESSONS, 2), ids=lambda path: path.stem)
def test_no_row_is_wider_than_its_room_and_both_marks_are_there(record: Forker, path: Path) -> None:
    timeline = record(path).timeline
    for step in sample(range(1, timeline.steps), STEPS):
        explained = lines(timeline, step)
        assert explained.next, step
        for width, height in ROOMS:
            rows = explained_rows(explained, width, height, UNICODE)
            assert len(rows) <= height, (step, width, height)
            assert all(row_width(row) <= width for row in rows), (step, width, height)
            if explained.numbers and height > 1:
                assert text(rows[0]).startswith(text(tuple(explained.rule[0]))), "the rule comes first"
        marked = [text(row) for row in marked_rows(explained, 100, UNICODE)]
        assert [row[0] for row in marked if row[0] in "▷▶"] == (["▷", "▶"] if step > 1 or len(marked) > 1 else ["▶"])


def test_a_product_is_drawn_like_on_paper_where_there_is_room(record: Forker) -> None:
    recording = record(PRODUCT)
    step = next(
        step for step in recording.steps_of("node") if "MmBackward0" in lines(recording.timeline, step).rule[0][0]
    )
    explained = lines(recording.timeline, step)
    rule = "MmBackward0 · H = X·W · grad(W) = Xᵀ·G · because each H[i,j] took W[k,j] times X[i,k]"
    assert [text(row).rstrip() for row in explained_rows(explained, 116, 4, UNICODE)] == [
        rule,
        "                      ⎡ 1  1 ⎤                        row 0 of Xᵀ, column 0 of G",
        "Xᵀ ⎡ 1   0  2   ⎤ · G ⎢ 0  0 ⎥ = grad(W) ⎡ 3    1 ⎤   grad(W)[0, 0] = 1·1 + 0·0 + 2·1 = 3",
        "   ⎣ 2  -1  0.5 ⎦     ⎣ 1  0 ⎦           ⎣ 2.5  2 ⎦",
    ]
    assert [text(row) for row in explained_rows(explained, 76, 2, UNICODE)] == [
        "MmBackward0 · H = X·W · grad(W) = Xᵀ·G",
        "2×3 · 3×2 → 2×2 · grad(W)[0, 0] = 1·1 + 0·0 + 2·1 = 3",
    ]
    plain = "\n".join(ASCII.text(text(row)) for row in explained_rows(explained, 116, 4, ASCII))
    assert plain.isascii()
    assert "[ 1   0  2   ] * G [" in plain


def test_a_long_sum_says_what_it_leaves_out_and_keeps_its_result(record: Forker) -> None:
    recording = record(
        "import torch\nx = torch.arange(40.0).reshape(2, 20) * 1.2345\n"
        "w = torch.ones(20, 12, requires_grad=True)\n(x @ w).sum().backward()\n"
        "a = torch.ones(2, 20, requires_grad=True)\n(a @ x.T).sum().backward()\n"
    )
    (*_, step) = [step for step in recording.steps_of("node") if lines(recording.timeline, step).element is not None]
    for width, height in ROOMS[1:]:
        said = " ".join(map(text, explained_rows(lines(recording.timeline, step), width, height, UNICODE)[1:]))
        assert re.search(r" \+ … \(\d+ more terms?\) [=≈] \S+|\d [=≈] \S+", said), said
