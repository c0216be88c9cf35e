"""Which lesson is next."""

from __future__ import annotations

from pathlib import Path

import pytest

from tutor.lesson.model import Header
from tutor.study.course import lesson_after, next_lesson
from tutor.study.progress import Progress, Store

HEADER = '# ---\n# jupyter:\n#   gradtutor:\n#     title: {{en: "A"}}\n{order}# ---\n# %%\nx = 1\n'
PLACES = {"graph/01-aside": None, "graph/02-first": 1, "tensors/01-second": 2, "training/01-other": None}


@pytest.fixture
def lessons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    for name, place in PLACES.items():
        path = tmp_path / "lessons" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEADER.format(order=f"#     order: {place}\n" if place else ""))
    return tmp_path / "lessons"


def after(folder: Path, lesson: str) -> str | None:
    header = lesson_after(folder, lesson)
    return None if header is None else header.id


def test_after_a_lesson_of_the_path_comes_the_next_one_of_it(lessons: Path) -> None:
    assert after(lessons, "graph/first") == "tensors/second"
    assert after(lessons, "tensors/second") == "graph/aside"


def test_a_side_road_leads_back_to_the_path(lessons: Path) -> None:
    assert after(lessons, "training/other") == "graph/first"
    Store().save(Progress("graph/first", begun=True, done=True))
    assert after(lessons, "training/other") == "tensors/second"


def test_when_the_path_is_done_the_side_roads_follow_each_other(lessons: Path) -> None:
    for name in ("graph/first", "tensors/second"):
        Store().save(Progress(name, begun=True, done=True))
    assert after(lessons, "graph/aside") == "training/other"
    assert after(lessons, "training/other") is None


def test_nothing_follows_what_is_not_there(lessons: Path) -> None:
    assert after(lessons, "graph/nothing") is None
    assert after(lessons / "nowhere", "graph/first") is None


def test_what_was_begun_is_next_and_what_cannot_run_here_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tutor.study.course._DEVICES", ("/nowhere/nvidia",))
    names = {"gpu/far": ("cuda",), "graph/a": (), "graph/b": ()}
    headers = [Header(name, "", "", {}, {}, needs, "") for name, needs in names.items()]
    found = [next_lesson(headers, marks) for marks in ({}, {"graph/b": "begun"}, {"graph/a": "done"})]
    assert [header and header.id for header in found] == ["graph/a", "graph/b", "graph/b"]
    assert next_lesson(headers, {"graph/a": "done", "graph/b": "done"}) is None
