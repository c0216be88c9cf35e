# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "A learning rate that changes"
#       zh: "会变的学习率"
#     summary:
#       en: "The squared gradient as a learning rate: does it work? And what a scheduler does."
#       zh: "用梯度的平方作学习率，可行吗？调度器又是怎么做的？"
#     topics:
#       en: [learning rate, scheduler, warm-up]
#       zh: [学习率, 调度器, 预热]
# ---

# %% [markdown] question="predict" of="w.item()" vary="w: [3, 1.5]" lang="en"
# "Where the loss is steep, go fast; where it is flat, go slowly." It sounds sensible, and people do try it: let each
# parameter have its own learning rate, the **square of its gradient**. The square is never negative, after all.
#
# One sample: for the input 2 we want 4, and `w` starts at 1. The gradient is -8. What will `w` be after one update?

# %% [markdown] question="predict" of="w.item()" vary="w: [3, 1.5]" lang="zh"
# “陡的地方走快点，平的地方走慢点。”听上去有道理，也真有人这么试：
# 让每个参数有自己的学习率，就用**梯度的平方**。毕竟平方不会是负的。
#
# 一个样本：输入 2，应当得到 4，`w` 从 1 开始。梯度是 -8。更新一次之后，`w` 会是多少？

# %% [markdown] wrong="2 - w" lang="en"
# A minus got lost: the gradient is negative, and minus times minus is plus.

# %% [markdown] wrong="2 - w" lang="zh"
# 漏了一个负号：梯度是负的，负负得正。

# %% [markdown] wrong="1 + 64.0" lang="en"
# That is the learning rate alone, the square of the gradient. The step is the rate times the gradient.

# %% [markdown] wrong="1 + 64.0" lang="zh"
# 那只是学习率，即梯度的平方。这一步是学习率乘以梯度。

# %%
import torch


def loss_at(weight):
    return (weight * 2 - 4) ** 2


w = torch.tensor(1.0, requires_grad=True)
loss_at(w).backward()
with torch.no_grad():
    w -= w.grad**2 * w.grad

# %% [markdown] question="predict" of="moved" lang="en"
# `w` is {{ w.item() }}, where 2 would have been right. The step is lr times gradient, so it is the **cube** of the
# gradient: far from the goal it is huge, and the next one will be larger still.
#
# Then perhaps it is good near the goal? Below, `u` starts at 1.999, only 0.001 away, and its gradient is -0.008. Will
# **one hundred** updates bring it half of the way? Answer `True` or `False`.

# %% [markdown] question="predict" of="moved" lang="zh"
# `w` 是 {{ w.item() }}，而正确的是 2。步子是学习率乘以梯度，也就是梯度的**立方**：
# 离目标远时非常大，下一步还会更大。
#
# 那么靠近目标时也许还不错？下面的 `u` 从 1.999 开始，只差 0.001，梯度是 -0.008。
# 更新**一百次**，能走完一半的路吗？回答 `True` 或 `False`。

# %%
u = torch.tensor(1.999, requires_grad=True)
for step in range(100):
    loss_at(u).backward()
    with torch.no_grad():
        u -= u.grad**2 * u.grad
    u.grad = None
way = round(u.item() - 1.999, 6)
moved = way > 0.0005

# %% [markdown] question="predict" of="rates[25]" lang="en"
# No: in all `u` has moved by {{ way }}. A small number cubed is next to nothing. So this rule takes huge steps where
# it should be careful, and hardly any near the goal. Rules that look at the gradient do the **reverse**: Adagrad and
# Adam *divide* by its size.
#
# There is a simpler thought: large steps in the beginning, small ones later. A **scheduler** does that, by counting.
# It does not look at the gradient at all. `StepLR(optimizer, step_size=10, gamma=0.5)` halves the rate after every 10
# calls of its `step()`. We begin with 0.04. Which rate is used when `epoch` is 25? (`range` counts from 0.)

# %% [markdown] question="predict" of="rates[25]" lang="zh"
# 不能：`u` 一共只移动了 {{ way }}。小数的立方几乎是零。所以这条规则在该谨慎处步子过大，该前进处几乎不动。
# 真正会看梯度的方法恰恰**相反**：Adagrad 和 Adam 是*除以*梯度的大小。
#
# 还有个更简单的想法：开始步子大，后来步子小。**调度器**就是这样，它只数次数，根本不看梯度。
# `StepLR(optimizer, step_size=10, gamma=0.5)` 每走 10 步就把学习率减半。
# 我们从 0.04 开始。`epoch` 为 25 时，用的学习率是多少？（`range` 从 0 数起。）

# %% [markdown] wrong="0.02" lang="en"
# The rate is halved after the epoch numbered 9, and again after 19.

# %% [markdown] wrong="0.02" lang="zh"
# `epoch` 为 9 的那一轮之后学习率减半，为 19 的那一轮之后又减半。

# %% [markdown] wrong="0.005" lang="en"
# The third halving comes only after the epoch numbered 29.

# %% [markdown] wrong="0.005" lang="zh"
# 第三次减半要到 `epoch` 为 29 的那一轮之后。

# %%
v = torch.tensor(1.0, requires_grad=True)
optimizer = torch.optim.SGD([v], lr=0.04)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=10, gamma=0.5)

rates = []
for epoch in range(30):
    rates.append(scheduler.get_last_lr()[0])
    loss = loss_at(v)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
rate = round(rates[25], 6)

# %% [markdown] lang="en"
# {{ rate }}: it was halved twice, when `epoch` had been 9 and 19. First `optimizer.step()`, then `scheduler.step()`,
# once in each epoch; the other way round the first rate would never be used, and PyTorch warns.
#
# Such a scheduler is a small function from the epoch to the rate. Write one that first **warms up**: for
# `epoch` 0 to 4 a fifth of `base`, two fifths, and so on up to all of it; from 5 on it stays at `base`, and is halved
# after every ten more epochs (so 5 to 14 have `base`, 15 to 24 half of it). Press `e`.

# %% [markdown] lang="zh"
# {{ rate }}：减半了两次，在 `epoch` 为 9 和 19 的两轮之后。
# 先 `optimizer.step()`，再 `scheduler.step()`，每轮一次；反过来的话，第一个学习率就永远用不上，PyTorch 会警告。
#
# 这样的调度器，不过是从轮数到学习率的一个小函数。写一个会**预热**的：`epoch` 为 0 到 4 时依次用
# `base` 的五分之一、五分之二，直到全部；从 5 起是 `base`，之后每十轮减半
# （5 到 14 是 `base`，15 到 24 是它的一半）。按 `e`。


# %% tags=["exercise"] id="warm-up" kind="write"
# rate_at(epoch, base)

# %% [markdown] tags=["hint"] lang="en"
# Two cases: an `if` for `epoch` below 5. At 0 it is one fifth, so add 1 there.

# %% [markdown] tags=["hint"] lang="zh"
# 分两种情况：用一个 `if` 处理 `epoch` 小于 5 的情形。`epoch` 为 0 时就有五分之一，所以那里要加 1。

# %% [markdown] tags=["hint"] lang="en"
# After the warm-up, `(epoch - 5) // 10` says how many times the rate was halved.

# %% [markdown] tags=["hint"] lang="zh"
# 预热之后，`(epoch - 5) // 10` 就是减半的次数。


# %% tags=["solution"]
def rate_at(epoch, base):
    if epoch < 5:
        return base * (epoch + 1) / 5
    return base * 0.5 ** ((epoch - 5) // 10)


print([rate_at(epoch, 0.1) for epoch in (0, 4, 5, 14, 15, 25)])

# %% tags=["check"]
for epoch in range(40):
    want = 0.4 * (epoch + 1) / 5 if epoch < 5 else 0.4 * 0.5 ** ((epoch - 5) // 10)
    mine = rate_at(epoch, 0.4)
    assert mine is not None, {
        "en": f"Nothing is returned for epoch = {epoch}.",
        "zh": f"epoch = {epoch} 时，什么也没有返回。",
    }
    assert not (epoch == 0 and mine == 0), {
        "en": "With epoch = 0 the rate is 0, and nothing would be learned: begin with a fifth.",
        "zh": "epoch = 0 时学习率是 0，什么也学不到：从五分之一开始。",
    }
    assert abs(mine - want) < 1e-6, {
        "en": (
            f"For base = 0.4 and epoch = {epoch} it should be {want:g}, and you have {mine:g}. "
            + ("It is still warming up." if epoch < 5 else "Ten epochs from 5 on, then half.")
        ),
        "zh": (
            f"base = 0.4、epoch = {epoch} 时应当是 {want:g}，你的是 {mine:g}。"
            + ("这时还在预热。" if epoch < 5 else "从 5 起，每十轮减半一次。")
        ),
    }
