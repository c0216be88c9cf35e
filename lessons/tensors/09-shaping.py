# ---
# jupyter:
#   gradtutor:
#     title: {en: "Same numbers, another shape", zh: "数不变，形状变"}
#     summary:
#       en: "reshape and its -1, squeeze and unsqueeze, and reshape against transpose."
#       zh: "reshape 和它的 -1，squeeze 与 unsqueeze，以及 reshape 与转置的比较。"
#     order: 110
#     topics:
#       en: [reshape, squeeze, unsqueeze, transpose]
#       zh: [reshape, squeeze, unsqueeze, transpose]
# ---

# %% [markdown] question="predict" of="list(halves.shape)" vary="numbers: [8, 20]" lang="en"
# Most errors of a beginner are about shapes. A shape says how the numbers are laid out; `reshape` lays the same ones
# out again, filling row after row.
#
# In the new shape, one length may be `-1`. It means: *whatever is left*, so that no number is lost.
#
# `numbers = torch.arange(12)` holds the twelve whole numbers from 0 to 11. What will the shape of
# `halves = numbers.reshape(2, -1)` be?

# %% [markdown] question="predict" of="list(halves.shape)" vary="numbers: [8, 20]" lang="zh"
# 初学者的错误，大多出在形状上。形状描述这些数怎样排列；
# `reshape` 把同样的数重新排开，一行一行填满。
#
# 新形状里可以有一个长度写成 `-1`，意思是：**剩下多少就是多少**，一个数也不丢。
#
# `numbers = torch.arange(12)` 装着从 0 到 11 的十二个整数。`halves = numbers.reshape(2, -1)` 的形状会是什么？

# %% [markdown] wrong="list(flat.shape)" lang="en"
# That would be `reshape(-1)`. Here the first length is 2, and `-1` is what is left.

# %% [markdown] wrong="list(flat.shape)" lang="zh"
# 那是 `reshape(-1)`。这里第一个长度是 2，`-1` 是剩下的。

# %% [markdown] wrong="[2, -1]" lang="en"
# `-1` is never a length: it stands for the one that fits.

# %% [markdown] wrong="[2, -1]" lang="zh"
# `-1` 不会是真正的长度：它代表合适的那个数。

# %%
import torch

numbers = torch.arange(12)
halves = numbers.reshape(2, -1)
cube = numbers.reshape(2, -1, 2)
flat = cube.reshape(-1)

# %% [markdown] question="predict" of="list(tried.shape)" lang="en"
# {{ halves.shape }}: the `-1` stands for twelve divided by two. `reshape(-1)` makes everything one row.
#
# Dimensions of length **one** add no numbers, but they count when shapes must match. `squeeze` takes them away, all
# or the one that you name. `unsqueeze` puts one in at a place that you name.
#
# `box` has the shape [1, 2, 3, 1], and `tried` is `box.squeeze(1)`. What shape is that?

# %% [markdown] question="predict" of="list(tried.shape)" lang="zh"
# {{ halves.shape }}：`-1` 就是十二除以二。`reshape(-1)` 把全部排成一行。
#
# 长度为**一**的维不多装一个数，但比对形状时要算上。
# `squeeze` 去掉它们：全部去掉，或者只去掉你指定的那一维；`unsqueeze` 在指定的地方添上一维。
#
# `box` 的形状是 [1, 2, 3, 1]，`tried` 是 `box.squeeze(1)`。它是什么形状？

# %% [markdown] wrong="list(first_gone.shape)" lang="en"
# Dimensions count from 0: `squeeze(1)` names the second one, of length two.

# %% [markdown] wrong="list(first_gone.shape)" lang="zh"
# 维度从 0 数起：`squeeze(1)` 指的是第二个，长度是 2。

# %% [markdown] wrong="list(bare.shape)" lang="en"
# That is `squeeze()` without a number, which takes away all dimensions of length one.

# %% [markdown] wrong="list(bare.shape)" lang="zh"
# 那是不带参数的 `squeeze()`，它去掉所有长度为一的维度。

# %%
box = torch.ones(1, 2, 3, 1)
bare = box.squeeze()
first_gone = box.squeeze(0)
tried = box.squeeze(1)

four = torch.arange(4)
as_row = four.unsqueeze(0)
as_column = four.unsqueeze(1)

# %% [markdown] question="predict" of="torch.equal(turned, refilled)" lang="en"
# {{ tried.shape }}, unchanged: dimension 1 is the **second**, of length two. Nothing to squeeze, and no complaint.
# Without a number, both ones go: {{ bare.shape }}. `unsqueeze` made a row {{ as_row.shape }} and a column
# {{ as_column.shape }}.
#
# `transpose(0, 1)` swaps two dimensions: two rows of three become three rows of two. `reshape(3, 2)` also gives three
# rows of two.
#
# Are both **equal**, number for number? `True` or `False`?

# %% [markdown] question="predict" of="torch.equal(turned, refilled)" lang="zh"
# {{ tried.shape }}，没有变：第 1 维是**第二个**，长度是二。没有可去掉的维，也不报错。
# 不写数字，两个一都去掉：{{ bare.shape }}。
# `unsqueeze` 得到一行 {{ as_row.shape }} 和一列 {{ as_column.shape }}。
#
# `transpose(0, 1)` 对调两维：两行三列变成三行两列。`reshape(3, 2)` 也是三行两列。
#
# 两者**处处相等**吗？`True` 还是 `False`？

# %%
m = torch.arange(6).reshape(2, 3)
turned = m.transpose(0, 1)
refilled = m.reshape(3, 2)

# %% [markdown] lang="en"
# `turned` is {{ turned.tolist() }}, `refilled` is {{ refilled.tolist() }}. `transpose` mirrors the table; `reshape`
# keeps the reading order and breaks lines elsewhere. A wrong one raises no error: values that do not belong together
# end up in one row.
#
# Your turn. Three pictures, 2 by 4 pixels each: those of picture 0 are all 0, those of picture 1 all 1, and so on.
# `rows` should hold **one picture per row**. It mixes them up. Fix it (`e`), with a `-1`.

# %% [markdown] lang="zh"
# `turned` 是 {{ turned.tolist() }}，`refilled` 是 {{ refilled.tolist() }}。
# `transpose` 把表转置；`reshape` 保持先后次序，只是换个地方断行。
# 用错 `reshape` 不会报错，只是不该在一起的数排到了一起。
#
# 轮到你了。三张 2 乘 4 像素的图：第 0 张的像素全是 0，第 1 张全是 1，依此类推。
# `rows` 应当**每行一张图**，现在却混在一起。按 `e`，用 `-1` 改好它。

# %% tags=["exercise"] id="one-per-row" kind="bug"
numbers = torch.arange(24) // 8
pictures = numbers.reshape(3, 2, 4)
rows = pictures.reshape(-1, 3)

# %% [markdown] tags=["hint"] lang="en"
# Look at the shape of `rows`. Which number says how many rows there are, and how many pictures are there?

# %% [markdown] tags=["hint"] lang="zh"
# 看 `rows` 的形状。哪个数表示行数？图又有几张？

# %% [markdown] tags=["hint"] lang="en"
# The pictures are dimension 0, and must stay there. The `-1` stands for what belongs to one picture.

# %% [markdown] tags=["hint"] lang="zh"
# 图是第 0 维，要留在那里。`-1` 代表一张图里有多少像素。

# %% tags=["solution"]
numbers = torch.arange(24) // 8
pictures = numbers.reshape(3, 2, 4)
rows = pictures.reshape(3, -1)

# %% tags=["check"]
found = list(rows.shape)
assert found != [8, 3], {
    "en": "The shape is still [8, 3], eight rows of three. The pictures belong in dimension 0, the first.",
    "zh": "形状还是 [8, 3]，八行，每行三个。图应当放在第 0 维，也就是第一个。",
}
assert found != [24], {
    "en": "That is one long row of all pixels. Each picture should have its own row.",
    "zh": "这是所有像素连成的长长一行。每张图应当各占一行。",
}
assert found == [3, 8], {
    "en": f"The shape should be [3, 8], a row per picture, but it is {found}.",
    "zh": f"形状应当是 [3, 8]，每行一张图，现在却是 {found}。",
}
mixed = [row for row in range(3) if not rows[row].eq(row).all()]
assert not mixed, {
    "en": (
        f"The shape is right, but rows {mixed} hold pixels of several pictures. Transposing"
        " a wrong reshape does not fix it: reshape pictures itself."
    ),
    "zh": (
        f"形状对了，可是第 {mixed} 行里有好几张图的像素。把错的形状转置并不能改正它，要 reshape 的是 pictures 本身。"
    ),
}
