# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "Shapes that stretch"
#       zh: "会扩展的形状"
#     summary:
#       en: "Broadcasting: which shapes fit together, and what happens when they fit by accident."
#       zh: "广播：哪些形状可以一起运算，碰巧对上时又会怎样。"
#     order: 130
#     topics:
#       en: [broadcasting, keepdim, unsqueeze]
#       zh: [广播, keepdim, unsqueeze]
#     aliases: [tensors/math]
# ---

# %% [markdown] question="predict" of="list(grid.shape)" vary="row: [[0, 10], [0, 10, 20, 30, 40]]" lang="en"
# The tensors that you added so far had the same shape. What if the shapes differ? PyTorch **broadcasts**: it lines the
# shapes up **from the right**, and a length of one, or one that is missing, is stretched to fit. Nothing is copied for
# it. Lengths that differ otherwise are an error.
#
# `column` has the shape [3, 1], `row` the shape [4]. What will the shape of `grid` be?

# %% [markdown] question="predict" of="list(grid.shape)" vary="row: [[0, 10], [0, 10, 20, 30, 40]]" lang="zh"
# 到目前为止，相加的张量形状都相同。形状不同怎么办？PyTorch 会**广播**：把形状**靠右对齐**，长度为一的维，或缺的维，
# 就扩展到合适的长度，并不真的复制。长度若有其他不同，就会报错。
#
# `column` 的形状是 [3, 1]，`row` 的形状是 [4]。`grid` 的形状会是什么？

# %% [markdown] wrong="[4, 3]" lang="en"
# The lengths keep their places: the 3 of `column` stays first, the 4 of `row` last.

# %% [markdown] wrong="[4, 3]" lang="zh"
# 各个长度的位置不变：`column` 的 3 在前，`row` 的 4 在后。

# %% [markdown] wrong="[3, 1]" lang="en"
# The 1 is stretched to the 4 of `row`.

# %% [markdown] wrong="[3, 1]" lang="zh"
# 1 会扩展成 `row` 的 4。

# %%
import torch

column = torch.tensor([[1], [2], [3]])
row = torch.tensor([0, 10, 20, 30])
grid = column + row

# %% [markdown] question="predict" of="sum(works)" lang="en"
# {{ grid.shape }}: each number of the column is added to each of the row, and two vectors give a full table.
#
# Now three pairs of shapes. Which of them can be added? Line them up from the right, and compare length by length.
#
# - [2, 3] and [3]
# - [2, 3] and [2]
# - [2, 3] and [2, 1]
#
# How many of the three work?

# %% [markdown] question="predict" of="sum(works)" lang="zh"
# {{ grid.shape }}：列里的每个数都和行里的每个数相加，一列加一行，得到一整张表。
#
# 下面是三对形状，哪些可以相加？靠右对齐，逐个长度比较。
#
# - [2, 3] 和 [3]
# - [2, 3] 和 [2]
# - [2, 3] 和 [2, 1]
#
# 三对里有几对可以？

# %% [markdown] wrong="3" lang="en"
# In the second pair the last lengths are 3 and 2. Neither is 1, so nothing can be stretched.

# %% [markdown] wrong="3" lang="zh"
# 第二对的最后一维是 3 和 2，都不是 1，无法扩展。

# %%
works = []
for shape in ([3], [2], [2, 1]):
    try:
        torch.zeros(2, 3) + torch.zeros(shape)
        works.append(True)
    except RuntimeError as error:
        works.append(False)
        print(error)

# %% [markdown] lang="en"
# Two. The [2] does not fit, although the other tensor has a 2 as well: it stands at the left, and shapes are compared
# from the right. As a column, [2, 1], the same two numbers do fit.
#
# An error is the lucky case. Shapes that you never meant to combine may fit, and then they are combined without
# warning.
#
# Your turn. Each row of `table` should have its mean subtracted, so that every row of `centred` has the mean 0.
# (`mean(dim=1)` takes the mean over dimension 1: one for each row.) The means come out right, and yet the rows do not.
# Walk through it, look at the shapes, press `e` and fix it.

# %% [markdown] lang="zh"
# 两对。[2] 不行，虽然另一个张量也有一个 2：那个 2 在左边，而形状是从右边开始比较的。
# 同样两个数，写成一列 [2, 1] 就可以。
#
# 能报错还算好。本不该一起运算的形状，也可能正好对得上，那就会没有任何警告地一起运算。
#
# 轮到你了。`table` 的每一行要减去这一行自己的平均值，让 `centred` 每行的平均值都是 0。
# （`mean(dim=1)` 沿第 1 维求平均，每行得到一个数。）平均值算对了，各行却不对。走一遍，看看形状，按 `e` 改好它。

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
