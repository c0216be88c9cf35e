# ---
# jupyter:
#   gradtutor:
#     title: {en: "What a tensor knows"}
#     summary: {en: "dtype, shape, device, and what autograd keeps: requires_grad, is_leaf, grad_fn, grad, data."}
# ---

# %% [markdown] lang="en"
# Numbers are only a part of a tensor. Three attributes describe them: `dtype` is their type, `shape` how they are
# laid out, `device` where they live.
#
# The others belong to **autograd**, the part of PyTorch that finds gradients. `requires_grad` says whether a tensor
# takes part. `is_leaf` says that no recorded operation made it. `grad_fn` names the operation that did.
#
# Each has its column in the table of tensors. Walk through the cell, and compare `w`, which we made, with `total`,
# which was computed.

# %%
import torch

w = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
total = (w * w).sum()
print(w.dtype, w.shape, w.device)
print("leaf:", w.is_leaf, total.is_leaf)
print("made by:", w.grad_fn, total.grad_fn.name())

# %% [markdown] question="predict" of="w.grad" lang="en"
# One attribute is still empty: `w.grad`, the gradient. It is `None` until a backward pass writes it.
#
# `total` is the sum of the squares of the elements of `w`. What will `w.grad` hold after `total.backward()`? It is
# the slope of the square at each element, so it has as many numbers as `w`. Type a list: `[…, …, …]`.

# %%
total.backward()

# %% [markdown] question="predict" of="same_memory" lang="en"
# A gradient always has the shape of its tensor: one slope for each number.
#
# Sometimes you want the numbers without the bookkeeping, to print or plot them. `w.detach()` gives you a tensor that
# autograd does not follow.
#
# Does it copy the numbers? Will `plain` and `w` share their memory? Answer `True` or `False`.

# %%
plain = w.detach()
same_memory = plain.data_ptr() == w.data_ptr()
print("requires grad:", w.requires_grad, plain.requires_grad)

# %% [markdown] lang="en"
# Nothing was copied: two tensors, one block of memory, and a write through either shows in both. (The `Enter` key on
# a row of the table tells more about a tensor.)
#
# Two old habits that you will meet in other people's code:
# - **`w.data`** gives the same memory too, but writes through it go unnoticed: autograd no longer sees that a value
#   it had saved was changed, and can compute a wrong gradient without a word. `detach()` shares a counter of changes
#   with `w`, so that autograd notices. Use `detach()`, and `torch.no_grad()` to update weights.
# - **`Variable`** was a wrapper which a tensor needed to have a gradient at all. Since PyTorch 0.4 tensors do that
#   themselves. The name is still there, and gives you back a plain tensor, as the last cell shows.

# %%
from torch.autograd import Variable

v = Variable(torch.ones(2), requires_grad=True)
print(type(v).__name__)
