# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "A loss of two parts"
#       zh: "两部分的损失"
#     summary:
#       en: "backward() starts from one number. With more than one you say what each is worth."
#       zh: "backward() 要从一个数出发。不止一个数时，要说明各占多少分量。"
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
# 到现在为止，反向传播都从一个数出发，起始的梯度是一。如果末端有**两个**数呢？`w` 对这两个数的影响各不相同。
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
# PyTorch 拒绝了：`loss` 里是 {{ loss.tolist() }}，它不肯替你猜要的是哪一个。
# 用 `gradient=` 说明每一部分占多少**分量**：反向传播就从这些数开始。
#
# 让第一部分算一次，第二部分算两次。`w` 动一点，第一部分动它的 `a + b` 倍：每条路上是另一个因子。
# 第二部分 `(x + w) + (w + 1)` 动几倍？
#
# `w.grad` 会是多少？

# %% [markdown] wrong="a + b" lang="en"
# That is the first part alone. The second counts too, as often as `gradient=` says.

# %% [markdown] wrong="a + b" lang="zh"
# 那只是第一部分。第二部分也要算，按 `gradient=` 说的份量。

# %% [markdown] wrong="a + b + 2" lang="en"
# That is each part once. `gradient=` says how often the second counts.

# %% [markdown] wrong="a + b + 2" lang="zh"
# 那是两部分各算一次。第二部分算多少，由 `gradient=` 决定。

# %%
second = 2.0  # @param {type: number, min: -10, max: 10, step: 0.5}
loss.backward(gradient=torch.tensor([1.0, second]))
weighted = w.grad.item()

# %% [markdown] question="predict" of="w.grad" lang="en"
# It is {{ weighted }}: the derivative of the first part, once, plus the derivative of the second, times what you said
# it is worth. Both came back in **one** pass, and were added where their paths meet.
#
# A table of all the derivatives, one row for each part, is called the **Jacobian**. The pass never makes it; it
# computes only the sum of the rows, each times its number: a **vector-Jacobian product**.
#
# Most often you make a single number first, with `sum()` or `mean()`. What will `w.grad` be, with `sum()`?

# %% [markdown] question="predict" of="w.grad" lang="zh"
# 是 {{ weighted }}：第一部分的导数算一次，加上第二部分的导数乘以你给它的分量。
# 两者在**同一次**反向传播里算出，在路径相会的地方相加。
#
# 把所有导数写成一张表，每一部分占一行，这张表就叫**雅可比矩阵**。
# 反向传播从不把它列出来，只算出各行乘以各自的数之后的和，即**向量-雅可比积**。
#
# 更常见的做法是先用 `sum()` 或 `mean()` 变成一个数。用 `sum()` 的话，`w.grad` 会是多少？

# %% [markdown] wrong="weighted" lang="en"
# That is the pass before, in which the second part counted by its number. `sum()` counts each once.

# %% [markdown] wrong="weighted" lang="zh"
# 那是上一次的结果，其中第二部分按它的份量计算。`sum()` 让每部分各算一次。

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
# 是 {{ w.grad.item() }}。每一部分各算一次：求和就等于 `gradient=` 里全是一。
# 按 `k` 给 `second` 换几个数，看看 `weighted`（上一个单元格得到的梯度）变成多少：
# 设成零，那一部分就不算数；设成负数，它就往反方向拉。
#
# `backward()` 还有一种完整的写法，一次给出几个张量，并说明各占多少分量。
# 下一个单元格用它重做本课的第一次反向传播。

# %%
x.grad = w.grad = None
a = x + w
b = w + 1
torch.autograd.backward([a * b, a + b], grad_tensors=[torch.tensor([1.0]), torch.tensor([second])])
again = w.grad.item()

# %% [markdown] lang="en"
# {{ again }}, as before. `loss.backward()` is short for `torch.autograd.backward([loss])`; the parts need not be put
# into one tensor for it.
#
# Back to one tensor. A common way to make one number of it is `mean()`. Give `worth` the numbers with which the pass
# does what `parts.mean().backward()` would do. Press `e`.

# %% [markdown] lang="zh"
# 还是 {{ again }}。`loss.backward()` 就是 `torch.autograd.backward([loss])` 的简写；用它不必先把各部分放进一个张量。
#
# 回到一个张量的情形，常用 `mean()` 把它变成一个数。给 `worth` 填上合适的数，
# 让反向传播的结果和 `parts.mean().backward()` 一样。按 `e`。

# %% tags=["exercise"] id="mean" kind="fill"
v = torch.tensor(2.0, requires_grad=True)
parts = torch.stack([v * v, 5 * v, v + 7, v * v * v])

worth = torch.zeros(4)
parts.backward(gradient=worth)

# %% [markdown] tags=["hint"] lang="en"
# A mean is a sum divided by how many there are. So what is each part worth?

# %% [markdown] tags=["hint"] lang="zh"
# 平均就是总和除以个数。那么每一部分占多少分量？

# %% [markdown] tags=["hint"] lang="en"
# There are four parts, and all are worth the same: `torch.full((4,), …)`.

# %% [markdown] tags=["hint"] lang="zh"
# 一共四个部分，分量都一样：`torch.full((4,), …)`。

# %% tags=["solution"]
v = torch.tensor(2.0, requires_grad=True)
parts = torch.stack([v * v, 5 * v, v + 7, v * v * v])

worth = torch.full((4,), 0.25)
parts.backward(gradient=worth)

# %% tags=["check"]
derivatives = [2 * v.item(), 5.0, 1.0, 3 * v.item() ** 2]
assert v.grad is not None, {
    "en": "No pass has reached v.",
    "zh": "没有任何一次反向传播到达 v。",
}
assert v.grad != 0, {
    "en": "v.grad is 0: so far no part is worth anything.",
    "zh": "v.grad 是 0：到现在为止，哪一部分都不占分量。",
}
assert abs(v.grad - sum(derivatives)) > 1e-3, {
    "en": f"v.grad is {v.grad:g}: that is what the sum would give. A mean is smaller.",
    "zh": f"v.grad 是 {v.grad:g}：那是求和的结果。平均要比它小。",
}
assert len(set(worth.tolist())) == 1, {
    "en": f"In a mean all parts are worth the same, and yours are worth {worth.tolist()}.",
    "zh": f"求平均时各部分分量相同，而你的是 {worth.tolist()}。",
}
average = sum(derivatives) / 4
assert abs(v.grad - average) < 1e-3, {
    "en": f"The derivatives of the parts are {derivatives}; their mean is {average:g}. v.grad is {v.grad:g}.",
    "zh": f"各部分的导数是 {derivatives}，平均是 {average:g}。v.grad 是 {v.grad:g}。",
}
