# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "From a function to a module"
#       zh: "从函数到模块"
#     summary:
#       en: "A model as a function, as a class, and with nn.Parameter: what finds the weights?"
#       zh: "模型写成函数、写成类、用 nn.Parameter：怎样找到权重？"
#     order: 180
#     topics:
#       en: [nn.Module, nn.Parameter, parameters(), super().__init__()]
#       zh: [nn.Module, nn.Parameter, parameters(), super().__init__()]
#     aliases: [training/modules]
# ---

# %% [markdown] question="predict" of="count" lang="en"
# A model can be a function, with its weights as names beside it. That worked for one or two. A network has dozens,
# and all of them must be passed to the optimizer. `nn.Module` is a class that **finds them by itself**: ask
# `model.parameters()`.
#
# Here is a line written as a module. Its weight and bias are tensors that require grad, kept in `self`. How many
# parameters will it find?

# %% [markdown] question="predict" of="count" lang="zh"
# 模型可以是一个函数，权重就是旁边的几个变量。一两个权重，这样就行。
# 一个网络有几十个，必须把它们全部交给优化器。
# `nn.Module` 这个类会**自己找到它们**：调用 `model.parameters()` 就行。
#
# 下面是写成模块的一条直线。权重和偏置是需要梯度的张量，放在 `self` 里。它会找到几个参数？

# %% [markdown] wrong="2" lang="en"
# They do require grad, and a backward pass would fill their `grad`. But a module cannot guess which of its tensors
# you want trained.

# %% [markdown] wrong="2" lang="zh"
# 它们确实需要梯度，反向传播也会填上 `grad`；可是模块猜不出，你想训练的是它的哪些张量。

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
# It found {{ count }}, and the optimizer refuses an empty list.
#
# You must say so. `nn.Parameter(tensor)` is a tensor with that label. It requires grad by default, and when it is
# assigned to an attribute of `self`, the module registers it.
#
# The first line of `__init__` makes the places for them, so it has to come before the first parameter. Two old habits
# that you will meet: `super(Plain, self).__init__()` is the same call, written as Python 2 needed it; and
# `Variable(…, requires_grad=True)` still runs and gives a plain tensor, which the module does not find either.
#
# Write the line once more, as a class `Line` whose weight `w` (1 at first) and bias `b` (0) are found: press `e`.

# %% [markdown] lang="zh"
# 找到了 {{ count }} 个，而优化器不接受空的列表。
#
# 要训练哪些张量，你得告诉它。`nn.Parameter(tensor)` 就是贴上了“参数”标签的张量。
# 它默认就需要梯度，一赋给 `self` 的属性，模块就把它登记为参数。
#
# `__init__` 的第一行为登记参数做好准备，所以必须写在第一个参数之前。你会遇到两种旧写法：
# `super(Plain, self).__init__()` 是同一个调用，Python 2 里要这样写；`Variable(…, requires_grad=True)` 还能运行，
# 给出的却是普通的张量，模块同样找不到它。
#
# 把这条直线重新写成类 `Line`，让模块找得到它的权重 `w`（初值 1）和偏置 `b`（初值 0）：按 `e`。

# %% tags=["exercise"] id="parameters" kind="write"
# class Line(nn.Module)

# %% [markdown] tags=["hint"] lang="en"
# It is the class above with two other lines in `__init__`: `forward` can stay as it is.

# %% [markdown] tags=["hint"] lang="zh"
# 和上面的类相比，只有 `__init__` 里的两行不同，`forward` 照旧。

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
try:
    line, said = Line(), ""
except AttributeError as error:
    said = str(error)
assert "Module.__init__" not in said, {
    "en": f"PyTorch says: {said}. The first line of `__init__` has to be `super().__init__()`.",
    "zh": f"PyTorch 说：{said}。`__init__` 的第一行必须是 `super().__init__()`。",
}
assert not said, {"en": f"Python says: {said}", "zh": f"Python 说：{said}"}
names = sorted(name for name, _ in line.named_parameters())
assert names, {
    "en": "The module finds no parameter. Give each tensor its label, `nn.Parameter(…)`.",
    "zh": "模块一个参数也找不到。给每个张量贴上标签，`nn.Parameter(…)`。",
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
