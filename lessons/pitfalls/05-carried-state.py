# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "A state that is carried on"
#       zh: "带到下一圈的状态"
#     summary:
#       en: "What comes out of one turn goes into the next. How far back does each backward pass go?"
#       zh: "这一圈的结果进入下一圈。每次反向传播会往回走多远？"
# ---

# %% [markdown] question="predict" of="turns" lang="en"
# A network that reads one number after the other keeps a **state**, here `h`: what comes out of one turn goes into the
# next. After each turn there is a loss, and a backward pass.
#
# The loop is to make three turns. It will fail, and `try` catches that; `turns` counts those that came through. How
# many will there be?

# %% [markdown] question="predict" of="turns" lang="zh"
# 一个一个读数的网络，会留着一个**状态**，这里是 `h`：这一圈出来的，进入下一圈。每一圈之后算损失，做一次反向传播。
#
# 循环本来要转三圈。它会出错，由 `try` 接住；`turns` 数的是走通了几圈。会是几？

# %%
import torch

w = torch.tensor(0.5, requires_grad=True)
h = torch.tensor(0.0)
turns = 0
try:
    for x in [1.0, 2.0, 3.0]:
        h = torch.tanh(w * x + h)
        loss = (h - 0.5) ** 2
        loss.backward()
        turns += 1
except RuntimeError as error:
    print(str(error).split(" (")[0])

# %% [markdown] question="choice" of="1 if h.grad_fn.next_functions[0][0].next_functions[1][0] is None else 2" lang="en"
# {{ turns }}. In the first turn `h` comes from nowhere. From then on it carries its history with it, and the next pass
# wants to go back through a graph that is used up. So the error shows one turn **after** the line that is to blame.
#
# `retain_graph=True` makes it go away, and many leave it at that. In the third turn, how far back does the pass go
# then?
#
# 1. through the third turn, where its loss is
# 2. through all three turns

# %% [markdown] question="choice" of="1 if h.grad_fn.next_functions[0][0].next_functions[1][0] is None else 2" lang="zh"
# {{ turns }} 圈。第一圈里，`h` 没有来历。从那以后它就带着历史，下一趟反向传播要往回走，走到的图已经用掉了。
# 所以错误露面，要比该怪的那一行**晚**一圈。
#
# 加上 `retain_graph=True`，错误就没了，很多人也就到此为止。那么第三圈的反向传播，会往回走多远？
#
# 1. 只走第三圈，损失就在那里
# 2. 三圈都走

# %%
w.grad = None
h = torch.tensor(0.0)
for x in [1.0, 2.0, 3.0]:
    h = torch.tanh(w * x + h)
    loss = (h - 0.5) ** 2
    loss.backward(retain_graph=True)

# %% [markdown] lang="en"
# All the way back. Press `B` a few times: each pass you come to has fewer nodes than the one after it. Time and memory
# grow with every turn. And where the state is multiplied by a weight, as in nearly every real network, it fails all the
# same as soon as an optimizer has changed that weight.
#
# The mend is `h = h.detach()` between two turns: the **value** is carried on, the history is not. Learning from several
# turns at once is fine as well, if you mean to: add up their losses, then one `backward()`, then `detach()`.
#
# In the loop below keep the state and let go of its past. `slopes` should get what each turn says by itself. Press `e`.

# %% [markdown] lang="zh"
# 一直走到头。按几下 `B` 往回看：每一趟的节点都比后一趟少。时间和内存一圈圈地涨。
# 真正的网络，状态几乎总要乘上一个权重；优化器一旦就地改了这个权重，照样出错。
#
# 改法是在两圈之间写 `h = h.detach()`：带走**值**，不带历史。
# 有意要从好几圈一起学，也可以：把它们的损失加起来，做一次 `backward()`，然后 `detach()`。
#
# 下面的循环里，留住状态，放下它的过去。`slopes` 里应当是每一圈自己给出的梯度。按 `e`。

# %% tags=["exercise"] id="let-go" kind="bug"
u = torch.tensor(0.5, requires_grad=True)
state = torch.tensor(0.0)
slopes = []
for x in [1.0, -1.0, 2.0]:
    state = torch.tanh(u * x + state)
    loss = (state - 0.5) ** 2
    loss.backward(retain_graph=True)
    slopes.append(u.grad.item())
    u.grad = None
print("slopes:", slopes)

# %% [markdown] tags=["hint"] lang="en"
# The first of `slopes` is right already. What does the second turn still see of the first?

# %% [markdown] tags=["hint"] lang="zh"
# `slopes` 的第一个已经是对的。第二圈还看得见第一圈的什么？

# %% [markdown] tags=["hint"] lang="en"
# After the pass: `state = state.detach()`. Then nothing has to be retained any more, so that argument can go.

# %% [markdown] tags=["hint"] lang="zh"
# 在反向传播之后写 `state = state.detach()`。这样就没有什么需要保留了，那个参数可以去掉。

# %% tags=["solution"]
u = torch.tensor(0.5, requires_grad=True)
state = torch.tensor(0.0)
slopes = []
for x in [1.0, -1.0, 2.0]:
    state = torch.tanh(u * x + state)
    loss = (state - 0.5) ** 2
    loss.backward()
    slopes.append(u.grad.item())
    u.grad = None
    state = state.detach()
print("slopes:", slopes)

# %% tags=["check"]
before, want, alone = 0.0, [], []
for number in [1.0, -1.0, 2.0]:
    fresh = torch.tanh(torch.tensor(0.5 * number)).item()
    alone.append(2 * (fresh - 0.5) * (1 - fresh**2) * number)
    before = torch.tanh(torch.tensor(0.5 * number + before)).item()
    want.append(2 * (before - 0.5) * (1 - before**2) * number)
assert len(slopes) == 3, {
    "en": f"There should be three slopes, one for each turn, and there are {len(slopes)}.",
    "zh": f"应当有三个梯度，每圈一个，现在有 {len(slopes)} 个。",
}
found = torch.tensor(slopes)
assert not torch.allclose(found, torch.tensor(alone), atol=1e-4), {
    "en": (
        "Each turn begins with an empty state now: the value of `state` must be carried on, only its history must not."
    ),
    "zh": "现在每一圈都从空的状态开始：`state` 的值要带下去，不带的只是它的历史。",
}
assert torch.allclose(found, torch.tensor(want), atol=1e-4), {
    "en": (
        f"The slopes should be {[round(one, 4) for one in want]}, and are {[round(one, 4) for one in slopes]}. "
        "Where they differ, the past still has a say."
    ),
    "zh": (
        f"梯度应当是 {[round(one, 4) for one in want]}，现在是 {[round(one, 4) for one in slopes]}。"
        "不一样的地方，过去还在起作用。"
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
