# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "A tensor made of tensors"
#       zh: "用张量拼成的张量"
#     summary:
#       en: "torch.tensor() and torch.stack() both make one tensor of several. Is the history still there?"
#       zh: "torch.tensor() 和 torch.stack() 都能把几个张量拼成一个。历史还在吗？"
#     topics:
#       en: [torch.tensor of a list, stack, cat]
#       zh: [列表转张量, stack, cat]
# ---

# %% [markdown] question="predict" of="joined.requires_grad" lang="en"
# Results were gathered in a Python list, and now they are to become one tensor. `torch.tensor(…)` takes a list of
# numbers; it takes a list of tensors with one element each as well.
#
# Both parts were computed from `a`. Will `joined` require grad, `True` or `False`?

# %% [markdown] question="predict" of="joined.requires_grad" lang="zh"
# 结果收集在一个 Python 列表里，现在要变成一个张量。`torch.tensor(…)` 接受一列数；
# 列表里是只有一个元素的张量，它也接受。
#
# 两个部分都是由 `a` 算出来的。`joined` 会需要梯度吗？`True` 还是 `False`？

# %%
import torch

a = torch.tensor(3.0, requires_grad=True)
parts = [a * 2, a * a]
joined = torch.tensor(parts)
try:
    joined.sum().backward()
except RuntimeError as error:
    print(error)

# %% [markdown] question="predict" of="a.grad" vary="a: [4, 5]" lang="en"
# {{ joined.requires_grad }}. `torch.tensor` always makes a **new leaf from plain numbers**. It took
# {{ joined.tolist() }} out of the list without their history. Newer versions of torch print a warning, but once per
# program, easily missed among others. It is not the mark that is missing: `a` has it. With `requires_grad=True`
# in that line as well the error would go away, and `a` would still get nothing.
#
# `torch.stack` joins the tensors themselves, as an operation of the graph. What will `a.grad` hold now?

# %% [markdown] question="predict" of="a.grad" vary="a: [4, 5]" lang="zh"
# {{ joined.requires_grad }}。`torch.tensor` 总是**用普通的数做一个新的叶子节点**。
# 它只从列表里取出了 {{ joined.tolist() }} 这两个数，不带历史。
# 较新版本的 torch 会打印一条警告，可是一个程序里只出现一次，夹在别的输出当中很容易漏看。
# 缺的不是标记，`a` 早就标记过了。在那一行里也写上 `requires_grad=True`，错误是没了，`a` 却还是什么也得不到。
#
# `torch.stack` 拼的是张量本身，是图里的一个运算。现在 `a.grad` 里会是多少？

# %% [markdown] wrong="2.0" lang="en"
# That is the first part, `a * 2`. `a * a` brings its own.

# %% [markdown] wrong="2.0" lang="zh"
# 那是第一部分 `a * 2` 的梯度。`a * a` 也有一份。

# %% [markdown] wrong="2 * a" lang="en"
# That is the second part, `a * a`. `a * 2` brings its own.

# %% [markdown] wrong="2 * a" lang="zh"
# 那是第二部分 `a * a` 的梯度。`a * 2` 也有一份。

# %%
stacked = torch.stack(parts)
stacked.sum().backward()

# %% [markdown] lang="en"
# {{ a.grad.item() }}: 2 from the first part, and 6 from the second, whose derivative is twice `a`. In the graph look
# at the node of `stack`: it passes to each part its piece of the gradient.
#
# `torch.stack` wants equal shapes and adds a dimension; `torch.cat` joins along one that is there. `torch.tensor` is
# for plain data that comes from outside.
#
# You often meet this in matrices put together by hand. Below, a rotation by `angle`, and no gradient comes to the
# angle. Fix it. Press `e`.

# %% [markdown] lang="zh"
# 是 {{ a.grad.item() }}：第一部分给 2，第二部分的导数是 `a` 的两倍，给 6。
# 在图里看看 `stack` 的节点：它把梯度分开，各部分拿到自己的那一份。
#
# `torch.stack` 要求形状相同，并且多出一维；`torch.cat` 沿着已有的一维拼。
# `torch.tensor` 适合来自外部的普通数据。
#
# 手工拼矩阵时，常会碰上这个错误。下面是转过角度 `angle` 的旋转矩阵，梯度却到不了 `angle`。把它改好。按 `e`。


# %% tags=["exercise"] id="turned" kind="bug"
def rotation(angle):
    c, s = angle.cos(), angle.sin()
    return torch.tensor([[c, -s], [s, c]])


angle = torch.tensor(0.5, requires_grad=True)
rotated = rotation(angle) @ torch.tensor([1.0, 0.0])
try:
    rotated[1].backward()
except RuntimeError as error:
    print(error)
print("gradient:", angle.grad)

# %% [markdown] tags=["hint"] lang="en"
# `torch.stack` takes one flat list. Either stack two rows and then the rows, or make four numbers and a `reshape`.

# %% [markdown] tags=["hint"] lang="zh"
# `torch.stack` 接受的列表不能嵌套。要么先拼两行，再把两行拼起来；要么先拼四个数，再 `reshape`。

# %% [markdown] tags=["hint"] lang="en"
# `torch.stack([c, -s, s, c]).reshape(2, 2)`

# %% [markdown] tags=["hint"] lang="zh"
# `torch.stack([c, -s, s, c]).reshape(2, 2)`


# %% tags=["solution"]
def rotation(angle):
    c, s = angle.cos(), angle.sin()
    return torch.stack([c, -s, s, c]).reshape(2, 2)


angle = torch.tensor(0.5, requires_grad=True)
rotated = rotation(angle) @ torch.tensor([1.0, 0.0])
try:
    rotated[1].backward()
except RuntimeError as error:
    print(error)
print("gradient:", angle.grad)

# %% tags=["check"]
tried = torch.tensor(1.2, requires_grad=True)
made = rotation(tried)
assert made.shape == (2, 2), {
    "en": f"The matrix should have two rows and two columns, and has the shape {list(made.shape)}.",
    "zh": f"矩阵应当是两行两列，它的形状却是 {list(made.shape)}。",
}
cosine, sine = 0.362358, 0.932039
assert torch.allclose(made.detach(), torch.tensor([[cosine, -sine], [sine, cosine]]), atol=1e-4), {
    "en": f"For the angle 1.2 the matrix should be {[[cosine, -sine], [sine, cosine]]}, "
    f"and is {[[round(each, 6) for each in row] for row in made.tolist()]}.",
    "zh": f"对角度 1.2，矩阵应当是 {[[cosine, -sine], [sine, cosine]]}，"
    f"现在是 {[[round(each, 6) for each in row] for row in made.tolist()]}。",
}
assert made.requires_grad, {
    "en": "The matrix has no history: its numbers are right, but it is not computed from `angle`.",
    "zh": "矩阵没有历史：数是对的，却不是由 `angle` 算出来的。",
}
made.sum().backward()
assert tried.grad is not None, {
    "en": (
        "The matrix is marked, but not computed from `angle`: `requires_grad=True` made a new leaf of it, "
        "and `angle` gets nothing."
    ),
    "zh": (
        "矩阵打了标记，却不是由 `angle` 算出来的：`requires_grad=True` 让它成了新的叶子节点，`angle` 什么也得不到。"
    ),
}
assert abs(tried.grad.item() + 2 * sine) < 1e-3, {
    "en": (
        f"The gradient of the sum of the matrix should be {-2 * sine:.4f}, and is {tried.grad.item():.4f}. "
        "Is one of the four cut off?"
    ),
    "zh": f"矩阵之和的梯度应当是 {-2 * sine:.4f}，现在是 {tried.grad.item():.4f}。四个数里是不是有一个断开了？",
}
