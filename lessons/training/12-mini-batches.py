# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "Batches"
#       zh: "小批量"
#     summary:
#       en: "A thousand points in batches of 64: the last batch, shuffling, and who draws them."
#       zh: "一千个点，批量大小为 64：最后一个小批量、打乱顺序，以及小批量由谁抽取。"
#     topics:
#       en: [batch, randperm, split, epoch, stochastic gradient descent]
#       zh: [小批量, randperm, split, 轮, 随机梯度下降]
#     aliases: [training/batches]
# ---

# %% [markdown] question="predict" of="sizes[-1]" lang="en"
# One sample at a time is slow, and all at once may not fit into the memory. So you take **batches**, something in
# between. Here are 1000 points; `randperm` puts their numbers into a random order, and `split` cuts that into batches
# of 64.
#
# 64 does not divide 1000. How many points will the **last** batch have?

# %% [markdown] question="predict" of="sizes[-1]" lang="zh"
# 一次一个样本太慢，一次全部又可能装不进内存。折中的办法是分成**小批量**。
# 这里有 1000 个点：`randperm` 把它们的编号打乱，`split` 再切成大小为 64 的小批量。
#
# 1000 不能被 64 整除。**最后**一个小批量会有几个点？

# %% [markdown] wrong="24" lang="en"
# 24 is what the last batch lacks to be full.

# %% [markdown] wrong="24" lang="zh"
# 24 是最后那个小批量离装满还差的个数。

# %%
import torch
from torch.nn import functional as F

torch.manual_seed(0)
x = 4 * torch.rand(1000, 1)
y = 3 * x + 1 + 0.5 * torch.randn(1000, 1)

order = torch.randperm(1000)
sizes = [len(rows) for rows in order.split(64)]
last = sizes[-1]
print(len(sizes), "batches")

# %% [markdown] question="choice" of="3 if abs(used - all_points) < 0.001 else 2" lang="en"
# {{ last }}: fifteen full batches, and what is left.
#
# The optimizer is called SGD, *stochastic* gradient descent: by chance. Suppose we put **all** 1000 points into the
# loss, then call `loss.backward()` and `optimizer.step()`. How many points decide on this step?
#
# 1. one, that SGD draws at random
# 2. a batch of 64, that SGD draws at random
# 3. all 1000

# %% [markdown] question="choice" of="3 if abs(used - all_points) < 0.001 else 2" lang="zh"
# {{ last }}：十五个满的小批量，加上剩下的。
#
# 这个优化器叫 SGD，*随机*梯度下降。假如我们把**全部** 1000 个点交给模型，
# 再调用 `loss.backward()` 和 `optimizer.step()`，这一步由几个点决定？
#
# 1. 一个，SGD 随机抽的
# 2. 一个 64 个点的小批量，SGD 随机抽的
# 3. 全部 1000 个

# %% [markdown] wrong="1" lang="en"
# The name says by chance. But the optimizer never sees the points: only the gradient that you give it.

# %% [markdown] wrong="1" lang="zh"
# 名字里确实有“随机”。可是优化器看不到这些点，只看到你给它的梯度。

# %% [markdown] wrong="2" lang="en"
# Batches are made by your code. Here all points went into one loss.

# %% [markdown] wrong="2" lang="zh"
# 小批量由你的代码来分。这里所有的点都进了同一个损失。

# %%
model = torch.nn.Linear(1, 1)
lr = 0.05  # @param {type: number, min: 0.001, max: 0.3, step: 0.001}
optimizer = torch.optim.SGD(model.parameters(), lr=lr)
optimizer.zero_grad()
F.mse_loss(model(x), y).backward()
used = model.weight.grad.item()
all_points = (2 * (model(x) - y) * x).mean().item()

for epoch in range(4):
    for rows in torch.randperm(1000).split(64):
        loss = F.mse_loss(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
print(f"slope {model.weight.item():.3f}, intercept {model.bias.item():.3f}")

# %% [markdown] lang="en"
# All of them: SGD **draws nothing**. It takes the gradient that it finds. The randomness is yours: it lies in which
# points you put into the loss. That is the `randperm` in the loop, called again in each epoch, so that no two batches
# are alike. Points sorted by size, or by class, and not shuffled, would move the weights in one direction for many
# steps.
#
# After the first few batches the loss fluctuates, because each batch has different points.

# %% [markdown] lang="zh"
# 全部：SGD **什么也不抽**，有什么梯度就用什么梯度。随机不随机，全看你把哪些点放进损失里。
# 循环里的 `randperm` 做的就是这件事，每一轮都重新打乱，所以没有两个小批量是一样的。
# 如果点按大小或按类别排好，又不打乱，权重就会连着许多步都朝一个方向移动。
#
# 过了开头几个小批量，损失就上下波动，因为每个小批量的点都不同。

# %% [markdown] front="screen" lang="en"
# `Tab` to the chart: `v` there leads to a logarithmic axis, which shows it best.

# %% [markdown] front="screen" lang="zh"
# 用 `Tab` 切到图表，在那里按 `v` 换到对数坐标，看得最清楚。

# %% [markdown] lang="en"
# Write your own function `cut(count, size)`: it returns the numbers of `count` points, shuffled, in batches of `size`,
# each point once. Press `e`.

# %% [markdown] lang="zh"
# 自己写一个函数 `cut(count, size)`：把 `count` 个点的编号打乱，分成大小为 `size` 的小批量返回，每个点恰好一次。按 `e`。

# %% tags=["exercise"] id="cut" kind="write"
# cut(count, size)

# %% [markdown] tags=["hint"] lang="en"
# It takes two calls, and both are in the cells above: one shuffles, the other cuts.

# %% [markdown] tags=["hint"] lang="zh"
# 只要两个调用，上面的单元格里都有：一个负责打乱，另一个负责切分。

# %% [markdown] tags=["hint"] lang="en"
# `torch.randperm(count)` shuffles, and `split(size)` leaves nothing out.

# %% [markdown] tags=["hint"] lang="zh"
# `torch.randperm(count)` 负责打乱，`split(size)` 一个也不会漏。


# %% tags=["solution"]
def cut(count, size):
    return torch.randperm(count).split(size)


print([each.tolist() for each in cut(7, 3)])

# %% tags=["check"]
made = [[int(number) for number in batch] for batch in cut(100, 32)]
flat = [number for batch in made for number in batch]
assert len(flat) == len(set(flat)), {
    "en": f"{len(flat) - len(set(flat))} points of 100 come more than once.",
    "zh": f"100 个点里有 {len(flat) - len(set(flat))} 个重复出现。",
}
assert set(flat) <= set(range(100)), {
    "en": "There are numbers of points that do not exist: they go from 0 to count - 1.",
    "zh": "有的编号没有对应的点：编号从 0 到 count - 1。",
}
assert len(flat) == 100, {
    "en": f"{100 - len(flat)} of 100 points are in no batch. What becomes of the short last one?",
    "zh": f"100 个点里有 {100 - len(flat)} 个不在任何小批量里。最后不满的那个小批量哪里去了？",
}
lengths = [len(batch) for batch in made]
assert lengths == [32, 32, 32, 4], {
    "en": f"100 points in batches of 32 make 32, 32, 32 and 4, and yours have {lengths}.",
    "zh": f"100 个点，批量大小为 32，应当是 32、32、32 和 4，你的却是 {lengths}。",
}
assert flat != sorted(flat), {
    "en": "All points are there, but in order: shuffle them.",
    "zh": "点都在，可是还是原来的次序：把它们打乱。",
}
again = [int(number) for batch in cut(100, 32) for number in batch]
assert again != flat, {
    "en": "The second call gives the same order as the first: shuffle again each time, without a seed.",
    "zh": "第二次调用的次序和第一次一样：每次都要重新打乱，不要固定种子。",
}
