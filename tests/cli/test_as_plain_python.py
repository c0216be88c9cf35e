"""A script, or a module by name, is run as `python` would run it: what it sees of its start, and how it ends."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.by_forks import COMMAND, inherited
from tutor.lesson.catalog import of_module
from tutor.lesson.model import LessonError

SEEN = """\
'''What a program sees of its start.'''
import os
import sys

print(__name__, __file__, __package__, __doc__, __spec__ and (__spec__.name, __spec__.origin))
print(sys.argv, sys.path[0], os.getcwd(), sorted(globals()), file=sys.stderr)
"""
FILES = {
    "scripts/train.py": SEEN + "import near\nprint(near.__file__, sys.stdin.read())\n",
    "scripts/near.py": "",
    "data/numbers.txt": "3",
    "scripts/data.py": "print(open('data/numbers.txt').read())\nraise ValueError('as it is')\n",
    "pkg/__init__.py": "import sys\nprint('first', sys.argv[0])\n",
    "pkg/model.py": "def forward(x):\n    return x * 2\n",
    "pkg/train.py": SEEN + "from .model import forward\nprint(forward(int(sys.argv[1])))\nsys.exit(3)\n",
    "pkg/wrong.py": "from . import model\n\n\ndef main():\n    raise KeyError(1)\n\n\nmain()\n",
    "pkg/__main__.py": SEEN + "import argparse\nargparse.ArgumentParser().parse_args()\n",
    "pkg/broken/__init__.py": "1 / 0\n",
    "pkg/broken/train.py": "",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project").resolve()
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "link.py").symlink_to("scripts/train.py")
    return folder


def gradtutor(project: Path, *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "HOME": str(project), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [*COMMAND, *words], input=typed, capture_output=True, text=True, cwd=project, **inherited(environment)
    )


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    "words",
    [
        ["scripts/train.py", "a", "--json", "--", "-o"],
        ["./scripts/../scripts/train.py", "--lr=1"],
        ["link.py"],
        ["scripts/data.py"],
        ["-m", "pkg.train", "21"],
        ["-m", "pkg.train", "x"],
        ["-m", "pkg.wrong"],
        ["-m", "pkg"],
        ["-m", "pkg", "--bad"],
        ["-m", "pkg.broken.train"],
    ],
    ids=" ".join,
)
def test_as_under_python(project: Path, words: list[str]) -> None:
    plain = subprocess.run([sys.executable, *words], input="", capture_output=True, text=True, cwd=project)
    recorded = gradtutor(project, "record", "-o", "run.trace", *words)
    said, own = recorded.stderr.splitlines(), "gradtutor: recorded "
    assert [line for line in said if not line.startswith(own)] == plain.stderr.splitlines()
    assert (recorded.stdout, recorded.returncode) == (plain.stdout, min(plain.returncode, 1))


def test_what_a_module_runs_is_shown(project: Path) -> None:
    done = gradtutor(project, "steps", "-m", "pkg.train", "--json", "5")  # one of ours, then the script's
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    places = {(step["file"], step["line"], step["function"]) for step in lines}
    assert {("pkg/train.py", 8, "<module>"), ("pkg/model.py", 2, "forward")} <= places


@pytest.mark.parametrize(
    ("name", "status", "says"),
    [
        ("pkg.nothing", 3, "no module `pkg.nothing`"),
        ("scripts/train.py", 3, "without it"),
        ("scripts", 2, "without __main__.py"),
        ("sys", 2, "no Python source"),
        (".pkg", 3, "no module `.pkg`"),
    ],
)
def test_no_such_module(project: Path, name: str, status: int, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    with pytest.raises(LessonError, match=re.escape(says)) as raised:
        of_module(name)
    assert raised.value.status == status


def test_a_module_is_found_without_running_its_package(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    target = of_module("pkg.broken.train")
    assert (target.path, target.name, target.module) == (
        Path("pkg/broken/train.py"), "pkg/broken/train.py", "pkg.broken.train"
    )  # fmt: skip


def test_a_lesson_and_a_recording_take_no_arguments(project: Path) -> None:
    assert "takes no arguments: a --b." in gradtutor(project, "show", "two-paths", "a", "--b").stderr
