"""Check this machine for what gradtutor needs: Python, torch, CUDA, the terminal."""

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
"""Versions of Python and torch, as in `docs/compatibility.md`; `make compat` prints what to write here."""
MIN_SIZE = (80, 24)
"""Columns and lines that the screen needs."""
_IMPORT_TIMEOUT = 120
"""Seconds that importing torch may take."""
_ASK_TORCH = """
import json, torch
cuda = torch.cuda.is_available()
print(json.dumps({
    "version": torch.__version__, "cuda": torch.version.cuda, "available": cuda,
    "devices": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if cuda else [],
}))
"""

Row = tuple[str, str, str]
"""Name, what was found, and the problem (empty if there is none)."""


def write(out: TextIO) -> bool:
    """Write what was found, then the problems. Return whether lessons can be run."""
    torch, runs = _check_torch()
    rows = [_check_python(), *torch, *_check_terminal(sys.stdout)]
    for line in table([[name, version] for name, version, _problem in rows], indent=""):
        out.write(line + "\n")
    problems = [problem for _, _, problem in rows if problem]
    out.write("\n" + ("\n".join(problems) if problems else _("All fits.")) + "\n")
    return runs and not rows[0][2]


def _check_python() -> Row:
    """Return the row of Python."""
    version = ".".join(map(str, sys.version_info[:3]))
    too_old = sys.version_info < OLDEST_PYTHON
    return (
        "Python",
        _with_tested(
            f"{version} ({sys.executable})", _format_version(sys.version_info[:2]), [python for python, _ in TESTED]
        ),
        _("gradtutor needs Python {version}.", version=_format_version(OLDEST_PYTHON)) if too_old else "",
    )


def _check_torch() -> tuple[list[Row], bool]:
    """Return the rows of torch and CUDA, and whether lessons can be run.

    torch is imported in another process: this one stays light, and survives whatever the import does.
    """
    try:
        process = subprocess.run(
            [sys.executable or "", "-P", "-c", _ASK_TORCH], capture_output=True, timeout=_IMPORT_TIMEOUT
        )
    except subprocess.TimeoutExpired:
        return [
            (
                "torch",
                _("importing it takes more than {count} seconds", count=_IMPORT_TIMEOUT),
                _("torch cannot be imported."),
            )
        ], False
    except OSError as error:
        return [("torch", _("Python cannot be started: {error}", error=error), _("Lessons cannot be run."))], False
    try:
        facts = json.loads(process.stdout.decode().strip().rpartition("\n")[2])
    except ValueError:
        from tutor.session.worker_process import quote_line

        lines = process.stderr.decode(errors="replace").strip().splitlines() or [_("it says nothing")]
        fix = _(
            "Install torch (https://pytorch.org/get-started): recordings can be viewed without it, lessons not run."
        )
        return [("torch", quote_line(lines[-1]), fix)], False
    return _torch_rows(facts)


def _torch_rows(facts: dict[str, Any]) -> tuple[list[Row], bool]:
    """Return the rows of an imported torch, and whether it is new enough."""
    version = tuple(int(part) for part in facts["version"].split("+")[0].split(".")[:2] if part.isdecimal())
    too_old = version < OLDEST_TORCH
    row = (
        "torch",
        _with_tested(facts["version"], facts["version"].partition("+")[0], [torch for _, torch in TESTED]),
        _("gradtutor needs torch {version} or newer.", version=_format_version(OLDEST_TORCH)) if too_old else "",
    )
    if facts["available"]:
        cuda = "CUDA", f"{facts['cuda']}: {', '.join(facts['devices'])}", ""
    elif facts["cuda"] is None:
        cuda = "CUDA", _("none: this torch was built without it"), ""
    else:
        cuda = (
            "CUDA",
            _("built for {version}, but torch finds no device", version=facts["cuda"]),
            _("torch finds no CUDA device."),
        )
    return [row, cuda], not too_old


def _check_terminal(stream: TextIO) -> list[Row]:
    """Return the rows of the terminal."""
    if not stream.isatty():
        return [(_("terminal"), _("none: the output goes elsewhere"), "")]
    term, size = os.environ.get("TERM", ""), shutil.get_terminal_size()
    rows = [(_("terminal"), term or _("TERM is not set"), "")]
    if term in ("", "dumb"):
        rows[0] = (*rows[0][:2], _("This terminal cannot draw a screen: --plain walks without one."))
    too_small = size.columns < MIN_SIZE[0] or size.lines < MIN_SIZE[1]
    problem = (
        _("The screen wants {columns} columns and {lines} lines.", columns=MIN_SIZE[0], lines=MIN_SIZE[1])
        if too_small
        else ""
    )
    rows.append((_("size"), _("{columns} columns, {lines} lines", columns=size.columns, lines=size.lines), problem))
    rows.append((_("colours"), _describe_colours(term), ""))
    encoding = (getattr(stream, "encoding", None) or "ascii").lower()
    problem_text = ""
    if not encoding.startswith("utf"):
        problem_text = _("Lines and marks are drawn in ASCII: the encoding is not UTF-8.")
    elif term == "linux":
        problem_text = _("Lines and marks are drawn in ASCII: the console has no others.")
    rows.append((_("encoding"), encoding, problem_text))
    return rows


def _describe_colours(term: str) -> str:
    """Return how many colours the terminal has."""
    if os.environ.get("NO_COLOR"):
        return _("none, as NO_COLOR says")
    if os.environ.get("COLORTERM") in ("truecolor", "24bit"):
        return _("16 million")
    return "256" if "256color" in term else "16"


def _with_tested(text: str, version: str, tested: list[str]) -> str:
    """Return a version, with a remark whether gradtutor was tested with it."""
    if version in tested:
        return _("{what}, tested", what=text)
    versions = ", ".join(sorted(set(tested), key=_parse_version))
    return _("{what}, not tested (gradtutor was with {versions})", what=text, versions=versions)


def _parse_version(version: str) -> list[int]:
    """Return the numbers of a version."""
    return [int(part) for part in version.split(".")]


def _format_version(numbers: tuple[int, ...]) -> str:
    """Return the text of a version."""
    return ".".join(map(str, numbers))
