# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "Numbers without history"
#       zh: "不带历史的数"
#     summary:
#       en: "detach shares its memory and is watched; data shares it and is not. What is a snapshot?"
#       zh: "detach 共用内存，写入会被发现；data 也共用，却不会。怎样才算留下一份快照？"
#     topics:
#       en: [detach, clone, data, Variable, shared memory]
#       zh: [detach, clone, data, Variable, 共用内存]
#     aliases: [tensors/attributes]
# ---

# %% [markdown] question="predict" of="same_memory" lang="en"
# Sometimes you want the numbers without the bookkeeping, to print or plot them. `w.detach()` gives a tensor that
# autograd does not follow.
#
# Does it copy? Answer `True` if `plain` and `w` share their memory, else `False`.

# %% [markdown] question="predict" of="same_memory" lang="zh"
# 有时只需要数值，不需要跟踪计算，比如打印或画图。`w.detach()` 返回一个自动求导不再跟踪的张量。
#
# 它会复制吗？`plain` 和 `w` 共用内存就答 `True`，否则答 `False`。

# %%
import torch

w = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
plain = w.detach()
same_memory = plain.data_ptr() == w.data_ptr()
print("requires grad:", plain.requires_grad)

# %% [markdown] question="predict" of="wrong" vary="w: [[2.0, 0.0, 1.0], [5.0, 1.0, 4.0]]" lang="en"
# Nothing was copied: two tensors, one block of memory. A write through either shows in both.
#
# You will meet `w.data` in old code. It gives that memory too, but what is written through it is hidden from
# autograd. Below, the backward pass needs the values that `w` had when `w * w` was computed; they are changed before,
# once through `data` and once through `detach()`. The derivative of the square at [1, 2, 3] is [2, 4, 6].
#
# What will `wrong` hold? The line before multiplied the memory by ten.

# %% [markdown] question="predict" of="wrong" vary="w: [[2.0, 0.0, 1.0], [5.0, 1.0, 4.0]]" lang="zh"
# 什么也没有复制：两个张量，一块内存。从哪一边写，两边都看得到。
#
# 旧代码里会遇到 `w.data`。它给的也是这块内存，但从它写入，自动求导看不见。
# 下面的反向传播需要计算 `w * w` 时 `w` 的值，而这些值在那之前被改掉了：一次通过 `data`，一次通过 `detach()`。
# 平方在 [1, 2, 3] 处的导数是 [2, 4, 6]。
#
# `wrong` 会是什么？它前面有一行把这块内存乘以十。

# %% [markdown] wrong="[2.0, 4.0, 6.0]" lang="en"
# That is the right gradient. But the product did not copy `w`: it finds the changed values.

# %% [markdown] wrong="[2.0, 4.0, 6.0]" lang="zh"
# 这是正确的梯度。可是乘法并没有复制 `w`，它用到的是改过的值。

# %%
squares = (w * w).sum()
w.data.mul_(10)
squares.backward()
wrong = w.grad.clone()

v = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
squares = (v * v).sum()
v.detach().mul_(10)
try:
    squares.backward()
except RuntimeError as error:
    print(str(error).split(":")[0])

# %% [markdown] lang="en"
# {{ wrong.tolist() }}, ten times too much, and without any message: the product had saved `w` itself, and not a copy.
# The write through `detach()` was noticed, and the pass refused. So use `detach()` to look, and `torch.no_grad()` to
# update weights; `data` is for neither.
#
# **`Variable`** is the other old habit: a wrapper without which a tensor had no gradient. Since PyTorch 0.4 tensors
# need none. The name is still there and gives a plain tensor, as the next cell shows.
#
# That memory is shared matters when you keep something. Below, `history` should hold the weight after each step, and
# all its entries turn out equal. Fix it: press `e`.

# %% [markdown] lang="zh"
# {{ wrong.tolist() }}，大了十倍，却没有任何提示：乘法保存的就是 `w` 本身，不是副本。
# 通过 `detach()` 的写入则被发现了，反向传播拒绝执行。所以查看数值用 `detach()`，更新权重用 `torch.no_grad()`，
# `data` 哪样都不要用。
#
# 另一个老习惯是 **`Variable`**：从前的一层包装，没有它张量就没有梯度。从 PyTorch 0.4 起不再需要。
# 这个名字还在，给你的就是普通的张量，看下面的单元格。
#
# 要保留某个时刻的值时，共用内存就会带来问题。下面的 `history` 应当记下每一步之后的权重，结果每一项都一样。
# 改好它：按 `e`。

# %% tags=["exercise"] id="snapshots" kind="bug"
from torch.autograd import Variable

v = Variable(torch.ones(2), requires_grad=True)
print(type(v).__name__)

u = torch.tensor([1.0], requires_grad=True)
history = []
for step in range(3):
    (u * u).sum().backward()
    with torch.no_grad():
        u -= 0.25 * u.grad
    u.grad = None
    history.append(u.detach())
print(history)

# %% [markdown] tags=["hint"] lang="en"
# `detach()` shares its memory with `u`, and `u -= …` writes into that. Each entry has to own its numbers.

# %% [markdown] tags=["hint"] lang="zh"
# `detach()` 和 `u` 共用内存，而 `u -= …` 正是写进这块内存。每一项都要有自己的一份数。

# %% [markdown] tags=["hint"] lang="en"
# `clone()` copies. Call it after `detach()`, or the copies belong to the graph.

# %% [markdown] tags=["hint"] lang="zh"
# `clone()` 会复制。要写在 `detach()` 之后，否则副本还属于计算图。

# %% tags=["solution"]
from torch.autograd import Variable

v = Variable(torch.ones(2), requires_grad=True)
print(type(v).__name__)

u = torch.tensor([1.0], requires_grad=True)
history = []
for step in range(3):
    (u * u).sum().backward()
    with torch.no_grad():
        u -= 0.25 * u.grad
    u.grad = None
    history.append(u.detach().clone())
print(history)

# %% tags=["check"]
entries = list(history)
numbers = [float(each) for each in entries]
assert len(numbers) == 3, {
    "en": f"history should have an entry for each of the 3 steps, and has {len(numbers)}.",
    "zh": f"history 应当每步一项，共 3 项，现在有 {len(numbers)} 项。",
}
assert len(set(numbers)) == 3, {
    "en": f"The entries are {numbers}: they share one memory, so all of them show the last weight.",
    "zh": f"各项是 {numbers}：它们共用一块内存，所以显示的都是最后的权重。",
}
assert not any(isinstance(each, torch.Tensor) and each.requires_grad for each in entries), {
    "en": "The numbers are right, but each entry is still part of a graph. Detach it first.",
    "zh": "数是对的，可是每一项都还连着计算图。先用 detach()。",
}
assert numbers == [0.5, 0.25, 0.125], {
    "en": f"The weights after the steps are [0.5, 0.25, 0.125], and yours are {numbers}.",
    "zh": f"各步之后的权重是 [0.5, 0.25, 0.125]，你的是 {numbers}。",
}
