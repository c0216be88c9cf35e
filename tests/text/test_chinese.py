"""Walking without a screen in Chinese: nothing is left in English but code and names."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import pytest

from tests.ui.recordings import CELLS, PRINTED, TRACE, timeline_of, two_paths
from tutor.i18n import use
from tutor.text.show import lines
from tutor.text.walk import Walker

NAMES = """Enter cell end line FILE torch tensor requires_grad True False None backward print grad float32 cpu
shape dtype device grad_fn add mul AccumulateGrad AddBackward0 MulBackward0 ada home two py self other autograd
back next previous into out pass iteration problem go find show start skip hint solution knobs run language help
none edit quit forward da db dw dx dy Two paths to one leaf"""


@pytest.fixture(autouse=True)
def chinese() -> Iterator[None]:
    use("zh")
    yield
    use("en")


def english(text: str) -> set[str]:
    known = set(re.findall(r"[A-Za-z_]+[0-9]?", f"{NAMES} {CELLS} {PRINTED}"))
    return set(re.findall(r"[A-Za-z_]{2,}[0-9]?", text)) - known


def test_a_walk() -> None:
    typed = "\n" * 5 + "?\nqq\n999\nc\n[\n[\n]\n]\n\nnope\n\n5\n" + "\n" * 30 + "t\n}\nf\nF\no\ni\ncell:9\nline:99\nq\n"
    out = io.StringIO()
    Walker(TRACE, timeline_of(two_paths()), None, "zh", io.StringIO(typed), out).run()
    assert "答对了：w.grad 是 5" in out.getvalue()
    words = {"qq", "nope", "glossary", "bookmark", "mark", "breakpoint", "changed"}
    assert english(out.getvalue()) <= words, out.getvalue()


def test_everything_at_each_step() -> None:
    timeline = timeline_of(two_paths())
    for step in range(timeline.steps + 1):
        said = "\n".join(lines(timeline, step))
        assert not english(said), said
