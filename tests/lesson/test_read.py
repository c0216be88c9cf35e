"""Cells, languages, questions and line numbers, from files as people write them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutor.lesson import parser
from tutor.lesson.markdown import live_values
from tutor.lesson.model import Cell, Lesson, LessonError
from tutor.lesson.parser import parse, read

HEADER = """\
# ---
# jupyter:
#   gradtutor:
#     title: {en: "Two paths", zh: "两条路"}
#     summary: {en: "How they meet"}
# ---
"""
LESSON = (
    HEADER
    + """
# %% [markdown] lang="en"
# Two paths lead from `w[i]` to [red] `y`, now {{ y.item() }}.
#
# - one

# %% [markdown] lang="zh"
# 从 `w` 到 `y`。

# %%
import torch

text = "# @param {type: nonsense}"
lr = 0.05  # @param {type: number, min: 0.001, max: 1}

# %% [markdown] question="predict" of="w.grad" lang="en"
# What will it hold?

# %% [markdown] question="choice" of="1 + 1" lang="en"
# Which one?
# 1. this
# 2. or that,
#    perhaps

# %%
y = 1
# %% tags=["exercise"] id="slope" kind="fill"
z = ...
# %% [markdown] tags=["hint"] lang="en"
# Think.
# %% [markdown] tags=["hint"] lang="zh"
# 想。
# %% tags=["solution"]
z = 2
# %% tags=["check"]
assert z == 2, "z is not two yet"
"""
)


def lesson(text: str, path: str = "lessons/graph/01-two-paths.py") -> Lesson:
    return parse(text, Path(path))


def test_a_lesson_is_read_whole() -> None:
    found = lesson(LESSON)
    assert found.id == "graph/two-paths"
    assert (found.header.family, found.header.slug, found.header.order) == ("graph", "two-paths", None)
    assert found.header.title == {"en": "Two paths", "zh": "两条路"}
    assert found.header.languages == ("en", "zh")
    assert [cell.kind for cell in found.cells] == [
        "prose", "code", "question", "question", "code", "exercise", "hint", "solution", "check",
    ]  # fmt: skip
    assert [cell.number for cell in found.cells] == [None, 1, None, None, 2, 3, None, None, None]
    assert [cell.index for cell in found.cells] == list(range(9))


def test_the_same_in_two_languages_is_one_cell() -> None:
    prose, hint = (lesson(LESSON).cells[at] for at in (0, 6))
    assert set(prose.text) == {"en", "zh"}
    assert prose.text["en"].startswith("Two paths lead from `w[i]` to [red] `y`")
    assert prose.text_in("zh") == "从 `w` 到 `y`。"
    assert hint.text == {"en": "Think.", "zh": "想。"}
    assert hint.exercise == "slope"


def test_prose_in_one_language_again_is_another_cell() -> None:
    twice = '# %% [markdown] lang="en"\n# a\n# %% [markdown] lang="en"\n# b\n# %%\nx = 1\n'
    assert [cell.text for cell in lesson(HEADER + twice).cells[:2]] == [{"en": "a"}, {"en": "b"}]


def test_questions_know_what_answers_them() -> None:
    predict, choice = lesson(LESSON).cells[2:4]
    assert (predict.question, predict.of) == ("predict", "w.grad")
    assert (choice.question, choice.of) == ("choice", "1 + 1")
    assert choice.options == {"en": ["this", "or that, perhaps"]}


def test_every_code_cell_stands_where_its_lines_say() -> None:
    lines = LESSON.split("\n")
    for cell in lesson(LESSON).code_cells:
        assert lines[cell.first_line - 1 : cell.first_line - 1 + cell.lines] == cell.source.split("\n")


def test_prose_stands_where_its_line_says() -> None:
    lines = LESSON.split("\n")
    assert lines[lesson(LESSON).cells[0].first_line - 1].startswith("# Two paths lead")


def test_live_values_are_found() -> None:
    text = "now {{ y.item() }} and {{w.grad}}, not { x }"
    assert [live.text for live in live_values(text)] == ["y.item()", "w.grad"]
    assert [text[live.start : live.end] for live in live_values(text)] == ["{{ y.item() }}", "{{w.grad}}"]


def test_cells_travel_as_plain_data() -> None:
    for cell in lesson(LESSON).cells:
        data = msgspec.msgpack.decode(msgspec.msgpack.encode(msgspec.to_builtins(cell)))
        assert msgspec.convert(data, Cell, strict=False) == cell


# ---------------------------------------------------------------- somebody's script


def script(text: str) -> Lesson:
    return parse(text, Path("/somewhere/script.py"))


@pytest.mark.parametrize(
    "text",
    [
        "x = 1\n\n\n# a comment\ny = 2\n",
        "#!/usr/bin/env python\n# -*- coding: utf-8 -*-\n'''doc'''\nfrom __future__ import annotations\n",
        "# ---\n# My script: part one: two\n# ---\nx = 1\n",
        "",
        "# only a comment",
        "%".join(["x = 5 ", " 2\n"]),
    ],
)
def test_a_script_without_marks_is_one_cell(text: str) -> None:
    found = script(text)
    (cell,) = found.cells
    assert (cell.kind, cell.number, found.header.title) == ("code", 1, {})
    assert cell.source == "\n".join(text.split("\n")[cell.first_line - 1 :])


def test_a_script_without_marks_brings_no_jupytext(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "jupytext", None)
    assert len(script("x = 1\n").cells) == 1


def test_somebodys_own_marks_and_words_are_let_be() -> None:
    text = '# %% setup\nx = 1  # @param {type:"slider"}\n'
    text += '# %% [markdown] foo="bar" lang="fr"\n# salut\n# %% tags=["hint"]\ny = 2\n'
    found = script(text)
    assert [cell.kind for cell in found.cells] == ["code", "prose", "code"]
    assert found.knobs == {}


def test_a_knob_in_somebodys_script_works() -> None:
    assert script("lr = 0.1  # @param {type: number}\n").knobs["lr"].default == 0.1


def test_a_mark_inside_a_statement_splits_nothing() -> None:
    text = "def f():\n    x = 1\n    # %% not a cell\n    return x\n"
    (cell,) = script(text).cells
    assert cell.source == text


def test_a_mark_inside_a_text_splits_nothing() -> None:
    text = 'note = """\n# %%\nx\n"""\n'
    (cell,) = script(text).cells
    assert cell.source.rstrip("\n") == text.rstrip("\n")


def test_windows_line_ends_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_bytes(b"\xef\xbb\xbfx = 1\r\n# %%\r\ny = 2\r\n")
    assert [cell.source for cell in read(path).cells] == ["x = 1", "y = 2"]


def test_an_encoding_that_is_declared(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_bytes("# coding: latin-1\nname = 'Zürich'\n".encode("latin-1"))
    assert "Zürich" in read(path).cells[0].source


def test_reading_warns_of_nothing(recwarn: pytest.WarningsRecorder) -> None:
    script("x = '\\d'\nprint(x is 'a')\n")
    assert not recwarn.list


code_line = st.sampled_from(
    ["x = 1", "", "# note", "if True:\n    y = 2", "s = '# %%'", "# %matplotlib inline", "z = [\n  1,\n]", "# # %%"]
)
code_cell = st.lists(code_line, min_size=1, max_size=5).map("\n".join)
prose_cell = st.lists(st.sampled_from(["a", "", "x = 1", "从", "- b"]), min_size=1, max_size=3)


@given(st.lists(st.one_of(code_cell, prose_cell), min_size=1, max_size=6), st.booleans(), st.integers(0, 2))
def test_lines_are_right_whatever_the_cells(parts: list[str | list[str]], header: bool, gap: int) -> None:
    marked = [
        f"# %%\n{part}"
        if isinstance(part, str)
        else "# %% [markdown]\n" + "\n".join(f"# {row}".rstrip() for row in part)
        for part in parts
    ]
    text = (HEADER + "\n" if header else "") + ("\n" * (gap + 1)).join(marked) + "\n"
    lines = text.split("\n")
    found = parser.split(text, 6 if header else 0)
    assert sum(cell.code for cell in found) == sum(isinstance(part, str) for part in parts)
    for cell in found:
        rows = lines[cell.first_line - 1 : cell.first_line + cell.source.count("\n")]
        if cell.code:
            assert rows == cell.source.split("\n")
        elif cell.source:
            assert [row.removeprefix("#").removeprefix(" ") for row in rows] == cell.source.split("\n")


# ---------------------------------------------------------------- what is wrong


def error_of(path: Path) -> LessonError:
    with pytest.raises(LessonError) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    return caught.value


def test_a_missing_file(tmp_path: Path) -> None:
    assert error_of(tmp_path / "not-there.py").status == 3


def test_a_folder(tmp_path: Path) -> None:
    error = error_of(tmp_path)
    assert (error.status, "folder" in str(error)) == (2, True)


def test_a_binary_file(tmp_path: Path) -> None:
    path = tmp_path / "binary.py"
    path.write_bytes(b"\x7fELF\x02\n\x00\x00\xff")
    error = error_of(path)
    assert (error.status, error.line, "not text" in error.what) == (2, 2, True)


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "latin.py"
    path.write_bytes(b"x = 1\ny = 2\nz = 3\nname = 'Z\xfcrich'\n")
    error = error_of(path)
    assert (error.status, error.line, "UTF-8" in error.what) == (2, 4, True)


def test_an_encoding_that_does_not_exist(tmp_path: Path) -> None:
    path = tmp_path / "odd.py"
    path.write_bytes(b"# coding: klingon\nx = 1\n")
    assert "klingon" in str(error_of(path))


@pytest.mark.parametrize(
    ("text", "line"),
    [("x = 1\ny = = 2\n", 2), ("# %%\nx = 1\n# %%\n\ndef f(:\n", 5), ("x = 1\nreturn\n", 2), ("if x:\ny\n", 2)],
)
def test_a_syntax_error(tmp_path: Path, text: str, line: int) -> None:
    path = tmp_path / "bad.py"
    path.write_text(text)
    error = error_of(path)
    assert (error.status, error.line, "syntax error" in error.what) == (2, line, True)


def test_absurd_nesting(tmp_path: Path) -> None:
    path = tmp_path / "deep.py"
    path.write_text("x = " + "(" * 5000 + ")" * 5000 + "\n")
    assert error_of(path).status == 2
