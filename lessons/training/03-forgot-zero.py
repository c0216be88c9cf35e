# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "Forgot to clear"
#       zh: "忘了清零"
#     summary:
#       en: "Training without clearing the gradient: no error, and yet something goes wrong. See how."
#       zh: "训练时不清零：没有报错，却出了问题。看看是怎么回事。"
#     order: 100
#     topics:
#       en: [zero_grad, accumulated gradients]
#       zh: [zero_grad, 梯度累加]
# ---

# %% [markdown] question="predict" of="second" lang="en"
# This is the lesson *A line, trained by hand* once more, without its fourth step: `w.grad` is not cleared. What harm
# can it do?
#
# In that lesson the gradients of epoch 0 began with -2, and the one after it, for the input 2, was -7.84. The first
# update is the same as there, so the second pass meets the same weight.
#
# What will `w.grad` hold after the **second** pass?

# %% [markdown] question="predict" of="second" lang="zh"
# 又是《亲手训练一条直线》，不过少了第四步：`w.grad` 没有清零。这能有什么害处？
#
# 在那一课里，第 0 个 epoch 的梯度从 -2 开始，接下来输入 2 的那个是 -7.84。
# 第一次更新和那里一样，所以第二次反向传播时的权重也一样。
#
# **第二次**反向传播之后，`w.grad` 里会是多少？

# %% [markdown] wrong="second - gradients[0]" lang="en"
# You cleared it in your head: that is what the second sample brings alone. It is added to what is there.

# %% [markdown] wrong="second - gradients[0]" lang="zh"
# 你在心里替它清了零：那是第二个样本单独带来的梯度。它要加到原有的梯度上。

# %%
import torch

samples = [(1.0, 2.0), (2.0, 4.0), (3.0, 6.0)]
w = torch.tensor([1.0], requires_grad=True)
lr = 0.01  # @param {type: number, min: 0.0001, max: 0.05}

gradients = []
for x, target in samples:
    loss = (w * x - target) ** 2
    loss.backward()
    gradients.append(w.grad.item())
    with torch.no_grad():
        w -= lr * w.grad
second = round(gradients[1], 4)
print("gradients of epoch 0:", [round(gradient, 4) for gradient in gradients])

# %% [markdown] question="choice" of="3 if not losses[-1] < 1e6 else 2 if rises > 5 else 1" lang="en"
# It is {{ second }}: a pass **adds** to what is there. So each update still contains the gradients of all earlier
# samples, even when the weight is right.
#
# Now the other 99 epochs. How will the loss go?
#
# 1. down and down, as before, only faster
# 2. down and up again, in swings
# 3. up and up, until it is no number any more

# %% [markdown] question="choice" of="3 if not losses[-1] < 1e6 else 2 if rises > 5 else 1" lang="zh"
# 是 {{ second }}：反向传播是往上**加**的。
# 于是每次更新用的是此前所有样本梯度之和，权重到位之后还会继续往前冲。
#
# 现在跑完其余 99 个 epoch。损失会怎样变化？
#
# 1. 和以前一样一路下降，只是更快
# 2. 降下来又升上去，来回摆动
# 3. 一路上升，直到不再是个数

# %%
losses = []
for epoch in range(1, 100):
    for x, target in samples:
        loss = (w * x - target) ** 2
        loss.backward()
        with torch.no_grad():
            w -= lr * w.grad
        losses.append(loss.item())
ends = losses[2::3]  # the last sample of each epoch
rises = sum(ends[i + 1] > ends[i] for i in range(len(ends) - 1))
answer = round((w * 4).item(), 5)
print("after training: 4 gives", answer)

# %% [markdown] lang="en"
# Swings. Look at the chart, then press `c` on `w` in the table: it goes past the right weight, because the old
# gradients are still in the sum. It comes back only when enough gradients of the opposite sign have been added, and
# then it goes past on the other side. And the answer for 4 is {{ answer }}.
#
# PyTorch says nothing, because adding is what it was asked to do. The habit that helps: **clear right before** the
# backward pass, or right after the update, for **each** parameter.
#
# The loop below does clear, and yet its line is wrong. Find out why: press `e`.

# %% [markdown] lang="zh"
# 来回摆动。看看图表，再到表格里的 `w` 上按 `c`：它冲过了正确的权重，因为旧的梯度还在和里面。
# 等到足够多的反号梯度攒起来，它才掉头，然后又从另一边冲过去。对 4 的回答是 {{ answer }}。
#
# PyTorch 什么也不会说，因为累加正是你让它做的。有用的习惯是：在反向传播**之前**，或者更新**之后**，
# 把**每个**参数的梯度都清掉。
#
# 下面的循环清了零，可是直线还是不对。找出原因：按 `e`。

# %% tags=["exercise"] id="cleared" kind="bug"
v = torch.tensor([1.0], requires_grad=True)
c = torch.tensor([0.0], requires_grad=True)
for epoch in range(20):
    for x, target in [(1.0, 3.0), (2.0, 5.0), (3.0, 7.0)]:
        cost = (v * x + c - target) ** 2
        cost.backward()
        with torch.no_grad():
            v -= 0.01 * v.grad
            c -= 0.01 * c.grad
        v.grad.zero_()
print(f"v {v.item():.4f}, c {c.item():.4f}")

# %% [markdown] tags=["hint"] lang="en"
# How many parameters does the model have, and how many of them are cleared?

# %% [markdown] tags=["hint"] lang="zh"
# 模型有几个参数？清了几个？

# %% [markdown] tags=["hint"] lang="en"
# `c.grad` needs the same as `v.grad`, at the same place: after the update, inside of the inner loop.

# %% [markdown] tags=["hint"] lang="zh"
# `c.grad` 需要和 `v.grad` 一样的处理，位置也一样：更新之后，内层循环里面。

# %% tags=["solution"]
v = torch.tensor([1.0], requires_grad=True)
c = torch.tensor([0.0], requires_grad=True)
for epoch in range(20):
    for x, target in [(1.0, 3.0), (2.0, 5.0), (3.0, 7.0)]:
        cost = (v * x + c - target) ** 2
        cost.backward()
        with torch.no_grad():
            v -= 0.01 * v.grad
            c -= 0.01 * c.grad
        v.grad.zero_()
        c.grad.zero_()
print(f"v {v.item():.4f}, c {c.item():.4f}")

# %% tags=["check"]
want = [1.0, 0.0]
late = [1.0, 0.0]
for epoch in range(20):
    pushed = [0.0, 0.0]
    for x, target in [(1.0, 3.0), (2.0, 5.0), (3.0, 7.0)]:
        off = want[0] * x + want[1] - target
        want = [want[0] - 0.02 * off * x, want[1] - 0.02 * off]
        off = late[0] * x + late[1] - target
        pushed = [pushed[0] + 2 * off * x, pushed[1] + 2 * off]
        late = [late[0] - 0.01 * pushed[0], late[1] - 0.01 * pushed[1]]
mine = [v.item(), c.item()]
assert mine != [1.0, 0.0], {
    "en": "Neither parameter has moved. A gradient that is cleared between the backward pass and the update is gone.",
    "zh": "两个参数都没有动。在反向传播和更新之间清零，梯度就没了。",
}
assert mine[0] == mine[0], {
    "en": "v is no number any more. Leave the learning rate at 0.01.",
    "zh": "v 已经不是数了。学习率请保持 0.01。",
}
assert abs(mine[0] - late[0]) > 1e-4, {
    "en": "Cleared once per epoch is too seldom: the gradients of three samples add up. Clear after each update.",
    "zh": "每个 epoch 清一次太少：三个样本的梯度会加在一起。每次更新之后都要清零。",
}
close = [abs(here - there) < 1e-4 for here, there in zip(mine, want, strict=True)]
assert all(close), {
    "en": (
        "Some gradient is still kept from sample to sample: "
        f"v and c should come to {want[0]:.4f} and {want[1]:.4f}, and are {mine[0]:.4f} and {mine[1]:.4f}."
    ),
    "zh": (
        f"还有梯度从一个样本留到下一个样本：v 和 c 应当到 {want[0]:.4f} 和 {want[1]:.4f}，"
        f"现在是 {mine[0]:.4f} 和 {mine[1]:.4f}。"
    ),
}
