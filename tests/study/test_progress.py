"""Progress is kept, whoever else writes, and never stands in the way."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tutor import paths
from tutor.lesson import catalog
from tutor.study.progress import GivenAnswer, Progress, Store, merge

QUESTIONS_BEFORE: dict[str, list[int]] = json.loads(Path(__file__).with_name("questions_before.json").read_text())
"""The indices of the cells with questions, by lesson, when answers were stored by index."""


def test_nothing_done_yet(tmp_path: Path) -> None:
    store = Store(tmp_path / "not" / "there")
    assert store.load("graph/two-paths") == Progress("graph/two-paths")
    assert store.load("graph/two-paths").mark == "new"
    assert store.notice is None


def test_what_is_saved_is_there(tmp_path: Path) -> None:
    progress = Progress(
        "graph/two-paths",
        begun=True,
        step=7,
        answers={"predict w": GivenAnswer("5", True), "predict v": GivenAnswer("", None)},
    )
    assert Store(tmp_path).save(progress)
    assert Store(tmp_path).load("graph/two-paths") == progress
    assert Store(tmp_path).load("graph/saved").mark == "new"
    assert [path.suffix for path in tmp_path.iterdir()] == [".json"]


def test_done_stays_done(tmp_path: Path) -> None:
    mine, theirs = Store(tmp_path), Store(tmp_path)
    old = mine.load("a/b")
    theirs.save(Progress("a/b", begun=True, done=True, step=40, answers={"predict w": GivenAnswer("5", True)}))
    old.begun, old.step, old.answers = (
        True,
        3,
        {"predict w": GivenAnswer("6", False), "predict v": GivenAnswer("1", False)},
    )
    mine.save(old)
    found = mine.load("a/b")
    assert (found.mark, found.step) == ("done", 3)
    assert found.answers == {"predict w": GivenAnswer("5", True), "predict v": GivenAnswer("1", False)}


def test_a_wrong_answer_makes_way_for_a_right_one() -> None:
    old, new = (
        Progress("a", answers={"predict w": GivenAnswer("6", False)}),
        Progress("a", answers={"predict w": GivenAnswer("5", True)}),
    )
    assert merge(old, new).answers == {"predict w": GivenAnswer("5", True)}


# ---------------------------------------------------------------- files of before


def write_before(folder: Path, lesson: str, **fields: object) -> None:
    """Write a file as it was written when answers were stored by the index of their cell."""
    path = folder / f"{lesson.replace('/', '__')}.json"
    path.write_text(json.dumps({"lesson": lesson, "begun": True, "done": True, "step": 40, **fields}))


def test_answers_by_index_are_those_of_the_same_questions(tmp_path: Path) -> None:
    answers = {"2": {"answer": "5", "right": True}, "4": {"answer": "1", "right": False, "run": "None"}}
    write_before(tmp_path, "graph/two-paths", answers=answers)
    store = Store(tmp_path)
    expected = {"predict w.grad": GivenAnswer("5", True), "predict a.grad": GivenAnswer("1", False, "None")}
    assert store.load("graph/two-paths").answers == expected
    assert store.save(Progress("graph/two-paths", answers={"predict a.grad": GivenAnswer("None", True)}))
    assert store.load("graph/two-paths").answers == expected | {"predict a.grad": GivenAnswer("None", True)}


def test_in_another_authors_lesson_they_stay_by_index(tmp_path: Path) -> None:
    write_before(tmp_path, "graph/mine", answers={"2": {"answer": "5", "right": True}})
    assert Store(tmp_path).load("graph/mine").answers == {"2": GivenAnswer("5", True)}


def test_the_parts_of_a_lesson_that_was_split_take_over_what_was_done_in_it(tmp_path: Path) -> None:
    answers = {str(index): {"answer": text, "right": True} for index, text in ((0, "-52"), (9, "-0.25"), (11, "4.99"))}
    write_before(tmp_path, "training/optimizers", answers=answers, attempts={"rate": "rate = 1"}, solved=["rate"])
    before = [path.read_bytes() for path in tmp_path.iterdir()]
    store, parts = Store(tmp_path), {}
    for name in ("training/sgd", "training/momentum", "training/adam"):
        parts[name] = store.load(name, ["training/optimizers"])
        assert (parts[name].lesson, parts[name].mark, parts[name].step) == (name, "done", 0)
        assert parts[name].solved == {"rate"}
    assert [answer.answer for part in parts.values() for answer in part.answers.values()] == ["-52", "-0.25", "4.99"]
    assert list(parts["training/momentum"].answers) == ["predict p.item()"]
    assert store.save(parts["training/sgd"])
    assert (tmp_path / "training__optimizers.json").read_bytes() == before[0]


def test_every_question_of_before_has_a_lesson(tmp_path: Path) -> None:
    """Each lesson of before, with an answer to each question: none of them is lost."""
    lessons = catalog.load(paths.lessons_dir()).lessons
    for stored, indices in QUESTIONS_BEFORE.items():
        answered = {str(index): {"answer": str(index), "right": True} for index in indices}
        write_before(tmp_path, stored, answers=answered)
        parts = [lesson for lesson in lessons if stored in (lesson.id, *lesson.aliases)]
        loaded = [Store(tmp_path).load(lesson.id, lesson.aliases).answers for lesson in parts]
        assert all(not key.isdecimal() for answers in loaded for key in answers)
        assert sorted(int(a.answer) for answers in loaded for a in answers.values()) == sorted(indices)
        assert catalog.resolve(stored, paths.lessons_dir()).name == parts[0].id


def test_a_part_is_forgotten_alone(tmp_path: Path) -> None:
    write_before(tmp_path, "training/optimizers")
    store, aliases = Store(tmp_path), ["training/optimizers"]
    assert store.reset("training/sgd", aliases)
    assert store.load("training/sgd", aliases) == Progress("training/sgd")
    assert store.load("training/adam", aliases).done


def test_two_at_once_lose_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tutor.study.progress import *; s = Store(Path(sys.argv[1]))\n"
        "for k in range(50):\n"
        "    key = str(int(sys.argv[2]) + k)\n"
        "    assert s.save(Progress('a/b', answers={key: GivenAnswer('1', True)}))\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(n)]) for n in (0, 1000, 2000)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert len(Store(tmp_path).load("a/b").answers) == 150


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\0", b'{"lesson": 3}', b"[]", b'{"lesson": "a/b", "step": 1e99}'])
def test_a_file_that_is_broken_is_a_notice(tmp_path: Path, text: bytes) -> None:
    store = Store(tmp_path)
    store.save(Progress("a/b"))
    next(tmp_path.iterdir()).write_bytes(text)
    assert store.load("a/b") == Progress("a/b")
    assert store.notice is not None
    assert store.save(Progress("a/b", done=True))
    assert store.load("a/b").done


def test_a_later_version_may_add_fields(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save(Progress("a/b"))
    next(tmp_path.iterdir()).write_text('{"lesson": "a/b", "done": true, "stars": 5}')
    assert store.load("a/b").done


def test_no_place_to_write_is_a_notice(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file" / "progress")
    assert not store.save(Progress("a/b", done=True))
    assert store.notice is not None
    assert "not kept" in store.notice


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full to stand for a full disk")
def test_a_full_disk_is_a_notice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    store.save(Progress("a/b", step=1))
    full = os.open("/dev/full", os.O_WRONLY)
    monkeypatch.setattr("tempfile.mkstemp", lambda **_: (full, str(tmp_path / "x.tmp")))
    assert not store.save(Progress("a/b", step=2))
    assert "No space left" in str(store.notice)
    monkeypatch.undo()
    assert store.load("a/b").step == 1


def test_where_to_go_on_from(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save(
        Progress(
            "a/b",
            begun=True,
            step=12,
            steps=40,
            answers={"predict w": GivenAnswer("5", True), "predict v": GivenAnswer("1", False)},
        )
    )
    found = store.load("a/b")
    assert (found.resume, found.steps, found.right) == (12, 40, 1)
    found.done = True
    assert found.resume == 0


def test_a_lesson_can_be_forgotten(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save(Progress("a/b", begun=True, done=True))
    assert store.reset("a/b")
    assert store.load("a/b") == Progress("a/b")
    assert store.reset("a/b")


def _refused(tmp_path: Path) -> Store:
    """Nothing is read there, and nothing is kept."""
    store = Store(tmp_path)
    assert store.load("a/b") == Progress("a/b")
    assert "is no regular file" in str(store.notice)
    assert not store.save(Progress("a/b", done=True))
    assert "Progress is not kept" in str(store.notice)
    assert Store.unkept == store.notice
    return store


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/null", path)])
def test_what_is_no_file_neither_blocks_nor_is_replaced(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "a__b.json"
    make(path)
    before = path.lstat()
    _refused(tmp_path)
    assert path.lstat() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["a__b.json"]


def test_a_socket_is_a_notice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("a__b.json")
        store = Store(tmp_path)
        assert store.load("a/b") == Progress("a/b")
        assert store.notice is not None
        assert not store.save(Progress("a/b", done=True))
        assert stat.S_ISSOCK((tmp_path / "a__b.json").lstat().st_mode)


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "here").mkdir()
    link, target = tmp_path / "here" / "a__b.json", tmp_path / "kept" / "real.json"
    link.symlink_to("../kept/real.json")
    store = Store(tmp_path / "here")
    assert store.save(Progress("a/b", begun=True, step=3))  # the target is not there yet
    assert store.save(Progress("a/b", done=True, step=4))
    assert link.is_symlink()
    assert '"done":true' in target.read_text()
    assert store.load("a/b").step == 4
    assert list((tmp_path / "here").iterdir()) == [link]
    assert store.notice is None


def test_a_link_to_itself_is_a_notice(tmp_path: Path) -> None:
    (tmp_path / "a__b.json").symlink_to("a__b.json")
    store = Store(tmp_path)
    assert store.load("a/b") == Progress("a/b")
    assert not store.save(Progress("a/b", done=True))
    assert (tmp_path / "a__b.json").is_symlink()


@pytest.mark.parametrize("text", [chr(0xD800), chr(0xDCFF)], ids=["first", "second"])
def test_half_of_a_character_does_not_lose_the_rest(tmp_path: Path, text: str) -> None:
    store = Store(tmp_path)
    assert store.save(
        Progress("a/b", done=True, answers={"predict w": GivenAnswer(text, True)}, attempts={"slope": f"x = '{text}'"})
    )
    found = store.load("a/b")
    assert (found.done, found.answers) == (True, {"predict w": GivenAnswer("?", True)})
    assert found.attempts == {"slope": "x = '?'"}
    assert store.notice is None


def test_a_folder_whose_name_cannot_be_is_a_notice(tmp_path: Path) -> None:
    store = Store(tmp_path / "zero\0byte")
    assert store.load("a/b") == Progress("a/b")
    assert not store.save(Progress("a/b", done=True))
    assert not store.reset("a/b")
    assert store.notice is not None


def test_a_folder_that_is_not_utf8(tmp_path: Path) -> None:
    store = Store(tmp_path / os.fsdecode(b"\xff"))
    assert store.save(Progress("a/b", done=True))
    assert store.load("a/b").done
    assert store.reset("a/b")
    assert store.notice is None


def test_without_a_home_nothing_is_kept_and_nothing_falls_over(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError("could not determine the home directory")  # as platformdirs says it

    monkeypatch.setattr("tutor.paths.progress_dir", nowhere)
    store = Store()
    assert store.load("a/b") == Progress("a/b")
    assert store.notice is None
    assert store.reset("a/b")
    assert not store.save(Progress("a/b", done=True))
    assert store.notice == "Progress is not kept: there is no home folder."
