# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "An optimizer"
#       zh: "优化器"
#     summary:
#       en: "SGD: a list of parameters, one step for all of them, and a learning rate that must suit the gradients."
#       zh: "SGD：一份参数清单，一步更新全部，学习率要和梯度的大小相配。"
#     order: 170
#     topics:
#       en: [SGD, step(), zero_grad(), learning rate, divergence, nan]
#       zh: [SGD, step(), zero_grad(), 学习率, 发散, nan]
#     aliases: [training/optimizers]
# ---

# %% [markdown] question="predict" of="w3.item()" lang="en"
# So far we updated each parameter by hand. An **optimizer** gets the list of them once, and has two methods: `step()`
# updates all, `zero_grad()` clears all. `SGD` does what you did: it moves each one by `lr` times its gradient.
#
# Here is the chain of the lesson *The chain rule*: three weights, a relu, and a loss of 14161. The gradient of `w3`
# is 5712, because large numbers were multiplied on the way. `w3` is 5. In the lessons before, an `lr` of 0.01 made
# small steps.
#
# Where will `w3` be after one step, with the `lr` in the code?

# %% [markdown] question="predict" of="w3.item()" lang="zh"
# 到现在为止，每个参数都是我们亲手更新的。**优化器**一次拿到全部参数，它有两个方法：
# `step()` 更新所有参数，`zero_grad()` 把梯度全部清掉。`SGD` 做的和你一样：每个参数移动 `lr` 乘以梯度那么远。
#
# 这里是《链式法则》里的那个网络：三个权重，一个 relu，损失 14161。
# `w3` 的梯度是 5712，因为沿途乘了几个较大的数。`w3` 是 5。前几课里，取 0.01 的 `lr`，步长很小。
#
# 用代码里的 `lr` 走一步之后，`w3` 会在哪里？

# %% [markdown] wrong="10 - w3" lang="en"
# The sign is wrong: an update goes against the gradient.

# %% [markdown] wrong="10 - w3" lang="zh"
# 符号反了：更新要逆着梯度走。

# %%
import torch

x, t = torch.tensor(2.0), torch.tensor(1.0)


def chain(w1, w2, w3):
    a = torch.relu(w2 * (x * w1))
    return (w3 * a - t) ** 2


def start():
    return [torch.tensor(number, requires_grad=True) for number in (3.0, 4.0, 5.0)]


lr = 0.01  # @param {type: number, min: 0.00001, max: 0.01, step: 0.00001}
w1, w2, w3 = start()
optimizer = torch.optim.SGD([w1, w2, w3], lr=lr)
loss = chain(w1, w2, w3)
loss.backward()
optimizer.step()

# %% [markdown] when="w3.item() < 0" lang="en"
# At {{ w3.item() }}: it should have moved a little towards the target, and overshot it by far.

# %% [markdown] when="w3.item() < 0" lang="zh"
# `w3` 到了 {{ w3.item() }}：本该朝目标移动一点，结果远远越过了目标。

# %% [markdown] when="w3.item() >= 0" lang="en"
# At {{ w3.item() }}: it moved by `lr` times the gradient, towards the target, which asks for a smaller `w3`.

# %% [markdown] when="w3.item() >= 0" lang="zh"
# `w3` 到了 {{ w3.item() }}：它朝目标移动了 `lr` 乘以梯度那么远，因为要接近目标，`w3` 应当小一些。

# %% [markdown] question="choice" of="1 if losses[1] < losses[0] else 2" lang="en"
# Five more steps follow. How do the losses go on?
#
# 1. the next steps bring the loss down
# 2. each step makes it worse

# %% [markdown] question="choice" of="1 if losses[1] < losses[0] else 2" lang="zh"
# 再走五步。损失接下来会怎样？
#
# 1. 后面几步会让损失降下来
# 2. 一步比一步糟

# %%
losses = [loss.item()]
for step in range(1, 6):
    loss = chain(w1, w2, w3)
    losses.append(loss.item())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print("losses:", [float(f"{each:.4g}") for each in losses])

# %% [markdown] when="not losses[-1] < losses[0]" lang="en"
# Each step lands higher up on the other side, where the curve is steeper, so the next step is larger still. Soon a
# number is too large for float32 (`inf`), then `inf - inf` is no number (`nan`), and **nan never goes away again**.
# The learning rate must suit the gradients. Press `k`, and look for an `lr` with which the loss goes down.

# %% [markdown] when="not losses[-1] < losses[0]" lang="zh"
# 每一步都落到对面更高的地方，那里更陡，下一步就更大。
# 很快，数值超出 float32 的范围（`inf`），接着 `inf - inf` 不再是数（`nan`），而 **nan 一旦出现，就再也不会消失**。
# 学习率要和梯度的大小相配。按 `k`，找一个能让损失下降的 `lr`。

# %% [markdown] when="losses[-1] == 1" lang="en"
# The loss has come down to exactly 1, and stays there: one step was so large that relu gets a negative number. Its
# output is 0, and no gradient passes it any more. With a larger `lr`, such as 0.01, each step lands higher up on the
# other side, until the numbers are `inf` and then `nan`, and **nan never goes away again**. The learning rate must
# suit the gradients.

# %% [markdown] when="losses[-1] == 1" lang="zh"
# 损失降到了 1，然后停在那里：有一步迈得太大，relu 得到的是负数，输出为 0，再也没有梯度通过。
# `lr` 更大的话，例如 0.01，每一步都落到对面更高的地方，直到出现 `inf`，接着是 `nan`，
# 而 **nan 一旦出现，就再也不会消失**。学习率要和梯度的大小相配。

# %% [markdown] when="losses[-1] < losses[0] and losses[-1] != 1" lang="en"
# The loss goes down: this `lr` suits the gradients. With a larger one, such as 0.01, each step lands higher up on the
# other side, where the curve is steeper, so the next step is larger still. Soon a number is too large for float32
# (`inf`), then `inf - inf` is no number (`nan`), and **nan never goes away again**.

# %% [markdown] when="losses[-1] < losses[0] and losses[-1] != 1" lang="zh"
# 损失降下来了：这个 `lr` 和梯度的大小相配。换一个大的，例如 0.01，每一步都会落到对面更高的地方，那里更陡，
# 下一步就更大。
# 很快，数值超出 float32 的范围（`inf`），接着 `inf - inf` 不再是数（`nan`），而 **nan 一旦出现，就再也不会消失**。

# %% [markdown] lang="en"
# Below, a training with SGD diverges. Choose `rate` so that the loss is below 1 after 60 steps: press `e`.

# %% [markdown] lang="zh"
# 下面用 SGD 训练，结果发散了。选一个 `rate`，让 60 步之后的损失小于 1：按 `e`。

# %% tags=["exercise"] id="rate" kind="bug"
rate = 0.01
weights = start()
sgd = torch.optim.SGD(weights, lr=rate)
for step in range(60):
    cost = chain(*weights)
    sgd.zero_grad()
    cost.backward()
    sgd.step()
print(f"rate {rate}: loss {cost.item():.4g}")

# %% [markdown] tags=["hint"] lang="en"
# A gradient of 5712 should move a weight of 5 by less than 5. How small must `rate` be for that?

# %% [markdown] tags=["hint"] lang="zh"
# 梯度是 5712，权重是 5，一步不该超过 5。那么 `rate` 要多小？

# %% [markdown] tags=["hint"] lang="en"
# Divide by ten until it works: 0.001, 0.0001, 0.00001. One of them is too large, and one too small.

# %% [markdown] tags=["hint"] lang="zh"
# 每次除以十来试：0.001、0.0001、0.00001。里面有一个太大，有一个太小。

# %% tags=["solution"]
rate = 0.0001
weights = start()
sgd = torch.optim.SGD(weights, lr=rate)
for step in range(60):
    cost = chain(*weights)
    sgd.zero_grad()
    cost.backward()
    sgd.step()
print(f"rate {rate}: loss {cost.item():.4g}")

# %% tags=["check"]
after = cost.item()
assert after == after, {
    "en": f"With {rate:g} the loss becomes nan: each step overshoots. Make `rate` smaller.",
    "zh": f"用 {rate:g}，损失成了 nan：每一步都冲过了头。把 `rate` 调小。",
}
assert step == 59, {
    "en": f"Leave the 60 steps: you have {step + 1}.",
    "zh": f"60 步不要改：你用了 {step + 1} 步。",
}
assert isinstance(sgd, torch.optim.SGD), {
    "en": "Leave it to SGD: only the rate has to change.",
    "zh": "还是用 SGD：要改的只有学习率。",
}
assert after != 1.0, {
    "en": (
        f"With {rate:g} the loss is stuck at exactly 1: a step was so large that relu gets negative numbers, "
        "and no gradient passes any more. Make `rate` smaller."
    ),
    "zh": f"用 {rate:g}，损失正好卡在 1：有一步迈得太大，relu 得到的都是负数，再也没有梯度通过。把 `rate` 调小。",
}
assert after < 1.0, {
    "en": (
        f"With {rate:g} the loss is {after:.4g} after 60 steps. "
        + ("It goes down, but too slowly: make `rate` larger." if after < 14161 else "Make `rate` smaller.")
    ),
    "zh": (
        f"用 {rate:g}，60 步之后损失是 {after:.4g}。"
        + ("它在下降，只是太慢：把 `rate` 调大。" if after < 14161 else "把 `rate` 调小。")
    ),
}
assert [round(w.item()) for w in start()] == [3, 4, 5], {
    "en": "Leave the start at 3, 4 and 5.",
    "zh": "起点还是 3、4 和 5，不要改。",
}
