# ---
# jupyter:
#   gradtutor:
#     title: {en: "First look"}
#     summary: {en: "A two-minute tour: one tensor, one product, one backward pass, and how to walk through them."}
# ---

# %% [markdown] lang="en"
# Welcome. The code on this screen is real PyTorch. It runs by itself, and everything that it does is recorded. What
# you walk through is the recording, at your own pace.
#
# Press `→` to take one step, and `←` to take it back. The mark `▶` in the code shows the statement that you are at.
#
# We begin with a **tensor**, PyTorch's box for numbers. This one holds a single number. With `requires_grad=True` we
# ask PyTorch to remember whatever is computed from it.

# %%
import torch

x = torch.tensor(2.5, requires_grad=True)

# %% [markdown] lang="en"
# `x` now stands in two panes. **tensors** is a table: what each tensor holds, and what PyTorch knows about it.
# **graph** shows how things were computed; so far it has only `x`, marked `■` as a *leaf*, a tensor that no operation
# made.
#
# Next, a product. Where a line does several things, `→` stops at each one. `n` takes the whole line at once, and `p`
# goes back a line.

# %%
y = x * 4

# %% [markdown] question="predict" of="x.grad" lang="en"
# The graph has grown: a multiplication `●` made `y` from `x`, and `y` remembers that.
#
# Now comes PyTorch's best trick. `y.backward()` asks: if `x` moves by a little, by how many times as much does `y`
# move? The answer is called a **gradient**, and it is put into `x.grad`.
#
# What will `x.grad` hold? Type a number and press `Enter`, or press `s` to skip the question.

# %%
y.backward()

# %% [markdown] lang="en"
# The pass went through the graph from the end to the beginning, and left {{ x.grad.item() }} in `x.grad`. Look for
# the `∇`. It is the factor in our product: nudge `x`, and `y` moves that many times as far.
#
# **Now step back.** Press `←` until the gradient is gone, then `→` to see it arrive again. No Python can run
# backward like that; a recording can.
#
# The rest of the tour:
# - `]` and `[` go to the next cell and the one before.
# - `b` goes straight to the backward pass.
# - `Tab` goes from pane to pane, and `z` makes one large, and small again.
# - `?` shows all the keys, `Esc` takes you back, and `q` quits.
#
# That is all you need. The next lessons say what the columns of the table mean.
