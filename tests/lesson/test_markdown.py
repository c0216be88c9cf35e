"""Markdown of lessons: CommonMark, and where prose about code needs something else."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutor.lesson.markdown import Span, blocks, items, live_values, spans, words

MARKS = {
    "strong": ("<b>", "</b>"), "emphasis": ("<i>", "</i>"), "code": ("<c>", "</c>"), "live": ("<v>", "</v>"),
    "break": ("<br>", ""),
}  # fmt: skip


def marked(parts: tuple[Span, ...]) -> str:
    """The spans with tags instead of Markdown's marks."""
    out = ""
    for span in parts:
        inner = marked(span.inner) or span.text
        out += f"{inner}<{span.text}>" if span.kind == "link" else inner.join(MARKS.get(span.kind, ("", "")))
    return out


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*a* **b** ***c***", "<i>a</i> <b>b</b> <i><b>c</b></i>"),
        ("**a *b* `c`**", "<b>a <i>b</i> <c>c</c></b>"),
        ("**`x`**s and **b**s", "<b><c>x</c></b>s and <b>b</b>s"),
        ("`a`**b**`c`", "<c>a</c><b>b</b><c>c</c>"),
        ("**a\nb**", "<b>a b</b>"),
        ("`**a**` `` a`b ``", "<c>**a**</c> <c>a`b</c>"),
        (r"\*a\* \`b\` \[c](d) \\ C:\dir", r"*a* `b` [c](d) \ C:\dir"),
        ("a  \nb\\\nc\nd", "a<br>b<br>c d"),
        ("[a *b*](c) [d](<e f>) [h][i] [1]: j", "a <i>b</i><c> d<e f> [h][i] [1]: j"),
        ("<http://g/中>", "http://g/中<http://g/中>"),
        ("a ** b ** c * d * e **", "a ** b ** c * d * e **"),
        ("x**2 + y**2, a*b*c, (x)**2 + (y)**2", "x**2 + y**2, a*b*c, (x)**2 + (y)**2"),
        ("__init__, _version, requires_grad_", "__init__, _version, requires_grad_"),
        ("a < b > c &lt; <b>d</b> ![e](f)", "a < b > c < <b>d</b> !e<f>"),
        ("*args and **kwargs", "*args and **kwargs"),
    ],
)  # fmt: skip
def test_marks_of_running_text(text: str, expected: str) -> None:
    assert marked(spans(text)) == expected
    (block,) = blocks(text)
    assert marked(block.spans) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("**粗体**。后", "<b>粗体</b>。后"),
        ("前**粗体。**后", "前<b>粗体。</b>后"),
        ("是**“引号”**的", "是<b>“引号”</b>的"),
        ("是**（注）**的，x**（注）**y", "是<b>（注）</b>的，x<b>（注）</b>y"),
        ("把**`w.grad`**清零，**`w`**是叶子", "把<b><c>w.grad</c></b>清零，<b><c>w</c></b>是叶子"),
        ("和**{{ w }}**一样", "和<b><v>w</v></b>一样"),
        ("好*强调*吗，*（注）*吗", "好<i>强调</i>吗，<i>（注）</i>吗"),
        ("中**bold**文，**粗**text**粗**", "中<b>bold</b>文，<b>粗</b>text<b>粗</b>"),
        ("**往回走。**\n按 ← 走\n`x`，\n再走", "<b>往回走。</b>按 ← 走 <c>x</c>，再走"),
        ("字\n**粗**\n*斜*\n字", "字<b>粗</b><i>斜</i>字"),
        ("字\n`字 字`\n字", "字 <c>字 字</c> 字"),
        ("字 ** 字 ** 字", "字 ** 字 ** 字"),
    ],
)  # fmt: skip
def test_chinese_needs_no_spaces_beside_marks(text: str, expected: str) -> None:
    (block,) = blocks(text)
    assert marked(block.spans) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ y.item() }} and {{w.grad}}, not { x } nor {{}}", ["y.item()", "w.grad"]),
        ("`{{ a }}` {{ b }} ``{{ c }}``", ["b"]),
        ("```python\nf'{{ a }}'\n```\n{{ b }}\n\n    {{ c }}\n\n~~~\n{{ d }}\n~~~", ["b"]),
        ("{{ a * b * c }} **{{ d**2 }}** [{{ e[0] }}](f)", ["a * b * c", "d**2", "e[0]"]),
        ("{{ d['`'] }} and `x`", ["d['`']"]),
        ("- {{ a }}\n  1. b {{ b }}\n     {{ c }}\n\n> {{ d }}\n> > {{ e }}", ["a", "b", "c", "d", "e"]),
        ("# h {{ a }} #\n\n| a | b |\n|---|---|\n| {{ b }} | {{ b }} |", ["a", "b", "b"]),
        ("a {{ b +\n  c }} {{ d }}", ["b +\nc", "d"]),
        ("\tx {{ a }}", []),
        ("-\tx\t{{ a }}\n\ty\t{{ b }}", ["a", "b"]),
        ("{{ a }} {{ a }} x {{ a }}", ["a", "a", "a"]),
        (r"\{{ a }} {{ b", []),
    ],
)  # fmt: skip
def test_live_values_are_found_with_their_place(text: str, expected: list[str]) -> None:
    found = live_values(text)
    places = [text[value.start : value.end] for value in found]
    assert [" ".join(place[2:-2].split()) for place in places] == [" ".join(each.split()) for each in expected]
    assert [" ".join(value.text.split()) for value in found] == [" ".join(each.split()) for each in expected]
    assert [value.start for value in found] == sorted({value.start for value in found})


def shape(text: str) -> list[tuple[str, str, str]]:
    return [(block.kind, block.lead, block.text) for block in blocks(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("\n\n a\n\n\nb \n\n", [("text", "", "a"), ("gap", "", ""), ("text", "", "b")]),
        ("# A `b` #\nc", [("heading", "", "A `b`"), ("text", "", "c")]),
        ("a\n===\n#hash", [("heading", "", "a"), ("text", "", "#hash")]),
        ("a\n- b\n  c\nd", [("text", "", "a"), ("item", "• ", "b c d")]),
        ("* a\n   - b\n      + c", [("item", "• ", "a"), ("item", "  • ", "b"), ("item", "    • ", "c")]),
        ("9. a\n9. b\n   - c", [("item", "9. ", "a"), ("item", "10. ", "b"), ("item", "    • ", "c")]),
        ("0) a\n1) b", [("item", "0) ", "a"), ("item", "1) ", "b")]),
        ("- a\n\n  b\n\n- c", [("item", "• ", "a"), ("gap", "", ""), ("text", "  ", "b"), ("gap", "", ""),
                               ("item", "• ", "c")]),
        ("- a\n\n      b", [("item", "• ", "a"), ("gap", "", ""), ("code", "  ", "b")]),
        ("-\n- b", [("item", "• ", ""), ("item", "• ", "b")]),
        ("- ```\n  if x:\n      y\n  ```", [("code", "• ", "if x:\n    y")]),
        ("a\n\n    x = 1\n\n    y", [("text", "", "a"), ("gap", "", ""), ("code", "", "x = 1\n\ny")]),
        ("a\n    b", [("text", "", "a b")]),
        ("```py\n- a\n\n# b\n````\nc", [("code", "", "- a\n\n# b"), ("text", "", "c")]),
        ("```\na", [("code", "", "a")]),
        ("> a\n> b\n>\n> - c\n> d", [("text", "> ", "a b"), ("gap", "", ""), ("item", "> • ", "c d")]),
        ("- > a", [("item", "• > ", "a")]),
        ("a\n\n---\nb", [("text", "", "a"), ("gap", "", ""), ("rule", "", ""), ("text", "", "b")]),
        ("| a | b |\n| - | - |\n| 1 | 2 |\n\n| c", [("row", "", "| a | b |"), ("row", "", "| - | - |"),
                                                    ("row", "", "| 1 | 2 |"), ("gap", "", ""), ("text", "", "| c")]),
        ("In 1905.\n1986. A year.", [("text", "", "In 1905. 1986. A year.")]),
        ("[1]: the gradient", [("text", "", "[1]: the gradient")]),
        ("<div>\n*a*\n</div>", [("text", "", "<div> *a* </div>")]),
    ],
)  # fmt: skip
def test_blocks(text: str, expected: list[tuple[str, str, str]]) -> None:
    assert shape(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Which?\n\n- this\n- or that,\n  perhaps", ["this", "or that, perhaps"]),
        ("Which?\n1. `a`\n2) **b**", ["`a`", "**b**"]),
        ("哪个？\n\n- 一个，\n  或者\n- 两个", ["一个，或者", "两个"]),
        ("- a\n  - of a\n- b", ["a of a", "b"]),
        ("- a\n\n  more\n\n- b", ["a more", "b"]),
        ("- ```\n  y = x\n  ```\n- `z`", ["`y = x`", "`z`"]),
        ("Which?\n\n```\n- no\n```\n\n    - no\n\n> - no\n\n- yes\n- it is", ["yes", "it is"]),
        ("no list", []),
    ],
)  # fmt: skip
def test_options_are_the_items_of_the_outer_lists(text: str, expected: list[str]) -> None:
    assert items(text) == expected


def test_words_are_what_is_neither_code_nor_value() -> None:
    assert words("**a** `b` {{ c }}\n\n```\nd\n```\n- [e](f)").split() == ["a", "e"]


PARTS = [
    "a", "字", "。", "**", "*", "`", "```", "{{", "}}", "x", "[", "](", ")", "\\", " ", "\n", "\n\n", "- ", "2. ", "> ",
    "    ", "\t", "# ", "|", "|-|", "&amp;", "<", "\x00", "\r", "_",
]  # fmt: skip


@given(st.lists(st.sampled_from(PARTS), max_size=25).map("".join))
def test_any_text_is_read_and_none_of_its_words_lost(text: str) -> None:
    parts = blocks(text)
    assert [(block.start, block.end) for block in parts] == sorted((block.start, block.end) for block in parts)
    for value in live_values(text):
        assert (text[value.start : value.start + 2], text[value.end - 2 : value.end]) == ("{{", "}}")
    for char in "字。":
        assert sum(block.text.count(char) for block in parts) >= text.count(char) - text.count("```")


def test_the_list_of_lessons_does_not_wait_for_the_parser() -> None:
    code = "import sys, tutor.cli, tutor.ui.app, tutor.text.listing; print('markdown_it' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "False", done.stderr
