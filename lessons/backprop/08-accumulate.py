# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "Gradients add up"
#       zh: "梯度会累加"
#     summary:
#       en: "A backward pass adds to grad and does not replace it. Two ways to clear it."
#       zh: "反向传播不是替换 grad，而是往上加。两种重新开始的办法。"
#     order: 70
#     topics:
#       en: [accumulation, zero_, zero_grad, "None"]
#       zh: [累加, zero_, zero_grad, "None"]
# ---

# %% [markdown] lang="en"
# You have seen two paths of *one* pass meet at a leaf. There is a second kind of adding: **over several passes**.
# When a pass brings a gradient to a leaf, PyTorch does not replace what `grad` holds. It adds.
#
# The graph is the one of *Two paths to one leaf*. Here is the first pass.

# %% [markdown] lang="zh"
# 你见过**同一次**反向传播里的两条路径在叶子节点处汇合。相加还有另一种：**多次反向传播之间**的累加。
# 反向传播把梯度带给叶子节点时，PyTorch 不会替换 `grad` 里原有的值，而是加上去。
#
# 图还是《通向同一个叶子的两条路》里的那张。这是第一次反向传播。

# %%
import torch

x = torch.tensor([2.0], requires_grad=True)
w = torch.tensor([1.0], requires_grad=True)

y = (x + w) * (w + 1)
y.backward()
print("pass 1:", w.grad.item())

# %% [markdown] question="predict" of="w.grad" vary="x: [1, 3]; w: [2, 0]" lang="en"
# Now we compute the same thing three times more. Neither `x` nor `w` changes, so each pass brings to `w` what the
# first one brought. `grad` is not cleared in between.
#
# What will `w.grad` hold after the loop?

# %% [markdown] question="predict" of="w.grad" vary="x: [1, 3]; w: [2, 0]" lang="zh"
# 现在把同样的计算再做三遍。`x` 和 `w` 都没有变，所以每一次带给 `w` 的梯度都和第一次相同。
# 中间没有清空 `grad`。
#
# 循环之后，`w.grad` 里会是多少？

# %% [markdown] wrong="w.grad / 4" lang="en"
# That is what a single pass brings. Nothing was replaced: four of them are in there.

# %% [markdown] wrong="w.grad / 4" lang="zh"
# 那是一次带来的数。旧的并没有被替换，四次的都在里面。

# %% [markdown] wrong="w.grad * 3 / 4" lang="en"
# Those are the three passes of the loop. The one before it is still in there.

# %% [markdown] wrong="w.grad * 3 / 4" lang="zh"
# 那是循环里的三次。循环之前的那一次也还在里面。

# %%
for again in range(2, 5):
    y = (x + w) * (w + 1)
    y.backward()
    print(f"pass {again}:", w.grad.item())

# %% [markdown] question="predict" of="w.grad" lang="en"
# Old plus incoming is new: the explaining line shows that sum at each pass (`b` and `B` go from one to the next).
#
# In an ordinary training loop adding is a bug: each step would include all earlier gradients, so you clear them, in
# one of two ways. `zero_()` writes zeros into the gradient. `zero_grad()` is what an optimizer, an object that updates
# weights for you, offers for all of them.
#
# After both have run, what will `w.grad` hold? Type it as Python would print it.

# %% [markdown] question="predict" of="w.grad" lang="zh"
# 原来的加上新来的，就是新的：每一次反向传播，解释那一行都会写出这个和（用 `b` 和 `B` 在各次之间跳）。
#
# 在普通的训练循环里，不能任其累加，否则每一步的梯度都混有之前各步的梯度。所以要清零，办法有两种。
# `zero_()` 往梯度里写零。`zero_grad()` 是优化器提供的，一次处理它的所有权重（优化器替我们更新权重，以后会讲）。
#
# 两种都用过之后，`w.grad` 里会是什么？照 Python 打印的样子输入。

# %% [markdown] wrong="0.0" lang="en"
# That is what `zero_()` left. Then `zero_grad()` ran, and did more than that.

# %% [markdown] wrong="0.0" lang="zh"
# 那是 `zero_()` 留下的。之后又执行了 `zero_grad()`，它做得更多。

# %%
w.grad.zero_()
print("after zero_():", w.grad.item())

optimizer = torch.optim.SGD([w], lr=0.1)
optimizer.zero_grad()
print("after zero_grad():", w.grad)

# %% [markdown] lang="en"
# `zero_()` kept the tensor and made it zero; `zero_grad()` set it to **`None`**. That needs no memory, and it tells
# "no gradient came" from "a gradient came, and was zero". Older PyTorch zeroed instead, and code from that time may
# still count on it: `w.grad.zero_()` fails where `grad` is `None`.
#
# Adding is useful too: a batch, the samples of one step, may be too large for the memory. It can be fed in parts,
# and its gradient adds up. Below, two halves should bring what `whole` says for the batch at once, and bring something
# else. (`torch.autograd.grad` returns a gradient, and leaves `grad` alone.) Find out why: press `e`.

# %% [markdown] lang="zh"
# `zero_()` 留下张量，把它变成零；`zero_grad()` 则把它设为 **`None`**，不占内存，
# 还能区分“没有梯度来过”和“来过梯度，但恰好是零”。
# 旧版 PyTorch 是写零的，那时的代码可能还依赖这一点：`grad` 是 `None` 时，`w.grad.zero_()` 会出错。
#
# 累加也有用处：一批样本太多、内存装不下时，可以分成几份输入，梯度会自动累加。
# 下面的两半加起来，本该等于整批一次算出的 `whole`，结果却不是。
# （`torch.autograd.grad` 直接返回梯度，不动 `grad`。）找出原因：按 `e`。

# %% tags=["exercise"] id="halves" kind="bug"
batch = torch.tensor([1.0, 2.0, 3.0, 4.0])
v = torch.tensor(0.5, requires_grad=True)
(whole,) = torch.autograd.grad(((v * batch - 3) ** 2).mean(), v)

for half in (batch[:2], batch[2:]):
    loss = ((v * half - 3) ** 2).mean()
    loss.backward()
print("the halves:", v.grad.item(), "the whole:", whole.item())

# %% [markdown] tags=["hint"] lang="en"
# Compare the two printed numbers. How many times too large is the one of the halves?

# %% [markdown] tags=["hint"] lang="zh"
# 比较打印出来的两个数。两半得到的大了几倍？

# %% [markdown] tags=["hint"] lang="en"
# Each half takes the mean over **two** numbers, so each number counts twice as much as in the mean over four. Make each
# half's loss count half.

# %% [markdown] tags=["hint"] lang="zh"
# 每一半都只对**两个**数求平均，所以每个数的分量，是对四个数求平均时的两倍。让每一半的损失只算一半。

# %% tags=["solution"]
batch = torch.tensor([1.0, 2.0, 3.0, 4.0])
v = torch.tensor(0.5, requires_grad=True)
(whole,) = torch.autograd.grad(((v * batch - 3) ** 2).mean(), v)

for half in (batch[:2], batch[2:]):
    loss = ((v * half - 3) ** 2).mean() / 2
    loss.backward()
print("the halves:", v.grad.item(), "the whole:", whole.item())

# %% tags=["check"]
last = (2 * (0.5 * batch[2:] - 3) * batch[2:]).mean()
want = (2 * (0.5 * batch - 3) * batch).mean()
assert abs(whole - want) < 1e-3, {
    "en": f"Leave `whole` alone: it should be {want:g}.",
    "zh": f"`whole` 不要动：它应当是 {want:g}。",
}
assert v.grad is not None, {
    "en": "No gradient is left in v: it must not be cleared at the end.",
    "zh": "v 里没有留下梯度：最后不能清掉它。",
}
assert min(abs(v.grad - last), abs(v.grad - last / 2)) > 1e-3, {
    "en": f"v.grad is {v.grad:g}, from the second half alone. Do not clear it between the halves.",
    "zh": f"v.grad 是 {v.grad:g}，只有后一半的。两半之间不要清零。",
}
assert abs(v.grad - 2 * want) > 1e-3, {
    "en": f"v.grad is {v.grad:g}, twice the {want:g} of the whole batch. What does each mean divide by?",
    "zh": f"v.grad 是 {v.grad:g}，是整批 {want:g} 的两倍。两次求平均各除以几？",
}
assert abs(v.grad - want) < 1e-3, {
    "en": f"v.grad should be {want:g}, and is {v.grad:g}.",
    "zh": f"v.grad 应当是 {want:g}，现在是 {v.grad:g}。",
}
