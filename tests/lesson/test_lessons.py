"""The lessons that come with gradtutor: `gradtutor check` finds nothing wrong, and plain Python runs them.

Their figures are compared in `tests/lessons`.
"""

from __future__ import annotations

import random
import runpy
import sys
import warnings
from itertools import groupby
from pathlib import Path

import pytest

from tutor import paths
from tutor.check.checker import check_file
from tutor.check.runner import Runner
from tutor.lesson import catalog
from tutor.lesson.model import Header
from tutor.lesson.parser import read

CATALOG = catalog.load(paths.lessons_dir())
LESSONS = {header.id: header for header in CATALOG.lessons}
every_lesson = pytest.mark.parametrize("header", LESSONS.values(), ids=LESSONS)


def test_all_can_be_listed() -> None:
    assert LESSONS
    assert CATALOG.problems == ()


@pytest.mark.slow
@pytest.mark.sampled(4)
@every_lesson
def test_nothing_is_wrong_with_a_lesson(header: Header, runner: Runner) -> None:
    found = check_file(Path(header.path), runner)
    assert [str(finding) for finding in found if not finding.warning] == []


@every_lesson
def test_a_lesson_is_short_and_asks(header: Header) -> None:
    cells = read(Path(header.path)).cells
    assert any(cell.question is not None for cell in cells)
    # An exercise counts once: its hints, solution and check are not read on the way. Texts that follow each other, of
    # which the run or the front end may choose some, are read as one.
    kinds = [cell.kind for cell in cells if cell.kind in ("prose", "question", "code", "exercise")]
    assert 3 <= sum(1 if kind == "prose" else len(list(group)) for kind, group in groupby(kinds)) <= 10
    assert all(20 < len(header.summary[language].encode()) < 160 for language in header.summary)


@pytest.mark.slow
@every_lesson
def test_a_lesson_runs_as_a_script(
    header: Header, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(header.path).parent))
    before = random.getstate()
    for name in [name for name in sys.modules if name.partition(".")[0] == "plotext"]:
        del sys.modules[name]  # it has one figure for all, and what another lesson left in it
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        runpy.run_path(header.path, run_name="__main__")
    out, err = capfd.readouterr()
    assert len(out.splitlines()) <= 20
    assert err == ""
    assert random.getstate() == before
