"""A fork is as a process of its own: its end, its output, its random numbers; several run at a time."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.worker.plain_run import run_plainly
from tests.worker.recording import Forker
from tests.worker.servers import forked_workers, start_python
from tutor.check.runner import Fork, Runner
from tutor.lesson.catalog import Target
from tutor.session.session import Session, record_blocking
from tutor.session.worker_process import Workers
from tutor.trace.command import RunCommand

DRAW = "import random, numpy, torch\nprint(torch.rand(1).item(), numpy.random.rand(), random.random())\n"


def fork(folder: Path, code: str) -> Fork:
    """A plain run of this code, begun."""
    script = folder / f"script{len(list(folder.iterdir()))}.py"
    script.write_text(code, encoding="utf-8")
    with open(os.devnull, "wb") as nowhere:
        return start_python([str(script)], dict(os.environ), str(folder), nowhere.fileno(), nowhere.fileno())


@pytest.mark.parametrize(
    ("code", "status"),
    [("", 0), ("raise SystemExit(3)", 3), ("1 / 0", 1), ("import os; os._exit(4)", 4), ("import os; os.abort()", -6)],
)
def test_its_exit_status(code: str, status: int, tmp_path: Path, record: Forker) -> None:
    assert fork(tmp_path, code).wait() == status
    assert record(code).status == status


def test_several_run_at_a_time_and_each_has_its_own_status(tmp_path: Path) -> None:
    wait = "import os, time\nwhile not os.path.exists('go'):\n    time.sleep(0.01)\nraise SystemExit({})\n"
    forks = [fork(tmp_path, wait.format(number)) for number in (5, 6)]
    assert fork(tmp_path, "raise SystemExit(7)").wait() == 7
    (tmp_path / "go").touch()
    assert [each.wait() for each in forks] == [5, 6]


def test_random_numbers_are_drawn_anew(tmp_path: Path, record: Forker) -> None:
    script = tmp_path / "draw.py"
    script.write_text(DRAW, encoding="utf-8")
    plain = [run_plainly(script, tmp_path / "plain.json").stdout.split() for _ in range(2)]
    recorded = [record(DRAW).stdout.split() for _ in range(2)]
    for first, second in (plain, recorded):
        assert all(one != other for one, other in zip(first, second, strict=True))


def test_a_run_ends_though_a_child_of_its_own_holds_its_pipe(runner: Runner, tmp_path: Path) -> None:
    script = tmp_path / "leaves.py"
    script.write_text("import os, time\nchild = os.fork()\nif not child:\n    time.sleep(600)\n", encoding="utf-8")
    ran = runner.run(RunCommand(str(script), "leaves.py"))
    assert ran.status == 0
    assert ran.timeline.run_end is not None
    binding = ran.timeline.state(ran.timeline.steps).frames[0].names["child"]
    os.kill(int(str(binding.value)), signal.SIGKILL)


@pytest.mark.slow
def test_a_run_that_takes_too_long_is_ended(runner: Runner, tmp_path: Path) -> None:
    script = tmp_path / "loop.py"
    script.write_text("while True:\n    pass\n", encoding="utf-8")
    assert runner.run(RunCommand(str(script), "loop.py"), seconds=1).status == -signal.SIGALRM


@pytest.mark.slow
def test_a_session_in_a_fork_is_one_in_a_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOLD", "by the environment")
    monkeypatch.chdir(tmp_path)
    script = tmp_path / "script.py"
    script.write_text(
        "import os, sys\nimport torch\nw = torch.tensor(2., requires_grad=True)\n(w * w).backward()\n"
        "print(os.environ['TOLD'], os.getcwd(), sys.argv, os.getpid() == os.getsid(0))\nos.system('echo child')\n"
        "os.abort()\n"
    )  # fmt: skip
    sessions = [Session(Target("file", script, "script.py"), workers=each) for each in (Workers(), forked_workers())]
    printed: list[list[tuple[str, str]]] = [[], []]
    for session, parts in zip(sessions, printed, strict=True):
        record_blocking(session, echo=lambda stream, text, parts=parts: parts.append((stream, text)))  # type: ignore[misc]
    process, forked = (session.timeline for session in sessions)
    texts = ["".join(text for _, text in parts).splitlines() for parts in printed]
    assert sorted(texts[0]) == sorted(texts[1])  # what a child prints comes through another pipe
    assert process.run_end == forked.run_end
    assert process.run_end is not None
    assert process.run_end.status == 128 + signal.SIGABRT
    assert [process.view(step) for step in range(1, process.steps + 1)] == [
        forked.view(step) for step in range(1, forked.steps + 1)
    ]


async def test_a_worker_in_a_fork_is_killed() -> None:
    workers = forked_workers()
    worker = await workers.take()
    assert await worker.ready()
    assert worker.alive
    worker.kill()
    assert await worker.wait() == -signal.SIGKILL
    await worker.end()


async def test_a_worker_that_stands_by_is_ended() -> None:
    workers = forked_workers()
    workers.prepare()
    await workers.close()
    worker = await workers.take()
    await worker.end()
    assert not worker.alive
