# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "A column and a row"
#       zh: "一列和一行"
#     summary:
#       en: "The guesses form a column, the targets a row. What does the loss compare with what?"
#       zh: "预测是一列，目标是一行。损失到底拿什么和什么比？"
#     topics:
#       en: [broadcasting, mse_loss, shapes]
#       zh: [广播, mse_loss, 形状]
# ---

# %% [markdown] question="predict" of="loss" vary="guess: [[[0.0], [2.0]]]; target: [[0.0, 2.0]]" lang="en"
# A layer with one output gives one column: four samples make the shape `(4, 1)`. The targets were read from a file as a
# plain list, of shape `(4,)`.
#
# In the next cell every guess is exactly right. What will the loss be?

# %% [markdown] question="predict" of="loss" vary="guess: [[[0.0], [2.0]]]; target: [[0.0, 2.0]]" lang="zh"
# 只有一个输出的层，给出的是一列：四个样本，形状就是 `(4, 1)`。目标值是从文件里读来的一个普通列表，形状是 `(4,)`。
#
# 下一个单元格里，每个预测都完全正确。损失会是多少？

# %% [markdown] wrong="0.0" lang="en"
# So it would be if each guess met its own target. Look at the shape of `apart`.

# %% [markdown] wrong="0.0" lang="zh"
# 每个预测只和自己的目标相比，才会这样。看看 `apart` 的形状。

# %%
import torch

guess = torch.tensor([[1.0], [2.0], [3.0], [4.0]], requires_grad=True)
target = torch.tensor([1.0, 2.0, 3.0, 4.0])
apart = guess - target
loss = (apart**2).mean()

# %% [markdown] question="choice" of="3 if pull[0] > 0 > pull[3] else 2 if pull.any() else 1" lang="en"
# {{ loss.item() }}, and no warning. `apart` has the shape {{ apart.shape }}: the column was broadcast against the
# row, and **every** guess compared with **every** target. Only the diagonal was meant.
#
# Now `mse_loss`, which at least warns (see the output), and a backward pass. An update goes *against* the gradient, the
# way of `pull`. Where will it move the four right guesses?
#
# 1. nowhere: they are right
# 2. all in one direction
# 3. towards each other

# %% [markdown] question="choice" of="3 if pull[0] > 0 > pull[3] else 2 if pull.any() else 1" lang="zh"
# 是 {{ loss.item() }}，而且一句警告也没有。`apart` 的形状是 {{ apart.shape }}：
# 一列和一行相减，发生了广播，于是**每个**预测都和**每个**目标比了一遍。本来想要的只是对角线上的差。
#
# 现在换成 `mse_loss`，它至少会警告（看输出），再反向传播一次。更新是*逆着*梯度走的，也就是 `pull` 的方向。
# 它会把这四个正确的预测移向哪里？
#
# 1. 不动，它们都是对的
# 2. 全都朝一个方向
# 3. 互相靠拢

# %%
loss = torch.nn.functional.mse_loss(guess, target)
loss.backward()
pull = -guess.grad

# %% [markdown] lang="en"
# `pull` is {{ pull.tolist() }}: the small guess is to grow, the large one to shrink. Compared with all targets at
# once, the best constant answer is their **mean**. So a model trained like this learns a flat line, and its loss
# stops somewhere above zero. Many have looked for that bug in the learning rate.
#
# `binary_cross_entropy` refuses with an error. Your own formula gives no warning. The fix is to make the shapes
# alike: `guess.squeeze(1)`, or `target.unsqueeze(1)`. A line `assert guess.shape == target.shape` in front pays off.
#
# Below is such a loss, computed one operation at a time, for a line that is exactly right. It should be 0. Step through
# the cell, and find the **first** name whose value is not what it should be. Press `e`, and type that name.

# %% [markdown] lang="zh"
# `pull` 是 {{ pull.tolist() }}：小的预测要变大，大的要变小。同时和所有目标比，最好的回答就是它们的**平均值**。
# 这样训练出来的模型学到的是一条水平线，损失降到某处就停住，到不了零。很多人以为是学习率的问题。
#
# `binary_cross_entropy` 会报错拒绝；自己写的公式则没有任何提示。改法是让两个形状一样：
# `guess.squeeze(1)`，或者 `target.unsqueeze(1)`。在前面加一行 `assert guess.shape == target.shape`，很值得。
#
# 下面一个运算一个运算地计算这样的损失，用的直线完全正确，损失本该是 0。一步步走过这个单元格，
# 找出**第一个**值不对的名字。按 `e`，输入这个名字。

# %%
x = torch.tensor([[0.0], [1.0], [2.0], [3.0]])
targets = torch.tensor([1.0, 3.0, 5.0, 7.0])
answers = 2 * x + 1
errors = answers - targets
squares = errors**2
cost = squares.mean()
print("of a line that is right:", cost.item())

# %% tags=["exercise"] id="flat-line" kind="value"
first = ...

# %% [markdown] tags=["hint"] lang="en"
# Four points have four errors, and all are 0 here. Where are there more than four numbers?

# %% [markdown] tags=["hint"] lang="zh"
# 四个点有四个误差，在这里都是 0。从哪里开始，数多于四个？

# %% [markdown] tags=["hint"] lang="en"
# Look at the shapes in the table, from above: [4, 1] and [4] are both fine by themselves. Where do they meet?

# %% [markdown] tags=["hint"] lang="zh"
# 从上往下看表里的形状：[4, 1] 和 [4] 本身都没有错，放到一起运算才出问题。

# %% tags=["solution"]
first = "errors"

# %% tags=["check"]
assert first is not ..., {"en": "Nothing is typed yet.", "zh": "还没有填。"}
assert first != "cost", {
    "en": "`cost` is where you notice it: 10 instead of 0. The numbers that it averages were wrong before.",
    "zh": "`cost` 是你发现问题的地方：得到 10，不是 0。它求平均的那些数早就不对了。",
}
assert first != "squares", {
    "en": "`squares` has 16 numbers, but it only squares what it was given, and that had 16 already.",
    "zh": "`squares` 有 16 个数，可它只是求平方，交给它的已经是 16 个数了。",
}
assert first not in ("answers", "x"), {
    "en": f"`{first}` is right: a column, one number for each point. What comes later does not expect a column.",
    "zh": f"`{first}` 没有错：一列，每个点一个数。是后面的运算没有料到它是一列。",
}
assert first != "targets", {
    "en": "`targets` is right: four numbers in a row. They meet a column later.",
    "zh": "`targets` 没有错：一行四个数。后来和一列相遇，才出了问题。",
}
assert first == "errors", {
    "en": f"It is not `{first}`: look for the first tensor with more than four numbers.",
    "zh": f"不是 `{first}`：找第一个多于四个数的张量。",
}
