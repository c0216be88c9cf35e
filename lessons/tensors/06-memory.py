# ---
# jupyter:
#   gradtutor:
#     title: {en: "Who shares memory", zh: "谁和谁共用内存"}
#     summary:
#       en: "from_numpy, views and transposes look at one block of numbers; tensor, clone and some reshapes copy it."
#       zh: "from_numpy、视图和转置看的是同一块数；tensor、clone 和有些 reshape 则会复制。"
# ---

# %% [markdown] question="predict" of="[shared[0].item(), copied[0].item()]" lang="en"
# The numbers of a tensor lie in a block of memory, its **storage**. Several tensors can look at the same block. A
# write through one then shows in all of them, which saves time, and now and then costs an afternoon.
#
# NumPy is Python's older library for blocks of numbers. There are two ways to get from its array to a tensor. Then
# the array is written to, and so is one of the tensors.
#
# What will the **first** number of `shared` be, and of `copied`? Type a list of two: `[…, …]`.

# %% [markdown] question="predict" of="[shared[0].item(), copied[0].item()]" lang="zh"
# 张量的数放在一块内存里，叫作它的**存储**。几个张量可以看着同一块存储：
# 从一个写入，其余的都变。这样省时间，偶尔也会让人白费一个下午。
#
# NumPy 是 Python 里更早的数组库。从它的数组到张量有两条路。之后往数组里写一次，往其中一个张量里也写一次。
#
# `shared` 的**第一个**数会是多少，`copied` 的呢？输入两个数的列表：`[…, …]`。

# %%
import numpy as np
import torch

array = np.array([1.0, 2.0, 3.0])
shared = torch.from_numpy(array)
copied = torch.tensor(array)

array[0] = 99
shared[1] = 50
print(array)

# %% [markdown] question="predict" of="m" lang="en"
# `from_numpy` **shares**: the array's {{ shared[0].item() }} shows in `shared`, and the tensor's
# {{ shared[1].item() }} in the array, as the output says. `torch.tensor` **copies**, always.
#
# Within PyTorch, much shares too. `m.t()` is `m` turned over: its rows become columns. It moves no numbers. It is a
# **view**: the same storage, walked through in other strides.
#
# One number is written into `t`. What will `m` hold? It begins as `[[0, 1, 2], [3, 4, 5]]`.

# %% [markdown] question="predict" of="m" lang="zh"
# `from_numpy` 是**共用**：数组里写的 {{ shared[0].item() }}，`shared` 里看得到；
# 张量里写的 {{ shared[1].item() }}，数组里也看得到，见输出。`torch.tensor` 则总是**复制**。
#
# PyTorch 内部也常常共用。`m.t()` 是把 `m` 转置：行变成列。它不搬动任何数，
# 只是一个**视图**：同一块存储，换一种步幅走。
#
# 往 `t` 里写一个数，`m` 会变成什么？它原来是 `[[0, 1, 2], [3, 4, 5]]`。

# %%
m = torch.arange(6).reshape(2, 3)
t = m.t()
t[0, 1] = 100
print("strides:", m.stride(), t.stride())

# %% [markdown] question="predict" of="flat.data_ptr() == t.data_ptr()" lang="en"
# {{ m.tolist() }}: row 0, column 1 of `t` is row 1, column 0 of `m`. **Strides** say how far apart in the
# storage the next row and the next column are; the output shows that the two tensors merely swap them.
#
# `reshape` lays the same numbers out anew, row after row. It **shares when it can**. `m` is stored row after row, so
# `row` needs no copy. Now do the same to `t`.
#
# `data_ptr()` is the address of a tensor's first number. Will `flat` and `t` have the same? `True` or `False`.

# %% [markdown] question="predict" of="flat.data_ptr() == t.data_ptr()" lang="zh"
# {{ m.tolist() }}：`t` 的第 0 行第 1 列，就是 `m` 的第 1 行第 0 列。
# **步幅**（stride）说的是下一行、下一列在存储里隔多远；从输出可以看到，两个张量只是把它们对调了。
#
# `reshape` 把同样的数一行接一行重新排开，**能共用就共用**。
# `m` 本来就是一行接一行存的，所以 `row` 用不着复制。再对 `t` 也这样做。
#
# `data_ptr()` 是张量第一个数的地址。`flat` 和 `t` 的地址会相同吗？`True` 还是 `False`？

# %%
row = m.reshape(6)
flat = t.reshape(6)
flat[0] = -1
print("contiguous:", m.is_contiguous(), t.is_contiguous())

# %% [markdown] lang="en"
# A copy this time: read row by row, `t` hops to and fro in the storage, and no single stride can do that. `t` is not
# *contiguous*. So the last write changed `flat` alone. (`view` is the strict sister of `reshape`: where a copy would
# be needed, it refuses.)
#
# Your turn. The weights grow tenfold, and `change` shall say by how much each one grew. It says zero. Find out why
# with `→`; `Enter` on a row of the table tells who shares with whom. Then press `e` and mend it.

# %% [markdown] lang="zh"
# 这回是复制：按行去读，`t` 要在存储里来回跳，一个步幅走不出来。这叫作 `t` 不*连续*（contiguous）。
# 所以最后那次写入只改了 `flat`。（`view` 是严格版的 `reshape`：需要复制时，它就拒绝。）
#
# 轮到你了。权重变成十倍，`change` 该说出每个增加了多少，它却说是零。按 `→` 找出原因；
# 在表格的一行上按 `Enter`，能看到谁和谁共用。然后按 `e` 改好它。

# %% tags=["exercise"] id="before-and-after" kind="bug"
weights = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
before = weights.reshape(4)
weights *= 10
change = weights.reshape(4) - before

# %% [markdown] tags=["hint"] lang="en"
# Watch `before` while `weights *= 10` runs. It should stand still.

# %% [markdown] tags=["hint"] lang="zh"
# 走过 `weights *= 10` 时盯住 `before`。它本该不动。

# %% [markdown] tags=["hint"] lang="en"
# `reshape`, `view`, `flatten` and `detach` all share here. What you need is a copy: `clone()` makes one.

# %% [markdown] tags=["hint"] lang="zh"
# 在这里，`reshape`、`view`、`flatten` 和 `detach` 都是共用。你要的是一份复制：用 `clone()`。

# %% tags=["solution"]
weights = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
before = weights.reshape(4).clone()
weights *= 10
change = weights.reshape(4) - before

# %% tags=["check"]
assert weights.tolist() == [[10, 20], [30, 40]], (
    f"The weights should grow tenfold, as before, but they are {weights.tolist()}."
)
assert before.data_ptr() != weights.data_ptr(), (
    "before still looks at the storage of weights, so it grew along with it. It needs its own copy."
)
assert before.flatten().tolist() == [1, 2, 3, 4], (
    f"before should hold the weights as they were, 1 to 4, but it holds {before.tolist()}."
    " Make the copy before the weights grow."
)
assert change.flatten().tolist() == [9, 18, 27, 36], (
    f"The change should be [9, 18, 27, 36], but it is {change.tolist()}."
)
