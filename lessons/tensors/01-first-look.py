# ---
# jupyter:
#   gradtutor:
#     title: {en: "First look", zh: "先看一眼"}
#     summary:
#       en: "Two minutes: one tensor, one product, one backward pass, forward and back again."
#       zh: "两分钟：一个张量、一次乘法、一次反向传播，走过去，再退回来。"
#     order: 10
#     topics:
#       en: [requires_grad, backward, gradient]
#       zh: [requires_grad, backward, 梯度]
# ---

# %% [markdown] lang="en"
# Welcome. This is real PyTorch code. It ran, and all that it did was recorded. You walk through the recording, at
# your own pace.

# %% [markdown] lang="zh"
# 欢迎。这是真正的 PyTorch 代码。它已经运行过一遍，做的每一件事都记录了下来；你走的就是这份**运行记录**，快慢由你。

# %% [markdown] front="screen" lang="en"
# `→` takes a step, `←` takes it back, and `▶` marks the line that you are at. `↓` shows more of a text like this one.

# %% [markdown] front="screen" lang="zh"
# `→` 走一步，`←` 退一步，`▶` 标出你停在哪一行。这样的文字没显示完，就按 `↓`。

# %% [markdown] front="plain" lang="en"
# Enter takes a step: you hear what ran, what came of it, and which line runs next. The letter h, then Enter, takes the
# step back.

# %% [markdown] front="plain" lang="zh"
# 按回车走一步：你会听到刚才运行了什么、结果是什么、接下来是哪一行。输入字母 h 再按回车，就退一步。

# %% [markdown] lang="en"
# We begin with a **tensor**, PyTorch's box for numbers. This one holds a single number. `requires_grad=True` asks
# PyTorch to remember whatever is computed from it.

# %% [markdown] lang="zh"
# 先从**张量**（tensor）说起：它是由数值组成的数组，这一个只有一个数。
# 设置 `requires_grad=True`，PyTorch 就会记录它参与的所有计算。

# %%
import torch

x = torch.tensor(2.5, requires_grad=True)

# %% [markdown] front="screen" lang="en"
# You now see `x` in two panes. **tensors** is a table of what each tensor holds, and what PyTorch knows about it. Its
# mark `■` says that `x` is a *leaf*: PyTorch has recorded no operation that made it. **graph** shows how things were
# computed. So far it has only `x`.
#
# Next, a product. Where a line does several things, `→` stops at each one. `n` takes the whole line at once, and `p`
# goes back a line.

# %% [markdown] front="screen" lang="zh"
# 现在有两个窗格里能看到 `x`。**张量**窗格是一张表：每个张量的值，以及 PyTorch 掌握的其他信息。
# 表里的 `■` 表示 `x` 是**叶子节点**：PyTorch 没有记录过产生它的运算。
# **计算图**窗格画出每个张量是怎样算出来的，目前只有 `x`。
#
# 接下来做一次乘法。一行若包含多个运算，`→` 会在每个运算上停一下；
# `n` 一次走完整行，`p` 退回上一行。

# %% [markdown] front="plain" lang="en"
# `x` is now a tensor, and a *leaf*: PyTorch has recorded no operation that made it. Type the word show at any step to
# hear what each tensor holds, what PyTorch knows about it, and the graph of how things were computed. So far the graph
# has only `x`.
#
# Next, a product. Where a line does several things, Enter stops at each one. The letter n takes the whole line at
# once, and p goes back a line.

# %% [markdown] front="plain" lang="zh"
# `x` 现在是一个张量，而且是**叶子节点**：PyTorch 没有记录过产生它的运算。在任何一步输入 show，
# 就能听到每个张量装着什么、PyTorch 知道它些什么，以及各个张量是怎样算出来的，也就是计算图。图里目前只有 `x`。
#
# 接下来做一次乘法。一行若包含多个运算，按回车会在每个运算上停一下；字母 n 一次走完整行，p 退回上一行。

# %%
y = x * 4

# %% [markdown] question="predict" of="x.grad" vary="y: [3, 7]" lang="en"
# The graph has grown: a multiplication, `mul`, made `y` from `x`, and `y` remembers that.
#
# Now comes PyTorch's best trick. `y.backward()` asks: if `x` moves by a little, by how many times as much does `y`
# move? The answer is the **derivative** of `y`. PyTorch calls it a **gradient**, and puts it into `x.grad`.
#
# What will `x.grad` hold? Type a number and press `Enter`, or press `s` to skip the question.

# %% [markdown] question="predict" of="x.grad" vary="y: [3, 7]" lang="zh"
# 图中多了一个节点：乘法 `mul` 由 `x` 算出了 `y`，`y` 记录了自己的来历。
#
# 接下来是**自动求导**。`y.backward()` 要回答的是：`x` 变化一点点，`y` 的变化是它的多少倍？
# 这个倍数是 `y` 对 `x` 的**导数**，PyTorch 称之为**梯度**，存进 `x.grad`。
#
# `x.grad` 会是多少？输入一个数，按 `Enter`；不想答就按 `s` 跳过。

# %% [markdown] wrong="y" lang="en"
# That is the value of `y`. A gradient says how fast `y` moves, not how large it is.

# %% [markdown] wrong="y" lang="zh"
# 那是 `y` 的值。梯度表示 `y` 变化得多快，不是它有多大。

# %% [markdown] wrong="x" lang="en"
# That is the value of `x`. `y` moves {{ x.grad.item() }} times as far as `x` does, wherever `x` is.

# %% [markdown] wrong="x" lang="zh"
# 那是 `x` 的值。无论 `x` 取什么值，`y` 的变化都是它的 {{ x.grad.item() }} 倍。

# %%
y.backward()

# %% [markdown] front="screen" lang="en"
# The backward pass went through the graph from the end to the beginning and left {{ x.grad.item() }} in `x.grad`,
# marked `∇`: nudge `x`, and `y` moves that many times as far.
#
# **Now step back.** Press `←` until the gradient is gone, then `→` to see it come again. No Python can run backward
# like that; a recording can.
#
# Two more keys: `b` goes to the next backward pass, `B` to the one before. `?` lists all of them.

# %% [markdown] front="screen" lang="zh"
# 反向传播从图的末尾走回开头，在 `x.grad` 里留下了 {{ x.grad.item() }}，标着 `∇`：`x` 变化一点，
# `y` 的变化就是它的这么多倍。
#
# **现在往回走。** 按 `←`，直到梯度消失，再按 `→`，看它重新出现。
# Python 没法这样倒着运行，运行记录可以。
#
# 还有两个按键：`b` 到下一次反向传播，`B` 到上一次。`?` 列出所有按键。

# %% [markdown] front="plain" lang="en"
# The backward pass went through the graph from the end to the beginning and left {{ x.grad.item() }} in `x.grad`: nudge
# `x`, and `y` moves that many times as far.
#
# **Now step back.** Type h until the gradient is gone, then press Enter to have it come again. No Python can run
# backward like that; a recording can.
#
# Two more commands: b goes to the next backward pass, a capital B to the one before. help lists all of them.

# %% [markdown] front="plain" lang="zh"
# 反向传播从图的末尾走回开头，在 `x.grad` 里留下了 {{ x.grad.item() }}：`x` 变化一点，`y` 的变化就是它的这么多倍。
#
# **现在往回走。** 输入 h 退回去，直到梯度消失，再按回车，让它重新出现。Python 没法这样倒着运行，运行记录可以。
#
# 还有两个命令：b 走到下一次反向传播，大写的 B 走到上一次。help 列出所有命令。
