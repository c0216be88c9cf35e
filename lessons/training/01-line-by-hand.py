# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "A line, trained by hand"
#       zh: "亲手训练一条直线"
#     summary:
#       en: "Forward, backward, update, clear: the whole of training, without an optimizer."
#       zh: "前向、反向、更新、清零：不用优化器，训练的全部就这四步。"
#     order: 80
#     topics:
#       en: [training loop, epoch, learning rate, no_grad]
#       zh: [训练循环, 轮, 学习率, no_grad]
# ---

# %% [markdown] lang="en"
# Three points lie on a line through the origin, and a model of one weight should find its slope. We write each part
# of training ourselves; there are only four:
#
# 1. **forward**: compute the loss of one sample,
# 2. **backward**: get the gradient of the weight,
# 3. **update**: move the weight a little against its gradient; `lr`, the learning rate, says how little,
# 4. **clear** the gradient for the next sample.

# %% [markdown] lang="zh"
# 三个点都在一条过原点的直线上，要让只有一个权重的模型找出它的斜率。训练的每一步都由我们自己来写，一共只有四步：
#
# 1. **前向**：算出一个样本的损失；
# 2. **反向**：得到权重的梯度；
# 3. **更新**：让权重沿梯度的反方向移动一点，移动多少由学习率 `lr` 决定；
# 4. **清零**：清掉梯度，留给下一个样本用。

# %%
import torch

samples = [(1.0, 2.0), (2.0, 4.0), (3.0, 6.0)]
w = torch.tensor([1.0], requires_grad=True)
lr = 0.01  # @param {type: number, min: 0.0001, max: 0.3}


def forward(x):
    return w * x


print("before training: 4 gives", forward(4).item())

# %% [markdown] question="predict" of="first" vary="w: [0, 3]" lang="en"
# Here is one **epoch**: each sample once. The update is under `torch.no_grad()`, because it is not part of what the
# model computes, and must not become part of its graph. (In older code you will see `w.data -= lr * w.grad.data` there,
# and `w.grad.data.zero_()` at the end. That bypasses autograd, which then cannot detect mistakes.)
#
# The first sample is 1, and should give 2. What is the first gradient?

# %% [markdown] question="predict" of="first" vary="w: [0, 3]" lang="zh"
# 下面是一**轮**（epoch）：每个样本各用一次。更新写在 `torch.no_grad()` 里，因为它不属于模型的计算，
# 不该进到计算图里去。（旧代码里这一行写作 `w.data -= lr * w.grad.data`，
# 末尾写作 `w.grad.data.zero_()`。那样绕过了 autograd，出了错它也查不出来。）
#
# 第一个样本是 1，应当得到 2。第一个梯度是多少？

# %% [markdown] wrong="-first" lang="en"
# Only the sign is wrong: the error is output minus target.

# %% [markdown] wrong="-first" lang="zh"
# 只差一个符号：误差是输出减去目标。

# %% [markdown] wrong="first / 2" lang="en"
# The 2 is missing that comes from the square: its derivative is `2 * (output - target)`.

# %% [markdown] wrong="first / 2" lang="zh"
# 少了平方带来的 2：它的导数是 `2 * (output - target)`。

# %%
gradients = []
for x, target in samples:
    loss = (forward(x) - target) ** 2
    loss.backward()
    gradients.append(w.grad.item())
    with torch.no_grad():
        w -= lr * w.grad
    w.grad.zero_()
first = gradients[0]
print("gradients of the first epoch:", [round(gradient, 4) for gradient in gradients])

# %% [markdown] lang="en"
# It was {{ first }}: twice the error, times the input.

# %% [markdown] lang="zh"
# 是 {{ first }}：误差的两倍，再乘以输入。

# %% [markdown] when="gradients[2] < gradients[1]" lang="en"
# All three gradients are below zero, so all three samples want a larger weight, and each update gives them some. The
# last gradient is the largest in size: it is twice the error times the input, and at the largest input both are
# large.

# %% [markdown] when="gradients[2] < gradients[1]" lang="zh"
# 三个梯度都小于零，也就是三个样本都想要更大的权重，每次更新都给它们一点。
# 最后一个样本的梯度绝对值最大：它是误差的两倍再乘以输入，而输入最大的地方，误差和输入都大。

# %% [markdown] when="gradients[1] <= gradients[2] < 0" lang="en"
# All three gradients are below zero, so all three samples want a larger weight, and each update gives them some. With
# this `lr` the first two updates give so much that little is missing for the third sample: its input is the largest,
# but its gradient is not.

# %% [markdown] when="gradients[1] <= gradients[2] < 0" lang="zh"
# 三个梯度都小于零，也就是三个样本都想要更大的权重，每次更新都给它们一点。
# 用这个 `lr`，前两次更新已经走了很远，到第三个样本时误差所剩不多：它的输入最大，梯度的绝对值却不是最大。

# %% [markdown] when="gradients[2] >= 0" lang="en"
# The first two gradients are below zero: these samples want a larger weight. The third is not. With an `lr` this large
# the first two updates have already carried the weight past the right one.

# %% [markdown] when="gradients[2] >= 0" lang="zh"
# 前两个梯度小于零，这两个样本想要更大的权重。第三个却不是：`lr` 这么大，前两次更新已经让权重越过了正确的值。


# %% [markdown] question="predict" of="answer" lang="en"
# Now the other epochs. The model will never be shown the input 4. What will it say to it in the end?

# %% [markdown] question="predict" of="answer" lang="zh"
# 现在跑完其余各轮。模型从没见过输入 4，最后它会给出多少？

# %%
for epoch in range(1, 100):
    for x, target in samples:
        loss = (forward(x) - target) ** 2
        loss.backward()
        with torch.no_grad():
            w -= lr * w.grad
        w.grad.zero_()
answer = round(forward(4).item(), 7)
missing = 8 - answer
print("after training: 4 gives", answer)

# %% [markdown] when="0 < abs(missing) < 0.01" lang="en"
# It says {{ answer }}: only {{ missing }} is missing from the 8 of the line. The weight comes close, and never quite
# arrives: the closer it is, the smaller the gradients get, and the smaller its steps. The loss falls steeply at first,
# then has a long flat tail.

# %% [markdown] when="0 < abs(missing) < 0.01" lang="zh"
# 它给出 {{ answer }}，离直线上的 8 只差 {{ missing }}。权重靠得很近，却没有真正到达：
# 越接近，梯度越小，步子也越小。损失先是陡降，然后拖着一条又长又平的尾巴。

# %% [markdown] when="missing == 0" lang="en"
# It says {{ answer }}: to the digits that we keep, nothing is missing from the 8 of the line. The closer the weight is,
# the smaller the gradients get, and the smaller its steps; but with this `lr` the epochs are enough. The loss falls
# steeply at first, then has a long flat tail.

# %% [markdown] when="missing == 0" lang="zh"
# 它给出 {{ answer }}：按保留的位数，和直线上的 8 已经没有差别。越接近，梯度越小，步子也越小；
# 不过用这个 `lr`，这么多轮已经够了。损失先是陡降，然后拖着一条又长又平的尾巴。

# %% [markdown] when="0.01 <= abs(missing) < 4" lang="en"
# It says {{ answer }}: {{ missing }} is missing from the 8 of the line. With this `lr` the weight is still on its way
# when the epochs are over. And the closer it is, the smaller the gradients get, and the smaller its steps.

# %% [markdown] when="0.01 <= abs(missing) < 4" lang="zh"
# 它给出 {{ answer }}，离直线上的 8 还差 {{ missing }}。用这个 `lr`，各轮跑完时权重还在半路上。
# 而且越接近，梯度越小，步子也越小。

# %% [markdown] when="not abs(missing) < 4" lang="en"
# It says {{ answer }}, which is nowhere near the 8 of the line. With an `lr` this large each epoch carries the weight
# further past the right one than it was before, and the gradients grow with the distance. The loss grows
# instead of falling.

# %% [markdown] when="not abs(missing) < 4" lang="zh"
# 它给出 {{ answer }}，离直线上的 8 差得太远。`lr` 这么大，每一轮都让权重越过正确的值，而且一次比一次远，
# 梯度也跟着变大。损失没有下降，反而越来越大。


# %% [markdown] front="screen" lang="en"
# Go back with `B`, from one backward pass to the one before; inside of the loop `{` and `}` go from iteration to
# iteration.
#
# `Tab` to the chart and make it large with `z`: it has teeth. Each epoch goes through three samples, and each has its
# own loss.

# %% [markdown] front="screen" lang="zh"
# 用 `B` 往回走，一次反向传播接一次反向传播；到了循环里，`{` 和 `}` 在各次迭代之间跳。
#
# 用 `Tab` 走到图表，按 `z` 放大：上面还有锯齿。每一轮要过三个样本，每个样本的损失各不相同。

# %% [markdown] front="plain" lang="en"
# Go back with a capital B, from one backward pass to the one before; inside of the loop the word iteration goes to the
# next iteration. Each epoch goes through three samples, and each has its own loss: it goes up and down within an epoch.

# %% [markdown] front="plain" lang="zh"
# 用大写的 B 往回走，一次反向传播接一次反向传播；到了循环里，输入 iteration 走到下一次迭代。
# 每一轮要过三个样本，每个样本的损失各不相同，所以在一轮之内，损失有高有低。

# %% [markdown] lang="en"
# Press `k` and try an `lr` of 0.0001, then one of 0.3. The first is still on its way when the epochs are over; the
# second steps over the goal each time, and the loss grows until it is no number any more (`nan`).

# %% [markdown] lang="zh"
# 按 `k`，先把 `lr` 改成 0.0001，再改成 0.3。前一个跑完各轮还在半路上；
# 后一个每一步都跨过头，损失越来越大，直到不再是个数（`nan`）。

# %% [markdown] lang="en"
# These four steps are in every training loop: the **loss** of the forward pass, the **backward** pass, the **update**,
# and the gradient **cleared**. Write them yourself, from an empty cell: one epoch over `samples` for the weight `v`
# below, with the learning rate `rate`. Press `e`.

# %% [markdown] lang="zh"
# 每个训练循环里都有这四步：前向计算出**损失**、**反向传播**、**更新**、梯度**清零**。
# 从空白的单元格开始，自己写一遍：对下面的权重 `v`，用学习率 `rate`，在 `samples` 上跑一轮。按 `e`。

# %%
v = torch.tensor(1.0, requires_grad=True)
rate = 0.02

# %% tags=["exercise"] id="four-steps" kind="write"
# for each x, target of samples: loss, backward, update, clear

# %% [markdown] tags=["hint"] lang="en"
# The loop of the first epoch is above. The loss is `(v * x - target) ** 2`.

# %% [markdown] tags=["hint"] lang="zh"
# 第一轮的循环就在上面。损失是 `(v * x - target) ** 2`。

# %% [markdown] tags=["hint"] lang="en"
# The update goes under `with torch.no_grad():`, and subtracts `rate * v.grad`. Then `v.grad.zero_()`.

# %% [markdown] tags=["hint"] lang="zh"
# 更新写在 `with torch.no_grad():` 下面，减去 `rate * v.grad`。然后 `v.grad.zero_()`。

# %% tags=["solution"]
v = torch.tensor(1.0, requires_grad=True)
for x, target in samples:
    loss = (v * x - target) ** 2
    loss.backward()
    with torch.no_grad():
        v -= rate * v.grad
    v.grad.zero_()

# %% tags=["check"]
right = plus = kept = 1.0
carried = 0.0
for x, target in samples:
    right -= rate * 2 * (right * x - target) * x
    plus += rate * 2 * (plus * x - target) * x
    carried += 2 * (kept * x - target) * x
    kept -= rate * carried
once = 1.0 - rate * sum(2 * (x - target) * x for x, target in samples)
assert getattr(v, "is_leaf", False), {
    "en": "v is no leaf any more: `v = v - …` makes a new tensor. Write into it with `v -= …`, under torch.no_grad().",
    "zh": "v 不再是叶子节点：`v = v - …` 会新建张量。在 torch.no_grad() 之下用 `v -= …` 写进去。",
}
now = v.item()
assert now != 1 or v.grad is None, {
    "en": "A gradient has come to v, but v is still 1: the update is missing.",
    "zh": "v 有了梯度，可 v 还是 1：缺了更新这一步。",
}
assert now != 1, {
    "en": "v is still 1, and no gradient has come to it: nothing is written yet, or there is no backward pass.",
    "zh": "v 还是 1，也没有梯度传来：要么还没写，要么缺了反向传播。",
}
assert abs(now - plus) > 1e-4, {
    "en": f"v went to {now:.4f}, uphill: the update subtracts the gradient.",
    "zh": f"v 走到了 {now:.4f}，是上坡：更新要减去梯度。",
}
assert abs(now - kept) > 1e-4, {
    "en": f"v is {now:.4f}: that is what comes out if the gradient is never cleared.",
    "zh": f"v 是 {now:.4f}：梯度从不清零才会得到它。",
}
assert abs(now - once) > 1e-4, {
    "en": f"v is {now:.4f}: one update for all samples together. Update after each sample.",
    "zh": f"v 是 {now:.4f}：所有样本只更新了一次。每个样本之后都要更新。",
}
assert abs(now - right) < 1e-4, {
    "en": f"v is {now:.4f}, and one epoch from 1 leads to {right:.4f}.",
    "zh": f"v 是 {now:.4f}，而从 1 开始跑一轮应当到 {right:.4f}。",
}
