# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "The branch not taken"
#       zh: "没有走的那条分支"
#     summary:
#       en: "where() takes the good value and leaves out the bad one. What happens on the way back?"
#       zh: "where() 取好的值，避开坏的。反向传播时会怎样？"
#     topics:
#       en: [nan, where, sqrt, clamp]
#       zh: [nan, where, sqrt, clamp]
# ---

# %% [markdown] question="choice" of="3 if x.grad[0].isnan() else 2 if x.grad[0].isinf() else 1" lang="en"
# The square root is steep at 0: its derivative there is infinite. So you leave 0 out, with `torch.where`: the root
# where `x > 0`, and else a plain `0.0`, whose derivative is zero.
#
# For `x[0]`, which is 0, the plain number is taken. What will `x.grad[0]` be?
#
# 1. 0: the root was not chosen
# 2. inf: the derivative of the root at 0
# 3. nan

# %% [markdown] question="choice" of="3 if x.grad[0].isnan() else 2 if x.grad[0].isinf() else 1" lang="zh"
# 平方根在 0 处很陡，导数是无穷大。于是用 `torch.where` 避开 0：
# `x > 0` 的地方取平方根，别的地方就放一个 `0.0`，它的导数是零。
#
# `x[0]` 是 0，取的是那个普通的数。`x.grad[0]` 会是什么？
#
# 1. 0，因为没有选平方根
# 2. inf，平方根在 0 处的导数
# 3. nan

# %%
import torch

x = torch.tensor([0.0, 4.0], requires_grad=True)
y = torch.where(x > 0, x.sqrt(), 0.0)
y.sum().backward()

# %% [markdown] question="predict" of="v.grad" vary="v: [[0.0, 1.0], [0.0, 0.25]]" lang="en"
# `y` is {{ y.tolist() }}, as it should be, and the gradient is {{ x.grad.tolist() }}. `where` chooses among results
# that **both** have been computed. Going back it sends the root a zero for what was not chosen, and the node of
# `sqrt` multiplies that by its derivative: zero times infinity is nan. Step back to that node and read it.
#
# The fix is to choose twice, first among the **inputs**, so that the root never gets a 0. What will `v.grad` be? The
# derivative of the root at 4 is 0.25. Type both numbers as a list.

# %% [markdown] question="predict" of="v.grad" vary="v: [[0.0, 1.0], [0.0, 0.25]]" lang="zh"
# `y` 是 {{ y.tolist() }}，没有错；梯度却是 {{ x.grad.tolist() }}。`where` 是在**两个**都已算好的结果里选择。
# 反向传播时，没有选中的位置，它传给平方根的梯度是零，`sqrt` 的节点再乘上自己的导数：零乘无穷大，就是 nan。
# 退回到那个节点，读一读。
#
# 改法是选两次，先选**输入**，让平方根的输入没有 0。`v.grad` 会是什么？平方根在 4 处的导数是 0.25。
# 两个数写成一个列表。

# %% [markdown] wrong="[x.grad[0], 0.25]" lang="en"
# That was the gradient before. Now the root is taken of `safe`, which has no 0 in it.

# %% [markdown] wrong="[x.grad[0], 0.25]" lang="zh"
# 那是修改之前的梯度。现在开方的是 `safe`，里面没有 0。

# %% [markdown] wrong="[0.5, 0.25]" lang="en"
# 0.5 is the derivative of the root at the harmless 1. It is multiplied by the zero that `where` sends back.

# %% [markdown] wrong="[0.5, 0.25]" lang="zh"
# 0.5 是平方根在 1 处的导数。它还要乘以 `where` 传回的 0。

# %%
v = torch.tensor([0.0, 4.0], requires_grad=True)
safe = torch.where(v > 0, v, 1.0)
z = torch.where(v > 0, safe.sqrt(), 0.0)
z.sum().backward()

# %% [markdown] lang="en"
# {{ v.grad.tolist() }}: at the first place the root was taken of a harmless 1, and its finite derivative times zero
# is zero.
#
# One nan is enough: after the next update the weight is nan, and soon every weight is. It begins in the backward
# pass, so the loss still looks fine for one more iteration. Other such pairs are `log` at 0, a division by 0,
# `x ** 0.5`. In your own program `torch.autograd.set_detect_anomaly(True)` stops at the node that made the first nan.
#
# The entropy below has the same fault: a share may be 0, and then `p * log(p)` counts as 0. Fix it. Press `e`.

# %% [markdown] lang="zh"
# {{ v.grad.tolist() }}：第一个位置上，开平方的是无害的 1，导数有限，乘以零就是零。
#
# 一个 nan 就够了：更新一次，权重成了 nan，不久所有权重都是。它从反向传播开始，
# 所以损失还会再正常一次迭代。同类的还有 0 处的 `log`、除以 0、`x ** 0.5`。
# 在你自己的程序里，`torch.autograd.set_detect_anomaly(True)` 会停在算出第一个 nan 的节点上。
#
# 下面的熵也有这个错误：份额可以是 0，这时 `p * log(p)` 算作 0。把它改好。按 `e`。


# %% tags=["exercise"] id="entropy" kind="bug"
def entropy(p):
    terms = torch.where(p > 0, p * p.log(), 0.0)
    return -terms.sum()


shares = torch.tensor([0.0, 0.5, 0.5], requires_grad=True)
entropy(shares).backward()
print("gradient:", shares.grad.tolist())

# %% [markdown] tags=["hint"] lang="en"
# Which function meets the 0? It has to get something harmless there.

# %% [markdown] tags=["hint"] lang="zh"
# 哪个函数碰到了 0？那里得给它一个无害的数。

# %% [markdown] tags=["hint"] lang="en"
# `safe = torch.where(p > 0, p, 1.0)`, and then `safe.log()` in place of `p.log()`.

# %% [markdown] tags=["hint"] lang="zh"
# `safe = torch.where(p > 0, p, 1.0)`，然后用 `safe.log()` 代替 `p.log()`。


# %% tags=["solution"]
def entropy(p):
    safe = torch.where(p > 0, p, 1.0)
    terms = torch.where(p > 0, p * safe.log(), 0.0)
    return -terms.sum()


shares = torch.tensor([0.0, 0.5, 0.5], requires_grad=True)
entropy(shares).backward()
print("gradient:", shares.grad.tolist())

# %% tags=["check"]
tried = torch.tensor([0.0, 0.25, 0.75], requires_grad=True)
found = entropy(tried)
assert abs(found.item() - 0.562335) < 1e-4, {
    "en": f"The entropy of {tried.tolist()} should be 0.5623, and is {found.item():g}: a share of 0 counts as 0.",
    "zh": f"{tried.tolist()} 的熵应当是 0.5623，现在是 {found.item():g}：份额 0 算作 0。",
}
assert found.requires_grad, {
    "en": "The entropy has no history: the graph is cut.",
    "zh": "熵没有历史：图断了。",
}
found.backward()
assert tried.grad is not None, {
    "en": "No gradient reaches the shares.",
    "zh": "梯度到不了这些份额。",
}
assert not tried.grad.isnan().any(), {
    "en": f"The gradient is still {tried.grad.tolist()}: the logarithm still meets the 0.",
    "zh": f"梯度还是 {tried.grad.tolist()}：对数还是碰到了 0。",
}
want = torch.tensor([0.386294, -0.712318])
assert torch.allclose(tried.grad[1:], want, atol=1e-3), {
    "en": f"At the shares 0.25 and 0.75 the gradient should be {want.tolist()}, and is {tried.grad[1:].tolist()}.",
    "zh": f"份额 0.25 和 0.75 处的梯度应当是 {want.tolist()}，现在是 {tried.grad[1:].tolist()}。",
}
assert abs(tried.grad[0].item()) < 3, {
    "en": (
        f"At the share 0 the gradient is {tried.grad[0].item():g}: a very small number in the place of 0 does that; "
        "take one with a harmless logarithm."
    ),
    "zh": f"份额 0 处的梯度是 {tried.grad[0].item():g}：用一个很小的数代替 0 就会这样；换一个对数无害的数。",
}

# %% [markdown] lang="en"
# One more: a sum that is nan. Step through the cell, and find the **first** name whose value is not what it should be.
# Press `e`, and type that name.

# %% [markdown] lang="zh"
# 再来一个：总和成了 nan。一步步走过这个单元格，找出**第一个**值不对的名字。按 `e`，输入这个名字。

# %%
heights = torch.tensor([1.0, 4.0, 9.0])
roots = heights.sqrt()
centred = roots - roots.mean()
logs = centred.log()
shares = logs / logs.sum()
total = shares.sum()
print("total:", total.item())

# %% tags=["exercise"] id="first-nan" kind="value"
first = ...

# %% [markdown] tags=["hint"] lang="en"
# The numbers of each tensor are in the table. Look for the first nan or inf.

# %% [markdown] tags=["hint"] lang="zh"
# 每个张量的数都在表里。找第一个 nan 或 inf。

# %% [markdown] tags=["hint"] lang="en"
# Go back to where the cell begins (`[`). From there `!` goes to the first nan of the cell.

# %% [markdown] tags=["hint"] lang="zh"
# 退回到这个单元格的开头（`[`），再按 `!`，就会跳到这个单元格里的第一个 nan。

# %% tags=["solution"]
first = "logs"

# %% tags=["check"]
assert first is not ..., {"en": "Nothing is typed yet.", "zh": "还没有填。"}
assert first != "total", {
    "en": "`total` is where you notice it. The numbers that it adds up were wrong before.",
    "zh": "`total` 是你发现问题的地方。它加的那些数早就不对了。",
}
assert first != "shares", {
    "en": "`shares` has only nan in it, but it was computed from numbers that were wrong already.",
    "zh": "`shares` 里全是 nan，可算出它的那些数已经不对了。",
}
assert first != "centred", {
    "en": "`centred` is as it should be: a centred number may be negative. What comes next does not bear that.",
    "zh": "`centred` 没有错：减去均值之后当然有负数。是接下来的运算受不了负数。",
}
assert first == "logs", {
    "en": f"It is not `{first}`: look for the first tensor with a nan or inf in it.",
    "zh": f"不是 `{first}`：找第一个含有 nan 或 inf 的张量。",
}
