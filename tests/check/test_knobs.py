"""Each way in which a knob can make a lesson false is found, and what stays true is left alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tutor.check.checker import check_file
from tutor.check.runner import Runner
from tutor.check.static import Finding

LESSON = """\
# ---
# jupyter:
#   gradtutor:
#     title: {en: "A knob", zh: "旋钮"}
#     summary: {en: "What a knob does.", zh: "旋钮做什么。"}
# ---

# %%
lr = 0.5  # @param {type: number, min: 0.1, max: 0.9}
w = 12.25 - 8 * lr
target = 2.75
names = {"w": w}

# %% [markdown] lang="en"
# TEXT

# %% [markdown] lang="zh"
# 文字。

# %%
done = True
"""
LINE = LESSON[: LESSON.index("# TEXT")].count("\n") + 1
# w is 8.25 as it is written, 11.45 with the least lr and 5.05 with the greatest.

Check = Callable[[str], list[Finding]]


@pytest.fixture
def findings(runner: Runner, tmp_path: Path) -> Check:
    def of(text: str) -> list[Finding]:
        path = tmp_path / "training" / "01-knob.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return check_file(path, runner)

    return of


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ("`w` is 8.25.", ["with lr = 0.1: the text says that `w` is 8.25, and in the run it is 11.45."] * 1
         + ["with lr = 0.9: the text says that `w` is 8.25, and in the run it is 5.05."]),
        ("It came to 8.25 in the end.", [
            "with lr = 0.1: the text says 8.25, which `w` is as the lesson is written, and in this run it is 11.45.",
            "with lr = 0.9: the text says 8.25, which `w` is as the lesson is written, and in this run it is 5.05."]),
        ("`w` is larger than 6.", ["with lr = 0.9: the text says that `w` is > 6, and in the run it is 5.05."]),
        ("`w` is still far above `target`, and below 10.", []),
        ("`w` is below 10.", ["with lr = 0.1: the text says that `w` is < 10, and in the run it is 11.45."]),
        ("`lr` is 0.5.", ["with lr = 0.1: the text says that `lr` is 0.5, and in the run it is 0.1.",
                          "with lr = 0.9: the text says that `lr` is 0.5, and in the run it is 0.9."]),
    ],
)  # fmt: skip
def test_what_a_knob_makes_false_is_told_with_its_line(said: str, what: list[str], findings: Check) -> None:
    found = findings(LESSON.replace("TEXT", said))
    assert [finding.what for finding in found] == what
    assert all(finding.line == LINE for finding in found)


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ("`w` 是 8.25。", "the text says that `w` is 8.25, and in the run it is 11.45."),
        ("最后到了 8.25。", "the text says 8.25, which `w` is as the lesson is written"),
        ("`w` 小于 10。", "the text says that `w` is < 10, and in the run it is 11.45."),
        ("`w` 比 10 小。", "the text says that `w` is < 10, and in the run it is 11.45."),
    ],
)
def test_chinese_is_read_too(said: str, what: str, findings: Check) -> None:
    found = findings(LESSON.replace("文字。", said))
    assert f"with lr = 0.1: {what}" in found[0].what
    assert found[0].line == LINE + 3


@pytest.mark.parametrize(
    "said",
    [
        "The target is 2.75, and 12.25 is where it begins.",  # numbers of the code
        "`target` is 2.75, and `w` is above `target`.",
        "With an `lr` of 0.5 it takes a step.",
        "If `lr` is 0.5, `w` is 8.25.",
        "Suppose it came to 8.25.",
        "Did it come to 8.25?",
        "It came to {{ w }}.",
        "In `range(8.25)` there is nothing, and 17.5 is nowhere.",
        "`w` is not larger than 6.",
    ],
)
def test_what_stays_true_is_left_alone(said: str, findings: Check) -> None:
    assert findings(LESSON.replace("TEXT", said)) == []


def with_texts(*cases: tuple[str, str]) -> str:
    """The lesson with a text for each condition, in both languages."""
    begin, end = LESSON.index("# %% [markdown]"), LESSON.index("# %%\ndone")
    cells = [
        f'# %% [markdown] when="{when}" lang="{language}"\n# {text}\n\n'
        for when, said in cases
        for language, text in (("en", said), ("zh", "文字。"))
    ]
    return LESSON[:begin] + "".join(cells) + LESSON[end:]


def test_texts_with_when_are_judged_where_they_are_shown(findings: Check) -> None:
    good = ("7 < w < 10", "It came to 8.25, and `w` is above 6.")
    assert findings(with_texts(good, ("not 7 < w < 10", "It went elsewhere."))) == []
    (found,) = findings(with_texts(("w > 7", "It came to 8.25."), ("w <= 7", "It went elsewhere.")))
    assert found.what.startswith("with lr = 0.1: the text says 8.25")


def test_one_of_several_texts_is_shown(findings: Check) -> None:
    (found,) = findings(with_texts(("7 < w < 10", "In between."), ("w >= 10", "Large.")))
    assert found.what == "with lr = 0.9: none of these texts is shown: no `when` is true."
    assert found.line == LINE - 1
    assert findings(with_texts(("w >= 10", "A remark where it is large."))) == []


def test_a_when_that_cannot_be_computed(findings: Check) -> None:
    (found, *_others) = findings(with_texts(("v > 10", "Large.")))
    assert found.what == "`v > 10` cannot be computed: NameError: name 'v' is not defined."
    assert found.line == LINE - 1


QUESTION = """\
# %% [markdown] question="KIND" of="OF" lang="en"
# Which?
#
# 1. one
# 2. two

# %% [markdown] question="KIND" of="OF" lang="zh"
# 哪个？
#
# 1. 一
# 2. 二

# %%
done = True
"""
EXERCISE = """
# %% tags=["exercise"] id="half" kind="fill"
half = None

# %% [markdown] tags=["hint"] lang="en"
# Half.

# %% [markdown] tags=["hint"] lang="zh"
# 一半。

# %% tags=["solution"]
half = 4.125

# %% tags=["check"]
assert half is not None and half == w / 2, {"en": f"half is {half}", "zh": f"half 是 {half}"}
"""


def asking(kind: str, of: str) -> str:
    return LESSON.replace("# %%\ndone = True\n", QUESTION.replace("KIND", kind).replace("OF", of))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (LESSON.replace("done = True", "done = [1, 2, 3][int(w > 10) * 9]"),
         "with lr = 0.1: the cell fails with IndexError: list index out of range"),
        (asking("choice", "1 if w < 10 else 3"), "with lr = 0.1: `1 if w < 10 else 3` gives 3, and the options"),
        (asking("predict", "w if w < 10 else str(w)"), "with lr = 0.1: `w if w < 10 else str(w)` gives"),
        (asking("predict", "w if w < 10 else v"), "with lr = 0.1: `w if w < 10 else v` cannot be computed"),
        (LESSON.replace("names =", "if w < 10:\n    small = w\nnames =").replace("TEXT", "{{ small }}"),
         "with lr = 0.1: the live value `small` has no value here."),
        (LESSON + EXERCISE, "with lr = 0.1: the solution of `half` does not pass its check: half is 4.125"),
        (LESSON.replace("0.5  # @param {type: number, min: 0.1, max: 0.9}", "0.5  # @param [0.5, 0.1]").replace(
            "TEXT", "`w` is 8.25."), "with lr = 0.1: the text says that `w` is 8.25, and in the run it is 11.45."),
    ],
)  # fmt: skip
def test_what_fails_with_a_knob_turned(text: str, what: str, findings: Check) -> None:
    assert findings(text)[0].what.startswith(what)
