# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "Who requires grad"
#       zh: "谁需要梯度"
#     summary:
#       en: "You mark a few tensors; which results are then followed? Three ways to compute without leaving a record."
#       zh: "你只标记少数张量，哪些结果会被跟踪？不留记录的三种计算方式。"
#     topics:
#       en: [requires_grad, no_grad, detach, inference_mode]
#       zh: [requires_grad, no_grad, detach, inference_mode]
# ---

# %% [markdown] question="choice" of="[4, 2, 3, 1][mixed.requires_grad + 2 * plain.requires_grad]" lang="en"
# To follow every tensor of a program would be a waste. You mark a few with `requires_grad=True`, and for all that is
# computed from them PyTorch decides by a rule.
#
# In the next cell `w` is marked and `c` is not, and two new tensors are computed. Which of them will require grad?
#
# 1. both
# 2. only `mixed`, which is `w * c`
# 3. only `plain`, which is `c + c`
# 4. neither, since neither of them is marked

# %% [markdown] question="choice" of="[4, 2, 3, 1][mixed.requires_grad + 2 * plain.requires_grad]" lang="zh"
# 程序里的每个张量都跟踪，太浪费了。你用 `requires_grad=True` 标记少数几个，
# 由它们算出来的张量，PyTorch 按一条规则来决定。
#
# 下一个单元格里，`w` 有标记，`c` 没有，再由它们算出两个新张量。其中哪些会需要梯度？
#
# 1. 两个都需要
# 2. 只有 `mixed`，也就是 `w * c`
# 3. 只有 `plain`，也就是 `c + c`
# 4. 都不需要，因为它们自己没有标记

# %% [markdown] question="predict" of="plain.is_leaf" lang="en"
# And a question for careful readers: `plain` comes out of an addition. Will `plain.is_leaf` be `True` or `False`?

# %% [markdown] question="predict" of="plain.is_leaf" lang="zh"
# 再看一个细节：`plain` 是加法算出来的。`plain.is_leaf` 会是 `True` 还是 `False`？

# %%
import torch

w = torch.tensor([2.0], requires_grad=True)
c = torch.tensor([3.0])
mixed = w * c
plain = c + c

# %% [markdown] question="predict" of="w.grad" vary="w: [3, 1]; c: [5, 4]" lang="en"
# A result requires grad if **any** of its inputs does. In `c + c` none does, so nothing is recorded, and
# `plain.is_leaf` is {{ plain.is_leaf }}: a leaf need not be made by hand, it only has **no recorded operation**.
#
# There are three ways to use `w` and leave no record. Under `torch.no_grad()` nothing is recorded. `detach()` gives the
# value without its history. `torch.inference_mode()` is a stricter, slightly faster `no_grad`.
#
# The next cell has all three. Then it multiplies `w` by `cut`, which was computed from `w`. What will `w.grad` hold?

# %% [markdown] question="predict" of="w.grad" vary="w: [3, 1]; c: [5, 4]" lang="zh"
# 只要有**任何一个**输入需要梯度，结果就需要梯度。`c + c` 里一个也没有，所以什么也不记录，
# `plain.is_leaf` 是 {{ plain.is_leaf }}：叶子节点不一定是亲手创建的，只要**没有记录下运算**就算。
#
# 有三种办法，用了 `w` 却不留记录。在 `torch.no_grad()` 之下什么都不记录；
# `detach()` 只给出张量的值，不带历史；`torch.inference_mode()` 和 `no_grad` 相似，快一点，也更严格。
#
# 下一个单元格三种都用到了。然后它拿 `w` 去乘 `cut`，而 `cut` 正是由 `w` 算出来的。`w.grad` 会是多少？

# %% [markdown] wrong="2 * w.grad" lang="en"
# That would be the derivative with both paths recorded. The one through `cut` is not.

# %% [markdown] wrong="2 * w.grad" lang="zh"
# 那是两条路都有记录时的导数。经过 `cut` 的那条没有记录。

# %% [markdown] wrong="None" lang="en"
# `y` does require grad: one of its factors is `w` itself, and that path is recorded.

# %% [markdown] wrong="None" lang="zh"
# `y` 是需要梯度的：它的一个因子就是 `w`，这条路有记录。

# %%
with torch.no_grad():
    quiet = w * c
cut = (w * c).detach()
with torch.inference_mode():
    fast = w * c

y = w * cut
y.backward()

# %% [markdown] question="choice" of="1 if late is not None else 2" lang="en"
# It is {{ w.grad.item() }}. `cut` does depend on `w`, but autograd cannot see it: there is no edge back from `cut`.
# To autograd it is a plain number.
#
# The three results look alike in the table; none requires grad. Now we use two of them later, outside of the blocks.
# `w * quiet` will work. And the line after it, `w * fast`?
#
# 1. it works too
# 2. it fails

# %% [markdown] question="choice" of="1 if late is not None else 2" lang="zh"
# 是 {{ w.grad.item() }}。`cut` 确实依赖 `w`，可是 autograd 看不见：从 `cut` 往回没有边。
# 在它看来，`cut` 就是个普通的数。
#
# 三个结果在表里看上去一样，都不需要梯度。现在我们在那些代码块之外，再用其中的两个。
# `w * quiet` 没问题。它后面那一行的 `w * fast` 呢？
#
# 1. 也没问题
# 2. 出错

# %%
late = None
try:
    again = w * quiet
    late = w * fast
except RuntimeError as error:
    print(str(error).split(". ")[0])

# %% [markdown] lang="en"
# A product saves its factors for the backward pass, and a tensor from `inference_mode` may not be saved: it keeps no
# count of its changes, which is what makes it cheap. One from `no_grad` is an ordinary tensor, and may. So take
# `inference_mode` where a finished model only answers, and `no_grad` where results go on into training.
#
# In older code you will see `w.data` for `w.detach()`, and `Variable(x, volatile=True)` for `no_grad`. The first hides
# later changes from autograd; the second still runs, but `volatile` only gives a warning: it has no effect any more.

# %% [markdown] lang="zh"
# 乘法要把因子存起来留给反向传播，而出自 `inference_mode` 的张量不许存：
# 它不记录自己改过几次，所以才省。出自 `no_grad` 的则是普通张量，可以存。
# 所以，训练好的模型只用来回答时用 `inference_mode`，结果还要回到训练里去时用 `no_grad`。
#
# 在旧代码里你会看到用 `w.data` 代替 `w.detach()`，用 `Variable(x, volatile=True)` 代替 `no_grad`。
# 前者之后的改动，autograd 看不到；后者还能运行，但 `volatile` 已经不起作用，只会引出一条警告。
