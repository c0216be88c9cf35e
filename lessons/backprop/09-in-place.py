# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "Written over"
#       zh: "就地改写"
#     summary:
#       en: "What happens when a value that the backward pass needs is changed in place, openly or through .data?"
#       zh: "反向传播要用的值被就地改掉会怎样？直接改，或者通过 .data 改。"
#     topics:
#       en: [in-place operations, version counter]
#       zh: [原地操作, 版本计数]
# ---

# %% [markdown] lang="en"
# `a = a + 1` makes a new tensor. `a += 1` writes into the one that is there, **in place**, and so do methods whose
# name ends with an underscore, like `zero_()`. It saves memory, but autograd has to be careful with it.
#
# A leaf that requires grad may not be written to at all while gradients are recorded, neither directly nor through a
# **view** of it, such as `w[0]`. Which value would the gradient be for, the old one or the new? See what PyTorch says.

# %% [markdown] lang="zh"
# `a = a + 1` 会创建一个新张量。`a += 1` 则写进原来那个张量里，这叫**就地操作**（也叫原地操作）；
# 名字以下划线结尾的方法也是，比如 `zero_()`。它省内存，autograd 却要小心对待。
#
# 在记录梯度的时候，需要梯度的叶子节点根本不许写，直接写不行，通过它的**视图**（例如 `w[0]`）写也不行。
# 不然梯度属于哪个值，旧值还是新值？看看 PyTorch 怎么说。

# %%
import torch

w = torch.tensor([1.0], requires_grad=True)
try:
    w += 1
except RuntimeError as error:
    print(error)
try:
    w[0] = 5.0
except RuntimeError as error:
    print(error)

# %% [markdown] question="line" of="a._version == 1" lang="en"
# A computed tensor may be written to. But remember what the node of `exp` saves for its derivative: its own result.
#
# In the next cell the backward pass fails. The line with `backward()` is where you *notice* it; it is not to blame.
# Which line makes the failure inevitable?

# %% [markdown] question="line" of="a._version == 1" lang="zh"
# 算出来的张量可以写。不过想一想，`exp` 的节点为了求导，留下的是什么：是它自己的结果。
#
# 下一个单元格里，反向传播会失败。到 `backward()` 那一行才**发现**，但错不在它。
# 是哪一行让失败变得不可避免？

# %% [markdown] wrong="error" lang="en"
# There you notice it. But what made it inevitable came before.

# %% [markdown] wrong="error" lang="zh"
# 你是在那里发现的。可让它不可避免的事发生在前面。

# %%
a = w.exp()
a += 1
try:
    a.sum().backward()
except RuntimeError as error:
    print(str(error).split(":")[0])

# %% [markdown] question="choice" of="3 if v.grad is None else 1 if torch.allclose(v.grad, v.exp()) else 2" lang="en"
# `a += 1` wrote over the saved result. PyTorch keeps no copy, only a **version counter** in each tensor, which every
# in-place operation increments. A node notes the version of what it saves, and compares when the pass comes by.
#
# Now the same through `a.data`: the same memory, **without** its history. Old code does so to "make the error go away".
# What will happen this time?
#
# 1. `v.grad` is right
# 2. `v.grad` is wrong
# 3. an error

# %% [markdown] question="choice" of="3 if v.grad is None else 1 if torch.allclose(v.grad, v.exp()) else 2" lang="zh"
# 是 `a += 1`，它改写了保存的结果。PyTorch 不保留副本，而是给每个张量一个**版本计数器**，
# 每做一次就地操作就加一。节点记下所存张量的版本，反向传播经过时再比对。
#
# 现在再来一次，不过是通过 `a.data`：同一块内存，却**不带**历史。
# 在旧代码里你会看到有人用它来“让错误消失”。这一次会怎样？
#
# 1. `v.grad` 是对的
# 2. `v.grad` 是错的
# 3. 出错

# %%
v = torch.tensor([1.0], requires_grad=True)
a = v.exp()
right = a.detach().clone()
a.data += 1
a.sum().backward()

# %% [markdown] lang="en"
# **No error, and a wrong gradient**: {{ v.grad.item() }} where {{ right.item() }} is right. The write bypassed the
# counter, so autograd did not notice. It is the worst kind of bug: the program runs, and learns something else. Use
# `torch.no_grad()` and `detach()` instead, which keep the counter going.
#
# Not every write does harm: only one to a value that some node has **saved**. The function below writes three times,
# and one of the three breaks the backward pass. Find it and fix it; leave the other two alone. Press `e`.

# %% [markdown] lang="zh"
# **没有错误，梯度却是错的**：得到 {{ v.grad.item() }}，而正确的是 {{ right.item() }}。
# 这次写入绕过了计数器，autograd 没有发现。这是最糟糕的一种错误：程序照常运行，学到的却是另一回事。
# 请改用 `torch.no_grad()` 和 `detach()`，它们不会绕过计数器。
#
# 并不是每次写入都有害：只有写到某个节点**保存过**的值才有害。
# 下面的函数写了三次，其中一次使反向传播出错。找到它，改好它，另外两次不要动。按 `e`。


# %% tags=["exercise"] id="three-writes" kind="bug"
def model(u):
    a = u * 2
    a += 1
    b = torch.sigmoid(a)
    b *= 10
    c = b + 4
    c -= 0.5
    return c.sum()


u = torch.tensor([0.5, -1.0], requires_grad=True)
try:
    model(u).backward()
except RuntimeError as error:
    print(str(error).split(":")[0])

# %% [markdown] tags=["hint"] lang="en"
# For each write, ask about the tensor that it changes: which operations made or used it before, and do they need it
# for their derivative? An addition needs nothing.

# %% [markdown] tags=["hint"] lang="zh"
# 对每一次写入都问一问：它改的那个张量，之前是哪个运算算出来的，又被哪个运算用过？
# 那个运算求导时需要它吗？加法什么都不需要。

# %% [markdown] tags=["hint"] lang="en"
# The derivative of `sigmoid` is computed from its result, as that of `exp` is.

# %% [markdown] tags=["hint"] lang="zh"
# `sigmoid` 的导数是由它的结果算出来的，和 `exp` 一样。

# %% [markdown] tags=["hint"] lang="en"
# `b *= 10` writes into the saved result. `b = b * 10` makes a new tensor and leaves the saved one alone.

# %% [markdown] tags=["hint"] lang="zh"
# `b *= 10` 写进了保存的结果里。`b = b * 10` 则创建一个新张量，不去碰保存的那个。


# %% tags=["solution"]
def model(u):
    a = u * 2
    a += 1
    b = torch.sigmoid(a)
    b = b * 10
    c = b + 4
    c -= 0.5
    return c.sum()


u = torch.tensor([0.5, -1.0], requires_grad=True)
try:
    model(u).backward()
except RuntimeError as error:
    print(str(error).split(":")[0])

# %% tags=["check"]
leaf = torch.tensor([0.5, -1.0], requires_grad=True)
s = torch.sigmoid(2 * leaf.detach() + 1)
out = model(leaf)
assert abs(out.item() - (10 * s + 3.5).sum().item()) < 1e-3, {
    "en": f"The model must give what it gave before, {(10 * s + 3.5).sum().item():.4f}, and gives {out.item():.4f}.",
    "zh": f"函数的结果要和原来一样，是 {(10 * s + 3.5).sum().item():.4f}，现在是 {out.item():.4f}。",
}
assert out.requires_grad, {
    "en": "The result has no history: `detach` and `no_grad` cut the graph.",
    "zh": "结果没有历史：`detach` 和 `no_grad` 会切断图。",
}
try:
    out.backward()
    broken = ""
except RuntimeError as error:
    broken = str(error)
saved = broken.partition("]], which is output 0 of ")[2].partition(",")[0]
assert not broken, {
    "en": f"The pass still breaks: {saved or 'a node'} saved its result, then it was changed.",
    "zh": f"反向传播还是出错：{saved or '某个节点'} 保存了自己的结果，之后又被改了。",
}
want = 20 * s * (1 - s)
assert leaf.grad is not None, {
    "en": "No gradient reaches u: `detach` and `no_grad` cut the graph.",
    "zh": "梯度到不了 u：`detach` 和 `no_grad` 会切断图。",
}
reached, wanted = ([round(number, 4) for number in gradient.tolist()] for gradient in (leaf.grad, want))
assert torch.allclose(leaf.grad, want, atol=1e-4), {
    "en": (
        f"No error, but a wrong gradient: {reached} where {wanted} is right. "
        "A write past the version counter, as through `.data`, hides the harm and does not undo it."
    ),
    "zh": (
        f"没有报错，梯度却是错的：得到 {reached}，正确的是 {wanted}。"
        "绕过版本计数器的写入（比如通过 `.data`）只是把错误掩盖起来，并没有改正。"
    ),
}
