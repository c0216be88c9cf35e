"""The text of a program is there while torch is imported."""

from __future__ import annotations

import asyncio
import io
import re
from pathlib import Path
from typing import Any

import pytest

from tests.worker.servers import forked_workers
from tutor.lesson.catalog import Target
from tutor.lesson.model import LessonError
from tutor.session.session import Session
from tutor.session.worker_process import Workers
from tutor.trace.command import RunCommand
from tutor.trace.selection import CodeLine, parse_beginning, parse_function
from tutor.worker.program import ProgramReader, read_program

CODE = "x = 1\ny = 2  # @param {type: number}\n"


@pytest.fixture
def endless_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a torch in the way whose import does not end."""
    folder = tmp_path / "before" / "torch"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("import time\nwhile True:\n    time.sleep(1)\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(folder.parent))


def session_of(tmp_path: Path, code: str, workers: Workers) -> Session:
    path = tmp_path / "script.py"
    path.write_text(code, encoding="utf-8")
    return Session(Target("file", path, "script.py"), workers=workers)


async def run_until_known(session: Session) -> None:
    """Run until the text is there, or the run has ended."""
    known = asyncio.Event()

    def updated() -> None:
        if session.timeline.document is not None or session.refused is not None:
            known.set()

    run = asyncio.create_task(session.run(updated))
    await asyncio.wait_for(known.wait(), 60)
    if session.refused is None:
        assert session.phase == "importing"
        await session.stop()
    await run


@pytest.mark.slow
@pytest.mark.parametrize("stands_by", [False, True])
async def test_the_text_of_a_program_comes_before_torch(tmp_path: Path, endless_torch: None, stands_by: bool) -> None:
    workers = Workers()
    if stands_by:
        workers.prepare()
        await asyncio.sleep(0.5)  # it may begin with torch before it is sent a run
    session = session_of(tmp_path, CODE, workers)
    await run_until_known(session)
    document = session.timeline.document
    assert document is not None
    assert [cell["source"] for cell in document.cells] == [CODE]
    assert document.knobs == {"y": 2}
    assert not session.timeline.steps
    await workers.close()


@pytest.mark.slow
async def test_a_program_that_cannot_run_is_refused_before_torch(tmp_path: Path, endless_torch: None) -> None:
    session = session_of(tmp_path, "x = (\n", Workers())
    await run_until_known(session)
    assert session.refused is not None
    assert "script.py:1: syntax error" in session.refused.note
    assert not session.timeline.steps


async def test_the_text_is_recorded_once(tmp_path: Path) -> None:
    session = session_of(tmp_path, CODE, forked_workers())
    await session.run()
    assert session.timeline.run_end is not None
    assert session.timeline.run_end.outcome == "ok"
    document = session.timeline.document
    assert document is not None
    assert document.knobs == {"y": 2}


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("a.py", {"skip": [1, 4]}, "a.py: there is no code cell 4 to skip."),
        ("a.py", {"loop": CodeLine(2)}, "no loop begins on line 2"),
        ("a.py", {"loop": CodeLine(2, 1)}, "a.py: is no notebook: its lines are those of the file. Say --loop N."),
        ("a.py", {"part": parse_beginning("cell:1:1")}, "Say --from line:N."),
        ("a.md", {"loop": CodeLine(1)}, "a notebook, whose lines are counted in each code cell. Say --loop cell:C:N."),
        ("a.md", {"part": parse_beginning("line:1")}, "Say --from cell:C:N."),
        ("a.md", {"loop": CodeLine(2, 1)}, "no loop begins on line 2 of code cell 1."),
        ("a.md", {"part": parse_beginning("cell:2:1")}, "a.md: there is no code cell 2."),
        ("a.md", {"part": parse_beginning("cell:1:6")}, "no statement begins on line 6 of code cell 1."),
        ("a.md", {"part": parse_function("a.md:g")}, "a.md: there is no function g."),
        ("a.py", {"part": parse_function("a.py:g")}, "a.py: there is no function g."),
        ("a.py", {"part": parse_function("a.py:C")}, "a.py: there is no function C."),
        ("a.py", {"part": parse_function("a.py:C.each")}, "a.py: C.each is a generator or a coroutine"),
        ("a.py", {"part": parse_function("b.py:wait")}, "b.py: wait is a generator or a coroutine"),
    ],
)
def test_options_that_name_nothing_in_the_file(tmp_path: Path, name: str, options: dict[str, Any], said: str) -> None:
    code = (
        "for i in 'ab':\n    print(i)\nclass C:\n  def f(self): return lambda: (yield)\n  def each(self): x = yield\n"
    )
    (tmp_path / "b.py").write_text("async def wait(): pass\n")
    path = tmp_path / name
    path.write_text(f"```python\n{code}```\n" if name == "a.md" else f"{code}# %%\nx = 1\n# %%\nx = 2\n")
    with pytest.raises(LessonError, match=re.escape(said)):
        read_program(RunCommand(str(path), name, **options))
    read_program(RunCommand(str(tmp_path / name), name, skip=[1]))
    for right in ("a.py:f", "a.py:C.f", "b.py:elsewhere", "c.py:f"):
        read_program(RunCommand(str(tmp_path / name), name, part=parse_function(right)))


def test_a_fault_while_reading_is_raised_in_the_thread_that_waits() -> None:
    with pytest.raises(ValueError, match="Expecting value"):
        ProgramReader(io.BytesIO(b"no command\n"), -1).wait()
    assert ProgramReader(io.BytesIO(b""), -1).wait() is None
