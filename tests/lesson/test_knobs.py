"""Knobs: read from a line, set from a text, written back in place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tutor.lesson import knobs
from tutor.lesson.model import Lesson, LessonError, Setting
from tutor.lesson.parser import parse

TEXT = """\
# %%
é = "ü"; lr = 0.05 ; z = 1
rate: float = -0.5  # @param {type: number, min: -1, max: 1e-3, step: 0.1}
epochs = 100  # @param {type: number, min: 1, max: 1000}
# %%
fast = True  # @param {type: boolean}
name = 'über'  # @param {type: text}
device = "cpu"  # @param [cpu, cuda]
size = 2  # @param [1, 2, 4]
"""


@pytest.fixture
def lesson() -> Lesson:
    return parse(TEXT, Path("script.py"))


def set_to(lesson: Lesson, name: str, text: str) -> Setting:
    return knobs.resolve(lesson, {name: text})[name]


def test_knobs_are_read(lesson: Lesson) -> None:
    assert {name: (knob.type, knob.default) for name, knob in lesson.knobs.items()} == {
        "rate": ("number", -0.5),
        "epochs": ("number", 100),
        "fast": ("boolean", True),
        "name": ("text", "über"),
        "device": ("choice", "cpu"),
        "size": ("choice", 2),
    }
    rate = lesson.knobs["rate"]
    assert (rate.min, rate.max, rate.step, rate.line) == (-1, 1e-3, 0.1, 3)
    assert TEXT.split("\n")[2][rate.start : rate.end] == "-0.5"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("rate", "-0.25", -0.25),
        ("rate", "1e-3", 0.001),
        ("rate", "0", 0.0),  # as written it is a float, and `requires_grad` takes no whole number
        ("epochs", "7", 7),
        ("fast", "false", False),
        ("name", "it's [red]", "it's [red]"),
        ("name", "two\nlines", "two\nlines"),
        ("size", "4", 4),
        ("device", "cuda", "cuda"),
        ("device", "cuda:1", "cuda:1"),
    ],
)
def test_a_knob_is_set(lesson: Lesson, name: str, text: str, value: Setting) -> None:
    values = knobs.resolve(lesson, {name: text})
    assert type(values[name]) is type(value)
    assert values == {name: value}
    changed = knobs.apply(lesson, values)
    names: dict[str, object] = {}
    for before, after in zip(lesson.code_cells, changed.code_cells, strict=True):
        assert after.source.count("\n") == before.source.count("\n")
        exec(after.source, names)
    assert names[name] == value
    assert names["lr"] == 0.05
    assert knobs.all_values(lesson, values) == {n: names[n] for n in lesson.knobs}


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("rat", "1", "Did you mean rate"),
        ("lr", "1", "no knob `lr`"),
        ("rate", "2", "above the most"),
        ("rate", "-2", "below the least"),
        ("rate", "nan", "is a number"),
        ("rate", "inf", "is a number"),
        ("rate", "fast", "is a number, not 'fast'"),
        ("epochs", "0.5", "not a whole number"),
        ("fast", "perhaps", "True or False"),
        ("device", "tpu", "cpu or cuda"),
        ("size", "3", "1, 2 or 4"),
    ],
)
def test_what_a_knob_does_not_take(lesson: Lesson, name: str, text: str, says: str) -> None:
    with pytest.raises(LessonError) as caught:
        set_to(lesson, name, text)
    assert says in str(caught.value)
    assert caught.value.status == 2


def test_a_wrong_name_lists_the_knobs_there_are(lesson: Lesson) -> None:
    with pytest.raises(LessonError, match="rate, epochs, fast, name, device and size"):
        set_to(lesson, "qqq", "1")


def test_device_is_a_knob(lesson: Lesson) -> None:
    assert knobs.resolve(lesson, {}, device="cuda:1") == {"device": "cuda:1"}
    with pytest.raises(LessonError, match="no knob `device`"):
        knobs.resolve(parse("x = 1\n", Path("s.py")), {}, device="cuda")
