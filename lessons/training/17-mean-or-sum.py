# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "Mean or sum"
#       zh: "平均还是求和"
#     summary:
#       en: "One loss for many points: how long the steps get, DataLoader, and how to average over batches."
#       zh: "许多个点，一个损失：步子有多大、DataLoader，以及怎样对小批量求平均。"
#     topics:
#       en: [reduction, mean, sum, DataLoader, TensorDataset, drop_last]
#       zh: [reduction, mean, sum, DataLoader, TensorDataset, drop_last]
#     aliases: [training/batches]
# ---

# %% [markdown] question="predict" of="by_sum / by_mean" lang="en"
# A loss is one number, so the losses of a batch must become one: their **mean**, as is usual, or their **sum**. The
# next cell takes a batch of 64 points and does both. How many times as large is the gradient of the sum?

# %% [markdown] question="predict" of="by_sum / by_mean" lang="zh"
# 损失是一个数，所以一个小批量的损失要合成一个：通常取**平均**，也可以**求和**。
# 下一个单元格取一个 64 个点的小批量，两种都算。求和的梯度是平均的多少倍？

# %% [markdown] wrong="1" lang="en"
# The gradient points the same way, but it is longer: a sum of 64 terms is 64 times their mean, and so is its gradient.

# %% [markdown] wrong="1" lang="zh"
# 方向相同，长度不同：64 项之和是平均的 64 倍，梯度也是。

# %%
import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x = 4 * torch.rand(200, 1)
y = 3 * x + 1 + 0.5 * torch.randn(200, 1)
model = torch.nn.Linear(1, 1)

F.mse_loss(model(x[:64]), y[:64], reduction="mean").backward()
by_mean = model.weight.grad.item()
model.zero_grad()
F.mse_loss(model(x[:64]), y[:64], reduction="sum").backward()
by_sum = model.weight.grad.item()

# %% [markdown] question="predict" of="len(full)" lang="en"
# As many times as the batch has points. So with a sum, a larger batch makes larger steps, and the `lr` that is right
# for 64 is wrong for 128. With the mean, all steps are alike.
#
# Everyday code leaves the splitting to a `DataLoader`. You give it the data set, the batch size and `shuffle=True`,
# and loop over it: each time it passes the points out in another order. `drop_last=True` leaves out the batch that is
# not full.
#
# There are 200 points here. How many batches of 64 does a loader with `drop_last=True` make?

# %% [markdown] question="predict" of="len(full)" lang="zh"
# 这个小批量有几个点，就是几倍。所以求和的话，批量越大，步子越大，给 64 个点调好的 `lr`，换成 128 就不对了。
# 取平均就没有这个问题。
#
# 平常的代码把划分小批量交给 `DataLoader`。给它数据集、批量大小和 `shuffle=True`，然后用循环走一遍：
# 每次给出的次序都不同。`drop_last=True` 会丢掉不满的那个小批量。
#
# 这里有 200 个点。批量大小为 64，`drop_last=True` 的加载器会给出几个小批量？

# %% [markdown] wrong="4" lang="en"
# The fourth has only 8 points, and `drop_last` leaves it out.

# %% [markdown] wrong="4" lang="zh"
# 第四个只有 8 个点，`drop_last` 把它丢掉了。

# %%
points = TensorDataset(x, y)
full = DataLoader(points, batch_size=64, shuffle=True, drop_last=True)
loader = DataLoader(points, batch_size=64, shuffle=True)

lr = 0.05  # @param {type: number, min: 0.001, max: 0.1, step: 0.001}
optimizer = torch.optim.SGD(model.parameters(), lr=lr)
lengths, losses = [], []
for inputs, targets in loader:
    loss = F.mse_loss(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    lengths.append(len(inputs))
    losses.append(loss.item())
print(lengths, [round(each, 3) for each in losses])

# %% [markdown] lang="en"
# Three. The one that trains keeps all points, so its last batch has only the 8 that are left. Each of these 8 counts
# more in its step than a point of a full batch does; over many epochs, with shuffling, that evens out.
#
# It does not even out when you **measure**. `measure` should give the mean loss over all points, and adds up the
# means of the batches, as if each had the same size. Fix it, for any batch size: press `e`.

# %% [markdown] lang="zh"
# 三个。用来训练的加载器保留所有的点，所以最后一个小批量只有剩下的 8 个。在它那一步里，这 8 个点各自的分量，
# 比满的小批量里的点更重；训练许多轮，又每次打乱，这种差别就会抵消。
#
# **测量**的时候却不会抵消。`measure` 应当给出所有点的平均损失，它却把各个小批量的平均加起来再平均，好像它们一样大。
# 改好它，任何批量大小都要对：按 `e`。


# %% tags=["exercise"] id="weighted" kind="bug"
def measure(model, batches):
    total, count = 0.0, 0
    with torch.no_grad():
        for inputs, targets in batches:
            loss = F.mse_loss(model(inputs), targets)
            total += loss.item()
            count += 1
    return total / count


ordered = DataLoader(points, batch_size=64)
print("in batches:", measure(model, ordered))
print("all at once:", F.mse_loss(model(x), y).item())

# %% [markdown] tags=["hint"] lang="en"
# The loss of a batch is a mean. Multiply it by the number of its points, and you have their sum.

# %% [markdown] tags=["hint"] lang="zh"
# 一个小批量的损失是平均值。乘以它的点数，就得到总和。

# %% [markdown] tags=["hint"] lang="en"
# Add `loss.item() * len(inputs)` to `total`, and `len(inputs)` to `count`.

# %% [markdown] tags=["hint"] lang="zh"
# 给 `total` 加上 `loss.item() * len(inputs)`，给 `count` 加上 `len(inputs)`。


# %% tags=["solution"]
def measure(model, batches):
    total, count = 0.0, 0
    with torch.no_grad():
        for inputs, targets in batches:
            loss = F.mse_loss(model(inputs), targets)
            total += loss.item() * len(inputs)
            count += len(inputs)
    return total / count


ordered = DataLoader(points, batch_size=64)
print("in batches:", measure(model, ordered))
print("all at once:", F.mse_loss(model(x), y).item())

# %% tags=["check"]
flat = torch.nn.Linear(1, 1)
with torch.no_grad():
    flat.weight.zero_()
    flat.bias.zero_()
pieces = [(torch.zeros(3, 1), torch.ones(3, 1)), (torch.zeros(1, 1), torch.full((1, 1), 3.0))]
measured = float(measure(flat, pieces))
assert abs(measured - 5) > 1e-4, {
    "en": "Three points with the loss 1 and one with 9 have the mean 3, and you give 5: both batches count the same.",
    "zh": "三个点的损失是 1，一个点是 9，平均是 3，你给出 5：两个小批量的分量相同。",
}
assert abs(measured - 12) > 1e-4, {
    "en": "You give 12, the sum of all losses: divide by the number of points.",
    "zh": "你给出 12，这是损失的总和：要除以点数。",
}
assert abs(measured - 6) > 1e-4, {
    "en": "You give 6: the sum of all losses, divided by the number of batches instead of points.",
    "zh": "你给出 6：损失的总和除以了小批量的个数，不是点数。",
}
assert abs(measured - 2.5) > 1e-4, {
    "en": "You give 2.5: the sum of the two means, divided by the number of points. Weigh each mean by its points.",
    "zh": "你给出 2.5：两个平均之和除以了点数。每个平均要乘以它的点数。",
}
assert abs(measured - 3) < 1e-4, {
    "en": f"Three points with the loss 1 and one with 9 have the mean 3, and you give {measured:.4g}.",
    "zh": f"三个点的损失是 1，一个点是 9，平均是 3，你给出 {measured:.4g}。",
}
assert all(each.grad is None for each in flat.parameters()), {
    "en": "measure should only measure, and it left gradients in the model.",
    "zh": "measure 只该测量，它却在模型里留下了梯度。",
}
