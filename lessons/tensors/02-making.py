# ---
# jupyter:
#   gradtutor:
#     title: {en: "Making tensors", zh: "创建张量"}
#     summary:
#       en: "From a list, filled with one number, shaped like another: and which type of number comes out."
#       zh: "从列表来，用一个数填满，照别的张量的样子：各自得到的是哪种类型的数。"
# ---

# %% [markdown] question="predict" of="a.dtype == b.dtype" lang="en"
# A tensor is a block of numbers that are all of **one type**, its `dtype`. Often you do not name the type, and
# PyTorch picks it for you. Half of the surprises with new tensors come from that choice.
#
# Two spellings look alike. `torch.tensor` is a function: it looks at your numbers and takes their type.
# `torch.Tensor` is the class itself; as a way to make tensors it is an old habit, and it asks nobody.
#
# Both get the same list of whole numbers. Will both tensors have the same type? Answer `True` or `False`.

# %% [markdown] question="predict" of="a.dtype == b.dtype" lang="zh"
# 张量是一块数，里面的数都是**同一种类型**，叫作它的 `dtype`。
# 你往往不写类型，由 PyTorch 替你选；新张量带来的意外，一半出在这里。
#
# 有两种写法长得很像。`torch.tensor` 是函数：看你给的是什么数，就用什么类型。
# `torch.Tensor` 是类本身；拿它来造张量是老习惯，它谁也不问。
#
# 两边给的是同一个整数列表。得到的两个张量类型相同吗？回答 `True` 或 `False`。

# %%
import torch

a = torch.tensor([1, 2])
b = torch.Tensor([1, 2])

# %% [markdown] question="choice" of="[t.dtype for t in (zeros, ones, sevens, halves)].index(a.dtype) + 1" lang="en"
# `a` has type `{{ a.dtype }}`: whole numbers in, whole numbers out. `b` has `{{ b.dtype }}`, since `torch.Tensor`
# always makes that. Only floating-point tensors can have gradients, so the difference matters. Write `torch.tensor`,
# and `1.0` where you mean a floating-point number.
#
# Often you know the shape and want it filled. One of the next tensors gets the type of `a`, the others that of `b`.
# Which one? Type its number.
#
# 1. `zeros`
# 2. `ones`, made like `zeros`
# 3. `sevens`
# 4. `halves`

# %% [markdown] question="choice" of="[t.dtype for t in (zeros, ones, sevens, halves)].index(a.dtype) + 1" lang="zh"
# `a` 的类型是 `{{ a.dtype }}`：给整数，得整数。`b` 是 `{{ b.dtype }}`，因为 `torch.Tensor` 总是造这一种。
# 只有浮点张量才能有梯度，所以这个差别要紧。请写 `torch.tensor`，想要浮点数就写 `1.0`。
#
# 很多时候，你知道形状，只想把它填满。下面的张量里，有一个的类型和 `a` 一样，其余的和 `b` 一样。
# 是哪一个？输入它的编号。
#
# 1. `zeros`
# 2. `ones`，照着 `zeros` 造的
# 3. `sevens`
# 4. `halves`

# %%
zeros = torch.zeros(2, 3)
ones = torch.ones_like(zeros)
sevens = torch.full((2, 3), 7)
halves = torch.full((2, 3), 0.5)
identity = torch.eye(3)

# %% [markdown] question="predict" of="result is target" lang="en"
# `zeros` and `eye` make floating-point numbers unless told otherwise, and every `…_like` copies shape and type from
# the tensor that you show it. `full` does as `torch.tensor` does: a whole `7` gave `{{ sevens.dtype }}`.
#
# `torch.empty` only takes memory. What it holds is **whatever was there before**, until something is written.
#
# And one can make no tensor at all, but write into one that is there: `out=`. Below, `target` starts with no elements,
# of type `float64`. Will `result` be the very same object as `target`? Answer `True` or `False`.

# %% [markdown] question="predict" of="result is target" lang="zh"
# 不另外说明，`zeros` 和 `eye` 造的是浮点数；`…_like` 照抄你给它看的那个张量的形状和类型。
# `full` 却和 `torch.tensor` 一样：给的 `7` 是整数，得到的就是 `{{ sevens.dtype }}`。
#
# `torch.empty` 只要来内存，里面是**以前留下的东西**，直到有人写入为止。
#
# 还可以不造新张量，而是写进已有的一个：`out=`。下面的 `target` 起初一个元素也没有，类型是 `float64`。
# `result` 和 `target` 会是同一个对象吗？回答 `True` 或 `False`。

# %%
room = torch.empty(2, 3)
room.fill_(0.25)

target = torch.empty(0, dtype=torch.float64)
result = torch.ones(2, 3, out=target)
print(result.shape, result.dtype)

# %% [markdown] lang="en"
# The same object: `ones` **resized** it to {{ target.shape }} and wrote into it. The type stayed as it was,
# `{{ target.dtype }}`.
#
# Now you. Each of four pupils starts with 7 points, and then the first gets half a point more. The half point never
# arrives, and nothing complains. Walk through the cell and watch the table: where is it lost? Press `e` and mend the
# line that is to blame.

# %% [markdown] lang="zh"
# 是同一个对象：`ones` 把它**改成**了 {{ target.shape }} 的大小，再写进去。类型没有变，还是 `{{ target.dtype }}`。
#
# 轮到你了。四个学生先各得 7 分，然后第一个再加半分。可这半分始终没有加上，也没有谁报错。
# 走一遍这个单元，看着表格：它丢在哪里？按 `e`，改好出错的那一行。

# %% tags=["exercise"] id="half-a-point" kind="bug"
scores = torch.full((4,), 7)
scores[0] = 7.5

# %% [markdown] tags=["hint"] lang="en"
# Look at the `dtype` column of `scores`. Can a tensor of that type hold a half?

# %% [markdown] tags=["hint"] lang="zh"
# 看 `scores` 的 `dtype` 那一列。这种类型的张量装得下半分吗？

# %% [markdown] tags=["hint"] lang="en"
# `full` takes the type of the number that you give it. Give it a floating-point number, or say `dtype=`.

# %% [markdown] tags=["hint"] lang="zh"
# `full` 用的是你给它的那个数的类型。给它一个浮点数，或者写明 `dtype=`。

# %% tags=["solution"]
scores = torch.full((4,), 7.0)
scores[0] = 7.5

# %% tags=["check"]
kind = scores.dtype
assert kind.is_floating_point, (
    f"scores is still {kind}, and a tensor of whole numbers drops what follows the point."
    " Look at the line that makes it, not at the one that writes into it."
)
found = scores.tolist()
assert len(found) == 4, f"There are 4 pupils, but scores holds {len(found)} numbers."
assert found[0] == 7.5, f"The first pupil should have 7.5 points, but has {found[0]}."
assert found[1:] == [7, 7, 7], f"The others should still have 7 points, but have {found[1:]}."
