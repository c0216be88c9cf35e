# ---
# jupyter:
#   gradtutor:
#     title: {en: "Gradients add up"}
#     summary: {en: "A backward pass adds to grad and does not replace it. Two ways to start afresh."}
# ---

# %% [markdown] lang="en"
# You have seen two paths of *one* pass meet in a leaf. There is a second kind of adding: **over several passes**. When
# a pass brings a gradient to a leaf, PyTorch does not replace what `grad` holds. It adds.
#
# The graph is the one of *Two paths to one leaf*. Here is the first pass.

# %%
import torch

x = torch.tensor([2.0], requires_grad=True)
w = torch.tensor([1.0], requires_grad=True)

y = (x + w) * (w + 1)
y.backward()
print("pass 1:", w.grad.item())

# %% [markdown] question="predict" of="w.grad" lang="en"
# Now we compute the same thing three times more. Neither `x` nor `w` changes, so each pass brings to `w` what the
# first one brought. Nobody clears `grad` in between.
#
# What will `w.grad` hold after the loop?

# %%
for again in range(2, 5):
    y = (x + w) * (w + 1)
    y.backward()
    print(f"pass {again}:", w.grad.item())

# %% [markdown] question="predict" of="w.grad" lang="en"
# Old plus incoming is new: the explaining line shows that sum at each pass (`b` and `B` go from one to the next).
#
# Adding is of use when one batch is too large for the memory and is fed in parts. In an ordinary training loop it is
# a bug: every step would drag along all the gradients before it. So one clears them, in one of two ways. `zero_()`
# writes zeros into the gradient. `zero_grad()` is what an optimizer offers for all its weights.
#
# After both have run, what will `w.grad` hold? Type it as Python would print it.

# %%
w.grad.zero_()
print("after zero_():", w.grad.item())

optimizer = torch.optim.SGD([w], lr=0.1)
optimizer.zero_grad()
print("after zero_grad():", w.grad)

# %% [markdown] lang="en"
# `zero_()` kept the tensor and made it zero; `zero_grad()` **let it go**. `None` needs no memory, and it tells "no
# gradient came" from "a gradient came, and was zero". Older PyTorch zeroed instead, and code from that time may still
# count on it: `w.grad.zero_()` fails where `grad` is `None`.
