# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "A line with a bias"
#       zh: "带偏置的直线"
#     summary:
#       en: "A second parameter, and the same four steps. How well do two learn together?"
#       zh: "多一个参数，还是那四步。两个参数一起学，效果怎样？"
#     order: 90
#     topics:
#       en: [weight, bias, parameters, update]
#       zh: [权重, 偏置, 参数, 更新]
# ---

# %% [markdown] question="predict" of="b.grad" vary="w: [2, 3]; b: [1, -5]" lang="en"
# The same three points, and a model with one more parameter: `w * x + b`. `b` is the **bias**, the height of the line
# where the input is 0. Our points need none, but the model does not know that, and `b` starts at 2.
#
# Before we train, look at one sample: for the input 3 we want 6. The weight's gradient is twice the error times the
# input. The bias has no input: when it moves, the output moves just as far.
#
# What will `b.grad` be?

# %% [markdown] question="predict" of="b.grad" vary="w: [2, 3]; b: [1, -5]" lang="zh"
# 还是那三个点，模型多了一个参数：`w * x + b`。`b` 叫作**偏置**，就是输入为 0 时直线的高度。
# 我们的点其实用不着它，可是模型不知道，`b` 从 2 开始。
#
# 训练之前先看一个样本：输入 3，应当得到 6。权重的梯度是误差的两倍再乘以输入。
# 偏置没有输入：它动多少，输出就动多少。
#
# `b.grad` 会是多少？

# %% [markdown] wrong="w.grad" lang="en"
# That is the gradient of `w`: you gave the bias an input.

# %% [markdown] wrong="w.grad" lang="zh"
# 那是 `w` 的梯度：你给偏置也乘上了输入。

# %% [markdown] wrong="-b.grad" lang="en"
# Only the sign is wrong: the error is output minus target.

# %% [markdown] wrong="-b.grad" lang="zh"
# 只差一个符号：误差是输出减去目标。

# %% [markdown] wrong="b.grad / 2" lang="en"
# The 2 is missing that comes from the square.

# %% [markdown] wrong="b.grad / 2" lang="zh"
# 少了平方带来的 2。

# %%
import torch

samples = [(1.0, 2.0), (2.0, 4.0), (3.0, 6.0)]
w = torch.tensor([1.0], requires_grad=True)
b = torch.tensor([2.0], requires_grad=True)


def forward(x):
    return w * x + b


loss = (forward(3.0) - 6.0) ** 2
loss.backward()

# %% [markdown] question="choice" of="1 if abs(answer - 8) < 0.0001 else 2" lang="en"
# It is {{ b.grad.item() }}, twice the error, while `w.grad` is {{ w.grad.item() }}: the input makes the difference.
# In the graph the gradient passes the addition unchanged, once to `b`, once on towards `w`.
#
# Now the training. Without a bias, 100 epochs brought the answer for 4 to within a hundred-thousandth of 8. Here are
# 500 epochs. Will the answer be as close?
#
# 1. yes: five times as many epochs are plenty
# 2. no: it will still be further off

# %% [markdown] question="choice" of="1 if abs(answer - 8) < 0.0001 else 2" lang="zh"
# 是 {{ b.grad.item() }}，误差的两倍；而 `w.grad` 是 {{ w.grad.item() }}，差别就在输入。
# 在图里，梯度原样通过加法，一份给 `b`，一份继续传向 `w`。
#
# 现在开始训练。没有偏置的时候，100 轮之后，对 4 的回答与 8 相差不到十万分之一。
# 这里有 500 轮。会有那么接近吗？
#
# 1. 会：轮数是五倍，足够了
# 2. 不会：还差得更远

# %%
lr = 0.01  # @param {type: number, min: 0.001, max: 0.08, step: 0.001}
w.grad.zero_()
b.grad.zero_()

for epoch in range(500):
    for x, target in samples:
        loss = (forward(x) - target) ** 2
        loss.backward()
        with torch.no_grad():
            w -= lr * w.grad
            b -= lr * b.grad
        w.grad.zero_()
        b.grad.zero_()
answer = round(forward(4).item(), 5)
print("after training: 4 gives", answer)

# %% [markdown] when="not abs(answer - 8) < 0.0001 and loss.item() < 0.01" lang="en"
# It is {{ answer }}, with `w` at {{ w.item() }} and `b` at {{ b.item() }}. Press `c` on `b` in the table to see its
# whole way. A weight that is a little too small and a bias that is a little too large **make up for each other** at our
# three points, so the loss is tiny ({{ loss.item() }}), and the gradients are nearly zero. At 4, further out, they no
# longer do.

# %% [markdown] when="not abs(answer - 8) < 0.0001 and loss.item() < 0.01" lang="zh"
# 是 {{ answer }}，此时 `w` 是 {{ w.item() }}，`b` 是 {{ b.item() }}。
# 在表格里的 `b` 上按 `c`，可以看到它走过的整条路。
# 权重小了一点，偏置大了一点，在这三个点上**互相抵消**，所以损失已经很小（{{ loss.item() }}），梯度也几乎为零。
# 到了更远的 4，就抵消不掉了。

# %% [markdown] when="abs(answer - 8) < 0.0001" lang="en"
# It is {{ answer }}, with `w` at {{ w.item() }} and `b` at {{ b.item() }}: with this `lr` five hundred epochs are
# enough. Press `c` on `b` in the table to see its whole way: fast at first, then slower and slower. On that way the
# weight is a little too small and the bias a little too large, and they **make up for each other** at our three points,
# so the loss is tiny, and the gradients are nearly zero. With an `lr` of 0.01 the training ends before they have
# arrived.

# %% [markdown] when="abs(answer - 8) < 0.0001" lang="zh"
# 是 {{ answer }}，此时 `w` 是 {{ w.item() }}，`b` 是 {{ b.item() }}：用这个 `lr`，五百轮够了。
# 在表格里的 `b` 上按 `c`，可以看到它走过的整条路：开头很快，后来越来越慢。
# 一路上权重小了一点，偏置大了一点，在这三个点上**互相抵消**，所以损失很小，梯度也几乎为零。
# `lr` 用 0.01 的话，训练结束时它们还没有到达。

# %% [markdown] when="not abs(answer - 8) < 0.0001 and not loss.item() < 0.01" lang="en"
# It is {{ answer }}, with `w` at {{ w.item() }} and `b` at {{ b.item() }}: with this `lr` even five hundred epochs are
# too few, and the last loss is still {{ loss.item() }}. Press `c` on `b` in the table to see its whole way. The weight
# is too small and the bias too large, and at our three points they partly **make up for each other**. At 4, further
# out, they no longer do.

# %% [markdown] when="not abs(answer - 8) < 0.0001 and not loss.item() < 0.01" lang="zh"
# 是 {{ answer }}，此时 `w` 是 {{ w.item() }}，`b` 是 {{ b.item() }}：用这个 `lr`，五百轮也太少了，
# 最后的损失还有 {{ loss.item() }}。在表格里的 `b` 上按 `c`，可以看到它走过的整条路。
# 权重太小，偏置太大，在这三个点上部分**互相抵消**。到了更远的 4，就抵消不掉了。


# %% [markdown] lang="en"
# Updating and clearing are there twice, once for each parameter. With two hundred parameters you would write them
# once, in a function. Write `update(parameters, lr)` for a list of parameters whose gradients are there, from an empty
# cell: press `e`.

# %% [markdown] lang="zh"
# 两个参数，更新和清零就各写了两遍。要是有两百个，就得写成一个函数了。
# 从空白的单元格开始，写出 `update(parameters, lr)`：给它一列已经有了梯度的参数。按 `e`。

# %% tags=["exercise"] id="update" kind="write"
# update(parameters, lr)

# %% [markdown] tags=["hint"] lang="en"
# Look at the inner loop above: an update under `torch.no_grad()`, then `zero_()`.

# %% [markdown] tags=["hint"] lang="zh"
# 看看上面的内层循环：先在 `torch.no_grad()` 里更新，再 `zero_()`。

# %% [markdown] tags=["hint"] lang="en"
# `parameter -= lr * parameter.grad` writes into the tensor that the model uses. `parameter = parameter - …` would
# make a new tensor, which only this function would see.

# %% [markdown] tags=["hint"] lang="zh"
# `parameter -= lr * parameter.grad` 写进模型正在用的那个张量里。
# `parameter = parameter - …` 则会创建一个新张量，只有这个函数看得到它。


# %% tags=["solution"]
def update(parameters, lr):
    """Moves each one against its gradient, and clears the gradient."""
    for parameter in parameters:
        with torch.no_grad():
            parameter -= lr * parameter.grad
        parameter.grad.zero_()


# %% tags=["check"]
p = torch.tensor([1.0], requires_grad=True)
q = torch.tensor([2.0], requires_grad=True)
((p * 3 + q - 6) ** 2).sum().backward()
try:
    update([p, q], 0.1)
    said = ""
except RuntimeError as error:
    said = str(error)
assert not said, {
    "en": f"PyTorch says: {said} Do the update under torch.no_grad().",
    "zh": f"PyTorch 说：{said} 更新要在 torch.no_grad() 里做。",
}
moved = [round(p.item(), 4), round(q.item(), 4)]
assert moved != [1.0, 2.0], {
    "en": (
        "The parameters have not moved: [1.0, 2.0] before and after. Did you write into the tensor itself, with `-=`?"
    ),
    "zh": "参数没有动：前后都是 [1.0, 2.0]。写进张量本身了吗，用的是 `-=` 吗？",
}
assert moved != [0.4, 1.8], {
    "en": "They moved uphill: go against the gradient, with a minus.",
    "zh": "它们往上坡走了：要逆着梯度走，用减号。",
}
assert moved != [1.6, 2.0], {
    "en": "Only the first parameter has moved. Do it for each one in the list.",
    "zh": "只有第一个参数动了。列表里的每一个都要更新。",
}
assert moved != [7.0, 4.0], {
    "en": "They moved by the whole gradient: `lr` is missing.",
    "zh": "它们走了整个梯度那么远：少了 `lr`。",
}
assert moved == [1.6, 2.2], {
    "en": f"They should be at [1.6, 2.2], and are at {moved}.",
    "zh": f"它们应当到 [1.6, 2.2]，现在到了 {moved}。",
}
left = [None if each.grad is None else each.grad.item() for each in (p, q)]
assert all(grad in (None, 0.0) for grad in left), {
    "en": f"The update is right, but the gradients {left} are still there, and the next pass adds to them.",
    "zh": f"更新是对的，可是梯度 {left} 还在，下一次反向传播会加在上面。",
}
