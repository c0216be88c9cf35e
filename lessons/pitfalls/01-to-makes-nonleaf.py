# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "A weight on the move"
#       zh: "移动过的权重"
#     summary:
#       en: "A weight is marked, then moved with .to(). Which tensor does its name mean after that?"
#       zh: "权重先标记，再用 .to() 移到别处。之后，这个名字指的是哪个张量？"
#     topics:
#       en: [to(), non-leaf, "“can't optimize”"]
#       zh: [to(), 非叶子, "“can't optimize”"]
# ---

# %% [markdown] question="predict" of="w.grad" lang="en"
# A weight is made, marked with `requires_grad=True` and moved, all in one line. For a GPU you would write
# `.to("cuda")` there. Here it goes to float64, which works on every machine and makes the same mistake.
#
# The derivative of `w * w` at 1 is 2, and `backward()` will not complain. What will `w.grad` hold?

# %% [markdown] question="predict" of="w.grad" lang="zh"
# 一行代码里，创建一个权重，标记 `requires_grad=True`，再把它移走。要用 GPU 时，这里写的是 `.to("cuda")`。
# 我们把它变成 float64：哪台机器都能运行，犯的是同一个错误。
#
# `w * w` 在 1 处的导数是 2，`backward()` 也不会报错。`w.grad` 里会是什么？

# %% [markdown] wrong="2.0" lang="en"
# That gradient was computed, but it went to the tensor before `.to`, which has no name. `w` names the result.

# %% [markdown] wrong="2.0" lang="zh"
# 这个梯度算出来了，却存进了 `.to` 之前的那个张量，它没有名字。`w` 指的是结果。

# %%
import torch

f64 = torch.float64
w = torch.ones(1, requires_grad=True).to(f64)
y = w * w
y.backward()

# %% [markdown] question="predict" of="v.is_leaf" lang="en"
# Nothing. `.to` is an operation like any other: it **computed** a new tensor, and `w` is the name of the result. Go
# back to its step: there `w` has a `grad_fn`, and is no leaf. The gradient did arrive where the graph begins, at the
# tensor you marked. But that tensor has no name, so you cannot look at its `grad`. In the graph it is the leaf
# that `w` was computed from.
#
# The next cell moves a tensor to the CPU, where it is already. Will `v` be a leaf, `True` or `False`?

# %% [markdown] question="predict" of="v.is_leaf" lang="zh"
# 什么也没有。`.to` 和别的运算一样，它**算出**一个新张量，`w` 是这个结果的名字。
# 退回到那一步：那里的 `w` 有 `grad_fn`，不是叶子节点。梯度其实到了，到的是图的起点，也就是你标记的那个张量。
# 可是它没有名字，你看不到它的 `grad`。在计算图里，它就是算出 `w` 的那个叶子节点。
#
# 下一个单元格把张量移到 CPU，而它本来就在 CPU 上。`v` 会是叶子节点吗？`True` 还是 `False`？

# %%
cpu = torch.device("cpu")
v = torch.ones(1, requires_grad=True).to(cpu)

# %% [markdown] lang="en"
# Where there is nothing to change, `.to` gives back the **same** tensor, so `v.is_leaf` is {{ v.is_leaf }}. That is
# what makes this mistake hard to find: the line is harmless on your laptop, and stops the learning on a machine with
# a GPU.
#
# The fix is the order: **move first, mark last**, `torch.ones(1).to(device).requires_grad_()`; or make the tensor
# where it belongs, with `device=` and `dtype=`. (`model.to(device)` is safe: a module keeps its parameters leaves.)
#
# Below, an optimizer rejects such a weight. Fix it, and keep the weights in float64. Press `e`.

# %% [markdown] lang="zh"
# 没有什么要改的时候，`.to` 把**同一个**张量还给你，所以 `v.is_leaf` 是 {{ v.is_leaf }}。
# 这个错误难就难在这里：同一行代码，在你的笔记本上没事，到了有 GPU 的机器上，权重就不再学习。
#
# 改法在于次序：**先移动，最后标记**，即 `torch.ones(1).to(device).requires_grad_()`；
# 或者用 `device=` 和 `dtype=`，一开始就创建在该在的地方。
# （`model.to(device)` 可以放心用：模块会让自己的参数一直是叶子节点。）
#
# 下面的优化器拒绝这样的权重。把它改好，权重仍然要是 float64。按 `e`。

# %% tags=["exercise"] id="float64-weights" kind="bug"
weights = torch.tensor([1.0, 3.0], requires_grad=True)
weights = weights.to(f64)

try:
    optimizer = torch.optim.SGD([weights], lr=0.1)
    loss = (weights**2).sum()
    loss.backward()
    optimizer.step()
except ValueError as error:
    print(error)

# %% [markdown] tags=["hint"] lang="en"
# Which tensor is the leaf here, and which one does the optimizer get?

# %% [markdown] tags=["hint"] lang="zh"
# 这里哪个张量是叶子节点？优化器收到的又是哪一个？

# %% [markdown] tags=["hint"] lang="en"
# Only the first two lines have to change: first `.to(f64)`, then `.requires_grad_()`. Or give `torch.tensor`
# a `dtype`.

# %% [markdown] tags=["hint"] lang="zh"
# 只要改前两行：先 `.to(f64)`，再 `.requires_grad_()`。或者直接给 `torch.tensor` 一个 `dtype`。

# %% tags=["solution"]
weights = torch.tensor([1.0, 3.0])
weights = weights.to(f64).requires_grad_()

try:
    optimizer = torch.optim.SGD([weights], lr=0.1)
    loss = (weights**2).sum()
    loss.backward()
    optimizer.step()
except ValueError as error:
    print(error)

# %% tags=["check"]
assert weights.dtype == torch.float64, {
    "en": f"The weights should be float64, and are {weights.dtype}.",
    "zh": f"权重应当是 float64，现在是 {weights.dtype}。",
}
assert weights.is_leaf, {
    "en": f"`weights` is still a computed tensor ({weights.grad_fn.name()}), no leaf: the optimizer rejects it.",
    "zh": f"`weights` 还是算出来的张量（{weights.grad_fn.name()}），不是叶子节点：优化器会拒绝。",
}
assert weights.requires_grad, {
    "en": "`weights` is a leaf now, but it is not marked: it does not require grad.",
    "zh": "`weights` 现在是叶子节点了，可是没有标记：它不需要梯度。",
}
assert weights.grad is not None, {
    "en": "`weights` is a leaf, but no gradient has reached it.",
    "zh": "`weights` 是叶子节点了，可是没有梯度到过它。",
}
want = torch.tensor([0.8, 2.4], dtype=torch.float64)
assert torch.allclose(weights.detach(), want), {
    "en": f"After one step the weights should be {want.tolist()}, and are {weights.tolist()}.",
    "zh": f"走一步之后，权重应当是 {want.tolist()}，现在是 {weights.tolist()}。",
}
