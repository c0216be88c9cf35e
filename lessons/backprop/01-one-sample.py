# ---
# jupyter:
#   gradtutor:
#     title: {en: "One sample"}
#     summary: {en: "A model of one weight, one example, one loss: what the sign and the size of a gradient say."}
# ---

# %% [markdown] lang="en"
# The smallest model there is: `y = w * x`, with one **weight** `w` to be learned. We show it one example: for the
# input `x` we want the target `t`.
#
# How wrong the model is we measure with a **loss**, the square of the miss: `(y - t) ** 2`. It is zero when the model
# is right, and grows quickly when it is not.
#
# The weight is new and no backward pass has run, so look what `w.grad` holds at first.

# %%
import torch

w = torch.tensor(1.0, requires_grad=True)
print("before:", w.grad)

# %% [markdown] question="predict" of="w.grad" lang="en"
# By the chain rule the gradient of the loss is a product of two slopes. The square has the slope `2 * (y - t)`, and
# `y` moves `x` times as fast as `w` does.
#
# The first example is in the cell below. What will `w.grad` be? Mind the sign.

# %%
x = torch.tensor(1.0)
t = torch.tensor(2.0)
y = w * x
loss = (y - t) ** 2
loss.backward()

# %% [markdown] question="predict" of="w.grad" lang="en"
# It is {{ w.grad.item() }}, and below zero: **more** weight means **less** loss. A gradient points uphill, so to learn
# one goes the other way.
#
# Now another example, with the same weight. The miss is twice as large, and so is the input. The first line puts the
# old gradient away; *Gradients add up* shows why.
#
# What will `w.grad` be this time?

# %%
w.grad = None
x = torch.tensor(2.0)
t = torch.tensor(4.0)
y = w * x
loss = (y - t) ** 2
loss.backward()

# %% [markdown] lang="en"
# {{ w.grad.item() }}: four times as much, for two reasons at once. The miss doubled, and the input, which passes the
# gradient on to the weight, doubled too. Go back to the multiplication's node with `←` and see both factors in the
# line that explains.
#
# Remember that: large inputs make large gradients. It is why one scales one's data before training.
