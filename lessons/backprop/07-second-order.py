# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "The slope of a slope"
#       zh: "斜率的斜率"
#     summary:
#       en: "autograd.grad returns a gradient; with create_graph it can be differentiated once more."
#       zh: "autograd.grad 直接返回梯度；加上 create_graph，还能对它再求一次导。"
# ---

# %% [markdown] question="predict" of="x.grad" lang="en"
# `backward()` writes what it finds into `grad`. There is a second way to ask: `torch.autograd.grad(y, x)` **returns**
# the gradient of `y` for `x`. It gives back a tuple, for one can ask about several tensors; hence the comma after `g`.
#
# After the next cell, what will `x.grad` hold?

# %% [markdown] question="predict" of="x.grad" lang="zh"
# `backward()` 把结果写进 `grad`。还有另一种问法：`torch.autograd.grad(y, x)` 直接**返回** `y` 对 `x` 的梯度。
# 它返回的是元组，因为可以一次问好几个张量，所以 `g` 后面有个逗号。
#
# 下一个单元格之后，`x.grad` 里会是什么？

# %%
import torch

x = torch.tensor(3.0, requires_grad=True)
y = x**2
(g,) = torch.autograd.grad(y, x)
print("g:", g.item(), "requires grad:", g.requires_grad)

# %% [markdown] question="predict" of="second" lang="en"
# `x.grad` stays {{ x.grad }}: the answer, {{ g.item() }}, went to `g` and nowhere else.
#
# `g` is a plain number without a history. But its formula, `2 * x`, has a slope of its own: it tells how fast the slope
# changes, that is, how strongly the curve bends. With `create_graph=True` the backward pass **records itself**: its
# multiplications go into the graph like any others, and one can go backward from its result.
#
# What will `second` be, the slope of the slope?

# %% [markdown] question="predict" of="second" lang="zh"
# `x.grad` 仍是 {{ x.grad }}：答案 {{ g.item() }} 交给了 `g`，没有写到别处。
#
# `g` 只是一个没有历史的数。可是它的式子 `2 * x` 也有自己的斜率：它说明斜率变化得多快，也就是曲线弯得多厉害。
# 加上 `create_graph=True`，反向传播会把**自己也记录下来**：它做的乘法像别的运算一样进入计算图，
# 于是可以从它的结果再反向传播一次。
#
# `second`，也就是斜率的斜率，会是多少？

# %%
u = torch.tensor(3.0, requires_grad=True)
v = u**2
(first,) = torch.autograd.grad(v, u, create_graph=True)
(second,) = torch.autograd.grad(first, u)

# %% [markdown] lang="en"
# The slope is {{ first.item() }} and its slope {{ second.item() }}, for a square the same everywhere. In the second of
# the two passes other nodes run: those that the first one recorded. Without `create_graph` it fails, for `first` then
# has no history.
#
# With both numbers one can **jump** to the bottom of a curve, after Newton: `x - first / second`. For a parabola one
# jump is enough. Complete the function: it should return both numbers for any `f`. Press `e`.

# %% [markdown] lang="zh"
# 斜率是 {{ first.item() }}，斜率的斜率是 {{ second.item() }}，对平方来说处处相同。
# 两趟里的第二趟跑的是另一些节点：正是第一趟记录下来的那些。
# 不加 `create_graph` 它就会出错，因为 `first` 没有历史。
#
# 有了这两个数，就可以像牛顿那样一步**跳**到曲线的底部：`x - first / second`。对抛物线来说，跳一次就够。
# 把函数补完整，让它对任意的 `f` 返回这两个数。按 `e`。


# %% tags=["exercise"] id="newton" kind="fill"
def slope_and_curve(f, at):
    x = torch.tensor(at, requires_grad=True)
    (slope,) = torch.autograd.grad(f(x), x)
    curve = None
    return slope, curve


def bowl(x):
    return 2 * (x - 1.5) ** 2 + 3


try:
    print(slope_and_curve(bowl, 3.0))
except RuntimeError as error:
    print(error)

# %% [markdown] tags=["hint"] lang="en"
# `curve` is the gradient of `slope` for `x`. Ask for it as the line above asks for the gradient of `f(x)`.

# %% [markdown] tags=["hint"] lang="zh"
# `curve` 就是 `slope` 对 `x` 的梯度。照着上一行求 `f(x)` 梯度的样子去求。

# %% [markdown] tags=["hint"] lang="en"
# The first call must leave a record of itself, or `slope` has no history: `create_graph=True`.

# %% [markdown] tags=["hint"] lang="zh"
# 第一次调用必须把自己记录下来，否则 `slope` 没有历史：`create_graph=True`。


# %% tags=["solution"]
def slope_and_curve(f, at):
    x = torch.tensor(at, requires_grad=True)
    (slope,) = torch.autograd.grad(f(x), x, create_graph=True)
    (curve,) = torch.autograd.grad(slope, x)
    return slope, curve


def bowl(x):
    return 2 * (x - 1.5) ** 2 + 3


try:
    print(slope_and_curve(bowl, 3.0))
except RuntimeError as error:
    print(error)


# %% tags=["check"]
def tried(f, at):
    trouble, found = "", (None, None)
    try:
        found = slope_and_curve(f, at)
    except RuntimeError as error:
        trouble = str(error)
    assert "does not require grad" not in trouble, {
        "en": "The first call left no record of itself, so `slope` has no history. There is an argument for that.",
        "zh": "第一次调用没有把自己记录下来，所以 `slope` 没有历史。有一个参数管这件事。",
    }
    assert "second time" not in trouble, {
        "en": (
            "`retain_graph` keeps the graph of f, but the pass still leaves no record of itself. "
            "Its own operations are recorded with create_graph=True."
        ),
        "zh": (
            "`retain_graph` 留住的是 f 的图，可是这一趟本身还是没有记录。要记录它自己的运算，用 create_graph=True。"
        ),
    }
    assert not trouble, {
        "en": f"PyTorch says: {trouble}",
        "zh": f"PyTorch 说：{trouble}",
    }
    for name, one in zip(("slope", "curve"), found, strict=True):
        assert one is not None, {
            "en": f"`{name}` is still None: it has to be computed.",
            "zh": f"`{name}` 还是 None：要把它算出来。",
        }
        assert isinstance(one, torch.Tensor), {
            "en": f"`{name}` is a {type(one).__name__}. autograd.grad returns a tuple: unpack it.",
            "zh": f"`{name}` 是 {type(one).__name__}。autograd.grad 返回的是元组：把它拆开。",
        }
    return [one.item() for one in found]


here = tried(bowl, 3.0)
assert abs(here[0] - 6) < 1e-3, {
    "en": f"At 3 the slope of the bowl is 6, and you have {here[0]:g}.",
    "zh": f"在 3 处，这个碗的斜率是 6，你得到的是 {here[0]:g}。",
}
assert abs(here[1] - 4) < 1e-3, {
    "en": f"The bowl bends by 4 everywhere, and you have {here[1]:g}.",
    "zh": f"这个碗的弯曲处处是 4，你得到的是 {here[1]:g}。",
}
cube = tried(lambda x: x**3, 2.0)
assert [round(one, 3) for one in cube] == [12, 12], {
    "en": f"For x ** 3 at 2 both are 12, and you have {cube}. Is a number typed in?",
    "zh": f"对 x ** 3，在 2 处两个数都是 12，你得到的是 {cube}。是不是把数写死了？",
}
