"""The row on lesson files and scripts: whatever is in one, it is listed, read and checked, or refused with a line."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from random import Random

import jupytext  # noqa: F401 (all processes have what is imported here)

from tests.fuzz.confined import numbered, run_all
from tests.fuzz.rows import Budget, Outcome, row
from tutor.check import static
from tutor.lesson import catalog
from tutor.lesson import parser as lesson_read
from tutor.lesson.model import LessonError
from tutor.paths import lessons_dir

LINES = [
    b"# coding: rot13\n", b"# -*- coding: latin-1 -*-\n", b"# coding: idna\n", b"# coding: utf-7\n", b"# coding: hex\n",
    b"# coding: nothing\n", b"\xef\xbb\xbf", b"# %% tags=1\n", b"# %% tags=[1]\n",
    b"# %% tags=\"exercise\"\n",
    b"# %% [markdown] lang=1\n", b"# %% [markdown] question=[]\n", b"# %% {\"a\": 1}\n", b"# %% a=b=c\n", b"# %%%%\n",
    b"# %% [markdown] question=\"choice\" of=\"(((\"\n", b"lr = 0.1  # @param {type: number\n",
    b"# ---\n", b"# jupyter:\n",
    b"#   gradtutor: !!python/object:os.system {}\n",
    b"x = 1  # @param &a [*a]\n",
    b"#     title: {en: 1, zh: [}\n",
    b"#     title: &a [*a, *a]\n", b"\x00", b"\xff\xfe", b"\r", b"\x0c\n", b"\xe2\x80\xa8",
    b"%matplotlib inline\n",
    b"!ls\n",
    b"if x:\n", b"    \ty = 1\n", b"'''", b"\\\n", b"# {{ w.grad.item() }}\n",
    b"# {{ (((( }}\n", b"\xf0\x9f\x98\x80 = 1\n",
]  # fmt: skip
LONG: list[Callable[[], bytes]] = [
    lambda: b"x = " + b"-" * 100_000 + b"1\n", lambda: b"(" * 5_000 + b")" * 5_000 + b"\n", lambda: b"[" * 300 + b"\n",
    lambda: b"# " + b"{" * 20_000 + b"\n", lambda: b"x" * 1_000_000 + b"\n", lambda: b"x = 1\n" * 20_000,
    lambda: b"# %%\n" * 2_000, lambda: b"# [](" * 5_000 + b"\n", lambda: b"#" * 100_000 + b"\n",
    lambda: b"x = " + b"9" * 10_000 + b"\n", lambda: b"f'{" * 200 + b"\n", lambda: b"x" + b".y" * 20_000 + b"\n",
]  # fmt: skip


def mutated(random: Random, files: list[bytes]) -> bytes:
    """A lesson, or a script, with something wrong in it."""
    lines = random.choice(files).splitlines(keepends=True) if random.random() < 0.9 else []
    for _ in range(random.choice([1, 1, 2, 3, 10])):
        place = random.randrange(len(lines) + 1)
        act = random.randrange(8)
        if act <= 2:
            lines.insert(random.choice([0, 1, place]), random.choice(LINES))
        elif act == 3 and random.random() < 0.3:
            lines.insert(place, random.choice(LONG)())
        elif act == 4:
            del lines[place : place + random.randrange(1, 5)]
        elif act == 5:
            lines[place:place] = random.choice(files).splitlines(keepends=True)[: random.randrange(30)]
        elif act == 6 and place < len(lines):
            line = bytearray(lines[place])
            line[random.randrange(len(line)) :] = (
                random.randbytes(random.randrange(4)) if random.random() < 0.5 else b"\n"
            )
            lines[place] = bytes(line)
        elif act == 7:
            random.shuffle(lines)
    return b"".join(lines)


def read_all(path: Path) -> str | None:
    """What goes wrong when a file is listed, read and checked; nothing of it is run."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for problem in catalog.load(path.parents[1]).problems:
            if not str(problem):
                return "list: a problem without words"
        try:
            catalog.of_file(str(path), path.parents[1])
            lesson_read.read(path)
        except LessonError as error:
            if not str(error).strip():
                return "read: refused without a word"
        for finding in static.check_text(path)[1]:
            if not str(finding):
                return "check: a finding without words"
    return None


@row("lesson files and scripts: list, read, check")
def of_lessons(budget: Budget) -> Outcome:
    """Files as a beginner, an editor or somebody who means no good leaves them."""
    outcome = Outcome()
    files = [path.read_bytes() for path in sorted(lessons_dir().rglob("*.py"))]
    files += [path.read_bytes() for path in sorted(Path(__file__).parents[1].glob("worker/scripts/*.py"))]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph" / "01-fuzz.py"
        path.parent.mkdir()

        def attempt(number: int) -> str | None:
            path.write_bytes(mutated(Random(f"lesson {budget.seed} {number}"), files))
            error = read_all(path)
            return None if error is None else f"seed {budget.seed}, number {number}: {error}"

        run_all(numbered(lambda _: budget.allows(outcome.tried)), attempt, outcome)
    return outcome
