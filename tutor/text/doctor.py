"""What this machine has of what gradtutor needs, and what does not fit."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import Any, TextIO

from tutor.i18n import _
from tutor.text.format import table

OLDEST_PYTHON = (3, 11)
OLDEST_TORCH = (2, 6)
TESTED = (("3.11", "2.13.0"), ("3.12", "2.6.0"), ("3.12", "2.9.1"), ("3.13", "2.14.1"))
"""Python and torch, as `docs/compatibility.md` has them; `make compat` says what stands here once it has run."""
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
    for line in table([[name, found] for name, found, _problem in rows], indent=""):
        out.write(line + "\n")
    problems = [problem for _, _, problem in rows if problem]
    out.write("\n" + ("\n".join(problems) if problems else _("All fits.")) + "\n")
    return runs and not rows[0][2]


def _python() -> Row:
    found = ".".join(map(str, sys.version_info[:3]))
    old = sys.version_info < OLDEST_PYTHON
    return (
        "Python",
        _with_tested(f"{found} ({sys.executable})", _version(sys.version_info[:2]), [python for python, _ in TESTED]),
        _("gradtutor needs Python {version}.", version=_version(OLDEST_PYTHON)) if old else "",
    )


def _torch() -> tuple[list[Row], bool]:
    """Asked of a process of its own: this one stays light, and outlives whatever an import does."""
    try:
        told = subprocess.run([sys.executable or "", "-P", "-c", _ASK_TORCH], capture_output=True, timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        return [
            (
                "torch",
                _("importing it takes more than {count} seconds", count=_PATIENCE),
                _("torch cannot be imported."),
            )
        ], False
    except OSError as error:
        return [("torch", _("Python cannot be started: {error}", error=error), _("Lessons cannot be run."))], False
    try:
        found = json.loads(told.stdout.decode().strip().rpartition("\n")[2])
    except ValueError:
        from tutor.session.worker_process import quote_line

        lines = told.stderr.decode(errors="replace").strip().splitlines() or [_("it says nothing")]
        mend = _(
            "Install torch (https://pytorch.org/get-started): recordings can be viewed without it, lessons not run."
        )
        return [("torch", quote_line(lines[-1]), mend)], False
    return _of_torch(found)


def _of_torch(found: dict[str, Any]) -> tuple[list[Row], bool]:
    numbers = tuple(int(part) for part in found["version"].split("+")[0].split(".")[:2] if part.isdecimal())
    old = numbers < OLDEST_TORCH
    row = (
        "torch",
        _with_tested(found["version"], found["version"].partition("+")[0], [torch for _, torch in TESTED]),
        _("gradtutor needs torch {version} or newer.", version=_version(OLDEST_TORCH)) if old else "",
    )
    if found["available"]:
        cuda = "CUDA", f"{found['cuda']}: {', '.join(found['devices'])}", ""
    elif found["cuda"] is None:
        cuda = "CUDA", _("none: this torch was built without it"), ""
    else:
        cuda = (
            "CUDA",
            _("built for {version}, but torch finds no device", version=found["cuda"]),
            _("torch finds no CUDA device."),
        )
    return [row, cuda], not old


def _terminal(stream: TextIO) -> list[Row]:
    if not stream.isatty():
        return [(_("terminal"), _("none: the output goes elsewhere"), "")]
    term, size = os.environ.get("TERM", ""), shutil.get_terminal_size()
    rows = [(_("terminal"), term or _("TERM is not set"), "")]
    if term in ("", "dumb"):
        rows[0] = (*rows[0][:2], _("This terminal cannot draw a screen: --plain walks without one."))
    small = size.columns < SMALLEST[0] or size.lines < SMALLEST[1]
    fits = (
        _("The screen wants {columns} columns and {lines} lines.", columns=SMALLEST[0], lines=SMALLEST[1])
        if small
        else ""
    )
    rows.append((_("size"), _("{columns} columns, {lines} lines", columns=size.columns, lines=size.lines), fits))
    rows.append((_("colours"), _colours(term), ""))
    encoding = (getattr(stream, "encoding", None) or "ascii").lower()
    plain = ""
    if not encoding.startswith("utf"):
        plain = _("Lines and marks are drawn in ASCII: the encoding is not UTF-8.")
    rows.append((_("encoding"), encoding, plain))
    return rows


def _colours(term: str) -> str:
    if os.environ.get("NO_COLOR"):
        return _("none, as NO_COLOR says")
    if os.environ.get("COLORTERM") in ("truecolor", "24bit"):
        return _("16 million")
    return "256" if "256color" in term else "16"


def _with_tested(what: str, version: str, tested: list[str]) -> str:
    """What there is, and whether gradtutor was tested with it."""
    if version in tested:
        return _("{what}, tested", what=what)
    versions = ", ".join(sorted(set(tested), key=_numbers))
    return _("{what}, not tested (gradtutor was with {versions})", what=what, versions=versions)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def _version(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))
