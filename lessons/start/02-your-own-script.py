# ---
# jupyter:
#   gradtutor:
#     title: {en: "Your own script", zh: "你自己的脚本"}
#     summary:
#       en: "A training script of the usual kind: find its loss, first gradient and first update; then open yours."
#       zh: "常见写法的训练脚本：找到损失、第一个梯度和第一次参数更新，然后打开你自己的。"
#     order: 210
#     topics:
#       en: [script, argparse, training loop, notebook, record, keep]
#       zh: [脚本, argparse, 训练循环, 笔记本, record, keep]
# ---

# %% [markdown] front="screen" lang="en"
# `train.py` is an ordinary training script. The cell runs it as `python train.py --epochs 2` would. Find in it
# - the first **loss**: `/`, type `mse_loss`, `Enter`; then `Esc` and `→`
# - the first **gradient**: `Home`, `b`, then `→` node by node
# - the first **update**: `n` to `optimizer.step()`, then `→`
#
# `B` leads back by a pass, `'` to before a jump.

# %% [markdown] front="screen" lang="zh"
# `train.py` 是一个普通的训练脚本。这个单元格像 `python train.py --epochs 2` 那样运行它。在里面找到
# - 第一个**损失**：按 `/`，输入 `mse_loss`，按 `Enter`；再按 `Esc` 和 `→`
# - 第一个**梯度**：按 `Home`、`b`，再按 `→` 逐个节点地走
# - 第一次**参数更新**：按 `n` 走到 `optimizer.step()`，再按 `→`
#
# `B` 退回前一次反向传播，`'` 回到跳转之前的地方。

# %% [markdown] front="plain" lang="en"
# The file train dot py is an ordinary training script. The cell runs it as Python would, with two epochs. Find in it
# - the first loss: a slash and mse_loss find its line, Enter runs the operation
# - the first gradient: the number 1, then the letter b goes to the first backward pass, Enter goes on node by node
# - the first update: the letter n goes to the statement with optimizer dot step, Enter goes on parameter by parameter
#
# A capital B leads back by a pass, an apostrophe to where you were before a jump.

# %% [markdown] front="plain" lang="zh"
# train 点 py 这个文件是一个普通的训练脚本。这个单元格像 Python 那样运行它，训练两轮。在里面找到
# - 第一个损失：斜杠加上 mse_loss 找到它那一行，按回车运行这个运算
# - 第一个梯度：先输入 1 回到开头，再用字母 b 到第一次反向传播，按回车逐个节点地走
# - 第一次参数更新：用字母 n 走到 optimizer 点 step 那条语句，按回车逐个参数地走
#
# 大写的 B 退回前一次反向传播，撇号回到跳转之前的地方。

# %%
import torch
from own_script import train

losses = train.main(["--epochs", "2"])

# %% [markdown] lang="en"
# What did you find? Go back and look, as often as you like: a number that you type is your answer wherever you are.

# %% [markdown] lang="zh"
# 你找到了什么？可以随时走回去看：无论停在哪里，直接输入一个数就是作答。

# %% [markdown] question="predict" of="losses[0]" lang="en"
# What is the loss of the first iteration?

# %% [markdown] question="predict" of="losses[0]" lang="zh"
# 第一次迭代的损失是多少？

# %% [markdown] wrong="losses[-1]" lang="en"
# That is the loss of the last iteration. A search from the beginning comes to the first one.

# %% [markdown] wrong="losses[-1]" lang="zh"
# 那是最后一次迭代的损失。从开头查找，先找到的是第一次迭代的。

# %% [markdown] question="predict" of="model.output.bias.grad" lang="en"
# The first parameter that gets a gradient is `output.bias`. Which gradient does it get in the first backward pass?

# %% [markdown] question="predict" of="model.output.bias.grad" lang="zh"
# 最先得到梯度的参数是 `output.bias`。第一次反向传播中，它得到的梯度是多少？

# %% [markdown] wrong="torch.tensor(1.0)" lang="en"
# With 1 the pass begins, at the loss. From there it goes on to the parameters.

# %% [markdown] wrong="torch.tensor(1.0)" lang="zh"
# 1 是反向传播在损失处开始时的梯度，之后才传到各个参数。

# %% [markdown] question="predict" of="model.output.bias" lang="en"
# `output.bias` was 0 until then. What is it after the first `optimizer.step()`?

# %% [markdown] question="predict" of="model.output.bias" lang="zh"
# 在那之前 `output.bias` 是 0。第一次 `optimizer.step()` 之后它是多少？

# %% [markdown] wrong="-model.output.bias" lang="en"
# The other way: an update **subtracts** the learning rate times the gradient, and this gradient is negative.

# %% [markdown] wrong="-model.output.bias" lang="zh"
# 方向反了：更新是**减去**学习率乘梯度，而这个梯度是负的。

# %%
torch.manual_seed(0)
model = train.Net(width=4)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
x, target = train.make_data()[:8]
loss = torch.nn.functional.mse_loss(model(x), target)
loss.backward()
optimizer.step()

# %% [markdown] front="screen" lang="en"
# This is the first iteration once more, alone, with the same numbers. Loss, gradients and update are where to look
# first in any training.
#
# Now without a lesson around it: `O` opens a file, and the path of `train.py` is there already. Put `--epochs 3`
# after it, or type the path of a script of yours, then `Enter`. `Esc` leads back to here.
#
# In the shell:
# - `gradtutor open train.py --lr 0.1` opens a script; all that follows it is the script's. `open -m pkg.train` opens
#   a module, `open lab.ipynb` a notebook
# - `gradtutor record train.py` keeps the run in `train.trace`; `gradtutor view train.trace` walks through it, without
#   PyTorch too
# - for long runs `--keep 0-2,every:100,last:3` says which iterations are recorded. The others run at full speed

# %% [markdown] front="screen" lang="zh"
# 这就是单独再做一遍的第一次迭代，数值都一样。无论什么训练，都先看损失、梯度和参数更新。
#
# 现在离开课文，自己来：按 `O` 打开文件，`train.py` 的路径已经填好了。在后面加上 `--epochs 3`，或者换成你自己脚本的
# 路径，再按 `Enter`。`Esc` 回到这里。
#
# 在 shell 里：
# - `gradtutor open train.py --lr 0.1` 打开一个脚本，脚本名之后的都是脚本自己的参数。`open -m pkg.train` 打开模块，
#   `open lab.ipynb` 打开笔记本
# - `gradtutor record train.py` 把这次运行记录在 `train.trace` 里；`gradtutor view train.trace` 可以逐步查看它，
#   没有 PyTorch 也行
# - 训练很久的话，用 `--keep 0-2,every:100,last:3` 指定记录哪些迭代，其余的全速运行

# %% [markdown] front="plain" lang="en"
# This is the first iteration once more, alone, with the same numbers. Loss, gradients and update are where to look
# first in any training.
#
# And yours? In the shell, gradtutor open, the option plain and the name of a script open it; all that follows the
# name is the script's. Notebooks open too, and with the option m the name of a module. To keep a run, say record in
# place of open; gradtutor view walks through what was kept, without PyTorch too. For long runs the option keep says
# which iterations are recorded.

# %% [markdown] front="plain" lang="zh"
# 这就是单独再做一遍的第一次迭代，数值都一样。无论什么训练，都先看损失、梯度和参数更新。
#
# 你自己的脚本呢？在 shell 里输入 gradtutor open、选项 plain 和脚本的名字就能打开它，名字之后的都是脚本自己的参数。
# 笔记本也能打开，加上选项 m 还能打开模块。要保存一次运行，把 open 换成 record；gradtutor view 可以逐步查看记录，
# 没有 PyTorch 也行。训练很久的话，用选项 keep 指定记录哪些迭代。
