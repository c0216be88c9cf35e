# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "Freezing a part"
#       zh: "冻结一部分"
#     summary:
#       en: "Training one weight and leaving another as it is: what the pass skips, and how the neurons move."
#       zh: "只训练一个权重，另一个保持不变：反向传播略过了什么，神经元怎样变化。"
#     topics:
#       en: [freezing, requires_grad_, activations]
#       zh: [冻结, requires_grad_, 激活值]
# ---

# %% [markdown] question="predict" of="w1.grad" lang="en"
# When you reuse a trained network, you often train only its last layers, and leave the rest **frozen**. Here are two
# weights in a row, and three neurons: the input, `w1` times it, `w2` times that. Only `w2` should learn.
#
# `requires_grad_(False)` freezes `w1`; its underscore says that it changes the tensor itself. After one backward pass,
# what will `w1.grad` hold?

# %% [markdown] question="predict" of="w1.grad" lang="zh"
# 接手一个训练好的网络时，常常只训练它的末尾，其余部分**冻结**不动。
# 这里有两个权重，一个接一个，共三个神经元：输入、输入乘 `w1`、再乘 `w2`。只让 `w2` 学习。
#
# `requires_grad_(False)` 把 `w1` 冻结，名字末尾的下划线表示它改的是张量本身。
# 一次反向传播之后，`w1.grad` 里会是什么？

# %% [markdown] wrong="0.0" lang="en"
# A zero would mean that a gradient came, and was zero. None came here.

# %% [markdown] wrong="0.0" lang="zh"
# 0 的意思是来过一个为零的梯度。这里没有来过。

# %% [markdown] wrong="w2.grad" lang="en"
# That gradient is the one of `w2`. `w1` would have got the same, were it not frozen.

# %% [markdown] wrong="w2.grad" lang="zh"
# 那是 `w2` 的梯度。`w1` 若没有冻结，得到的也会是它。

# %%
import plotext as plt
import torch
from torch import nn

x, target = torch.tensor(1.0), torch.tensor(2.0)
w1 = torch.tensor(1.0, requires_grad=True)
w2 = torch.tensor(1.0, requires_grad=True)
w1.requires_grad_(False)

hidden = w1 * x
output = w2 * hidden
loss = (output - target) ** 2
loss.backward()

# %% [markdown] question="predict" of="reached[0]" lang="en"
# Nothing, `None`: the pass never went there. Look at the graph: `hidden` is only a number in it, `w1` is not there at
# all, and the pass **ends at `w2`**. What is frozen costs no backward pass; at the start of a large network that
# saves most of the work.
#
# `requires_grad_(False)` is for weights that are there already, such as those of a layer. If you make `w1` yourself,
# leave `requires_grad=True` out: a **plain tensor** is frozen from the start, as in the next cell.
#
# `w2.grad` is {{ w2.grad.item() }}. The optimizer gets only what should learn, `[w2]`, and the `lr` in the code. What
# will `w2` be after the first of 20 epochs?

# %% [markdown] question="predict" of="reached[0]" lang="zh"
# 什么也没有，是 `None`：反向传播根本没有去那里。看看图：`hidden` 在里面只是个普通的数，`w1` 根本没有出现，
# 反向传播**到 `w2` 为止**。冻结的部分不用反向传播；冻结一个大网络的前半部，省下的是大半的工作。
#
# `requires_grad_(False)` 用于已经存在的权重，例如某一层的。`w1` 要是由你自己创建，不写 `requires_grad=True` 就行：
# **普通的张量**从一开始就是冻结的，下一个单元格就这样写。
#
# `w2.grad` 是 {{ w2.grad.item() }}。只把要学的交给优化器：`[w2]`，`lr` 见代码。
# 20 轮里的第一轮之后，`w2` 会是多少？

# %% [markdown] wrong="2 - reached[0]" lang="en"
# An update goes against the gradient: the gradient is negative, so `w2` grows.

# %% [markdown] wrong="2 - reached[0]" lang="zh"
# 更新逆着梯度走：梯度是负的，所以 `w2` 变大。

# %%
lr = 0.01  # @param {type: number, min: 0.001, max: 1, step: 0.001}
w1 = torch.tensor(1.0)
optimizer = torch.optim.SGD([w2], lr=lr)
neurons = {"input": [], "hidden": [], "output": []}
reached, losses = [], []

for epoch in range(20):
    hidden = w1 * x
    output = w2 * hidden
    loss = (output - target) ** 2
    for name, neuron in (("input", x), ("hidden", hidden), ("output", output)):
        neurons[name].append(neuron.item())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    reached.append(w2.item())
    losses.append(loss.item())

    plt.clf()
    for activations in zip(*neurons.values(), strict=True):
        plt.plot([0, 1, 2], activations)
    plt.ylim(0.9, 2.1)
    plt.build()
now = round(reached[0], 4)

# %% [markdown] lang="en"
# {{ now }}. In the end `w2` is {{ w2.item() }}, and the last loss is {{ loss.item() }}. The chart has a line
# for each epoch, from neuron to neuron: 0 is the input, 1 the hidden neuron, 2 the output. The height is the neuron's
# **activation**, the value that it gives. The lines lie on each other from 0 to 1, because `w1` does not change.

# %% [markdown] lang="zh"
# 是 {{ now }}。到最后，`w2` 是 {{ w2.item() }}，最后的损失是 {{ loss.item() }}。
# 图表里每一轮（epoch）画一条线，从一个神经元连到下一个：0 是输入，1 是隐藏层的神经元，2 是输出。
# 高度是神经元的**激活值**，也就是它给出的值。从 0 到 1，各条线叠在一起，因为 `w1` 不变。

# %% [markdown] when="lr <= 0.5 and loss.item() > 0.001" lang="en"
# At 2 they climb. Had `w1` learned too, they would climb at 1 as well, and faster at 2.
#
# Twenty epochs were too few. Press `k` and try `lr` 0.1.

# %% [markdown] when="lr <= 0.5 and loss.item() > 0.001" lang="zh"
# 到了 2，一条比一条高。要是 `w1` 也学习，在 1 处也会一条比一条高，2 处则升得更快。
#
# 二十轮太少了。按 `k`，把 `lr` 设成 0.1 试试。

# %% [markdown] when="lr <= 0.5 and not loss.item() > 0.001" lang="en"
# At 2 they climb, and with this `lr` twenty epochs are enough to bring the output to the target. Had `w1` learned too,
# they would climb at 1 as well.

# %% [markdown] when="lr <= 0.5 and not loss.item() > 0.001" lang="zh"
# 到了 2，一条比一条高，用这个 `lr`，二十轮足以让输出到达目标。要是 `w1` 也学习，在 1 处也会一条比一条高。

# %% [markdown] when="lr > 0.5" lang="en"
# The output swings from one side of the target to the other: with an `lr` this large each step of `w2` goes past the
# goal. Press `k` and try `lr` 0.1.

# %% [markdown] when="lr > 0.5" lang="zh"
# 输出在目标两侧来回摆动：`lr` 这么大，`w2` 的每一步都越过目标。按 `k`，把 `lr` 设成 0.1 试试。


# %% [markdown] lang="en"
# The same with modules. Below, the first layer of a network should be frozen, and it learns all the same. The line that
# should freeze it runs without an error. Fix it: press `e`.

# %% [markdown] lang="zh"
# 换成模块也一样。下面的网络，第一层本该冻结，却照样在学习。用来冻结的那一行并没有报错。
# 改好它：按 `e`。

# %% tags=["exercise"] id="first-layer" kind="bug"
torch.manual_seed(1)
network = nn.Sequential(nn.Linear(1, 2), nn.Linear(2, 1))
before = [p.detach().clone() for p in network.parameters()]

network[0].requires_grad = False

trainer = torch.optim.SGD(network.parameters(), lr=0.01)
for epoch in range(3):
    cost = (network(torch.ones(1, 1)) - 2).pow(2).sum()
    trainer.zero_grad()
    cost.backward()
    trainer.step()
pairs = zip(network.parameters(), before, strict=True)
moved = [not torch.equal(p, b) for p, b in pairs]
print("moved:", moved)

# %% [markdown] tags=["hint"] lang="en"
# `network[0]` is a module, and a module is no tensor. Its attribute `requires_grad` is just a new name, which nothing
# reads.

# %% [markdown] tags=["hint"] lang="zh"
# `network[0]` 是模块，不是张量。给它设 `requires_grad`，只是多了一个没有用处的属性。

# %% [markdown] tags=["hint"] lang="en"
# Freeze each of its parameters in a loop over `network[0].parameters()`, or all at once with
# `network[0].requires_grad_(False)`: with the underscore, and called.

# %% [markdown] tags=["hint"] lang="zh"
# 用循环走遍 `network[0].parameters()`，逐个冻结；或者一次全部冻结：`network[0].requires_grad_(False)`，
# 带下划线，而且要调用。

# %% tags=["solution"]
torch.manual_seed(1)
network = nn.Sequential(nn.Linear(1, 2), nn.Linear(2, 1))
before = [p.detach().clone() for p in network.parameters()]

network[0].requires_grad_(False)

trainer = torch.optim.SGD(network.parameters(), lr=0.01)
for epoch in range(3):
    cost = (network(torch.ones(1, 1)) - 2).pow(2).sum()
    trainer.zero_grad()
    cost.backward()
    trainer.step()
pairs = zip(network.parameters(), before, strict=True)
moved = [not torch.equal(p, b) for p, b in pairs]
print("moved:", moved)

# %% tags=["check"]
changed = [not torch.equal(p, b) for p, b in zip(network.parameters(), before, strict=True)]
assert any(changed), {
    "en": "Now nothing learns at all: freeze the first layer only.",
    "zh": "现在没有参数在学习了：只冻结第一层。",
}
assert not any(changed[:2]), {
    "en": (
        f"{sum(changed[:2])} of the 2 tensors of the first layer (weight, bias) have moved. "
        "Ask its parameters, not the module, to need no gradient."
    ),
    "zh": f"第一层的 2 个张量（权重、偏置）里有 {sum(changed[:2])} 个动了。要让它的参数不需要梯度，而不是让模块。",
}
assert all(changed[2:]), {
    "en": "The second layer should learn, its weight and its bias.",
    "zh": "第二层应当学习，权重和偏置都要。",
}
asked = [p.requires_grad for p in network[0].parameters()]
assert not any(asked), {
    "en": "It does not move, but its gradients are still computed, for nothing. Say requires_grad_(False).",
    "zh": "它不动了，可是梯度还在计算，白费了工夫。请写 requires_grad_(False)。",
}
