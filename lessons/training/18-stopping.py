# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "When to stop"
#       zh: "什么时候停"
#     summary:
#       en: "How low the loss can get, and what the iteration tells in which a loop has stopped."
#       zh: "损失能降到多低；循环停下时的迭代次数说明了什么。"
#     order: 160
#     topics:
#       en: [least squares, floor of the loss, stopping, lstsq]
#       zh: [最小二乘法, 损失的下限, 停止条件, lstsq]
#     aliases: [training/linear-regression]
# ---

# %% [markdown] question="predict" of="floor.item() < 0.1" lang="en"
# The twenty noisy points again. Suppose we train and train, with an `lr` that is small enough. **Gradient descent**,
# updating against the gradient again and again, would come to the best line there is. The next cell finds that line
# directly, by **least squares**: the line with the smallest sum of squared errors.
#
# Will its loss be below 0.1? Answer `True` or `False`.

# %% [markdown] question="predict" of="floor.item() < 0.1" lang="zh"
# 还是那二十个带噪声的点。假如用足够小的 `lr` 一直训练下去，**梯度下降**，也就是一次次沿梯度的反方向更新，
# 会走到最好的那条直线。下一个单元格用**最小二乘法**直接求出它：误差平方和最小的直线。
#
# 它的损失会小于 0.1 吗？回答 `True` 或 `False`。

# %%
import plotext as plt
import torch

torch.manual_seed(10)

slope = 2
x = 10 * torch.rand(20, 1)
y = slope * x + (5 + torch.randn(20, 1))

begin = torch.randn(1).item()
points = x.flatten().tolist(), y.flatten().tolist()


def draw(weight, bias):
    plt.clf()
    plt.scatter(*points)
    plt.plot([0, 10], [bias, 10 * weight + bias])
    plt.ylim(0, 10 * slope + 10)
    plt.build()


columns = torch.cat([x, torch.ones(20, 1)], dim=1)
best = torch.linalg.lstsq(columns, y).solution
floor = (0.5 * (y - columns @ best) ** 2).mean()
draw(best[0].item(), best[1].item())

# %% [markdown] question="choice" of="2 if first < stopped else 1" lang="en"
# The best line has a loss of {{ floor.item() }}, and no line gets below that, however long you train: the rest is the
# **noise**, which no slope and no intercept can explain. Half the square of a noise of one is about a half, and that
# is what is left over. So a loss has a floor, and it is not zero. A loop that waits for less than the floor waits for
# ever: give every loop a last iteration.
#
# Here is such a loop, with room for 1000. Every 20 iterations it looks whether the loss is below 1, and it stops
# with `stopped` at 580. (It needs no autograd: the two gradients are written out.)
#
# What follows from the 580?
#
# 1. there the loss was below 1 for the first time
# 2. the loss was below 1 already some iterations before
# 3. it has not learned enough yet: some 420 iterations are left

# %% [markdown] question="choice" of="2 if first < stopped else 1" lang="zh"
# 最好的直线，损失是 {{ floor.item() }}，训练再久也没有哪条直线能更低：剩下的是**噪声**，
# 斜率和截距都解释不了它。噪声的标准差是 1，平方的一半平均是 0.5，剩下的正是这么多。
# 所以损失有一个底，而这个底不是零。一个循环要是等着损失低于这个底，就会永远等下去：给每个循环都规定最后一次迭代。
#
# 下面就是一个循环，最多 1000 次迭代。每 20 次看一看损失是否小于 1，停下时 `stopped` 是 580。
# （它不用 autograd，两个梯度是直接写出来的。）
#
# 从 580 能看出什么？
#
# 1. 到这里，损失第一次小于 1
# 2. 在那之前，损失就已经小于 1 了
# 3. 还没有学够：还有大约 420 次迭代没有做

# %% [markdown] wrong="1" lang="en"
# It would be a coincidence: 580 is a multiple of 20, and only there does the loop look.

# %% [markdown] wrong="1" lang="zh"
# 那就太巧了：580 是 20 的倍数，而循环只在 20 的倍数处才看。

# %% [markdown] wrong="3" lang="en"
# The 1000 is a limit, not an aim. It stops because the loss is small enough.

# %% [markdown] wrong="3" lang="zh"
# 1000 是上限，不是目标。停下是因为损失已经够小。

# %%
weight, bias = torch.tensor(begin), torch.tensor(0.0)
first = None
for stopped in range(1000):
    error = (weight * x + bias) - y
    loss = (0.5 * error**2).mean()
    weight = weight - 0.0068 * (error * x).mean()
    bias = bias - 0.0068 * error.mean()
    below = loss.item() < 1.0
    if below and first is None:
        first = stopped
    if below and stopped % 20 == 0:
        break
print("stopped at", stopped)

# %% [markdown] lang="en"
# It was below 1 already with `stopped` at {{ first }}. A number that is a multiple of something tells you how often the
# program looks. Looking seldom is no mistake, if you mean it: a test can cost more than a step. But then say so, and do
# not take {{ stopped }} for the number of iterations that were needed.
#
# A colleague's loop, below, has a learning rate of 0.05 and a limit of 1. It stops later than it should: by then the
# loss has been below the limit for some iterations. Find the cause: press `e`.

# %% [markdown] lang="zh"
# `stopped` 为 {{ first }} 时损失就已经小于 1 了。停下时的迭代次数是某个数的倍数，就透露了程序每隔多少次才检查一次。
# 有意隔一阵子再检查，并没有错：检查一次可能比走一步还费时间。只是要写清楚，
# 而且不要把 {{ stopped }} 当成所需的迭代次数。
#
# 下面是一位同事的循环，学习率是 0.05，停止的界限是 1。它停得太晚：
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
print(f"stopped at {iteration}, the loss was {cost.item():.4f}")

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
print(f"stopped at {iteration}, the loss was {cost.item():.4f}")

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
    "en": f"It stopped at iteration = {iteration}, before the loss was below 1: it was {cost.item():.4f}.",
    "zh": f"iteration = {iteration} 时它就停了，那时损失还没有小于 1：是 {cost.item():.4f}。",
}
assert iteration % 20 or iteration == first, {
    "en": (
        f"It stops at iteration = {iteration}, a multiple of 20, but the loss was below 1 already at {first}. "
        "In which iterations does it look?"
    ),
    "zh": f"停下时 iteration = {iteration}，是 20 的倍数，而 {first} 时损失就已经小于 1。它在哪几次迭代里才看损失？",
}
assert iteration == first, {
    "en": f"It should stop at iteration = {first}, and stops at {iteration}.",
    "zh": f"它应当在 iteration = {first} 时停下，却停在了 {iteration}。",
}
assert abs(cost.item() - (0.5 * off**2).mean().item()) < 1e-3, {
    "en": "Leave the learning rate and the start as they were.",
    "zh": "学习率和起点不要改。",
}
