"""The text of a program is there while torch is imported."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.worker.servers import forked_workers
from tutor.lesson.catalog import Target
from tutor.session.session import Session
from tutor.session.worker_process import Workers

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
