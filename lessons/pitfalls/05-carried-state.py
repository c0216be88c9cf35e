# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "A state that is carried on"
#       zh: "带到下一次迭代的状态"
#     summary:
#       en: "The result of one iteration goes into the next. How far back does each backward pass go?"
#       zh: "这次迭代的结果进入下一次。每次反向传播会往回走多远？"
#     topics:
#       en: [hidden state, detach, RNN]
#       zh: [隐状态, detach, 循环神经网络]
# ---

# %% [markdown] question="predict" of="finished" lang="en"
# A network that reads one number after the other keeps a **state**, here `h`: the result of one iteration goes into
# the next. After each iteration there is a loss, and a backward pass.
#
# The loop should make three iterations. It will fail, and `try` catches that; `finished` counts those that succeeded.
# How many will there be?

# %% [markdown] question="predict" of="finished" lang="zh"
# 逐个读取输入的网络会保留一个**状态**，这里是 `h`：这次迭代的结果用于下一次迭代。每次迭代之后算损失，做一次反向传播。
#
# 循环本来要迭代三次。它会出错，由 `try` 接住；`finished` 数的是完成了几次。会是几？

# %% [markdown] wrong="0" lang="en"
# The first iteration succeeds: `h` starts as a plain number, without a history.

# %% [markdown] wrong="0" lang="zh"
# 第一次迭代会成功：`h` 一开始只是个普通的数，没有历史。

# %% [markdown] wrong="2" lang="en"
# The error is raised one iteration earlier: the second pass already goes back into the graph of the first.

# %% [markdown] wrong="2" lang="zh"
# 错误会早一次迭代出现：第二次反向传播就已经走进了第一次的计算图。

# %%
import torch

w = torch.tensor(0.5, requires_grad=True)
h = torch.tensor(0.0)
finished = 0
try:
    for x in [1.0, 2.0, 3.0]:
        h = torch.tanh(w * x + h)
        loss = (h - 0.5) ** 2
        loss.backward()
        finished += 1
except RuntimeError as error:
    print(str(error).split(" (")[0])

# %% [markdown] question="choice" of="1 if h.grad_fn.next_functions[0][0].next_functions[1][0] is None else 2" lang="en"
# {{ finished }}. In the first iteration `h` has no history. From then on it has one, and the next pass goes back into a
# graph whose saved values were freed. So the error is raised one iteration **after** the line that is to blame.
#
# `retain_graph=True` makes it go away, and many leave it at that. In the third iteration, how far back does the pass
# go then?
#
# 1. through the third iteration, where its loss is
# 2. through all three iterations

# %% [markdown] question="choice" of="1 if h.grad_fn.next_functions[0][0].next_functions[1][0] is None else 2" lang="zh"
# {{ finished }} 次。第一次迭代里，`h` 没有历史。从那以后它就带着历史，下一次反向传播要往回走，
# 而那里的图保存的值已经释放了。
# 所以报错的时刻，要比真正出错的那一行**晚**一次迭代。
#
# 加上 `retain_graph=True`，错误就没了，很多人也就到此为止。那么第三次迭代的反向传播，会往回走多远？
#
# 1. 只走第三次迭代，损失就在那里
# 2. 三次迭代都走

# %%
w.grad = None
h = torch.tensor(0.0)
for x in [1.0, 2.0, 3.0]:
    h = torch.tanh(w * x + h)
    loss = (h - 0.5) ** 2
    loss.backward(retain_graph=True)

# %% [markdown] lang="en"
# All the way back. Press `B` a few times: each pass you come to has fewer nodes than the one after it. Time and
# memory grow with every iteration. And where the state is multiplied by a weight, as in nearly every real network, it
# fails all the same as soon as an optimizer has changed that weight.
#
# The fix is `h = h.detach()` between two iterations: the **value** is passed on, the history is not. Learning from
# several iterations at once is fine as well, if you mean to: add up their losses, then one `backward()`, then
# `detach()`.
#
# In the loop below keep the state, without its history. `gradients` should hold the gradient that each iteration
# gives by itself. Press `e`.

# %% [markdown] lang="zh"
# 一直走到第一次迭代。按几下 `B` 往回看：每一次反向传播的节点都比后一次少。时间和内存随迭代次数增长。
# 真正的网络，状态几乎总要乘上一个权重；优化器一旦就地改了这个权重，照样出错。
#
# 改法是在两次迭代之间写 `h = h.detach()`：**值**传下去，历史不传。
# 有意要从好几次迭代一起学，也可以：把它们的损失加起来，做一次 `backward()`，然后 `detach()`。
#
# 下面的循环里，保留状态，去掉它的历史。`gradients` 里应当是每次迭代自己给出的梯度。按 `e`。

# %% tags=["exercise"] id="let-go" kind="bug"
u = torch.tensor(0.5, requires_grad=True)
state = torch.tensor(0.0)
gradients = []
for x in [1.0, -1.0, 2.0]:
    state = torch.tanh(u * x + state)
    loss = (state - 0.5) ** 2
    loss.backward(retain_graph=True)
    gradients.append(u.grad.item())
    u.grad = None
print("gradients:", gradients)

# %% [markdown] tags=["hint"] lang="en"
# The first of `gradients` is right already. What does the second iteration still see of the first?

# %% [markdown] tags=["hint"] lang="zh"
# `gradients` 的第一个已经是对的。第二次迭代还看得到第一次的什么？

# %% [markdown] tags=["hint"] lang="en"
# After the pass: `state = state.detach()`. Then nothing has to be retained any more, so that argument can go.

# %% [markdown] tags=["hint"] lang="zh"
# 在反向传播之后写 `state = state.detach()`。这样就没有什么需要保留了，那个参数可以去掉。

# %% tags=["solution"]
u = torch.tensor(0.5, requires_grad=True)
state = torch.tensor(0.0)
gradients = []
for x in [1.0, -1.0, 2.0]:
    state = torch.tanh(u * x + state)
    loss = (state - 0.5) ** 2
    loss.backward()
    gradients.append(u.grad.item())
    u.grad = None
    state = state.detach()
print("gradients:", gradients)

# %% tags=["check"]
before, want, alone = 0.0, [], []
for number in [1.0, -1.0, 2.0]:
    fresh = torch.tanh(torch.tensor(0.5 * number)).item()
    alone.append(2 * (fresh - 0.5) * (1 - fresh**2) * number)
    before = torch.tanh(torch.tensor(0.5 * number + before)).item()
    want.append(2 * (before - 0.5) * (1 - before**2) * number)
assert len(gradients) == 3, {
    "en": f"There should be three gradients, one for each iteration, and there are {len(gradients)}.",
    "zh": f"应当有三个梯度，每次迭代一个，现在有 {len(gradients)} 个。",
}
found = torch.tensor(gradients)
assert not torch.allclose(found, torch.tensor(alone), atol=1e-4), {
    "en": (
        "Each iteration begins with an empty state now: the value of `state` must be passed on, its history must not."
    ),
    "zh": "现在每次迭代都从空的状态开始：`state` 的值要带下去，不带的只是它的历史。",
}
assert torch.allclose(found, torch.tensor(want), atol=1e-4), {
    "en": (
        f"The gradients should be {[round(one, 4) for one in want]}, and are {[round(one, 4) for one in gradients]}. "
        "Where they differ, the history still counts."
    ),
    "zh": (
        f"梯度应当是 {[round(one, 4) for one in want]}，现在是 {[round(one, 4) for one in gradients]}。"
        "不一样的地方，历史还在起作用。"
    ),
}
try:
    torch.autograd.grad(loss, u)
    kept = True
except RuntimeError:
    kept = False
assert not kept, {
    "en": "Right. But the last graph is still kept: retain_graph=True is not needed any more.",
    "zh": "数对了。可是最后一张图还留着：不再需要 retain_graph=True 了。",
}
