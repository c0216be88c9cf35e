"""A run with other code in a cell: as if the file had it, and the file stays as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.worker.servers import forked_workers
from tutor.lesson.catalog import Target
from tutor.session.session import Session, record_blocking
from tutor.trace.names import names_of
from tutor.trace.values import to_json

LESSON = """\
# %%
import torch
w = torch.tensor(3.0, requires_grad=True)

# %%
y = w * w
y.backward()

# %%
print(w.grad)
"""


def run(path: Path, edits: dict[int, str]) -> Session:
    session = Session(Target("file", path, path.name), workers=forked_workers()).again(edits=edits)
    record_blocking(session)
    return session


@pytest.fixture
def lesson(tmp_path: Path) -> Path:
    path = tmp_path / "lesson.py"
    path.write_text(LESSON, encoding="utf-8")
    return path


def test_the_edited_cell_runs_and_the_file_stays(lesson: Path) -> None:
    timeline = run(lesson, {2: "h = w * w\ny = h * w\n# three factors\ny.backward()\n"}).timeline
    assert timeline.run_end is not None
    assert timeline.run_end.outcome == "ok"
    assert timeline.output(timeline.steps) == "tensor(27.)\n"
    end = timeline.state(timeline.steps)
    assert to_json(end.tensors[names_of(end)["h"]].value, "float32") == 9.0
    assert lesson.read_text(encoding="utf-8") == LESSON
    # The cells after it stand where they would in the file.
    document = timeline.document
    assert document is not None
    assert [cell["first_line"] for cell in document.cells] == [2, 6, 12]
    assert "h = w * w" in next(iter(timeline.sources.values())).text


def test_an_error_in_it_is_quoted_from_what_ran(lesson: Path) -> None:
    session = run(lesson, {2: "y = w * w\nraise ValueError(y.item())"})
    assert session.timeline.output(session.timeline.steps).rstrip().endswith("ValueError: 9.0")
    assert "    raise ValueError(y.item())" in session.timeline.output(session.timeline.steps)


@pytest.mark.parametrize(
    ("edits", "says"),
    [
        ({2: "y = = w"}, "syntax error"),
        ({7: "y = w"}, "no code cell 7"),
        ({2: "y = w\n# %%\nz = w"}, "a cell of its own"),
    ],
)
def test_what_cannot_be_run_is_refused(lesson: Path, edits: dict[int, str], says: str) -> None:
    session = run(lesson, edits)
    assert session.refused is not None
    assert says in session.refused.note
