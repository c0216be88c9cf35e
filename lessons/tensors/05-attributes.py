# ---
# jupyter:
#   gradtutor:
#     title: {en: "What a tensor knows", zh: "张量知道什么"}
#     summary:
#       en: "dtype, shape, device, and what autograd keeps: requires_grad, is_leaf, grad_fn, grad, data."
#       zh: "dtype、shape、device，以及自动求导记下的：requires_grad、is_leaf、grad_fn、grad、data。"
# ---

# %% [markdown] question="choice" of="3 if w.grad_fn is None else 2 if 'Sum' in w.grad_fn.name() else 1" lang="en"
# Numbers are only a part of a tensor. `dtype` is their type, `shape` how they are laid out, `device` where they live.
#
# The rest belongs to **autograd**, the part of PyTorch that finds gradients. `requires_grad`: does the tensor take
# part? `is_leaf`: is it one that no recorded operation made? `grad_fn`: the operation that made it.
#
# Each has its column in the table. Below, we make `w` and compute `total` from it. What will `w.grad_fn` be?
#
# 1. the product, where `w` is used first
# 2. the sum, where its way ends
# 3. `None`

# %% [markdown] question="choice" of="3 if w.grad_fn is None else 2 if 'Sum' in w.grad_fn.name() else 1" lang="zh"
# 数只是张量的一部分。`dtype` 是数的类型，`shape` 是怎样排列，`device` 是放在哪里。
#
# 其余的归**自动求导**（autograd）管，PyTorch 靠它求梯度。`requires_grad`：要不要参与求导？
# `is_leaf`：是不是叶子节点，也就是没有记录下来的运算产生它？`grad_fn`：产生它的那个运算。
#
# 它们在表里各占一列。下面造一个 `w`，再由它算出 `total`。`w.grad_fn` 会是什么？
#
# 1. 乘法，`w` 最先用在那里
# 2. 求和，`w` 的路到那里为止
# 3. `None`

# %%
import torch

w = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
total = (w * w).sum()
print(w.dtype, w.shape, w.device)
print("leaf:", w.is_leaf, total.is_leaf)
print("made by:", w.grad_fn, total.grad_fn.name())

# %% [markdown] question="predict" of="w.grad" lang="en"
# `grad_fn` tells where a tensor comes **from**, not where it goes. We made `w` by hand, so it has none, and is a leaf.
#
# One attribute is still empty: `w.grad`, the gradient. It is `None` until a backward pass writes it.
#
# `total` is the sum of the squares of the elements of `w`. What will `w.grad` hold after `total.backward()`? It is
# the slope of the square at each element, so it has as many numbers as `w`. Type a list: `[…, …, …]`.

# %% [markdown] question="predict" of="w.grad" lang="zh"
# `grad_fn` 说的是张量**从哪里来**，不是到哪里去。`w` 是我们亲手造的，所以它没有，它是叶子节点。
#
# 还有一个属性空着：`w.grad`，也就是梯度。反向传播写入之前，它是 `None`。
#
# `total` 是 `w` 各元素的平方和。`total.backward()` 之后，`w.grad` 会是什么？
# 它是平方在每个元素处的斜率，所以和 `w` 一样多个数。输入一个列表：`[…, …, …]`。

# %%
total.backward()

# %% [markdown] question="predict" of="same_memory" lang="en"
# {{ w.grad.tolist() }}: the slope of the square of a number is twice that number. A gradient always has the shape of
# its tensor: one slope for each number.
#
# Sometimes you want the numbers without the bookkeeping, to print or plot them. `w.detach()` gives you a tensor that
# autograd does not follow.
#
# Does it copy the numbers, or will `plain` and `w` share their memory? Answer `True` if they share, else `False`.

# %% [markdown] question="predict" of="same_memory" lang="zh"
# {{ w.grad.tolist() }}：一个数的平方，斜率是它的两倍。梯度的形状总和张量一样：每个数一个斜率。
#
# 有时只要数，不要记账，比如打印或画图。`w.detach()` 给你一个自动求导不再跟踪的张量。
#
# 它会复制这些数，还是让 `plain` 和 `w` 共用一块内存？共用就答 `True`，否则答 `False`。

# %%
plain = w.detach()
same_memory = plain.data_ptr() == w.data_ptr()
print("requires grad:", w.requires_grad, plain.requires_grad)

# %% [markdown] lang="en"
# Nothing was copied: two tensors, one block of memory, and a write through either shows in both. (`Enter` on a row of
# the table tells more about a tensor.)
#
# Two old habits that you will meet in other people's code:
# - **`w.data`** gives the same memory too, but writes through it go unnoticed: autograd no longer sees that a value
#   it had saved was changed, and can compute a wrong gradient without a word. `detach()` shares a counter of changes
#   with `w`, so that autograd notices. Use `detach()`, and `torch.no_grad()` to update weights.
# - **`Variable`** was a wrapper which a tensor needed to have a gradient at all. Since PyTorch 0.4 tensors do that
#   themselves. The name is still there, and gives you back a plain tensor, as the last cell shows.

# %% [markdown] lang="zh"
# 什么也没有复制：两个张量，一块内存，从哪一边写，两边都看得到。
# （在表格的一行上按 `Enter`，能看到这个张量的更多情况。）
#
# 别人的代码里，你会遇到两个老习惯：
# - **`w.data`** 也给出同一块内存，但从它写入没人知道：自动求导看不见自己存下的值被改过，
#   会不声不响地算出错的梯度。`detach()` 和 `w` 共用一个版本计数器，改了就会被发现。
#   请用 `detach()`；更新权重用 `torch.no_grad()`。
# - **`Variable`** 是从前的一层包装，张量要有它才能有梯度。从 PyTorch 0.4 起，张量自己就行。
#   这个名字还在，给你的就是普通的张量，看最后一个单元。

# %%
from torch.autograd import Variable

v = Variable(torch.ones(2), requires_grad=True)
print(type(v).__name__)
