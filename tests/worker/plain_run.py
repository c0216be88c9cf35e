"""Runs a script as a learner would, with `python` alone, and reads what it left.

Without `alone` it runs in a fork of a process that has imported torch and nothing of gradtutor's: for what does not
depend on how its process came to be.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.worker.servers import run_python
from tutor.lesson.parser import read


@dataclass
class Plain:
    """How a plain run ended, what it printed, and what `sitecustomize.py` found."""

    status: int
    stdout: str
    stderr: str
    tensors: dict[str, dict[str, Any]]
    values: dict[str, Any]
    passes: list[Any]
    lines: list[Any]


def run_plainly(script: Path, out: Path, *, passes: bool = False, lines: bool = False, alone: bool = False) -> Plain:
    """Runs it; with `passes` the engine is watched, which leaves marks in tracebacks, and with `lines` each line."""
    return _run([str(script)], script, out, passes=passes, lines=lines, alone=alone)


def run_lesson_plainly(lesson: Path, out: Path, *, alone: bool = False) -> Plain:
    """Runs a lesson whose exercises are not solved: where one's check fails, its solution, for the cells after it."""
    cells: list[dict[str, Any]] = []
    parts: dict[str, dict[str, Any]] = {}
    for cell in read(lesson).code_cells:
        told = {"kind": cell.kind, "source": cell.source, "line": cell.first_line}
        if cell.kind in ("solution", "check"):
            parts[cell.exercise or ""][cell.kind] = told
        else:
            cells.append(told)
            parts[cell.exercise or ""] = told
    order = out.with_name("cells.json")
    order.write_text(json.dumps({"path": str(lesson), "cells": cells}), encoding="utf-8")
    return _run([str(Path(__file__).with_name("plain_lesson.py")), str(order)], lesson, out, alone=alone)


def _run(
    program: list[str], script: Path, out: Path, *, passes: bool = False, lines: bool = False, alone: bool
) -> Plain:
    before = os.environ.get("PYTHONPATH")
    own = str(Path(__file__).parent / "plain")
    environment = {
        **os.environ,
        "PLAIN_OUT": str(out),
        "PLAIN_PASSES": "1" if passes else "",
        "PLAIN_LINES": str(script) if lines else "",
        "PYTHONPATH": f"{own}{os.pathsep}{before}" if before else own,
    }
    if alone:
        process = subprocess.run(
            [sys.executable, *program],
            stdin=subprocess.DEVNULL, capture_output=True, env=environment, check=False,
        )  # fmt: skip
        status, stdout, stderr = process.returncode, process.stdout.decode(), process.stderr.decode()
    else:
        status, stdout, stderr = run_python(program, environment)
    found = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}
    return Plain(
        status, stdout, stderr,
        found.get("tensors", {}), found.get("values", {}), found.get("passes", []), found.get("lines", []),
    )  # fmt: skip
