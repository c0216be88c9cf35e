# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "Two players, out of order"
#       zh: "两位玩家，乱了次序"
#     summary:
#       en: "In a GAN two optimizers share one graph: which goes backward and which steps first matters."
#       zh: "GAN 里两个优化器共用一张图：哪个先反向传播，哪个先更新，次序很重要。"
#     topics:
#       en: [generator, discriminator, two optimizers]
#       zh: [生成器, 判别器, 两个优化器]
# ---

# %% [markdown] question="line" of="d._version == 1" lang="en"
# In a generative adversarial network (GAN) two networks play against each other. The **generator** makes fake samples,
# like a forger; the **discriminator** judges them: 1 for real, 0 for fake. Each has its own optimizer. Here each is a
# single weight, `g` and `d`, and the only real sample is 3.
#
# To save work, one verdict serves both losses. The last `backward()` fails. Which line makes that inevitable?

# %% [markdown] question="line" of="d._version == 1" lang="zh"
# 生成对抗网络（GAN）里有两个互相对抗的网络：**生成器**像伪造者一样生成假样本；
# **判别器**判断样本的真假，真的给 1，假的给 0。它们各有一个优化器。
# 这里各自只有一个权重，`g` 和 `d`；真样本也只有一个，就是 3。
#
# 为了省事，两个损失用同一次判断。最后那个 `backward()` 会出错。
# 是哪一行让失败变得不可避免？

# %% [markdown] wrong="error" lang="en"
# There you notice it. But what made it inevitable came before.

# %% [markdown] wrong="error" lang="zh"
# 你是在那里发现的。可让它不可避免的事发生在前面。

# %% [markdown] wrong="g.grad is not None" lang="en"
# That line is a mistake too, a silent one: it fails nothing here. `retain_graph=True` keeps what `verdict` has saved.

# %% [markdown] wrong="g.grad is not None" lang="zh"
# 那一行也有问题，但不会报错：这里的失败不是它造成的。`retain_graph=True` 留住了 `verdict` 存下的值。

# %%
import torch

g = torch.tensor(0.5, requires_grad=True)
d = torch.tensor(0.8, requires_grad=True)
g_optimizer = torch.optim.SGD([g], lr=0.01)
d_optimizer = torch.optim.SGD([d], lr=0.01)

fake = g * 2
verdict = d * fake
d_loss = verdict**2 + (d * 3 - 1) ** 2
g_loss = (verdict - 1) ** 2
d_loss.backward(retain_graph=True)
stray = g.grad.clone()
d_optimizer.step()
try:
    g_loss.backward()
except RuntimeError as error:
    print(str(error).split(":")[0])

# %% [markdown] question="predict" of="reached" lang="en"
# It is `d_optimizer.step()`. An optimizer writes into its weights **in place**, and the way back through `verdict`
# needs the `d` that it was computed with. After the step that verdict is out of date.
#
# There was a second mistake, a silent one: the discriminator's pass went through `fake` and on to `g`, where it left
# {{ stray.item() }}. That gradient tells the generator how to get *caught*.
#
# Now the right order. The discriminator learns from `fake.detach()`. `reached` is what `g.grad` holds then. What will
# it be?

# %% [markdown] question="predict" of="reached" lang="zh"
# 是 `d_optimizer.step()`。优化器**就地**改写自己的权重，而从 `verdict` 往回走，要用算它时的那个 `d`。
# 更新之后，这次判断就过时了。
#
# 还有第二个错误，它不会报错：判别器的反向传播穿过 `fake`，一直走到 `g`，在那里留下了 {{ stray.item() }}。
# 沿这个梯度更新，生成器反而更容易*被识破*。
#
# 现在按正确的次序来。判别器从 `fake.detach()` 学习。`reached` 记下这时 `g.grad` 里有什么。会是什么？

# %% [markdown] wrong="stray" lang="en"
# That is what reached `g` when the fake was not detached.

# %% [markdown] wrong="stray" lang="zh"
# 那是没有 detach 时传到 `g` 的梯度。

# %% [markdown] wrong="0.0" lang="en"
# A zero would be a gradient that came and was zero. None came: `zero_grad()` had set it to `None`.

# %% [markdown] wrong="0.0" lang="zh"
# 0 的意思是来过一个为零的梯度。这里没有来过：`zero_grad()` 把它设成了 `None`。

# %%
d_optimizer.zero_grad()
g_optimizer.zero_grad()
fake = g * 2

verdict = d * fake.detach()
d_loss = verdict**2 + (d * 3 - 1) ** 2
d_loss.backward()
d_optimizer.step()
reached = g.grad

g_loss = (d * fake - 1) ** 2
g_loss.backward()
g_optimizer.step()

# %% [markdown] lang="en"
# Nothing: the cut kept the discriminator's pass out of the generator, and saved the graph of `fake`. So no
# `retain_graph` is needed, and the second verdict is **computed again**, with the discriminator as it is after its
# step.
#
# The generator's pass must go *through* the discriminator to reach `g`, and leaves a gradient in `d` on its way. No
# step uses it: `zero_grad()` at the beginning of the next iteration clears it.
#
# In `train_step` below there is no error, but the generator makes its fakes smaller, where it should make them larger.
# Find out why. Press `e`.

# %% [markdown] lang="zh"
# 是 `None`：`detach()` 使判别器的反向传播到不了生成器，`fake` 的计算图也就没有被释放。
# 所以不用写 `retain_graph`，第二次判断则是**重新算**的，用的是更新之后的判别器。
#
# 生成器的反向传播必须*穿过*判别器才能到 `g`，路上会在 `d` 里留下一个梯度。这个梯度不用来更新：
# 下一次迭代开头的 `zero_grad()` 会清掉它。
#
# 下面的 `train_step` 不报错，可是生成器的假样本越来越小，本来应当越来越大。找出原因。按 `e`。


# %% tags=["exercise"] id="pulled" kind="bug"
def train_step(g, d, g_optimizer, d_optimizer):
    d_optimizer.zero_grad()
    g_optimizer.zero_grad()
    fake = g * 2

    verdict = d * fake
    d_loss = verdict**2 + (d * 3 - 1) ** 2
    d_loss.backward()
    d_optimizer.step()

    g_loss = (d * (g * 2) - 1) ** 2
    g_loss.backward()
    g_optimizer.step()


g = torch.tensor(0.5, requires_grad=True)
d = torch.tensor(0.8, requires_grad=True)
g_optimizer = torch.optim.SGD([g], lr=0.01)
d_optimizer = torch.optim.SGD([d], lr=0.01)
train_step(g, d, g_optimizer, d_optimizer)
print("g was 0.5, and is", g.item())

# %% [markdown] tags=["hint"] lang="en"
# Go with `b` to the first pass: which leaves does it reach?

# %% [markdown] tags=["hint"] lang="zh"
# 用 `b` 走到第一次反向传播：它到了哪些叶子节点？

# %% [markdown] tags=["hint"] lang="en"
# `g` has a gradient from the discriminator's loss already, and the generator's is added to it. One `detach()` keeps it
# out.

# %% [markdown] tags=["hint"] lang="zh"
# `g` 里已经有了来自判别器损失的梯度，生成器自己的又加了上去。一个 `detach()` 就能把它挡在外面。


# %% tags=["solution"]
def train_step(g, d, g_optimizer, d_optimizer):
    d_optimizer.zero_grad()
    g_optimizer.zero_grad()
    fake = g * 2

    verdict = d * fake.detach()
    d_loss = verdict**2 + (d * 3 - 1) ** 2
    d_loss.backward()
    d_optimizer.step()

    g_loss = (d * (g * 2) - 1) ** 2
    g_loss.backward()
    g_optimizer.step()


g = torch.tensor(0.5, requires_grad=True)
d = torch.tensor(0.8, requires_grad=True)
g_optimizer = torch.optim.SGD([g], lr=0.01)
d_optimizer = torch.optim.SGD([d], lr=0.01)
train_step(g, d, g_optimizer, d_optimizer)
print("g was 0.5, and is", g.item())

# %% tags=["check"]
mine = [torch.tensor(0.5, requires_grad=True), torch.tensor(0.8, requires_grad=True)]
players = [torch.optim.SGD([one], lr=0.01) for one in mine]
want_g, want_d = 0.5, 0.8
for number in (1, 2):
    train_step(*mine, *players)
    made = 2 * want_g
    want_d -= 0.01 * (2 * want_d * made**2 + 6 * (3 * want_d - 1))
    want_g -= 0.01 * 2 * (want_d * made - 1) * want_d * 2
    got_g, got_d = (one.item() for one in mine)
    assert abs(got_d - 0.8) > 1e-6, {
        "en": "The discriminator does not learn any more: `d` has not moved.",
        "zh": "判别器不再学习了：`d` 没有动。",
    }
    assert abs(got_g - 0.5) > 1e-6, {
        "en": "The generator does not learn any more: no gradient of its own loss reaches `g`.",
        "zh": "生成器不再学习了：它自己的损失没有梯度到 `g`。",
    }
    assert abs(got_d - want_d) < 1e-5, {
        "en": (
            f"After step {number} `d` should be {want_d:.4f}, and is {got_d:.4f}. "
            "The discriminator's part was right as it was."
        ),
        "zh": f"第 {number} 步之后 `d` 应当是 {want_d:.4f}，现在是 {got_d:.4f}。判别器那部分原来就是对的。",
    }
    assert abs(got_g - want_g) < 1e-5, {
        "en": (
            f"After step {number} `g` should be {want_g:.4f}, and is {got_g:.4f}: "
            "it must go by the generator's loss alone."
        ),
        "zh": f"第 {number} 步之后 `g` 应当是 {want_g:.4f}，现在是 {got_g:.4f}：更新它的只能是生成器自己的损失。",
    }
