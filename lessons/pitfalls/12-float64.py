# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "NumPy's type meets a layer"
#       zh: "NumPy 的类型碰上一层网络"
#     summary:
#       en: "NumPy computes in float64, PyTorch's layers in float32. Where do they meet, and where should you convert?"
#       zh: "NumPy 用 float64 计算，PyTorch 的层用 float32。两者在哪里碰上，又该在哪里转换？"
#     topics:
#       en: [float64, float32, from_numpy, "float()", "Double and Float"]
#       zh: [float64, float32, from_numpy, "float()", "Double and Float"]
# ---

# %% [markdown] question="choice" of="1 if x.dtype == torch.float32 else 2 if x.dtype == torch.float64 else 3" lang="en"
# Data often comes from NumPy: from a file, from pandas, from a plotting script. `torch.from_numpy` makes a tensor of
# it, without copying.
#
# The weights of a layer are `float32`, PyTorch's default for numbers with a point. What is the `dtype` of `x`?
#
# 1. `float32`
# 2. `float64`
# 3. `int64`

# %% [markdown] question="choice" of="1 if x.dtype == torch.float32 else 2 if x.dtype == torch.float64 else 3" lang="zh"
# 数据常常来自 NumPy：从文件、从 pandas、从画图的脚本里来。`torch.from_numpy` 用它创建张量，不复制数据。
#
# 一层网络的权重是 `float32`，这是 PyTorch 浮点数的默认类型。`x` 的 `dtype` 是什么？
#
# 1. `float32`
# 2. `float64`
# 3. `int64`

# %% [markdown] wrong="1" lang="en"
# A Python list of these numbers would become `float32`. An array brings its own type.

# %% [markdown] wrong="1" lang="zh"
# 同样的数写成 Python 列表，得到的才是 `float32`。数组自带类型。

# %% [markdown] wrong="3" lang="en"
# The numbers are whole, but they are written with a point, so NumPy does not take them for integers.

# %% [markdown] wrong="3" lang="zh"
# 这些数的值虽然是整数，写法却带小数点，NumPy 会把它们当作浮点数。

# %%
import numpy as np
import torch
from torch import nn

torch.manual_seed(0)
data = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
x = torch.from_numpy(data)
layer = nn.Linear(2, 1)
try:
    layer(x)
except RuntimeError as error:
    print(error)

# %% [markdown] question="choice" of="1 if wide.dtype == torch.float32 else 2" lang="en"
# `float64`: NumPy's numbers are twice as long as PyTorch's, and `from_numpy` keeps them as they are, as
# `torch.tensor(data)` does. (A Python list of the same numbers would have become `float32`.) So the layer refuses:
# a matrix product wants the same type on both sides. The message uses older names: *Double* is `float64`, *Float* is
# `float32`.
#
# Other operations do not refuse. They convert, to the *larger* type. The input is converted below, but the target
# still comes straight from NumPy. What will the `dtype` of the error `wide` be?
#
# 1. `float32`
# 2. `float64`

# %% [markdown] question="choice" of="1 if wide.dtype == torch.float32 else 2" lang="zh"
# 是 `float64`：NumPy 的一个数，长度是 PyTorch 的两倍；`from_numpy` 原样保留，`torch.tensor(data)` 也一样。
# （同样的数写成 Python 列表，得到的就是 `float32`。）于是这一层拒绝计算：矩阵乘法要求两边类型相同。
# 报错里用的是旧名字：*Double* 就是 `float64`，*Float* 就是 `float32`。
#
# 别的运算并不拒绝，它们会转换成*更大*的类型。下面输入已经转换过，目标却还是直接来自 NumPy。
# 误差 `wide` 的 `dtype` 会是什么？
#
# 1. `float32`
# 2. `float64`

# %% [markdown] wrong="1" lang="en"
# The output is `float32`, but the target is not, and where two types of numbers with a point meet, the larger one wins.

# %% [markdown] wrong="1" lang="zh"
# 输出是 `float32`，目标却不是；两种浮点类型相遇，取较大的。

# %%
target = torch.from_numpy(np.array([[1.0], [2.0], [3.0]]))
output = layer(x.float())
wide = output - target
loss = (wide**2).mean()
loss.backward()

doubled = output * 2.0
print(output.dtype, wide.dtype, loss.dtype, doubled.dtype)

# %% [markdown] lang="en"
# `float64`, and so is everything computed from it, the loss included: twice the memory, and on most GPUs many times
# the time, with no message at all. The gradients of the weights are `float32` again, because a gradient has the type
# of its tensor. (A plain number is another matter: `output * 2.0` stays `float32`. Python's numbers adapt to the
# tensor.)
#
# `model.double()` would make the error go away too, by making the whole network slow. Convert the data instead, **once,
# at the door**: where it enters PyTorch, and nowhere else.
#
# Below, a training step converts one thing and forgets the other, and the loss is `float64`. Fix it in `load`, so that
# the step needs no conversion at all: press `e`.

# %% [markdown] lang="zh"
# 是 `float64`，由它算出的一切也是，包括损失：内存加倍，在多数 GPU 上慢好多倍，却没有任何提示。
# 权重的梯度又是 `float32`，因为梯度的类型与它的张量相同。
# （普通的数另当别论：`output * 2.0` 还是 `float32`，Python 的数会迁就张量。）
#
# `model.double()` 也能让报错消失，代价是整个网络变慢。应当转换数据，而且**只在入口处转换一次**：
# 在它进入 PyTorch 的地方，别处都不用。
#
# 下面的训练步骤只转换了一样，忘了另一样，损失成了 `float64`。在 `load` 里改好，让训练步骤不必再做任何转换：按 `e`。


# %% tags=["exercise"] id="at-the-door" kind="bug"
def load(inputs, targets):
    return torch.from_numpy(inputs), torch.from_numpy(targets)


def cost(net, inputs, targets):
    return ((net(inputs.float()) - targets) ** 2).mean()


net = nn.Linear(2, 1)
inputs, targets = load(data, np.array([[1.0], [2.0], [3.0]]))
value = cost(net, inputs, targets)
print("loss:", value.dtype)

# %% [markdown] tags=["hint"] lang="en"
# Both tensors that `load` returns should be `float32` already.

# %% [markdown] tags=["hint"] lang="zh"
# `load` 返回的两个张量，都应当已经是 `float32`。

# %% [markdown] tags=["hint"] lang="en"
# `torch.from_numpy(inputs).float()`, and the same for the targets. Then take the `.float()` out of `cost`.

# %% [markdown] tags=["hint"] lang="zh"
# `torch.from_numpy(inputs).float()`，目标也一样。然后把 `cost` 里的 `.float()` 去掉。


# %% tags=["solution"]
def load(inputs, targets):
    return torch.from_numpy(inputs).float(), torch.from_numpy(targets).float()


def cost(net, inputs, targets):
    return ((net(inputs) - targets) ** 2).mean()


net = nn.Linear(2, 1)
inputs, targets = load(data, np.array([[1.0], [2.0], [3.0]]))
value = cost(net, inputs, targets)
print("loss:", value.dtype)

# %% tags=["check"]
assert net.weight.dtype == torch.float32, {
    "en": "Now the whole network computes in float64. Leave it in float32, and convert the data.",
    "zh": "现在整个网络都用 float64 计算了。网络保持 float32，要转换的是数据。",
}
fresh = nn.Linear(2, 1)
given = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[1.0], [0.0]])
loaded = load(*given)
types = [each.dtype for each in loaded]
assert types != [torch.float64, torch.float64], {
    "en": "load still returns float64 twice: convert there, where the data enters PyTorch.",
    "zh": "load 返回的还都是 float64：要在数据进入 PyTorch 的地方转换。",
}
assert types[0] == torch.float32, {
    "en": f"The inputs that load returns are still {types[0]}.",
    "zh": f"load 返回的输入还是 {types[0]}。",
}
assert types[1] == torch.float32, {
    "en": f"The targets that load returns are still {types[1]}, and so the loss is too.",
    "zh": f"load 返回的目标还是 {types[1]}，损失也就跟着是这个类型。",
}
expected = ((fresh(torch.tensor(given[0]).float()) - torch.tensor(given[1]).float()) ** 2).mean()
measured = cost(fresh, *loaded)
assert measured.dtype == torch.float32, {
    "en": f"The loss is {measured.dtype}, though the data is float32: something in cost converts.",
    "zh": f"数据已经是 float32，损失却是 {measured.dtype}：cost 里还有转换。",
}
assert torch.allclose(measured, expected), {
    "en": f"The loss should be {expected.item():.4f}, and is {measured.item():.4f}.",
    "zh": f"损失应当是 {expected.item():.4f}，现在是 {measured.item():.4f}。",
}

# %% [markdown] lang="en"
# Two exceptions. Class numbers for `cross_entropy` have to be `int64`: leave those as they are. And where you check
# gradients by finite differences, `float64` is right, because the digits count.

# %% [markdown] lang="zh"
# 有两个例外。`cross_entropy` 的类别编号必须是 `int64`，不要动它们。用有限差分检查梯度时，
# `float64` 才合适，因为那里需要更多的有效数字。
