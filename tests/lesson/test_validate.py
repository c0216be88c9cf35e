"""What an author is told, with the line of the file that is meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from tutor.lesson.model import LessonError
from tutor.lesson.parser import parse

TOP = '# ---\n# jupyter:\n#   gradtutor:\n#     title: {en: "A"}\n# ---\n'  # 5 lines


def error(text: str) -> LessonError:
    with pytest.raises(LessonError) as caught:
        parse(text, Path("lessons/graph/01-a.py"))
    assert caught.value.status == 2
    assert str(caught.value).startswith("lessons/graph/01-a.py:")
    assert "\n" not in str(caught.value)
    return caught.value


def header(body: str) -> str:
    return (
        "# ---\n# jupyter:\n#   gradtutor:\n" + "".join(f"#     {row}\n" for row in body.split("\n")) + "# ---\nx = 1\n"
    )


@pytest.mark.parametrize(
    ("body", "line", "says"),
    [
        ("title: {en: 'A'\nsummary: {}", 5, "not YAML"),
        ('title: "A"', 4, "a text for each language"),
        ("summary: {en: 'B'}", 4, "no title"),
        ("title: {en: 'A'}\nsumary: {en: 'B'}", 5, "Did you mean summary?"),
        ("title: {en: 'A'}\nsummary: {fr: 'B'}", 5, "unknown language `fr`"),
        ("title: {en: 'A'}\n\nneeds: [tpu]", 6, "`tpu`"),
        ("title: {en: 'A'}\nneeds: cuda", 5, "must be a list"),
        ("title: {en: 3}", 4, "a text for each language"),
        ("- a", 4, "holds no keys"),
        ("title: {en: 'A'}\norder: first", 5, "a whole number from 0 on"),
        ("title: {en: 'A'}\norder: -1", 5, "a whole number from 0 on"),
        ("title: {en: 'A'}\ntopics: [relu]", 5, "a list of words for each language"),
        ("title: {en: 'A'}\ntopics: {en: relu}", 5, "a list of words for each language"),
        ("title: {en: 'A'}\ntopics: {fr: [relu]}", 5, "unknown language `fr`"),
        ("title: {en: 'A'}\naliases: graph/old", 5, "a list of ids"),
    ],
)
def test_a_bad_header(body: str, line: int, says: str) -> None:
    found = error(header(body))
    assert says in str(found)
    assert found.line == line


@pytest.mark.parametrize(
    ("cells", "line", "says"),
    [
        ('# %% [markdown] question="predikt" of="x"\n# ?\n# %%\nx = 1\n', 6, "Did you mean predict?"),
        ('# %% [markdown] question="predict"\n# ?\n# %%\nx = 1\n', 6, "does not say what answers it"),
        ('# %% [markdown] question="predict" of="x ="\n# ?\n# %%\nx = 1\n', 6, "not an expression"),
        ('# %%\nx = 1\n# %% [markdown] question="choice" of="1"\n# Which?\n# %%\ny = 1\n', 8, "no list to choose from"),
        ('# %%\nx = 1\n# %% [markdown] question="predict" of="x"\n# ?\n', 8, "no code follows"),
        ('# %% [markdown] of="x"\n# ?\n# %%\nx = 1\n', 6, "asks nothing"),
        ('# %% [markdown] when="x"\n# a\n# %%\nx = 1\n', 6, "no code comes before the `when`"),
        ('# %%\nx = 1\n# %% [markdown] when="x >"\n# a\n', 8, "`when` is not an expression: x >"),
        ('# %% [markdown] front="ear"\n# a\n# %%\nx = 1\n', 6, "unknown front end `ear`"),
        (
            '# %%\nx = 1\n# %% [markdown] question="predict" of="x" when="x"\n# ?\n# %%\ny = 1\n',
            8,
            "a question is always shown",
        ),
        ('# %%\nx = 1\n# %% [markdown] wrong="x"\n# a\n', 8, "a text with `wrong` must follow a question"),
        ('# %% [markdown] question="predict" of="x" wrong="2"\n# ?\n# %%\nx = 1\n', 6, "Give it a prose cell after"),
        ('# %% [markdown] lang="fr"\n# oui\n# %%\nx = 1\n', 6, "unknown language `fr`"),
        ('# %% [markdown] lang="en"\n# a\n# b {{ x + }}\n# %%\nx = 1\n', 8, "live value `x +`"),
        ('# %% [markdown] qestion="predict"\n# a\n# %%\nx = 1\n', 6, "Did you mean question?"),
        ('# %% tags=["solutoin"]\nx = 1\n', 6, "Did you mean solution?"),
        ("# %% [markdown]\n# nothing to run\n", None, "no code cell"),
        ("# %%\nx = (\n", 7, "syntax error"),
        ("# %%\nx = 1\n# %%\n\n1 +\n", 10, "syntax error"),
        (
            '# %% tags=["exercise"] kind="fill"\nx = 1\n# %% tags=["solution"]\nx = 1\n# %% tags=["check"]\nx\n',
            6,
            "no id",
        ),
        (
            '# %% tags=["exercise"] id="a"\nx = 1\n# %% tags=["solution"]\nx = 1\n# %% tags=["check"]\nx\n',
            6,
            "its kind",
        ),
        ('# %% tags=["exercise"] id="a" kind="fil"\nx = 1\n', 6, "unknown kind, `fil`"),
        ('# %% tags=["exercise"] id="a" kind="bug"\nx = 1\n# %% tags=["check"]\nx\n', 6, "followed by its hints"),
        ('# %%\nx = 1\n# %% [markdown] tags=["hint"]\n# hm\n', 8, "must follow an exercise"),
        ('# %% tags=["hint"]\nx = 1\n', 6, "a hint must be prose"),
        ("# %%\nlr = 1 + 1  # @param {type: number}\n", 7, "name = literal"),
        ("# %%\nx = 1\nlr = 0.1  # @param {type: nmber}\n", 8, "unknown type `nmber`"),
        ("# %%\nlr = 0.1  # @param {type: number, maxi: 1}\n", 7, "Did you mean max"),
        ("# %%\nlr = 0.1  # @param {type: number\n", 7, "not YAML"),
        ("# %%\nlr = 3  # @param {type: number, max: 1}\n", 7, "above the most"),
        ("# %%\nlr = 'a'  # @param {type: number}\n", 7, "is not a number"),
        ("# %%\nlr = True  # @param {type: number}\n", 7, "is not a number"),
        ("# %%\nlr = 'c'  # @param [a, b]\n", 7, "is not one of a or b"),
        ("# %%\nlr = 'c'  # @param\n", 7, "a mapping or a list"),
        ("# %%\nlr = 1  # @param {type: number}\n# %%\nlr = 2  # @param {type: number}\n", 9, "there twice"),
    ],
)
def test_a_bad_cell(cells: str, line: int | None, says: str) -> None:
    with pytest.raises(LessonError) as caught:
        parse(TOP + cells, Path("lessons/graph/01-a.py"))
    assert says in str(caught.value)
    assert caught.value.line == line
    assert caught.value.status == 2


def test_exercise_ids_differ() -> None:
    one = '# %% tags=["exercise"] id="a" kind="bug"\nx = 1\n# %% tags=["solution"]\nx = 2\n# %% tags=["check"]\nx\n'
    assert "two exercises `a`" in str(error(TOP + one + one))
