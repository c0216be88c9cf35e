"""Answers of before questions had keys: they were stored by the index of their cell, in lessons as they were then."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TypeVar

import msgspec

Answer = TypeVar("Answer")

_TABLE = Path(__file__).with_name("old_answers.json")
"""By the id that a lesson has, then by the id under which its answers may be stored: the key of each question by the
index that its cell had."""


def renamed(answers: dict[str, Answer], lesson: str, stored: str) -> dict[str, Answer]:
    """Return the answers that are stored under an id, by the keys of the lesson's questions.

    Those stored by index are of before; of a longer lesson's, those that this lesson asks are taken. Where the table
    does not know a lesson, another author's, they stay as they are.
    """
    if lesson == stored and not any(key.isdecimal() for key in answers):
        return answers
    keys = _table().get(lesson, {}).get(stored, {})
    return {keys.get(key, key): answer for key, answer in answers.items() if key in keys or lesson == stored}


@functools.cache
def _table() -> dict[str, dict[str, dict[str, str]]]:
    return msgspec.json.decode(_TABLE.read_bytes(), type=dict[str, dict[str, dict[str, str]]])
