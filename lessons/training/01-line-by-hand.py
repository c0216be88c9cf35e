# ---
# jupyter:
#   gradtutor:
#     title: {en: "A line, trained by hand"}
#     summary: {en: "Forward, backward, update, clear: the whole of training, without an optimizer."}
# ---

# %% [markdown] lang="en"
# Three points lie on a line through the origin, and a model of one weight shall find its slope. We write each part
# of training ourselves; there are only four:
#
# 1. **forward**: compute the loss of one sample,
# 2. **backward**: get the gradient of the weight,
# 3. **update**: move the weight a little against its gradient; `lr`, the learning rate, says how little,
# 4. **clear** the gradient for the next sample.

# %%
import torch

samples = [(1.0, 2.0), (2.0, 4.0), (3.0, 6.0)]
w = torch.tensor([1.0], requires_grad=True)
lr = 0.01  # @param {type: number, min: 0.0001, max: 0.2}


def forward(x):
    return w * x


print("before training: 4 gives", forward(4).item())

# %% [markdown] question="predict" of="gradients[0]" lang="en"
# Here is one **epoch**: each sample once. The update stands under `torch.no_grad()`, for it is not part of what the
# model computes, and must not become part of its graph. (In older code you will see `w.data -= lr * w.grad` there. It
# goes behind autograd's back, and so do its mistakes.)
#
# The first sample is 1, and should give 2. What is the first gradient?

# %%
gradients = []
for x, target in samples:
    loss = (forward(x) - target) ** 2
    loss.backward()
    gradients.append(w.grad.item())
    with torch.no_grad():
        w -= lr * w.grad
    w.grad.zero_()
print("gradients of epoch 0:", [round(gradient, 4) for gradient in gradients])

# %% [markdown] question="predict" of="forward(4).item()" lang="en"
# All three gradients are below zero, so all three samples want a larger weight, and each update gives them some. The
# last one shouts loudest: its input is the largest.
#
# Now the other epochs. The model will never be shown the input 4. What will it say to it in the end? (An answer
# within a thousandth counts as right.)

# %%
for epoch in range(1, 100):
    for x, target in samples:
        loss = (forward(x) - target) ** 2
        loss.backward()
        with torch.no_grad():
            w -= lr * w.grad
        w.grad.zero_()
print("after training: 4 gives", forward(4).item())

# %% [markdown] lang="en"
# Nearly, but not quite, what the line would give: the closer the weight comes, the smaller the gradients get, and the
# smaller its steps. Look at the chart: a steep fall, then a long flat tail. `}` and `{` go from one turn of the loop
# to the next, `b` and `B` from one backward pass to the next.
#
# The chart has teeth, too. Each epoch goes through three samples, and each has a loss of its own.
