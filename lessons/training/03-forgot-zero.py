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
# In that lesson the first gradient was -2, and the one after it, for the input 2, was -7.84. The first update is the
# same as there, so the second pass meets the same weight.
#
# What will `w.grad` hold after the **second** pass?

# %% [markdown] question="predict" of="second" lang="zh"
# 又是《亲手训练一条直线》，不过少了第四步：`w.grad` 没有清零。这能有什么害处？
#
# 在那一课里，第一个梯度是 -2，接下来输入 2 的那个是 -7.84。
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
print("gradients of the first epoch:", [round(gradient, 4) for gradient in gradients])

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
# 于是每次更新用的是此前所有样本梯度之和，权重已经合适之后还会继续移动。
#
# 现在跑完其余 99 轮。损失会怎样变化？
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
# then it goes past on the other side. And the answer for 4 is {{ answer }}. A smaller `lr` is no cure: the swings get
# slower, and no smaller.
#
# PyTorch says nothing, because adding is what it was asked to do. The habit that helps: **clear right before** the
# backward pass, or right after the update, for **each** parameter.
#
# Below are the four lines of one step, mixed up. Put them into an order in which every sample moves `w` by its own
# gradient, and by that alone: press `e`. More than one order is right.

# %% [markdown] lang="zh"
# 来回摆动。看看图表，再到表格里的 `w` 上按 `c`：它越过了正确的权重，因为总和里还有旧的梯度。
# 等到符号相反的梯度累积得足够多，它才往回走，然后又从另一边越过去。对 4 的回答是 {{ answer }}。
# 把 `lr` 调小也不管用：摆动只会变慢，幅度不会变小。
#
# PyTorch 不会报错，因为累加正是它该做的。有用的习惯是：在反向传播**之前**，或者更新**之后**，
# 把**每个**参数的梯度都清掉。
#
# 下面是一步训练的四行代码，次序打乱了。把它们排好，让每个样本都用自己的梯度更新 `w`，而且只用自己的：按 `e`。
# 正确的次序不止一种。

# %% tags=["exercise"] id="cleared" kind="order"
order = ["w -= lr * w.grad", "w.grad = None", "loss.backward()", "loss = (w * x - target) ** 2"]

# %% [markdown] tags=["hint"] lang="en"
# `backward()` needs a loss, and the update needs what `backward()` has brought.

# %% [markdown] tags=["hint"] lang="zh"
# `backward()` 要先有损失，更新要用到 `backward()` 带来的梯度。

# %% [markdown] tags=["hint"] lang="en"
# The gradient may be cleared anywhere but between `backward()` and the update: there it would be lost.

# %% [markdown] tags=["hint"] lang="zh"
# 清零放在哪里都行，只是不能在 `backward()` 和更新之间：放在那里，梯度就丢了。

# %% tags=["solution"]
order = ["loss = (w * x - target) ** 2", "loss.backward()", "w -= lr * w.grad", "w.grad = None"]

# %% tags=["check"]
computed, passed, updated, cleared = (
    [text.startswith(start) for text in order].index(True) for start in ("loss =", "loss.b", "w -=", "w.grad")
)
assert computed < passed, {
    "en": "`loss.backward()` comes before its loss: for the first sample there is none yet, later it is an old one.",
    "zh": "`loss.backward()` 排在算损失之前：第一个样本时还没有损失，之后用的是旧的。",
}
assert passed < updated, {
    "en": "The update comes before the backward pass: for the first sample `w.grad` is None, with nothing to subtract.",
    "zh": "更新排在反向传播之前：第一个样本时 `w.grad` 还是 None，没有可减的。",
}
assert not passed < cleared < updated, {
    "en": "Cleared between the backward pass and the update, the gradient is gone before it is used.",
    "zh": "在反向传播和更新之间清零，梯度还没用就没了。",
}
