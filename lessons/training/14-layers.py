# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "Layers"
#       zh: "现成的层"
#     summary:
#       en: "nn.Linear, many samples at once, and a network of two layers with a relu between."
#       zh: "nn.Linear、一次处理多个样本，以及中间隔着 relu 的两层网络。"
#     order: 190
#     topics:
#       en: [nn.Linear, forward, numel, relu, torch.nn.functional]
#       zh: [nn.Linear, forward, numel, relu, torch.nn.functional]
#     aliases: [training/modules]
# ---

# %% [markdown] question="predict" of="sum(p.numel() for p in linear.parameters())" lang="en"
# A module of your own registers each `nn.Parameter`. For the usual layers that is done already: `nn.Linear(2, 3)` has 2
# inputs and 3 outputs. It holds a matrix of weights, and a bias for each output, both of them parameters.
#
# Call the **model**, `linear(x)`, and not `linear.forward(x)`: the call runs `forward` and also the hooks, functions
# that were registered to run along with it. How many numbers does `linear` learn?

# %% [markdown] question="predict" of="sum(p.numel() for p in linear.parameters())" lang="zh"
# 自己写模块，要把每个权重登记成 `nn.Parameter`。常用的层不必自己写：`nn.Linear(2, 3)` 有 2 个输入、3 个输出，
# 里面是一个权重矩阵，再给每个输出一个偏置，两者都已经是参数。
#
# 要调用**模型**，写 `linear(x)`，不要写 `linear.forward(x)`：调用时不但运行 `forward`，
# 挂在它上面的钩子（调用时一并运行的函数）也会运行。`linear` 一共要学多少个数？

# %% [markdown] wrong="6" lang="en"
# Those are the weights. Each of the 3 outputs has a bias, too.

# %% [markdown] wrong="6" lang="zh"
# 那只是权重。3 个输出还各有一个偏置。

# %% [markdown] wrong="5" lang="en"
# Two inputs and three outputs make six weights: one for each pair.

# %% [markdown] wrong="5" lang="zh"
# 两个输入、三个输出，每一对有一个权重，共六个。

# %%
import torch
from torch import nn

torch.manual_seed(3)
linear = nn.Linear(2, 3)
y = linear(torch.tensor([[1.0, 2.0]]))
y.sum().backward()

# %% [markdown] question="predict" of="list(many.shape)" lang="en"
# The weights have the shape {{ linear.weight.shape }}, one row for each output, and the bias {{ linear.bias.shape }}:
# six and three. In the table `linear` is a branch with both below it: `Enter` on `weight` there shows its value and its
# gradient.
#
# The input was a table with one row, because a layer takes **many samples at once**: one row for each. Each row is
# multiplied by the same weights. Now it gets five samples. What is the shape of the output?

# %% [markdown] question="predict" of="list(many.shape)" lang="zh"
# 权重的形状是 {{ linear.weight.shape }}，每个输出占一行；偏置是 {{ linear.bias.shape }}：六个加三个。
# 在表格里 `linear` 是一个分支，下面有这两个参数：在 `weight` 那一行按 `Enter`，可以看到它的值和梯度。
#
# 输入是一张只有一行的表，因为一层可以**一次处理多个样本**：每个样本占一行，每一行都乘以同样的权重。
# 现在给它五个样本。输出的形状是什么？

# %% [markdown] wrong="[3, 5]" lang="en"
# Each sample stays a row: five rows come out.

# %% [markdown] wrong="[3, 5]" lang="zh"
# 每个样本仍占一行：输出也是五行。

# %% [markdown] wrong="[5, 2]" lang="en"
# The two columns were the inputs. The layer makes three outputs of them.

# %% [markdown] wrong="[5, 2]" lang="zh"
# 两列是输入。这一层由它们算出三个输出。

# %%
many = linear(torch.ones(5, 2))

# %% [markdown] lang="en"
# {{ many.shape }}: a row for each sample, a column for each output. The number of samples is nowhere in the layer, so
# it takes any.
#
# Modules are put together into larger ones. The network below has two of them and a relu between, but relu is looked
# up in the wrong place. `torch.functional` and `torch.nn.functional` are two different modules. Fix it: `e`.

# %% [markdown] lang="zh"
# {{ many.shape }}：每个样本一行，每个输出一列。层里没有记下样本的个数，所以多少个都行。
#
# 模块可以拼成更大的模块。下面的网络用了两个，中间隔着一个 relu，可是调用 relu 时找错了地方。
# `torch.functional` 和 `torch.nn.functional` 是两个不同的地方。改好它：按 `e`。


# %% tags=["exercise"] id="relu" kind="bug"
class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(1, 4)
        self.second = nn.Linear(4, 1)

    def forward(self, x):
        hidden = torch.functional.relu(self.first(x))
        return self.second(hidden)


try:
    print("shape:", list(Network()(torch.ones(5, 1)).shape))
except AttributeError as error:
    print(error)

# %% [markdown] tags=["hint"] lang="en"
# `torch.functional` holds things like `einsum`. The functions for networks are in `torch.nn.functional`.

# %% [markdown] tags=["hint"] lang="zh"
# `torch.functional` 里放的是 `einsum` 之类。神经网络用的函数在 `torch.nn.functional` 里。

# %% [markdown] tags=["hint"] lang="en"
# `torch.relu(…)`, `nn.functional.relu(…)` and a module `nn.ReLU()` all do the same.

# %% [markdown] tags=["hint"] lang="zh"
# `torch.relu(…)`、`nn.functional.relu(…)` 和模块 `nn.ReLU()` 都一样。


# %% tags=["solution"]
class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(1, 4)
        self.second = nn.Linear(4, 1)

    def forward(self, x):
        hidden = torch.relu(self.first(x))
        return self.second(hidden)


try:
    print("shape:", list(Network()(torch.ones(5, 1)).shape))
except AttributeError as error:
    print(error)

# %% tags=["check"]
net = Network()
inputs = torch.tensor([[-2.0], [0.5], [3.0]])
try:
    out = net(inputs)
    said = ""
except AttributeError as error:
    said = str(error)
assert not said, {
    "en": f"Python says: {said}. relu is in torch.nn.functional, and as torch.relu in torch itself.",
    "zh": f"Python 说：{said}。relu 在 torch.nn.functional 里；torch 里也有，即 torch.relu。",
}
assert isinstance(out, torch.Tensor), {
    "en": "`forward` must return the output of the second layer.",
    "zh": "`forward` 应当返回第二层的输出。",
}
with torch.no_grad():
    bent = net.second(torch.relu(net.first(inputs)))
    straight = net.second(net.first(inputs))
assert torch.allclose(out, bent), {
    "en": (
        "The relu is gone: without it, two layers are no more than one line."
        if torch.allclose(out, straight)
        else "The output should be second(relu(first(x))), and is something else."
    ),
    "zh": (
        "relu 不见了：没有它，两层也不过是一条直线。"
        if torch.allclose(out, straight)
        else "输出应当是 second(relu(first(x)))，现在的结果不同。"
    ),
}
