# ---
# jupyter:
#   gradtutor:
#     title: {en: "First look", zh: "先看一眼"}
#     summary:
#       en: "A two-minute tour: one tensor, one product, one backward pass, and how to walk through them."
#       zh: "两分钟导览：一个张量、一次乘法、一次反向传播，以及怎样一步步走过它们。"
# ---

# %% [markdown] lang="en"
# Welcome. The code on this screen is real PyTorch. It runs by itself, and everything that it does is recorded. What
# you walk through is the recording, at your own pace.
#
# Press `→` to take one step, and `←` to take it back. The mark `▶` in the code shows the statement that you are at.
#
# We begin with a **tensor**, PyTorch's box for numbers. This one holds a single number. With `requires_grad=True` we
# ask PyTorch to remember whatever is computed from it.

# %% [markdown] lang="zh"
# 欢迎。屏幕上的代码是真正的 PyTorch，它自己运行，做的每一件事都录了下来。
# 你走过的就是这份录像，快慢由你。
#
# 按 `→` 走一步，按 `←` 退一步。代码里的 `▶` 标出你现在停在哪一句。
#
# 先从**张量**（tensor）说起：它是 PyTorch 用来装数的盒子，这一个只装了一个数。
# 写上 `requires_grad=True`，就是请 PyTorch 记住由它算出来的一切。

# %%
import torch

x = torch.tensor(2.5, requires_grad=True)

# %% [markdown] lang="en"
# `x` now stands in two panes. **tensors** is a table: what each tensor holds, and what PyTorch knows about it.
# **graph** shows how things were computed; so far it has only `x`, marked `■` as a *leaf*, a tensor that no operation
# made.
#
# Next, a product. Where a line does several things, `→` stops at each one. `n` takes the whole line at once, and `p`
# goes back a line.

# %% [markdown] lang="zh"
# 现在有两个窗格里能看到 `x`。**张量**窗格是一张表：每个张量装着什么，PyTorch 对它知道些什么。
# **计算图**窗格画的是东西怎样算出来；眼下只有 `x`，标着 `■`，
# 意思是*叶子节点*：没有哪个运算产生它，它是你直接造出来的。
#
# 接下来做一次乘法。一行里若有好几件事，`→` 会在每一件上停一下；
# `n` 一次走完整行，`p` 退回上一行。

# %%
y = x * 4

# %% [markdown] question="predict" of="x.grad" lang="en"
# The graph has grown: a multiplication `●` made `y` from `x`, and `y` remembers that.
#
# Now comes PyTorch's best trick. `y.backward()` asks: if `x` moves by a little, by how many times as much does `y`
# move? The answer is called a **gradient**, and it is put into `x.grad`.
#
# What will `x.grad` hold? Type a number and press `Enter`, or press `s` to skip the question.

# %% [markdown] question="predict" of="x.grad" lang="zh"
# 图长大了：一个乘法 `●` 用 `x` 算出了 `y`，而 `y` 记得这件事。
#
# 下面是 PyTorch 最拿手的一招。`y.backward()` 问的是：`x` 动一点点，`y` 会动它的多少倍？
# 这个倍数叫作**梯度**，存进 `x.grad`。
#
# `x.grad` 会是多少？输入一个数，按 `Enter`；不想答就按 `s` 跳过。

# %%
y.backward()

# %% [markdown] lang="en"
# The pass went through the graph from the end to the beginning, and left {{ x.grad.item() }} in `x.grad`. Look for
# the `∇`. It is the factor in our product: nudge `x`, and `y` moves that many times as far. If you thought of the
# value of `y`: a gradient does not say how large `y` is, only how fast it moves.
#
# **Now step back.** Press `←` until the gradient is gone, then `→` to see it arrive again. No Python can run
# backward like that; a recording can.
#
# The rest of the tour:
# - `]` and `[` go to the next cell and the one before.
# - `b` goes straight to the backward pass.
# - `Tab` goes from pane to pane, and `z` makes one large, and small again.
# - `Enter`, on a row of a table, shows everything about that tensor.
# - `?` shows all the keys, `Esc` takes you back, and `q` quits.
#
# That is all you need. The next lessons say what the columns of the table mean.

# %% [markdown] lang="zh"
# 这一趟从图的末尾走回开头，在 `x.grad` 里留下了 {{ x.grad.item() }}，标着 `∇` 的就是。
# 它正是乘法里的那个倍数：`x` 动一点，`y` 动它的这么多倍。
# 如果你答的是 `y` 的值：梯度不管 `y` 有多大，只管它变得多快。
#
# **现在往回走。** 按 `←`，直到梯度消失，再按 `→`，看它重新到来。
# Python 没法这样倒着运行，录像可以。
#
# 导览的其余部分：
# - `]` 和 `[`：下一个、上一个单元。
# - `b`：直接去反向传播。
# - `Tab`：换一个窗格；`z`：放大，再按一次还原。
# - `Enter`：在表格的一行上，看这个张量的一切。
# - `?`：所有按键；`Esc`：返回；`q`：退出。
#
# 知道这些就够了。后面几课会讲表里每一列的意思。
