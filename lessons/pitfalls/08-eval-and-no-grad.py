# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "Two switches, not one"
#       zh: "是两个开关，不是一个"
#     summary:
#       en: "eval() and no_grad: which of them is for the layers, and which for autograd?"
#       zh: "eval() 和 no_grad：哪个管各个层，哪个管 autograd？"
#     topics:
#       en: [eval(), no_grad, dropout, batch norm]
#       zh: [eval(), no_grad, dropout, 批量归一化]
# ---

# %% [markdown] question="predict" of="y.requires_grad" lang="en"
# A model that is tested should not learn. There are two things to write for that, `model.eval()` and
# `with torch.no_grad():`, and it is easy to take one for the other.
#
# First `eval()` alone. Will the result `y` require grad, `True` or `False`?

# %% [markdown] question="predict" of="y.requires_grad" lang="zh"
# 测试模型时，它不该学习。为此可以写两种代码，`model.eval()` 和 `with torch.no_grad():`，很容易把一个当成另一个。
#
# 先只用 `eval()`。结果 `y` 会需要梯度吗？`True` 还是 `False`？

# %%
import torch
from torch import nn

torch.manual_seed(0)
w = torch.ones(6, requires_grad=True)
model = nn.Dropout(p=0.5)

model.eval()
y = model(w * 3)

# %% [markdown] question="choice" of="1 if (z == 3).all() else 2" lang="en"
# `y.requires_grad` is {{ y.requires_grad }}: `eval()` does not touch autograd. It tells the **layers** that the
# training is over: dropout passes every number on, and batch norm uses the running mean and variance that it has
# collected in training, instead of those of the batch.
#
# Now the other way round: `train()`, which is how a model begins, and `no_grad`. All six inputs are 3. What will `z`
# hold?
#
# 1. six times 3
# 2. only zeros and sixes

# %% [markdown] question="choice" of="1 if (z == 3).all() else 2" lang="zh"
# `y.requires_grad` 是 {{ y.requires_grad }}：`eval()` 不碰 autograd。
# 它是告诉各个**层**，训练结束了：dropout 不再丢弃任何数，
# batch norm 改用训练时积累下来的均值和方差，不再用当前小批量的。
#
# 现在反过来：用 `train()`（模型一开始就是这样），加上 `no_grad`。六个输入都是 3。`z` 里会是什么？
#
# 1. 六个 3
# 2. 只有零和六

# %%
model.train()
with torch.no_grad():
    z = model(w * 3)

# %% [markdown] lang="en"
# {{ z.tolist() }}. Nothing was recorded (`z.requires_grad` is {{ z.requires_grad }}), and dropout was at work all the
# same: it throws each number away with probability one half, and doubles those that stay. A model tested like this
# gives another answer each time, and a worse one. With batch norm it even **learns** from the test: its running mean
# moves, under `no_grad` too.
#
# - `model.eval()`: the layers work as they will in use, and the graph is still recorded.
# - `torch.no_grad()`: no graph, and the layers still work as in training.
#
# Write both, and `model.train()` when you go on. Now a function that does all three: `evaluate(net, x)` returns the
# answer of a net in training as it would be in use, and leaves the net ready to train on. Press `e`.

# %% [markdown] lang="zh"
# {{ z.tolist() }}。没有记录（`z.requires_grad` 是 {{ z.requires_grad }}），
# dropout 却照样在起作用：每个数有一半的概率被置零，留下的翻倍。这样测试，模型每次的回答都不一样，而且更差。
# 有 batch norm 的话，它甚至会从测试数据里**学习**：就算在 `no_grad` 之下，它的滑动平均也会改变。
#
# - `model.eval()`：各层像正式使用时那样工作，图照样记录。
# - `torch.no_grad()`：不记录图，各层仍像训练时那样工作。
#
# 两个都写上，要接着训练时再写 `model.train()`。写一个三件事都做的函数：`evaluate(net, x)` 返回训练中的网络
# 在正式使用时会给出的结果，并让网络可以接着训练。按 `e`。

# %% tags=["exercise"] id="evaluate" kind="write"
# evaluate(net, x)

# %% [markdown] tags=["hint"] lang="en"
# There are two switches: one for the layers, one for the recording. Both belong around the call of `net`.

# %% [markdown] tags=["hint"] lang="zh"
# 有两个开关：一个管各层怎样工作，一个管要不要记录。两个都要包住对 `net` 的调用。

# %% [markdown] tags=["hint"] lang="en"
# `net.eval()` before, and `net.train()` after, or the training will go on without its dropout.

# %% [markdown] tags=["hint"] lang="zh"
# 前面写 `net.eval()`，后面写 `net.train()`，不然接下去的训练就没有 dropout 了。


# %% tags=["solution"]
def evaluate(net, x):
    net.eval()
    with torch.no_grad():
        answer = net(x)
    net.train()
    return answer


# %% tags=["check"]
torch.manual_seed(1)
tried = nn.Sequential(nn.Dropout(0.5), nn.Linear(64, 1))
tried.train()
given = evaluate(tried, torch.ones(1, 64))
assert isinstance(given, torch.Tensor), {
    "en": "`evaluate` should return the answer of the net.",
    "zh": "`evaluate` 应当返回网络的回答。",
}
whole = tried[1](torch.ones(1, 64))
assert torch.allclose(given, whole, atol=1e-4), {
    "en": f"The net answers {given.item():g} where it should answer {whole.item():g}: dropout is still at work.",
    "zh": f"网络应当回答 {whole.item():g}，它却回答 {given.item():g}：dropout 还在起作用。",
}
assert not given.requires_grad, {
    "en": "The answer still requires grad: eval() does not switch the recording off.",
    "zh": "回答仍然需要梯度：eval() 不会停止记录。",
}
assert tried.training, {
    "en": "After `evaluate` the net is still in eval mode: the training would go on without dropout.",
    "zh": "`evaluate` 之后网络还停在 eval 模式：接下去的训练就没有 dropout 了。",
}
