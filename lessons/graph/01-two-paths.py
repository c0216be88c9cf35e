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
# begins with are its **leaves** `■`. Each operation is a node `●`.
#
# Here are two leaves, with numbers small enough to check in your head.

# %% [markdown] lang="zh"
# 你的代码一边计算，PyTorch 一边画出一张**计算图**：算出了什么，又是由什么算出来的。
# 图从一些张量开始，它们是**叶子节点** `■`；每个运算是一个节点 `●`。
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
# 看下一个单元格。`w` 用了**两次**：一次经过 `a`，一次经过 `b`。所以 `w` 稍微一动，就从两边同时牵动 `y`。
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
# Go back with `←` and walk that pass once more. From `y` it works backward, in reverse order of the forward pass.
#
# The product comes first. It sends to each factor the gradient that reached it, times the *other* factor. `y` is
# where the pass starts, with 1, so here `a` gets just the value of `b`, and `b` the value of `a`. Then each sum passes
# on what it got, unchanged. At `w` both paths meet, and what they bring is **added up**: {{ w.grad.item() }}. `x` was
# on one path only, so it gets just that share: {{ x.grad.item() }}.
#
# A gradient came by at `a` too. What will `a.grad` hold now?

# %% [markdown] question="predict" of="a.grad" lang="zh"
# 用 `←` 退回去，把这次反向传播逐个节点再走一遍。它从 `y` 出发，按前向计算的相反顺序进行。
#
# 最先轮到乘法。它传给每个因子的，是传来的梯度乘以**另一个**因子的值。
# 反向传播从 `y` 开始，起点处的梯度是 1，所以这里 `a` 得到的正好是 `b` 的值，`b` 得到的正好是 `a` 的值。
# 接着，每个加法把收到的梯度原样传下去。两条路径在 `w` 处相会，各条路径的梯度**相加**：{{ w.grad.item() }}。
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
# gradient of `a` did its work and was dropped to save memory; the recording kept it for you, in the graph and in
# brackets in the table. If your own code needs it, call `a.retain_grad()` before the backward pass.
#
# Two things to remember: along a path, gradients are *multiplied*; where paths meet, they are *added*. All of
# backpropagation is that.

# %% [markdown] lang="zh"
# 什么也没有，而且你这么问，PyTorch 还会警告你。只有**叶子节点**保留梯度，因为要训练的正是它们。
# `a` 的梯度用完就丢掉了，以节省内存；你在图里、在张量表的括号里还能看到它，是因为运行记录里留着它。
# 如果你自己的代码需要它，就在反向传播之前调用 `a.retain_grad()`。
#
# 记住两点：沿着一条路，梯度**相乘**；路与路相会处，梯度**相加**。反向传播说到底就是这两件事。
