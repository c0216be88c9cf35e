# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "A loss cut off"
#       zh: "被切断的损失"
#     summary:
#       en: "detach() slips into the middle of a loss. When does PyTorch raise an error, and when not?"
#       zh: "损失的计算里有一个 detach()。什么时候 PyTorch 会报错，什么时候不会？"
#     topics:
#       en: [argmax, round, detach, lost graph]
#       zh: [argmax, round, detach, 图断开]
# ---

# %% [markdown] question="choice" of="3 if not loss.requires_grad else 1 if w.grad else 2" lang="en"
# `detach()` gives a tensor's value without its history. It has good uses. In the next cell it slipped into the middle
# of a loss.
#
# What will come of `backward()`?
#
# 1. `w` gets the right gradient: the value is the same
# 2. `w` gets the gradient zero
# 3. an error

# %% [markdown] question="choice" of="3 if not loss.requires_grad else 1 if w.grad else 2" lang="zh"
# `detach()` 只给出张量的值，不带历史。它有正当的用处。下一个单元格里，它却混进了损失的计算。
#
# `backward()` 会怎样？
#
# 1. `w` 得到正确的梯度，因为值是一样的
# 2. `w` 得到的梯度是零
# 3. 出错

# %%
import torch

w = torch.tensor(2.0, requires_grad=True)
guess = w * 3
loss = (guess.detach() - 5) ** 2
try:
    loss.backward()
except RuntimeError as error:
    print(error)

# %% [markdown] question="predict" of="w.grad" vary="w: [1, 3]" lang="en"
# *Does not require grad and does not have a grad_fn*: after the cut nothing is recorded, so there is no backward pass
# from `loss`, not even one with a gradient of zero.
#
# That was the lucky case. Now the loss has two parts: `fit` wants `3 * w` to be 5, `size` wants `w` to be small.
# Their derivatives at 2 are 6 and 4. What will `w.grad` hold?

# %% [markdown] question="predict" of="w.grad" vary="w: [1, 3]" lang="zh"
# *Does not require grad and does not have a grad_fn*：切断之后什么也没有记录，
# 所以从 `loss` 无法反向传播，连值为 0 的梯度都得不到。
#
# 刚才至少报了错。现在损失有两部分：`fit` 希望 `3 * w` 等于 5，`size` 希望 `w` 小一些。
# 它们在 2 处的导数分别是 6 和 4。`w.grad` 里会是多少？

# %% [markdown] wrong="w.grad + 2 * w" lang="en"
# That is 6 and 4, both parts. But `size` was computed from `w.detach()`.

# %% [markdown] wrong="w.grad + 2 * w" lang="zh"
# 那是 6 加 4，两部分都算了。可是 `size` 是用 `w.detach()` 算出来的。

# %% [markdown] wrong="2 * w" lang="en"
# That is the part of `size`, the one that was cut off.

# %% [markdown] wrong="2 * w" lang="zh"
# 那是 `size` 那一部分的梯度，而被切断的正是它。

# %%
fit = (w * 3 - 5) ** 2
size = w.detach() ** 2
loss = fit + size
loss.backward()

# %% [markdown] lang="en"
# {{ w.grad.item() }}, from `fit` alone. `size` counts in the loss, but has no effect on the gradient. One part that
# requires grad is enough, and PyTorch raises no error. In the graph the way back from `size` is missing: look for
# that, or ask each part for its `requires_grad` (here `size.requires_grad` is {{ size.requires_grad }}).
#
# The same cut is made by `.data`, `.item()`, NumPy, and `torch.tensor(…)` around a tensor; and by `argmax` and `>`,
# whose results are positions and truth values. So a count of right answers cannot be a loss. `round` is worse, because
# it is silent: it stays in the graph, as `RoundBackward0`, but torch takes its derivative as 0 everywhere. `backward()`
# runs without an error, and the gradient behind it is **zero**.
#
# Below are two layers and a loss of two parts, with **two** cuts. Fix both. Press `e`.

# %% [markdown] lang="zh"
# 是 {{ w.grad.item() }}，全部来自 `fit`。`size` 算在损失里，对梯度却没有影响。
# 只要有一部分需要梯度，PyTorch 就不报错。在图里，从 `size` 回去的路不见了：要找的就是它；
# 也可以逐个问各部分的 `requires_grad`（这里 `size.requires_grad` 是 {{ size.requires_grad }}）。
#
# `.data`、`.item()`、NumPy，还有套在张量外面的 `torch.tensor(…)`，也会同样切断历史；
# `argmax` 和 `>` 也一样，它们的结果是下标和真假值。所以，答对的个数不能当损失。
# `round` 更麻烦，因为它不报错：它留在计算图里（`RoundBackward0`），但 torch 规定它的导数处处为 0。
# `backward()` 不报错，而传到它前面的梯度全是**零**。
#
# 下面有两层，损失也有两部分，其中有**两**处被切断。都改好。按 `e`。

# %% tags=["exercise"] id="two-cuts" kind="bug"
first = torch.tensor(0.5, requires_grad=True)
second = torch.tensor(2.0, requires_grad=True)

hidden = torch.relu(first * 4).detach()
answer = hidden * second
small = 0.5 * second.data**2
loss = (answer - 1) ** 2 + small
loss.backward()
print("first:", first.grad, "second:", second.grad)

# %% [markdown] tags=["hint"] lang="en"
# `first.grad` shows one cut. The other one is quieter: which part of the loss does not require grad?

# %% [markdown] tags=["hint"] lang="zh"
# 从 `first.grad` 就看得出一处切断。另一处更隐蔽：损失的哪一部分不需要梯度？

# %% [markdown] tags=["hint"] lang="en"
# One is `detach()`, behind `relu`. The other is `.data`, the old way to write it.

# %% [markdown] tags=["hint"] lang="zh"
# 一处是 `relu` 后面的 `detach()`。另一处是 `.data`，那是它的旧写法。

# %% tags=["solution"]
first = torch.tensor(0.5, requires_grad=True)
second = torch.tensor(2.0, requires_grad=True)

hidden = torch.relu(first * 4)
answer = hidden * second
small = 0.5 * second**2
loss = (answer - 1) ** 2 + small
loss.backward()
print("first:", first.grad, "second:", second.grad)

# %% tags=["check"]
assert abs(loss.item() - 11) < 1e-4, {
    "en": f"The loss itself should stay 11, and is {loss.item():g}.",
    "zh": f"损失本身应当还是 11，现在是 {loss.item():g}。",
}
assert second.grad is not None, {
    "en": "Nothing reaches `second`.",
    "zh": "什么也到不了 `second`。",
}
assert first.grad is not None, {
    "en": "`first` gets nothing: the graph is cut between it and `answer`.",
    "zh": "`first` 什么也没得到：图在它和 `answer` 之间断了。",
}
assert abs(second.grad.item() - 12) > 1e-4, {
    "en": "`second` gets 12, all of it through `answer`. Its share of `small` is missing: there is another cut.",
    "zh": "`second` 得到 12，全都经过 `answer`。缺了 `small` 那一份：还有一处被切断。",
}
assert abs(first.grad.item() - 48) < 1e-4, {
    "en": f"`first` should get 48, and gets {first.grad.item():g}.",
    "zh": f"`first` 应当得到 48，现在得到 {first.grad.item():g}。",
}
assert abs(second.grad.item() - 14) < 1e-4, {
    "en": f"`second` should get 14, and gets {second.grad.item():g}.",
    "zh": f"`second` 应当得到 14，现在得到 {second.grad.item():g}。",
}
