# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "A curve, and a bug hunt"
#       zh: "一条曲线，一次捉虫"
#     summary:
#       en: "Three parameters, a program that runs without an error, and two mistakes in it."
#       zh: "三个参数，一个不报错的程序，里面藏着两个错误。"
#     topics:
#       en: [partial derivatives, debugging, item()]
#       zh: [偏导数, 调试, item()]
# ---

# %% [markdown] lang="en"
# A model may bend: `w1 * x ** 2 + w2 * x + b` is a **quadratic**. It has three parameters, and each gets a different
# gradient from the same error. Our three points still lie on the old straight line; the model should come as near to
# it as it can.
#
# Make the cell below run, and look at its gradients: they are for the input 3.

# %% [markdown] lang="zh"
# 模型也可以是曲线：`w1 * x ** 2 + w2 * x + b` 是**二次函数**。它有三个参数，同一个误差给每个参数各自的梯度。
# 三个点还在原来那条直线上，模型要尽量靠近它。
#
# 走完下面的单元格，看看梯度：这是输入 3 的。

# %%
import torch

samples = [(1.0, 2.0), (2.0, 4.0), (3.0, 6.0)]
start = 2.0  # @param {type: number, min: -1, max: 4, step: 1}
w1 = torch.tensor([1.0], requires_grad=True)
w2 = torch.tensor([1.0], requires_grad=True)
b = torch.tensor([start], requires_grad=True)


def forward(x):
    return w1 * x**2 + w2 * x + b


loss = (forward(3.0) - 6.0) ** 2
loss.backward()

# %% [markdown] question="predict" of="w1.grad.item() / w2.grad.item()" lang="en"
# The same error, three different gradients. Each is a **partial derivative**: how far the output moves when only
# *that* parameter does.
#
# We do it again, with the gradients cleared, for the input 2. How many times as large as `w2.grad` will `w1.grad` be?

# %% [markdown] question="predict" of="w1.grad.item() / w2.grad.item()" lang="zh"
# 误差相同，三个梯度却不同。每个梯度都是一个**偏导数**：只有*这个*参数变动一点时，输出变动多少。
#
# 清掉梯度，用输入 2 再来一次。`w1.grad` 会是 `w2.grad` 的多少倍？

# %% [markdown] wrong="1.0" lang="en"
# They would be equal only for an input of 1: `w1` is multiplied by the square of the input.

# %% [markdown] wrong="1.0" lang="zh"
# 只有输入为 1 时二者才相等：`w1` 乘的是输入的平方。

# %% [markdown] wrong="w1.grad / b.grad" lang="en"
# That is `w1.grad` compared with `b.grad`. `w2` is multiplied by the input, too.

# %% [markdown] wrong="w1.grad / b.grad" lang="zh"
# 那是 `w1.grad` 与 `b.grad` 之比。`w2` 也要乘以输入。

# %%
w1.grad = w2.grad = b.grad = None
loss = (forward(2.0) - 4.0) ** 2
loss.backward()

# %% [markdown] lang="en"
# `w1.grad` is {{ w1.grad.item() }} and `w2.grad` is {{ w2.grad.item() }}. One is multiplied by the square of the
# input, the other by the input itself, so their ratio is the input.
#
# Below is the whole training, and it has **two mistakes**. Neither raises an error while it trains. You have two
# clues:
#
# - it prints `w1` and `w2`, and they are the same to the last digit, though their gradients never were after the first
#   sample;
# - its last line should print the answer for 4, and cannot.
#
# Where does `w2` go wrong? Walk to its update with `n`, and read the explaining line. Then press `e`.

# %% [markdown] lang="zh"
# `w1.grad` 是 {{ w1.grad.item() }}，`w2.grad` 是 {{ w2.grad.item() }}。一个乘的是输入的平方，一个乘的是输入本身，
# 所以倍数就是输入。（只有输入是 1 时，两者才相等。）
#
# 下面是完整的训练，里面有**两个错误**。训练过程中，它们都不会报错。给你两条线索：
#
# - 打印出来的 `w1` 和 `w2` 一位不差，可是从第二个样本起，它们的梯度就不一样了；
# - 最后一行想打印对 4 的回答，却打印不出来。
#
# `w2` 是在哪里出错的？用 `n` 走到更新它的那一行，读一读解释。然后按 `e`。

# %% tags=["exercise"] id="two-bugs" kind="bug"
w1 = torch.tensor([1.0], requires_grad=True)
w2 = torch.tensor([1.0], requires_grad=True)
b = torch.tensor([start], requires_grad=True)

for epoch in range(100):
    for x, target in samples:
        loss = (forward(x) - target) ** 2
        loss.backward()
        with torch.no_grad():
            w1 -= 0.01 * w1.grad
            w2 -= 0.01 * w1.grad
            b -= 0.01 * b.grad
        for parameter in (w1, w2, b):
            parameter.grad.zero_()

print(f"w1 {w1.item():.6f}, w2 {w2.item():.6f}, loss {loss.item():.7f}")
answer = forward(4).item
try:
    print(f"4 gives {answer:.5f}")
except TypeError as error:
    print(error)

# %% [markdown] tags=["hint"] lang="en"
# Read the three update lines, name by name. And look for what is missing at the end of the line with `answer`.

# %% [markdown] tags=["hint"] lang="zh"
# 逐个名字读一遍更新的三行。再看看 `answer` 那一行的末尾少了什么。

# %% [markdown] tags=["hint"] lang="en"
# `w2` is moved by the gradient of `w1`: a copied line, half changed. And `item` without `()` is the method itself, not
# what it returns.

# %% [markdown] tags=["hint"] lang="zh"
# `w2` 是按 `w1` 的梯度更新的：复制了一行，只改了一半。还有，`item` 不带 `()` 就是方法本身，不是它返回的数。

# %% tags=["solution"]
w1 = torch.tensor([1.0], requires_grad=True)
w2 = torch.tensor([1.0], requires_grad=True)
b = torch.tensor([start], requires_grad=True)

for epoch in range(100):
    for x, target in samples:
        loss = (forward(x) - target) ** 2
        loss.backward()
        with torch.no_grad():
            w1 -= 0.01 * w1.grad
            w2 -= 0.01 * w2.grad
            b -= 0.01 * b.grad
        for parameter in (w1, w2, b):
            parameter.grad.zero_()

print(f"w1 {w1.item():.6f}, w2 {w2.item():.6f}, loss {loss.item():.7f}")
answer = forward(4).item()
try:
    print(f"4 gives {answer:.5f}")
except TypeError as error:
    print(error)

# %% tags=["check"]
right = [1.0, 1.0, float(start)]
for epoch in range(100):
    for x, target in samples:
        twice = 2 * (right[0] * x * x + right[1] * x + right[2] - target)
        right = [right[0] - 0.01 * twice * x * x, right[1] - 0.01 * twice * x, right[2] - 0.01 * twice]
assert w1.item() != w2.item(), {
    "en": f"w1 and w2 are still equal, {w1.item():.6f} both. Whose gradient moves w2?",
    "zh": f"w1 和 w2 还是相等，都是 {w1.item():.6f}。w2 是按哪个参数的梯度更新的？",
}
mine = [w1.item(), w2.item(), b.item()]
wrong = [name for name, here, there in zip(("w1", "w2", "b"), mine, right, strict=True) if abs(here - there) > 1e-3]
assert not wrong, {
    "en": (
        f"{wrong[0]} is off: w1, w2 and b should be {right[0]:.4f}, {right[1]:.4f} and {right[2]:.4f}, "
        f"and are {mine[0]:.4f}, {mine[1]:.4f} and {mine[2]:.4f}."
    ),
    "zh": (
        f"{wrong[0]} 不对：w1、w2 和 b 应当是 {right[0]:.4f}、{right[1]:.4f} 和 {right[2]:.4f}，"
        f"现在是 {mine[0]:.4f}、{mine[1]:.4f} 和 {mine[2]:.4f}。"
    ),
}
assert not callable(answer), {
    "en": "The training is right now. `answer` is still a method: call it, with ().",
    "zh": "训练部分已经对了。`answer` 还是一个方法：调用它，加上 ()。",
}
number = answer.item() if isinstance(answer, torch.Tensor) else answer
want = 16 * right[0] + 4 * right[1] + right[2]
assert abs(number - want) < 1e-3, {
    "en": f"The answer for 4 should be {want:.5f}, and is {number:.5f}.",
    "zh": f"对 4 的回答应当是 {want:.5f}，现在是 {number:.5f}。",
}

# %% [markdown] lang="en"
# Compare the losses that it printed before and now: the wrong update made it only a little worse. **Backward was
# right all the time**; the gradient was there, and was given to the wrong parameter. Such a mistake never fails, it
# only learns worse, and you find it by looking at the numbers of one step.
#
# And yet the answer for 4 is not 8. Three points leave three parameters much room: a curve can pass near all of them
# and leave the line further out. Press `k`, set `start` to 1, and see how much depends on the start.

# %% [markdown] lang="zh"
# 比较一下修改前后打印的损失：更新写错了，也只是差了一点。**反向传播始终是对的**，
# 梯度就在那里，只是给错了参数。这样的错误不会报错，只会学得差一些，要靠盯着一步的数字才能发现。
#
# 不过，对 4 的回答仍然不是 8。三个点给三个参数留下很大的余地：
# 曲线可以从三个点旁边经过，到了更远处就离开直线。
# 按 `k`，把 `start` 设成 1，看看起点有多大的影响。

# %% [markdown] lang="en"
# One thing is left that a program cannot do for you: **draw** the graph of this model, on paper or as a list. Below,
# the model is computed one operation at a time. For each result write down what it was computed from directly, but
# only what has a place in the graph: tensors that require grad. The first line is done. Press `e`.

# %% [markdown] lang="zh"
# 还有一件事要你自己来做：把这个模型的计算图**画**出来，画在纸上，或者写成列表。下面一次只算一个运算。
# 为每个结果写出它直接由什么算出，只写在计算图里有位置的：需要梯度的张量。第一行已经写好。按 `e`。

# %% tags=["exercise"] id="draw" kind="fill"
x, target = 3.0, 6.0
bent = w1 * x**2
straight = w2 * x
both = bent + straight
output = both + b
error = output - target
loss = error**2

graph = {
    "loss": ["error"],
    "error": [],
    "output": [],
    "both": [],
    "straight": [],
    "bent": [],
}

# %% [markdown] tags=["hint"] lang="en"
# Go line by line. In `error = output - target` the target is a number of your data: it requires no gradient.

# %% [markdown] tags=["hint"] lang="zh"
# 一行一行看。在 `error = output - target` 里，target 是数据里的数，不需要梯度。

# %% [markdown] tags=["hint"] lang="en"
# Each sum has two inputs: `"output": ["both", "b"]`, `"both": ["bent", "straight"]`. Each product has one, its weight.

# %% [markdown] tags=["hint"] lang="zh"
# 每个加法有两个输入：`"output": ["both", "b"]`，`"both": ["bent", "straight"]`。每个乘法只有一个：它的权重。

# %% tags=["solution"]
x, target = 3.0, 6.0
bent = w1 * x**2
straight = w2 * x
both = bent + straight
output = both + b
error = output - target
loss = error**2

graph = {
    "loss": ["error"],
    "error": ["output"],
    "output": ["both", "b"],
    "both": ["bent", "straight"],
    "straight": ["w2"],
    "bent": ["w1"],
}

# %% tags=["check"]
made_by = {"loss": loss, "error": error, "output": output, "both": both, "straight": straight, "bent": bent}
leaves = {"w1": w1, "w2": w2, "b": b}


def name_of(node):
    results = [name for name, tensor in made_by.items() if tensor.grad_fn is node]
    return (results or [name for name, tensor in leaves.items() if getattr(node, "variable", None) is tensor])[0]


drawn = {name: sorted(graph.get(name, [])) for name in made_by}
real = {
    name: sorted(name_of(node) for node, _ in tensor.grad_fn.next_functions if node is not None)
    for name, tensor in made_by.items()
}
empty = [name for name, inputs in drawn.items() if not inputs]
assert not empty, {
    "en": f"There is nothing yet for {', '.join(empty)}.",
    "zh": f"{'、'.join(empty)} 还空着。",
}
data = [name for name, inputs in drawn.items() if {"x", "target"} & set(inputs)]
assert not data, {
    "en": f"{data[0]}: x and target are data. They require no gradient, so they are no nodes of the graph.",
    "zh": f"{data[0]}：x 和 target 是数据里的数，不需要梯度，所以不是计算图的节点。",
}
reversed_ones = [name for name in made_by if any(name in real.get(other, []) for other in drawn[name])]
assert not reversed_ones, {
    "en": f"{reversed_ones[0]}: the direction is reversed. Write what it was computed from, not what uses it.",
    "zh": f"{reversed_ones[0]}：方向反了。要写它由什么算出，不是写什么用到了它。",
}
wrong = [name for name in made_by if drawn[name] != real[name]]
assert not wrong, {
    "en": f"{wrong[0]} was computed from {len(real[wrong[0]])} such tensors, and you have {drawn[wrong[0]]}.",
    "zh": f"{wrong[0]} 由 {len(real[wrong[0]])} 个这样的张量算出，你写的是 {drawn[wrong[0]]}。",
}

# %% [markdown] lang="en"
# This is the list that autograd walks, from `loss` down: `loss.grad_fn.next_functions` has the same names in its
# language. The graph is a picture of it.

# %% [markdown] lang="zh"
# 反向传播就沿着这份清单，从 `loss` 往下走：`loss.grad_fn.next_functions` 用自己的叫法列出同样的内容。
# 计算图把它画成了图。
