"""No text of the interface is missing in a language, and none is there that nobody uses."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import tutor
from tutor import language
from tutor.language import ROOMS

ROOT = Path(tutor.__file__).parent
PLACES = {
    "cli": ("cli.py", "arguments.py", "usage.py", "recordings.py"),
    "rest": ("trace", "lesson", "progress.py", "session.py"),
}
"""The packages and modules of a room that is not one package."""
MARKS = ("tr", "later", "phrase")
"""What marks a text; `later` takes nothing but a plain one."""


def used(room: str) -> dict[str, str]:
    """The texts that are marked in a room, and where."""
    found: dict[str, str] = {}
    places = [ROOT / name for name in PLACES.get(room, (room,))]
    for path in sorted(path for place in places for path in ([place] if place.is_file() else place.rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MARKS:
                where = f"{path.relative_to(ROOT.parent)}:{node.lineno}"
                first = node.args[0] if node.args else None
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    found.setdefault(first.value, where)
                else:
                    assert node.func.id != "later", f"{where}: what is marked must be a plain text"
    return found


def catalog(room: str) -> dict[str, str]:
    module = __import__(f"tutor.words.zh_{room}", fromlist=["ZH"])
    return dict(module.ZH)


@pytest.mark.parametrize("room", ROOMS)
def test_every_text_is_there_in_chinese(room: str) -> None:
    texts = {text: where for text, where in used(room).items() if re.search(r"[A-Za-z]{2}", text)}
    missing = {where: text for text, where in texts.items() if text not in catalog(room)}
    assert not missing


@pytest.mark.parametrize("room", ROOMS)
def test_no_text_is_there_that_nobody_uses(room: str) -> None:
    assert not set(catalog(room)) - set(used(room))


@pytest.mark.parametrize("room", ROOMS)
def test_a_translation_has_the_same_blanks(room: str) -> None:
    blanks = re.compile(r"\{(\w*)[^}]*\}")
    for text, said in catalog(room).items():
        assert sorted(blanks.findall(text)) == sorted(blanks.findall(said)), text


def test_a_text_is_the_same_in_all_rooms() -> None:
    for room in ROOMS:
        for other in ROOMS:
            both = set(catalog(room)) & set(catalog(other))
            assert not {text for text in both if catalog(room)[text] != catalog(other)[text]}, (room, other)


def test_the_language_is_that_of_the_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value, expected in (
        ("LANG", "zh_CN.UTF-8", "zh"),
        ("LC_ALL", "en_US.UTF-8", "en"),
        ("LC_ALL", "C", "en"),
    ):
        monkeypatch.setenv(name, value)
        assert language.of_locale() == expected
