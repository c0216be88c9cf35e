# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "A loss of two parts"
#       zh: "两部分的损失"
#     summary:
#       en: "backward() starts from one number. With more than one you say what each is worth."
#       zh: "backward() 要从一个数出发。不止一个数时，要指定各自的系数。"
#     topics:
#       en: ["gradient=", vector-Jacobian product]
#       zh: ["gradient=", 向量-雅可比积]
# ---

# %% [markdown] lang="en"
# So far the pass started at a single number, and the gradient that it started with was one. What if there are **two**
# numbers at the end? Each of them depends on `w` in a different way.
#
# The first number here is the product that you know; the second adds where the first multiplies. `cat` puts them into
# one tensor. See what PyTorch says to a plain `backward()`.

# %% [markdown] lang="zh"
# 到现在为止，反向传播都从一个数出发，起始梯度是 1。如果末端有**两个**数呢？`w` 对这两个数的影响各不相同。
#
# 这里第一个数是你熟悉的乘积，第二个把乘换成了加。`cat` 把它们放进同一个张量。
# 看看 PyTorch 对不带参数的 `backward()` 怎么说。

# %%
import torch

x = torch.tensor([2.0], requires_grad=True)
w = torch.tensor([1.0], requires_grad=True)

a = x + w
b = w + 1
loss = torch.cat([a * b, a + b])
try:
    loss.backward()
except RuntimeError as error:
    print(error)

# %% [markdown] question="predict" of="w.grad" vary="x: [3, 1]; w: [2, 4]" lang="en"
# PyTorch refuses: `loss` holds {{ loss.tolist() }}, and it will not guess which of the two you mean. With `gradient=`
# you tell what each part is **worth**: those are the numbers that the pass starts with.
#
# Let the first part count once and the second twice. When `w` moves by a little, the first part moves `a + b` times as
# far: along each path the other factor. How far does the second, `(x + w) + (w + 1)`?
#
# What will `w.grad` hold?

# %% [markdown] question="predict" of="w.grad" vary="x: [3, 1]; w: [2, 4]" lang="zh"
# PyTorch 报错了：`loss` 是 {{ loss.tolist() }}，它无法决定从哪一个数开始反向传播。
# 用 `gradient=` 指定每一部分的**系数**：反向传播就从这些数开始。
#
# 第一部分的系数取 1，第二部分取 2。第一部分对 `w` 的导数是 `a + b`：每条路径上是另一个因子。
# 第二部分 `(x + w) + (w + 1)` 对 `w` 的导数是多少？
#
# `w.grad` 会是多少？

# %% [markdown] wrong="a + b" lang="en"
# That is the first part alone. The second counts too, as often as `gradient=` says.

# %% [markdown] wrong="a + b" lang="zh"
# 那只是第一部分。第二部分也要算，乘以 `gradient=` 给它的系数。

# %% [markdown] wrong="a + b + 2" lang="en"
# That is each part once. `gradient=` says how often the second counts.

# %% [markdown] wrong="a + b + 2" lang="zh"
# 那是两部分的系数都取 1。第二部分的系数由 `gradient=` 决定。

# %%
second = 2.0  # @param {type: number, min: -10, max: 10, step: 0.5}
loss.backward(gradient=torch.tensor([1.0, second]))
weighted = w.grad.item()

# %% [markdown] question="predict" of="w.grad" vary="x: [1, 4]; w: [3, 2]" lang="en"
# It is {{ weighted }}: the derivative of the first part, once, plus the derivative of the second, times what you said
# it is worth. Both came back in **one** pass, and were added where their paths meet.
#
# A table of all the derivatives, one row for each part, is called the **Jacobian**. The pass never makes it; it
# computes only the sum of the rows, each times its number: a **vector-Jacobian product**.
#
# Most often you make a single number first, with `sum()` or `mean()`. What will `w.grad` be, with `sum()`?

# %% [markdown] question="predict" of="w.grad" vary="x: [1, 4]; w: [3, 2]" lang="zh"
# 是 {{ weighted }}：第一部分的导数，加上第二部分的导数乘以你给它的系数。
# 两者在**同一次**反向传播里算出，在路径汇合的地方相加。
#
# 把所有导数写成一张表，每一部分占一行，这张表就叫**雅可比矩阵**。
# 反向传播从不把它列出来，只算出各行乘以各自的数之后的和，即**向量-雅可比积**。
#
# 更常见的做法是先用 `sum()` 或 `mean()` 变成一个数。用 `sum()` 的话，`w.grad` 会是多少？

# %% [markdown] wrong="weighted" lang="en"
# That is the pass before, in which the second part counted by its number. `sum()` counts each once.

# %% [markdown] wrong="weighted" lang="zh"
# 那是上一次的结果，其中第二部分乘了它的系数。用 `sum()`，每一部分的系数都是 1。

# %%
x.grad = w.grad = None
a = x + w
b = w + 1
loss = torch.cat([a * b, a + b])
loss.sum().backward()

# %% [markdown] lang="en"
# It is {{ w.grad.item() }}. Each part counts once: a sum is the same as `gradient=` full of ones. Press `k`, try other
# numbers for `second`, and see what becomes of `weighted`, the gradient of the cell before: with zero that part counts
# for nothing, and below zero it pulls the other way.
#
# `backward()` has a longer form, that takes several tensors at once and says of each what it is worth. The next cell
# does with it what the first pass of this lesson did.

# %% [markdown] lang="zh"
# 是 {{ w.grad.item() }}。每一部分的系数都是 1：求和就相当于 `gradient=` 里全是 1。
# 按 `k` 给 `second` 换几个数，看看 `weighted`（上一个单元格得到的梯度）变成多少：
# 设成零，那一部分就不起作用；设成负数，它的作用就反过来。
#
# `backward()` 还有一种完整的写法，一次给出几个张量，并指定各自的系数。
# 下一个单元格用它重做本课的第一次反向传播。

# %%
x.grad = w.grad = None
a = x + w
b = w + 1
torch.autograd.backward([a * b, a + b], grad_tensors=[torch.tensor([1.0]), torch.tensor([second])])
again = w.grad.item()

v = torch.tensor(2.0, requires_grad=True)
parts = torch.stack([v * v, 5 * v, v + 7, v * v * v])
average = parts.mean()

# %% [markdown] lang="en"
# {{ again }}, as before. `loss.backward()` is short for `torch.autograd.backward([loss])`; the parts need not be put
# into one tensor for it.
#
# Back to one tensor. A common way to make one number of it is `mean()`. Its backward pass begins at 1, and passes a
# gradient on to each of the parts: those are the numbers that `backward(gradient=…)` on `parts` would need. The last
# three lines of the cell make such a mean. Which gradients does a backward pass from it bring to `parts` and to `v`?
# Press `e`, and type them into the graph.

# %% [markdown] lang="zh"
# 还是 {{ again }}。`loss.backward()` 就是 `torch.autograd.backward([loss])` 的简写；用它不必先把各部分放进一个张量。
#
# 回到一个张量的情形，常用 `mean()` 把它变成一个数。从它开始的反向传播，起点是 1，再给每一部分传去一个梯度：
# 要对 `parts` 调用 `backward(gradient=…)`，写的就是这些数。单元格的最后三行求的就是这样一个平均。
# 从它反向传播，`parts` 和 `v` 得到的梯度各是多少？按 `e`，填进图里。

# %% tags=["exercise"] id="mean" kind="gradients"
gradients = {"parts": ..., "v": ...}

# %% [markdown] tags=["hint"] lang="en"
# A mean is a sum divided by how many there are. So what is each of the four parts worth? `parts` gets a list.

# %% [markdown] tags=["hint"] lang="zh"
# 平均就是总和除以个数。那么四个部分的系数各是多少？`parts` 得到的是一个列表。

# %% [markdown] tags=["hint"] lang="en"
# The derivatives of the parts with respect to `v` are `2 * v`, 5, 1 and `3 * v * v`. `v` gets each of them times what
# its part is worth.

# %% [markdown] tags=["hint"] lang="zh"
# 各部分对 `v` 的导数是 `2 * v`、5、1 和 `3 * v * v`。每个乘以那一部分的系数，加起来就是 `v` 的梯度。

# %% tags=["solution"]
gradients = {"parts": [0.25, 0.25, 0.25, 0.25], "v": 5.5}

# %% tags=["check"]
typed, at_v = gradients["parts"], gradients["v"]
given = typed if isinstance(typed, list) else [typed]
missing = [name for name, value in gradients.items() if value is ...]
assert not missing, {
    "en": f"Nothing is typed yet for {' and '.join(missing)}.",
    "zh": f"{'、'.join(missing)} 还没有填。",
}
assert len(given) == 4, {
    "en": f"`parts` has four numbers, and so has its gradient: type four in brackets, not {typed}.",
    "zh": f"`parts` 有四个数，它的梯度也有四个：在方括号里填四个数，不是 {typed}。",
}
assert given != [1, 1, 1, 1], {
    "en": "Ones at `parts`: that is what the sum would send. In a mean each part counts for a fourth.",
    "zh": "`parts` 处全是 1：那是求和传去的梯度。求平均时，每一部分只占四分之一。",
}
assert len(set(given)) == 1, {
    "en": f"In a mean all parts are worth the same, and yours are worth {given}.",
    "zh": f"求平均时各部分的系数相同，而你填的是 {given}。",
}
derivatives = [2 * v.item(), 5.0, 1.0, 3 * v.item() ** 2]
expected = sum(derivatives) / 4
assert abs(given[0] - 0.25) < 1e-3, {
    "en": f"A mean of four is their sum times 0.25, and you gave each part {given[0]:g}.",
    "zh": f"四个数的平均是总和乘以 0.25，而你给每一部分 {given[0]:g}。",
}
assert abs(at_v - 4 * expected) > 1e-3, {
    "en": f"{at_v:g} at v: these are the derivatives of the parts, added up. Each counts for a fourth.",
    "zh": f"v 处是 {at_v:g}：这是各部分导数之和。每一个只占四分之一。",
}
assert abs(at_v - expected) < 1e-3, {
    "en": f"The derivatives of the parts are {derivatives}: times 0.25, added up. That is not {at_v:g}.",
    "zh": f"各部分的导数是 {derivatives}：各乘以 0.25 再相加，不是 {at_v:g}。",
}
