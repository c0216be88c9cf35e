"""Each number in the text of a step is spelled as `number` spells it, in all lessons."""

from __future__ import annotations

import re
from collections.abc import Collection

import pytest

from tests.lessons.plainly import LESSONS
from tests.sampling import sample
from tests.worker.recording import Forker
from tutor.text import steps
from tutor.trace.number_format import ROUGHLY, number

NUMBER = re.compile(r"(?<![\w.,%])\d+(?:\.\d+)?(?:e[-+]?\d+)?(?!\w|[.,]\d)")
QUOTES = ("line", "failed", "cell_end")
"""Kinds of steps whose text is the learner's code, or a message of torch's."""


QUOTED = ("op", "node", "call", "backward")
"""Kinds of steps whose text may quote numbers of the learner's code, as they are typed there."""


def misspelled(text: str, typed: Collection[str] = ()) -> list[str]:
    """Return the numbers that are spelled in another way, but for those that are typed so in the code."""
    wrong = []
    for match in NUMBER.finditer(text):
        spelled = number(float(match[0]) if re.search("[.e]", match[0]) else int(match[0])).removeprefix(ROUGHLY)
        if spelled != match[0] and match[0] not in typed:
            wrong.append(match[0])
    return wrong


@pytest.mark.parametrize("name", sample(list(LESSONS), 3))
def test_each_number_in_a_text_has_one_spelling(record: Forker, name: str) -> None:
    timeline = record(LESSONS[name]).timeline
    typed = set(NUMBER.findall(LESSONS[name].read_text()))
    fields = (steps.record(timeline, step) for step in sample(range(1, timeline.steps + 1), 300))
    told = [step for step in fields if step["kind"] not in QUOTES]
    assert any(NUMBER.search(step["text"]) for step in told)
    wrong = {step["text"]: misspelled(step["text"], typed if step["kind"] in QUOTED else ()) for step in told}
    assert {text: numbers for text, numbers in wrong.items() if numbers} == {}
    assert [step["text"] for step in told if "= ≈" in step["text"]] == []  # a rounded number has one sign


def test_another_spelling_is_found() -> None:
    assert misspelled("w: 2.0 → 1.235e+06, 0.3333333, 12, 2,000") == ["2.0", "1.235e+06", "0.3333333"]
    assert misspelled("mul: y = f(3.0) ≈ 1.5e-7", {"3.0"}) == []
