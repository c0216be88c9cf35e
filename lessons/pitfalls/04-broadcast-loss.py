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

# %% [markdown] question="predict" of="loss" lang="en"
# A layer with one output gives one column: four samples make the shape `(4, 1)`. The targets were read from a file as a
# plain list, of shape `(4,)`.
#
# In the next cell every guess is exactly right. What will the loss be?

# %% [markdown] question="predict" of="loss" lang="zh"
# 只有一个输出的层，给出的是一列：四个样本，形状就是 `(4, 1)`。目标值是从文件里读来的一个普通列表，形状是 `(4,)`。
#
# 下一个单元格里，每个预测都完全正确。损失会是多少？

# %% [markdown] wrong="0.0" lang="en"
# So it would be if each guess met its own target. Look at the shape of `apart`.

# %% [markdown] wrong="0.0" lang="zh"
# 每个猜测只与自己的目标相比才会这样。看看 `apart` 的形状。

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
# Fix this hand-written loss, for a column of answers and a plain row of targets. Press `e`.

# %% [markdown] lang="zh"
# `pull` 是 {{ pull.tolist() }}：小的预测要变大，大的要变小。同时和所有目标比，最好的回答就是它们的**平均值**。
# 这样训练出来的模型学到的是一条水平线，损失降到某处就停住，到不了零。很多人以为是学习率的问题。
#
# `binary_cross_entropy` 会报错拒绝；自己写的公式则没有任何提示。改法是让两个形状一样：
# `guess.squeeze(1)`，或者 `target.unsqueeze(1)`。在前面加一行 `assert guess.shape == target.shape`，很值得。
#
# 下面这个自己写的损失，收的是一列答案和一行普通的目标。把它改好。按 `e`。


# %% tags=["exercise"] id="flat-line" kind="bug"
def cost(answers, targets):
    return ((answers - targets) ** 2).mean()


x = torch.tensor([[0.0], [1.0], [2.0], [3.0]])
targets = torch.tensor([1.0, 3.0, 5.0, 7.0])
print("of a line that is right:", cost(2 * x + 1, targets).item())

# %% [markdown] tags=["hint"] lang="en"
# What is the shape of `answers - targets`, and what should it be?

# %% [markdown] tags=["hint"] lang="zh"
# `answers - targets` 的形状是什么？应该是什么？

# %% [markdown] tags=["hint"] lang="en"
# `answers.squeeze(1)` takes the dimension of size one away, and leaves four numbers to subtract from.

# %% [markdown] tags=["hint"] lang="zh"
# `answers.squeeze(1)` 去掉大小为一的那一维，剩下四个数，再相减。


# %% tags=["solution"]
def cost(answers, targets):
    return ((answers.squeeze(1) - targets) ** 2).mean()


x = torch.tensor([[0.0], [1.0], [2.0], [3.0]])
targets = torch.tensor([1.0, 3.0, 5.0, 7.0])
print("of a line that is right:", cost(2 * x + 1, targets).item())

# %% tags=["check"]
column = torch.tensor([[1.0], [2.0], [6.0]])
row = torch.tensor([1.0, 4.0, 6.0])
given = cost(column, row)
assert isinstance(given, torch.Tensor), {
    "en": "`cost` should give a tensor.",
    "zh": "`cost` 应当给出一个张量。",
}
assert given.numel() == 1, {
    "en": f"`cost` should give a single number, and gives {given.numel()}.",
    "zh": f"`cost` 应当只给一个数，现在给了 {given.numel()} 个。",
}
found = given.item()
assert abs(found - ((column - row) ** 2).mean()) > 1e-4, {
    "en": f"For {column.tolist()} and {row.tolist()} the cost is {found:g}: still all against all, nine differences.",
    "zh": f"对 {column.tolist()} 和 {row.tolist()}，损失是 {found:g}：还是每个对所有，一共九个差。",
}
assert abs(found - 4) > 1e-4, {
    "en": "The cost is 4 where it should be 4/3: you take the sum of the squares, not their mean.",
    "zh": "应当是 4/3 的地方得到 4：你取的是平方的和，不是平均。",
}
assert abs(found - 4 / 3) < 1e-4, {
    "en": (
        f"For {column.tolist()} and {row.tolist()} only one guess is wrong, by 2: "
        f"that makes {4 / 3:g}, and you have {found:g}."
    ),
    "zh": (
        f"对 {column.tolist()} 和 {row.tolist()}，只有一个答案不对，差 2：应当得到 {4 / 3:g}，你得到的是 {found:g}。"
    ),
}
