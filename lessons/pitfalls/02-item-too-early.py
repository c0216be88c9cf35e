# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "A loss made ready to print"
#       zh: "为打印准备的损失"
#     summary:
#       en: "The loss is made ready to print, and backward() fails. Is the usual workaround a fix?"
#       zh: "想把损失打印出来，backward() 就出错了。常见的绕法算是改好了吗？"
#     topics:
#       en: [item(), no grad_fn]
#       zh: [item(), 没有 grad_fn]
# ---

# %% [markdown] question="line" of="isinstance(loss, float)" lang="en"
# You want to print the loss, and a plain number prints best.
#
# The next cell fails at `backward()`, and `try` catches it. But that is only where you notice it. Which line makes
# the failure inevitable?

# %% [markdown] question="line" of="isinstance(loss, float)" lang="zh"
# 想把损失打印出来，普通的数打印出来最清楚。
#
# 下一个单元格会在 `backward()` 处出错，`try` 把它接住。不过那只是问题显现的地方。
# 是哪一行让失败变得不可避免？

# %% [markdown] wrong="error" lang="en"
# There you notice it. But by then `loss` is a plain number already.

# %% [markdown] wrong="error" lang="zh"
# 你是在那里发现的。可那时 `loss` 早就是普通的数了。

# %%
import torch

w = torch.tensor(1.0, requires_grad=True)
guess = w * 3
off = guess - 6
loss = (off**2).item()
print("loss:", loss)
try:
    loss.backward()
except AttributeError as error:
    print(error)

# %% [markdown] question="predict" of="w.grad" lang="en"
# It is the line with `item()`. It returns the number, {{ loss }}, without its history.
#
# Here is a common "fix": collect such numbers in a list (here of one), make a tensor of it again, and mark that, so
# that PyTorch raises no error. No error this time. What will `w.grad` hold?

# %% [markdown] question="predict" of="w.grad" lang="zh"
# 是有 `item()` 的那一行。它返回的是数 {{ loss }}，不带历史。
#
# 网上流传着一种“改法”：把这样的数收进列表（这里只有一个），再做成张量，标记一下，PyTorch 就不报错了。
# `w.grad` 里会是什么？

# %% [markdown] wrong="2 * (w * 3 - 6) * 3" lang="en"
# That is the gradient of the loss as it was computed. But `item()` had cut its history off.

# %% [markdown] wrong="2 * (w * 3 - 6) * 3" lang="zh"
# 那是原来那个损失的梯度。可是 `item()` 已经切断了它的历史。

# %%
again = torch.tensor([loss], requires_grad=True)
again.mean().backward()

# %% [markdown] lang="en"
# Nothing. `again` is a fresh leaf, and no edge leads from it to `w`. The gradient went as far as `again` itself:
# `again.grad` is {{ again.grad.item() }}. The error was more useful than this silence.
#
# The fix: `backward()` on the tensor, and `item()` **afterwards**, for what you print or keep.
#
# Below, the weight does not move in three iterations, and there is no error: an optimizer skips what has no gradient.
# Let `v` learn, and let `history` hold plain numbers. Press `e`.

# %% [markdown] lang="zh"
# 什么也没有。`again` 是全新的叶子节点，没有边从它通向 `w`。梯度只走到 `again` 自己：
# `again.grad` 是 {{ again.grad.item() }}。比起这样的沉默，刚才的错误反而有用得多。
#
# 改法：对张量调用 `backward()`，**之后**再用 `item()`，拿去打印或保存。
#
# 下面的三次迭代里，权重一动不动，也没有报错：没有梯度的参数，优化器会直接跳过。
# 让 `v` 学起来，并且让 `history` 里都是普通的数。按 `e`。

# %% tags=["exercise"] id="silent" kind="bug"
v = torch.tensor(1.0, requires_grad=True)
optimizer = torch.optim.SGD([v], lr=0.05)
history = []
for iteration in range(3):
    optimizer.zero_grad()
    number = ((v * 3 - 6) ** 2).item()
    cost = torch.tensor([number])
    cost.requires_grad_()
    cost.mean().backward()
    optimizer.step()
    history.append(cost)
print("v:", v.item(), "losses:", history)

# %% [markdown] tags=["hint"] lang="en"
# Walk through one iteration and look at the graph at `backward()`. Is `v` in it? And what is said at
# `optimizer.step()`?

# %% [markdown] tags=["hint"] lang="zh"
# 走完一次迭代，在 `backward()` 那里看看图。`v` 在里面吗？走到 `optimizer.step()` 时又是怎么说的？

# %% [markdown] tags=["hint"] lang="en"
# Leave `item()` out where the loss is computed, and remove the two lines after it. Put `item()` into the line that
# fills `history`.

# %% [markdown] tags=["hint"] lang="zh"
# 计算损失的地方去掉 `item()`，下面两行也一并去掉。把 `item()` 移到填 `history` 的那一行。

# %% tags=["solution"]
v = torch.tensor(1.0, requires_grad=True)
optimizer = torch.optim.SGD([v], lr=0.05)
history = []
for iteration in range(3):
    optimizer.zero_grad()
    cost = (v * 3 - 6) ** 2
    cost.backward()
    optimizer.step()
    number = cost.item()
    history.append(number)
print("v:", v.item(), "losses:", history)

# %% tags=["check"]
assert v.item() != 1, {
    "en": "v is still 1: no gradient has reached it. Where does the graph begin that you go back through?",
    "zh": "v 还是 1：没有梯度到过它。反向传播走的那张图，是从哪里开始的？",
}
assert abs(v.item() - 1.999) < 1e-4, {
    "en": f"After three iterations v should be 1.999, and is {v.item():g}.",
    "zh": f"三次迭代之后 v 应当是 1.999，现在是 {v.item():g}。",
}
assert len(history) == 3, {
    "en": f"`history` should hold three losses, and holds {len(history)}.",
    "zh": f"`history` 里应当有三个损失，现在有 {len(history)} 个。",
}
kinds = {type(each).__name__ for each in history}
assert kinds == {"float"}, {
    "en": f"v learns. But `history` holds {kinds}, and each tensor in it keeps its whole graph in memory.",
    "zh": f"v 学起来了。可是 `history` 里的类型是 {'、'.join(sorted(kinds))}，其中每个张量都让自己的整张图占着内存。",
}
assert abs(history[0] - 9) < 1e-4, {
    "en": f"The first loss should be 9, and `history` has {history[0]:g}.",
    "zh": f"第一个损失应当是 9，`history` 里是 {history[0]:g}。",
}
