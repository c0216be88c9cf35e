"""Runs a script as a learner would, with `python` alone, and reads what it left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


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


def run_plainly(script: Path, out: Path, *, passes: bool = False, lines: bool = False) -> Plain:
    """Runs it; with `passes` the engine is watched, which leaves marks in tracebacks, and with `lines` each line."""
    before = os.environ.get("PYTHONPATH")
    own = str(Path(__file__).parent / "plain")
    environment = {
        **os.environ,
        "PLAIN_OUT": str(out),
        "PLAIN_PASSES": "1" if passes else "",
        "PLAIN_LINES": str(script) if lines else "",
        "PYTHONPATH": f"{own}{os.pathsep}{before}" if before else own,
    }
    process = subprocess.run(
        [sys.executable, str(script)],
        stdin=subprocess.DEVNULL, capture_output=True, env=environment, check=False,
    )  # fmt: skip
    found = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}
    return Plain(
        process.returncode, process.stdout.decode(), process.stderr.decode(),
        found.get("tensors", {}), found.get("values", {}), found.get("passes", []), found.get("lines", []),
    )  # fmt: skip
