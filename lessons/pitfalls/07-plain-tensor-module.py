# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "A module and its weights"
#       zh: "模块和它的权重"
#     summary:
#       en: "A plain tensor in a module, layers in a Python list: what will the optimizer find?"
#       zh: "模块里的普通张量、装在列表里的层：优化器找得到哪些？"
#     topics:
#       en: [register_buffer, ModuleList, state_dict]
#       zh: [register_buffer, ModuleList, state_dict]
# ---

# %% [markdown] question="predict" of="count" lang="en"
# A module collects its weights by itself: `model.parameters()` lists them, and that list is what an optimizer gets.
#
# This one has a single weight, marked with `requires_grad=True`. How many parameters will it list?

# %% [markdown] question="predict" of="count" lang="zh"
# 模块会自己收集权重：`model.parameters()` 把它们列出来，优化器拿到的就是这份清单。
#
# 下面的模块有一个权重，标记了 `requires_grad=True`。清单里会有几个参数？

# %% [markdown] wrong="1" lang="en"
# `requires_grad=True` is for autograd. The module does not look at it.

# %% [markdown] wrong="1" lang="zh"
# `requires_grad=True` 是给 autograd 看的，模块并不看它。

# %%
import torch
from torch import nn


class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.tensor([2.0], requires_grad=True)

    def forward(self, x):
        return self.scale * x


model = Scale()
count = len(list(model.parameters()))
try:
    torch.optim.SGD(model.parameters(), lr=0.1)
except ValueError as error:
    print(error)

# %% [markdown] question="predict" of="model.scale" lang="en"
# {{ count }}. `requires_grad` is for autograd, and the module does not look at it. What it collects is `nn.Parameter`
# and other modules.
#
# An empty list at least makes the optimizer complain. Let us put a layer beside the weight: now the list holds the
# two tensors of `nn.Linear`, and there is no error. One backward pass, one step. What will `model.scale` hold, which
# was 2?

# %% [markdown] question="predict" of="model.scale" lang="zh"
# {{ count }} 个。`requires_grad` 是给 autograd 用的，模块并不看它。模块收集的是 `nn.Parameter` 和别的模块。
#
# 清单空着，优化器至少会报错。我们在权重旁边放一层：清单里有了 `nn.Linear` 的两个张量，于是不再报错。
# 反向传播一次，更新一步。`model.scale` 原来是 2，之后会是多少？


# %% [markdown] wrong="model.scale - 0.1 * model.scale.grad" lang="en"
# That would be a step of SGD. But the optimizer was given only what the module lists.

# %% [markdown] wrong="model.scale - 0.1 * model.scale.grad" lang="zh"
# 那是 SGD 走一步的结果。可是优化器只拿到了模块列出的参数。


# %%
class ScaledLayer(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1, 1)
        self.scale = torch.tensor([2.0], requires_grad=True)

    def forward(self, x):
        return self.scale * self.layer(x)


torch.manual_seed(0)
model = ScaledLayer()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
loss = model(torch.tensor([[1.0]])).sum()
loss.backward()
optimizer.step()

# %% [markdown] lang="en"
# Still {{ model.scale.item() }}. Its gradient is there ({{ model.scale.grad.item() }}), but nothing uses it, and
# nothing clears it. Such a tensor is also missing in `model.state_dict()`, so a saved model comes back without it,
# and `model.to("cuda")` does not move it.
#
# The fix: `self.scale = nn.Parameter(torch.tensor([2.0]))`. For numbers that belong to the model and do not learn
# there is `self.register_buffer(…)`.
#
# A plain Python list hides layers in the same way. Below, only the last layer learns. Fix it. Press `e`.

# %% [markdown] lang="zh"
# 还是 {{ model.scale.item() }}。它的梯度是有的（{{ model.scale.grad.item() }}），可是没有被使用，也没有被清零。
# 这样的张量也不在 `model.state_dict()` 里，所以模型存盘再读回来，它就没了；
# `model.to("cuda")` 也不会移动它。
#
# 改法：`self.scale = nn.Parameter(torch.tensor([2.0]))`。属于模型、但不学习的数，用 `self.register_buffer(…)`。
#
# 普通的 Python 列表也会这样把层藏起来。下面只有最后一层在学。把它改好。按 `e`。


# %% tags=["exercise"] id="hidden-layers" kind="bug"
class Stack(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = [nn.Linear(2, 2), nn.Linear(2, 2)]
        self.last = nn.Linear(2, 1)

    def forward(self, x):
        for layer in self.inner:
            x = torch.tanh(layer(x))
        return self.last(x)


stack = Stack()
print([name for name, _ in stack.named_parameters()])

# %% [markdown] tags=["hint"] lang="en"
# Each `nn.Linear` has a weight and a bias. How many names should be printed, and how many are?

# %% [markdown] tags=["hint"] lang="zh"
# 每个 `nn.Linear` 有一个权重和一个偏置。应该打印出几个名字？实际有几个？

# %% [markdown] tags=["hint"] lang="en"
# There is a list that the module does know: `nn.ModuleList([…])`.

# %% [markdown] tags=["hint"] lang="zh"
# 有一种列表是模块认识的：`nn.ModuleList([…])`。


# %% tags=["solution"]
class Stack(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
        self.last = nn.Linear(2, 1)

    def forward(self, x):
        for layer in self.inner:
            x = torch.tanh(layer(x))
        return self.last(x)


stack = Stack()
print([name for name, _ in stack.named_parameters()])

# %% tags=["check"]
known = [tuple(one.shape) for one in Stack().parameters()]
assert len(known) != 2, {
    "en": "The module still knows the weight and the bias of `last` only: it does not look into a list.",
    "zh": "模块还是只认识 `last` 的权重和偏置：它不往列表里面看。",
}
assert sorted(known) == [(1,), (1, 2), (2,), (2,), (2, 2), (2, 2)], {
    "en": f"It should know three layers, with six tensors. It knows tensors of these shapes: {known}.",
    "zh": f"它应当认识三层，六个张量。现在它认识的张量形状是：{known}。",
}
made = Stack()
made(torch.ones(3, 2)).sum().backward()
idle = [name for name, one in made.named_parameters() if one.grad is None]
assert not idle, {
    "en": f"These are known, but `forward` does not use them: {idle}.",
    "zh": f"这些它认识了，可是 `forward` 没有用到：{idle}。",
}
