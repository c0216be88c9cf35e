# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "Number, row, table"
#       zh: "一个数、一行、一张表"
#     summary:
#       en: "[], [1] and [1, 1] all hold one number. What is the difference, and where does it matter?"
#       zh: "[]、[1] 和 [1, 1] 都只装一个数。它们有什么区别，什么时候有影响？"
#     order: 105
#     topics:
#       en: [scalar, vector, matrix, dimensions, ndim, numel, item()]
#       zh: [标量, 向量, 矩阵, 维度, ndim, numel, item()]
# ---

# %% [markdown] question="predict" of="number.ndim" lang="en"
# A **scalar** is a number, a **vector** a row of numbers, a **matrix** a table of them. A **tensor** is all of these,
# and goes on where the names end: a stack of tables, a row of stacks. What differs is how many **dimensions** it has:
# how many indices you need to point at one number.
#
# A table has two, row and column, so its `ndim` is 2. Its **shape** says how long each one is: the shape of a table
# with two rows and three columns is [2, 3].
#
# What is the `ndim` of `torch.tensor(2.5)`?

# %% [markdown] question="predict" of="number.ndim" lang="zh"
# 一个数是**标量**，一行数是**向量**，一张表是**矩阵**。**张量**把它们都包括在内，而且不止于此：
# 还可以是一叠表、一排叠起来的表。区别在于有几个**维度**，也就是要指出其中一个数，需要几个下标。
#
# 一张表要两个，行和列，所以它的 `ndim` 是 2。**形状**说明每一维有多长：两行三列的表，形状是 [2, 3]。
#
# `torch.tensor(2.5)` 的 `ndim` 是多少？

# %% [markdown] wrong="1" lang="en"
# That is how many *numbers* it holds. A dimension is a direction in which there could be more of them.

# %% [markdown] wrong="1" lang="zh"
# 那是它装的*数*的个数。维度是指可以在几个方向上排列更多的数。

# %%
import torch

number = torch.tensor(2.5)
row = torch.tensor([1.0, 2.0, 4.0])
table = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
stack = torch.zeros(2, 3, 4)
count = stack.numel()

for each in (number, row, table, stack):
    print(each.ndim, list(each.shape), each.numel())

# %% [markdown] question="choice" of="1 if same_values and not same_shapes else 2 if same_shapes else 3" lang="en"
# Zero: it needs no index at all, and its shape is the empty list, []. How many *numbers* a tensor holds is another
# matter: `numel()` counts them. It is the product of the lengths in the shape, {{ count }} for `stack`.
#
# Now three tensors, each made from the same number with another pair of brackets around it. You will meet all three: a
# weight is often written `torch.tensor([2.0])`, and one sample of a single number is a table,
# [1, 1]. How do they compare?
#
# 1. the same number, three different shapes
# 2. the same number, and the same shape
# 3. three different numbers

# %% [markdown] question="choice" of="1 if same_values and not same_shapes else 2 if same_shapes else 3" lang="zh"
# 是零：不需要任何下标，形状是空列表 []。
# 装了几个*数*则是另一回事，用 `numel()` 来数：它等于形状中各个长度的乘积，`stack` 有 {{ count }} 个。
#
# 下面三个张量用同一个数做成，每次多套一层方括号。三种写法你都会遇到：
# 权重常写成 `torch.tensor([2.0])`；只有一个样本、样本里只有一个数，则是一张表，[1, 1]。它们之间有什么异同？
#
# 1. 数相同，三种形状
# 2. 数相同，形状也相同
# 3. 三个不同的数

# %%
bare = torch.tensor(2.0)
in_row = torch.tensor([2.0])
in_table = torch.tensor([[2.0]])

same_values = bare.item() == in_row.item() == in_table.item()
same_shapes = bare.shape == in_row.shape == in_table.shape
print(list(bare.shape), list(in_row.shape), list(in_table.shape))
print(bare.tolist(), in_row.tolist(), in_table.tolist())

# %% [markdown] question="predict" of="list(picked.shape)" lang="en"
# One number each, but the shapes are {{ bare.shape }}, {{ in_row.shape }} and {{ in_table.shape }}: one dimension for
# each pair of brackets. For arithmetic the difference seldom matters. It does when you index, count with `len`, or
# compare shapes. `item()` takes the number out of all three, because there is only one.
#
# An index takes one dimension away: a row of a table is a vector, an element of a row is a number. And `sum()` without
# arguments takes all of them.
#
# What is the shape of `picked = row[0]`? Type it as a list.

# %% [markdown] question="predict" of="list(picked.shape)" lang="zh"
# 都只有一个数，形状却是 []、[1] 和 [1, 1]，表格里写作“{{ bare.shape }}”“{{ in_row.shape }}”“{{ in_table.shape }}”：
# 每一层方括号就是一维。
# 做算术时，这个区别很少有影响。取下标、用 `len` 计数、比较形状时，影响就显出来了。
# `item()` 对三者都能取出那个数，因为只有一个。
#
# 一个下标去掉一维：表的一行是向量，行的一个元素是一个数。不带参数的 `sum()` 则把所有维都去掉。
#
# `picked = row[0]` 的形状是什么？用列表回答。

# %% [markdown] wrong="[1]" lang="en"
# A row with one element keeps its brackets. An index takes them away: what is left is the number itself.

# %% [markdown] wrong="[1]" lang="zh"
# 只有一个元素的行还带着方括号。取下标会去掉它：剩下的是那个数本身。

# %% [markdown] wrong="[3]" lang="en"
# That is the shape of `row`. One index takes its only dimension away.

# %% [markdown] wrong="[3]" lang="zh"
# 那是 `row` 的形状。一个下标就去掉了它唯一的一维。

# %%
first_row = table[0]
picked = row[0]
total = table.sum()
print(list(first_row.shape), list(picked.shape), list(total.shape))

try:
    number[0]
except IndexError as error:
    print(error)

# %% [markdown] lang="en"
# [], with no dimension left: still a tensor, with its place in the graph, and not a Python number. A loss is one of
# these, and `backward()` wants exactly that. Nothing can be taken away from zero dimensions, so `number[0]` is an
# error, and the message names the way out.
#
# `len` is the length of the *first* dimension. That is one more thing which a number does not have, and for a table it
# is the number of rows.
#
# `average` should divide the sum by how many numbers there are. It is right for a row, stops at a number, and is wrong
# for a table, without an error. Fix it: press `e`.

# %% [markdown] lang="zh"
# 是 []，一维也不剩。它仍然是张量，在计算图里有自己的位置，不是 Python 的数。
# 损失就是这样的张量，`backward()` 要的正是它。零维张量没有维可去，所以 `number[0]` 出错，报错里写着该怎么办。
#
# `len` 是*第一*维的长度。标量没有第一维；对一张表，它是行数。
#
# `average` 应当用总和除以数的个数。对一行是对的，遇到一个数就停下，对一张表则会算错，而且不报错。改好它：按 `e`。


# %% tags=["exercise"] id="average" kind="bug"
def average(values):
    return values.sum() / len(values)


print("row:", average(row).item(), "table:", average(table).item())
try:
    print("number:", average(number).item())
except TypeError as error:
    print(error)

# %% [markdown] tags=["hint"] lang="en"
# The six numbers of the table add up to 21. What does `len(table)` give?

# %% [markdown] tags=["hint"] lang="zh"
# 表里六个数的总和是 21。`len(table)` 给出多少？

# %% [markdown] tags=["hint"] lang="en"
# A method in the first cell counts the numbers of any tensor, whatever its shape.

# %% [markdown] tags=["hint"] lang="zh"
# 第一个单元格里用过一个方法，不管什么形状的张量，它都能数出有几个数。


# %% tags=["solution"]
def average(values):
    return values.sum() / values.numel()


print("row:", average(row).item(), "table:", average(table).item())
try:
    print("number:", average(number).item())
except TypeError as error:
    print(error)

# %% tags=["check"]
stopped = ""
try:
    for_number = average(torch.tensor(2.5))
except (TypeError, IndexError) as error:
    stopped = str(error)
assert not stopped, {
    "en": f"For a single number it stops: {stopped}. Count the numbers, not the length of a dimension.",
    "zh": f"对单独一个数，它停下了：{stopped}。要数的是有几个数，不是某一维的长度。",
}
assert float(for_number) == 2.5, {
    "en": f"The average of 2.5 alone is 2.5, and average gives {float(for_number):g}.",
    "zh": f"只有 2.5 一个数，平均值就是 2.5，average 给出 {float(for_number):g}。",
}
for_row, for_table = average(torch.tensor([1.0, 2.0, 6.0])), average(torch.arange(6.0).reshape(2, 3))
assert getattr(for_table, "ndim", 0) == 0, {
    "en": f"For a table it should give one number, and its shape is {list(for_table.shape)}.",
    "zh": f"对一张表，它应当给出一个数，形状却是 {list(for_table.shape)}。",
}
assert float(for_table) != 7.5, {
    "en": "For the table 0 to 5 it gives 7.5: it divides 15 by the 2 rows, not by the 6 numbers.",
    "zh": "对 0 到 5 的表，它给出 7.5：用 15 除以了 2 行，不是 6 个数。",
}
assert float(for_table) == 2.5, {
    "en": f"The average of the numbers 0 to 5 is 2.5, and average gives {float(for_table):g}.",
    "zh": f"0 到 5 的平均值是 2.5，average 给出 {float(for_table):g}。",
}
assert float(for_row) == 3, {
    "en": f"The average of [1, 2, 6] is 3, and average gives {float(for_row):g}.",
    "zh": f"[1, 2, 6] 的平均值是 3，average 给出 {float(for_row):g}。",
}
