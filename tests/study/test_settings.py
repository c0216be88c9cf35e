"""Settings are kept, unknown ones are reported in one line, and options and the environment take precedence."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from tutor import paths
from tutor.arguments import parse
from tutor.study.settings import Settings


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in a folder of this test."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.setenv(name, "en_US.UTF-8")
    path = paths.settings_file()
    assert path.parent == paths.progress_dir().parent
    path.parent.mkdir(parents=True)
    return path


def test_what_is_set_is_there_the_next_time_and_for_another_process(file: Path) -> None:
    one, other = Settings(), Settings()
    assert (one.problem, one.get("theme")) == ("", None)
    one.set("theme", "light")
    other.set("speed", 15)
    again = Settings()
    assert (again.get("theme"), again.get("speed"), again.problem) == ("light", 15, "")
    assert not list(file.parent.glob("*.tmp"))


@pytest.mark.parametrize("text", ["{", "[1]", '"x"', "\xff", "", "[" * 100_000], ids=str)
def test_a_broken_file_is_told_in_a_line_and_stays_as_it_is(file: Path, text: str) -> None:
    file.write_text(text, encoding="latin-1")
    settings = Settings()
    assert "settings.json is ignored" in settings.problem
    assert "\n" not in settings.problem
    settings.set("theme", "light")
    assert "not kept" in settings.problem
    assert settings.get("theme") == "light"  # for this time
    assert file.read_text(encoding="latin-1") == text


def test_entries_that_cannot_be_used_are_named_and_kept_and_the_others_hold(file: Path) -> None:
    entries = {"theme": "purple", "speed": "fast", "language": ["zh"], "graph": "boxes", "later": {"x": 1}}
    file.write_text(json.dumps(entries))
    settings = Settings()
    assert [settings.get(name) for name in entries] == [None, None, None, "boxes", None]
    for name in ("theme", "speed", "language", "later"):
        assert name in settings.problem
    settings.set("theme", "dark")
    assert json.loads(file.read_text()) == entries | {"theme": "dark"}


def test_a_folder_in_its_place_and_one_that_cannot_be_written(file: Path) -> None:
    file.mkdir()
    settings = Settings()
    assert "settings.json is ignored" in settings.problem
    settings.set("theme", "dark")
    assert "not kept" in settings.problem
    assert file.is_dir()


def test_a_file_that_may_not_be_read_is_told_and_one_that_is_missing_is_not(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Settings().problem == ""

    def refuse(path: Path) -> bytes:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr("tutor.study.kept_files.read", refuse)
    assert Settings().problem.endswith("settings.json is ignored: Permission denied.")


def test_the_option_comes_before_the_language_that_is_kept_and_that_before_the_locale(file: Path) -> None:
    assert parse(["list"]).lang == "en"
    Settings().set("language", "zh")
    assert parse(["list"]).lang == "zh"
    assert parse(["list", "--lang", "en"]).lang == "en"
