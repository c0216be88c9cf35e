"""Progress is kept, whoever else writes, and never stands in the way."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tutor.study.progress import GivenAnswer, Progress, Store, merge


def test_nothing_done_yet(tmp_path: Path) -> None:
    store = Store(tmp_path / "not" / "there")
    assert store.load("graph/two-paths") == Progress("graph/two-paths")
    assert store.load("graph/two-paths").mark == "new"
    assert store.notice is None


def test_what_is_saved_is_there(tmp_path: Path) -> None:
    progress = Progress(
        "graph/two-paths", begun=True, step=7, answers={2: GivenAnswer("5", True), 4: GivenAnswer("", None)}
    )
    assert Store(tmp_path).save(progress)
    assert Store(tmp_path).load("graph/two-paths") == progress
    assert Store(tmp_path).load("graph/saved").mark == "new"
    assert [path.suffix for path in tmp_path.iterdir()] == [".json"]


def test_done_stays_done(tmp_path: Path) -> None:
    mine, theirs = Store(tmp_path), Store(tmp_path)
    old = mine.load("a/b")
    theirs.save(Progress("a/b", begun=True, done=True, step=40, answers={1: GivenAnswer("5", True)}))
    old.begun, old.step, old.answers = True, 3, {1: GivenAnswer("6", False), 2: GivenAnswer("1", False)}
    mine.save(old)
    found = mine.load("a/b")
    assert (found.mark, found.step) == ("done", 3)
    assert found.answers == {1: GivenAnswer("5", True), 2: GivenAnswer("1", False)}


def test_a_wrong_answer_makes_way_for_a_right_one() -> None:
    old, new = Progress("a", answers={1: GivenAnswer("6", False)}), Progress("a", answers={1: GivenAnswer("5", True)})
    assert merge(old, new).answers == {1: GivenAnswer("5", True)}


def test_two_at_once_lose_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tutor.study.progress import *; s = Store(Path(sys.argv[1]))\n"
        "for k in range(50): assert s.save(Progress('a/b', answers={int(sys.argv[2]) + k: GivenAnswer('1', True)}))\n"
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
        Progress("a/b", begun=True, step=12, steps=40, answers={2: GivenAnswer("5", True), 4: GivenAnswer("1", False)})
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
        Progress("a/b", done=True, answers={1: GivenAnswer(text, True)}, attempts={"slope": f"x = '{text}'"})
    )
    found = store.load("a/b")
    assert (found.done, found.answers, found.attempts) == (True, {1: GivenAnswer("?", True)}, {"slope": "x = '?'"})
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
