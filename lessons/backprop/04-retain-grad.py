# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "Keep that gradient"
#       zh: "留下这个梯度"
#     summary:
#       en: "Only leaves keep their gradient. How to make a computed tensor keep it, and when to ask for it."
#       zh: "只有叶子节点保留梯度。怎样让算出来的张量也保留，又该在什么时候请求。"
#     topics:
#       en: [retain_grad, non-leaf tensors]
#       zh: [retain_grad, 非叶子张量]
# ---

# %% [markdown] lang="en"
# Only leaves keep their gradient. What arrives at a computed tensor is passed on and dropped. But sometimes the one
# in the middle is the one you want to see: does anything still arrive at the first layer?
#
# `a.retain_grad()` asks a tensor, **before** the backward pass, to keep its gradient. This is the graph of *Two paths
# to one leaf* again, and of `a` and `b` only `a` is asked.

# %% [markdown] lang="zh"
# 只有叶子节点保留梯度。到达中间结果的梯度，传下去就丢掉了。可有时你想看的正是中间结果的梯度：
# 第一层那里，还有梯度传得到吗？
#
# 在反向传播**之前**调用 `a.retain_grad()`，就会让这个张量保留梯度。
# 下面还是《通向同一个叶子的两条路》那张图，`a` 和 `b` 里，只对 `a` 调用了它。

# %% [markdown] question="predict" of="a.grad" vary="x: [3, 2]; w: [2, 4]" lang="en"
# What will `a.grad` hold after the pass?

# %% [markdown] question="predict" of="a.grad" vary="x: [3, 2]; w: [2, 4]" lang="zh"
# 反向传播之后，`a.grad` 里会是多少？

# %% [markdown] wrong="None" lang="en"
# So it would be without `a.retain_grad()`: `a` was computed. Here it was asked to keep its gradient.

# %% [markdown] wrong="None" lang="zh"
# 没有 `a.retain_grad()` 才会这样，因为 `a` 是算出来的。这里让它保留了梯度。

# %% [markdown] wrong="a" lang="en"
# That is the value of `a`. Its gradient is the other factor, `b`.

# %% [markdown] wrong="a" lang="zh"
# 那是 `a` 的值。它的梯度是另一个因子 `b`。

# %% [markdown] question="predict" of="b.grad" lang="en"
# And `b.grad`?

# %% [markdown] question="predict" of="b.grad" lang="zh"
# `b.grad` 呢？

# %% [markdown] wrong="a" lang="en"
# That gradient came to `b`, and `b` did not keep it: only `a` was asked to.

# %% [markdown] wrong="a" lang="zh"
# 这个梯度确实传到了 `b`，但 `b` 没有保留：只有 `a` 要求了保留。

# %%
import torch

x = torch.tensor([2.0], requires_grad=True)
w = torch.tensor([1.0], requires_grad=True)

a = x + w
b = w + 1
y = a * b
a.retain_grad()
y.backward()

# %% [markdown] question="predict" of="c.grad" lang="en"
# `a.grad` is {{ a.grad.item() }}, the value of `b`, the other factor; keeping it is a separate step. A gradient came
# to `b` as well, you can see it in the graph. `b` was not asked to keep it, so `b.grad` is `None`, and so is
# `y.grad`. In the table of tensors such a passing gradient is shown in brackets.
#
# The next cell computes the same again, under new names. This time `c`, which takes the place of `a`, is asked
# **after** the pass. What will `c.grad` hold?

# %% [markdown] question="predict" of="c.grad" lang="zh"
# `a.grad` 是 {{ a.grad.item() }}，也就是另一个因子 `b` 的值；把它留下来，是单独的一步。
# `b` 那里也来过梯度，图上看得到。可是 `b` 没有被要求保留它，所以 `b.grad` 是 `None`，`y.grad` 也一样。
# 在张量表里，这种路过的梯度写在括号里。
#
# 下一个单元格把同样的计算再做一遍，换了新名字。`c` 处在原来 `a` 的位置上，
# 不过这一次，是在反向传播**之后**才调用的。`c.grad` 里会是什么？

# %% [markdown] wrong="d" lang="en"
# That gradient came by at `c`, before `c.retain_grad()` was called.

# %% [markdown] wrong="d" lang="zh"
# 这个梯度确实经过了 `c`，可那是在调用 `c.retain_grad()` 之前。

# %%
c = x + w
d = w + 1
z = c * d
z.backward()
c.retain_grad()
print("retains grad:", a.retains_grad, c.retains_grad, d.retains_grad)

# %% [markdown] lang="en"
# Nothing: the gradient had gone by already, and PyTorch keeps no record. (gradtutor does: step back, and look at `c`
# in the graph.) The request is for passes to come, and for this tensor, not for its name: a loop that computes a new
# `a` in each iteration has to ask each new `a`.
#
# Two other ways: `torch.autograd.grad(y, a)` gives that gradient directly, and `a.register_hook(print)` calls `print`
# with it when it arrives. A function that keeps it works as well: inside modules, where you have no name for each
# tensor, hooks are the usual way.
#
# Below, every `h` in `computed` should have kept its gradient, and none has. Fix it: press `e`.

# %% [markdown] lang="zh"
# 什么也没有：梯度早就过去了，PyTorch 不留记录。（gradtutor 有：退回去，在图里看看 `c`。）
# 这个请求只对以后的反向传播有效，而且认的是张量，不是名字：
# 循环的每次迭代都会算出一个新的 `a`，每个新的 `a` 都得再请求一次。
#
# 另外还有两种办法：`torch.autograd.grad(y, a)` 直接给你这个梯度；
# `a.register_hook(print)` 在梯度到达时用它调用 `print`。换成一个保存梯度的函数也行：
# 在模块内部，张量没有名字可用，通常的办法就是钩子。
#
# 下面，`computed` 里的每个 `h` 都应当留下自己的梯度，却一个也没有。把它改好：按 `e`。

# %% tags=["exercise"] id="each-turn" kind="bug"
s = torch.tensor(2.0, requires_grad=True)
h = s * 1.0
h.retain_grad()
computed = []
for factor in (1.0, 2.0, 3.0):
    h = s * factor
    (h**2).backward()
    computed.append(h)
print([h.retains_grad for h in computed])

# %% [markdown] tags=["hint"] lang="en"
# `h` is asked once. Is it still the same tensor in the loop?

# %% [markdown] tags=["hint"] lang="zh"
# `h.retain_grad()` 只调用了一次。循环里的 `h` 还是同一个张量吗？

# %% [markdown] tags=["hint"] lang="en"
# Ask in the loop: after `h` is computed, and before the backward pass.

# %% [markdown] tags=["hint"] lang="zh"
# 在循环里请求：在算出 `h` 之后、反向传播之前。

# %% tags=["solution"]
s = torch.tensor(2.0, requires_grad=True)
computed = []
for factor in (1.0, 2.0, 3.0):
    h = s * factor
    h.retain_grad()
    (h**2).backward()
    computed.append(h)
print([h.retains_grad for h in computed])

# %% tags=["check"]
assert len(computed) == 3, {
    "en": f"`computed` should hold one tensor for each iteration, and holds {len(computed)}.",
    "zh": f"`computed` 里应当每次迭代一个张量，现在有 {len(computed)} 个。",
}
asked = [h.retains_grad or h.is_leaf for h in computed]
assert all(asked), {
    "en": f"Not each `h` was asked to keep its gradient: {asked}.",
    "zh": f"并不是每个 `h` 都请求了保留梯度：{asked}。",
}
kept = [h.grad for h in computed]
assert None not in kept, {
    "en": f"They were asked too late; the pass had gone by: {kept}.",
    "zh": f"请求得太晚，反向传播已经过去了：{kept}。",
}
want = [2 * h.item() for h in computed]
assert [one.item() for one in kept] == want, {
    "en": f"The gradients should be {want}, and are {kept}.",
    "zh": f"梯度应当是 {want}，现在是 {kept}。",
}
assert want == [4, 8, 12], {
    "en": "Leave the numbers of the loop as they were.",
    "zh": "循环里的数不要改。",
}
