"""No text of the interface is missing in a language, and none is there that nobody uses."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import tutor
from tutor import language
from tutor.language import ROOMS

ROOT = Path(tutor.__file__).parent
PLACES = {
    "cli": ("cli.py", "arguments.py", "recordings.py", "saving.py"),
    "rest": ("trace", "lesson", "worker", "progress.py", "process.py", "session.py", "differences.py"),
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


TOLD = ("LessonError", "TwiceError", "Finding", "Refusal", "UsageError", "AnswerError", "PlaceError", "say", "print")
"""What is given a text that somebody reads."""
WORDS = re.compile(r"[A-Za-z]{2,} [a-z]{2,}")


def told(tree: ast.AST) -> Iterator[ast.expr]:
    """The texts that are given to somebody to read: to one of TOLD, or to a `wrong` of a function's own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in (*TOLD, "wrong"):
            yield from (*node.args, *(keyword.value for keyword in node.keywords if keyword.arg != "file"))
        elif isinstance(node, ast.Assign) and all(
            isinstance(name, ast.Name) and name.id in ("what", "mend", "text")
            for target in node.targets
            for name in (target.elts if isinstance(target, ast.Tuple) else [target])
        ):
            yield from node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]


def bare(expression: ast.expr) -> str:
    """The words of a text that nobody has marked."""
    if isinstance(expression, ast.JoinedStr):
        return "".join(str(part.value) for part in expression.values if isinstance(part, ast.Constant))
    if isinstance(expression, ast.IfExp):
        return f"{bare(expression.body)} {bare(expression.orelse)}"
    if isinstance(expression, ast.BinOp):
        return f"{bare(expression.left)} {bare(expression.right)}"
    return expression.value if isinstance(expression, ast.Constant) and isinstance(expression.value, str) else ""


@pytest.mark.parametrize("place", ["check", "lesson", "text", "cli.py", "arguments.py", "recordings.py", "saving.py"])
def test_no_sentence_is_left_in_english(place: str) -> None:
    found = {}
    for path in [ROOT / place] if place.endswith(".py") else (ROOT / place).rglob("*.py"):
        for text in told(ast.parse(path.read_text(encoding="utf-8"))):
            if WORDS.search(bare(text)):
                found[f"{path.name}:{text.lineno}"] = bare(text)
    assert not found
