# ---
# jupyter:
#   gradtutor:
#     title: {en: "Making tensors", zh: "创建张量"}
#     summary:
#       en: "From a list, filled with one number, shaped like another: and which type of number comes out."
#       zh: "由列表创建，用一个数填满，沿用别的张量的形状：各得到哪种类型的数。"
#     order: 30
#     topics:
#       en: [torch.tensor, zeros, full, eye, empty, "out=", dtype]
#       zh: [torch.tensor, zeros, full, eye, empty, "out=", dtype]
# ---

# %% [markdown] question="predict" of="a.dtype == b.dtype" lang="en"
# A tensor is a block of numbers of **one type**, its `dtype`. Often PyTorch picks the type for you, and half of the
# surprises come from that.
#
# `torch.tensor` is a function that looks at your numbers. `torch.Tensor` is the class itself; making tensors with it
# is an old habit, and it does not look.
#
# Both get the same whole numbers. Will both tensors have the same type? Answer `True` or `False`.

# %% [markdown] question="predict" of="a.dtype == b.dtype" lang="zh"
# 张量由一组数组成，它们都是**同一种类型**，叫作它的 `dtype`。
# 类型往往由 PyTorch 自动选定，初学者遇到的意外有一半出在这里。
#
# `torch.tensor` 是函数，会看你给的是什么数。
# `torch.Tensor` 是类本身，用它创建张量是旧习惯，它不管你给的是什么数。
#
# 两边给的是同样的整数。两个张量的类型相同吗？回答 `True` 或 `False`。

# %%
import torch

a = torch.tensor([1, 2])
b = torch.Tensor([1, 2])

# %% [markdown] question="choice" of="[t.dtype for t in (zeros, ones, sevens, halves)].index(a.dtype) + 1" lang="en"
# `a` is {{ a.dtype }}: whole numbers in, whole numbers out. `b` is {{ b.dtype }}, as always from `torch.Tensor`. Only
# floating-point tensors can have gradients, so write `1.0` where you mean one.
#
# One of the next tensors gets the type of `a`, the others that of `b`. Which one?
#
# 1. `zeros = torch.zeros(2, 3)`
# 2. `ones = torch.ones_like(zeros)`
# 3. `sevens = torch.full((2, 3), 7)`
# 4. `halves = torch.full((2, 3), 0.5)`

# %% [markdown] question="choice" of="[t.dtype for t in (zeros, ones, sevens, halves)].index(a.dtype) + 1" lang="zh"
# `a` 是 {{ a.dtype }}：给整数，得整数。`b` 是 {{ b.dtype }}，`torch.Tensor` 总是创建这一种。
# 只有浮点张量才能有梯度，所以想要浮点数就写 `1.0`。
#
# 下面的张量里，有一个的类型和 `a` 一样，其余的和 `b` 一样。是哪一个？
#
# 1. `zeros = torch.zeros(2, 3)`
# 2. `ones = torch.ones_like(zeros)`
# 3. `sevens = torch.full((2, 3), 7)`
# 4. `halves = torch.full((2, 3), 0.5)`

# %%
zeros = torch.zeros(2, 3)
ones = torch.ones_like(zeros)
sevens = torch.full((2, 3), 7)
halves = torch.full((2, 3), 0.5)
like = torch.full_like(zeros, 7)
identity = torch.eye(3)
wide = torch.eye(2, 3)

# %% [markdown] question="predict" of="result is target" lang="en"
# It is `sevens`. Like `torch.tensor`, `full` takes the type of the number it gets, so a whole 7 makes
# {{ sevens.dtype }}. `zeros` and `eye` make floating-point numbers (`eye(2, 3)` is not square, and has its ones on the
# diagonal as far as that goes). `…_like` copies shape and type of its model, so `full_like(zeros, 7)`, here `like`, has
# the same 7s as {{ like.dtype }}.
#
# `empty` just allocates memory, with **whatever was in it before**. Here it has size 0 and dtype `float64`. Then
# `torch.ones(2, 3, out=target)` writes six ones into it.
#
# Will `result` be the very same object as `target`? `True` or `False`?

# %% [markdown] question="predict" of="result is target" lang="zh"
# 是 `sevens`。`full` 和 `torch.tensor` 一样，用的是所给的数的类型，整数 7 就得到 {{ sevens.dtype }}。
# `zeros` 和 `eye` 创建浮点数（`eye(2, 3)` 不是方阵，1 沿对角线排到头为止）。
# `…_like` 沿用所给张量的形状和类型，所以 `full_like(zeros, 7)`，也就是这里的 `like`，同样是 7，
# 类型却是 {{ like.dtype }}。
#
# `empty` 只分配内存，不初始化，里面是**原来残留的值**；这里分配的大小是 0，类型是 `float64`。
# 接着 `torch.ones(2, 3, out=target)` 把六个 1 写进 `target`。
#
# `result` 和 `target` 会是同一个对象吗？`True` 还是 `False`？

# %%
target = torch.empty(0, dtype=torch.float64)
result = torch.ones(2, 3, out=target)
print(result.shape, result.dtype)

# %% [markdown] lang="en"
# The same object: `out=` makes nothing new. `ones` **resized** it to {{ target.shape }} and wrote into it, but the type
# stayed {{ target.dtype }}.
#
# Now you. Each of four pupils starts with 7 points, and the first then gets half a point more. The half never
# arrives, and nothing complains. Walk through and watch the table: where is it lost? Press `e` and fix the line.

# %% [markdown] lang="zh"
# 是同一个对象：`out=` 不创建新的。`ones` 把它**改成**了 {{ target.shape }} 的大小，再写进去；
# 类型没有变，还是 {{ target.dtype }}。
#
# 轮到你了。四个学生先各得 7 分，然后第一个再加半分。可这半分始终没有加上，也没有任何报错。
# 走一遍，看着表格：它丢在哪里？按 `e`，改好出错的那一行。

# %% tags=["exercise"] id="half-a-point" kind="bug"
scores = torch.full((4,), 7)
scores[0] = 7.5

# %% [markdown] tags=["hint"] lang="en"
# Which `dtype` does `scores` have? (The table says it; where it is too narrow, `Enter` on the row does.) Can a tensor
# of that type hold a half?

# %% [markdown] tags=["hint"] lang="zh"
# `scores` 的 `dtype` 是什么？（表格里有；表格窄时，在这一行按 `Enter` 能看到。）这种类型的张量装得下半分吗？

# %% [markdown] tags=["hint"] lang="en"
# `full` takes the type of the number that you give it. Give it a floating-point number, or say `dtype=`.

# %% [markdown] tags=["hint"] lang="zh"
# `full` 用的是你给它的那个数的类型。给它一个浮点数，或者写明 `dtype=`。

# %% tags=["solution"]
scores = torch.full((4,), 7.0)
scores[0] = 7.5

# %% tags=["check"]
kind = scores.dtype
assert kind.is_floating_point, {
    "en": (
        f"scores is still {kind}, and a tensor of whole numbers drops what follows the point."
        " Look at the line that makes it, not at the one that writes into it."
    ),
    "zh": f"scores 还是 {kind}，整数张量会丢掉小数点后面的部分。该看创建它的那一行，而不是往里写的那一行。",
}
found = scores.tolist()
assert len(found) == 4, {
    "en": f"There are 4 pupils, but scores holds {len(found)} numbers.",
    "zh": f"有 4 个学生，scores 里却有 {len(found)} 个数。",
}
assert found[0] == 7.5, {
    "en": f"The first pupil should have 7.5 points, but has {found[0]}.",
    "zh": f"第一个学生应当是 7.5 分，现在是 {found[0]}。",
}
assert found[1:] == [7, 7, 7], {
    "en": f"The others should still have 7 points, but have {found[1:]}.",
    "zh": f"其余的应当还是 7 分，现在是 {found[1:]}。",
}
