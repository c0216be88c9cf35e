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

# %% [markdown] question="predict" of="model.scale" lang="en"
# *From a function to a module* had plain tensors only: the module found no parameter at all, and the optimizer
# complained. Usually the mistake is quieter, because *something* is found.
#
# This module has a layer, `nn.Linear`, and another weight, `scale`, which requires grad and is no
# `nn.Parameter`. The optimizer gets the two tensors of the layer, and there is no error. One backward pass, one step.
# What will `model.scale` hold, which was 2?

# %% [markdown] question="predict" of="model.scale" lang="zh"
# 《从函数到模块》里只有普通的张量：模块一个参数也找不到，优化器就报错了。
# 这个错误通常不会暴露，因为总能找到*一些*参数。
#
# 这个模块里有一层 `nn.Linear`，另外还有一个权重 `scale`，它需要梯度，却不是 `nn.Parameter`。
# 优化器拿到的是那一层的两个张量，于是不报错。反向传播一次，更新一步。`model.scale` 原来是 2，之后会是多少？

# %% [markdown] wrong="model.scale - 0.1 * model.scale.grad" lang="en"
# That would be a step of SGD. But the optimizer was given only what the module lists.

# %% [markdown] wrong="model.scale - 0.1 * model.scale.grad" lang="zh"
# 那是 SGD 走一步的结果。可是优化器只拿到了模块列出的参数。


# %%
import torch
from torch import nn


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

# %% [markdown] question="predict" of="copy.scale" lang="en"
# Still {{ model.scale.item() }}. Its gradient is there ({{ model.scale.grad.item() }}), but nothing uses it, and
# nothing clears it. `requires_grad` is for autograd; what a module collects is `nn.Parameter` and other modules.
#
# Other things that go through the module's list pass it by as well. Say that somewhere in your code `scale` did get a
# better value, 5. The model is saved as usual, by its `state_dict()`, and loaded into a new one. What will
# `copy.scale` hold?

# %% [markdown] question="predict" of="copy.scale" lang="zh"
# 还是 {{ model.scale.item() }}。它的梯度是有的（{{ model.scale.grad.item() }}），可是没有被使用，也没有被清零。
# `requires_grad` 是给 autograd 用的；模块收集的是 `nn.Parameter` 和别的模块。
#
# 凡是经过这份清单的事，都会漏掉它。假如 `scale` 在别处得到了更好的值 5。
# 模型照常用 `state_dict()` 保存，再读进一个新的模型。`copy.scale` 会是多少？

# %% [markdown] wrong="model.scale" lang="en"
# That is what was to be saved. But `state_dict()` holds parameters and buffers only.

# %% [markdown] wrong="model.scale" lang="zh"
# 本该保存的是它。可是 `state_dict()` 里只有参数和缓冲区。

# %%
with torch.no_grad():
    model.scale.fill_(5.0)
saved = model.state_dict()
print(list(saved))

copy = ScaledLayer()
copy.load_state_dict(saved)

# %% [markdown] lang="en"
# {{ copy.scale.item() }}, the value of a model that was just made: the 5 was never saved, and nothing was said. For the
# same reason `model.to("cuda")` would leave `scale` behind.
#
# The fix: `self.scale = nn.Parameter(torch.tensor([2.0]))`. For numbers that belong to the model and do not learn
# there is `self.register_buffer(…)`.
#
# A plain Python list hides layers in the same way. Below, only the last layer learns. Fix it. Press `e`.

# %% [markdown] lang="zh"
# 是 {{ copy.scale.item() }}，也就是新建的模型里的值：5 根本没有保存，也没有任何提示。
# 同样，`model.to("cuda")` 也不会移动 `scale`。
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
# 有一种列表，模块能识别：`nn.ModuleList([…])`。


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
