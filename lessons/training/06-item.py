# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "Only the number"
#       zh: "只要那个数"
#     summary:
#       en: "Adding up losses looks harmless. What the sum holds on to, and what item() does about it."
#       zh: "把损失加起来，看似无害。总和引用着什么，item() 又有什么用？"
#     topics:
#       en: [item(), memory, running loss]
#       zh: [item(), 内存, 累计损失]
# ---

# %% [markdown] question="predict" of="total.requires_grad" lang="en"
# To report how training goes you add up the losses of an epoch: `total += loss`. It looks harmless. `total` starts as
# a plain Python `0`.
#
# After the loop below, what will `total.requires_grad` be?

# %% [markdown] question="predict" of="total.requires_grad" lang="zh"
# 想知道训练得怎样，就把一轮（epoch）的损失加起来：`total += loss`。看上去没什么害处。
# `total` 一开始只是 Python 里普通的 `0`。
#
# 下面的循环之后，`total.requires_grad` 会是什么？

# %%
import torch

samples = [(1.0, 2.0), (2.0, 4.0), (3.0, 6.0)]
w = torch.tensor(1.0, requires_grad=True)

total = 0
for x, target in samples:
    loss = (w * x - target) ** 2
    total += loss

# %% [markdown] question="predict" of="held" lang="en"
# {{ total.requires_grad }}: the first `+=` made a tensor out of the `0`, and it was computed from `loss`, which was
# computed from `w`. Look at the graph: it has grown by a chain in each iteration, and `total` references all of it.
# As long as `total` exists, none of it can be freed.
#
# Each sample's loss was made by three operations: a product, a difference, a square. The next cell counts the
# operations that `total` holds on to, after three samples. How many will it find?

# %% [markdown] question="predict" of="held" lang="zh"
# 是 {{ total.requires_grad }}：第一次 `+=` 就把 `0` 变成了张量，它由 `loss` 算出，而 `loss` 由 `w` 算出。
# 看看图：每次迭代都会增加一串节点，全都由 `total` 引用着。只要 `total` 还在，它们就都不能释放。
#
# 每个样本的损失要三个运算：一个乘法、一个减法、一个平方。
# 下一个单元格数一数，三个样本之后，`total` 一共引用着多少个运算（因此不能释放）。会是多少？


# %% [markdown] wrong="3 * len(samples)" lang="en"
# Those are the operations of the losses. Each `total += loss` is an operation as well.

# %% [markdown] wrong="3 * len(samples)" lang="zh"
# 那是各个损失的运算。每次 `total += loss` 也是一次运算。

# %% [markdown] wrong="3" lang="en"
# Those are the operations of one loss. `total` holds on to all three losses, and to its own additions.

# %% [markdown] wrong="3" lang="zh"
# 那是一个损失的运算。`total` 引用着全部三个损失，还有它自己的加法。


# %%
def operations(tensor):
    """How many recorded operations this tensor keeps alive."""
    found, waiting = set(), [tensor.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in found:
            found.add(node)
            waiting += [before for before, _ in node.next_functions]
    return sum(node.name() != "torch::autograd::AccumulateGrad" for node in found)


held = operations(total)

# %% [markdown] question="predict" of="type(total) is float" lang="en"
# It is {{ held }}: three for each loss, and **one more for each addition** to `total`. With a million samples it
# would be four million, and some day the memory is full: the loop that ran for hours ends with "out of memory", and
# the line to blame looks like bookkeeping.
#
# `loss.item()` gives the number, as Python knows it, without any history. Below, will `total` be a plain `float`?

# %% [markdown] question="predict" of="type(total) is float" lang="zh"
# 是 {{ held }}：每个损失三个，**每次加到 `total` 上又多一个**。
# 一百万个样本就是四百万个，内存迟早会耗尽：跑了几个小时的循环以“out of memory”收场，
# 而原因看上去只是一行统计损失的代码。
#
# `loss.item()` 给出的只是那个数，就是 Python 里的数，不带任何历史。
# 下面的 `total` 会是普通的 `float` 吗？

# %%
total = 0
for x, target in samples:
    loss = (w * x - target) ** 2
    total += loss.item()
print("total:", total)

# %% [markdown] lang="en"
# Yes, {{ total }}. Each iteration's graph is freed as soon as the next one assigns to the name `loss`: go back
# through the loop with `p`, and see that the graph no longer grows.
#
# On a GPU, `item()` has another cost: it waits until the number is there. To add up on the device take
# `loss.detach()`, the value without its history. In code from before 2018 you will find `loss.data[0]`; it fails
# today.
#
# A list can hold graphs as well as a sum can. Fix the loop below, so that `history` keeps none: press `e`.

# %% [markdown] lang="zh"
# 是的，{{ total }}。下一次迭代一给 `loss` 赋值，上一次的图就释放了：用 `p` 往回走过这个循环，图不再越来越大。
#
# 在 GPU 上，`item()` 有它的代价：它得等到数算出来为止。想在设备上累加，就用 `loss.detach()`，只要值，不带历史。
# 2018 年以前的代码里会见到 `loss.data[0]`，今天它会出错。
#
# 不只是总和，列表也会引用计算图。改好下面的循环，让 `history` 一张图也不留：按 `e`。

# %% tags=["exercise"] id="history" kind="bug"
v = torch.tensor(1.0, requires_grad=True)
history = []
for x, target in samples:
    loss = (v * x - target) ** 2
    history.append(loss)
    loss.backward()
    with torch.no_grad():
        v -= 0.01 * v.grad
    v.grad = None
print("losses in the history:", len(history))

# %% [markdown] tags=["hint"] lang="en"
# What does the history need of a loss: its past, or its number?

# %% [markdown] tags=["hint"] lang="zh"
# 要记的是损失的来历，还是它的数？

# %% [markdown] tags=["hint"] lang="en"
# `loss.item()`, with its parentheses. `backward()` still needs the tensor itself, so leave `loss` as it is.

# %% [markdown] tags=["hint"] lang="zh"
# 用 `loss.item()`，别忘了括号。`backward()` 还要用张量本身，所以 `loss` 不要动。

# %% tags=["solution"]
v = torch.tensor(1.0, requires_grad=True)
history = []
for x, target in samples:
    loss = (v * x - target) ** 2
    history.append(loss.item())
    loss.backward()
    with torch.no_grad():
        v -= 0.01 * v.grad
    v.grad = None
print("losses in the history:", len(history))

# %% tags=["check"]
assert len(history) == 3, {
    "en": f"The history should hold three losses, and holds {len(history)}.",
    "zh": f"history 里应当有三个损失，现在有 {len(history)} 个。",
}
assert not any(callable(each) and not isinstance(each, torch.Tensor) for each in history), {
    "en": "The history holds the method `item` itself, and with it the tensor. Call it, with ().",
    "zh": "history 里放的是方法 `item` 本身，连同那个张量。调用它，加上 ()。",
}
tied = sum(isinstance(each, torch.Tensor) and each.requires_grad for each in history)
assert not tied, {
    "en": f"{tied} of the 3 entries still hold on to a graph.",
    "zh": f"3 个里有 {tied} 个还引用着图。",
}
at, wanted = 1.0, []
for x, target in samples:
    wanted.append((at * x - target) ** 2)
    at -= 0.01 * 2 * (at * x - target) * x
mine = [float(each) for each in history]
assert all(abs(here - there) < 1e-3 for here, there in zip(mine, wanted, strict=True)), {
    "en": f"The losses should be {[round(each, 4) for each in wanted]}, and are {[round(each, 4) for each in mine]}.",
    "zh": f"损失应当是 {[round(each, 4) for each in wanted]}，现在是 {[round(each, 4) for each in mine]}。",
}
assert abs(v.item() - at) < 1e-4, {
    "en": f"v should still learn, and come to {at:.4f}. It is {v.item():.4f}.",
    "zh": f"v 应当照样学习，到 {at:.4f}。现在是 {v.item():.4f}。",
}
