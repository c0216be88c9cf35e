# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "Your own operation"
#       zh: "自己写一个运算"
#     summary:
#       en: "Write a forward and a backward yourself: how PyTorch uses them, and how to check them."
#       zh: "自己写前向和反向：PyTorch 怎样用它们，又该怎样检查。"
#     topics:
#       en: [autograd.Function, gradcheck, finite differences]
#       zh: [autograd.Function, gradcheck, 有限差分]
# ---

# %% [markdown] lang="en"
# Every operation that you have met is a pair: a **forward** that computes, and a **backward** that takes the gradient
# of the result and gives back the gradient of the input. You can write such a pair yourself, as a class; `ctx` is the
# node, and keeps what you save in it.
#
# Read `backward` below closely. Is it right for a cube?

# %% [markdown] lang="zh"
# 你见过的每个运算都是一对：**前向**负责计算；**反向**接收结果的梯度，返回输入的梯度。
# 这样的一对你也可以自己写，写成一个类。`ctx` 就是那个节点，保管你存进去的值。
#
# 仔细读读下面的 `backward`。对立方来说，它对吗？

# %% [markdown] front="screen" lang="en"
# (`Tab` to the code, then `↓` shows all of the class.)

# %% [markdown] front="screen" lang="zh"
# （用 `Tab` 切到代码，再按 `↓`，就能看到整个类。）

# %% [markdown] question="predict" of="v.grad" vary="v: [4, 5]" lang="en"
# What will `v.grad` hold?

# %% [markdown] question="predict" of="v.grad" vary="v: [4, 5]" lang="zh"
# `v.grad` 里会是多少？

# %% [markdown] wrong="3 * v**2" lang="en"
# That is the derivative of a cube, but `backward` says something else, and it is the code that runs.

# %% [markdown] wrong="3 * v**2" lang="zh"
# 那是立方的导数，可 `backward` 写的是另一个式子，而运行的是代码。

# %% [markdown] wrong="y" lang="en"
# That is the value of `y`. The gradient is what `backward` returns.

# %% [markdown] wrong="y" lang="zh"
# 那是 `y` 的值。梯度是 `backward` 返回的数。

# %%
import torch


class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x * x

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * 3 * x


v = torch.tensor(2.0, requires_grad=True)
y = Cube.apply(v)
y.backward()

# %% [markdown] question="predict" of="measured" vary="u: [4, 1]" lang="en"
# It is {{ v.grad.item() }}: exactly what `backward` says, and not the derivative of a cube. **PyTorch believes you.**
# It cannot know what you meant, and such a mistake raises no error.
#
# So measure. Move the input a little to both sides, and divide how far the output went by how far the input did. That
# uses `forward` alone. It needs `float64`: at the usual seven digits, too little is left of a small difference.
#
# What will the measurement say?

# %% [markdown] question="predict" of="measured" vary="u: [4, 1]" lang="zh"
# 是 {{ v.grad.item() }}：`backward` 怎么写，它就是多少，而这并不是立方的导数。**你写什么，PyTorch 就信什么。**
# 它没法知道你本来的意思，这样的错误也不会报错。
#
# 所以要测量。让输入向两边各变动一点，用输出的变化量除以输入的变化量。这只用到 `forward`。
# 要用 `float64`：平常只有七位有效数字，差值一小，就剩不下几位了。
#
# 测量的结果会是多少？

# %% [markdown] wrong="v.grad" lang="en"
# That is what `backward` says. The measurement does not use it, only `forward`.

# %% [markdown] wrong="v.grad" lang="zh"
# 那是 `backward` 说的。测量用不到它，只用 `forward`。

# %% [markdown] wrong="u**3" lang="en"
# That is the value of the cube. The measurement divides how far it moves by how far the input does.

# %% [markdown] wrong="u**3" lang="zh"
# 那是立方的值。测量是用它的变化量除以输入的变化量。

# %%
step = 1e-4
u = torch.tensor(2.0, dtype=torch.float64)
measured = (Cube.apply(u + step) - Cube.apply(u - step)) / (2 * step)

# %% [markdown] lang="en"
# It is {{ measured.item() }}: three times the square, and `backward` forgot to square.
#
# `torch.autograd.gradcheck` measures like that for every input and output, and compares. Use it on every operation
# that you write. (Old code has `Cube()(x)`, without `@staticmethod`; that no longer works.)
#
# Now you. `Lens` has **two** inputs, so `backward` gives back two gradients, in their order. Fill them in: press `e`.
# The check runs `gradcheck` on them.

# %% [markdown] lang="zh"
# 是 {{ measured.item() }}，这才是立方的导数：平方的三倍，而 `backward` 忘了平方。
#
# `torch.autograd.gradcheck` 对每个输入、每个输出都这样量一遍，再作比较。自己写的运算都应该用它查一查。
# （在旧代码里你可能见到不带 `@staticmethod` 的 `Cube()(x)`，那种写法已经不能用了。）
#
# 轮到你了。`Lens` 有**两个**输入，所以它的 `backward` 要按输入的顺序返回两个梯度。
# 把它们填上：按 `e`。检查时会用 `gradcheck`。


# %% tags=["exercise"] id="lens" kind="fill"
class Lens(torch.autograd.Function):
    """x times the square of w."""

    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return x * w**2

    @staticmethod
    def backward(ctx, grad):
        x, w = ctx.saved_tensors
        to_x = torch.zeros_like(x)  # what should it be?
        to_w = torch.zeros_like(w)  # and this?
        return to_x, to_w


print(Lens.apply(torch.tensor(5.0), torch.tensor(3.0)))

# %% [markdown] tags=["hint"] lang="en"
# First the partial derivatives: how many times as far does `x * w**2` move when only `x` moves? And when only `w`
# does?

# %% [markdown] tags=["hint"] lang="zh"
# 先想偏导数：只有 `x` 变化时，`x * w**2` 的变化是它的几倍？只有 `w` 变化时呢？

# %% [markdown] tags=["hint"] lang="en"
# They are `w**2` and `2 * x * w`. By the chain rule each is multiplied by what arrives: `grad`.

# %% [markdown] tags=["hint"] lang="zh"
# 偏导数是 `w**2` 和 `2 * x * w`。按链式法则，各自还要乘上到达的梯度 `grad`。


# %% tags=["solution"]
class Lens(torch.autograd.Function):
    """x times the square of w."""

    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return x * w**2

    @staticmethod
    def backward(ctx, grad):
        x, w = ctx.saved_tensors
        to_x = grad * w**2
        to_w = grad * 2 * x * w
        return to_x, to_w


print(Lens.apply(torch.tensor(5.0), torch.tensor(3.0)))

# %% tags=["check"]
p = torch.tensor([5.0, -1.0], dtype=torch.float64, requires_grad=True)
q = torch.tensor([3.0, 2.0], dtype=torch.float64, requires_grad=True)
try:
    (10 * Lens.apply(p, q)).sum().backward()
    trouble = ""
except (RuntimeError, TypeError) as error:
    trouble = str(error)
assert not trouble, {
    "en": f"`backward` must give back a tensor for each of the two inputs. {trouble}",
    "zh": f"`backward` 应当为两个输入各返回一个张量。{trouble}",
}
for name, leaf, derivative in (("x", p, q.detach() ** 2), ("w", q, 2 * p.detach() * q.detach())):
    assert leaf.grad is not None, {
        "en": f"`backward` sends nothing to {name}.",
        "zh": f"`backward` 没有给 {name} 传回梯度。",
    }
    found, want = leaf.grad.tolist(), (10 * derivative).tolist()
    assert not torch.allclose(leaf.grad, derivative), {
        "en": f"For {name} you send the derivative alone. What arrived at the node, `grad`, must go in too.",
        "zh": f"给 {name} 的只有偏导数。到达节点的 `grad` 也要乘进去。",
    }
    assert torch.allclose(leaf.grad, 10 * derivative), {
        "en": f"{name} should get {want}, and you send {found}: x is {p.tolist()}, w is {q.tolist()}, and 10 arrives.",
        "zh": f"{name} 应当得到 {want}，你给的是 {found}：x 是 {p.tolist()}，w 是 {q.tolist()}，到达的是 10。",
    }
assert torch.autograd.gradcheck(Lens.apply, (p, q), raise_exception=False), {
    "en": "gradcheck measures other derivatives than `backward` sends. Was `forward` changed?",
    "zh": "gradcheck 测量的导数和 `backward` 给的不一样。是不是改了 `forward`？",
}
