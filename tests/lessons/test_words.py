"""Words that are not to return, in the lessons and in the texts of the interface, in each language."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

import pytest
from babel.messages.pofile import read_po

from tests.lessons.plainly import LESSONS, lesson
from tutor import i18n
from tutor.lesson.model import LANGUAGES

INSTEAD = {
    "en": {
        r"mend(s|ed|ing)?": "fix",
        r"shall": "should, will",
        r"miss|misses": "error",
        r"(each|every|per|one|this|next|last|first|second|third|two|three|four|five|all|the|\d+) turns?": "iteration",
        r"slopes?": "derivative",
        r"let(s|ting)? (it |them )?go": "freed",
        r"us(es|ed|e) (\w+ )?up": "freed",
        r"hand(s|ed)? (it )?on": "pass on",
        r"anew": "again",
        r"nobody|somebody": "say what it is that does it, or the passive",
        r"take along": "remember",
    },
    "zh": {
        "斜率": "导数, 偏导数",
        "趟": "次反向传播",
        "圈": "次迭代, 轮",
        "单元(?!格)": "单元格",
        "拽": "引用",
    },
}
"""What is not to be said, and what to say instead."""
PICTURES = {
    "backprop/second-order",
    "tensors/slope",
    "training/line-by-hand",
    "training/noisy-line",
    "training/stopping",
}
"""The lessons that speak of the slope of a line or of a curve."""
NEGATIVE_SLOPE = re.compile(r"negative[ _]slope")
"""What torch calls an argument of its leaky_relu."""


def wrong_words(text: str, language: str, *, pictures: bool = False) -> list[str]:
    """Return the words of a text that are not to be said; with `pictures`, it may say slope."""
    text = NEGATIVE_SLOPE.sub("", text)
    found = []
    for pattern in INSTEAD[language]:
        if pictures and pattern in ("slopes?", "斜率"):
            continue
        whole = rf"\b({pattern})\b" if language == "en" else pattern
        found += [match[0] for match in re.finditer(whole, text, re.IGNORECASE)]
    return found


def texts_of(name: str) -> Iterator[tuple[str, str]]:
    """Yield each language and text of a lesson: its header, its prose, the messages of its checks."""
    read = lesson(name)
    for texts in (read.header.title, read.header.summary, *(cell.text for cell in read.cells if not cell.is_code)):
        yield from texts.items()
    for cell in read.cells:
        if cell.is_code:
            yield from messages_of(ast.parse(cell.source))


def messages_of(tree: ast.AST) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                language: Any = key.value if isinstance(key, ast.Constant) else None
                if language in LANGUAGES:
                    for part in ast.walk(value):
                        if isinstance(part, ast.Constant) and isinstance(part.value, str):
                            yield language, part.value


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_says_it_in_the_words_of_the_field(name: str) -> None:
    found = [
        (word, text) for language, text in texts_of(name)
        for word in wrong_words(text, language, pictures=name in PICTURES)
    ]  # fmt: skip
    assert found == []


def test_the_lessons_that_speak_of_a_slope_are_these() -> None:
    assert {name for name in LESSONS if any(re.search("slope|斜率", text) for _, text in texts_of(name))} == PICTURES


def test_the_interface_says_it_in_the_words_of_the_field() -> None:
    found = []
    with (i18n.FOLDER / "zh" / "LC_MESSAGES" / "gradtutor.po").open("rb") as file:
        for message in read_po(file):
            negative = "negative" in str(message.id)
            for language, said in (("en", message.id), ("zh", message.string)):
                for text in said if isinstance(said, tuple | list) else (said,):
                    found += [(word, text) for word in wrong_words(str(text), language, pictures=negative)]
    assert found == []


@pytest.mark.parametrize(
    ("text", "language", "words"),
    [
        ("Mend it: the miss shall get smaller in each turn.", "en", ["Mend", "shall", "miss", "each turn"]),
        ("Its slope is 2; after three turns it is used up.", "en", ["slope", "three turns", "used up"]),
        ("Your turn: turn it over, with the negative_slope of leaky_relu. What is missing?", "en", []),
        ("第二圈的斜率，一趟，下一个单元。", "zh", ["斜率", "趟", "圈", "单元"]),
        ("下一个单元格里的导数。", "zh", []),
    ],
)
def test_words_are_found(text: str, language: str, words: list[str]) -> None:
    assert sorted(wrong_words(text, language)) == sorted(words)
