"""The row of odd scripts that are run: broken Python, other encodings, no files at all; each is run, or refused."""

from __future__ import annotations

import json
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

from tests.fuzz.lessons import LINES, LONG, mutated
from tests.fuzz.rows import Budget, Outcome, row
from tests.fuzz.runs import Ran, gradtutor, run
from tests.worker.servers import close_servers

PLAIN = b"""\
import torch
w = torch.tensor([3.0, 1.0], requires_grad=True)  # @param
for step in range(3):
    loss = (w * w).sum()
    loss.backward()
print("loss", loss.item())
"""
NAMES = (
    b"odd.py", b"odd.py", b"odd.py", b"odd name.py", b"\xff\xfe.py", b"-odd.py", b"odd\n.py", b"odd", b"odd.txt",
    b"odd.ipynb", b"odd.trace", b"\xf0\x9f\x98\x80.py", b"torch.py", b"tutor.py", b"\x1b[31m.py",
    b"x" * 250 + b".py", b".py",
)  # fmt: skip
COMMANDS = (
    ("steps",),
    ("steps", "--json"),
    ("show",),
    ("show", "--json"),
    ("record",),
    ("open", "--plain"),
    ("check",),
)
TEXTS: tuple[Callable[[Random], bytes], ...] = (
    lambda random: random.randbytes(random.choice([0, 1, 10, 5000])),
    lambda random: PLAIN[: random.randrange(len(PLAIN))],
    lambda random: PLAIN.replace(b"\n", random.choice([b"\r\n", b"\r", b"\x0c", b"\n\x00"])),
    lambda random: PLAIN.decode().encode(random.choice(["utf-16", "utf-8-sig", "utf-32", "cp037"])),
    lambda random: random.choice(LINES) + PLAIN,
    lambda random: PLAIN + random.choice(LINES),
    lambda random: PLAIN + random.choice(LONG)(),
    lambda random: b"# coding: " + random.choice([b"latin-1", b"cp1252", b"utf-8"]) + b"\nx = '\xe9'\n" + PLAIN,
    lambda random: json.dumps({"cells": random.choice([[], 5, [{"source": PLAIN.decode()}]])}).encode(),
    lambda random: b"#!/usr/bin/env python\n" + b"\n" * random.choice([1, 100_000]) + PLAIN,
    lambda random: PLAIN.replace(b"    ", b"\t", 1),
    lambda random: random.choice([b"return 5\n", b"yield\n", b"await x\n", b"break\n", b"from __future__ import x\n",
                                  b"nonlocal x\n", b"x: int = y = 3\n", b"f(**k, *a)\n", b"'\\N{no}'\n", b"0777\n"]),
    lambda random: mutated(random, [PLAIN]),
)  # fmt: skip


def fill(random: Random, name: bytes, home: Path) -> None:
    """What is there under the name: a script, most often."""
    path = os.path.join(os.fsencode(home), name)
    draw = random.random()
    if draw < 0.9:
        with open(path, "wb") as file:
            file.write(random.choice(TEXTS)(random))
    elif draw < 0.92:
        os.mkdir(path)
    elif draw < 0.94:
        os.symlink(path, path)
    elif draw < 0.96:
        os.symlink("/dev/null", path)
    elif draw < 0.98:
        os.symlink(b"nowhere", path)


def problem_of(ran: Ran, command: tuple[str, ...]) -> str:
    """What goes wrong; nothing where nothing does."""
    if ran.left or ran.status is None:
        return f"left behind: {ran.left}"
    said = ran.err.decode(errors="replace")
    if ran.status not in (0, 1, 2, 3) or "/tutor/" in said or "Exception ignored" in said:
        return f"status {ran.status}: {said[-500:]}"
    if ran.status and not ran.err and not ran.out:
        return f"status {ran.status} without a word"
    if "--json" in command:
        for line in ran.out.splitlines():
            json.loads(line)
    return ""


@row("odd scripts: steps, show, record, open, check")
def of_scripts(budget: Budget) -> Outcome:
    """Files as a beginner, an editor or somebody who means no good leaves them, run."""
    outcome = Outcome()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        home = Path(folder).resolve() / "home"
        while budget.allows(outcome.tried):
            random = Random(f"scripts {budget.seed} {outcome.tried}")
            name, command = random.choice(NAMES), random.choice(COMMANDS)
            begun = time.monotonic()
            place = os.path.join(b".", name)
            ran = run(gradtutor(*command, place, typed=b"\n" * 30 + b"q\n"), home, partial(fill, random, name))
            problem = problem_of(ran, command)
            where = f"scripts, seed {budget.seed}, number {outcome.tried}, {' '.join(command)} {name[:40]!r}"
            outcome.add(time.monotonic() - begun, f"{where}: {problem}" if problem else None)
    close_servers()
    return outcome
