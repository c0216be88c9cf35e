# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "What a node keeps"
#       zh: "节点保存了什么"
#     summary:
#       en: "What an operation saves for its derivative, when it is freed, and whether you can go backward twice."
#       zh: "运算为求导保存了什么，什么时候释放，能不能反向传播两次。"
#     topics:
#       en: [saved tensors, freed buffers, memory]
#       zh: [保存的张量, 释放, 内存]
# ---

# %% [markdown] question="choice" of="2 if hasattr(e.grad_fn, '_saved_result') else 1" lang="en"
# The derivative of a product with respect to one factor is the value of the *other* factor. But the backward pass
# comes later, when the names may mean something else. So an operation **saves** what it will need, at once, in its
# node of the graph.
#
# The product below saves both factors. And the exponential function? It is its own derivative: at `x` the derivative
# of `exp(x)` is `exp(x)`. What will the node of `e` save, to have the least work later?
#
# 1. its input `x`
# 2. its result `e`
# 3. nothing

# %% [markdown] question="choice" of="2 if hasattr(e.grad_fn, '_saved_result') else 1" lang="zh"
# 乘积对一个因子的偏导数，是**另一个**因子的值。可是反向传播要晚些才来，到那时这些名字也许已经另有所指。
# 所以运算会当场把以后要用的值**保存**在图中自己的节点里。
#
# 下面的乘法把两个因子都存下了。指数函数呢？它的导数就是它自己：`exp(x)` 在 `x` 处的导数是 `exp(x)`。
# 为了以后最省事，`e` 的节点会保存什么？
#
# 1. 输入 `x`
# 2. 结果 `e`
# 3. 什么也不存

# %%
import torch

x = torch.tensor(2.0, requires_grad=True)
w = torch.tensor(3.0, requires_grad=True)
product = x * w
e = torch.exp(x)

# %% [markdown] lang="en"
# Its result: that is the derivative already, while from `x` it would have to be computed again.

# %% [markdown] lang="zh"
# 是结果：有了它，导数就是现成的；只存 `x` 的话还得重新算一遍。

# %% [markdown] front="screen" lang="en"
# Press `Tab` until you are in the graph, go to a node with `↑`, and press `Enter`: the page says what that node keeps.

# %% [markdown] front="screen" lang="zh"
# 按几次 `Tab` 走到图那里，用 `↑` 移到一个节点，按 `Enter`：打开的页面会告诉你这个节点保存了什么。

# %% [markdown] front="plain" lang="en"
# Type the word show: it also tells what each node keeps for its backward pass.

# %% [markdown] front="plain" lang="zh"
# 输入 show，它也会说出每个节点为反向传播保存了什么。

# %% [markdown] question="predict" of="v.grad" lang="en"
# What is saved takes memory, so a backward pass **frees** it when it has used it. You may have heard that you cannot
# go backward twice. Let us see. The derivative of a sum is one, whatever the numbers are.
#
# Below we go backward from `s` twice. What will `v.grad` hold in the end?

# %% [markdown] question="predict" of="v.grad" lang="zh"
# 保存的值占用内存，所以反向传播用完就**释放**。你也许听说过，不能反向传播两次。我们来看看。
# 加法的导数是 1，与数值无关。
#
# 下面从 `s` 出发反向传播两次。最后 `v.grad` 里会是多少？

# %% [markdown] wrong="1.0" lang="en"
# That would be so if the second pass failed. The node of a sum saved nothing, so there was nothing to free.

# %% [markdown] wrong="1.0" lang="zh"
# 第二次失败才会这样。加法的节点什么也没存，也就没有可释放的。

# %%
v = torch.tensor(5.0, requires_grad=True)
s = v + 3
s.backward()
s.backward()

# %% [markdown] question="predict" of="passes" lang="en"
# It is {{ v.grad.item() }}: both passes succeeded, and each contributed 1. The node of a sum had **saved nothing**,
# so the first pass had nothing to free. A second pass is not forbidden; using freed values is.
#
# Now the same with `e`. How many of its two passes will succeed?

# %% [markdown] question="predict" of="passes" lang="zh"
# 是 {{ v.grad.item() }}：两次反向传播都成功，每次贡献 1。加法的节点**什么也没存**，第一次自然没有可释放的值。
# 所以，被禁止的并不是第二次反向传播，而是使用已经释放的值。
#
# 现在对 `e` 做同样的事。两次里有几次会成功？

# %% [markdown] wrong="2" lang="en"
# That was so with the sum. The node of `exp` has saved its result, and the first pass frees it.

# %% [markdown] wrong="2" lang="zh"
# 加法才是这样。`exp` 的节点存了它的结果，第一次用完就释放了。

# %% [markdown] wrong="0" lang="en"
# The first pass succeeds: what it needs is still there.

# %% [markdown] wrong="0" lang="zh"
# 第一次会成功：它需要的都还在。

# %%
passes = 0
try:
    for attempt in range(2):
        e.backward()
        passes += 1
except RuntimeError as error:
    print(str(error).split(" (")[0])

# %% [markdown] lang="en"
# Only {{ passes }}. The first pass used what the node of `e` had saved, and freed it. The second needs it and does
# not find it, and PyTorch raises an error rather than guess. *Backward, twice* shows how to keep it.
#
# This is where the memory goes when a network is trained: every layer keeps something until the backward pass reaches
# it. Under `torch.no_grad()` nothing is saved at all.
#
# `x * 3` saves its factor, so a second pass fails. Write `triple(x)` with operations that save nothing: press `e`.

# %% [markdown] lang="zh"
# 只有 {{ passes }} 次。第一次用了 `e` 的节点所保存的值，随即释放。
# 第二次还要用，已经没有了，PyTorch 宁可报错，也不去猜。《反向传播两次》会讲怎样保留它。
#
# 训练网络时，内存就花在这里：每一层都要保存一些中间结果，直到反向传播用完。
# 在 `torch.no_grad()` 之下则什么都不保存。
#
# `x * 3` 存下了因子，所以第二次反向传播会出错。用什么也不保存的运算写一个 `triple(x)`：按 `e`。


# %% tags=["exercise"] id="lighter" kind="write"
# triple(x): three times x

# %% [markdown] tags=["hint"] lang="en"
# For which operation of this lesson did both passes succeed?

# %% [markdown] tags=["hint"] lang="zh"
# 这一课里，哪种运算能反向传播两次？

# %% [markdown] tags=["hint"] lang="en"
# Three times a number is the number, plus the number, plus the number.

# %% [markdown] tags=["hint"] lang="zh"
# 一个数的三倍，就是它加上它自己，再加上它自己。


# %% tags=["solution"]
def triple(x):
    return x + x + x


print(triple(torch.tensor(5.0)))

# %% tags=["check"]
leaf = torch.tensor(5.0, requires_grad=True)
threefold = triple(leaf)
assert isinstance(threefold, torch.Tensor), {
    "en": f"`triple` should return a tensor, not {threefold}.",
    "zh": f"`triple` 应当返回张量，而不是 {threefold}。",
}
assert threefold.item() == 15, {
    "en": f"Three times 5 is 15, and you give {threefold.item():g}.",
    "zh": f"5 的三倍是 15，你给的是 {threefold.item():g}。",
}
assert threefold.requires_grad, {
    "en": "The number is right, but it has left the graph: it has no history.",
    "zh": "数是对的，可是它离开了图：它没有历史。",
}
through = 0
try:
    for _ in range(2):
        threefold.backward()
        through += 1
except RuntimeError:
    pass
assert through == 2, {
    "en": "The second pass failed: an operation in `triple` still saves something.",
    "zh": "第二次反向传播出错了：`triple` 里还有运算保存了值。",
}
assert leaf.grad == 6, {
    "en": f"Two passes should bring 3 each, and brought {leaf.grad:g}.",
    "zh": f"两次应当各带来 3，结果带来的是 {leaf.grad:g}。",
}
