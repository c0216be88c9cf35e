# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "A power has two derivatives"
#       zh: "乘方的两个偏导数"
#     summary:
#       en: "In x ** w both numbers can be learned. School taught one of the derivatives; the other can be measured."
#       zh: "x ** w 里两个数都可以学。课本只讲了一个导数，另一个可以用数值方法求出来。"
#     topics:
#       en: [pow, logarithm, partial derivative]
#       zh: [pow, 对数, 偏导数]
# ---

# %% [markdown] lang="en"
# In `x ** 2` the exponent is a fixed number. In `x ** w` it is a tensor too, and can be learned like any weight. So a
# power has **two** partial derivatives. The rule from school is about the base: bring the exponent down, and lower it
# by one. For the exponent it says nothing.
#
# But a derivative can always be **measured**: nudge the exponent a little, see how far the power goes, and divide.
# The cell does so with smaller and smaller nudges. Watch the numbers settle in the output.

# %% [markdown] lang="zh"
# 在 `x ** 2` 里，指数是个固定的数。在 `x ** w` 里，指数也是张量，可以像权重一样去学。
# 所以乘方有**两个**偏导数。课本上的法则讲的是底数：把指数拿下来当系数，再把指数减一。对指数，它什么也没说。
#
# 不过导数总是可以**测量**出来：让指数变动一点，看乘方变了多少，再相除。
# 下面的单元格就这样做，变动一次比一次小。看看输出里的数字怎样稳定下来。

# %%
import torch

x = torch.tensor(2.0, requires_grad=True)
w = torch.tensor(3.0, requires_grad=True)
y = x**w

for nudge in (1.0, 0.1, 0.01, 0.001):
    print(nudge, "->", (2.0 ** (3.0 + nudge) - 2.0**3.0) / nudge)

# %% [markdown] question="predict" of="x.grad" vary="x: [3, 2]; w: [2, 4]" lang="en"
# The first nudge was a whole step, far too coarse. The last is close.
#
# Now ask PyTorch. First the base, by the rule from school: what will `x.grad` be?

# %% [markdown] question="predict" of="x.grad" vary="x: [3, 2]; w: [2, 4]" lang="zh"
# 第一次变动了整整 1，太粗略。最后一次已经很接近。
#
# 现在来问 PyTorch。先看底数，用课本上的法则：`x.grad` 会是多少？

# %% [markdown] wrong="w * y" lang="en"
# The exponent came down as a factor, but it must also be one less: `w * x ** (w - 1)`.

# %% [markdown] wrong="w * y" lang="zh"
# 指数乘到了前面，但它自己还要减一：`w * x ** (w - 1)`。

# %% [markdown] wrong="y / x" lang="en"
# The exponent is one less, but it must also come down as a factor: `w * x ** (w - 1)`.

# %% [markdown] wrong="y / x" lang="zh"
# 指数减了一，但它还要乘到前面：`w * x ** (w - 1)`。

# %% [markdown] question="predict" of="w.grad" lang="en"
# And the exponent: what will `w.grad` be? You have just measured it. (An answer within a thousandth counts as right.)

# %% [markdown] question="predict" of="w.grad" lang="zh"
# 再看指数：`w.grad` 会是多少？你刚刚测量过。（误差在千分之一以内都算对。）

# %% [markdown] wrong="x.grad" lang="en"
# That is the derivative for the base. The rule from school is not for an exponent that moves.

# %% [markdown] wrong="x.grad" lang="zh"
# 那是对底数的导数。课本上的法则不适用于变动的指数。

# %% [markdown] wrong="y" lang="en"
# That is `y` itself. Only where the base is *e* is a power its own derivative.

# %% [markdown] wrong="y" lang="zh"
# 那是 `y` 本身。只有底数是 *e* 时，幂的导数才等于它自己。

# %%
y.backward()

# %% [markdown] question="predict" of="q.grad" lang="en"
# It is {{ x.grad.item() }} for the base and {{ w.grad.item() }} for the exponent, which is `y` times the
# **logarithm** of `x`.
#
# Now a negative base. `p ** q` itself is fine, because the exponent is a whole number. What will `q.grad` be? Think
# of nudging the exponent. If you find no answer, write `NaN`, *not a number*.

# %% [markdown] question="predict" of="q.grad" lang="zh"
# 底数是 {{ x.grad.item() }}，指数是 {{ w.grad.item() }}，后者是 `y` 乘以 `x` 的**对数**。
#
# 现在换成负的底数。`p ** q` 本身没问题，因为指数是整数。`q.grad` 会是多少？想想让指数变动一点会怎样。
# 如果你觉得没有答案，就写 `NaN`，意思是“不是一个数”。

# %% [markdown] wrong="0.0" lang="en"
# 0 would mean that `r` stays as it is when the exponent moves a little. But there is no real number to move to.

# %% [markdown] wrong="0.0" lang="zh"
# 0 的意思是指数动一点而 `r` 不变。可是旁边根本没有实数值。

# %%
p = torch.tensor(-2.0, requires_grad=True)
q = torch.tensor(3.0, requires_grad=True)
r = p**q
r.backward()

# %% [markdown] lang="en"
# It is {{ q.grad.item() }}. With an exponent just beside a whole number, a negative base has no real power at all:
# there is nothing to move to, and no derivative. `p.grad` is {{ p.grad.item() }}, by the rule from school.
#
# A single `nan` in a gradient spoils the weight it is for, and at the next forward pass everything after it. When one
# turns up in your own training, look for a logarithm, a root or a power of something that went below zero.

# %% [markdown] lang="zh"
# 是 {{ q.grad.item() }}。指数只要稍稍偏离整数，负底数的乘方就不再是实数：
# 旁边没有实数值，也就没有导数。`p.grad` 仍由课本上的法则得出，是 {{ p.grad.item() }}。
#
# 梯度里只要有一个 `nan`，它对应的权重就变成 `nan`，下一次前向计算时，后面的一切也都变成 `nan`。
# 如果在你自己的训练里冒出了 `nan`，就检查有没有对负数取对数、开方或者乘方。
