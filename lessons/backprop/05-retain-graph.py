# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "Backward, twice"
#       zh: "反向传播两次"
#     summary:
#       en: "A backward pass frees its graph. retain_graph=True keeps it; you rarely need that."
#       zh: "反向传播会释放计算图。retain_graph=True 把它保留下来，不过很少需要。"
#     topics:
#       en: [retain_graph, second backward pass]
#       zh: [retain_graph, 再次反向传播]
# ---

# %% [markdown] question="predict" of="w.grad" vary="x: [3, 2]; w: [2, 4]" lang="en"
# A backward pass frees what the nodes have saved, as soon as it has used it. Here we go backward twice from the same
# `y`. The second pass will fail; `try` catches the error, so that we can look at what it left behind.
#
# One pass alone brings to `w` what you know from *Two paths to one leaf*. What will `w.grad` hold after both?

# %% [markdown] question="predict" of="w.grad" vary="x: [3, 2]; w: [2, 4]" lang="zh"
# 节点保存的值，反向传播用完就释放。这里我们从同一个 `y` 出发反向传播两次。
# 第二次会出错，`try` 把错误接住，好让我们看看它留下了什么。
#
# 一次反向传播会给 `w` 带来多少，你在《通向同一个叶子的两条路》里见过。两次之后，`w.grad` 里会是多少？

# %% [markdown] wrong="2 * once" lang="en"
# That would be two passes. The second failed, before it could add anything.

# %% [markdown] wrong="2 * once" lang="zh"
# 那是两次反向传播的结果。第二次失败了，什么也没来得及加上。

# %% [markdown] wrong="0.0" lang="en"
# The second pass failed, but what the first one had brought stays.

# %% [markdown] wrong="0.0" lang="zh"
# 第二次失败了，但第一次带来的梯度还在。

# %%
import torch

x = torch.tensor([2.0], requires_grad=True)
w = torch.tensor([1.0], requires_grad=True)

y = (x + w) * (w + 1)
y.backward()
try:
    y.backward()
except RuntimeError as error:
    print(str(error).split(" (")[0])
once = w.grad.item()

# %% [markdown] question="predict" of="w.grad" vary="x: [1, 4]; w: [3, 2]" lang="en"
# It is {{ once }}: the first pass brought it, and the second added nothing. It broke off at the product, the node that
# had saved both factors, before anything could reach a leaf.
#
# With `retain_graph=True` a pass leaves the saved values where they are, for one more pass. We clear the gradient,
# compute `y` again and go backward twice. What will `w.grad` hold now?

# %% [markdown] question="predict" of="w.grad" vary="x: [1, 4]; w: [3, 2]" lang="zh"
# 是 {{ once }}：这是第一次带来的，第二次什么也没有加上。
# 它在乘法那里就中断了，因为正是这个节点存过两个因子；那时梯度还没有传到叶子节点。
#
# 加上 `retain_graph=True`，反向传播之后，保存的值还留在原处，供下一次用。
# 我们清掉梯度，重新计算 `y`，再反向传播两次。现在 `w.grad` 里会是多少？

# %% [markdown] wrong="once" lang="en"
# That is one pass. The second one adds its own to it.

# %% [markdown] wrong="once" lang="zh"
# 那是一次的结果。第二次还要加上自己的。

# %% [markdown] wrong="3 * once" lang="en"
# The gradient of the cell before is in that number. It was cleared: `x.grad = w.grad = None`.

# %% [markdown] wrong="3 * once" lang="zh"
# 这个数里含有上一个单元格的梯度。它已经清掉了：`x.grad = w.grad = None`。

# %%
x.grad = w.grad = None
y = (x + w) * (w + 1)
y.backward(retain_graph=True)
print("first pass:", w.grad.item())
y.backward()
print("second pass:", w.grad.item())

# %% [markdown] lang="en"
# It is {{ w.grad.item() }}: both passes succeeded, and a leaf **adds** what each one brings. The graph kept its
# memory until the last pass, which is the price. So do not write `retain_graph=True` only to silence the error:
# mostly the error says that something should have been computed again.
#
# There is a case in which one graph has two ends. Below, two losses share `h`. The first pass frees what the shared
# part had saved, and the second fails. Make both losses reach `s`, and leave no graph behind when you are done. Press
# `e`.

# %% [markdown] lang="zh"
# 是 {{ w.grad.item() }}：两次都成功，每一次带来的梯度，叶子节点都**加**起来。
# 代价是直到最后一次之前，图一直占着内存。所以不要只为了让错误消失就写 `retain_graph=True`：
# 这个错误多半是在说，某个量本该重新计算。
#
# 也有一张图有两个终点的情形。下面两个损失共用 `h`。第一次反向传播释放了共用部分保存的值，第二次就出错。
# 想办法让两个损失都传到 `s`，而且做完之后不要留下图。按 `e`。

# %% tags=["exercise"] id="two-losses" kind="bug"
s = torch.tensor(3.0, requires_grad=True)
h = s * s
near = (h - 4) ** 2
far = (h - 10) ** 2
try:
    near.backward()
    far.backward()
except RuntimeError as error:
    print(str(error).split(" (")[0])

# %% [markdown] tags=["hint"] lang="en"
# Which pass has to leave something for the other? Only that one needs an argument.

# %% [markdown] tags=["hint"] lang="zh"
# 哪一次反向传播得为另一次保留计算图？只有那一次需要加参数。

# %% [markdown] tags=["hint"] lang="en"
# Or do with a single pass: gradients add up, so the gradient of a sum of losses is the sum of their gradients.

# %% [markdown] tags=["hint"] lang="zh"
# 或者只做一次反向传播：梯度是相加的，所以损失之和的梯度，就是各个损失的梯度之和。

# %% tags=["solution"]
s = torch.tensor(3.0, requires_grad=True)
h = s * s
near = (h - 4) ** 2
far = (h - 10) ** 2
(near + far).backward()

# %% tags=["check"]
value = s.item()
want = [2 * (value**2 - 4) * 2 * value, 2 * (value**2 - 10) * 2 * value]
assert s.grad is not None, {
    "en": "s.grad is None: no pass has reached s.",
    "zh": "s.grad 是 None：没有任何一次反向传播到达 s。",
}
found = s.grad.item()
assert abs(found - want[0]) > 1e-3, {
    "en": f"s.grad is {found:g}: that is the share of `near` alone. The pass from `far` did not succeed.",
    "zh": f"s.grad 是 {found:g}：那只是 `near` 的份额。从 `far` 出发的反向传播没有成功。",
}
assert abs(found - want[1]) > 1e-3, {
    "en": f"s.grad is {found:g}: that is the share of `far` alone. Was the gradient cleared in between?",
    "zh": f"s.grad 是 {found:g}：那只是 `far` 的份额。是不是中间把梯度清掉了？",
}
assert abs(found - sum(want)) < 1e-3, {
    "en": f"s.grad is {found:g}. `near` brings {want[0]:g} and `far` brings {want[1]:g}, each of them once.",
    "zh": f"s.grad 是 {found:g}。`near` 带来 {want[0]:g}，`far` 带来 {want[1]:g}，各算一次。",
}
try:
    torch.autograd.grad(h, s)
    kept = True
except RuntimeError:
    kept = False
assert not kept, {
    "en": "Right, but a graph is left behind: the last pass needs no retain_graph=True.",
    "zh": "数是对的，可是图还留着：最后一次不需要 retain_graph=True。",
}
