"""`gradtutor new`: what it writes passes `gradtutor check`; and what it refuses."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tutor.check.checker import check_file, lesson_files
from tutor.check.runner import Runner
from tutor.lesson import catalog
from tutor.lesson.model import LessonError
from tutor.lesson.parser import read
from tutor.lesson.template import write


@pytest.mark.slow
def test_it_passes_as_it_is(runner: Runner, tmp_path: Path) -> None:
    path = write("graph/my-first", tmp_path / "mine")
    assert path == tmp_path / "mine" / "graph" / "01-my-first.py"
    assert check_file(path, runner) == []
    lesson = read(path)
    assert lesson.id == "graph/my-first"
    assert lesson.header.languages == ("en", "zh")
    assert {"question", "diagnosis", "exercise", "hint", "solution", "check"} <= {cell.kind for cell in lesson.cells}
    subprocess.run([sys.executable, path], check=True)


def test_the_next_is_the_last_of_its_family(tmp_path: Path) -> None:
    names = [write(name, tmp_path).name for name in ("graph/one", "graph/two", "tensors/one", "graph/three")]
    assert names == ["01-one.py", "02-two.py", "01-one.py", "03-three.py"]
    (tmp_path / "graph" / "17-far.py").write_text("")
    assert write("graph/four", tmp_path).name == "18-four.py"
    (tmp_path / "graph" / "17-far.py").unlink()
    assert [header.id for header in catalog.load(tmp_path).lessons] == [
        "tensors/one", "graph/one", "graph/two", "graph/three", "graph/four",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "status", "says"),
    [
        ("graph", 2, "called family/slug"),
        ("/x", 2, "called family/slug"),
        ("graph/", 2, "called family/slug"),
        ("_x/y", 2, "no name for a family"),
        ("../x", 2, "no name for a family"),
        ("graph/Two Paths", 2, "no name for a lesson"),
        ("graph/../x", 2, "no name for a lesson"),
        ("graph/" + "x" * 41, 2, "no name for a lesson"),
        ("graph/there", 2, "there is a lesson graph/there already"),
        ("tensors/x", 3, "cannot be written"),
    ],
)
def test_what_is_refused(name: str, status: int, says: str, tmp_path: Path) -> None:
    write("graph/there", tmp_path)
    (tmp_path / "tensors").write_text("a file where a folder should be")
    with pytest.raises(LessonError, match=says) as caught:
        write(name, tmp_path)
    assert caught.value.status == status
    assert [path.name for path in (tmp_path / "graph").iterdir()] == ["01-there.py"]


def test_a_folder_of_lessons_is_checked_whole(tmp_path: Path) -> None:
    first, second = write("graph/one", tmp_path), write("tensors/one", tmp_path)
    (tmp_path / "zoo").mkdir()
    (tmp_path / "zoo" / "01-a.py").write_text("")
    (tmp_path / "graph" / "02-one.py").write_text(first.read_text())
    (tmp_path / "03-b.py").write_text("")
    found, problems = lesson_files(tmp_path)
    assert found == [second, first, tmp_path / "graph" / "02-one.py", tmp_path / "zoo" / "01-a.py"]
    said = [f"{Path(problem.path).name}: {problem.what}" for problem in problems]
    assert sorted(said)[0] == "02-one.py: is the lesson graph/one, as " + f"{first} is."
    assert sorted(said)[1:] == ["03-b.py: stands in no family's folder."]


def test_a_family_with_a_folder_of_other_scripts_is_checked_itself(tmp_path: Path) -> None:
    first = write("graph/one", tmp_path)
    (tmp_path / "graph" / "helpers").mkdir()
    (tmp_path / "graph" / "helpers" / "data.py").write_text("")
    assert lesson_files(tmp_path / "graph") == ([first], [])


def test_a_folder_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path) -> list[Path]:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(LessonError, match="cannot be read: Permission denied"):
        lesson_files(tmp_path)


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(LessonError, match="no lesson in this folder"):
        lesson_files(tmp_path)
