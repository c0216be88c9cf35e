"""Files that are hard to read: each ends in a lesson, or in a line with file and place, and never ends the list."""

from __future__ import annotations

import encodings.aliases
from pathlib import Path

import pytest

from tests.sampling import sample
from tutor.check import static
from tutor.lesson import catalog
from tutor.lesson.model import Lesson, LessonError
from tutor.lesson.parser import read

HEADER = "# ---\n# jupyter:\n#   gradtutor: {title: {en: t}}\n# ---\n"
CODECS = sorted(
    {*encodings.aliases.aliases, *encodings.aliases.aliases.values(), "idna", "punycode", "undefined", "nonsense",
     "unicode_escape", "raw_unicode_escape", "utf-8-sig", "charmap"}
)  # fmt: skip


def reads(path: Path, data: str | bytes) -> Lesson | str:
    """The lesson or script, or what is said of it; the list and `check` can do as much."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    catalog.load(path.parent.parent)
    static.check_text(path)
    try:
        return read(path)
    except LessonError as error:
        return f"{error.path}:{error.line}: {error.what}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "graph" / "01-a.py"


@pytest.mark.parametrize("codec", sample(CODECS, 60))
def test_any_codec_in_a_coding_line(path: Path, codec: str) -> None:
    for text in (
        f"# coding: {codec}\nx = 1\n",
        f"#!/usr/bin/python\n# -*- coding: {codec} -*-\n# %%\nx = 'é'\n",
        f"# coding: {codec}\n{HEADER}# %%\nx = 1\n",
    ):
        reads(path, text)
    below = reads(path, f"{HEADER}# coding: {codec}\n# %%\nx = 1\n")  # a comment like any other
    assert isinstance(below, Lesson)
    assert below.code_cells[-1].source == "x = 1"


@pytest.mark.parametrize("codec", ["rot13", "hex", "bz2", "undefined", "idna"])
def test_a_codec_that_is_none_of_texts_is_told_with_its_line(path: Path, codec: str) -> None:
    assert str(reads(path, f"#!python\n# coding: {codec}\nx = '\xe9'\n")).startswith(f"{path}:2: ")


def test_a_script_of_another_encoding_keeps_its_cells(path: Path) -> None:
    script = reads(path, "# -*- coding: latin-1 -*-\n# %%\nx = 'é'\n# %%\ny = 1\n".encode("latin-1"))
    assert isinstance(script, Lesson)
    assert [cell.source for cell in script.code_cells] == ["# -*- coding: latin-1 -*-", "x = 'é'", "y = 1"]


MARKS = (
    "tags=1", "tags=[1]", "tags={}", "tags=[[1]]", "tags=null", 'lang=["en"]', "lang={}", "id=[1]", "question=[1]",
    'question={"a":1}', "of=[1]", "a=", "=", '"', "{", '{"a"', "[", "[markdown", "[markdown] tags=1", "\\", "a b c = d",
    'key="a" key="b"', "lang=nan", "cell_marker=1", "[markdown] cell_marker=1", "lines_to_next_cell=1", "active=1",
    "language=1", '{"cell_type":"x"}', 'tags=["exercise"] id={} kind=[]', 'tags=["exercise",1]', '"""', 'tags=("a",)',
)  # fmt: skip


@pytest.mark.parametrize("mark", MARKS)
def test_any_mark_of_a_cell(path: Path, mark: str) -> None:
    script = reads(path, f"x = 1\n# %% {mark}\ny = 2\n# %%\nz = 3\n")
    assert isinstance(script, Lesson), "plain Python runs it"
    code = "\n".join(cell.source for cell in script.code_cells)
    assert "x = 1" in code
    assert "z = 3" in code
    said = reads(path, f"{HEADER}# %%\nx = 1\n# %% {mark}\ny = 2\n")
    assert isinstance(said, Lesson) or said.startswith(f"{path}:")


def test_a_mark_that_cannot_be_read_is_told_with_its_line(path: Path) -> None:
    assert str(reads(path, f"{HEADER}# %%\nx = 1\n# %% tags=[1]\ny = 2\n")).startswith(f"{path}:7: ")


DEEP = {
    "signs": "x = " + "-" * 100_000 + "1", "brackets": "x = " + "(" * 5000 + ")" * 5000, "lists": "[" * 300 + "]" * 300,
    "sum": "x = " + "+".join(["1"] * 20_000), "nots": "x = " + "not " * 50_000 + "1", "calls": "f" + "()" * 20_000,
    "blocks": "".join(" " * at + "if 1:\n" for at in range(120)) + " " * 120 + "1", "digits": "x = 1" + "0" * 5000,
    "check": "assert 1, " + "-" * 100_000 + "1",
}  # fmt: skip
PLACES = {
    "code": "# %%\n{}\n",
    "live": '# %% [markdown] lang="en"\n# {{{{ {} }}}}\n# %%\nw = 1\n',
    "of": '# %% [markdown] question="predict" of="{}"\n# q\n# %%\nw = 1\n',
    "knob": "# %%\nlr = 1  # @param {}\n",
    "check": '# %% tags=["exercise"] id="a" kind="fill"\nx = 1\n# %% tags=["solution"]\nx = 2\n'
    '# %% tags=["check"]\n{}\n',
}


@pytest.mark.sampled(15)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("code", DEEP)
def test_any_nesting(path: Path, code: str, place: str) -> None:
    text = PLACES[place].format(DEEP[code] if place in ("code", "check") else DEEP[code].split("\n")[0])
    for whole in (text, HEADER + text):
        said = reads(path, whole)
        assert isinstance(said, Lesson) or not said.endswith((": .", ":None: "))


@pytest.mark.parametrize(
    "header",
    ["!!bool x", "!!timestamp x", "!!int x", "2001-99-99", "{? [1] : 2}", "{<<: 1}", "[" * 3000 + "]" * 3000,
     "1" + "0" * 5000, "{title: &a {en: *a}}", "{title: {en: !!python/object:os.system t}}",
     "{title: {en: t}, needs: [[1]]}"],
)  # fmt: skip
def test_any_header(path: Path, header: str) -> None:
    reads(path, f"# ---\n# jupyter:\n#   gradtutor: {header}\n# ---\n# %%\nx = 1\n")


def test_a_file_of_a_million_lines_is_refused_at_once(path: Path) -> None:
    assert "1,700,001 lines" in str(_said(path, "x=1\n" * 1_700_000))
    assert isinstance(reads(path, "x=1\n" * 20_000), Lesson)


def _said(path: Path, text: str) -> LessonError:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    with pytest.raises(LessonError) as raised:
        read(path)
    return raised.value


def test_a_script_of_prose_alone_that_is_no_python_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text("# %% [markdown]\n    x = 1  # @param\n")
    with pytest.raises(LessonError, match="syntax error: unexpected indent"):
        read(path)
    path.write_text("# %% [markdown]\n# words\nx = 1  # @param\n")
    assert [cell.is_code for cell in read(path).cells][-1]
