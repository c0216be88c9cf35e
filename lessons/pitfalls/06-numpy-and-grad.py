# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "A back door called NumPy"
#       zh: "NumPy 这道后门"
#     summary:
#       en: "NumPy knows nothing of graphs. PyTorch's error says what to write instead: is that safe?"
#       zh: "NumPy 不理解计算图。PyTorch 的错误提示教你怎么写：照着写就安全吗？"
#     topics:
#       en: [numpy(), shared memory, detach]
#       zh: [numpy(), 共用内存, detach]
# ---

# %% [markdown] lang="en"
# NumPy knows nothing of graphs. So PyTorch refuses to pass it a tensor that requires grad, whether you ask for an
# array or call one of NumPy's functions, and says what to write instead.

# %% [markdown] lang="zh"
# NumPy 不理解计算图。所以需要梯度的张量，PyTorch 拒绝交给它，
# 不管你是要一个数组，还是调用 NumPy 的函数；同时它会告诉你该怎么写。

# %%
import numpy as np
import torch

w = torch.tensor([0.0], requires_grad=True)
growth = w.exp()
try:
    np.sqrt(growth)
except RuntimeError as error:
    print(error)

# %% [markdown] question="predict" of="w.grad" lang="en"
# We do as the message says: the array is to be printed in percent, so it is multiplied by 100. Then comes the
# backward pass, as it would have without the printing. The derivative of `exp` is its own result, and at 0 that is 1.
#
# What will `w.grad` hold?

# %% [markdown] question="predict" of="w.grad" lang="zh"
# 就照提示做：数组想按百分比打印，所以乘以 100。然后反向传播，和不打印时一样。
# `exp` 的导数是它自己的结果，在 0 处是 1。
#
# `w.grad` 里会是多少？

# %% [markdown] wrong="w.grad / 100" lang="en"
# So it would be if `percent` were a copy. `numpy()` shares the memory of the tensor.

# %% [markdown] wrong="w.grad / 100" lang="zh"
# `percent` 是副本才会这样。而 `numpy()` 与张量共享内存。

# %%
percent = growth.detach().numpy()
percent *= 100
print("percent:", percent)
growth.backward()

# %% [markdown] lang="en"
# {{ w.grad.item() }}. The array and the tensor **share their memory**. `*=` wrote into the very result that the node
# of `exp` had saved, and NumPy increments no version counter, so PyTorch could not notice. Go back to that line:
# `growth` changes in the table, although the line does not name it.
#
# `detach()` cuts the graph, not the memory. To **look**, `.detach().numpy()` is fine (on a GPU
# `.detach().cpu().numpy()`, which copies). To **write**, add `.copy()`.
#
# And in the middle of a computation stay in PyTorch: most functions of NumPy's are there under the same name. Below,
# NumPy computes the shares (a **softmax**: `exp` of each, divided by their sum), and no gradient comes to `scores`.
# Fix that. Press `e`.

# %% [markdown] lang="zh"
# 是 {{ w.grad.item() }}。数组和张量**共用内存**。`*=` 写进去的，正是 `exp` 的节点保存的结果；
# NumPy 不会增加版本计数器，PyTorch 也就无从发现。退回到那一行：表里的 `growth` 变了，尽管那一行没有提到它。
#
# `detach()` 切断的是图，不是内存。只是**看**，用 `.detach().numpy()` 就行
# （在 GPU 上是 `.detach().cpu().numpy()`，那会复制）。要**写**，就再加上 `.copy()`。
#
# 而在计算的中途，请留在 PyTorch 里：NumPy 的函数，大多在这里有同名的。
# 下面的份额（**softmax**：各取 `exp`，再除以总和）是用 NumPy 算的，梯度到不了 `scores`。把它改好。按 `e`。

# %% tags=["exercise"] id="shares" kind="bug"
scores = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)

powers = np.exp(scores.detach().numpy())
shares = torch.from_numpy(powers / powers.sum())
loss = -shares[0].log()
try:
    loss.backward()
except RuntimeError as error:
    print(error)
print("gradient:", scores.grad)

# %% [markdown] tags=["hint"] lang="en"
# What NumPy computes leaves no trace, so an explanation finds only that `shares` has no history. To mark `shares` would
# not help. What would the two lines look like with `torch.exp`?

# %% [markdown] tags=["hint"] lang="zh"
# NumPy 算过什么，不留痕迹，所以解释里只看得出 `shares` 没有历史。给 `shares` 打标记没有用。
# 那两行换成 `torch.exp` 会是什么样子？

# %% [markdown] tags=["hint"] lang="en"
# `powers = torch.exp(scores)`, without `detach`, and then `shares = powers / powers.sum()`.

# %% [markdown] tags=["hint"] lang="zh"
# `powers = torch.exp(scores)`，不要 `detach`；然后 `shares = powers / powers.sum()`。

# %% tags=["solution"]
scores = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)

powers = torch.exp(scores)
shares = powers / powers.sum()
loss = -shares[0].log()
try:
    loss.backward()
except RuntimeError as error:
    print(error)
print("gradient:", scores.grad)

# %% tags=["check"]
right = torch.softmax(torch.tensor([1.0, 2.0, 3.0]), 0)
assert isinstance(shares, torch.Tensor), {
    "en": "`shares` should be a tensor.",
    "zh": "`shares` 应当是张量。",
}
assert torch.allclose(shares.detach(), right, atol=1e-4), {
    "en": f"The shares should stay {right.tolist()}, and are {shares.tolist()}.",
    "zh": f"份额应当还是 {right.tolist()}，现在是 {shares.tolist()}。",
}
assert shares.requires_grad, {
    "en": "`shares` has no history: somewhere between `scores` and it the graph is still cut.",
    "zh": "`shares` 没有历史：从 `scores` 到它，图还有一处断着。",
}
assert scores.grad is not None, {
    "en": (
        "No gradient reaches `scores`. A tensor that is marked again (`requires_grad_()`) begins a new, separate graph."
    ),
    "zh": "梯度到不了 `scores`。重新标记过的张量（`requires_grad_()`）会另起一张新的图。",
}
want = right - torch.tensor([1.0, 0.0, 0.0])
assert torch.allclose(scores.grad, want, atol=1e-4), {
    "en": f"The gradient should be {want.tolist()}, and is {scores.grad.tolist()}. Is a part still cut off?",
    "zh": f"梯度应当是 {want.tolist()}，现在是 {scores.grad.tolist()}。是不是还有一部分断着？",
}
