# ---
# jupyter:
#   gradtutor:
#     title: {en: "Matrix products", zh: "矩阵乘法"}
#     summary:
#       en: "@ against *: rows meet columns. Which shapes fit, which types, and what a layer does."
#       zh: "@ 不是 *：行与列相乘。哪些形状对得上，哪些类型可以混用，一层网络又做了什么。"
#     order: 140
#     topics:
#       en: [matmul, "@", dtype]
#       zh: [matmul, "@", dtype]
# ---

# %% [markdown] question="predict" of="matrix" vary="a: [[[2, 0], [1, 1]], [[0, 1], [2, 2]]]" lang="en"
# Two products share the name. `a * b` goes element by element, as you know. `a @ b`, or `torch.matmul(a, b)`, is the
# **matrix product**, the one that neural networks are made of.
#
# There each number of the result comes from a whole **row** of `a` and a whole **column** of `b`: multiply them pair by
# pair, and add up.
#
# `a` is `[[1, 2], [3, 4]]`, `b` is `[[10, 0], [0, 1]]`. What will `matrix` hold? Type two rows: `[[…, …], […, …]]`.

# %% [markdown] question="predict" of="matrix" vary="a: [[[2, 0], [1, 1]], [[0, 1], [2, 2]]]" lang="zh"
# 有两种乘法。`a * b` 逐元素相乘，你已经知道了。`a @ b`，也写作 `torch.matmul(a, b)`，
# 是**矩阵乘法**，神经网络就是由它搭起来的。
#
# 它的每个数，都来自 `a` 的一整**行**和 `b` 的一整**列**：一对对相乘，再全部加起来。
#
# `a` 是 `[[1, 2], [3, 4]]`，`b` 是 `[[10, 0], [0, 1]]`。`matrix` 会是什么？输入两行：`[[…, …], […, …]]`。

# %% [markdown] wrong="elements" lang="en"
# That is `a * b`, element by element. `@` takes a row of `a` and a column of `b`.

# %% [markdown] wrong="elements" lang="zh"
# 那是 `a * b`，逐元素相乘。`@` 取的是 `a` 的一行和 `b` 的一列。

# %% [markdown] wrong="b @ a" lang="en"
# That is `b @ a`. The order matters: the rows are those of `a`.

# %% [markdown] wrong="b @ a" lang="zh"
# 那是 `b @ a`。次序不能颠倒：行取自 `a`。

# %%
import torch

a = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
b = torch.tensor([[10.0, 0.0], [0.0, 1.0]])
elements = a * b
matrix = a @ b

# %% [markdown] question="predict" of="list(result.shape)" lang="en"
# {{ matrix.tolist() }}. With `*` it would have been {{ elements.tolist() }}.
#
# Since a row of the left meets a column of the right, they must be equally long: the **inner** lengths agree and
# vanish, the **outer** ones stay.
#
# `x` has the shape [2, 3], `w` the shape [3, 4]. What will the shape of `result` be?

# %% [markdown] question="predict" of="list(result.shape)" lang="zh"
# {{ matrix.tolist() }}。换成 `*`，就是 {{ elements.tolist() }}。
#
# 左边的一行要对上右边的一列，两者就得一样长：**里面**的两个长度必须相等，乘完消失；**外面**的两个留下。
#
# `x` 的形状是 [2, 3]，`w` 的形状是 [3, 4]。`result` 的形状会是什么？

# %% [markdown] wrong="[3, 3]" lang="en"
# Those are the inner lengths: they agree, and vanish. The outer ones stay.

# %% [markdown] wrong="[3, 3]" lang="zh"
# 那是里面的两个长度：它们相等，不再出现。留下的是外面的。

# %% [markdown] wrong="[4, 2]" lang="en"
# The rows come from `x`, so their number is first.

# %% [markdown] wrong="[4, 2]" lang="zh"
# 行来自 `x`，所以行数在前。

# %%
x = torch.ones(2, 3)
w = torch.ones(3, 4)
result = x @ w

left = torch.tensor([1.0, 2.0, 3.0])
right = torch.tensor([4.0, 5.0, 6.0])
dot = left @ right

try:
    w @ x
except RuntimeError as problem:
    print(problem)

# %% [markdown] question="choice" of="1 if all(works) else 2 if works[0] else 3 if works[1] else 4" lang="en"
# {{ result.shape }}: the two 3s match and disappear. The other way round, 4 would have to match 2; see the output,
# you will meet that message again. Of two plain vectors `@` makes one number, {{ dot.item() }}.
#
# `counts` are whole numbers, `prices` are not. The loop tries `*`, then `@`. Which one works?
#
# 1. both
# 2. only `*`
# 3. only `@`
# 4. neither

# %% [markdown] question="choice" of="1 if all(works) else 2 if works[0] else 3 if works[1] else 4" lang="zh"
# {{ result.shape }}：两个 3 相等，结果里不再出现。反过来乘，4 和 2 对不上，见输出，这条报错你以后还会遇到。
# 两个普通的向量用 `@` 相乘，得到一个数，{{ dot.item() }}。
#
# `counts` 是整数，`prices` 不是。循环先试 `*`，再试 `@`。哪个行得通？
#
# 1. 两个都行
# 2. 只有 `*`
# 3. 只有 `@`
# 4. 都不行

# %%
counts = torch.tensor([3, 1, 2])
prices = torch.tensor([0.5, 2.0, 1.5])

works = []
for product in (torch.mul, torch.matmul):
    try:
        product(counts, prices)
        works.append(True)
    except RuntimeError as problem:
        works.append(False)
        print(problem)

# %% [markdown] lang="en"
# `*` mixes types, `@` refuses to. Convert first: `counts.float() @ prices`. Both must also be on one device. (On
# a GPU, whole numbers have no matrix product.)
#
# Your turn, with a first **layer**: what `torch.nn.Linear` does. Five samples of three numbers come in, two numbers
# each go out. The weights are kept as [outputs, inputs], so they do not fit yet. Press `e`, and fill
# in `out`: product plus bias.

# %% [markdown] lang="zh"
# `*` 可以混用类型，`@` 不行，要先转换：`counts.float() @ prices`。两个张量还要在同一个设备上，乘法就在那里算。
# （在 GPU 上，整数根本没有矩阵乘法。）
#
# 轮到你了，写第一个**层**，`torch.nn.Linear` 做的就是这个。进来五个样本，每个三个数；出去的每个是两个数。
# 权重按 [输出, 输入] 存放，所以还对不上。按 `e`，填好 `out`：乘积，再加偏置。

# %% tags=["exercise"] id="first-layer" kind="fill"
samples = torch.arange(15.0).reshape(5, 3)
weight = torch.tensor([[1.0, 0, 0], [1, 1, 1]])
bias = torch.tensor([0.5, 100.0])

# of shape [5, 2]
out = ...

# %% [markdown] tags=["hint"] lang="en"
# [5, 3] @ [2, 3] does not fit. Which shape would the right side need, and how do you transpose `weight`?

# %% [markdown] tags=["hint"] lang="zh"
# [5, 3] @ [2, 3] 对不上。右边该是什么形状？怎样把 `weight` 转置？

# %% [markdown] tags=["hint"] lang="en"
# `weight.T` is short for the transpose of a matrix. The bias, of shape [2], is broadcast to every row by a plain `+`.

# %% [markdown] tags=["hint"] lang="zh"
# `weight.T` 是矩阵转置的简写。偏置的形状是 [2]，直接用 `+`，就会广播到每一行。

# %% tags=["solution"]
samples = torch.arange(15.0).reshape(5, 3)
weight = torch.tensor([[1.0, 0, 0], [1, 1, 1]])
bias = torch.tensor([0.5, 100.0])

out = samples @ weight.T + bias

# %% tags=["check"]
assert isinstance(out, torch.Tensor), {
    "en": "out is not filled in yet.",
    "zh": "out 还没有填。",
}
found = list(out.shape)
assert found == [5, 2], {
    "en": f"out should have the shape [5, 2], but it is {found}.",
    "zh": f"out 的形状应当是 [5, 2]，现在却是 {found}。",
}
right = [[row[0].item() + 0.5, row.sum().item() + 100] for row in samples]
bare = [[row[0].item(), row.sum().item()] for row in samples]
assert out.tolist() != bare, {
    "en": "The product is right. Now add the bias.",
    "zh": "乘积对了。再加上偏置。",
}
assert out.tolist() == right, {
    "en": (
        f"Sample 0 is {samples[0].tolist()}, so its outputs are {right[0]}, but you have"
        f" {out[0].tolist()}. Did you reshape the weight? That mixes its numbers; transpose it."
    ),
    "zh": (
        f"第 0 个样本是 {samples[0].tolist()}，所以它的输出是 {right[0]}，"
        f"你得到的却是 {out[0].tolist()}。是不是对权重用了 reshape？那会打乱里面的数，要用转置。"
    ),
}
