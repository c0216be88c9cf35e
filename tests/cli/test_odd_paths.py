"""Paths and arguments that are not UTF-8, or have line breaks and escapes in them, in every command."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.cli.by_forks import COMMAND, inherited
from tests.cli.test_cli import GOOD, environment
from tests.sampling import sample
from tutor.paths import lessons_dir

ODD = (b"\xff\xfe", "\n\x1b[31m]é".encode(), "é".encode("latin-1"))


def run(folder: Path, *words: str | bytes) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(
        [*COMMAND, *words],
        cwd=folder,
        input=b"\n\n",
        capture_output=True,
        timeout=120,
        **inherited(environment(folder)),
    )
    assert b"Traceback" not in done.stderr, done.stderr
    assert b"\x1b" not in done.stdout + done.stderr
    return done


@pytest.mark.parametrize("odd", sample(ODD, 1))
def test_a_script(tmp_path: Path, odd: bytes) -> None:
    name = odd + b".py"
    (tmp_path / os.fsdecode(name)).write_text(GOOD)
    whole = run(tmp_path, "steps", name)
    assert whole.returncode == 0
    assert run(tmp_path, "open", "--plain", name).returncode == 0
    recorded = run(tmp_path, "record", name)
    assert (recorded.returncode, recorded.stdout, recorded.stderr.count(b"\n")) == (0, b"hello\n", 1)
    trace = odd + b".trace"
    assert run(tmp_path, "steps", trace).stdout == whole.stdout
    lines = run(tmp_path, "steps", trace, "--json").stdout.splitlines()
    assert [json.loads(line)["step"] for line in lines] == [*range(1, len(lines) + 1)]
    assert json.loads(run(tmp_path, "show", trace, "--json").stdout)["tensors"]["w"]["grad"] == [2.0]
    assert run(tmp_path, "view", "--plain", trace).returncode == 0
    found = json.loads(run(tmp_path, "check", name, "--json").stdout)["findings"]
    assert os.fsencode(found[0]["path"]) == name


def test_a_folder_of_lessons(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/own\xff\n"
    lesson = next(lessons_dir().glob("graph/*two-paths.py")).read_text(encoding="utf-8")
    family = Path(os.fsdecode(folder)) / "graph"
    family.mkdir(parents=True)
    (family / "01-two-paths.py").write_text(lesson, encoding="utf-8")
    (family / os.fsdecode(b"02-\xff.py")).write_text(lesson, encoding="utf-8")
    listed = run(tmp_path, "list", "--lessons", folder, "--json")
    assert [entry["id"] for entry in json.loads(listed.stdout)] == ["graph/two-paths"]
    assert b"is not named as a lesson is" in listed.stderr
    assert listed.stderr.count(b"\n") == 1
    assert run(tmp_path, "steps", "two-paths", "--lessons", folder).returncode == 0


def test_arguments_reach_the_script_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "echo.py").write_text("import os, sys\nprint([os.fsencode(word) for word in sys.argv[1:]])\n")
    done = run(tmp_path, "record", "echo.py", b"\xff", b"a\nb", "é")
    assert done.stdout == repr([b"\xff", b"a\nb", "é".encode()]).encode() + b"\n"


@pytest.mark.parametrize(
    "words",
    [["steps", b"\xff"], ["show", "echo.py", "--at", b"\xff\n"], ["--lang", b"\xff"], ["--set", b"\xff"],
     [b"li\xffst", "x"], ["new", b"graph/\xff", "--lessons", "own"], ["check", b"\xff"], ["view", b"\xff.trace"],
     ["list", "--lessons", b"\xff"]],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_a_line(tmp_path: Path, words: list[str | bytes]) -> None:
    (tmp_path / "echo.py").write_text("print(1)\n")
    done = run(tmp_path, *words)
    assert done.returncode in (2, 3)
    assert done.stderr.startswith(b"gradtutor: ")
    assert done.stderr.count(b"\n") == 1


def test_text_of_the_program_that_has_no_bytes(tmp_path: Path) -> None:
    (tmp_path / "half.py").write_text("x = ['\\ud800', {'\\udcff': 1}]\nraise ValueError(x[0])\n")
    done = run(tmp_path, "steps", "half.py")
    assert b"failed        ValueError: \\ud800" in done.stdout
