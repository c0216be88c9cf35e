# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "Two players, out of order"
#       zh: "两位玩家，乱了次序"
#     summary:
#       en: "In a GAN two optimizers share one graph: who goes backward and who steps first matters."
#       zh: "GAN 里两个优化器共用一张图：谁先反向传播，谁先更新，次序有讲究。"
# ---

# %% [markdown] question="line" of="d._version == 1" lang="en"
# In a GAN two networks play against each other. The **forger** makes fakes, the **judge** gives a verdict: 1 for real,
# 0 for fake. Each has an optimizer of its own. Here each is a single weight, `g` and `d`, and the one real sample is 3.
#
# To save work, one verdict serves both losses. The last `backward()` fails. Which line makes that inevitable? Type
# its number, or mark it with ↑ ↓.

# %% [markdown] question="line" of="d._version == 1" lang="zh"
# GAN 里有两个网络对着干：**伪造者**造假货，**裁判**给出判断，真的给 1，假的给 0。它们各有一个优化器。
# 这里各自只有一个权重，`g` 和 `d`；真样本也只有一个，就是 3。
#
# 为了省事，两个损失用同一次判断。最后那个 `backward()` 会出错。
# 是哪一行让失败变得不可避免？输入行号，或者用 ↑ ↓ 标出来。

# %%
import torch

g = torch.tensor(0.5, requires_grad=True)
d = torch.tensor(0.8, requires_grad=True)
forger = torch.optim.SGD([g], lr=0.01)
judge = torch.optim.SGD([d], lr=0.01)

fake = g * 2
verdict = d * fake
judge_loss = verdict**2 + (d * 3 - 1) ** 2
forger_loss = (verdict - 1) ** 2
judge_loss.backward(retain_graph=True)
stray = g.grad.clone()
judge.step()
try:
    forger_loss.backward()
except RuntimeError as error:
    print(str(error).split(":")[0])

# %% [markdown] question="predict" of="reached" lang="en"
# It is `judge.step()`. An optimizer writes into its weights **in place**, and the way back through `verdict` needs the
# `d` that it was computed with. After the step that verdict is out of date.
#
# There was a second mistake, a silent one: the judge's pass went through `fake` and on to `g`, where it left
# {{ stray.item() }}. That gradient tells the forger how to get *caught*.
#
# Now the right order. The judge learns from `fake.detach()`. `reached` notes what is in `g.grad` then. What will it be?

# %% [markdown] question="predict" of="reached" lang="zh"
# 是 `judge.step()`。优化器**就地**改写自己的权重，而从 `verdict` 往回走，要用算它时的那个 `d`。
# 更新之后，这次判断就过时了。
#
# 还有第二个错误，不声不响：裁判的反向传播穿过 `fake`，一直走到 `g`，在那里留下了 {{ stray.item() }}。
# 这个梯度是在教伪造者怎样*被抓住*。
#
# 现在按正确的次序来。裁判从 `fake.detach()` 学习。`reached` 记下这时 `g.grad` 里有什么。会是什么？

# %%
judge.zero_grad()
forger.zero_grad()
fake = g * 2

verdict = d * fake.detach()
judge_loss = verdict**2 + (d * 3 - 1) ** 2
judge_loss.backward()
judge.step()
reached = g.grad

forger_loss = (d * fake - 1) ** 2
forger_loss.backward()
forger.step()

# %% [markdown] lang="en"
# Nothing: the cut kept the judge's pass out of the forger, and saved the graph of `fake`. So no `retain_graph` is
# needed, and the second verdict is **computed anew**, with the judge as it is after its step.
#
# The forger's pass must go *through* the judge to reach `g`, and leaves a gradient in `d` on its way. Nobody steps with
# it: `zero_grad()` at the beginning of the next turn clears it.
#
# In `turn` below there is no error, but the forger makes its fakes smaller, where it should make them larger. Find out
# why. Press `e`.

# %% [markdown] lang="zh"
# 什么也没有：这一刀没让裁判的反向传播进到伪造者那里，也保住了 `fake` 的图。
# 所以不用写 `retain_graph`，第二次判断则是**重新算**的，用的是更新之后的裁判。
#
# 伪造者的反向传播必须*穿过*裁判才能到 `g`，路上会在 `d` 里留下一个梯度。没有谁会拿它去更新：
# 下一圈开头的 `zero_grad()` 会清掉它。
#
# 下面的 `turn` 不报错，可是伪造者把假货越造越小，本来该越造越大。找出原因。按 `e`。


# %% tags=["exercise"] id="pulled" kind="bug"
def turn(g, d, forger, judge):
    judge.zero_grad()
    forger.zero_grad()
    fake = g * 2

    verdict = d * fake
    judge_loss = verdict**2 + (d * 3 - 1) ** 2
    judge_loss.backward()
    judge.step()

    forger_loss = (d * (g * 2) - 1) ** 2
    forger_loss.backward()
    forger.step()


g = torch.tensor(0.5, requires_grad=True)
d = torch.tensor(0.8, requires_grad=True)
forger = torch.optim.SGD([g], lr=0.01)
judge = torch.optim.SGD([d], lr=0.01)
turn(g, d, forger, judge)
print("g was 0.5, and is", g.item())

# %% [markdown] tags=["hint"] lang="en"
# Go with `b` to the first pass: which leaves does it reach?

# %% [markdown] tags=["hint"] lang="zh"
# 用 `b` 走到第一趟反向传播：它到了哪些叶子节点？

# %% [markdown] tags=["hint"] lang="en"
# `g` has a gradient from the judge's loss already, and the forger's is added to it. One `detach()` keeps it out.

# %% [markdown] tags=["hint"] lang="zh"
# `g` 里已经有了来自裁判损失的梯度，伪造者自己的又加了上去。一个 `detach()` 就能把它挡在外面。


# %% tags=["solution"]
def turn(g, d, forger, judge):
    judge.zero_grad()
    forger.zero_grad()
    fake = g * 2

    verdict = d * fake.detach()
    judge_loss = verdict**2 + (d * 3 - 1) ** 2
    judge_loss.backward()
    judge.step()

    forger_loss = (d * (g * 2) - 1) ** 2
    forger_loss.backward()
    forger.step()


g = torch.tensor(0.5, requires_grad=True)
d = torch.tensor(0.8, requires_grad=True)
forger = torch.optim.SGD([g], lr=0.01)
judge = torch.optim.SGD([d], lr=0.01)
turn(g, d, forger, judge)
print("g was 0.5, and is", g.item())

# %% tags=["check"]
mine = [torch.tensor(0.5, requires_grad=True), torch.tensor(0.8, requires_grad=True)]
players = [torch.optim.SGD([one], lr=0.01) for one in mine]
want_g, want_d = 0.5, 0.8
for number in (1, 2):
    turn(*mine, *players)
    made = 2 * want_g
    want_d -= 0.01 * (2 * want_d * made**2 + 6 * (3 * want_d - 1))
    want_g -= 0.01 * 2 * (want_d * made - 1) * want_d * 2
    got_g, got_d = (one.item() for one in mine)
    assert abs(got_d - 0.8) > 1e-6, {
        "en": "The judge does not learn any more: `d` has not moved.",
        "zh": "裁判不再学习了：`d` 没有动。",
    }
    assert abs(got_g - 0.5) > 1e-6, {
        "en": "The forger does not learn any more: no gradient of its own loss reaches `g`.",
        "zh": "伪造者不再学习了：它自己的损失没有梯度到 `g`。",
    }
    assert abs(got_d - want_d) < 1e-5, {
        "en": (
            f"After turn {number} `d` should be {want_d:.4f}, and is {got_d:.4f}. The judge's part was right as it was."
        ),
        "zh": f"第 {number} 圈之后 `d` 应当是 {want_d:.4f}，现在是 {got_d:.4f}。裁判那部分原来就是对的。",
    }
    assert abs(got_g - want_g) < 1e-5, {
        "en": (
            f"After turn {number} `g` should be {want_g:.4f}, and is {got_g:.4f}: "
            "it must go by the forger's loss alone."
        ),
        "zh": f"第 {number} 圈之后 `g` 应当是 {want_g:.4f}，现在是 {got_g:.4f}：它只该听伪造者自己的损失。",
    }
