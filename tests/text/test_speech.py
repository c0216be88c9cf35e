"""What `--plain` says: no marks, arrows, boxes or words of the screen, in any lesson, and symbols in words."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lessons.plainly import LESSONS, lesson
from tests.sampling import sample
from tests.worker.recording import Forker
from tutor.i18n import use
from tutor.lesson.catalog import Target
from tutor.text.speech import in_words, spoken
from tutor.text.walk import Walker
from tutor.trace.state import State

UNSAID = re.compile(
    "[`•]|(?<![\\w)\\]])\\*\\*(?=[^\\W\\d])[^*\n]*\\*\\*|\\{\\{|^#|^\\|"  # Markdown
    "|[\u2190-\u21ff\u2200-\u22ff\u2500-\u25ff\u2700-\u27bf\u2800-\u28ff]"  # arrows, mathematics, boxes, marks
    "|[×·²³¹⁰-ₜᵀᵢⱼα-ωΑ-Ω]"
    "|\\bpanes?\\b|\\bTab\\b|窗格",
    re.MULTILINE,
)
"""What nothing that is said contains."""


@pytest.fixture(params=["en", "zh"])
def language(request: pytest.FixtureRequest) -> Iterator[str]:
    use(request.param)
    yield request.param
    use("en")


@pytest.mark.parametrize("name", LESSONS)
def test_prose_of_a_lesson_is_said_without_marks_and_panes(name: str, language: str) -> None:
    for cell in lesson(name).cells:
        if not cell.is_code and cell.front != "screen":
            for line in spoken(cell.text_in(language), State(0)):
                assert not UNSAID.search(line), line


@pytest.mark.parametrize("name", sample(list(LESSONS), 4))
def test_a_walk_is_said_without_marks_and_panes(name: str, record: Forker) -> None:
    timeline = record(LESSONS[name]).timeline
    for language in ("en", "zh"):
        use(language)
        try:
            out = io.StringIO()
            typed = io.StringIO("?\n" + "\ns\n" * 60 + "b\nshow\nend\nshow\n!\n")
            Walker(Target("trace", Path(name), name), timeline, None, language, typed, out).run()
        finally:
            use("en")
        said = [line for line in out.getvalue().split("\n") if not re.match("printed: |输出：", line)]
        assert [line for line in said if UNSAID.search(line)] == []
        assert any(re.search(r"\d: ", line) for line in said)


@pytest.mark.parametrize(
    ("written", "said", "said_in_chinese"),
    [
        ("∂y/∂a = b", "d y by d a = b", "y 对 a 的导数 = b"),
        ("∂/∂(w * w) = 1", "the derivative by (w * w) = 1", "对 (w * w) 的导数 = 1"),
        ("∂(Σa/n)/∂aᵢ = 1/n", "d (the sum of a/n) by d a i = 1/n", "(求和 a/n) 对 a i 的导数 = 1/n"),
        (
            "w is ≈0.32, a = ≈ 3, b ≈ 4",
            "w is about 0.32, a is about 3, b is about 4",
            "w 约等于 0.32, a 约等于 3, b 约等于 4",
        ),
        ("2.5 × 4", "2.5 times 4", "2.5 乘 4"),
        ("3×2 · 2×4 → 3×4", "3 by 2 times 2 by 4 becomes 3 by 4", "3 乘 2 乘 2 乘 4 变成 3 乘 4"),
        ("g² + x⁻¹", "g squared + x to the power -1", "g 的平方 + x 的 -1 次方"),
        ("Xᵀ·G", "X transposed times G", "X 的转置 乘 G"),
        ("lr·m̂/(√v̂ + ε)", "lr times m hat/(the square root of v hat + epsilon)", "lr 乘 m 帽/(根号 v 帽 + epsilon)"),
        ("‖a - b‖", "the norm of a - b", "a - b 的 范数"),
        ("`w` is a leaf…", "w is a leaf...", "w is a leaf..."),
        ("  y = x ** 2  # a comment", "  y = x ** 2  # a comment", "  y = x ** 2  # a comment"),
    ],
)
def test_symbols_are_words(written: str, said: str, said_in_chinese: str) -> None:
    assert in_words(written) == said
    use("zh")
    try:
        assert in_words(written) == said_in_chinese
    finally:
        use("en")


@pytest.mark.parametrize("char", [chr(code) for block in (0x2190, 0x2200, 0x2500, 0x25A0, 0x2800) for code in
                                  range(block, block + 0x60, 7)])  # fmt: skip
def test_no_symbol_is_left(char: str) -> None:
    assert not UNSAID.search(in_words(f"a {char} b"))


def test_a_table_a_list_and_a_link_are_sentences() -> None:
    text = "- *one* [link](https://a.b)\n- `two`\n\n1. three\n\n| a | b |\n|---|---|\n| 1 | **x** |\n"
    assert spoken(text, State(0)) == ["one link", "two", "1. three", "a: 1; b: x"]
