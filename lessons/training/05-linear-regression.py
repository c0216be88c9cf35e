# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "Linear regression"
#       zh: "线性回归"
#     summary:
#       en: "A line through twenty noisy points: how it moves, when to stop, and how low the loss can get."
#       zh: "用一条直线穿过二十个带噪声的点：它怎样移动，什么时候停，损失能降到多低。"
#     order: 150
#     topics:
#       en: [gradient descent, noise, least squares, stopping]
#       zh: [梯度下降, 噪声, 最小二乘法, 停止条件]
# ---

# %% [markdown] lang="en"
# Real data has noise. Here are twenty points around a line. We know the slope and the intercept, since we made them
# up; the model does not, and has to find a weight `w` and a bias `b` from the points alone.
#
# Random numbers would differ from run to run, so we fix the **seed**. All twenty points go through the model at once,
# as a column: that is what the shape says in the table.
#
# `draw` makes a picture with plotext. You see it in the chart pane; `plt.show()` would print it.

# %% [markdown] lang="zh"
# 真实的数据带有噪声。这里有二十个点，散布在一条直线周围。斜率和截距我们知道，因为是我们自己编的；
# 模型不知道，只能凭这些点找出权重 `w` 和偏置 `b`。
#
# 随机数每次运行都会不同，所以我们固定**种子**。
# 二十个点排成一列，一次全部送进模型：表格里的形状说的就是这个。
#
# `draw` 用 plotext 画图，画好了就出现在图表窗格里；换成 `plt.show()` 就会打印出来。

# %%
import plotext as plt
import torch

torch.manual_seed(10)

slope = 2  # @param {type: number, min: 1, max: 5, step: 1}
x = 10 * torch.rand(20, 1)
y = slope * x + (5 + torch.randn(20, 1))

w = torch.randn(1, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
begin = w.item()
points = x.flatten().tolist(), y.flatten().tolist()


def draw(weight, bias):
    plt.clf()
    plt.scatter(*points)
    plt.plot([0, 10], [bias, 10 * weight + bias])
    plt.ylim(0, 10 * slope + 10)
    plt.build()


# %% [markdown] question="predict" of="w.item() > slope" lang="en"
# The loss is the mean over all points of half the squared error. One backward pass gives both gradients, and after
# each update we draw the line, and ask whether the loss was small enough to stop.
#
# The bias starts at zero, well below the truth, and moves slowly: its gradient is the error alone, while that of `w`
# is the error times `x`. Until it gets there, only `w` can raise the line.
#
# When training stops, will `w` be **larger** than the true slope? Answer `True` or `False`.

# %% [markdown] question="predict" of="w.item() > slope" lang="zh"
# 损失是每个点误差平方的一半，再对所有点求平均。一次反向传播给出两个梯度；
# 每次更新之后，画一次直线，再问一句：损失够不够小，该不该停。
#
# 偏置从零开始，离真正的值还很远，又走得慢：它的梯度只是误差，而 `w` 的梯度是误差乘以 `x`。
# 在它赶上来之前，直线的高度只能由 `w` 补足。
#
# 训练停下时，`w` 会比真正的斜率**大**吗？回答 `True` 或 `False`。

# %%
lr = 0.05  # @param {type: number, min: 0.001, max: 0.06}
stop = 1.0  # @param {type: number, min: 0.1, max: 10}

for iteration in range(1000):
    loss = (0.5 * (y - (w * x + b)) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        w -= lr * w.grad
        b -= lr * b.grad
    w.grad.zero_()
    b.grad.zero_()
    if iteration < 100:
        draw(w.item(), b.item())
    if loss.item() < stop:
        break
print(f"iteration {iteration}: loss {loss.item():.4f}, w {w.item():.4f}, b {b.item():.4f}")

# %% [markdown] when="loss.item() < stop and iteration > 10" lang="en"
# It stopped in iteration {{ iteration }}, with `w` at {{ w.item() }} and `b` still at {{ b.item() }}. The weight rushed
# ahead in the first few iterations and made up for the missing bias; since then it has been giving way, while `b`
# creeps up.

# %% [markdown] when="loss.item() < stop and iteration > 10" lang="zh"
# 在第 {{ iteration }} 次迭代停下，`w` 是 {{ w.item() }}，`b` 还只有 {{ b.item() }}。
# 头几次迭代里权重冲到前面，替缺席的偏置补上了高度；后来它一点点让回来，`b` 则慢慢往上爬。

# %% [markdown] when="loss.item() < stop and iteration <= 10" lang="en"
# It stopped already in iteration {{ iteration }}, because the loss only had to get below {{ stop }}: `w` is at
# {{ w.item() }}, and `b` is still at {{ b.item() }}. The weight rushed ahead at once and made up for the missing bias.
# In a longer training it would give way again, while `b` creeps up.

# %% [markdown] when="loss.item() < stop and iteration <= 10" lang="zh"
# 在第 {{ iteration }} 次迭代就停下了，因为损失只需小于 {{ stop }}：`w` 是 {{ w.item() }}，`b` 还只有 {{ b.item() }}。
# 权重一开始就冲到前面，替缺席的偏置补上了高度。训练再久一些，它会一点点让回来，`b` 则慢慢往上爬。

# %% [markdown] when="stop <= loss.item() < 1e6" lang="en"
# The loop came to its end without a loss below {{ stop }}: it is {{ loss.item() }}, with `w` at {{ w.item() }} and `b`
# at {{ b.item() }}. The weight rushed ahead in the first few iterations and made up for the missing bias; since then it
# has been giving way, while `b` creeps up.

# %% [markdown] when="stop <= loss.item() < 1e6" lang="zh"
# 循环跑完了，损失始终没有小于 {{ stop }}：它是 {{ loss.item() }}，`w` 是 {{ w.item() }}，`b` 是 {{ b.item() }}。
# 头几次迭代里权重冲到前面，替缺席的偏置补上了高度；后来它一点点让回来，`b` 则慢慢往上爬。

# %% [markdown] when="not loss.item() < 1e6" lang="en"
# The loop came to its end, and the loss is {{ loss.item() }}: with an `lr` this large each step goes past the goal, and
# further each time. `w` has come to {{ w.item() }}.

# %% [markdown] when="not loss.item() < 1e6" lang="zh"
# 循环跑完了，损失是 {{ loss.item() }}：`lr` 这么大，每一步都越过目标，而且一次比一次远。`w` 到了 {{ w.item() }}。


# %% [markdown] question="predict" of="floor.item() < 0.1" lang="en"
# Go back with `B` and watch the line rotate in the chart. (`v` in that pane shows the curve of the loss.)
#
# Suppose we train on, with an `lr` that is small enough. **Gradient descent**, updating against the gradient again
# and again, would come to the best line there is. The next cell finds that line directly, by **least squares**: the
# line with the smallest sum of squared errors. Will its loss be below 0.1? Answer `True` or `False`.

# %% [markdown] question="predict" of="floor.item() < 0.1" lang="zh"
# 用 `B` 往回走，看图表里的直线怎样转动。（焦点在那里时按 `v`，换成损失的曲线。）
#
# 假如用足够小的 `lr` 一直训练下去，**梯度下降**，也就是一次次沿梯度的反方向更新，会走到最好的那条直线。
# 下一个单元格用**最小二乘法**直接求出它：误差平方和最小的直线。
# 它的损失会小于 0.1 吗？回答 `True` 或 `False`。

# %%
columns = torch.cat([x, torch.ones(20, 1)], dim=1)
best = torch.linalg.lstsq(columns, y).solution
floor = (0.5 * (y - columns @ best) ** 2).mean()
draw(best[0].item(), best[1].item())

# %% [markdown] lang="en"
# The best line has a loss of {{ floor.item() }}, and no line gets below that, however long you train: the rest is the
# **noise**, which no slope and no intercept can explain. Half the square of a noise of one is about a half, and that
# is what is left over. So a loss has a floor, and it is not zero. A test that waits for less than the floor waits for
# ever, which is why our loop also ends after 1000 iterations.
#
# A colleague's loop, below, has the same points and the same start, a learning rate of 0.05 and a limit of 1. It stops
# later than it should: by then the loss has been below the limit for some iterations. Find the cause: press `e`.

# %% [markdown] lang="zh"
# 最好的直线，损失是 {{ floor.item() }}，训练再久也没有哪条直线能更低：剩下的是**噪声**，
# 斜率和截距都解释不了它。噪声的大小是一，平方的一半大约是二分之一，剩下的正是这么多。
# 所以损失有一个底，而这个底不是零。如果停止条件比底还低，就永远等不到，我们的循环才另设了尽头。
#
# 下面是一位同事的循环：点一样，起点一样，学习率是 0.05，停止的界限是 1。它停得太晚：
# 停下之前，损失小于界限已经有好几次迭代了。找出是什么拖住了它：按 `e`。

# %% tags=["exercise"] id="stop" kind="bug"
v = torch.tensor([begin], requires_grad=True)
c = torch.zeros(1, requires_grad=True)
for iteration in range(200):
    cost = (0.5 * (y - (v * x + c)) ** 2).mean()
    cost.backward()
    with torch.no_grad():
        v -= 0.05 * v.grad
        c -= 0.05 * c.grad
    v.grad = c.grad = None
    if iteration % 20 == 0:
        draw(v.item(), c.item())
        if cost.item() < 1.0:
            break
print(f"stopped in {iteration}, the loss was {cost.item():.4f}")

# %% [markdown] tags=["hint"] lang="en"
# In which iterations is the loss compared with the limit at all?

# %% [markdown] tags=["hint"] lang="zh"
# 到底在哪几次迭代里，损失才会和界限比较？

# %% [markdown] tags=["hint"] lang="en"
# The test is inside the block that draws every 20 iterations. Move its two lines four spaces to the left.

# %% [markdown] tags=["hint"] lang="zh"
# 停止的判断写进了每 20 次迭代画一次图的代码块里。把那两行往左移四个空格。

# %% tags=["solution"]
v = torch.tensor([begin], requires_grad=True)
c = torch.zeros(1, requires_grad=True)
for iteration in range(200):
    cost = (0.5 * (y - (v * x + c)) ** 2).mean()
    cost.backward()
    with torch.no_grad():
        v -= 0.05 * v.grad
        c -= 0.05 * c.grad
    v.grad = c.grad = None
    if iteration % 20 == 0:
        draw(v.item(), c.item())
    if cost.item() < 1.0:
        break
print(f"stopped in {iteration}, the loss was {cost.item():.4f}")

# %% tags=["check"]
at, height, first = begin, 0.0, None
for number in range(200):
    off = (at * x + height) - y
    if (0.5 * off**2).mean() < 1.0:
        first = number
        break
    at, height = at - 0.05 * (off * x).mean().item(), height - 0.05 * off.mean().item()
assert iteration != 199, {
    "en": "It did not stop at all before its last iteration. Keep the test for a loss below 1.",
    "zh": "它直到最后一次迭代才停。请保留损失小于 1 的判断。",
}
assert iteration >= first, {
    "en": f"It stopped in {iteration}, before the loss was below 1: it was {cost.item():.4f}.",
    "zh": f"它在第 {iteration} 次迭代就停了，那时损失还不到 1 以下：是 {cost.item():.4f}。",
}
assert iteration % 20 or iteration == first, {
    "en": (
        f"It stops in {iteration}, a multiple of 20, but the loss was below 1 already in {first}. "
        "In which iterations does it look?"
    ),
    "zh": f"它停在第 {iteration} 次迭代，是 20 的倍数，而第 {first} 次的损失就已经小于 1。它在哪几次迭代里才看损失？",
}
assert iteration == first, {
    "en": f"It should stop in {first}, and stops in {iteration}.",
    "zh": f"它应当停在第 {first} 次迭代，却停在第 {iteration} 次。",
}
assert abs(cost.item() - (0.5 * off**2).mean().item()) < 1e-3, {
    "en": "Leave the learning rate and the start as they were.",
    "zh": "学习率和起点不要改。",
}
