"""Bookmarks: kept for a program as long as its code and knobs are as they were, whatever else is in the file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tutor import paths
from tutor.study import bookmarks
from tutor.trace.events import Document


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return paths.settings_file().with_name("bookmarks.json")


def program(source: str, **knobs: float) -> Document:
    prose = {"kind": "prose", "text": {"en": "Words."}}
    return Document("x.py", {}, [prose, {"kind": "code", "index": 1, "source": source}], {**knobs})


def test_a_program_has_its_own_again() -> None:
    first, second = program("x = 1", lr=0.1), program("x = 2", lr=0.1)
    assert bookmarks.of(first) == {}
    assert bookmarks.keep(first, {7: "here", 12: ""})
    assert bookmarks.keep(second, {3: "梯度"})
    assert bookmarks.of(program("x = 1", lr=0.1)) == {7: "here", 12: ""}
    assert bookmarks.of(second) == {3: "梯度"}
    assert bookmarks.of(program("x = 1", lr=0.2)) == bookmarks.of(program("x = 1  #", lr=0.1)) == {}
    assert bookmarks.keep(first, {})
    assert (bookmarks.of(first), bookmarks.of(second)) == ({}, {3: "梯度"})


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"KEY": []}', '{"KEY": {"a": "b"}}', '{"KEY": {"4": 5, "-1": "x"}}', "[" * 99_999]
)
def test_what_cannot_be_used_is_ignored(home: Path, text: str) -> None:
    document = program("x = 1")
    home.parent.mkdir(parents=True)
    home.write_text(text.replace("KEY", bookmarks._key(document)))
    assert bookmarks.of(document) == {}


def test_a_file_that_is_no_json_stays_as_it_is(home: Path) -> None:
    home.parent.mkdir(parents=True)
    home.write_text("{mine")
    assert not bookmarks.keep(program("x = 1"), {1: "a"})
    assert home.read_text() == "{mine"
    home.write_text(json.dumps({"other": {"1": "a"}}))
    assert bookmarks.keep(program("x = 1"), {1: "b"})
    assert json.loads(home.read_text())["other"] == {"1": "a"}


def test_without_a_folder_to_write_to_they_are_not_kept(home: Path) -> None:
    home.parent.parent.mkdir(parents=True, exist_ok=True)
    home.parent.write_text("a file")
    assert not bookmarks.keep(program("x = 1"), {1: "a"})
    assert bookmarks.of(program("x = 1")) == {}
