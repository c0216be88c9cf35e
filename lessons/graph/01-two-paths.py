# ---
# jupyter:
#   gradtutor:
#     title: {en: "Two paths to one leaf"}
#     summary: {en: "y = (x + w)(w + 1): w reaches y on two paths, and its gradient is the sum over both."}
# ---

# %% [markdown] lang="en"
# While your code computes, PyTorch draws a **graph** of it: what was computed, and from what. Tensors that you made
# are its **leaves** `■`. Each operation is a node `●`.
#
# Here are two leaves, with numbers small enough to check in your head.

# %%
import torch

x = torch.tensor([2.0], requires_grad=True)
w = torch.tensor([1.0], requires_grad=True)

# %% [markdown] question="predict" of="w.grad" lang="en"
# Now look at the next cell. `w` is used **twice**: once on the way through `a`, and once through `b`. So if `w` moves
# a little, it pulls on `y` from two sides.
#
# After `y.backward()`, what will `w.grad` hold?

# %%
a = x + w
b = w + 1
y = a * b
y.backward()

# %% [markdown] question="predict" of="a.grad" lang="en"
# Walk through that pass once more, node by node. It starts at `y` and goes against the arrows of time.
#
# The product comes first. It sends to each factor what the *other* factor was: `a` gets the value of `b`, and `b`
# the value of `a`. Then each sum hands on what it got, unchanged. At `w` both paths meet, and what they bring is
# **added up**: {{ w.grad.item() }}. `x` was on one path only, so it gets just that share: {{ x.grad.item() }}.
#
# A gradient came by at `a` too. What will `a.grad` hold now?

# %%
print("leaf:", x.is_leaf, w.is_leaf, a.is_leaf, b.is_leaf, y.is_leaf)
print("made by:", a.grad_fn.name(), b.grad_fn.name(), y.grad_fn.name())
print("a.grad:", a.grad)

# %% [markdown] lang="en"
# Nothing, and PyTorch warns you that you asked. Only **leaves** keep their gradient, for they are what one trains. The
# gradient of `a` did its work and was dropped to save memory; the recording kept it for you in the graph. If your
# own code needs it, call `a.retain_grad()` before the backward pass.
#
# Two things to take along: along a path, gradients are *multiplied*; where paths meet, they are *added*. All of
# backpropagation is that.
