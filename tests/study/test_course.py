"""Which lesson is next."""

from __future__ import annotations

from pathlib import Path

import pytest

from tutor import paths
from tutor.lesson import catalog
from tutor.lesson.model import Header
from tutor.study.course import OWN_SCRIPT, lesson_after, next_lesson
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
    assert after(lessons, "tensors/second") == "graph/first", "the end leads to what was left out"
    Store().save(Progress("graph/first", begun=True, done=True))
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


def test_the_end_of_every_family_leads_to_the_script_of_ones_own_until_that_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    folder = paths.lessons_dir()
    all_lessons = catalog.load(folder).lessons
    families = {header.family: header.id for header in all_lessons}  # the last one of each
    path = [header.id for header in all_lessons if header.order is not None]
    assert path[-1] == OWN_SCRIPT
    assert {family: after(folder, last) for family, last in families.items() if last != OWN_SCRIPT} == dict.fromkeys(
        families.keys() - {"start"}, OWN_SCRIPT
    )
    assert after(folder, OWN_SCRIPT) == path[0]
    for family in families.keys() - {"start"}:
        marks = {header.id: "done" for header in all_lessons if header.family == family}
        following = next_lesson(all_lessons, marks)
        assert following is not None
        assert following.id == OWN_SCRIPT
    begun = next_lesson(all_lessons, {header.id: "done" for header in all_lessons[1:]} | {path[0]: "begun"})
    assert begun is not None
    assert begun.id == path[0]
    Store().save(Progress(OWN_SCRIPT, begun=True, done=True))
    assert {after(folder, last) for last in families.values()} == {path[0]}


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
