# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "From a function to a module"
#       zh: "从函数到模块"
#     summary:
#       en: "A model as a function, as a class, with nn.Parameter and with nn.Linear: what finds the weights?"
#       zh: "模型写成函数、写成类、用 nn.Parameter、用 nn.Linear：怎样找到权重？"
#     order: 180
#     topics:
#       en: [nn.Module, nn.Parameter, nn.Linear, relu]
#       zh: [nn.Module, nn.Parameter, nn.Linear, relu]
# ---

# %% [markdown] question="predict" of="count" lang="en"
# A model can be a function, with its weights as names beside it. That worked for one or two. A network has dozens,
# and all of them must be passed to the optimizer. `nn.Module` is a class that **finds them by itself**: ask
# `model.parameters()`.
#
# Here is a line written as a module. Its weight and bias are tensors that require grad, kept in `self`. How many
# parameters will it find?

# %% [markdown] question="predict" of="count" lang="zh"
# 模型可以是一个函数，权重就是旁边的几个名字。一两个权重，这样就行。
# 一个网络有几十个，必须把它们全部交给优化器。
# `nn.Module` 这个类会**自己找到它们**：问 `model.parameters()` 就行。
#
# 下面是写成模块的一条直线。权重和偏置是需要梯度的张量，放在 `self` 里。它会找到几个参数？

# %%
import torch
from torch import nn


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = torch.tensor([1.0], requires_grad=True)
        self.b = torch.tensor([0.0], requires_grad=True)

    def forward(self, x):
        return self.w * x + self.b


plain = Plain()
count = len(list(plain.parameters()))
try:
    torch.optim.SGD(plain.parameters(), lr=0.01)
except ValueError as error:
    print(error)

# %% [markdown] lang="en"
# It found {{ count }}, and the optimizer refuses an empty list. (Two? They do require grad, and a backward pass would
# fill their `grad`. But a module cannot guess which of its tensors you want trained.)
#
# You must say so. `nn.Parameter(tensor)` is a tensor with that label. It requires grad by default, and when it is
# assigned to an attribute of `self`, the module registers it. (In old code: `Variable(…, requires_grad=True)`. It
# still runs and gives a plain tensor, which the module does not find either.)
#
# Do it for this class: press `e`.

# %% [markdown] lang="zh"
# 找到了 {{ count }} 个，而优化器不接受空的列表。（答了两个？它们确实需要梯度，反向传播也会填上 `grad`；
# 可是模块猜不出，你想训练的是它的哪些张量。）
#
# 你得告诉它。`nn.Parameter(tensor)` 就是贴了这个标签的张量。它默认就需要梯度，一赋给 `self` 的属性，
# 模块就把它登记为参数。
# （旧代码里写的是 `Variable(…, requires_grad=True)`。它已经过时，而且模块同样找不到它。）
#
# 把这个类改过来：按 `e`。


# %% tags=["exercise"] id="parameters" kind="bug"
class Line(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = torch.tensor([1.0], requires_grad=True)
        self.b = torch.tensor([0.0], requires_grad=True)

    def forward(self, x):
        return self.w * x + self.b


print("found:", [name for name, _ in Line().named_parameters()])

# %% [markdown] tags=["hint"] lang="en"
# Two lines of `__init__` have to change. `forward` can stay as it is.

# %% [markdown] tags=["hint"] lang="zh"
# 只有 `__init__` 里的两行要改，`forward` 不用动。

# %% [markdown] tags=["hint"] lang="en"
# `self.w = nn.Parameter(torch.tensor([1.0]))`, and the same for the bias.

# %% [markdown] tags=["hint"] lang="zh"
# `self.w = nn.Parameter(torch.tensor([1.0]))`，偏置也一样。


# %% tags=["solution"]
class Line(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.tensor([1.0]))
        self.b = nn.Parameter(torch.tensor([0.0]))

    def forward(self, x):
        return self.w * x + self.b


print("found:", [name for name, _ in Line().named_parameters()])

# %% tags=["check"]
line = Line()
names = sorted(name for name, _ in line.named_parameters())
assert names, {
    "en": "The module still finds no parameter. Give each tensor its label, `nn.Parameter(…)`.",
    "zh": "模块还是一个参数也找不到。给每个张量贴上标签，`nn.Parameter(…)`。",
}
assert names == ["b", "w"], {
    "en": f"It should find w and b, and finds {' and '.join(names)}.",
    "zh": f"它应当找到 w 和 b，现在找到的是 {'、'.join(names)}。",
}
assert all(each.requires_grad for each in line.parameters()), {
    "en": "A parameter does not require grad: it would not learn.",
    "zh": "有参数不需要梯度：它学不了。",
}
out = line(torch.tensor([3.0]))
assert out.item() == 3, {
    "en": f"With w = 1 and b = 0 the line gives 3 for 3, and yours gives {out.item():g}.",
    "zh": f"w = 1、b = 0 时，这条直线对 3 给出 3，你的给出 {out.item():g}。",
}
out.backward()
assert line.w.grad is not None, {
    "en": "No gradient reaches self.w: does `forward` use it?",
    "zh": "梯度到不了 self.w：`forward` 用到它了吗？",
}
assert line.w.grad.item() == 3, {
    "en": f"The gradient of self.w for the input 3 is 3, and yours is {line.w.grad.item():g}.",
    "zh": f"输入为 3 时，self.w 的梯度是 3，你的是 {line.w.grad.item():g}。",
}

# %% [markdown] question="predict" of="sum(p.numel() for p in linear.parameters())" lang="en"
# You need not write that by hand: `nn.Linear(2, 3)` is such a layer with 2 inputs and 3 outputs: a matrix of weights,
# and a bias for each output, both parameters already.
#
# Call the **model**, `linear(x)`, and not `linear.forward(x)`: the call runs `forward` and the hooks that were
# registered. How many numbers does `linear` learn?

# %% [markdown] question="predict" of="sum(p.numel() for p in linear.parameters())" lang="zh"
# 这不必每次亲手写。`nn.Linear(2, 3)` 就是现成的层，2 个输入，3 个输出：
# 一个权重矩阵，再给每个输出一个偏置，两样都已经是参数。
#
# 要调用**模型**，写 `linear(x)`，不要写 `linear.forward(x)`：调用时不但运行 `forward`，
# 挂在它上面的钩子也会运行。`linear` 一共要学多少个数？

# %%
torch.manual_seed(3)
linear = nn.Linear(2, 3)
y = linear(torch.tensor([[1.0, 2.0]]))
y.sum().backward()

# %% [markdown] lang="en"
# The weights have the shape {{ linear.weight.shape }}, one row for each output, and the bias {{ linear.bias.shape }}:
# six and three. `Enter` on `linear.weight` in the table shows both its value and its gradient.
#
# Modules are put together into larger ones. The network below has two of them and a relu between, but relu is looked
# up in the wrong place. `torch.functional` and `torch.nn.functional` are two different modules. Fix it: `e`.

# %% [markdown] lang="zh"
# 权重的形状是 {{ linear.weight.shape }}，每个输出占一行；偏置是 {{ linear.bias.shape }}：六个加三个。
# 在表格里的 `linear.weight` 上按 `Enter`，可以看到它的值和梯度。
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
        else "输出应当是 second(relu(first(x)))，现在却是别的东西。"
    ),
}
