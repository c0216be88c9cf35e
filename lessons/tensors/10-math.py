# ---
# jupyter:
#   gradtutor:
#     title: {en: "Element by element", zh: "逐元素计算"}
#     summary:
#       en: "Arithmetic on whole tensors at once, addcmul and addcdiv, and shapes that stretch: broadcasting."
#       zh: "整个张量一起算，addcmul 与 addcdiv，以及会自己伸展的形状：广播。"
#     order: 120
#     topics:
#       en: [add, addcmul, log, pow, broadcasting]
#       zh: [add, addcmul, log, pow, 广播]
# ---

# %% [markdown] question="predict" of="total" lang="en"
# Arithmetic on tensors needs no loop. `+`, `-`, `*`, `/` work on each element by itself: the first with the first, the
# second with the second. Each sign is also a function, `add`, `sub`, `mul`, `div`, and some of these can do more.
#
# `torch.add(a, b, alpha=10)` multiplies by `alpha` before it adds. Only one of the two is multiplied: the **second**.
#
# `a` is `[1, 10, 100]`, and `b` is `[2, 4, 8]`. What will `total` hold?

# %% [markdown] question="predict" of="total" lang="zh"
# 张量做算术不用循环。`+`、`-`、`*`、`/` 对每个元素各算各的：第一个对第一个，第二个对第二个。
# 每个符号都有对应的函数，`add`、`sub`、`mul`、`div`，其中有的还能多做一点。
#
# `torch.add(a, b, alpha=10)` 先乘 `alpha` 再加。只乘其中一个：**第二个**。
#
# `a` 是 `[1, 10, 100]`，`b` 是 `[2, 4, 8]`。`total` 会是什么？

# %%
import torch

a = torch.tensor([1.0, 10.0, 100.0])
b = torch.tensor([2.0, 4.0, 8.0])
u = torch.tensor([-1.0, 0.0, 0.5])

total = torch.add(a, b, alpha=10)
minus = a.sub(b)
times = a.mul(b)
ratio = a.div(b)

# %% [markdown] question="predict" of="cmul" lang="en"
# {{ total.tolist() }}: `a + 10 * b`. (Old code puts the 10 between, `torch.add(a, 10, b)`; PyTorch now warns of
# that.)
#
# Optimizers do such things all day. `addcmul(a, b, u, value=2)` is `a + 2 * b * u`; `addcdiv` divides instead. After
# them come powers, logarithms and the like. (The logarithm of 8 to base 2 is 3, because 2³ is 8.)
#
# `a` is {{ a.tolist() }}, `b` is {{ b.tolist() }}, `u` is {{ u.tolist() }}. What will `cmul` hold?

# %% [markdown] question="predict" of="cmul" lang="zh"
# {{ total.tolist() }}：就是 `a + 10 * b`。
# （老代码把 10 写在中间，`torch.add(a, 10, b)`，现在 PyTorch 会警告。）
#
# 优化器整天做这种事。`addcmul(a, b, u, value=2)` 就是 `a + 2 * b * u`；`addcdiv` 把乘换成除。
# 后面还有乘方、对数等等。（以 2 为底 8 的对数是 3，因为 2³ 是 8。）
#
# `a` 是 {{ a.tolist() }}，`b` 是 {{ b.tolist() }}，`u` 是 {{ u.tolist() }}。`cmul` 会是什么？

# %%
cmul = torch.addcmul(a, b, u, value=2)
cdiv = torch.addcdiv(a, u, b, value=2)

twos = b.log2()
digits = a.log10()
back = a.log().exp()
squares = b.pow(2)
sizes = u.abs()
ones = u.sin() ** 2 + u.cos() ** 2

# %% [markdown] question="predict" of="list(grid.shape)" lang="en"
# {{ cmul.tolist() }}, and with the quotient {{ cdiv.tolist() }}. Where `u` is zero, `a` stays.
#
# What if the shapes differ? PyTorch **broadcasts**: it lines the shapes up **from the right**, and a length of one, or
# one that is missing, is stretched to fit. Nothing is copied for it. Lengths that differ otherwise are an error.
#
# `column` has the shape [3, 1], `row` the shape [4]. What will the shape of `grid` be?

# %% [markdown] question="predict" of="list(grid.shape)" lang="zh"
# {{ cmul.tolist() }}；换成除是 {{ cdiv.tolist() }}。`u` 为零的地方，`a` 原样不动。
#
# 形状不同怎么办？PyTorch 会**广播**：把形状**靠右对齐**，长度为一的维，或缺的维，
# 就伸展到合适的长度，并不真的复制。其他的长短不一，就是错误。
#
# `column` 的形状是 [3, 1]，`row` 的形状是 [4]。`grid` 的形状会是什么？

# %%
column = torch.tensor([[1], [2], [3]])
row = torch.tensor([0, 10, 20, 30])
grid = column + row

# %% [markdown] lang="en"
# {{ grid.shape }}: each number of the column is added to each of the row: two vectors give a full table. Handy but
# risky: shapes that you never meant to combine are combined without warning.
#
# Your turn. Each row of `table` should have its mean subtracted, so that every row of `centred` has the mean 0. The
# means come out right, and yet the rows do not. Walk through it, look at the shapes, press `e` and fix it.

# %% [markdown] lang="zh"
# {{ grid.shape }}：列里的每个数都和行里的每个数相加，两个向量得到一整张表。
# 方便，也危险：本不该一起运算的形状，也会没有任何警告地一起运算。
#
# 轮到你了。`table` 的每一行要减去这一行自己的平均值，让 `centred` 每行的平均值都是 0。
# 平均值算对了，各行却不对。走一遍，看看形状，按 `e` 改好它。

# %% tags=["exercise"] id="centre-rows" kind="bug"
table = torch.arange(9.0).reshape(3, 3)
means = table.mean(dim=1)
centred = table - means

# %% [markdown] tags=["hint"] lang="en"
# `means` has the shape [3]. Lined up from the right, is it laid along the rows of `table`, or down its columns?

# %% [markdown] tags=["hint"] lang="zh"
# `means` 的形状是 [3]。靠右对齐时，它是横着对上 `table` 的行，还是竖着对上列？

# %% [markdown] tags=["hint"] lang="en"
# The means have to stand upright, as a column of shape [3, 1]. `unsqueeze(1)` does it, or `mean(dim=1, keepdim=True)`.

# %% [markdown] tags=["hint"] lang="zh"
# 平均值要竖起来，成为形状 [3, 1] 的一列。用 `unsqueeze(1)`，或者 `mean(dim=1, keepdim=True)`。

# %% tags=["solution"]
table = torch.arange(9.0).reshape(3, 3)
means = table.mean(dim=1, keepdim=True)
centred = table - means

# %% tags=["check"]
assert centred.shape == (3, 3), {
    "en": f"centred should be 3 by 3, but its shape is {list(centred.shape)}.",
    "zh": f"centred 应当是 3 乘 3，它的形状却是 {list(centred.shape)}。",
}
rows, columns = centred.mean(dim=1), centred.mean(dim=0)
assert columns.abs().max() > 1e-5 or rows.abs().max() < 1e-5, {
    "en": f"Now the columns have the mean 0, but the rows should. Theirs are {rows.tolist()}.",
    "zh": f"现在平均值是 0 的是各列，应当是各行才对。各行的平均值是 {rows.tolist()}。",
}
assert rows.abs().max() < 1e-5, {
    "en": (
        f"The means of the rows should be 0, but they are {rows.tolist()}. The mean of row 0 went"
        " down column 0, that of row 1 down column 1: stand the means upright."
    ),
    "zh": (
        f"各行的平均值应当是 0，现在却是 {rows.tolist()}。第 0 行的平均值减在了第 0 列上，"
        "第 1 行的减在了第 1 列上：让平均值竖起来。"
    ),
}
assert centred[1].tolist() == [-1, 0, 1], {
    "en": f"Row 1 should be [-1, 0, 1], each number less the mean 4, but it is {centred[1].tolist()}.",
    "zh": f"第 1 行应当是 [-1, 0, 1]，也就是每个数减去平均值 4，现在却是 {centred[1].tolist()}。",
}
