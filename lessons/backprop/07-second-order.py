# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "The second derivative"
#       zh: "二阶导数"
#     summary:
#       en: "autograd.grad returns a gradient; with create_graph it can be differentiated once more."
#       zh: "autograd.grad 直接返回梯度；加上 create_graph，还能对它再求一次导。"
#     topics:
#       en: [autograd.grad, create_graph, second derivative]
#       zh: [autograd.grad, create_graph, 二阶导数]
# ---

# %% [markdown] question="predict" of="x.grad" lang="en"
# `backward()` writes what it finds into `grad`. There is a second way to ask: `torch.autograd.grad(y, x)` **returns**
# the gradient of `y` with respect to `x`. It gives back a tuple, because you can ask about several tensors; hence the
# comma after `g`.
#
# After the next cell, what will `x.grad` hold?

# %% [markdown] question="predict" of="x.grad" lang="zh"
# `backward()` 把结果写进 `grad`。还有另一种写法：`torch.autograd.grad(y, x)` 直接**返回** `y` 对 `x` 的梯度。
# 它返回的是元组，因为可以一次对多个张量求梯度，所以 `g` 后面有个逗号。
#
# 下一个单元格之后，`x.grad` 里会是什么？

# %% [markdown] wrong="g" lang="en"
# That is the derivative, and it was returned to `g`. `torch.autograd.grad` writes nothing into `x.grad`.

# %% [markdown] wrong="g" lang="zh"
# 这个导数返回给了 `g`。`torch.autograd.grad` 不往 `x.grad` 里写。

# %% [markdown] wrong="0.0" lang="en"
# A zero would mean that a gradient was written there. None was, so there is no number at all.

# %% [markdown] wrong="0.0" lang="zh"
# 0 的意思是写过一个为零的梯度。这里没有写过，所以连数也没有。

# %%
import torch

x = torch.tensor(3.0, requires_grad=True)
y = x**2
(g,) = torch.autograd.grad(y, x)
print("g:", g.item(), "requires grad:", g.requires_grad)

# %% [markdown] question="predict" of="second" lang="en"
# `x.grad` stays {{ x.grad }}: the answer, {{ g.item() }}, went to `g` and nowhere else.
#
# `g` is a plain number without a history. But its formula, `2 * x`, has a derivative too: the **second derivative**
# tells how fast the slope of the curve changes, that is, how strongly the curve bends. With `create_graph=True` the
# backward pass **records itself**: its multiplications go into the graph like any others, and you can go backward
# from its result.
#
# What will `second` be, the derivative of the derivative?

# %% [markdown] question="predict" of="second" lang="zh"
# `x.grad` 仍是 {{ x.grad }}：答案 {{ g.item() }} 交给了 `g`，没有写到别处。
#
# `g` 只是一个没有历史的数。可是它的式子 `2 * x` 也有导数，即**二阶导数**：它说明曲线的斜率变化得多快，
# 也就是曲线弯得多厉害。
# 加上 `create_graph=True`，反向传播会把**自己也记录下来**：它做的乘法像别的运算一样进入计算图，
# 于是可以从它的结果再反向传播一次。
#
# `second`，也就是导数的导数，会是多少？

# %% [markdown] wrong="first" lang="en"
# That is the first derivative. `second` is the derivative of *that*: of `2 * u`.

# %% [markdown] wrong="first" lang="zh"
# 那是一阶导数。`second` 是*它*的导数，也就是 `2 * u` 的导数。

# %% [markdown] wrong="0.0" lang="en"
# That would be a straight line, whose derivative does not change.

# %% [markdown] wrong="0.0" lang="zh"
# 直线才是这样，它的导数不变。

# %%
u = torch.tensor(3.0, requires_grad=True)
v = u**2
(first,) = torch.autograd.grad(v, u, create_graph=True)
(second,) = torch.autograd.grad(first, u)

# %% [markdown] question="predict" of="for_k" lang="en"
# The derivative is {{ first.item() }} and the second derivative {{ second.item() }}, which for a square is the same
# everywhere. In the second of the two passes other nodes run: those that the first one recorded. Without
# `create_graph` it fails, because `first` then has no history.
#
# `torch.autograd.grad` can be asked about several tensors, and then all of them must have a part in the result:
# otherwise it raises an error, because a forgotten tensor is most often a mistake. `allow_unused=True` says that it
# is none. (There is `only_inputs=` too, in old code; it has no effect any more.)
#
# `k` below has no part in `y`. What will `for_k` be?

# %% [markdown] question="predict" of="for_k" lang="zh"
# 导数是 {{ first.item() }}，二阶导数是 {{ second.item() }}，对平方来说处处相同。
# 第二次反向传播运行的是另一些节点：正是第一次记录下来的那些。
# 不加 `create_graph` 它就会出错，因为 `first` 没有历史。
#
# `torch.autograd.grad` 可以一次对多个张量求梯度，但每一个都必须参与了计算，否则就报错，因为漏用一个张量多半是写错了。
# 加上 `allow_unused=True`，就是说明这不是错误。（旧代码里还有 `only_inputs=`，它已经不起作用了。）
#
# 下面的 `k` 没有参与 `y` 的计算。`for_k` 会是什么？

# %% [markdown] wrong="0.0" lang="en"
# A zero would say that `y` depends on `k`, and does not move with it here. There is no path from `y` to `k` at all.

# %% [markdown] wrong="0.0" lang="zh"
# 0 的意思是 `y` 依赖 `k`，只是在这里不随它变化。而从 `y` 到 `k` 根本没有路。

# %%
x = torch.tensor(3.0, requires_grad=True)
k = torch.tensor(1.0, requires_grad=True)
y = x**2
try:
    torch.autograd.grad(y, [x, k], retain_graph=True)
except RuntimeError as error:
    print(error)
for_x, for_k = torch.autograd.grad(y, [x, k], allow_unused=True)
print("x:", for_x.item(), "k:", for_k)

# %% [markdown] lang="en"
# No gradient, `None`, and not a zero, as `grad` of a leaf that a pass never reaches.
#
# With both derivatives you can **jump** to the bottom of a curve, by Newton's method: `x - first / second`. For a
# parabola one jump is enough. Complete the function: it should return both numbers for any `f`. Press `e`.

# %% [markdown] lang="zh"
# 没有梯度，是 `None`，不是零：和反向传播没有到过的叶子节点的 `grad` 一样。
#
# 有了一阶和二阶导数，就可以用牛顿法一步**跳**到曲线的底部：`x - first / second`。对抛物线来说，跳一次就够。
# 把函数补完整，让它对任意的 `f` 返回这两个数。按 `e`。


# %% tags=["exercise"] id="newton" kind="fill"
def derivatives(f, at):
    x = torch.tensor(at, requires_grad=True)
    (first,) = torch.autograd.grad(f(x), x)
    second = None
    return first, second


def bowl(x):
    return 2 * (x - 1.5) ** 2 + 3


try:
    print(derivatives(bowl, 3.0))
except RuntimeError as error:
    print(error)

# %% [markdown] tags=["hint"] lang="en"
# `second` is the gradient of `first` with respect to `x`. Ask for it as the line above asks for the gradient of
# `f(x)`.

# %% [markdown] tags=["hint"] lang="zh"
# `second` 就是 `first` 对 `x` 的梯度。照着上一行求 `f(x)` 梯度的样子去求。

# %% [markdown] tags=["hint"] lang="en"
# The first call must leave a record of itself, or `first` has no history: `create_graph=True`.

# %% [markdown] tags=["hint"] lang="zh"
# 第一次调用必须把自己记录下来，否则 `first` 没有历史：`create_graph=True`。


# %% tags=["solution"]
def derivatives(f, at):
    x = torch.tensor(at, requires_grad=True)
    (first,) = torch.autograd.grad(f(x), x, create_graph=True)
    (second,) = torch.autograd.grad(first, x)
    return first, second


def bowl(x):
    return 2 * (x - 1.5) ** 2 + 3


try:
    print(derivatives(bowl, 3.0))
except RuntimeError as error:
    print(error)


# %% tags=["check"]
def tried(f, at):
    trouble, found = "", (None, None)
    try:
        found = derivatives(f, at)
    except RuntimeError as error:
        trouble = str(error)
    assert "does not require grad" not in trouble, {
        "en": "The first call left no record of itself, so `first` has no history. There is an argument for that.",
        "zh": "第一次调用没有把自己记录下来，所以 `first` 没有历史。有一个参数管这件事。",
    }
    assert "second time" not in trouble, {
        "en": (
            "`retain_graph` keeps the graph of f, but the pass still leaves no record of itself. "
            "Its own operations are recorded with create_graph=True."
        ),
        "zh": (
            "`retain_graph` 留住的是 f 的图，可是反向传播本身还是没有记录。要记录它自己的运算，用 create_graph=True。"
        ),
    }
    assert not trouble, {
        "en": f"PyTorch says: {trouble}",
        "zh": f"PyTorch 说：{trouble}",
    }
    for name, one in zip(("first", "second"), found, strict=True):
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
    "en": f"At 3 the derivative of the bowl is 6, and you have {here[0]:g}.",
    "zh": f"在 3 处，这个碗的导数是 6，你得到的是 {here[0]:g}。",
}
assert abs(here[1] - 4) < 1e-3, {
    "en": f"The second derivative of the bowl is 4 everywhere, and you have {here[1]:g}.",
    "zh": f"这个碗的二阶导数处处是 4，你得到的是 {here[1]:g}。",
}
cube = tried(lambda x: x**3, 2.0)
assert [round(one, 3) for one in cube] == [12, 12], {
    "en": f"For x ** 3 at 2 both are 12, and you have {cube}. Is a number typed in?",
    "zh": f"对 x ** 3，在 2 处两个数都是 12，你得到的是 {cube}。是不是把数写死了？",
}
