"""`gradtutor new`: a lesson file that explains its parts and passes `gradtutor check` as it is."""

from __future__ import annotations

import re
from pathlib import Path

from tutor.i18n import _
from tutor.lesson import header
from tutor.lesson.model import MISSING, LessonError, is_family

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LONGEST = 40


def write(name: str, folder: Path) -> Path:
    """Write a new lesson `family/slug` into a folder of lessons and return its path. Raises LessonError."""
    family, slug = _parts(name)
    family_folder = folder / family
    paths = sorted(family_folder.glob("*.py")) if family_folder.is_dir() else []
    orders = [0]
    for path in paths:
        match = header.FILE_NAME.fullmatch(path.stem)
        if match is not None and match[2] == slug:
            raise LessonError(
                _("there is a lesson {name} already: {path}.", name=name, path=path), fix=_("Choose another name.")
            )
        orders.append(int(match[1]) if match is not None else 0)
    path = family_folder / f"{max(orders) + 1:02}-{slug}.py"
    title = slug.replace("-", " ").capitalize()
    try:
        family_folder.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(TEMPLATE.replace("TITLE", title))
    except OSError as error:
        what = _("cannot be written: {why}.", why=error.strerror or error)
        raise LessonError(what, path=str(path), status=MISSING) from None
    return path


def _parts(name: str) -> tuple[str, str]:
    family, sign, slug = name.partition("/")
    if not sign or not family or not slug:
        raise LessonError(
            _("a lesson is called family/slug, not `{name}`.", name=name), fix=_("For instance: graph/two-paths")
        )
    if not is_family(family):
        what = _("`{name}` is no name for a family of lessons.", name=family)
        raise LessonError(what, fix=_("Use letters, digits and dashes: graph"))
    if not _SLUG.fullmatch(slug) or len(slug) > _LONGEST:
        what = _("`{slug}` is no name for a lesson.", slug=slug)
        raise LessonError(what, fix=_("Use small letters, digits and single dashes, 40 at most: two-paths"))
    return family, slug


TEMPLATE = """\
# ---
# jupyter:
#   gradtutor:
#     title: {en: "TITLE", zh: "TITLE（中文标题）"}
#     summary: {en: "One sentence: what you will have understood.", zh: "用一句话说明：学完之后会明白什么。"}
# ---

# %% [markdown] lang="en"
# One idea, in a few short sentences. Say what the next cell makes, and what to look at: here a leaf `w`.

# %% [markdown] lang="zh"
# 用几句短话讲清一个想法。说明下一格代码做什么、该看哪里：这里是一个叶子节点 `w`。

# %%
import torch

lr = 0.1  # @param {type: number, min: 0.01, max: 1, step: 0.01}
w = torch.tensor(3.0, requires_grad=True)

# %% [markdown] question="predict" of="w.grad" vary="w: [5, -2]" lang="en"
# Ask before you tell. `y` is the square of `w`. After `y.backward()`, what will `w.grad` hold? (`vary` has other
# numbers for who answers wrong.)

# %% [markdown] question="predict" of="w.grad" vary="w: [5, -2]" lang="zh"
# 先提问，再讲解。`y` 是 `w` 的平方。执行 `y.backward()` 之后，`w.grad` 里会是什么？
# （答错的人可以用 `vary` 里的数再答一次。）

# %% [markdown] wrong="y" lang="en"
# Only who gave the answer of `wrong` reads this: {{ y.item() }} is the value of `y`. Its derivative is asked for.

# %% [markdown] wrong="y" lang="zh"
# 只有答了 `wrong` 的人才看得到这段：{{ y.item() }} 是 `y` 的值，而问的是导数。

# %% [markdown] wrong="w" lang="en"
# The factor 2 is missing: the derivative of a square is twice the number.

# %% [markdown] wrong="w" lang="zh"
# 少了因子 2：平方的导数是这个数的两倍。

# %%
y = w**2
y.backward()

# %% [markdown] when="w.grad > 0" lang="en"
# `when` chooses between texts, by the run: the derivative is above zero, so downhill is to the left.

# %% [markdown] when="w.grad > 0" lang="zh"
# `when` 按运行结果选择文字：导数大于零，所以往左是下坡。

# %% [markdown] when="w.grad <= 0" lang="en"
# The derivative is not above zero, so to the left it does not go down.

# %% [markdown] when="w.grad <= 0" lang="zh"
# 导数不大于零，所以往左不是下坡。

# %% [markdown] lang="en"
# Explain the right answer. Numbers come from the run: the derivative of a square is `2 * w`,
# so `w.grad` is {{ w.grad.item() }}. The value of `y` itself is {{ y.item() }}, and it has no part in this.
#
# Now it is your turn: take one step downhill from `w`, and call the result `next_w`.

# %% [markdown] lang="zh"
# 解释正确答案。数字都来自运行结果：平方的导数是 `2 * w`，所以 `w.grad` 是
# {{ w.grad.item() }}。`y` 本身的值是 {{ y.item() }}，与此无关。
#
# 现在轮到你：从 `w` 出发，沿下坡方向走一步，把结果叫做 `next_w`。

# %% tags=["exercise"] id="step" kind="fill"
next_w = ...

# %% [markdown] tags=["hint"] lang="en"
# Downhill is against the gradient, and `lr` says how far.

# %% [markdown] tags=["hint"] lang="zh"
# 下坡的方向与梯度相反，`lr` 决定走多远。

# %% tags=["solution"]
next_w = w.item() - lr * w.grad.item()

# %% tags=["check"]
assert next_w is not ..., {
    "en": "next_w is still a gap: put a number in place of the dots.",
    "zh": "next_w 还空着：把省略号换成一个数。",
}
right, uphill = w.item() - lr * w.grad.item(), w.item() + lr * w.grad.item()
assert abs(float(next_w) - uphill) > 1e-6, {
    "en": f"{float(next_w):.4g} is uphill: take the minus sign.",
    "zh": f"{float(next_w):.4g} 是上坡的方向：要用减号。",
}
assert abs(float(next_w) - right) < 1e-6, {
    "en": f"next_w is {float(next_w):.4g}, and a step leads to {right:.4g}.",
    "zh": f"next_w 是 {float(next_w):.4g}，而走一步应当到 {right:.4g}。",
}

# %% [markdown] lang="en"
# End with the one thing to remember.

# %% [markdown] lang="zh"
# 最后用一句话说出要记住的那一点。
"""
