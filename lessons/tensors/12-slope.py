# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "Measure a slope"
#       zh: "量一量斜率"
#     summary:
#       en: "What is a derivative? Two values of a function, a difference, a division, and a step that gets smaller."
#       zh: "导数是什么？取函数的两个值，相减，相除，再让步长越来越小。"
#     order: 20
#     topics:
#       en: [derivative, difference quotient, central difference, rounding]
#       zh: [导数, 差商, 中心差分, 舍入]
# ---

# %% [markdown] question="predict" of="ratio" lang="en"
# *First look* asked: if `x` moves by a little, by how many times as much does `y` move? PyTorch answered with one
# call. Here you measure it: call a function twice, subtract, divide.
#
# Our function is `f(x) = x²`. Move `x` by a step `h`, see how far the result moves, and divide by the step:
#
# `(f(x + h) - f(x)) / h`
#
# This is a **difference quotient**. On the curve of `f` it is the slope of the straight line through two of its
# points: how far up for each step to the right.
#
# With `h = 1`, `x` goes from 3 to 4. What will `ratio` be?

# %% [markdown] question="predict" of="ratio" lang="zh"
# 《先看一眼》里问过：`x` 变化一点点，`y` 的变化是它的多少倍？PyTorch 一次调用就给出了答案。
# 这一课自己来量：把函数算两次，相减，再相除。
#
# 函数是 `f(x) = x²`。让 `x` 移动一个步长 `h`，看结果移动了多少，再除以步长：
#
# `(f(x + h) - f(x)) / h`
#
# 这叫**差商**。在 `f` 的曲线上取两点连成直线，差商就是这条直线的斜率：每向右一步，升高多少。
#
# `h = 1` 时，`x` 从 3 走到 4。`ratio` 会是多少？

# %% [markdown] wrong="2 * x" lang="en"
# That is the derivative, which we are looking for. A step of 1 is too large to see it: the curve gets steeper on the
# way.

# %% [markdown] wrong="2 * x" lang="zh"
# 这正是我们要找的导数。步长是 1，还看不到它：走这一步的途中曲线变陡了。

# %% [markdown] wrong="after" lang="en"
# That is the square at the end. Subtract the square at the beginning, and divide by the step.

# %% [markdown] wrong="after" lang="zh"
# 那是终点的平方。要减去起点的平方，再除以步长。

# %%
import plotext as plt
import torch


def f(x):
    return x**2


start = 3  # @param {type: number, min: 2, max: 5, step: 1}
x = torch.tensor(start, dtype=torch.float64)
h = 1
before = f(x)
after = f(x + h)
ratio = (after - before) / h

# %% [markdown] question="predict" of="measured[-1]" lang="en"
# {{ ratio.item() }}: in one step of 1 the square went from {{ before.item() }} to {{ after.item() }}.
#
# But a step of 1 is not "a little": on its way the curve gets steeper. So we make the step smaller and smaller, and
# collect the ratios in the list `measured`. The chart draws the curve and the line, which turns a little each time.
#
# They come closer and closer to one number. Which one? (What you type may be off by a thousandth.)

# %% [markdown] question="predict" of="measured[-1]" lang="zh"
# {{ ratio.item() }}：步长是 1，平方从 {{ before.item() }} 变到了 {{ after.item() }}。
#
# 可是 1 算不上“一点点”：走这一步的途中，曲线越来越陡。所以我们把步长一次次缩小，比值都记在列表 `measured` 里。
# 图表里画出了曲线和那条直线，直线每次都转动一点。
#
# 这些比值越来越接近某个数。是哪个数？（可以差千分之一。）

# %% [markdown] wrong="2 * x + 1" lang="en"
# That was the ratio of the large step. With smaller steps it comes down.

# %% [markdown] wrong="2 * x + 1" lang="zh"
# 那是步长为 1 时的比值。步长变小，它会降下来。

# %% [markdown] wrong="2.0" lang="en"
# The 2 comes from the exponent, but how steep the curve is depends on `x` too.

# %% [markdown] wrong="2.0" lang="zh"
# 2 来自指数，可是曲线有多陡，还要看 `x`。


# %%
def draw(slope):
    plt.clf()
    plt.plot([step / 4 for step in range(25)], [(step / 4) ** 2 for step in range(25)], label="f")
    plt.plot([0, 6], [before.item() + slope * (side - start) for side in (0, 6)], label="line")
    plt.ylim(-10, 36)
    plt.build()


draw(ratio.item())
measured = []
for h in (0.1, 0.01, 0.001, 0.0001, 0.00001):
    ratio = (f(x + h) - f(x)) / h
    measured.append(ratio.item())
    draw(ratio.item())
    print(f"h = {h}: {ratio.item():.6f}")

# %% [markdown] question="predict" of="lost" lang="en"
# The last ratio is {{ ratio.item() }}, and smaller steps bring it still closer to twice `x`. The number that the
# ratios settle at is the **derivative** of `f` at `x`: the slope of the line that only touches the curve. It says how
# fast `f` changes there: positive where the curve rises, negative where it falls, 0 where it is flat. For `x²` it is
# `2x`, another number at each `x`.
#
# PyTorch does not measure it. For each operation it has a *rule* for the derivative, and follows it: `w.grad` below is
# exact, with no step to choose.
#
# Could we not measure with a step so small that nothing is left to settle? Here are ordinary `float32` numbers, which
# have about seven digits, and a step of 0.0000001. What will `lost` be?

# %% [markdown] question="predict" of="lost" lang="zh"
# 最后一个比值（{{ ratio.item() }}）已经很接近 `x` 的两倍，步长再小，还会更近。
# 这些比值最终趋近的那个数，就是 `f` 在 `x` 处的**导数**，也就是曲线的切线的斜率。它说明 `f` 在这里变化得多快：
# 曲线上升处为正，下降处为负，平坦处为 0。`x²` 的导数是 `2x`，在每个 `x` 处都不同。
#
# PyTorch 并不测量。每种运算都有求导的*规则*，它按规则计算：下面的 `w.grad` 是精确的，不用选步长。
#
# 那么干脆用一个极小的步长，不就一步到位了吗？下面换成普通的 `float32`，它大约有七位有效数字，步长取 0.0000001。
# `lost` 会是多少？

# %% [markdown] wrong="2 * w" lang="en"
# It would be, with numbers of unlimited length. A `float32` cannot hold `w + tiny`.

# %% [markdown] wrong="2 * w" lang="zh"
# 如果数可以有无限多位，确实如此。可是 `float32` 存不下 `w + tiny`。

# %%
w = torch.tensor(float(start), requires_grad=True)
f(w).backward()

tiny = 0.0000001
lost = (f(w.detach() + tiny) - f(w.detach())) / tiny

# %% [markdown] lang="en"
# {{ lost.item() }}, while `w.grad` is {{ w.grad.item() }}. Adding `tiny` changes only the eighth digit, which a
# `float32` does not have: `w + tiny` is rounded back to `w`, and the difference is nothing at all. A larger step is
# inexact because of the curve, a smaller one because of the rounding. So measuring is not how you train, but it is how
# you **check** a gradient; *Your own operation* does that, in `float64`.
#
# A better measurement looks to both sides: from `x - h` to `x + h`. What the curve adds on one side it takes away on
# the other. This is the **central difference**. Write it as `central(f, x, h)`, for any function `f`: press `e`.

# %% [markdown] lang="zh"
# 得到 {{ lost.item() }}，而 `w.grad` 是 {{ w.grad.item() }}。加上 `tiny` 只改变第八位数字，
# `float32` 没有这一位：`w + tiny` 又被舍入成了 `w`，相减的结果是 0。
# 步长大了，曲线的弯曲带来误差；步长小了，舍入带来误差。所以训练时不靠测量，**检查**梯度时才用它；
# 《自己写一个运算》就这样做，用的是 `float64`。
#
# 向两边看，量得更准：从 `x - h` 量到 `x + h`。一边多出来的，另一边刚好抵消。这叫**中心差分**。
# 把它写成 `central(f, x, h)`，对任意函数 `f` 都适用：按 `e`。

# %% tags=["exercise"] id="central" kind="write"
# central(f, x, h)

# %% [markdown] tags=["hint"] lang="en"
# Call `f` at `x + h` and at `x - h`, and subtract. How far apart are these two places?

# %% [markdown] tags=["hint"] lang="zh"
# 在 `x + h` 和 `x - h` 处各算一次 `f`，相减。这两处相距多远？

# %% [markdown] tags=["hint"] lang="en"
# From `x - h` to `x + h` it is `2 * h`. Divide by that, with brackets around it.

# %% [markdown] tags=["hint"] lang="zh"
# 从 `x - h` 到 `x + h` 的距离是 `2 * h`。除以它，别忘了括号。


# %% tags=["solution"]
def central(f, x, h):
    return (f(x + h) - f(x - h)) / (2 * h)


print("x² at 3:", central(f, 3.0, 0.1))

# %% tags=["check"]
value = central(f, 3.0, 0.1)
assert isinstance(value, int | float | torch.Tensor), {
    "en": f"central should return a number, and returns {value!r}.",
    "zh": f"central 应当返回一个数，返回的却是 {value!r}。",
}
value = float(value)
assert abs(value - 6.1) > 1e-6, {
    "en": "6.1: that is the step to the right only. Begin at x - h instead of x.",
    "zh": "6.1：这只向右走了一步。不要从 x 出发，要从 x - h 出发。",
}
assert abs(value - 12) > 1e-6, {
    "en": "12 is twice as much as it should be: the two places are 2 * h apart, not h.",
    "zh": "12 是应有的两倍：两处相距 2 * h，不是 h。",
}
assert abs(value - 0.06) > 1e-6, {
    "en": "0.06: `/ 2 * h` divides by 2 and multiplies by h. Put brackets around 2 * h.",
    "zh": "0.06：`/ 2 * h` 是除以 2 再乘以 h。给 2 * h 加上括号。",
}
assert abs(value + 6) > 1e-6, {
    "en": "-6: the order of the two is reversed. Take f(x + h) first, then subtract.",
    "zh": "-6：两项的次序反了。用 f(x + h) 减去另一个。",
}
assert abs(value - 6) < 1e-6, {
    "en": f"The derivative of x² at 3 is 6, and central gives {value:.6g}.",
    "zh": f"x² 在 3 处的导数是 6，central 给出 {value:.6g}。",
}
cube = float(central(lambda x: x**3, 2.0, 0.1))
assert abs(cube - 12.01) < 1e-6, {
    "en": f"It is right for x², but for x³ at 2 with h = 0.1 it gives {cube:.6g} instead of 12.01. Use f, x and h.",
    "zh": f"对 x² 是对的，可是对 x³，在 2 处取 h = 0.1，它给出 {cube:.6g}，应当是 12.01。要用到 f、x 和 h。",
}

# %% [markdown] lang="en"
# Remember: a derivative is the number that the ratio of two small changes settles at. PyTorch calls it a gradient.

# %% [markdown] lang="zh"
# 记住：两个微小变化量之比最终趋近的那个数，就是导数。PyTorch 称之为梯度。
