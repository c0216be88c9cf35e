# ---
# jupyter:
#   gradtutor:
#     title: {en: "What a tensor knows", zh: "张量知道什么"}
#     summary:
#       en: "dtype, shape, device, and what autograd keeps: requires_grad, is_leaf, grad_fn, grad, data."
#       zh: "dtype、shape、device，以及自动求导记下的：requires_grad、is_leaf、grad_fn、grad、data。"
#     topics:
#       en: [dtype, shape, device, is_leaf, grad_fn, detach, data, Variable]
#       zh: [dtype, shape, device, is_leaf, grad_fn, detach, data, Variable]
# ---

# %% [markdown] question="choice" of="3 if w.grad_fn is None else 2 if 'Sum' in w.grad_fn.name() else 1" lang="en"
# Besides its numbers, a tensor has a `dtype`, a `shape`, a `device`, and what **autograd**, PyTorch's gradient
# engine, records: `requires_grad` (does it take part?), `is_leaf` (did no recorded operation make it?), `grad_fn`
# (which one did?).
#
# We make `w`, and compute `total` from it. What is `w.grad_fn`?
#
# 1. the product that uses `w` first
# 2. the sum at the end
# 3. `None`

# %% [markdown] question="choice" of="3 if w.grad_fn is None else 2 if 'Sum' in w.grad_fn.name() else 1" lang="zh"
# 除了数，张量还有 `dtype`（类型）、`shape`（形状）、`device`（放在哪里），
# 以及**自动求导**（autograd）记下的东西。`requires_grad`：要不要求梯度？
# `is_leaf`：是不是叶子节点，即没有运算产生它？`grad_fn`：产生它的是哪个运算？
#
# 我们造出 `w`，再由它算出 `total`。`w.grad_fn` 是什么？
#
# 1. 最先用到 `w` 的乘法
# 2. 最后的求和
# 3. `None`

# %%
import torch

w = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
total = (w * w).sum()
print(w.dtype, w.shape, w.device)
print("leaf:", w.is_leaf, total.is_leaf)
print(w.grad_fn, total.grad_fn.name())

# %% [markdown] question="predict" of="w.grad" lang="en"
# `grad_fn` tells where a tensor comes **from**, not where it goes. We made `w` by hand, so it has none: it is a leaf.
#
# `w.grad`, the gradient, is still `None`. A backward pass will write it.
#
# `total` is the sum of the squares of `w`. What will `w.grad` hold after `total.backward()`? It is the derivative of
# the square at each element, how fast it changes there: for x² that is 2x. Type a list: `[…, …, …]`.

# %% [markdown] question="predict" of="w.grad" lang="zh"
# `grad_fn` 说的是张量**从哪里来**，不是到哪里去。`w` 是我们亲手造的，所以没有：它是叶子节点。
#
# `w.grad`，也就是梯度，还是 `None`，要等反向传播来写。
#
# `total` 是 `w` 各元素的平方和。`total.backward()` 之后，`w.grad` 会是什么？
# 它是平方在每个元素处的导数，也就是变化率：x² 的导数是 2x。输入一个列表：`[…, …, …]`。

# %%
total.backward()

# %% [markdown] question="predict" of="same_memory" lang="en"
# {{ w.grad.tolist() }}: the derivative of a square is twice the number. A gradient has the shape of its tensor, one
# **partial derivative** for each number: how `total` changes when only that number does.
#
# Sometimes you want the numbers without the bookkeeping, to print or plot them. `w.detach()` gives a tensor that
# autograd does not follow.
#
# Does it copy? Answer `True` if `plain` and `w` share their memory, else `False`.

# %% [markdown] question="predict" of="same_memory" lang="zh"
# {{ w.grad.tolist() }}：平方的导数是这个数的两倍。梯度的形状和张量一样，每个数一个**偏导数**：只有这个数变化时，
# `total` 怎样变化。
#
# 有时只需要数值，不需要跟踪计算，比如打印或画图。`w.detach()` 给你一个自动求导不再跟踪的张量。
#
# 它会复制吗？`plain` 和 `w` 共用内存就答 `True`，否则答 `False`。

# %%
plain = w.detach()
same_memory = plain.data_ptr() == w.data_ptr()
print("requires grad:", plain.requires_grad)

# %% [markdown] lang="en"
# Nothing was copied: two tensors, one block of memory. A write through either shows in both.
#
# Two old habits that you will meet:
# - **`w.data`** gives that memory too, but autograd cannot see what is written through it, and may compute a wrong
#   gradient without a word. A write through `detach()` is noticed. Use that, and `torch.no_grad()` to update weights.
# - **`Variable`** was a wrapper without which a tensor had no gradient. Since PyTorch 0.4 tensors need none. The name
#   is still there, and gives a plain tensor, as the last cell shows.

# %% [markdown] lang="zh"
# 什么也没有复制：两个张量，一块内存。从哪一边写，两边都看得到。
#
# 你会遇到两个老习惯：
# - **`w.data`** 给的也是这块内存，但从它写入，自动求导看不见，会不声不响地算出错的梯度。
#   从 `detach()` 写入则会被发现。请用它；更新权重用 `torch.no_grad()`。
# - **`Variable`** 是从前的一层包装，没有它张量就没有梯度。从 PyTorch 0.4 起不再需要。
#   这个名字还在，给你的就是普通的张量，看最后一个单元格。

# %%
from torch.autograd import Variable

v = Variable(torch.ones(2), requires_grad=True)
print(type(v).__name__)
