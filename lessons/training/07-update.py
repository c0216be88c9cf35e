# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "Four ways to update"
#       zh: "更新的四种写法"
#     summary:
#       en: "One step down, written in four ways: what each does to the leaf, the graph and the version."
#       zh: "同样走一步，四种写法：各自对叶子节点、计算图和版本计数器做了什么。"
#     topics:
#       en: [no_grad, .data, in-place update, leaf]
#       zh: [no_grad, .data, 原地更新, 叶子节点]
# ---

# %% [markdown] question="predict" of="w.is_leaf" lang="en"
# An update is a subtraction: `w` minus a little of its gradient. There are four ways to write it. All give the same
# number, and only some of them let you go on training.
#
# The first is what you would write in any other program: `w = w - lr * w.grad`. After it, will `w` be a leaf? Answer
# `True` or `False`.

# %% [markdown] question="predict" of="w.is_leaf" lang="zh"
# 更新就是一次减法：`w` 减去梯度的一小部分。它有四种写法，得到的数都一样，却只有几种能让你接着训练下去。
#
# 第一种，在别的程序里大家都会这样写：`w = w - lr * w.grad`。做完之后，`w` 还是叶子节点吗？
# 回答 `True` 或 `False`。

# %%
import torch

lr = 0.1
w = torch.tensor(1.0, requires_grad=True)
loss = (w * 2 - 6) ** 2
loss.backward()
w = w - lr * w.grad

# %% [markdown] question="predict" of="w.grad" lang="en"
# `w.is_leaf` is {{ w.is_leaf }}. The subtraction is an operation like any other: it made a **new** tensor, with a
# node in the graph, and the name `w` now refers to it. The leaf is still there, but no longer under the name
# `w`.
#
# The new `w` requires grad, so the next pass runs without complaint. What will `w.grad` hold after it?

# %% [markdown] question="predict" of="w.grad" lang="zh"
# `w.is_leaf` 是 {{ w.is_leaf }}。减法和别的运算没有两样：它创建了一个**新**张量，在图里留下一个节点，
# 名字 `w` 现在指的是它。原来的叶子节点还在，只是不再叫 `w` 了。
#
# 新的 `w` 需要梯度，所以下一次反向传播照样能进行。之后，`w.grad` 里会是什么？

# %% [markdown] wrong="4 * (w * 2 - 6)" lang="en"
# That is the gradient at `w`, but `w` is not a leaf any more: it went on to the old leaf.

# %% [markdown] wrong="4 * (w * 2 - 6)" lang="zh"
# 这是 `w` 处的梯度，但 `w` 已经不是叶子节点：梯度传到了旧的叶子节点。

# %%
loss = (w * 2 - 6) ** 2
loss.backward()

# %% [markdown] question="predict" of="u._version" lang="en"
# `None`: the gradient went **through** `w` to the old leaf. The next update would fail, one iteration late.
#
# So the write must go *into* the leaf. `u -= …` does so, and PyTorch forbids it while it records. Two ways are left:
# `.data`, as in old code, and `torch.no_grad()`, as today. The cell tries all three; two of them really write.
#
# A write in place should increase the **version counter** by one. What will `u._version` be in the end?

# %% [markdown] question="predict" of="u._version" lang="zh"
# 是 `None`：梯度**穿过** `w`，传到了旧的叶子节点上。再更新一次就会出错，晚了一次迭代。
#
# 所以要写**进**叶子节点里。`u -= …` 就是这样，可是在记录的时候 PyTorch 不许。
# 还剩两种：旧代码用 `.data`，现在用 `torch.no_grad()`。下面三种都试一遍，其中两种真的写了进去。
#
# 每做一次就地操作，**版本计数器**都该加一。最后 `u._version` 会是多少？

# %% [markdown] wrong="2" lang="en"
# That would be so if the write through `.data` were counted.

# %% [markdown] wrong="2" lang="zh"
# `.data` 的写入也计数才会这样。

# %% [markdown] wrong="3" lang="en"
# The first of the three is refused, and the write through `.data` is not counted.

# %% [markdown] wrong="3" lang="zh"
# 三次里的第一次被拒绝了，而 `.data` 的写入不计数。

# %%
u = torch.tensor(1.0, requires_grad=True)
loss = (u * 2 - 6) ** 2
loss.backward()
try:
    u -= lr * u.grad
except RuntimeError as error:
    print(error)
u.data -= lr * u.grad
with torch.no_grad():
    u -= lr * u.grad
count = u._version

# %% [markdown] lang="en"
# It is {{ count }}. Both writes changed the value, and `u.is_leaf` is {{ u.is_leaf }} as before; but only the one
# under `no_grad` was **counted**. The counter is how autograd notices that a saved value was written over; the lesson
# *Written over* shows what happens when it cannot.
#
# - `w = w - …` makes a new tensor, and loses the leaf
# - `w -= …` fails
# - `w.data -= …` works, unseen by autograd
# - `w -= …` under `torch.no_grad()` is the one to write
#
# The loop below uses the first way, and fails in its second iteration. Fix it: press `e`.

# %% [markdown] lang="zh"
# 是 {{ count }}。两次写入都改了值，`u.is_leaf` 也还是 {{ u.is_leaf }}；
# 但只有 `no_grad` 里的那一次**计了数**。
# autograd 就是靠这个计数器发现保存的值被改写的；《就地改写》里讲了发现不了会怎样。
#
# - `w = w - …` 创建新张量，丢了叶子节点
# - `w -= …` 出错
# - `w.data -= …` 能行，但 autograd 看不见
# - 在 `torch.no_grad()` 里写 `w -= …`，就该这样写
#
# 下面的循环用了第一种写法，到第二次迭代就出错。改好它：按 `e`。

# %% tags=["exercise"] id="second-turn" kind="bug"
v = torch.tensor(1.0, requires_grad=True)
try:
    for iteration in range(5):
        loss = (v * 2 - 6) ** 2
        loss.backward()
        v = v - lr * v.grad
        v.grad = None
except (TypeError, RuntimeError) as error:
    print(f"iteration = {iteration} fails: {error}")

# %% [markdown] tags=["hint"] lang="en"
# What is `v` after the first iteration: a leaf, or a result?

# %% [markdown] tags=["hint"] lang="zh"
# 第一次迭代之后，`v` 是叶子节点，还是计算结果？

# %% [markdown] tags=["hint"] lang="en"
# Write into the tensor with `-=`, and put `with torch.no_grad():` over that line.

# %% [markdown] tags=["hint"] lang="zh"
# 用 `-=` 写进这个张量，在那一行上面加 `with torch.no_grad():`。

# %% tags=["solution"]
v = torch.tensor(1.0, requires_grad=True)
try:
    for iteration in range(5):
        loss = (v * 2 - 6) ** 2
        loss.backward()
        with torch.no_grad():
            v -= lr * v.grad
        v.grad = None
except (TypeError, RuntimeError) as error:
    print(f"iteration = {iteration} fails: {error}")

# %% tags=["check"]
number, kept = 1.0, 0.0
piled = 1.0
for _ in range(5):
    number -= 0.1 * 4 * (2 * number - 6)
    kept += 4 * (2 * piled - 6)
    piled -= 0.1 * kept
assert v.requires_grad, {
    "en": "v does not require grad any more, so it cannot learn.",
    "zh": "v 不再需要梯度了，所以学不了。",
}
assert v.is_leaf, {
    "en": f"v is a result, {v.grad_fn.name()}, and no leaf: its gradient will pass through it.",
    "zh": f"v 是计算结果（{v.grad_fn.name()}），不是叶子节点：梯度只会经过它，不会留下。",
}
assert iteration == 4, {
    "en": f"It stops with iteration = {iteration}, and should go on to 4.",
    "zh": f"它停在 iteration = {iteration}，应当走到 4。",
}
assert v.item() != 1.0, {
    "en": "v has not moved. Clear the gradient after the update, not before.",
    "zh": "v 没有动。清零要在更新之后，不是之前。",
}
assert abs(v.item() - piled) > 1e-3, {
    "en": "v is a leaf now, but its gradients add up: clear them in each iteration.",
    "zh": "v 现在是叶子节点了，可是梯度一直在累加：每次迭代都要清零。",
}
assert abs(v.item() - number) < 1e-3, {
    "en": f"v should be {number:.4f} after five iterations, and is {v.item():.4f}.",
    "zh": f"五次迭代之后 v 应当是 {number:.4f}，现在是 {v.item():.4f}。",
}
