# ---
# jupyter:
#   gradtutor:
#     title: {en: "Joining and splitting", zh: "拼接与拆分"}
#     summary:
#       en: "cat makes a dimension longer, stack makes a new one; chunk and split take tensors apart."
#       zh: "cat 加长一维，stack 新添一维；chunk 和 split 把张量拆开。"
#     topics:
#       en: [cat, stack, chunk, split]
#       zh: [cat, stack, chunk, split]
# ---

# %% [markdown] question="predict" of="list(below.shape)" lang="en"
# Data comes in pieces: a row here, a batch there. `torch.cat` puts tensors end to end **along a dimension that they
# have**. It gets longer; the others stay.
#
# In a table, `dim=0` goes down the rows, and `dim=1` across the columns.
#
# `a` and `b` have two rows of three. What will the shape of `below = torch.cat([a, b], dim=0)` be? Type a list.

# %% [markdown] question="predict" of="list(below.shape)" lang="zh"
# 数据总是一块块来的：这里一行，那里一个小批量。`torch.cat` 把张量首尾相接，**沿着它们已有的一维**。
# 那一维变长，其余各维不变。
#
# 对一张表来说，`dim=0` 沿着行往下，`dim=1` 沿着列往右。
#
# `a` 和 `b` 都是两行三列。`below = torch.cat([a, b], dim=0)` 的形状会是什么？输入一个列表。

# %% [markdown] wrong="list(beside.shape)" lang="en"
# That is `dim=1`, side by side. `dim=0` goes down the rows.

# %% [markdown] wrong="list(beside.shape)" lang="zh"
# 那是 `dim=1`，并排放。`dim=0` 沿着行往下。

# %%
import torch

a = torch.arange(6).reshape(2, 3)
b = 10 * a
below = torch.cat([a, b], dim=0)
beside = torch.cat([a, b], dim=1)

# %% [markdown] question="predict" of="list(stacked.shape)" lang="en"
# One below the other, {{ below.shape }}; side by side, {{ beside.shape }}. Only the dimension along which you join
# them may differ in length between the two.
#
# `torch.stack` looks like the same thing, and is not. It needs tensors of **equal** shape, and lays them on top of each
# other like sheets of paper: along a dimension that was **not there before**.
#
# What will the shape of `stacked = torch.stack([a, b])` be?

# %% [markdown] question="predict" of="list(stacked.shape)" lang="zh"
# 上下相接是 {{ below.shape }}，左右相接是 {{ beside.shape }}。两者只有相接的那一维可以长短不同。
#
# `torch.stack` 与它相似，但不相同。它要求形状**完全相同**，
# 像叠纸一样一张张摞起来：沿着**原来没有的**一维。
#
# `stacked = torch.stack([a, b])` 的形状会是什么？

# %% [markdown] wrong="list(below.shape)" lang="en"
# That is `cat` along dimension 0. `stack` makes a dimension that was not there.

# %% [markdown] wrong="list(below.shape)" lang="zh"
# 那是沿第 0 维的 `cat`。`stack` 会新建一个维度。

# %% [markdown] wrong="list(beside.shape)" lang="en"
# That is `cat` along dimension 1. `stack` makes a dimension that was not there.

# %% [markdown] wrong="list(beside.shape)" lang="zh"
# 那是沿第 1 维的 `cat`。`stack` 会新建一个维度。

# %%
stacked = torch.stack([a, b])

# %% [markdown] question="predict" of="[len(part) for part in thirds]" lang="en"
# {{ stacked.shape }}: two sheets, each as it was. `stacked[0]` is `a` again, and `stacked[1]` is `b`. Rule of thumb:
# `stack` makes a batch of samples, `cat` makes one batch of two batches.
#
# Now split it. Tell `chunk` how **many** parts you want, or `split` how **long** each should be.
#
# Seven numbers go into three chunks. How long is each? Type a list of three.

# %% [markdown] question="predict" of="[len(part) for part in thirds]" lang="zh"
# {{ stacked.shape }}：两张纸，各自原样。`stacked[0]` 就是 `a`，`stacked[1]` 就是 `b`。
# 记法：把样本组成一个小批量用 `stack`，把两个小批量合成一个用 `cat`。
#
# 再拆开。`chunk` 要指定**几份**，`split` 要指定每份**多长**。
#
# 七个数分成三份，每份多长？输入三个数的列表。

# %% [markdown] wrong="[3, 2, 2]" lang="en"
# The lengths are not made as equal as they can be: each chunk is as long as the first, and the last takes what is
# left.

# %% [markdown] wrong="[3, 2, 2]" lang="zh"
# 各段并不是尽量平均的：每段都和第一段一样长，最后一段取剩下的。

# %% [markdown] wrong="[2, 2, 3]" lang="en"
# Seven divided by three is rounded up, not down, and the last chunk takes what is left.

# %% [markdown] wrong="[2, 2, 3]" lang="zh"
# 七除以三是向上取整，不是向下，最后一段取剩下的。

# %%
seven = torch.arange(7)
thirds = seven.chunk(3)
four_wanted = torch.arange(6).chunk(4)
pairs = seven.split(2)
by_list = seven.split([4, 1, 2])

try:
    seven.split([4, 1])
except RuntimeError as problem:
    print(problem)

# %% [markdown] lang="en"
# Every chunk is as long as the first, {{ thirds[0].shape }}, and the last takes what is left, {{ thirds[2].shape }}.
# There can even be too few: of six numbers we wanted four chunks. Count `four_wanted` in the table. A list for
# `split` must add up, says the output.
#
# Your turn. Three days of three readings should become a table, **one row per day**. Two more days, already a table,
# go below. Press `e` and fill in both lines.

# %% [markdown] lang="zh"
# 每份都和第一份一样长，{{ thirds[0].shape }}，最后一份取剩下的，{{ thirds[2].shape }}。
# 有时连份数都不够：六个数要分四份，到表里数数 `four_wanted`。给 `split` 的列表必须加起来正好，见输出。
#
# 轮到你了。三天，每天三个读数，要变成一张**每天一行**的表。
# 又来了两天，已经是一张表，接在下面。按 `e`，填好这两行。

# %% tags=["exercise"] id="days" kind="fill"
monday = torch.tensor([8, 1, 9])
tuesday = torch.tensor([7, 2, 6])
wednesday = torch.tensor([6, 3, 8])
more = torch.tensor([[5, 0, 7], [4, 9, 6]])

# monday, tuesday, wednesday: a row each
three = ...
# three, and below it more
five = ...

# %% [markdown] tags=["hint"] lang="en"
# A day has only one dimension, and the table has two. Which function makes a new dimension?

# %% [markdown] tags=["hint"] lang="zh"
# 一天的读数只有一维，表却有两维。哪个函数会新添一维？

# %% [markdown] tags=["hint"] lang="en"
# `three` and `more` are both tables already. Rows are to be added, so that dimension 0 gets longer.

# %% [markdown] tags=["hint"] lang="zh"
# `three` 和 `more` 都已经是表了。要加的是行，让第 0 维变长。

# %% tags=["solution"]
monday = torch.tensor([8, 1, 9])
tuesday = torch.tensor([7, 2, 6])
wednesday = torch.tensor([6, 3, 8])
more = torch.tensor([[5, 0, 7], [4, 9, 6]])

three = torch.stack([monday, tuesday, wednesday])
five = torch.cat([three, more])

# %% tags=["check"]
assert isinstance(three, torch.Tensor), {
    "en": "three is not filled in yet.",
    "zh": "three 还没有填。",
}
found = list(three.shape)
assert found != [9], {
    "en": "cat put all nine readings into one row. A new dimension is wanted: stack.",
    "zh": "cat 把九个读数连成了长长的一行。这里要新添一维：用 stack。",
}
assert found == [3, 3], {
    "en": f"three should have the shape [3, 3], a row per day, but it is {found}.",
    "zh": f"three 的形状应当是 [3, 3]，每天一行，现在却是 {found}。",
}
assert three[:, 0].tolist() != [8, 1, 9], {
    "en": "The days stand as columns; each should be a row.",
    "zh": "每一天成了一列，应当是一行。",
}
assert three.tolist() == [d.tolist() for d in (monday, tuesday, wednesday)], {
    "en": "The rows of three should be monday, tuesday, wednesday, in this order.",
    "zh": "three 的各行应当依次是 monday、tuesday、wednesday。",
}
assert isinstance(five, torch.Tensor), {
    "en": "three is right. five is not filled in yet.",
    "zh": "three 对了。five 还没有填。",
}
found = list(five.shape)
assert found == [5, 3], {
    "en": f"three is right. five should have the shape [5, 3], but it is {found}.",
    "zh": f"three 对了。five 的形状应当是 [5, 3]，现在却是 {found}。",
}
assert five.tolist() == three.tolist() + more.tolist(), {
    "en": "five should be three, with more below it.",
    "zh": "five 应当是 three，下面接着 more。",
}
