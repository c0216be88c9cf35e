# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "Adam"
#       zh: "Adam"
#     summary:
#       en: "Running means of the gradient and of its square: how far is a step, whatever the gradient?"
#       zh: "梯度和梯度平方的滑动平均：不管梯度多大，一步走多远？"
#     topics:
#       en: [Adam, bias correction, running mean, optimizer state]
#       zh: [Adam, 偏差修正, 滑动平均, 优化器的状态]
#     aliases: [training/optimizers]
# ---

# %% [markdown] question="predict" of="first" lang="en"
# `SGD` moves a parameter by `lr` times its gradient, so a large gradient makes a large step. `Adam` does it
# differently. It keeps two numbers for each parameter: a running mean of its gradients, and one of their squares.
# Both begin at 0 and grow slowly, so each is first divided by how much of a mean is there yet: after one step that
# gives the gradient, and its square. (The state has them before that division: a tenth of the gradient, a thousandth
# of its square.) The parameter moves by `lr` times the first, divided by the root of the second.
#
# Here is the chain of *The chain rule*: its loss is 14161, and `w3` begins at 5 and gets a gradient of 5712. Adam's
# `lr` is 0.01. Where is `w3` after the **first** step?

# %% [markdown] question="predict" of="first" lang="zh"
# `SGD` 让参数移动 `lr` 乘以梯度那么远，所以梯度大，步子就大。`Adam` 不一样。
# 它给每个参数记两个数：梯度的滑动平均，和梯度平方的滑动平均。两者都从 0 开始，增长得慢，
# 所以使用之前要先做**偏差修正**，各除以一个系数：第一步之后，得到的正是这个梯度和它的平方。
# （状态里存的是修正之前的数：梯度的十分之一，梯度平方的千分之一。）
# 参数移动的距离是 `lr` 乘以前者，再除以后者的平方根。
#
# 这里是《链式法则》里的那个网络：损失 14161，`w3` 的梯度是 5712，`w3` 是 5。Adam 的 `lr` 是 0.01。
# **第一步**之后，`w3` 在哪里？

# %% [markdown] wrong="5 - 0.01 * 5712" lang="en"
# That is a step of SGD. Adam divides by the root of the mean square, which is the size of the gradient.

# %% [markdown] wrong="5 - 0.01 * 5712" lang="zh"
# 那是 SGD 的一步。Adam 还要除以平方平均的平方根，也就是梯度的大小。

# %%
import torch

x, t = torch.tensor(2.0), torch.tensor(1.0)


def chain(w1, w2, w3):
    a = torch.relu(w2 * (x * w1))
    return (w3 * a - t) ** 2


w1, w2, w3 = (torch.tensor(number, requires_grad=True) for number in (3.0, 4.0, 5.0))
adam = torch.optim.Adam([w1, w2, w3], lr=0.01)
for step in range(100):
    adam_loss = chain(w1, w2, w3)
    adam.zero_grad()
    adam_loss.backward()
    adam.step()
    if step == 0:
        first = round(w3.item(), 5)
print(f"loss at step {step}: {adam_loss.item():.2f}")

# %% [markdown] question="predict" of="moved" lang="en"
# At {{ first }}: one `lr`, whatever the gradient was. In the first step the **size of the gradient cancels out**: the
# root of its square is its size. So Adam does not diverge here, where SGD with the same `lr` does. But 100 such steps
# are a short way: the loss is still {{ adam_loss.item() }}. Adam forgives a bad `lr`; it does not replace a good one.
#
# It works the other way too. The next parameter begins at 1, and its gradient is only 0.001. With SGD and `lr` 0.01 it
# would go 0.00001 far. How far does Adam move it in one step, with `lr` 0.01?

# %% [markdown] question="predict" of="moved" lang="zh"
# 在 {{ first }}：正好一个 `lr`，不管梯度是多少。在第一步里，**梯度的大小约掉了**：平方再开方，就是它的绝对值。
# 所以 Adam 在这里不会发散，换成 SGD，同样的 `lr` 就会。可是 100 步这样的小步走不了多远，
# 损失还有 {{ adam_loss.item() }}。Adam 能容忍不合适的 `lr`，但代替不了合适的。
#
# 反过来也一样。下一个参数从 1 开始，梯度只有 0.001。用 SGD，`lr` 取 0.01，它只会走 0.00001 那么远。
# Adam 的 `lr` 取 0.01，一步让它走多远？

# %% [markdown] wrong="0.00001" lang="en"
# That is a step of SGD. For Adam the size of the gradient cancels out, small or large.

# %% [markdown] wrong="0.00001" lang="zh"
# 那是 SGD 的一步。对 Adam 来说，梯度不论大小都会约掉。

# %%
q = torch.tensor(1.0, requires_grad=True)
gentle = torch.optim.Adam([q], lr=0.01)
(0.001 * q).backward()
gentle.step()
moved = round(1 - q.item(), 5)
mean, mean_square = gentle.state[q]["exp_avg"], gentle.state[q]["exp_avg_sq"]

# %% [markdown] lang="en"
# {{ moved }}, one `lr` again. This is what Adam is for: layers with small gradients learn as fast as layers with large
# ones. Look at its state in the table: `mean` is a tenth of the gradient, and `mean_square` a thousandth of its square.
#
# Below is Adam by hand, beside PyTorch's own. It was written without the two divisions, and its first step is more
# than three times too long. Put in the **bias correction**: after step number `n`, counted from 1, how much of a mean
# is there is `1 - 0.9**n` for the mean, and `1 - 0.999**n` for the mean of the squares. Press `e`.

# %% [markdown] lang="zh"
# 走 {{ moved }}，又是一个 `lr`。Adam 的用处就在这里：梯度小的层和梯度大的层学得一样快。
# 看看表里的状态：`mean` 是梯度的十分之一，`mean_square` 是梯度平方的千分之一。
#
# 下面是亲手写的 Adam，旁边是 PyTorch 的。它漏了那两次除法，第一步迈出的距离是应有的三倍多。
# 把**偏差修正**补上：第 `n` 步（从 1 数起）之后，梯度的平均要除以 `1 - 0.9**n`，
# 梯度平方的平均要除以 `1 - 0.999**n`。按 `e`。

# %% tags=["exercise"] id="bias-correction" kind="bug"
w = torch.tensor(2.0, requires_grad=True)
m, s = 0.0, 0.0
steps = []
for n in range(1, 6):
    loss = (w - 1) ** 2
    loss.backward()
    g = w.grad.item()
    m = 0.9 * m + 0.1 * g
    s = 0.999 * s + 0.001 * g**2
    mean = m
    square = s
    with torch.no_grad():
        w -= 0.01 * mean / (square**0.5 + 1e-8)
    w.grad = None
    steps.append(w.item())
print([round(place, 4) for place in steps])

# %% [markdown] tags=["hint"] lang="en"
# `m` and `s` themselves stay as they are, for the next step. Divide where `mean` and `square` are made.

# %% [markdown] tags=["hint"] lang="zh"
# `m` 和 `s` 本身不要动，下一步还要用。除法写在算 `mean` 和 `square` 的地方。

# %% [markdown] tags=["hint"] lang="en"
# `mean = m / (1 - 0.9**n)`, and the same for `square`, with its own factor.

# %% [markdown] tags=["hint"] lang="zh"
# `mean = m / (1 - 0.9**n)`；`square` 也一样，用它自己的系数。

# %% tags=["solution"]
w = torch.tensor(2.0, requires_grad=True)
m, s = 0.0, 0.0
steps = []
for n in range(1, 6):
    loss = (w - 1) ** 2
    loss.backward()
    g = w.grad.item()
    m = 0.9 * m + 0.1 * g
    s = 0.999 * s + 0.001 * g**2
    mean = m / (1 - 0.9**n)
    square = s / (1 - 0.999**n)
    with torch.no_grad():
        w -= 0.01 * mean / (square**0.5 + 1e-8)
    w.grad = None
    steps.append(w.item())
print([round(place, 4) for place in steps])

# %% tags=["check"]
twin = torch.tensor(2.0, requires_grad=True)
reference = torch.optim.Adam([twin], lr=0.01)
expected = []
for _ in range(5):
    reference.zero_grad()
    ((twin - 1) ** 2).backward()
    reference.step()
    expected.append(twin.item())
assert len(steps) == 5, {
    "en": f"Leave the 5 steps: there are {len(steps)}.",
    "zh": f"5 步不要改：现在是 {len(steps)} 步。",
}
length = 2 - steps[0]
assert abs(length - 0.0316) > 1e-4, {
    "en": f"The first step goes {length:.4f} far, not 0.01: neither mean is corrected yet.",
    "zh": f"第一步走了 {length:.4f}，不是 0.01：两个平均都还没有修正。",
}
assert abs(length - 0.316) > 1e-3, {
    "en": f"The first step goes {length:.4f} far: only the mean of the gradients is corrected.",
    "zh": f"第一步走了 {length:.4f}：只修正了梯度的平均。",
}
assert abs(length - 0.001) > 1e-4, {
    "en": f"The first step goes {length:.4f} far: only the mean of the squares is corrected.",
    "zh": f"第一步走了 {length:.4f}：只修正了平方的平均。",
}
assert abs(length - 0.01) < 1e-4, {
    "en": f"The first step should go 0.01 far, and goes {length:.4f}.",
    "zh": f"第一步应当走 0.01，现在走了 {length:.4f}。",
}
off = [n for n in range(5) if abs(steps[n] - expected[n]) > 1e-5]
assert not off, {
    "en": (
        f"Step {off[0] + 1} leads to {steps[off[0]]:.5f} instead of {expected[off[0]]:.5f}. "
        "The correction depends on n, and m and s keep their uncorrected values."
    ),
    "zh": (
        f"第 {off[0] + 1} 步走到 {steps[off[0]]:.5f}，应当是 {expected[off[0]]:.5f}。"
        "修正随 n 变化，m 和 s 里则保留修正前的值。"
    ),
}
