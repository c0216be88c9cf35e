"""Runs tries in processes of their own, each with a bound for its memory and its time."""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO, TypeVar

from tests.fuzz.rows import Outcome

MEMORY = 300 << 20
"""No process may have more bytes than this."""
SECONDS = 60.0
"""No try may take more time of a processor."""
HANGS = 20 * SECONDS
"""Nor more time of the clock, however busy the machine is."""
CHUNK = 20
"""So many tries share a process, which is forked: starting Python takes longer than a try."""

Try = TypeVar("Try")


def run_all(tries: Iterable[Try], attempt: Callable[[Try], str | None], outcome: Outcome, chunk: int = CHUNK) -> None:
    """Make each try; `attempt` gives what went wrong, or None."""
    iterator = iter(tries)
    while some := list(islice(iterator, chunk)):
        while some:
            some = some[_run_chunk(some, attempt, outcome) :]


def _run_chunk(chunk: list[Try], attempt: Callable[[Try], str | None], outcome: Outcome) -> int:
    """Make these tries in one process; how many were made before it ended."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _child(chunk, attempt, writing)
    os.close(writing)
    made, begun, told = 0, time.monotonic(), ""
    with os.fdopen(reading, encoding="utf-8") as answers:
        while made < len(chunk):
            told = answers.readline() if _answers(answers, child) else ""
            if not told:
                break
            error, peak = json.loads(told)
            if error is None and peak > MEMORY:
                error = f"{chunk[made]!r:.80} took {peak >> 20} MB"
            outcome.add(time.monotonic() - begun, error)
            outcome.peak = max(outcome.peak, peak)
            begun = time.monotonic()
            made += 1
    if not told:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if told:
        return made
    outcome.add(time.monotonic() - begun, f"{chunk[made]!r:.80}: no answer (status {status})")
    return made + 1


def _answers(answers: IO[str], child: int) -> bool:
    """Wait for an answer; whether there is one within the bounds."""
    begun, used = time.monotonic(), _used(child)
    while not select.select([answers], [], [], 5.0)[0]:
        if _used(child) - used > SECONDS or time.monotonic() - begun > HANGS:
            return False
    return True


def _used(process: int) -> float:
    """The seconds that a process has computed."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _child(chunk: list[Try], attempt: Callable[[Try], str | None], writing: int) -> None:
    try:
        limit = _address_space() + 2 * MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        for item in chunk:
            try:
                error = attempt(item)
            except BaseException as raised:
                last = traceback.extract_tb(raised.__traceback__)[-1]
                error = f"{item!r:.80}: {type(raised).__name__}: {raised!s:.200} ({last.filename}:{last.lineno})"
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
            os.write(writing, (json.dumps([error, peak]) + "\n").encode())
    finally:
        os._exit(0)


def _address_space() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def elsewhere(work: Callable[[], object]) -> None:
    """Do something in another process, whose memory does not count."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def numbered(allowed: Callable[[int], bool]) -> Iterator[int]:
    """0, 1, 2, … while it is allowed."""
    number = 0
    while allowed(number):
        yield number
        number += 1
