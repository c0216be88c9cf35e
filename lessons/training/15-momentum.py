# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "Momentum"
#       zh: "动量"
#     summary:
#       en: "An optimizer that remembers: how far do steps go when the gradients agree?"
#       zh: "有记忆的优化器：各步的梯度方向一致时，步子会有多大？"
#     topics:
#       en: [momentum, velocity, optimizer state]
#       zh: [动量, 速度, 优化器的状态]
#     aliases: [training/optimizers]
# ---

# %% [markdown] question="predict" of="p.item()" lang="en"
# SGD forgets each gradient as soon as it has used it. With **momentum** an optimizer remembers:
# `velocity = momentum * velocity + gradient`, and each parameter moves by `lr` times its velocity.
#
# Below, the gradient is 1 each time, `p` starts at 0, the learning rate is 0.1 and momentum 0.5. The first step moves
# it to -0.1. Where is it after the second?

# %% [markdown] question="predict" of="p.item()" lang="zh"
# SGD 用完一个梯度就忘了。带**动量**的优化器有记忆：`velocity = momentum * velocity + gradient`，
# 每个参数移动的距离是 `lr` 乘以它的速度。
#
# 下面的梯度每次都是 1，`p` 从 0 开始，学习率 0.1，动量 0.5。第一步把它移到 -0.1。第二步之后它在哪里？

# %% [markdown] wrong="-0.2" lang="en"
# That is two equal steps, without memory. Half of the first velocity is still there.

# %% [markdown] wrong="-0.2" lang="zh"
# 那是两个同样的步子，没有记忆。第一次的速度还留下了一半。

# %% [markdown] wrong="0.25" lang="en"
# The distance is right. It goes against the gradient, so down from 0.

# %% [markdown] wrong="0.25" lang="zh"
# 距离是对的。方向与梯度相反，所以从 0 往下走。

# %%
import torch

p = torch.tensor(0.0, requires_grad=True)
roller = torch.optim.SGD([p], lr=0.1, momentum=0.5)
for step in range(2):
    roller.zero_grad()
    (1 * p).backward()
    roller.step()
velocity = roller.state[p]["momentum_buffer"].clone()

# %% [markdown] question="predict" of="settled.item()" lang="en"
# At {{ p.item() }}: the second velocity is {{ velocity.item() }}, the new gradient and half of the old one. It is the
# optimizer's **state**. Go back with `p` to the line `roller.step()`, and `i` takes you inside: see it being used.
#
# We let it roll on, with the same gradient of 1 each time. The velocity grows: 1, 1.5, 1.75 … At which number does it
# settle? (In the end `momentum * velocity + 1` is the velocity itself.)

# %% [markdown] question="predict" of="settled.item()" lang="zh"
# 在 {{ p.item() }}：第二次的速度是 {{ velocity.item() }}，新的梯度加上旧的一半。
# 速度就是优化器的**状态**。用 `p` 往回走到 `roller.step()` 那一行，按 `i` 进到里面，看它怎样用。
#
# 让它继续走，梯度每次还是 1。速度越来越大：1，1.5，1.75……它最终趋近哪个数？
# （到最后，`momentum * velocity + 1` 就等于速度本身。）

# %% [markdown] wrong="1.0" lang="en"
# That is the gradient alone. Half of the old velocity is added each time.

# %% [markdown] wrong="1.0" lang="zh"
# 那只是梯度本身。每次还要加上旧速度的一半。

# %% [markdown] wrong="1.5" lang="en"
# That is the second velocity. It goes on growing, by less each time.

# %% [markdown] wrong="1.5" lang="zh"
# 那是第二次的速度。它还会继续增长，只是每次增长得更少。

# %%
for step in range(20):
    roller.zero_grad()
    (1 * p).backward()
    roller.step()
settled = roller.state[p]["momentum_buffer"].clone()

# %% [markdown] lang="en"
# {{ settled.item() }}, which is `1 / (1 - momentum)`: with momentum 0.5 each step goes twice as far as without, and
# with the usual 0.9 ten times. That is what momentum is for. Where the gradients agree from step to step, steps get
# longer; where they change their sign each time, as they do on both sides of a narrow valley, they cancel. And when
# you add momentum, the learning rate should get smaller.
#
# Write it yourself, from an empty cell: a weight `w` begins at 0 and takes ten steps down the loss `(w - 3) ** 2`, with
# a learning rate of 0.02 and a velocity of momentum 0.9, as in the formula above. Keep where it is after each step in a
# list `path`. Press `e`.

# %% [markdown] lang="zh"
# 是 {{ settled.item() }}，也就是 `1 / (1 - momentum)`：动量 0.5，每一步走的是原来的两倍；常用的 0.9，则是十倍。
# 动量的用处就在这里：各步的梯度方向一致，步子就变长；在狭窄的山谷里来回跳，梯度每次变号，就互相抵消。
# 所以加上动量以后，学习率应当调小。
#
# 从空白的单元格开始，自己写一个：权重 `w` 从 0 出发，沿损失 `(w - 3) ** 2` 走十步，学习率 0.02，
# 速度按上面的公式计算，动量取 0.9。把每一步之后 `w` 的值存进列表 `path`。按 `e`。

# %% tags=["exercise"] id="velocity" kind="write"
# ten steps; path: where w is after each

# %% [markdown] tags=["hint"] lang="en"
# The four steps of training, with one line more: before the update, `velocity` gets its new value from its old one and
# the gradient.

# %% [markdown] tags=["hint"] lang="zh"
# 就是训练的四步，再加一行：更新之前，由旧的 `velocity` 和梯度算出新的 `velocity`。

# %% [markdown] tags=["hint"] lang="en"
# It is the formula word for word, `velocity = 0.9 * velocity + w.grad.item()`; and the update subtracts `0.02 *
# velocity`.

# %% [markdown] tags=["hint"] lang="zh"
# 照抄公式即可：`velocity = 0.9 * velocity + w.grad.item()`；更新时减去 `0.02 * velocity`。

# %% tags=["solution"]
w = torch.tensor(0.0, requires_grad=True)
velocity = 0.0
path = []
for step in range(10):
    loss = (w - 3) ** 2
    loss.backward()
    gradient = w.grad.item()
    velocity = 0.9 * velocity + gradient
    with torch.no_grad():
        w -= 0.02 * velocity
    w.grad = None
    path.append(w.item())
print([round(place, 3) for place in path])

# %% tags=["check"]
twin = torch.tensor(0.0, requires_grad=True)
reference = torch.optim.SGD([twin], lr=0.02, momentum=0.9)
expected = []
for _ in range(10):
    reference.zero_grad()
    ((twin - 3) ** 2).backward()
    reference.step()
    expected.append(twin.item())
plain = 3 - 3 * 0.96**2
assert len(path) == 10, {
    "en": f"Ten steps, and path should have the place after each: it has {len(path)}.",
    "zh": f"要走十步，每步之后的值都放进 path：现在里面有 {len(path)} 个数。",
}
assert abs(path[0] - expected[0]) < 1e-5, {
    "en": f"With or without momentum, the first step leads to {expected[0]:.4f}, and yours to {path[0]:.4f}.",
    "zh": f"第一步不管有没有动量，都应当走到 {expected[0]:.4f}，你的走到 {path[0]:.4f}。",
}
assert abs(path[1] - plain) > 1e-5, {
    "en": f"The second step leads to {path[1]:.4f}, as without momentum: the old velocity is thrown away.",
    "zh": f"第二步走到 {path[1]:.4f}，和没有动量时一样：旧的速度被丢掉了。",
}
assert abs(path[9] - expected[9]) < 1e-3, {
    "en": f"After ten steps w should be at {expected[9]:.4f}, not {path[9]:.4f}. Is 0.9 the factor of the velocity?",
    "zh": f"十步之后 w 应当在 {expected[9]:.4f}，现在在 {path[9]:.4f}。0.9 乘的是速度吗？",
}
