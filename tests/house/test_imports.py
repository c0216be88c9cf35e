"""Which room imports which, and how little a front end needs to open."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "numpy", "jupytext")


def test_imports_point_one_way() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("module", ["tutor.ui.app", "tutor.cli", "tutor.session.session"])
def test_the_front_end_opens_without_what_is_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_the_command_line_is_parsed_without_textual() -> None:
    code = "import sys, tutor.cli; print('textual' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "False", done.stderr


def test_the_list_of_lessons_opens_without_recordings_and_explanations() -> None:
    code = (
        "import sys, tutor.ui.app, tutor.ui.screens.lesson_list as screen; from tutor.paths import lessons_dir;"
        "screen.catalog.load(lessons_dir()); print(*filter(None, map(sys.modules.get, {})))"
    )
    code = code.format(["tutor.explain", "tutor.study.model", "tutor.session.session", "tutor.trace.events", "yaml"])
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, []), done.stderr


def test_no_class_is_given_its_screen_or_its_app() -> None:
    """Widgets post messages, and screens return a result: a class that is handed its owner calls back into it."""
    given = []
    for path in (ROOT / "tutor" / "ui").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name == "__init__":
                annotations = [ast.unparse(arg.annotation) for arg in node.args.args if arg.annotation is not None]
                given += [(path.name, name) for name in annotations if name.strip("'\"").endswith(("Screen", "App"))]
    assert not given
