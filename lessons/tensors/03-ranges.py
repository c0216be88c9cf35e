# ---
# jupyter:
#   gradtutor:
#     title: {en: "Steps or points", zh: "定步长，还是定个数"}
#     summary:
#       en: "arange counts by a step, linspace by how many points, logspace by factors; which ends are in."
#       zh: "arange 给步长，linspace 给个数，logspace 按倍数走；哪一端算在内。"
#     topics:
#       en: [arange, linspace, logspace]
#       zh: [arange, linspace, logspace]
# ---

# %% [markdown] question="predict" of="evens" lang="en"
# Numbers in a row are wanted all the time: as an axis to plot on, or as settings to try.
#
# `torch.arange(start, end, step)` counts as Python's `range` does, only that a tensor comes out.
#
# What will `evens = torch.arange(2, 10, 2)` hold? Type a list: `[…, …]`.

# %% [markdown] question="predict" of="evens" lang="zh"
# 排成一列的数，到处都用得上：画图要坐标轴，调参要一串候选值。
#
# `torch.arange(start, end, step)` 的计数方法和 Python 的 `range` 一样，只是得到的是张量。
#
# `evens = torch.arange(2, 10, 2)` 里会是什么？输入一个列表：`[…, …]`。

# %% [markdown] wrong="torch.arange(2, 11, 2)" lang="en"
# The end is not in: `arange` stops before 10.

# %% [markdown] wrong="torch.arange(2, 11, 2)" lang="zh"
# 终点不包括在内：`arange` 在 10 之前停下。

# %%
import torch

evens = torch.arange(2, 10, 2)

# %% [markdown] question="predict" of="gap" lang="en"
# {{ evens.tolist() }}: as with `range`, the start is in and **the end is not**.
#
# `linspace(start, end, steps)` asks the other way round: not how far apart, but **how many**. Both ends are in. (The
# argument is called `steps`, but it counts points.)
#
# Seven points from 2 to 10: how far is each from the next? Within a thousandth counts as right.

# %% [markdown] question="predict" of="gap" lang="zh"
# {{ evens.tolist() }}：和 `range` 一样，含头，**不含尾**。
#
# `linspace(start, end, steps)` 反过来问：不问相隔多远，只问**一共几个**，两头都算在内。
# （参数虽叫 `steps`，数的却是点。）
#
# 从 2 到 10 取七个点，相邻两点相隔多少？误差在千分之一以内都算对。

# %% [markdown] wrong="(points[-1] - points[0]) / 7" lang="en"
# Seven points have only six gaps between them.

# %% [markdown] wrong="(points[-1] - points[0]) / 7" lang="zh"
# 七个点之间只有六段。

# %% [markdown] wrong="1.0" lang="en"
# Seven points have only six gaps, and they go from 2 to 10, which is 8.

# %% [markdown] wrong="1.0" lang="zh"
# 七个点之间只有六段，而从 2 到 10 是 8。

# %%
points = torch.linspace(2, 10, 7)
gap = points[1] - points[0]

# %% [markdown] question="predict" of="tens" lang="en"
# {{ gap.item() }}: seven points have only **six** gaps between them. Dividing by seven is the usual mistake, the
# fence-post error.
#
# `logspace` goes by factors, which suits learning rates: 0.1, 0.01, 0.001. Its start and end are **exponents**, of
# ten unless you give another `base`.
#
# What will `tens = torch.logspace(0, 2, 3)` hold?

# %% [markdown] question="predict" of="tens" lang="zh"
# {{ gap.item() }}：七个点之间只有**六**段。除以七是常见的错误，也就是所谓的栅栏错误。
#
# `logspace` 按倍数走，很适合试学习率：0.1、0.01、0.001。
# 它的起点和终点是**指数**，底数默认是十，也可以用 `base` 另给。
#
# `tens = torch.logspace(0, 2, 3)` 里会是什么？

# %% [markdown] wrong="torch.linspace(0, 2, 3)" lang="en"
# Those are the exponents. `logspace` takes ten to the power of each.

# %% [markdown] wrong="torch.linspace(0, 2, 3)" lang="zh"
# 那是指数。`logspace` 取的是十的这些次幂。

# %% [markdown] wrong="torch.tensor([1.0, 2.0, 3.0])" lang="en"
# They start at ten to the power zero, which is 1, and go by factors of ten.

# %% [markdown] wrong="torch.tensor([1.0, 2.0, 3.0])" lang="zh"
# 从十的零次幂 1 开始，每次乘以十。

# %%
tens = torch.logspace(0, 2, 3)
twos = torch.logspace(0, 3, 4, base=2)

try:
    torch.linspace(2, 10)
except TypeError as problem:
    print(str(problem).splitlines()[0])

# %% [markdown] lang="en"
# {{ tens.tolist() }}: ten to the powers zero, one, two. Base two: {{ twos.tolist() }}.
#
# The last call fails, as the output shows: `steps` must be given. In old PyTorch you could leave it out and got a
# hundred points. `torch.range`, which counts the end in, is from that time too. Use neither.
#
# Your turn. An axis from 0 to 1 **with both ends**, in eleven marks: write it (`e`).

# %% [markdown] lang="zh"
# {{ tens.tolist() }}：十的零次方、一次方、二次方。底数换成二：{{ twos.tolist() }}。
#
# 最后那条语句出错了，见输出：`steps` 必须写。旧版 PyTorch 可以省略，省略时取一百个点；
# 把末尾也数进去的 `torch.range` 也是那时留下的。两者都不要用。
#
# 轮到你了。坐标轴从 0 走到 1，**两头都在**，共十一个刻度。按 `e` 写出来。

# %% tags=["exercise"] id="both-ends" kind="write"
# axis: from 0 to 1 with both ends, eleven marks

# %% [markdown] tags=["hint"] lang="en"
# Write one, then count its marks in the table, and look at the last one. What does `arange` do with the end?

# %% [markdown] tags=["hint"] lang="zh"
# 先写一个试试，再到表里数数它有几个刻度，看看最后一个。`arange` 是怎样对待末尾的？

# %% [markdown] tags=["hint"] lang="en"
# You know how many marks you want: which function asks for that? (To move the end of `arange` a little past 1 is a
# gamble. With a step that is no whole number, rounding decides whether the last mark gets in.)

# %% [markdown] tags=["hint"] lang="zh"
# 你知道的是要几个刻度：哪个函数问的正是这个？
# （把 `arange` 的末尾取得比 1 稍大一点，并不可靠：步长不是整数时，最后一个刻度进不进得来，全看舍入。）

# %% tags=["solution"]
axis = torch.linspace(0, 1, 11)

# %% tags=["check"]
marks, first, last = len(axis), axis[0].item(), axis[-1].item()
assert marks != 10 or last < 0.95, {
    "en": "Both ends are in, but linspace counts points, not gaps, and ten points have only nine gaps.",
    "zh": "两头都在了，可是 linspace 数的是点，不是间隔，十个点只有九个间隔。",
}
assert marks == 11, {
    "en": f"There should be 11 marks, but there are {marks}; the last one is {last:g}.",
    "zh": f"应当有 11 个刻度，现在有 {marks} 个，最后一个是 {last:g}。",
}
assert first == 0, {
    "en": f"The first mark should be 0, but it is {first:g}.",
    "zh": f"第一个刻度应当是 0，现在是 {first:g}。",
}
assert abs(last - 1) < 1e-6, {
    "en": f"The last mark should be 1, but it is {last:g}.",
    "zh": f"最后一个刻度应当是 1，现在是 {last:g}。",
}
assert torch.allclose(axis.diff(), torch.tensor(0.1)), {
    "en": "The marks should be evenly spaced.",
    "zh": "刻度之间的间隔应当相等。",
}
