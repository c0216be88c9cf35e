"""A program that reads its terminal is asked line by line; answers are recorded, and replayed on a rerun."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.worker.servers import launch_fork
from tutor.lesson.catalog import Target
from tutor.session.session import Session, replies_in
from tutor.session.worker_process import TYPED, Workers
from tutor.text import steps
from tutor.trace.command import ASKED, ENDED, Reply
from tutor.ui.panes.inputs import MAX_LINE

SCRIPT = """\
import getpass, os, sys
name = input("姓名? ")
secret = getpass.getpass("secret: ")
rest = sys.stdin.read()
raw = os.read(0, 100)
print(name, len(secret), rest, raw)
input("the end? ")
"""
UNASKED = """\
import os, subprocess, sys, threading
with open(0, closefd=False) as stream:
    print("rest", repr(stream.read()))
subprocess.run(["cat"])
print("terminal", sys.stdin.isatty(), os.isatty(sys.stdin.fileno()), os.isatty(0))
print("long", len(input("long? ")))
lines = []
threads = [threading.Thread(target=lambda: lines.append(os.read(sys.stdin.fileno(), 100))) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("lines", sorted(lines))
os.dup2(os.open(__file__, os.O_RDONLY), 0)
print("other", sys.stdin.readline())
"""
GIVEN = """\
import subprocess, sys
print(0, subprocess.run(["cat"], stdin=sys.stdin).returncode)
done = subprocess.run(["sh", "-c", "cat"], stdin=sys.stdin.fileno(), stdout=subprocess.PIPE)
print(1, done.returncode, done.stdout)
print(input())
subprocess.run(["no/such"], stdin=sys.stdin)
"""
TYPED_LINES = ["Ada", "sesame", "1", "2", None, "raw"]


def run(session: Session, lines: Iterator[str | None]) -> list[tuple[str, bool]]:
    """Run a session and type these lines, then stop it; return the prompts at which somebody was asked."""
    asked: list[tuple[str, bool]] = []

    async def go() -> None:
        stopping: list[asyncio.Task[None]] = []

        def updated() -> None:
            waiting = session.waiting
            if waiting is None or stopping:
                return
            line = next(lines, "stop")
            if line == "stop":
                stopping.append(asyncio.create_task(session.stop()))
            elif session.type_line(line):
                asked.append((waiting.prompt, waiting.secret))

        await session.run(updated)
        await asyncio.gather(*stopping)
        await session.workers.close()

    asyncio.run(go())
    return asked


def test_lines_are_asked_for_recorded_and_answered_again(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    workers = Workers(launch_fork, stdin=TYPED)
    session = Session(Target("file", script, "script.py"), workers=workers, stdin=ASKED)
    assert run(session, iter(TYPED_LINES)) == [
        ("姓名? ", False), ("secret: ", True), ("", False), ("", False), ("", False), ("", False)
    ]  # fmt: skip
    timeline = session.timeline
    printed = timeline.output(timeline.steps)
    assert printed.startswith("姓名? Ada\nsecret: \n1\n2\nraw\nAda 6 1\n2\n b'raw\\n'\nthe end? ")
    assert timeline.run_end is not None
    assert timeline.run_end.outcome == "stopped"
    records = [steps.record(timeline, step) for step in range(1, timeline.steps + 1) if timeline.kind(step) == "asked"]
    answers = [(each["line"], each["answer"], each["secret"]) for each in records]
    assert answers == [
        (2, "Ada", False), (3, None, True), (4, "1", False), (4, "2", False), (4, None, False), (5, "raw", False),
        (7, None, False),
    ]  # fmt: skip
    assert replies_in(timeline)[1] == Reply("secret: ", "", True)

    again = session.again()
    assert run(again, iter(["other"])) == [("secret: ", True)]
    assert "Ada 5 1\n2\n b'raw\\n'\n" in again.timeline.output(again.timeline.steps)
    ended = session.again(stdin=ENDED, replies=[Reply("姓名? ", "Bob"), Reply("another", "3")])
    assert run(ended, iter([])) == []
    assert "姓名? Bob\n" in ended.timeline.output(ended.timeline.steps)
    assert ended.exit_status == 1


def test_what_cannot_be_asked_is_at_its_end(tmp_path: Path) -> None:
    """Descriptor 0, which C code and child processes read, has no field on the screen; and threads ask in order."""
    script = tmp_path / "script.py"
    script.write_text(UNASKED, encoding="utf-8")
    session = Session(Target("file", script, "script.py"), workers=Workers(launch_fork, stdin=TYPED), stdin=ASKED)
    assert run(session, iter(["x" * MAX_LINE, "1", "2"])) == [("long? ", False), ("", False), ("", False)]
    timeline = session.timeline
    printed = timeline.output(timeline.steps)
    assert "rest ''\nterminal True True False\n" in printed
    assert f"long {MAX_LINE}\n" in printed
    assert "lines [b'1\\n', b'2\\n']\nother import os, subprocess" in printed


def test_children_that_are_given_the_input_find_it_at_its_end(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(GIVEN, encoding="utf-8")
    session = Session(Target("file", script, "script.py"), workers=Workers(launch_fork, stdin=TYPED), stdin=ASKED)
    assert run(session, iter(["typed"])) == [("", False)]
    assert session.timeline.output(session.timeline.steps).splitlines()[:3] == ["0 0", "1 0 b''", "typed"]
    error = "FileNotFoundError: [Errno 2] No such file or directory: 'no/such'"
    assert error in session.timeline.output(session.timeline.steps)
    assert "start_child" not in session.timeline.output(session.timeline.steps)


def test_a_last_line_without_an_end_is_replayed_without(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import sys\nprint([sys.stdin.readline() for _ in range(3)])\n", encoding="utf-8")
    replies = [Reply("", "a"), Reply("", "b", has_end=False), Reply("", None), Reply("", None)]
    workers = Workers(launch_fork, stdin=TYPED)
    session = Session(Target("file", script, "script.py"), workers=workers, stdin=ASKED).again(replies=replies)
    assert run(session, iter([])) == []
    assert "['a\\n', 'b', '']" in session.timeline.output(session.timeline.steps)
    assert replies_in(session.timeline) == replies


def test_a_file_is_the_input_of_each_run(tmp_path: Path) -> None:
    script, typed = tmp_path / "script.py", tmp_path / "typed.txt"
    script.write_text("import subprocess\nprint(input('? '), flush=True)\nsubprocess.run(['cat'])\n", encoding="utf-8")
    typed.write_text("one\n", encoding="utf-8")
    workers = Workers(launch_fork, stdin=TYPED)
    session = Session(Target("file", script, "script.py"), workers=workers, stdin_path=str(typed))
    assert run(session, iter([])) == []
    assert session.timeline.output(session.timeline.steps) == "? one\n"
    typed.write_text("two\n", encoding="utf-8")
    again = session.again()
    assert run(again, iter([])) == []
    assert again.timeline.output(again.timeline.steps) == "? two\n"
    typed.unlink()
    refused = again.again()
    run(refused, iter([]))
    assert refused.refused is not None
    assert (refused.refused.status, "typed.txt cannot be read: No such file" in refused.refused.note) == (3, True)


def test_a_lesson_finds_its_input_at_its_end_where_others_are_asked(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import sys\nprint(sys.stdin.isatty(), repr(sys.stdin.read()))\n", encoding="utf-8")
    session = Session(Target("file", script, "script.py"), workers=Workers(launch_fork, stdin=TYPED), stdin=ENDED)
    assert run(session, iter([])) == []
    assert session.timeline.output(session.timeline.steps) == "False ''\n"


def test_an_unknown_standard_input_is_refused() -> None:
    with pytest.raises(ValueError, match="'typo'"):
        Workers(stdin="typo")
