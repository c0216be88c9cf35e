"""What a wheel holds, and where an installed gradtutor looks for it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tutor import paths

ROOT = Path(__file__).parents[2]


def test_a_checkout_uses_its_own_lessons() -> None:
    assert paths.lessons_dir() == ROOT / "lessons"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    code = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", code, out], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out / done.stdout.split()[-1]


def test_a_wheel_brings_the_lessons(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    lessons = {str(path.relative_to(ROOT / "lessons")) for path in (ROOT / "lessons").glob("*/*.py")}
    packed = tmp_path / "tutor" / "_lessons"
    assert {str(path.relative_to(packed)) for path in packed.glob("*/*.py")} == lessons
    assert not (tmp_path / "tests").exists()
    code = (
        "from tutor import paths; from tutor.lesson.catalog import load; print(len(load(paths.lessons_dir()).lessons))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == str(len(lessons)), done.stderr
