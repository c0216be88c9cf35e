"""The row of hostile programs: each runs by itself and recorded, and does the same both times.

`python -m tests.fuzz.programs SEED NUMBER` prints one. What they do stands in `acts/*.txt`: an act begins with a line
`# what it does`; a program has some of them, and one end.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import textwrap
import time
from collections import Counter
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from random import Random

from tests.fuzz.rows import Budget, Outcome, row
from tests.fuzz.runs import Ran, gradtutor, handle_interrupts, plainly, run
from tests.fuzz.traces import read_all
from tests.worker.servers import close_servers

ACTS = Path(__file__).with_name("acts")
_ODD = re.compile("\ufffd+|object at 0x[0-9a-f]+|0x[0-9a-f]{6,}|repeated \\d+ more times|object refcount : \\d+")
"""Bytes that are no text, which a recording does not keep; where objects lie in memory; how deep the stack was."""
_SAID = re.compile(rb"gradtutor: [^\n]*\n?")
BEGIN = """\
import contextlib, gc, io, math, os, resource, signal, subprocess, sys, threading, time, types
from random import Random
import torch
RANDOM = Random({seed})
def work():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = torch.nn.functional.relu(x * 3)
    (y * y).sum().backward()
    return x.grad
def report(name, floats=torch.Tensor.tolist, write=print, grad=work, errors=Exception):
    try:
        write(name, floats(grad()))
    except errors as error:
        pass
"""


@cache
def acts(name: str) -> dict[str, str]:
    """The acts of a file, by what they do."""
    text = "\n" + (ACTS / f"{name}.txt").read_text(encoding="utf-8")
    parts = (part.partition("\n") for part in text.split("\n# ")[1:])
    return {title: code for title, _, code in parts}


@dataclass
class Program:
    """Its text, and what it does."""

    does: list[str]
    text: str


def program(random: Random) -> Program:
    """Some acts, each as it stands or in something, and an end."""
    files = [acts(name) for name in ("descriptors", "processes", "interpreter", "objects")]
    does, parts = [], [BEGIN.format(seed=random.randrange(1000))]
    for number in range(random.choice([1, 1, 1, 2, 3])):
        chosen = random.choice(files)
        name = random.choice(list(chosen))
        does.append(name)
        parts.append(_wrapped(random, chosen[name], number) + f"report({name!r})\n")
    ends = acts("ends")
    end = random.choice(list(ends)) if random.random() < 0.6 else "as usual"
    return Program([*does, end], "".join(parts) + ends[end] + "\n")


def _wrapped(random: Random, code: str, number: int) -> str:
    code = code.rstrip() + "\n"
    inside = textwrap.indent(code, "    ")
    draw = random.random()
    if "import *" in code or "globals()" in code or draw < 0.5:
        return code
    if draw < 0.7:
        return f"def act_{number}():\n{inside}act_{number}()\n"
    if draw < 0.9:
        return f"try:\n{inside}except Exception as error:\n    print(type(error).__name__)\n"
    return f"for time_{number} in range(1):\n{inside}"


def differences(plain: Ran, kept: Ran, trace: Path) -> str:
    """What the recorded run did otherwise; nothing, where all is the same."""
    if kept.left:
        return f"left behind: {kept.left}"
    if kept.status is None:
        return "it never ended" if plain.status is not None else ""
    if b"tutor/" in kept.err.replace(bytes(trace), b"") or b"Traceback" in _ours(kept.err):
        return f"ours is in its errors: {_end(kept.err)}"
    if plain.status is None or b"terminate called without" in plain.err:
        return ""  # Python itself came down at its end, on threads that were still in torch
    if (plain.status == 0) != (kept.status == 0):
        return f"status {kept.status} instead of {plain.status}: {_end(kept.err)}"
    for what, before, after in (("output", plain.out, kept.out), ("errors", plain.err, _theirs(kept.err))):
        if (changed := _changed(before, after)) is not None:
            return f"other {what}: {changed}"
    if plain.files != kept.files:
        names = [
            os.path.basename(name)
            for name in plain.files.keys() | kept.files.keys()
            if plain.files.get(name) != kept.files.get(name)
        ]
        return f"other files: {names}"
    if not trace.exists():
        return f"no recording: {_end(kept.err)}"
    return read_all(trace, (("steps",), ("show", "--json"))) or ""


def _theirs(errors: bytes) -> bytes:
    return _SAID.sub(b"", errors)  # the program's own may end without a line's end


def _ours(errors: bytes) -> bytes:
    return b"".join(line for line in errors.splitlines(keepends=True) if line.startswith(b"gradtutor: "))


def _end(text: bytes) -> str:
    return text[-400:].decode(errors="backslashreplace")


def _changed(before: bytes, after: bytes) -> str | None:
    """Lines that are missing and lines that are new; their order is that of several pipes."""
    first, second = (Counter(_ODD.sub("?", data.decode(errors="replace")).split("\n")) for data in (before, after))
    if first == second:
        return None
    return f"without {list(first - second)[:4]!r:.400}, with {list(second - first)[:4]!r:.400}"


@row("hostile programs: recorded as by themselves")
def hostile_programs(budget: Budget) -> Outcome:
    """Programs that take apart what is around them."""
    outcome = Outcome()
    handle_interrupts()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home, trace = Path(folder).resolve() / "home", Path(folder).resolve() / "program.trace"
        while budget.allows(outcome.tried):
            number = outcome.tried
            trace.unlink(missing_ok=True)
            made = program(Random(f"programs {budget.seed} {number}"))
            plain = run(plainly, home, partial(write, made.text))
            begun = time.monotonic()
            kept = run(gradtutor("record", "-o", str(trace), "program.py"), home, partial(write, made.text))
            seconds = time.monotonic() - begun
            problem = differences(plain, kept, trace)
            if problem and not kept.left and differs_by_itself(plain, run(plainly, home, partial(write, made.text))):
                problem = ""
            outcome.add(
                seconds, f"programs, seed {budget.seed}, number {number}, {made.does}: {problem}" if problem else None
            )
    close_servers()
    return outcome


def write(text: str, home: Path) -> None:
    """The program's file."""
    (home / "program.py").write_text(text, encoding="utf-8")


def differs_by_itself(plain: Ran, again: Ran) -> bool:
    """Whether the program does not do the same twice."""
    same = (plain.status, plain.files) == (again.status, again.files)
    return not same or any(_changed(*pair) for pair in ((plain.out, again.out), (plain.err, again.err)))


if __name__ == "__main__":
    print(program(Random(f"programs {sys.argv[1]} {sys.argv[2]}")).text)
