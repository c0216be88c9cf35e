"""Markdown of lessons: CommonMark, and where prose about code needs something else."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sampling import count  # noqa: F401
from tutor.lesson.markdown import Span, blocks, items, live_values, spans, words

MARKS = {"strong": "**", "emphasis": "*", "code": "`", "live": "$", "break": "/", "link": "~"}


def told(parts: tuple[Span, ...]) -> str:
    """The spans with one mark for each kind on both sides."""
    return "".join(
        MARKS.get(span.kind, "") + (told(span.inner) or span.text) + MARKS.get(span.kind, "") for span in parts
    )


def shape(text: str) -> list[tuple[str, str, str]]:
    return [(block.kind, block.lead, block.text) for block in blocks(text)]
