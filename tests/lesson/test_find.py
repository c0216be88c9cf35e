"""What a TARGET means, and what is said of one that means nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tutor.lesson import catalog
from tutor.lesson.model import LessonError
from tutor.trace.tracefile import MAGIC

HEADER = '# ---\n# jupyter:\n#   gradtutor:\n#     title: {en: "A title"}\n# ---\n# %%\nx = 1\n'


@pytest.fixture
def lessons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "lessons"
    for name in ("graph/02-two-paths", "graph/10-saved", "graph/01-dynamic", "tensors/01-paths", "gpu/01-many"):
        path = folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEADER)
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return folder


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("graph/two-paths", "graph/two-paths"),
        ("two-paths", "graph/two-paths"),
        ("paths", "tensors/paths"),
        ("two", "graph/two-paths"),
        ("Two", "graph/two-paths"),
        ("h/dyn", "graph/dynamic"),
    ],
)
def test_a_lesson_by_id_slug_or_part(lessons: Path, text: str, name: str) -> None:
    target = catalog.resolve(text, lessons)
    assert (target.kind, target.name) == ("lesson", name)
    assert target.path.is_file()


def test_an_existing_path_comes_first(lessons: Path) -> None:
    Path("two-paths").write_text("x = 1\n")
    assert catalog.resolve("two-paths", lessons) == catalog.Target("file", Path("two-paths"), "two-paths")


def test_a_lesson_by_its_path_is_that_lesson(lessons: Path) -> None:
    path = lessons / "graph" / "10-saved.py"
    assert catalog.resolve(str(path), lessons) == catalog.Target("lesson", path, "graph/saved")


def test_a_recording_is_known_by_its_suffix_or_its_first_word(lessons: Path) -> None:
    Path("a.trace").write_bytes(b"")
    Path("b.bin").write_bytes(MAGIC + b"\0\1")
    assert [catalog.resolve(name, lessons).kind for name in ("a.trace", "b.bin")] == ["trace", "trace"]


@pytest.mark.parametrize(
    ("text", "status", "says"),
    [
        ("tow-paths", 2, "Did you mean graph/two-paths"),
        ("graph/two-path5", 2, "Did you mean graph/two-paths"),
        ("graph", 2, "graph/dynamic, graph/two-paths or graph/saved"),
        ("zzz", 2, "`gradtutor list`"),
        ("", 2, "`gradtutor list`"),
        ("not-there.py", 3, "no such file"),
        ("not/there", 3, "no such file"),
        ("../there/two-paths.py", 3, "no such file"),
        ("old.trace", 3, "no such file"),
        (".", 2, "folder"),
        ("z" * 6000, 2, "no lesson"),
        ("a\0b", 2, "no lesson"),
        ("a\033[31mb", 2, "no lesson"),
    ],
)
def test_what_is_said_of_the_rest(lessons: Path, text: str, status: int, says: str) -> None:
    with pytest.raises(LessonError) as caught:
        catalog.resolve(text, lessons)
    assert says in str(caught.value)
    assert caught.value.status == status
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


# ---------------------------------------------------------------- the list


def test_lessons_are_listed_in_learning_order(lessons: Path) -> None:
    (lessons / "graph" / "__pycache__").mkdir()
    (lessons / "graph" / "__pycache__" / "02-two-paths.cpython-311.pyc").write_bytes(b"\0")
    found = catalog.load(lessons)
    assert found.problems == ()
    assert [header.id for header in found.lessons] == [
        "tensors/paths", "graph/dynamic", "graph/two-paths", "graph/saved", "gpu/many",
    ]  # fmt: skip
    header = found.get("graph/saved")
    assert header is not None
    assert header.title == {"en": "A title"}


def header_with(line: str) -> str:
    return HEADER.replace("# ---\n# %%", f"#     {line}\n# ---\n# %%")


def test_the_path_comes_first_and_then_the_side_roads(lessons: Path) -> None:
    (lessons / "gpu" / "01-many.py").write_text(header_with("order: 10"))
    (lessons / "graph" / "10-saved.py").write_text(header_with("order: 2"))
    assert [(header.id, header.order) for header in catalog.load(lessons).lessons] == [
        ("graph/saved", 2), ("gpu/many", 10), ("tensors/paths", None), ("graph/dynamic", None),
        ("graph/two-paths", None),
    ]  # fmt: skip


def test_a_place_on_the_path_is_taken_once(lessons: Path) -> None:
    for name in ("graph/10-saved", "gpu/01-many"):
        (lessons / f"{name}.py").write_text(header_with("order: 3"))
    loaded = catalog.load(lessons)
    assert len(loaded.lessons) == 5
    (problem,) = loaded.problems
    assert "has the order 3 of graph/saved" in str(problem)


def test_an_old_id_or_slug_opens_the_first_of_its_parts(lessons: Path) -> None:
    for name, line in (("graph/10-saved", "aliases: [graph/kept, graph/old]"), ("gpu/01-many", "aliases: [graph/old]")):
        (lessons / f"{name}.py").write_text(header_with(line))
    for text in ("graph/old", "old", "kept"):
        target = catalog.resolve(text, lessons)
        assert (target.kind, target.name) == ("lesson", "graph/saved")
        assert "graph/old" in target.aliases
    assert catalog.load(lessons).problems == ()


def test_an_alias_is_no_lesson(lessons: Path) -> None:
    (lessons / "graph" / "10-saved.py").write_text(header_with("aliases: [graph/dynamic]"))
    assert "`graph/dynamic`, which is the id of a lesson" in str(catalog.load(lessons).problems[0])
    assert catalog.resolve("graph/dynamic", lessons).name == "graph/dynamic"


def test_one_bad_lesson_does_not_hide_the_others(lessons: Path) -> None:
    (lessons / "graph" / "03-no-title.py").write_text("x = 1\n")
    (lessons / "graph" / "04-bad.py").write_text(HEADER.replace("title:", "title: {"))
    (lessons / "graph" / "05-saved.py").write_text(HEADER)
    (lessons / "graph" / "nameless.py").write_text(HEADER)
    (lessons / "01-a.py").write_text(HEADER)
    found = catalog.load(lessons)
    assert len(found.lessons) == 5
    said = "\n".join(str(problem) for problem in found.problems)
    for words in ("no family", "has no header", "not YAML", "is the lesson graph/saved", "01-two-paths.py"):
        assert words in said
    assert len(found.problems) == 5


def test_any_folder_is_a_family_and_those_of_others_come_after_ours_by_name(lessons: Path) -> None:
    for folder in ("zoo", "中文", "start", "algebra", ".hidden", "__pycache__"):
        (lessons / folder).mkdir(exist_ok=True)
        (lessons / folder / "01-a.py").write_text(HEADER)
    families = list(dict.fromkeys(header.family for header in catalog.load(lessons).lessons))
    assert families[0] == "start"
    assert families[-3:] == ["algebra", "zoo", "中文"]
    assert "graph" in families[1:-3]
    assert catalog.resolve("zoo/a", lessons).name == "zoo/a"
    assert not catalog.load(lessons).problems


def test_a_folder_of_lessons_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LessonError) as caught:
        catalog.load(tmp_path / "nothing")
    assert caught.value.status == 3


@pytest.mark.parametrize("name", ["outer.inner.run", "outer.inner", "whole.inner.run"])
def test_a_module_in_folders_without_init_is_where_python_has_it(lessons: Path, name: str) -> None:
    for package in ("outer", "whole"):
        folder = Path(package, "inner")
        folder.mkdir(parents=True)
        for file in ("run.py", "__main__.py"):
            (folder / file).write_text("import sys\nsys.stdout.write(__file__)\n")
    Path("whole/__init__.py").touch()
    plain = subprocess.run([sys.executable, "-m", name], capture_output=True, text=True, check=True)
    assert catalog.of_module(name).path == Path(plain.stdout).relative_to(Path.cwd())


def test_a_name_inside_of_a_package_means_no_module_of_python(lessons: Path) -> None:
    Path("outer").mkdir()
    for name in ("outer.time", "outer.json", "outer.time.x"):
        with pytest.raises(LessonError, match="no module"):
            catalog.of_module(name)
