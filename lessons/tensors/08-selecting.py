# ---
# jupyter:
#   gradtutor:
#     title: {en: "Picking elements", zh: "挑选元素"}
#     summary:
#       en: "By place: slices and index_select. By condition: masks. Which of them look, and which copy."
#       zh: "按位置：切片和 index_select；按条件：掩码。哪些得到视图，哪些得到副本。"
#     topics:
#       en: [index_select, masked_select, masks, slices]
#       zh: [index_select, masked_select, 掩码, 切片]
# ---

# %% [markdown] question="predict" of="columns[0]" lang="en"
# To pick **by place**, use slices as in Python's lists, with one for each dimension: `table[0]` is the first row,
# `table[:, 1:3]` two columns of every row.
#
# `index_select` takes a list of places instead: along which dimension, and which ones, in what order, repeats
# included.
#
# `table` counts from 0 to 11, four to a row; `wanted` holds `[3, 0, 0]`. `columns` is `table.index_select(1, wanted)`.
# What will its first row be?

# %% [markdown] question="predict" of="columns[0]" lang="zh"
# **按位置**挑，用切片，和 Python 的列表一样，每一维一个：`table[0]` 是第一行，
# `table[:, 1:3]` 是每一行的中间两列。
#
# `index_select` 则要指明位置：沿哪一维，按什么次序取哪几个，可以重复。
#
# `table` 从 0 数到 11，每行四个；`wanted` 是 `[3, 0, 0]`。
# `columns` 是 `table.index_select(1, wanted)`，它的第一行会是什么？

# %%
import torch

table = torch.arange(12).reshape(3, 4)
middle = table[:, 1:3]
wanted = torch.tensor([3, 0, 0])
columns = table.index_select(1, wanted)

# %% [markdown] question="predict" of="list(large.shape)" lang="en"
# {{ columns.tolist() }}: dimension 1 chooses columns, so each row gave its last number, then twice its first.
#
# To pick **by condition**, compare. `ge` means *greater or equal*; the others are `gt`, `le`, `lt`. Out comes a
# **mask** of the same shape, all `True` and `False`. `masked_select` takes the numbers under `True`.
#
# Six numbers are 6 or more. What will the **shape** of `large` be?

# %% [markdown] question="predict" of="list(large.shape)" lang="zh"
# {{ columns.tolist() }}：第 1 维挑的是列，所以每一行给出最后一个数，再给两遍第一个数。
#
# **按条件**挑，先比较。`ge` 是**大于等于**，还有 `gt`（大于）、`le`（小于等于）、`lt`（小于）。
# 得到的是形状相同的**掩码**，里面只有 `True` 和 `False`。`masked_select` 取出 `True` 处的数。
#
# 有六个数不小于 6。`large` 的**形状**会是什么？

# %% [markdown] wrong="[2, 3]" lang="en"
# What a mask leaves seldom makes a rectangle, so the result always has one dimension.

# %% [markdown] wrong="[2, 3]" lang="zh"
# 掩码留下的数很少正好排成矩形，所以结果总是一维的。

# %% [markdown] wrong="list(table.shape)" lang="en"
# That is the shape of the mask. The numbers under `False` are left out.

# %% [markdown] wrong="list(table.shape)" lang="zh"
# 那是掩码的形状。`False` 处的数不取。

# %%
mask = table.ge(6)
large = table.masked_select(mask)
small = table[table < 3]
exactly = table[table.gt(3) & table.le(5)]

# %% [markdown] question="line" of="table.sum().item() != 66" lang="en"
# {{ large.shape }}: what a mask leaves seldom makes a rectangle, so the result has **one dimension**, always.
# `table[table < 3]` is the short way. For *and*, *or*, *not* write `&`, `|`, `~`.
#
# Now, what shares memory with `table`: what a mask picks, a row taken by its place, both, neither?
#
# Which of these lines changes `table`?

# %% [markdown] question="line" of="table.sum().item() != 66" lang="zh"
# {{ large.shape }}：掩码留下的数很少能凑成矩形，所以结果总是**一维**的。
# `table[table < 3]` 是简写。要“并且”“或者”“不是”，就写 `&`、`|`、`~`。
#
# 那么，哪个和 `table` 共用内存：用掩码挑出来的，按位置切下的一行，都共用，还是都不？
#
# 下面哪一行会改动 `table`？

# %% [markdown] wrong="picked[0].item() == -1" lang="en"
# What a mask picks is a copy, so this write does not reach `table`.

# %% [markdown] wrong="picked[0].item() == -1" lang="zh"
# 掩码取出的是副本，这次写入影响不到 `table`。

# %% [markdown] wrong="row.shape" lang="en"
# That line makes a view. It changes nothing yet; the write comes after it.

# %% [markdown] wrong="row.shape" lang="zh"
# 这一行只是建立视图，还没有改变什么；写入在它之后。

# %%
picked = table[table > 8]
picked[0] = -1
row = table[0]
row += 50

# %% [markdown] lang="en"
# A slice such as `row` is a **view**: its change shows in `table` too. What a mask picks is a **copy**. To **write** by
# condition, put the mask on the left: `table[table > 8] = 0` goes straight into the table.
#
# Your turn. A broken sensor reports −99. Fill in `good`, the readings that are real, and `repaired`: all five, each
# broken one replaced by the mean of the good. Leave `raw` as it is.

# %% [markdown] lang="zh"
# 切片是**视图**：改了 `row`，`table` 也变。用掩码挑出来的是**副本**，改 `picked` 只改它自己。
# 要按条件**写入**，就把掩码放在左边：`table[table > 8] = 0`，直接写进表里。
#
# 轮到你了。坏掉的传感器会报 −99。填好 `good`，即真实的读数；
# 还有 `repaired`：五个都在，坏的换成好读数的平均值。`raw` 不要动。

# %% tags=["exercise"] id="broken-sensor" kind="fill"
raw = torch.tensor([21.5, -99, 19, -99, 24])

# the readings above -50
good = ...
# a copy of raw, with the mean in the bad places
repaired = ...

# %% [markdown] tags=["hint"] lang="en"
# `raw > -50` is the mask of the good ones. Put it in square brackets behind `raw`.

# %% [markdown] tags=["hint"] lang="zh"
# `raw > -50` 就是好读数的掩码。把它放进 `raw` 后面的方括号。

# %% [markdown] tags=["hint"] lang="en"
# Begin with `repaired = raw.clone()`. Then, on a separate line, assign `good.mean()` to the places where `raw < -50`.

# %% [markdown] tags=["hint"] lang="zh"
# 先写 `repaired = raw.clone()`，再另起一行，把 `good.mean()` 赋给 `raw < -50` 的那些位置。

# %% tags=["solution"]
raw = torch.tensor([21.5, -99, 19, -99, 24])

good = raw[raw > -50]
repaired = raw.clone()
repaired[raw < -50] = good.mean()

# %% tags=["check"]
assert isinstance(good, torch.Tensor), {
    "en": "good is not filled in yet.",
    "zh": "good 还没有填。",
}
assert good.dtype != torch.bool, {
    "en": "good is the mask itself. Use it as an index: raw[mask].",
    "zh": "good 是掩码本身。把它当索引用：raw[mask]。",
}
assert good.tolist() == [21.5, 19.0, 24.0], {
    "en": f"good should hold the three readings above -50, but it holds {good.tolist()}.",
    "zh": f"good 里应当是 -50 以上的三个读数，现在却是 {good.tolist()}。",
}
assert isinstance(repaired, torch.Tensor), {
    "en": "good is right. repaired is not filled in yet.",
    "zh": "good 对了。repaired 还没有填。",
}
assert raw.min() == -99, {
    "en": "raw itself was changed: repaired shares its memory. Make it a copy first, with clone().",
    "zh": "raw 本身被改了：repaired 和它共用内存。先用 clone() 复制一份。",
}
held = repaired.numel()
assert held == 5, {
    "en": f"repaired should hold all five readings, but it holds {held}.",
    "zh": f"repaired 里应当有全部五个读数，现在却有 {held} 个。",
}
assert repaired.min() > -50, {
    "en": f"repaired still has broken readings: {repaired.tolist()}.",
    "zh": f"repaired 里还有坏的读数：{repaired.tolist()}。",
}
assert repaired.allclose(torch.tensor([21.5, 21.5, 19.0, 21.5, 24.0])), {
    "en": (
        f"The broken ones should become the mean of the good ones, {good.mean().item():g},"
        f" but repaired is {repaired.tolist()}."
    ),
    "zh": f"坏的读数应当换成好读数的平均值 {good.mean().item():g}，现在 repaired 却是 {repaired.tolist()}。",
}
