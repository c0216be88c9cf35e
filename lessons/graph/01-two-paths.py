# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "Two paths to one leaf"
#       zh: "通向同一个叶子的两条路"
#     summary:
#       en: "y = (x + w)(w + 1): w reaches y on two paths. What is its gradient?"
#       zh: "y = (x + w)(w + 1)：w 经两条路到达 y。那么它的梯度是什么？"
#     order: 40
#     topics:
#       en: [computational graph, leaf, grad_fn, sum over paths]
#       zh: [计算图, 叶子节点, grad_fn, 各路径相加]
# ---

# %% [markdown] lang="en"
# While your code computes, PyTorch draws a **graph** of it: what was computed, and from what. The tensors that it
# begins with are its **leaves**. Each operation is a **node**.
#
# Here are two leaves, with numbers small enough to check in your head.

# %% [markdown] lang="zh"
# 代码运行时，PyTorch 会构建一张**计算图**，记录算出了什么、由什么算出。
# 图从一些张量开始，它们是**叶子节点**；每个运算是一个**节点**。
#
# 先来两个叶子节点，数字小到可以心算。

# %%
import torch

x = torch.tensor([2.0], requires_grad=True)
w = torch.tensor([1.0], requires_grad=True)

# %% [markdown] question="predict" of="w.grad" vary="x: [3, 2]; w: [2, 4]" lang="en"
# Now look at the next cell. `w` is used **twice**: once on the way through `a`, and once through `b`. So if `w` moves
# a little, it pulls on `y` from two sides.
#
# After `y.backward()`, what will `w.grad` hold?

# %% [markdown] question="predict" of="w.grad" vary="x: [3, 2]; w: [2, 4]" lang="zh"
# 看下一个单元格。`w` 用了**两次**：一次经过 `a`，一次经过 `b`。所以 `w` 的微小变化会沿两条路径同时影响 `y`。
#
# `y.backward()` 之后，`w.grad` 里会是多少？

# %% [markdown] wrong="a" lang="en"
# That is the path through `b` alone. `w` also reaches `y` through `a`.

# %% [markdown] wrong="a" lang="zh"
# 那只是经过 `b` 的路。`w` 还经过 `a` 到达 `y`。

# %% [markdown] wrong="b" lang="en"
# That is the path through `a` alone. `w` also reaches `y` through `b`.

# %% [markdown] wrong="b" lang="zh"
# 那只是经过 `a` 的路。`w` 还经过 `b` 到达 `y`。

# %% [markdown] wrong="a * b" lang="en"
# Along a path factors are multiplied, but what two paths bring is added. (Or was that the value of `y`?)

# %% [markdown] wrong="a * b" lang="zh"
# 同一条路上的因子相乘，而两条路带来的梯度相加。（还是说，你答的是 `y` 的值？）

# %%
a = x + w
b = w + 1
y = a * b
y.backward()

# %% [markdown] question="predict" of="a.grad" lang="en"
# Go back and walk that pass once more. From `y` it works backward, in reverse order of the forward pass.
#
# The product comes first. It sends to each factor the gradient that reached it, times the *other* factor. `y` is
# where the pass starts, with 1, so here `a` gets just the value of `b`, and `b` the value of `a`. Then each sum passes
# on what it got, unchanged. At `w` both paths meet, and what they bring is **added up**: {{ w.grad.item() }}. `x` was
# on one path only, so it gets just that share: {{ x.grad.item() }}.
#
# A gradient came by at `a` too. What will `a.grad` hold now?

# %% [markdown] question="predict" of="a.grad" lang="zh"
# 退回去，把这次反向传播逐个节点再走一遍。它从 `y` 出发，按前向计算的相反顺序进行。
#
# 最先轮到乘法。它传给每个因子的，是传来的梯度乘以**另一个**因子的值。
# 反向传播从 `y` 开始，起点处的梯度是 1，所以这里 `a` 得到的正好是 `b` 的值，`b` 得到的正好是 `a` 的值。
# 接着，每个加法把收到的梯度原样传下去。两条路径在 `w` 处汇合，各条路径的梯度**相加**：{{ w.grad.item() }}。
# `x` 只在一条路径上，所以只得到那一份：{{ x.grad.item() }}。
#
# 梯度也经过了 `a`。那么现在 `a.grad` 里是什么？

# %% [markdown] wrong="b" lang="en"
# That gradient did come by at `a`, but only leaves keep theirs.

# %% [markdown] wrong="b" lang="zh"
# 这个梯度确实经过了 `a`，但只有叶子节点保留自己的梯度。

# %% [markdown] wrong="0.0" lang="en"
# A zero would be a gradient that was kept. `a` keeps none at all.

# %% [markdown] wrong="0.0" lang="zh"
# 0 也是一个保留下来的梯度。`a` 根本不保留。

# %%
print("leaf:", x.is_leaf, w.is_leaf, a.is_leaf, b.is_leaf, y.is_leaf)
print("made by:", a.grad_fn.name(), b.grad_fn.name(), y.grad_fn.name())
print("a.grad:", a.grad)

# %% [markdown] lang="en"
# Nothing, and PyTorch warns you that you asked. Only **leaves** keep their gradient: they are what you train. The
# gradient of `a` did its work and was dropped to save memory; the recording kept it for you.
# If your own code needs it, call `a.retain_grad()` before the backward pass.
#
# Two things to remember: along a path, gradients are *multiplied*; where paths meet, they are *added*. All of
# backpropagation is that.

# %% [markdown] lang="zh"
# 是 `None`，而且访问它时 PyTorch 会给出警告。只有**叶子节点**保留梯度，因为要训练的正是它们。
# `a` 的梯度用完就丢掉了，以节省内存；只有运行记录里还留着它。
# 如果你自己的代码需要它，就在反向传播之前调用 `a.retain_grad()`。
#
# 记住两点：沿着一条路径，梯度**相乘**；路径汇合处，梯度**相加**。反向传播归根结底就是这两条。

# %% [markdown] lang="en"
# Here is another graph, without a backward pass so far. `p` reaches `z` on two paths, and so does `q`.

# %% [markdown] lang="zh"
# 再来一张图，还没有做反向传播。`p` 经两条路到达 `z`，`q` 也是。

# %%
p = torch.tensor(2.0, requires_grad=True)
q = torch.tensor(-3.0, requires_grad=True)
c = p * q
d = c + p
z = d * q

# %% [markdown] lang="en"
# Now you do the backward pass, by hand: press `e`, and type the gradient that reaches each node when `z.backward()`
# starts with 1.

# %% [markdown] lang="zh"
# 这次由你动手做反向传播：按 `e`，填出 `z.backward()` 从 1 开始时到达每个节点的梯度。

# %% tags=["exercise"] id="by-hand" kind="gradients"
gradients = {"z": ..., "d": ..., "c": ..., "p": ..., "q": ...}

# %% [markdown] tags=["hint"] lang="en"
# Begin at `z`, with 1. A product sends to each factor what reached it, times the other factor: to `d` the value of `q`.

# %% [markdown] tags=["hint"] lang="zh"
# 从 `z` 开始，它是 1。乘法传给每个因子的，是到达它的梯度乘以另一个因子：传给 `d` 的是 `q` 的值。

# %% [markdown] tags=["hint"] lang="en"
# A sum passes on what it got, so `c` gets as much as `d`. `p` gets that too, and `q` times it through `c`: add them.

# %% [markdown] tags=["hint"] lang="zh"
# 加法原样传下去，所以 `c` 和 `d` 得到的一样多。`p` 也得到这么多，再加上经过 `c` 传来的、乘以 `q` 的那一份。

# %% tags=["solution"]
gradients = {"z": 1.0, "d": -3.0, "c": -3.0, "p": 6.0, "q": -10.0}

# %% tags=["check"]
names = {"z": z, "d": d, "c": c, "p": p, "q": q}
truth = dict(zip(names, torch.autograd.grad(z, list(names.values()), retain_graph=True), strict=True))
empty = [name for name in names if gradients.get(name, ...) is ...]
assert not empty, {
    "en": f"Nothing is typed yet for {', '.join(empty)}.",
    "zh": f"{'、'.join(empty)} 还没有填。",
}
one_path = {"p": (-3.0, 9.0), "q": (-4.0, -6.0)}
for name, value in truth.items():
    given = gradients[name]
    if not isinstance(given, list) and abs(given - value.item()) < 1e-3:
        continue
    assert given not in one_path.get(name, ()), {
        "en": f"{given:g} comes to {name} on one of its two paths. What both bring is added.",
        "zh": f"{given:g} 是 {name} 的两条路之一带来的。两条路带来的要相加。",
    }
    assert given != names[name].item(), {
        "en": f"{given:g} is the value of {name}, not the gradient that reaches it.",
        "zh": f"{given:g} 是 {name} 的值，不是到达它的梯度。",
    }
    assert given != -value.item(), {
        "en": f"Only the sign is wrong at {name}: q is {q.item():g}.",
        "zh": f"{name} 只差一个符号：q 是 {q.item():g}。",
    }
    raise AssertionError(
        {
            "en": f"{given} does not reach {name}. Start from what reaches the node after it.",
            "zh": f"到达 {name} 的不是 {given}。从它后面的节点得到的梯度算起。",
        }
    )
