"""What this machine has of what gradtutor needs, and what does not fit."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import Any, TextIO

from tutor.text.output import table

OLDEST_PYTHON = (3, 11)
OLDEST_TORCH = (2, 6)
SMALLEST = (80, 24)
_PATIENCE = 120
_ASK_TORCH = """
import json, torch
cuda = torch.cuda.is_available()
print(json.dumps({
    "version": torch.__version__, "cuda": torch.version.cuda, "available": cuda,
    "devices": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if cuda else [],
}))
"""

Row = tuple[str, str, str]
"""What, what there is, and what does not fit (empty where all does)."""


def write(out: TextIO) -> bool:
    """Says what there is; whether lessons can be run."""
    torch, runs = _torch()
    rows = [_python(), *torch, *_terminal(sys.stdout)]
    for line in table([[name, found] for name, found, _ in rows], indent=""):
        out.write(line + "\n")
    problems = [problem for _, _, problem in rows if problem]
    out.write("\n" + ("\n".join(problems) if problems else "All fits.") + "\n")
    return runs and not rows[0][2]


def _python() -> Row:
    found = ".".join(map(str, sys.version_info[:3]))
    old = sys.version_info < OLDEST_PYTHON
    return "Python", f"{found} ({sys.executable})", f"gradtutor needs Python {_version(OLDEST_PYTHON)}." if old else ""


def _torch() -> tuple[list[Row], bool]:
    """Asked of a process of its own: this one stays light, and outlives whatever an import does."""
    try:
        told = subprocess.run([sys.executable, "-P", "-c", _ASK_TORCH], capture_output=True, timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        return [("torch", f"importing it takes more than {_PATIENCE} seconds", "torch cannot be imported.")], False
    except OSError as error:
        return [("torch", f"Python cannot be started: {error}", "Lessons cannot be run.")], False
    try:
        found = json.loads(told.stdout.decode().strip().rpartition("\n")[2])
    except ValueError:
        lines = told.stderr.decode(errors="replace").strip().splitlines() or ["it says nothing"]
        mend = "Install torch (https://pytorch.org/get-started): recordings can be viewed without it, lessons not run."
        return [("torch", lines[-1], mend)], False
    return _of_torch(found)


def _of_torch(found: dict[str, Any]) -> tuple[list[Row], bool]:
    numbers = tuple(int(part) for part in found["version"].split("+")[0].split(".")[:2] if part.isdecimal())
    old = numbers < OLDEST_TORCH
    row = "torch", found["version"], f"gradtutor needs torch {_version(OLDEST_TORCH)} or newer." if old else ""
    if found["available"]:
        cuda = "CUDA", f"{found['cuda']}: {', '.join(found['devices'])}", ""
    elif found["cuda"] is None:
        cuda = "CUDA", "none: this torch was built without it", ""
    else:
        cuda = "CUDA", f"built for {found['cuda']}, but torch finds no device", "torch finds no CUDA device."
    return [row, cuda], not old


def _terminal(stream: TextIO) -> list[Row]:
    if not stream.isatty():
        return [("terminal", "none: the output goes elsewhere", "")]
    term, size = os.environ.get("TERM", ""), shutil.get_terminal_size()
    rows = [("terminal", term or "TERM is not set", "")]
    if term in ("", "dumb"):
        rows[0] = (*rows[0][:2], "This terminal cannot draw a screen: --plain walks without one.")
    small = size.columns < SMALLEST[0] or size.lines < SMALLEST[1]
    fits = f"The screen wants {SMALLEST[0]} columns and {SMALLEST[1]} lines." if small else ""
    rows.append(("size", f"{size.columns} columns, {size.lines} lines", fits))
    rows.append(("colours", _colours(term), ""))
    encoding = (getattr(stream, "encoding", None) or "ascii").lower()
    plain = "" if encoding.startswith("utf") else "Lines and marks are drawn in ASCII: the encoding is not UTF-8."
    rows.append(("encoding", encoding, plain))
    return rows


def _colours(term: str) -> str:
    if os.environ.get("NO_COLOR"):
        return "none, as NO_COLOR says"
    if os.environ.get("COLORTERM") in ("truecolor", "24bit"):
        return "16 million"
    return "256" if "256color" in term else "16"


def _version(numbers: tuple[int, int]) -> str:
    return ".".join(map(str, numbers))
