"""Runs the tests of recorder, explanations, text and lessons with each Python and torch that the README promises.

`python -m tests.compat [--folder DIR] [NAME …]`, by `make compat`: makes the environments that are not there yet in
`DIR`, a few gigabytes each, runs the tests in each one that is named (all without a name), and writes what they said
into `docs/compatibility.md`; rows of environments that are not named stay as they are.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from tutor.text.doctor import TESTED

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs" / "compatibility.md"
TESTS = [
    "tests/recorder",
    "tests/worker",
    "tests/trace",
    "tests/explain",
    "tests/text",
    "tests/lesson",
    "tests/lessons",
]
TOOLS = ("pytest", "hatchling", "babel", "hypothesis", "pyte", "ptyprocess")
"""What tests need, by how the names of the packages begin."""
NEWEST = ""
ENVIRONMENTS = {
    "py312-torch260": ("3.12", "2.6.0"),
    "py312-torch291": ("3.12", "2.9.1"),
    "py313-newest": ("3.13", NEWEST),
}
"""Python and torch by the name of a folder."""
USUAL = ("3.11", "2.13.0")
"""What `make test` runs with."""
_HEAD = """\
# Python and torch that gradtutor was tested with

`make compat` runs the tests of recorder, explanations, text and lessons in environments of their own, and writes this
file; all tests run with Python 3.11 and torch 2.13.0. `gradtutor doctor` says whether the Python and the torch at hand
are among these.

| environment | Python | torch | passed | failed | skipped |
| --- | --- | --- | --- | --- | --- |
"""
_SKIPPED = "\n## Skipped\n\n"
_FAILED = "\n## Failed\n\n"


@dataclass
class Outcome:
    """What the tests said in an environment."""

    python: str
    torch: str
    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)


def main() -> int:
    """Run them all; the exit status is 1 if a test failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.compat")
    parser.add_argument("--folder", type=Path, default=ROOT / ".compat", help="where the environments are")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(ENVIRONMENTS)}")
    options = parser.parse_args()
    unknown = set(options.names) - ENVIRONMENTS.keys()
    if unknown:
        parser.error(f"no such environment: {', '.join(sorted(unknown))}")
    failed = False
    for name in options.names or ENVIRONMENTS:
        outcome = _tests(_environment(options.folder / name, *ENVIRONMENTS[name]))
        _write(name, outcome)
        print(f"{name}: {outcome.passed} passed, {len(outcome.failed)} failed, {outcome.skipped.total()} skipped")
        failed = failed or bool(outcome.failed)
    return int(failed)


def _environment(folder: Path, python: str, torch: str) -> Path:
    """The Python of an environment, which is made if it is not there."""
    program, done = folder / "bin" / "python", folder / ".done"
    if not done.exists():
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        needs = [need for need in project["dependencies"] if not need.startswith("torch")]
        needs += [need for need in project["optional-dependencies"]["dev"] if need.startswith(TOOLS)]
        subprocess.run([f"python{python}", "-m", "venv", folder], check=True)
        pip = [str(program), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, f"torch=={torch}" if torch else "torch", *needs], check=True)
        done.touch()
    return program


def _tests(python: Path) -> Outcome:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ask = "import platform, torch; print(platform.python_version(), torch.__version__)"
    told = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True, env=environment)
    versions = told.stdout.split()
    outcome = Outcome(versions[0], versions[1])
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [str(python), "-m", "pytest", "-q", "-n", "2", "--dist", "worksteal", "-p", "no:cacheprovider"]
        subprocess.run([*command, f"--junitxml={report}", *TESTS], cwd=ROOT, env=environment, check=False)
        for case in ElementTree.parse(report).iter("testcase"):
            skipped = case.find("skipped")
            if skipped is not None:
                outcome.skipped[" ".join((skipped.get("message") or "").split())] += 1
            elif case.find("failure") is not None or case.find("error") is not None:
                outcome.failed.append(f"{case.get('classname')}.{case.get('name')}")
            else:
                outcome.passed += 1
    return outcome


def _write(name: str, outcome: Outcome) -> None:
    """Put the rows of an environment in the place of those that it had."""
    text = TABLE.read_text(encoding="utf-8") if TABLE.exists() else _HEAD + _SKIPPED + _FAILED
    rows, skipped, failed = (_listed(part, name) for part in re.split(r"\n## (?:Skipped|Failed)\n", text))
    failures = len(outcome.failed)
    row = (name, outcome.python, outcome.torch, outcome.passed, failures, outcome.skipped.total())
    rows.append(f"| {' | '.join(map(str, row))} |")
    skipped += [f"- {name}: {reason} ({count})" for reason, count in sorted(outcome.skipped.items())]
    failed += [f"- {name}: `{test}`" for test in sorted(outcome.failed)]
    parts = [_HEAD, *_sorted(rows), _SKIPPED, *_sorted(skipped), _FAILED, *_sorted(failed)]
    TABLE.write_text("".join(parts).rstrip("\n") + ("\n" if failed else "\n\nNone.\n"), encoding="utf-8")


def _listed(text: str, leave_out: str) -> list[str]:
    """The lines of a part of the table that are an environment's, without those of one."""
    lines = [line for line in text.splitlines() if _name_of(line) in ENVIRONMENTS]
    return [line for line in lines if _name_of(line) != leave_out]


def _name_of(line: str) -> str:
    return re.split(r"[ :]", line.lstrip("|- "), maxsplit=1)[0]


def _sorted(lines: list[str]) -> list[str]:
    order = list(ENVIRONMENTS)
    return [f"{line}\n" for line in sorted(lines, key=lambda line: order.index(_name_of(line)))]


def versions_tested() -> set[tuple[str, str]]:
    """The Pythons and torches of the table and of `make test`, as `doctor` has them."""
    cells = [line.strip("| ").split(" | ") for line in _listed(TABLE.read_text(encoding="utf-8"), "")]
    return {USUAL} | {(".".join(row[1].split(".")[:2]), row[2].partition("+")[0]) for row in cells if len(row) > 3}


if __name__ == "__main__":
    status = main()
    if versions_tested() != set(TESTED):
        print(f"tutor/text/doctor.py: TESTED should be {sorted(versions_tested())}")
        status = 1
    sys.exit(status)
