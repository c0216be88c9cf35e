"""Completion in a shell: bash reads the script, and completes words of all kinds."""

from __future__ import annotations

import shlex
from pathlib import Path
from subprocess import run

import pytest

from tutor import completion
from tutor.options import SHELLS

LESSONS = Path(__file__).parents[2] / "lessons"
COMPLETE = """
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
_shtab_gradtutor gradtutor "${COMP_WORDS[-1]}" "${COMP_WORDS[-2]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def bash() -> str:
    return completion.script("bash", LESSONS, "en") + COMPLETE


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("sh", {"show"}),
        ("show --a", {"--at", "--all"}),
        ("graph/two", {"graph/two-paths"}),
        ("record --lang ''", {"en", "zh"}),
        ("open --images k", {"kitty"}),
        ("open tr", {"train.py", "trained"}),
        ("record a.py -o tr", {"train.py", "trained"}),
        ("check tr", {"train.py", "trained"}),
        ("open --lessons tr", {"trained"}),
        ("completion f", {"fish"}),
        ("view --pl", {"--plain"}),
        ("graph/two-paths --pl", {"--plain"}),
    ],
)
def test_bash_completes(bash: str, words: str, expected: set[str], tmp_path: Path) -> None:
    (tmp_path / "train.py").touch()
    (tmp_path / "trained").mkdir()
    typed = ["gradtutor", *shlex.split(words)]
    done = run(["bash", "-c", bash, "bash", *typed], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == expected, done.stderr


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_gets_the_commands_and_the_lessons(shell: str) -> None:
    script = completion.script(shell, LESSONS, "zh")
    assert {"steps", "doctor", "two-paths"} <= {word.strip("'\"(),:") for word in script.replace("/", " ").split()}


def test_a_lesson_without_a_title_in_the_language_has_that_of_another(tmp_path: Path) -> None:
    header = '# ---\n# jupyter:\n#   gradtutor:\n#     title: {en: "Mine alone"}\n#     summary: {en: "One."}\n# ---\n'
    (tmp_path / "graph").mkdir()
    (tmp_path / "graph" / "01-mine.py").write_text(f"{header}\n# %%\nx = 1\n", encoding="utf-8")
    assert "Mine alone" in completion.script("fish", tmp_path, "zh")
