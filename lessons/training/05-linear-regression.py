# ---
# jupyter:
#   gradtutor:
#     title: {en: "Linear regression"}
#     summary: {en: "A line through twenty noisy points: when to stop, and why the loss cannot reach zero."}
# ---

# %% [markdown] lang="en"
# Real data has noise. Here are twenty points around a line. We know the slope and the intercept, since we made them
# up; the model does not, and has to find a weight `w` and a bias `b` from the points alone.
#
# Random numbers would differ from run to run, so we fix the **seed**. All twenty points go through the model at once,
# as a column: that is what the shape says in the table.

# %%
import torch

torch.manual_seed(10)

slope = 2  # @param {type: number, min: 1, max: 5, step: 1}
x = 10 * torch.rand(20, 1)
y = slope * x + (5 + torch.randn(20, 1))

w = torch.randn(1, requires_grad=True)
b = torch.zeros(1, requires_grad=True)

# %% [markdown] question="predict" of="w.item() > slope" lang="en"
# The loss is the mean over all points of half the squared miss. One backward pass gives both gradients, and after
# each update we ask whether the loss was small enough to stop.
#
# The bias starts at zero, well below the truth, and moves slowly: its gradient is the miss alone, while that of `w`
# is the miss times `x`. Somebody has to lift the line meanwhile.
#
# When training stops, will `w` be **larger** than the true slope? Answer `True` or `False`.

# %%
lr = 0.05  # @param {type: number, min: 0.001, max: 0.06}
stop = 1.0  # @param {type: number, min: 0.1, max: 10}

for iteration in range(1000):
    predicted = w * x + b
    loss = (0.5 * (y - predicted) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        w -= lr * w.grad
        b -= lr * b.grad
    w.grad.zero_()
    b.grad.zero_()
    if loss.item() < stop:
        break
print(f"iteration {iteration}: loss {loss.item():.4f}, w {w.item():.4f}, b {b.item():.4f}")

# %% [markdown] question="predict" of="floor.item() < 0.1" lang="en"
# The weight rushed ahead in the first few turns and made up for the missing bias. Since then it has been giving way,
# a little at each turn, while `b` creeps up. Follow both with `}`; in the chart the fall is all at the left.
#
# Suppose we did not stop. Gradient descent would come to the best line there is. The last cell finds that line
# directly, by least squares. Will its loss be below 0.1? Answer `True` or `False`.

# %%
columns = torch.cat([x, torch.ones(20, 1)], dim=1)
best = torch.linalg.lstsq(columns, y).solution
floor = (0.5 * (y - columns @ best) ** 2).mean()
print(f"the best line: loss {floor.item():.4f}, w {best[0].item():.4f}, b {best[1].item():.4f}")

# %% [markdown] lang="en"
# No line gets below that, however long one trains: the rest is the **noise**, which no slope and no intercept can
# explain. Half the square of a noise of one is about a half, and that is what is left over.
#
# So a loss has a floor, and it is not zero. A test that waits for less than the floor waits for ever, which is why
# our loop has an end of its own.
