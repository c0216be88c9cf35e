# ---
# jupyter:
#   gradtutor:
#     title: {en: "Who shares memory", zh: "谁和谁共用内存"}
#     summary:
#       en: "Some tensors look at one block of numbers, others have a copy: from_numpy, transposes, reshapes, clone."
#       zh: "有的张量共用同一块内存，有的各有一份：from_numpy、转置、reshape、clone。"
#     topics:
#       en: [from_numpy, views, strides, transpose, reshape, data_ptr]
#       zh: [from_numpy, 视图, 步幅, transpose, reshape, data_ptr]
# ---

# %% [markdown] question="predict" of="[x[0].item(), y[0].item()]" vary="array: [[5.0, 2.0, 3.0]]" lang="en"
# The numbers of a tensor lie in a block of memory, its **storage**. Several tensors can look at the same block. A
# write through one then shows in all.
#
# NumPy is Python's older library for blocks of numbers. Two ways lead from its `array` to a tensor:
# `x = torch.from_numpy(array)` and `y = torch.tensor(array)`. Then `array[0] = 99` writes into the array.
#
# What will the **first** number of `x` be, and of `y`? It was 1. Type two: `[…, …]`.

# %% [markdown] question="predict" of="[x[0].item(), y[0].item()]" vary="array: [[5.0, 2.0, 3.0]]" lang="zh"
# 张量的数放在一块内存里，叫作它的**存储**。几个张量可以共用同一块：写入其中一个，其余的都变。
#
# NumPy 是 Python 里更早的数组库。从它的数组 `array` 到张量有两条路：
# `x = torch.from_numpy(array)` 和 `y = torch.tensor(array)`。之后 `array[0] = 99` 往数组里写。
#
# `x` 的**第一个**数会是多少，`y` 的呢？原来是 1。输入两个：`[…, …]`。

# %% [markdown] wrong="[99.0, 99.0]" lang="en"
# `torch.tensor` copies: `y` does not see the write.

# %% [markdown] wrong="[99.0, 99.0]" lang="zh"
# `torch.tensor` 会复制：`y` 看不到这次写入。

# %% [markdown] wrong="[1.0, 1.0]" lang="en"
# `from_numpy` shares the memory of the array: `x` sees the write.

# %% [markdown] wrong="[1.0, 1.0]" lang="zh"
# `from_numpy` 与数组共享内存：`x` 能看到这次写入。

# %%
import numpy as np
import torch

array = np.array([1.0, 2.0, 3.0])
x = torch.from_numpy(array)
y = torch.tensor(array)

array[0] = 99
x[1] = 50
print(array)

# %% [markdown] question="predict" of="m" lang="en"
# `from_numpy` **shares**: what the array got shows in `x`, {{ x.tolist() }}, and what `x` got shows in the array, see
# the output. `torch.tensor` **copies**, always.
#
# PyTorch itself shares too. `m.t()` turns `m` over, so that rows become columns, and moves no number. It is a
# **view** of the same storage.
#
# `m` begins as `[[0, 1, 2], [3, 4, 5]]`. Then `t[0, 1] = 100` writes into `t`. What will `m` hold?

# %% [markdown] question="predict" of="m" lang="zh"
# `from_numpy` 是**共用**：往数组里写，`x` 看得到，{{ x.tolist() }}；
# 往 `x` 里写，数组也看得到，见输出。`torch.tensor` 则总是**复制**。
#
# PyTorch 自己也常常共用。`m.t()` 把 `m` 转置，行变成列，却不移动任何数：它是同一块存储的**视图**。
#
# `m` 原来是 `[[0, 1, 2], [3, 4, 5]]`，之后 `t[0, 1] = 100` 往 `t` 里写。`m` 会变成什么？

# %% [markdown] wrong="[[0, 1, 2], [3, 4, 5]]" lang="en"
# `t` is a view: what is written into it shows in `m`.

# %% [markdown] wrong="[[0, 1, 2], [3, 4, 5]]" lang="zh"
# `t` 是一个视图：写进它的数在 `m` 里也看得到。

# %% [markdown] wrong="[[0, 100, 2], [3, 4, 5]]" lang="en"
# Rows and columns are swapped in `t`: its row 0, column 1 is row 1, column 0 of `m`.

# %% [markdown] wrong="[[0, 100, 2], [3, 4, 5]]" lang="zh"
# `t` 的行和列是互换的：它的第 0 行第 1 列是 `m` 的第 1 行第 0 列。

# %%
m = torch.arange(6).reshape(2, 3)
t = m.t()
t[0, 1] = 100
print("strides:", m.stride(), t.stride())

# %% [markdown] question="predict" of="flat.data_ptr() == t.data_ptr()" lang="en"
# {{ m.tolist() }}: row 0, column 1 of `t` is row 1, column 0 of `m`. The **strides** in the output say how far apart
# in storage the next row and column are. `t` swaps them.
#
# `reshape` lays the numbers out again, row after row, and **shares when it can**. `m` is stored row after row, so
# `row` is no copy. And `flat`, made from `t`?
#
# `data_ptr()` is where a tensor's numbers begin. Is it the same for `flat` and `t`? `True` or `False`?

# %% [markdown] question="predict" of="flat.data_ptr() == t.data_ptr()" lang="zh"
# {{ m.tolist() }}：`t` 的第 0 行第 1 列，就是 `m` 的第 1 行第 0 列。
# 输出里的**步幅**（stride）表示下一行、下一列在存储里相隔多远；`t` 把两个对调了。
#
# `reshape` 把数一行接一行重新排开，**能共用就共用**。
# `m` 本来就是一行接一行存的，所以 `row` 不是副本。由 `t` 得来的 `flat` 呢？
#
# `data_ptr()` 是张量的数从哪里开始。`flat` 和 `t` 的一样吗？`True` 还是 `False`？

# %%
row = m.reshape(6)
flat = t.reshape(6)
flat[0] = -1
print("contiguous:", t.is_contiguous())

# %% [markdown] lang="en"
# A copy: read row by row, `t` hops to and fro in the storage, so it is not *contiguous*. The last write changed
# `flat` alone. (`view` is the strict version of `reshape`: it refuses where a copy is needed.)
#
# Your turn. The weights are multiplied by ten, and `change` should hold the difference. It holds zeros. Find
# out why, then press `e` and fix it.

# %% [markdown] lang="zh"
# 不一样，`flat` 是副本：按行去读，`t` 要在存储里来回跳，所以它不**连续**（contiguous）。最后那次写入只改了 `flat`。
# （`view` 是严格版的 `reshape`：需要复制时，它就拒绝。）
#
# 轮到你了。权重变成十倍，`change` 应当是增加的量，得到的却全是零。
# 找出原因，然后按 `e` 改好它。

# %% [markdown] front="screen" lang="en"
# `Enter` on a row of the table tells which tensors share memory.

# %% [markdown] front="screen" lang="zh"
# 在表格的一行上按 `Enter`，能看到哪些张量共用内存。

# %% [markdown] front="plain" lang="en"
# The word show tells which tensors share memory.

# %% [markdown] front="plain" lang="zh"
# 输入 show，能听到哪些张量共用内存。

# %% tags=["exercise"] id="before-and-after" kind="bug"
weights = torch.tensor([[1.0, 2], [3, 4]])
before = weights.reshape(4)
weights *= 10
change = weights.reshape(4) - before

# %% [markdown] tags=["hint"] lang="en"
# Watch `before` while `weights *= 10` runs. It should not change.

# %% [markdown] tags=["hint"] lang="zh"
# 走过 `weights *= 10` 时注意看 `before`。它本不该变。

# %% [markdown] tags=["hint"] lang="en"
# `reshape`, `view`, `flatten` and `detach` all share here. What you need is a copy: `clone()` makes one.

# %% [markdown] tags=["hint"] lang="zh"
# 在这里，`reshape`、`view`、`flatten` 和 `detach` 都是共用。你要的是一份副本：用 `clone()`。

# %% tags=["solution"]
weights = torch.tensor([[1.0, 2], [3, 4]])
before = weights.reshape(4).clone()
weights *= 10
change = weights.reshape(4) - before

# %% tags=["check"]
assert weights.tolist() == [[10, 20], [30, 40]], {
    "en": f"The weights should grow tenfold, as before, but they are {weights.tolist()}.",
    "zh": f"权重应当照旧变成十倍，现在却是 {weights.tolist()}。",
}
assert before.data_ptr() != weights.data_ptr(), {
    "en": "before still looks at the storage of weights, so it grew along with it. It needs its own copy.",
    "zh": "before 看的还是 weights 的存储，所以跟着一起变了。它要有自己的一份。",
}
assert before.flatten().tolist() == [1, 2, 3, 4], {
    "en": (
        f"before should hold the weights as they were, 1 to 4, but it holds {before.tolist()}."
        " Make the copy before the weights grow."
    ),
    "zh": f"before 里应当是变化之前的权重，1 到 4，现在却是 {before.tolist()}。要在权重变大之前复制。",
}
assert change.flatten().tolist() == [9, 18, 27, 36], {
    "en": f"The change should be [9, 18, 27, 36], but it is {change.tolist()}.",
    "zh": f"变化应当是 [9, 18, 27, 36]，现在却是 {change.tolist()}。",
}
