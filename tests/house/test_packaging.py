"""What a wheel holds, and where an installed gradtutor looks for it."""

from __future__ import annotations

import gettext
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from hatch_build import compile_catalogs
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
    lessons = list((ROOT / "lessons").glob("*/*.py"))
    packed = tmp_path / "tutor" / "_lessons"
    scripts = {path.relative_to(ROOT / "lessons") for path in (ROOT / "lessons").rglob("*.py")}
    assert {path.relative_to(packed) for path in packed.rglob("*.py")} == scripts
    assert not (tmp_path / "tests").exists()
    code = (
        "from tutor import paths; from tutor.lesson.catalog import load; print(len(load(paths.lessons_dir()).lessons))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == str(len(lessons)), done.stderr


def test_a_wheel_brings_the_translations(wheel: Path, tmp_path: Path) -> None:
    """Compiled: who installs it has no Babel."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    there = {path.relative_to(ROOT).with_suffix(".mo") for path in (ROOT / "tutor" / "locale").rglob("*.po")}
    assert {path.relative_to(tmp_path) for path in (tmp_path / "tutor" / "locale").rglob("*.?o*")} == there
    code = "from tutor import i18n; i18n.use('zh'); print(i18n.languages(), i18n._('show this help'), i18n.__file__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == f"('en', 'zh') 显示本帮助 {tmp_path / 'tutor' / 'i18n.py'}", done.stderr


def test_a_catalog_is_compiled_where_it_has_changed(tmp_path: Path) -> None:
    source = tmp_path / "tutor" / "locale" / "zh" / "LC_MESSAGES" / "gradtutor.po"
    source.parent.mkdir(parents=True)
    header = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
    for time, text in enumerate(("一", "二")):
        source.write_text(f'{header}msgid "one"\nmsgstr "{text}"\n', encoding="utf-8")
        os.utime(source, (2e9 + time, 2e9 + time))
        compile_catalogs(tmp_path)
        compiled = source.with_suffix(".mo")
        with compiled.open("rb") as file:
            assert gettext.GNUTranslations(file).gettext("one") == text
        os.utime(compiled, (2e9 + time, 2e9 + time))
    compiled.write_bytes(b"newer than its source")
    os.utime(compiled, (2e9 + 2, 2e9 + 2))
    compile_catalogs(tmp_path)
    assert compiled.read_bytes() == b"newer than its source"
    assert sorted(path.name for path in source.parent.iterdir()) == ["gradtutor.mo", "gradtutor.po"]
