"""Each way in which a lesson can be wrong is found, with its file and line; and a good lesson is left alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tutor.check.checker import check_file
from tutor.check.dynamic import _is_close
from tutor.check.runner import Runner
from tutor.check.static import Finding

GOOD = """\
# ---
# jupyter:
#   gradtutor:
#     title: {en: "A slope", zh: "斜率"}
#     summary: {en: "What a slope is.", zh: "什么是斜率。"}
# ---

# %% [markdown] lang="en"
# A leaf `w`.

# %% [markdown] lang="zh"
# 一个叶子 `w`。

# %%
import torch

w = torch.tensor([3.0], requires_grad=True)
lr = 0.5  # @param {type: number}

# %% [markdown] question="predict" of="w.grad" lang="en"
# What will `w.grad` hold?

# %% [markdown] question="predict" of="w.grad" lang="zh"
# `w.grad` 会是什么？

# %%
y = w * w
y.backward()

# %% [markdown] question="choice" of="2 if w.is_leaf else 1" lang="en"
# It is {{ w.grad.item() }}. Which is the leaf?
#
# 1. `y`
# 2. `w`

# %% [markdown] question="choice" of="2 if w.is_leaf else 1" lang="zh"
# 它是 {{ w.grad.item() }}。哪个是叶子？
#
# 1. `y`
# 2. `w`

# %%
leaf = w.is_leaf

# %% [markdown] question="line" of="w.item() < 1" lang="en"
# Which line?

# %% [markdown] question="line" of="w.item() < 1" lang="zh"
# 哪一行？

# %%
with torch.no_grad():
    w -= lr * w.grad

# %% tags=["exercise"] id="slope" kind="fill"
slope = None

# %% [markdown] tags=["hint"] lang="en"
# Twice.

# %% [markdown] tags=["hint"] lang="zh"
# 两倍。

# %% tags=["solution"]
slope = 2 * w.item()

# %% tags=["check"]
assert slope is not None, {"en": "slope is still None", "zh": "slope 还是 None"}
assert slope == 0.0, {"en": f"slope is {slope}", "zh": f"slope 是 {slope}"}

# %% [markdown] lang="en"
# Now `slope` is 0.0.

# %% [markdown] lang="zh"
# 现在 `slope` 是 0.0。

# %%
doubled = slope * 2
"""
SHORT = GOOD[: GOOD.index('# %% tags=["exercise"]')]
"""An exercise has a lesson run once more."""

Check = Callable[[str], list[Finding]]


@pytest.fixture
def findings(runner: Runner, tmp_path: Path) -> Check:
    def of(text: str) -> list[Finding]:
        path = tmp_path / "backprop" / "01-slope.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return check_file(path, runner)

    return of


def line_of(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


def without(text: str, start: str, end: str) -> str:
    """The text without what begins with `start`, up to the next `end`."""
    first = text.index(start)
    return text[:first] + text[text.index(end, first + 1) :]


def test_a_good_lesson(findings: Check) -> None:
    assert findings(GOOD) == []


def change(old: str, new: str, says: str, at: str | None = None) -> tuple[str, str, str]:
    """A lesson with something replaced, what is said of it, and the text on the line where."""
    assert GOOD.count(old) >= 1, old
    text = GOOD.replace(old, new, 1)
    return text, says, at if at is not None else new.strip("\n").split("\n")[0]


def diagnosed(*expressions: str, says: str, code: str = "lr = 0.5  # @param {type: number}") -> tuple[str, str, str]:
    """A lesson that explains these wrong answers to its first question, and what is said of the last one."""
    cells = [
        f'# %% [markdown] wrong="{of}" lang="{language}"\n# {text}\n\n'
        for of in expressions
        for language, text in (("en", "You forgot a factor."), ("zh", "漏了一个因子。"))
    ]
    text = GOOD.replace("# `w.grad` 会是什么？\n\n", f"# `w.grad` 会是什么？\n\n{''.join(cells)}")
    return text.replace("lr = 0.5  # @param {type: number}", code), says, f'# %% [markdown] wrong="{expressions[-1]}"'


def varied(vary: str, says: str) -> tuple[str, str, str]:
    """A lesson that asks its first question again with other numbers."""
    question = '# %% [markdown] question="predict" of="w.grad"'
    return GOOD.replace(question, f'{question} vary="{vary}"'), says, question


def asks(kind: str, of: str, says: str) -> tuple[str, str, str]:
    """A lesson whose question of this kind asks for something else, in both languages."""
    question = f'# %% [markdown] question="{kind}"'
    text, count = re.subn(rf'({re.escape(question)} of=)"[^"]*"', rf'\1"{of}"', GOOD)
    assert count == 2
    return text, says, question


NORMALIZED = 'summary: {en: "What a slope is.", zh: "什么是斜率。"}'

WAYS = {
    # The header.
    "YAML": change('zh: "斜率"}', 'zh: "斜率"', "the header is not YAML", "#     summary"),
    "unknown key": change("summary:", "sumary:", "unknown key `sumary`. Did you mean summary?"),
    "no header": (GOOD[GOOD.index("# %%") :], "has no header", "# %%"),
    "no title in zh": change(', zh: "斜率"}', "}", "no title in zh", "#     title"),
    "no summary": change(f"#     {NORMALIZED}\n", "", "no summary in en and zh", "# ---"),
    # The cells.
    "unknown attribute": change('of="w.grad" lang="en"', 'off="w.grad" lang="en"', "unknown attribute `off`"),
    "no Python": change("y = w * w", "y = w *", "syntax error"),
    "long line": change("leaf = w.is_leaf", f"leaf = w.is_leaf  # {'x' * 90}", "has 110 columns"),
    "a failing cell": change("y = w * w\n", "y = w * v\n", "the cell fails with NameError: name 'v'"),
    "a knob": change("{type: number}", "{type: nmber}", "unknown type `nmber`", "lr = 0.5"),
    "an exit": change("leaf = w.is_leaf\n", "leaf = 1\nraise SystemExit(3)\n", "does not come to its end", "leaf = 1"),
    "a death": change("leaf = w.is_leaf\n", "import os; os.kill(os.getpid(), 9)\n", "ended by signal 9"),
    # What ends a run after too long a time.
    "no end": change(
        "leaf = w.is_leaf\n", "import os; os.kill(os.getpid(), 14)\n", "did not come to an end, and was stopped"
    ),
    # Languages.
    "a text without zh": (
        without(GOOD, '# %% [markdown] lang="zh"\n# 一个', "# %%"),
        "the prose is not there in zh",
        '# %% [markdown] lang="en"',
    ),
    "a hint without en": (
        without(GOOD, '# %% [markdown] tags=["hint"] lang="en"', "# %%"),
        "the hint is not there in en",
        '# %% [markdown] tags=["hint"] lang="zh"',
    ),
    "a text in no language": change(
        '# %% [markdown] lang="en"\n# A leaf', "# %% [markdown]\n# A leaf", "which language it is in"
    ),
    "not Chinese": change("# 一个叶子 `w`。", "# A leaf it is `w`.", "is not Chinese"),
    "fewer options in zh": (
        GOOD.replace("哪个是叶子？\n#\n# 1. `y`\n# 2. `w`\n", "哪个是叶子？\n#\n# 1. `y`\n# 2. `w`\n# 3. `x`\n"),
        "not as many items",
        '# %% [markdown] question="choice"',
    ),
    # Questions.
    "an answer that fails": asks("predict", "w.grad.q", "`w.grad.q` cannot be computed: AttributeError"),
    "no answer": asks("predict", "w.dtype", "which cannot be typed as an answer"),
    "too much to type": asks("predict", "w.grad.expand(7)", "has 7 elements"),
    "no such option": asks("choice", "3 if w.is_leaf else 1", "gives 3, and the options are numbered 1 to 2"),
    "a typed answer": asks("choice", "2", "does not come from the run: 2"),
    "no line": asks("line", "w.item() > 9", "the condition never becomes true"),
    "no line needed": asks("line", "w.item() < 9", "true before the cell begins"),
    "nothing after a question": (
        GOOD[: GOOD.index("# %%\nwith torch")],
        "no code follows the question",
        '# %% [markdown] question="line"',
    ),
    # Wrong answers that are explained.
    "no mistake": diagnosed("w.grad / 2", "2 * 3", says="`2 * 3` gives 6, and that is the right answer"),
    "no mistake with a knob": diagnosed(
        "6.0 if lr < 0.1 else 3.0",
        says="with lr = 0.01: `6.0 if lr < 0.1 else 3.0` gives 6, and that is the right answer",
        code="lr = 0.5  # @param {type: number, min: 0.01}",
    ),
    "a mistake explained twice": diagnosed("w.grad / 2", "3.0", says="`3.0` gives 3, and another text explains"),
    "a mistake that fails": diagnosed("w.grad.q", says="`w.grad.q` cannot be computed: AttributeError"),
    "a mistake that is not typed": diagnosed("w.dtype", says="which cannot be typed as an answer"),
    "a mistake that is no expression": diagnosed("w.grad /", says="`wrong` is not an expression: w.grad /"),
    "a mistake explained in one language": (
        without(diagnosed("3.0", says="")[0], '# %% [markdown] wrong="3.0" lang="zh"', "# %%"),
        "the text with `wrong` is not there in zh",
        '# %% [markdown] wrong="3.0"',
    ),
    "a mistake in no answer": change(
        '# %% [markdown] lang="en"\n# Now',
        '# %% [markdown] wrong="1" lang="en"\n# Now',
        "must follow a question",
    ),
    # Other numbers.
    "no such number": varied("v: [2, 4]", says="no line assigns a single number or list to `v`"),
    "numbers of different lengths": varied("w: [2, 4]; lr: [1]", says="the lists of `vary` have different lengths"),
    "the same answer": varied("w: [2, 3]", says="with w = 3 the answer is the same as before."),
    "no numbers": varied("w: ['a']", says="`w: ['a']` is no name with a list of numbers"),
    "numbers with which it fails": (
        varied("size: [-1]", says="")[0].replace("lr = 0.5", "size = 1\nzeros = torch.zeros(size)\nlr = 0.5"),
        "with size = -1: the cell fails with",
        "zeros = torch",
    ),
    "other numbers for a choice": change(
        'of="2 if w.is_leaf', 'vary="w: [1]" of="2 if w.is_leaf', "of the kind predict"
    ),
    # Exercises.
    "a starter that passes": change("slope = None", "slope = 0.0", "the starter of `slope` already passes"),
    "a starter that raises": change("slope = None", "slope = ww", "the starter fails with NameError"),
    "a solution that fails": change(
        "slope = 2 * w.item()", "slope = 2", "the solution of `slope` does not pass its check: slope is 2"
    ),
    "a solution that needs its starter": (
        GOOD.replace("slope = None", "slope, half = None, 0.0").replace("2 * w.item()", "2 * half"),
        "does not pass its check: Your code stopped with NameError",
        "slope = 2 * half",
    ),
    "a solution that the starter spoils": (
        GOOD.replace("slope = None", "slope = None; lr = 1.0").replace("2 * w.item()", "lr - 0.5"),
        "run after the starter, fails: slope is 0.5",
        'assert slope == 0.0, {"en": f"slope',
    ),
    "a bare assertion": change(
        'is not None, {"en": "slope is still None", "zh": "slope 还是 None"}', "is not None", "has no message"
    ),
    "a check that speaks one language": change(
        '{"en": "slope is still None", "zh": "slope 还是 None"}', '"slope is still None"', "is not there in en and zh"
    ),
    "a check's message that is missing in a language": change(
        '{"en": f"slope is {slope}", "zh": f"slope 是 {slope}"}', '{"en": f"slope is {slope}"}', "not there in zh"
    ),
    "a check that raises in one language": change(
        'assert slope == 0.0, {"en": f"slope is {slope}", "zh": f"slope 是 {slope}"}',
        'if slope: raise AssertionError({"en": f"slope is {slope}"})',
        "not there in zh",
    ),
    "no form": change('id="slope" kind="fill"', 'id="slope" kind="gradients"', "an exercise of this kind is one line"),
    "no solution": (
        without(GOOD, '# %% tags=["solution"]', '# %% tags=["check"]'),
        "followed by its hints",
        '# %% tags=["exercise"]',
    ),
    "a cell that needs the starter": (
        GOOD.replace("slope = None", "slope, mine = None, 1").replace("doubled = slope * 2", "doubled = mine"),
        "with the exercises solved, the cell fails with NameError",
        "doubled = mine",
    ),
    # Prose.
    "a live value": change(
        "{{ w.grad.item() }}. Which", "{{ v.grad.item() }}. Which", "`v.grad.item()` has no value here"
    ),
    "a live value that is none": change("{{ w.grad.item() }}. Which", "{{ w.grad. }}. Which", "is not an expression"),
    "a number": change("# Now `slope` is 0.0.", "# Now `slope` is 4.0.", "`slope` is 4.0, and in the run it is 0"),
    "a number in Chinese": change("`slope` 是 0.0", "`slope` 是 4", "`slope` is 4, and in the run it is 0"),
    "an equation": change("# Now `slope` is 0.0.", "# So `w.grad = 4`.", "`w.grad` is 4, and in the run it is 6"),
    # Random numbers and size.
    "an unseeded draw": change("leaf = w.is_leaf", "leaf = torch.rand(2)", "another thing in each run"),
    "Python's own draw": change(
        "leaf = w.is_leaf", "import random; leaf = random.random()", "another thing in each run"
    ),
    "many events": (
        SHORT.replace("leaf = w.is_leaf", "for i in range(60_000):\n    leaf = i"),
        "events, and 150,000 are the most",
        "# ---",
    ),
}


@pytest.mark.sampled(12)
@pytest.mark.parametrize("way", WAYS)
def test_a_way_to_be_wrong(way: str, findings: Check) -> None:
    text, says, at = WAYS[way]
    found = findings(text)
    matching = [finding for finding in found if says in finding.what or says in str(finding)]
    assert matching, [str(finding) for finding in found]
    assert matching[0].path.endswith("backprop/01-slope.py")
    assert matching[0].line == line_of(text, at), str(matching[0])
    assert not matching[0].warning


def test_a_lesson_that_explains_mistakes(findings: Check) -> None:
    assert findings(diagnosed("w.grad / 2", "w.grad * 2", "None", says="")[0]) == []


def test_a_lesson_that_asks_again(findings: Check) -> None:
    assert findings(varied("w: [2, -1]", says="")[0]) == []


def test_all_is_told_and_not_only_the_first(findings: Check) -> None:
    text = (
        GOOD.replace(', zh: "斜率"}', "}")
        .replace("slope = None", "slope = 0.0")
        .replace("`slope` is 0.0", "`slope` is 1")
    )
    text = text.replace('of="w.grad"', 'of="w.shape.q"').replace("leaf = w.is_leaf", "leaf = torch.rand(2)")
    said = "\n".join(map(str, findings(text)))
    for what in ("no title", "already passes", "`slope` is 1", "cannot be computed", "another thing"):
        assert what in said


def test_all_that_is_malformed_is_told(findings: Check) -> None:
    text = GOOD.replace("summary:", "sumary:").replace("y = w * w", "y = w *").replace('kind="fill"', 'kind="fil"')
    said = "\n".join(map(str, findings(text)))
    for what in ("sumary", "syntax error", "`fil`"):
        assert what in said


def test_a_slow_lesson_is_only_warned_of(findings: Check) -> None:
    (found,) = findings(SHORT.replace("leaf = w.is_leaf", "import time; time.sleep(3.1)"))
    assert found.warning
    assert "seconds here" in found.what


@pytest.mark.parametrize(
    "said",
    [
        "If `slope` is 4, the line rises.",
        "Suppose that `w.grad` is 4.",
        "`y.shape` is 1 by 3, `slope` is 4 times as much.",
        "`y = 3 * x` is a line.",
        "`w` was 3.0 before, and `w` is 0.0 now.",
        "`w` is 3, `lr = 0.5`, `w.requires_grad` is True.",
        "`gone` is 4.",
        "`lr=0.25`, as an argument.",
        "`w == 4` is False.",
        "It has its least value where `w.grad` is 4, and until `slope` is 5 all is well.",
        "当 `w.grad` 为 4 时，它最小。",
    ],
)
def test_prose_that_is_not_contradicted(said: str, findings: Check) -> None:
    text = GOOD.replace("doubled = slope * 2", "doubled = slope * 2\noptimizer = torch.optim.SGD([w], lr=0.25)")
    assert findings(text.replace("# Now `slope` is 0.0.", f"# {said}")) == []


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("`w.grad` is 4.", "w.grad"),
        ("`w.grad` is now **4**, and that is that", "w.grad"),
        ("So `w.grad` = 4.", "w.grad"),
        ("Here w.grad = [4.] is right.", None),  # more follows: too hard to tell
        ("It says `w.grad = tensor([4.])`.", "w.grad"),
        ("`w.grad` still holds 4.", None),
        ("`w.grad` holds still 4.", "w.grad"),
        ("`w.grad.item()` is 6.1.", "w.grad.item()"),
        ("`lr` is 0.25.", "lr"),
        ("`w.requires_grad` is False.", "w.requires_grad"),
        ("`w.grad` is None.", None),  # it was, before the pass
        ("`leaf` is False.", "leaf"),
        ("`y` 现在是 4。", "y"),
        ("`y` 的值仍然等于 **4**，", "y"),
        ("`slope` 变成了 4", "slope"),
        ("这时 `slope = 4`。", "slope"),
    ],
)
def test_prose_that_the_run_contradicts(said: str, name: str | None, findings: Check) -> None:
    line = "# Now `slope` is 0.0." if said.isascii() else "# 现在 `slope` 是 0.0。"
    text = GOOD.replace(line, f"# {said}" if said.isascii() else f"# 现在。{said}")
    found = findings(text)
    assert [finding.line for finding in found] == ([] if name is None else [line_of(text, said)])
    if name is not None:
        assert found[0].what.startswith(f"the text says that `{name}` is ")


def test_a_lesson_that_needs_what_is_not_there_is_only_warned_of(findings: Check) -> None:
    found = findings(GOOD.replace("# ---\n\n", "#     needs: [cuda]\n# ---\n\n", 1))
    if torch.cuda.is_available():
        assert found == []
    else:
        assert [(finding.warning, finding.what.startswith("was not run: CUDA")) for finding in found] == [(True, True)]


def test_a_seeded_draw_is_fine(findings: Check) -> None:
    assert findings(GOOD.replace("leaf = w.is_leaf", "torch.manual_seed(1); leaf = torch.rand(2)")) == []


def test_memory_that_nobody_has_filled_yet_is_no_draw(findings: Check) -> None:
    layer = "torch.manual_seed(1); leaf = torch.nn.Linear(64, 64)(torch.ones(64)).sum().item()"
    assert findings(GOOD.replace("leaf = w.is_leaf", layer)) == []


def test_a_formula_needs_no_language(findings: Check) -> None:
    assert findings(GOOD.replace("# %%\nleaf", "# %% [markdown]\n# `2 * w`\n\n# %%\nleaf")) == []


def test_braces_in_code_are_no_live_value(findings: Check) -> None:
    code = "# `f'{{ no value }}'`\n#\n# ```\n# f'{{ no value }}', w.grad = 17\n# ```\n#\n"
    code += "#     {{ no value }}, w.grad = 17\n"
    for language in ("en", "zh"):
        mark = f'# %% [markdown] question="predict" of="w.grad" lang="{language}"\n'
        assert findings(GOOD.replace(mark, f"{mark}{code}#\n")) == []


def test_where_a_file_stands(runner: Runner, tmp_path: Path) -> None:
    path = tmp_path / "_drafts" / "slope.py"
    path.parent.mkdir()
    path.write_text(GOOD, encoding="utf-8")
    assert [finding.what for finding in check_file(path, runner)] == [
        "is not named as a lesson is.", "stands in no family's folder.",
    ]  # fmt: skip


def test_last_digits_are_no_draw() -> None:
    """Routines of linear algebra give other last digits where their numbers lie elsewhere in memory."""
    assert _is_close([1.0, [2.0, 0.0]], [1.0000001, [2.0000002, 1e-9]])
    assert not _is_close([1.0, 2.0], [1.0, 2.001])
    assert not _is_close([1.0, 2.0], [1.0])
    assert not _is_close("a", "b")
    assert _is_close(3, 3)
    assert not _is_close(3, 4)
