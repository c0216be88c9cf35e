# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "The chain rule"
#       zh: "链式法则"
#     summary:
#       en: "Three weights in a row and a relu: a gradient by hand, factor by factor, and again with one sign changed."
#       zh: "三个权重一个接一个，中间有个 relu：把梯度一个因子一个因子地算出来，再换一个符号看看。"
#     order: 60
#     topics:
#       en: [chain rule, local derivative, relu]
#       zh: [链式法则, 局部导数, relu]
# ---

# %% [markdown] lang="en"
# Three weights, one after the other, and a **relu** between them: it lets positive numbers pass as they are, and turns
# negative ones into zero. This is a network with one neuron in each layer.
#
# Step through the forward pass, and keep the values of `h`, `a` and `y` in mind. You will need them.

# %% [markdown] lang="zh"
# 三个权重一个接一个，中间有一个 **relu**：正数原样通过，负数变成零。这就是每层只有一个神经元的网络。
#
# 先做一遍前向计算，记住 `h`、`a` 和 `y` 的值，等会儿要用。

# %%
import torch

x, t = torch.tensor(2.0), torch.tensor(1.0)
w1 = torch.tensor(3.0, requires_grad=True)
w2 = torch.tensor(4.0, requires_grad=True)
w3 = torch.tensor(5.0, requires_grad=True)

h = w1 * x
a = torch.relu(w2 * h)
y = w3 * a
loss = (y - t) ** 2

# %% [markdown] question="predict" of="w1.grad" vary="w2: [3, 6]; w3: [4, 5]" lang="en"
# The loss is {{ loss.item() }}. Before PyTorch does it, go by hand from the loss back to `w1`, with one derivative
# for each operation on the way.
#
# - the square: `2 * (y - t)`
# - `w3 * a` with respect to `a`: the other factor
# - relu: 1 where its input is positive
# - `w2 * h` with respect to `h`, and `w1 * x` with respect to `w1`
#
# Multiply them all. What will `w1.grad` be?

# %% [markdown] question="predict" of="w1.grad" vary="w2: [3, 6]; w3: [4, 5]" lang="zh"
# 损失是 {{ loss.item() }}。先自己动手算，再让 PyTorch 算：从损失往回走到 `w1`，路上每个运算写下一个导数。
#
# - 平方：`2 * (y - t)`
# - `w3 * a` 对 `a` 的偏导数：另一个因子
# - relu：输入为正时导数是 1
# - `w2 * h` 对 `h` 的偏导数；`w1 * x` 对 `w1` 的偏导数
#
# 全部乘起来。`w1.grad` 会是多少？

# %% [markdown] wrong="w1.grad / w2" lang="en"
# You left out `w2`: the step from `w2 * h` back to `h` multiplies by it.

# %% [markdown] wrong="w1.grad / w2" lang="zh"
# 漏了 `w2`：从 `w2 * h` 回到 `h`，要乘以它。

# %% [markdown] wrong="w1.grad / w2 / x" lang="en"
# You stopped at `a`: that is the gradient which arrives there. It goes on through relu, `w2 * h` and `w1 * x`.

# %% [markdown] wrong="w1.grad / w2 / x" lang="zh"
# 停在了 `a`：这是传到那里的梯度。它还要经过 relu、`w2 * h` 和 `w1 * x`。

# %% [markdown] wrong="w1.grad / x" lang="en"
# One factor of 2 is missing: the 2 of the square, or `x` in the last step.

# %% [markdown] wrong="w1.grad / x" lang="zh"
# 少了一个因子 2：平方带来的 2，或者最后一步的 `x`。

# %% [markdown] wrong="w1.grad / w3" lang="en"
# You left out `w3`: the step from `w3 * a` back to `a` multiplies by it.

# %% [markdown] wrong="w1.grad / w3" lang="zh"
# 漏了 `w3`：从 `w3 * a` 回到 `a`，要乘以它。

# %%
loss.backward()

# %% [markdown] question="predict" of="v2.grad" lang="en"
# It is {{ w1.grad.item() }}. That is the **chain rule**: along a path the local derivatives are multiplied, and each
# node needs to know only its own. Go back and walk the pass once more, one factor at a step. What arrives at a node
# has all the earlier factors in it already.
#
# Now a second network, the same but for one sign: its middle weight `v2` is negative. What will `v2.grad` be? Compute
# its forward pass first.

# %% [markdown] question="predict" of="v2.grad" lang="zh"
# 是 {{ w1.grad.item() }}。这就是**链式法则**：沿着一条路，局部的导数相乘，每个节点只需要知道自己的那一个。
# 退回去，把这次反向传播再走一遍，一步就是一个因子。到达某个节点的梯度，已经包含了前面所有的因子。
#
# 再看第二个网络，只有一个符号不同：中间的权重 `v2` 是负的。`v2.grad` 会是多少？先把它的前向计算做一遍。

# %% [markdown] wrong="-w2.grad" lang="en"
# That is the number of the first network with another sign. Here the input of relu is negative, and its derivative is
# 0 there.

# %% [markdown] wrong="-w2.grad" lang="zh"
# 那是第一个网络的数换了符号。这里 relu 的输入是负的，导数是 0。

# %% [markdown] wrong="w2.grad" lang="en"
# That is the number of the first network. Here the input of relu is negative, and its derivative is 0 there.

# %% [markdown] wrong="w2.grad" lang="zh"
# 那是第一个网络的数。这里 relu 的输入是负的，导数是 0。

# %% [markdown] wrong="2 * (v3 * b - t) * v3 * v1 * x" lang="en"
# The forward pass is right: relu gives 0. But the derivative of relu is a factor too, and it is 0 here.

# %% [markdown] wrong="2 * (v3 * b - t) * v3 * v1 * x" lang="zh"
# 前向计算是对的：relu 输出 0。但 relu 的导数也是一个因子，在这里是 0。

# %% [markdown] wrong="2 * (v3 * v2 * v1 * x - t) * v3 * v1 * x" lang="en"
# That is the gradient without relu. Its input is negative here, so its output is 0, and its derivative is 0 as well.

# %% [markdown] wrong="2 * (v3 * v2 * v1 * x - t) * v3 * v1 * x" lang="zh"
# 那是没有 relu 时的梯度。这里它的输入是负的，所以输出是 0，导数也是 0。

# %%
v1 = torch.tensor(3.0, requires_grad=True)
v2 = torch.tensor(-4.0, requires_grad=True)
v3 = torch.tensor(5.0, requires_grad=True)

b = torch.relu(v2 * (v1 * x))
second_loss = (v3 * b - t) ** 2
second_loss.backward()

# %% [markdown] lang="en"
# It is {{ v2.grad.item() }}. The input of relu was negative, and there its derivative is zero. One factor of zero
# makes the whole product zero. The network is wrong, and yet no weight will move: such a neuron is called **dead**.
# (Python may print it as `-0.0`: that is zero too, with the sign of a negative factor.)
#
# Below is a backward pass written by hand. It is right for the first network, and wrong for the second. Find the line
# and fix it: press `e`.

# %% [markdown] lang="zh"
# 是 {{ v2.grad.item() }}。这里 relu 的输入为负，而它在负半轴导数为 0。
# 乘积里只要有一个因子是零，整个就是零。网络明明答错了，权重却一个也不会动，
# 这样的神经元叫作**死掉**的神经元。（Python 可能把它显示成 `-0.0`：那也是零，负号来自负的因子。）
#
# 下面是手写的反向传播。它对第一个网络是对的，对第二个就错了。找到那一行，把它改好：按 `e`。


# %% tags=["exercise"] id="by-hand" kind="bug"
def gradients(w1, w2, w3, x=2.0, t=1.0):
    """What the gradients of w1, w2 and w3 should be."""
    h = w1 * x
    z = w2 * h
    a = max(z, 0.0)  # relu
    y = w3 * a

    to_y = 2 * (y - t)
    to_a = to_y * w3
    to_z = to_a * 1.0
    to_h = to_z * w2
    return to_h * x, to_z * h, to_y * a


print("the second network:", gradients(3.0, -4.0, 5.0))

# %% [markdown] tags=["hint"] lang="en"
# Compare with your five derivatives from above. Which of the lines that begin with `to_` belongs to relu?

# %% [markdown] tags=["hint"] lang="zh"
# 和上面那五个导数对照一下。以 `to_` 开头的几行里，哪一行是 relu 的？

# %% [markdown] tags=["hint"] lang="en"
# The derivative of relu is not always one. It depends on its input, and that is `z`.

# %% [markdown] tags=["hint"] lang="zh"
# relu 的导数并不总是 1，要看它的输入，也就是 `z`。


# %% tags=["solution"]
def gradients(w1, w2, w3, x=2.0, t=1.0):
    """What the gradients of w1, w2 and w3 should be."""
    h = w1 * x
    z = w2 * h
    a = max(z, 0.0)  # relu
    y = w3 * a

    to_y = 2 * (y - t)
    to_a = to_y * w3
    to_z = to_a * (1.0 if z > 0 else 0.0)
    to_h = to_z * w2
    return to_h * x, to_z * h, to_y * a


print("the second network:", gradients(3.0, -4.0, 5.0))

# %% tags=["check"]
for name, network in (("first", (w1, w2, w3)), ("second", (v1, v2, v3))):
    mine = gradients(*(weight.item() for weight in network))
    assert isinstance(mine, tuple | list), {
        "en": f"`gradients` must return three numbers, one for each weight. It returns {mine}.",
        "zh": f"`gradients` 应当返回三个数，每个权重一个。它返回的是 {mine}。",
    }
    right = [weight.grad.item() for weight in network]
    for place, (here, there) in enumerate(zip(mine, right, strict=True), 1):
        assert abs(here - there) <= 1e-3 * abs(there), {
            "en": (
                f"The {name} network: for weight {place} you have {here + 0.0:g}, autograd has {there + 0.0:g}. "
                + ("Its relu was fed a negative number." if name == "second" else "It was right before.")
            ),
            "zh": (
                f"第{'二' if name == 'second' else '一'}个网络：第 {place} 个权重，"
                f"你算得 {here + 0.0:g}，autograd 是 {there + 0.0:g}。"
                + ("进入它的 relu 的是负数。" if name == "second" else "这里原来是对的。")
            ),
        }

# %% [markdown] lang="en"
# And in which order did the nodes of the first network run, in the backward pass from its loss? Put them in order:
# press `e`, then `Shift` and an arrow move a line.

# %% [markdown] lang="zh"
# 第一个网络从损失开始反向传播时，各个节点是按什么次序执行的？排一排：按 `e`，再用 `Shift` 加方向键移动一行。

# %% tags=["exercise"] id="in-order" kind="order"
order = ["w1 * x", "w2 * h", "relu", "w3 * a", "- t", "** 2"]

# %% [markdown] tags=["hint"] lang="en"
# The pass begins where the forward pass ended.

# %% [markdown] tags=["hint"] lang="zh"
# 反向传播从前向计算结束的地方开始。

# %% [markdown] tags=["hint"] lang="en"
# Go to the first backward pass: `g`, then `pass 1`. Read the nodes as they come.

# %% [markdown] tags=["hint"] lang="zh"
# 按 `g`，输入 `pass 1`，去到第一次反向传播，看看节点依次是哪些。

# %% tags=["solution"]
order = ["** 2", "- t", "w3 * a", "relu", "w2 * h", "w1 * x"]

# %% tags=["check"]
texts = {"PowBackward0": ["** 2"], "SubBackward0": ["- t"], "ReluBackward0": ["relu"]}
texts["MulBackward0"] = ["w3 * a", "w2 * h", "w1 * x"]
ran, node = [], loss.grad_fn
while node is not None and "Accumulate" not in node.name():
    ran.append(texts[node.name()].pop(0))
    inputs = [input for input, _ in node.next_functions if input is not None]
    node = next((input for input in inputs if "Accumulate" not in input.name()), None)
assert order != ran[::-1], {
    "en": "That is the forward pass. The backward pass goes the other way round.",
    "zh": "那是前向计算的次序。反向传播是反过来的。",
}
assert order[0] == ran[0], {
    "en": f"`{order[0]}` is not the first: the pass begins at the loss, with the operation that made it.",
    "zh": f"`{order[0]}` 不是第一个：反向传播从损失开始，先执行算出它的那个运算。",
}
place = next((place for place, pair in enumerate(zip(order, ran, strict=True)) if pair[0] != pair[1]), None)
assert place is None, {
    "en": f"Up to `{ran[(place or 1) - 1]}` it is right. After it comes the node that computed its input.",
    "zh": f"到 `{ran[(place or 1) - 1]}` 为止都对。接下来是算出它的输入的那个节点。",
}
