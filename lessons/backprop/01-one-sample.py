# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "One sample"
#       zh: "一个样本"
#     summary:
#       en: "A model of one weight, one example, one loss: what the sign and the size of a gradient say."
#       zh: "一个权重，一个样本，一个损失：梯度的正负和大小各说明什么。"
#     order: 50
#     topics:
#       en: [loss, error, grad, MSE]
#       zh: [损失, 误差, grad, 均方误差]
# ---

# %% [markdown] lang="en"
# The smallest model there is: `y = w * x`, with one **weight** `w` to be learned. We show it one example: for the input
# `x` we want the target `t`.
#
# A **loss** measures how wrong the model is. Here it is the square of the error, and the **error** is output minus
# target: `(y - t) ** 2`. It is zero when the model is right, and grows quickly when it is not.
#
# The weight is new and no backward pass has run yet. See what `w.grad` holds at first.

# %% [markdown] lang="zh"
# 最简单的模型：`y = w * x`，只有一个**权重** `w` 要学。我们给它看一个样本：输入是 `x` 时，希望输出目标 `t`。
#
# 模型错了多少，用**损失**来衡量。**误差**是输出减去目标，这里的损失取误差的平方：`(y - t) ** 2`。
# 输出正好等于目标时它是零，误差越大，它增长得越快。
#
# 权重是新的，还没有反向传播过。先看看 `w.grad` 里是什么。

# %%
import torch

w = torch.tensor(1.0, requires_grad=True)
print("before:", w.grad)

# %% [markdown] question="predict" of="w.grad" vary="x: [2, 3]; t: [5, 1]" lang="en"
# The loss depends on `y`, and `y` on `w`. By the **chain rule** its derivative is then the product of the two: the
# square has the derivative `2 * (y - t)`, and `y` moves `x` times as fast as `w` does.
#
# The first example is in the cell below. What will `w.grad` be? Mind the sign.

# %% [markdown] question="predict" of="w.grad" vary="x: [2, 3]; t: [5, 1]" lang="zh"
# 损失由 `y` 决定，`y` 又由 `w` 决定。根据**链式法则**，这时的导数是两个导数的乘积：平方的导数是 `2 * (y - t)`，
# 而 `w` 变化一点，`y` 的变化是它的 `x` 倍。
#
# 第一个样本就在下面的单元格里。`w.grad` 会是多少？注意正负号。

# %% [markdown] wrong="-w.grad" lang="en"
# That is `t - y` in place of `y - t`. Squaring hides the sign, the derivative does not.

# %% [markdown] wrong="-w.grad" lang="zh"
# 那是把 `y - t` 算成了 `t - y`。平方看不出符号，导数看得出。

# %% [markdown] wrong="(y - t) * x" lang="en"
# The 2 is missing that comes from the square: its derivative is `2 * (y - t)`.

# %% [markdown] wrong="(y - t) * x" lang="zh"
# 少了平方带来的 2：它的导数是 `2 * (y - t)`。

# %%
x = torch.tensor(1.0)
t = torch.tensor(2.0)
y = w * x
loss = (y - t) ** 2
loss.backward()
first = w.grad.item()

# %% [markdown] question="predict" of="w.grad" vary="x: [3, 4]; t: [5, 1]" lang="en"
# It is {{ first }}, and below zero: **more** weight means **less** loss. A gradient points uphill, so to learn you go
# the other way.
#
# Now another example, with the same weight. The error is twice as large, and so is the input. The first line clears
# the old gradient; *Gradients add up* shows why.
#
# What will `w.grad` be this time?

# %% [markdown] question="predict" of="w.grad" vary="x: [3, 4]; t: [5, 1]" lang="zh"
# 是 {{ first }}，小于零：权重**增大**，损失就**减小**。梯度指向上坡，所以要学习，就得往相反的方向走。
#
# 再来一个样本，权重不变。误差大一倍，输入也大一倍。
# 第一行先把旧的梯度清掉，为什么要清，《梯度会累加》里会讲。
#
# 这一次 `w.grad` 会是多少？

# %% [markdown] wrong="2 * (y - t)" lang="en"
# That is the derivative of the square alone. By the chain rule it is still to be multiplied by `x`.

# %% [markdown] wrong="2 * (y - t)" lang="zh"
# 那只是平方的导数。按链式法则，还要乘以 `x`。

# %% [markdown] wrong="first + w.grad" lang="en"
# That is both gradients added up. The first line of the cell cleared the old one.

# %% [markdown] wrong="first + w.grad" lang="zh"
# 那是两次的梯度之和。这个单元格的第一行已经清掉了旧的。

# %% [markdown] wrong="-w.grad" lang="en"
# Only the sign is wrong: `y` is below the target here too, so `y - t` is negative.

# %% [markdown] wrong="-w.grad" lang="zh"
# 只差一个符号：这里 `y` 同样小于目标，`y - t` 是负的。

# %%
w.grad = None
x = torch.tensor(2.0)
t = torch.tensor(4.0)
y = w * x
loss = (y - t) ** 2
loss.backward()

# %% [markdown] lang="en"
# It is {{ w.grad.item() }}: four times as much, for two reasons at once. The error doubled, and the input, by which
# the gradient of the weight is multiplied, doubled too. Go back to the multiplication's node and see both
# factors in the line that explains. Large inputs make large gradients; that is why data is scaled before training.
#
# You can do now what PyTorch did. Write the gradient for any weight, input and target: press `e`.

# %% [markdown] lang="zh"
# 是 {{ w.grad.item() }}，变成了原来的四倍。原因有两个：误差翻了一倍，权重的梯度要乘的输入也翻了一倍。
# 退回到乘法的节点，在解释那一行里可以看到这两个因子。
# 输入大，梯度就大，所以训练之前要先把数据缩放好。
#
# PyTorch 刚才的计算，你现在也会做了。写出任意权重、输入和目标的梯度：按 `e`。


# %% tags=["exercise"] id="slope" kind="write"
# derivative(weight, value, target):
# how fast (weight * value - target) ** 2 changes with weight

# %% [markdown] tags=["hint"] lang="en"
# It is a product of two derivatives: that of the square, and that of `weight * value`.

# %% [markdown] tags=["hint"] lang="zh"
# 它是两个导数的乘积：一个是平方的，一个是 `weight * value` 的。

# %% [markdown] tags=["hint"] lang="en"
# The derivative of the square is twice the error, and the error is `weight * value - target`. When the weight moves,
# the product moves `value` times as far.

# %% [markdown] tags=["hint"] lang="zh"
# 平方的导数是误差的两倍，误差是 `weight * value - target`。权重变化一点，乘积的变化是它的 `value` 倍。


# %% tags=["solution"]
def derivative(weight, value, target):
    """How fast (weight * value - target) ** 2 changes when weight does."""
    return 2 * (weight * value - target) * value


print("yours:", derivative(1.0, 1.0, 2.0), derivative(1.0, 2.0, 4.0))

# %% tags=["check"]
for at, given, wanted in ((1.0, 1.0, 2.0), (0.5, -3.0, 2.0), (1.0, 2.0, 4.0)):
    leaf = torch.tensor(at, requires_grad=True)
    ((leaf * given - wanted) ** 2).backward()
    mine, right = derivative(at, given, wanted), leaf.grad.item()
    where = f"for weight {at:g}, value {given:g} and target {wanted:g}"
    there = f"权重 {at:g}、输入 {given:g}、目标 {wanted:g} 时"
    assert mine is not None, {
        "en": f"`derivative` returns nothing {where}.",
        "zh": f"{there}，`derivative` 什么也没有返回。",
    }
    if abs(mine - right) < 1e-3:
        continue
    assert mine != -right, {
        "en": f"The sign is the wrong way round {where}: the error is output minus target.",
        "zh": f"{there}，符号反了：误差是输出减去目标。",
    }
    assert mine * 2 != right, {
        "en": f"{mine:g} is half of it {where}: the derivative of a square has a factor of 2.",
        "zh": f"{there}，{mine:g} 只是一半：平方的导数里有个因子 2。",
    }
    assert mine * given != right, {
        "en": f"{mine:g} lacks a factor {where}: how far does the product move?",
        "zh": f"{there}，{mine:g} 还少一个因子：权重变化一点，乘积变化多少？",
    }
    raise AssertionError(
        {"en": f"It is {right:g} {where}, and you have {mine:g}.", "zh": f"{there}是 {right:g}，你得到的是 {mine:g}。"}
    )
