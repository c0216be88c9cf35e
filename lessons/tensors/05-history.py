# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "What a tensor knows"
#       zh: "张量知道什么"
#     summary:
#       en: "dtype, shape, device, and what autograd records: requires_grad, is_leaf, grad_fn, grad."
#       zh: "dtype、shape、device，以及自动求导记下的：requires_grad、is_leaf、grad_fn、grad。"
#     topics:
#       en: [dtype, shape, device, requires_grad, is_leaf, grad_fn, grad]
#       zh: [dtype, shape, device, requires_grad, is_leaf, grad_fn, grad]
#     aliases: [tensors/attributes]
# ---

# %% [markdown] question="choice" of="3 if w.grad_fn is None else 2 if 'Sum' in w.grad_fn.name() else 1" lang="en"
# Besides its numbers, a tensor has a `dtype`, a `shape`, a `device`, and what **autograd**, PyTorch's gradient
# engine, records: `requires_grad` (does it take part?), `is_leaf` (did no recorded operation make it?), `grad_fn`
# (which one did?).
#
# We make `w`, and compute `total` from it. What is `w.grad_fn`?
#
# 1. the product that uses `w` first
# 2. the sum at the end
# 3. `None`

# %% [markdown] question="choice" of="3 if w.grad_fn is None else 2 if 'Sum' in w.grad_fn.name() else 1" lang="zh"
# 除了数，张量还有 `dtype`（类型）、`shape`（形状）、`device`（放在哪里），
# 以及**自动求导**（autograd）记录的信息。`requires_grad`：需不需要梯度？
# `is_leaf`：是不是叶子节点，即没有运算产生它？`grad_fn`：产生它的是哪个运算？
#
# 我们创建 `w`，再由它算出 `total`。`w.grad_fn` 是什么？
#
# 1. 最先用到 `w` 的乘法
# 2. 最后的求和
# 3. `None`

# %% [markdown] wrong="1" lang="en"
# The product uses `w`. `grad_fn` looks the other way: it says what made `w`.

# %% [markdown] wrong="1" lang="zh"
# 乘法用到了 `w`。`grad_fn` 看的是反方向：`w` 由什么产生。

# %% [markdown] wrong="2" lang="en"
# That is the `grad_fn` of `total`. No operation made `w`.

# %% [markdown] wrong="2" lang="zh"
# 那是 `total` 的 `grad_fn`。`w` 不是由运算产生的。

# %%
import torch

w = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
total = (w * w).sum()
print(w.dtype, w.shape, w.device)
print("leaf:", w.is_leaf, total.is_leaf)
print(w.grad_fn, total.grad_fn.name())

# %% [markdown] question="predict" of="w.grad" vary="w: [[2.0, 0.0, 5.0], [4.0, 1.0, 3.0]]" lang="en"
# `grad_fn` tells where a tensor comes **from**, not where it goes. We made `w` by hand, so it has none: it is a leaf.
#
# `w.grad`, the gradient, is still `None`. A backward pass will write it.
#
# `total` is the sum of the squares of `w`. What will `w.grad` hold after `total.backward()`? It is the derivative of
# the square at each element, how fast it changes there: for x² that is 2x. Type a list: `[…, …, …]`.

# %% [markdown] question="predict" of="w.grad" vary="w: [[2.0, 0.0, 5.0], [4.0, 1.0, 3.0]]" lang="zh"
# `grad_fn` 记录张量**由什么运算得到**，而不是用到哪里去。`w` 是我们直接创建的，所以没有：它是叶子节点。
#
# `w.grad`，也就是梯度，还是 `None`，要等反向传播来写。
#
# `total` 是 `w` 各元素的平方和。`total.backward()` 之后，`w.grad` 会是什么？
# 它是平方在每个元素处的导数，也就是变化率：x² 的导数是 2x。输入一个列表：`[…, …, …]`。

# %% [markdown] wrong="w * w" lang="en"
# Those are the squares. The derivative says how fast each of them changes: 2x.

# %% [markdown] wrong="w * w" lang="zh"
# 那是平方的值。导数表示它们变化得多快：2x。

# %% [markdown] wrong="[2.0, 2.0, 2.0]" lang="en"
# The 2 is right, and it is multiplied by each number: 2x.

# %% [markdown] wrong="[2.0, 2.0, 2.0]" lang="zh"
# 2 是对的，还要乘以各个数：2x。

# %%
total.backward()

# %% [markdown] question="predict" of="allowed" lang="en"
# {{ w.grad.tolist() }}: the derivative of a square is twice the number. A gradient has the shape of its tensor, one
# **partial derivative** for each number: how `total` changes when only that number does.
#
# A derivative asks what happens when a number moves *a little*, and whole numbers cannot. Will torch let a tensor of
# integers require a gradient? Answer `True` or `False`.

# %% [markdown] question="predict" of="allowed" lang="zh"
# {{ w.grad.tolist() }}：平方的导数是这个数的两倍。梯度的形状和张量一样，每个数一个**偏导数**：只有这个数变化时，
# `total` 怎样变化。
#
# 导数描述一个数变化*一点点*时的情形，而整数无法这样变化。torch 允许整数张量需要梯度吗？回答 `True` 或 `False`。

# %%
try:
    torch.tensor([1, 2, 3], requires_grad=True)
    allowed = True
except RuntimeError as error:
    allowed = False
    print(error)

# %% [markdown] lang="en"
# No: only floating-point and complex numbers can. It is the usual surprise with `torch.tensor([1, 2, 3])`, and a
# point in one of the numbers helps: `[1.0, 2, 3]`.
#
# `keeps_gradient` should say of a tensor whether a backward pass leaves a gradient in its `grad`. That takes two
# attributes of this lesson: a tensor may require a gradient and yet not keep it, as `total` does. Complete it: press
# `e`.

# %% [markdown] lang="zh"
# 不允许：只有浮点数和复数可以。用 `torch.tensor([1, 2, 3])` 时常常碰上，给其中一个数加上小数点就行：`[1.0, 2, 3]`。
#
# `keeps_gradient` 应当回答：反向传播之后，一个张量的 `grad` 里会不会有梯度。这要看本课的两个属性，
# 因为一个张量可以需要梯度，却并不保留，`total` 就是这样。把它写完：按 `e`。


# %% tags=["exercise"] id="keeps-gradient" kind="fill"
def keeps_gradient(tensor):
    return ...


print(keeps_gradient(w), keeps_gradient(total))

# %% [markdown] tags=["hint"] lang="en"
# Which attribute says that autograd follows a tensor? And which one says that no operation made it?

# %% [markdown] tags=["hint"] lang="zh"
# 哪个属性说明自动求导跟踪这个张量？哪个说明它不是由运算产生的？

# %% [markdown] tags=["hint"] lang="en"
# It has to require a gradient **and** be a leaf: `tensor.requires_grad and …`.

# %% [markdown] tags=["hint"] lang="zh"
# 它必须需要梯度，**并且**是叶子节点：`tensor.requires_grad and …`。


# %% tags=["solution"]
def keeps_gradient(tensor):
    return tensor.requires_grad and tensor.is_leaf


print(keeps_gradient(w), keeps_gradient(total))

# %% tags=["check"]
weight = torch.tensor([1.0, 2.0], requires_grad=True)
data = torch.tensor([3.0, 4.0])
product = weight * data
asked = {"weight": keeps_gradient(weight), "data": keeps_gradient(data), "product": keeps_gradient(product)}
assert ... not in asked.values(), {
    "en": "keeps_gradient still returns the dots.",
    "zh": "keeps_gradient 返回的还是省略号。",
}
assert asked["weight"], {
    "en": "weight requires a gradient and is a leaf, so it keeps it: your answer is False.",
    "zh": "weight 需要梯度，又是叶子节点，所以会保留：你的回答是 False。",
}
assert not asked["data"], {
    "en": "data is a leaf, but requires no gradient, so it gets none: ask for requires_grad too.",
    "zh": "data 是叶子节点，但不需要梯度，所以得不到：还要看 requires_grad。",
}
assert not asked["product"], {
    "en": "product requires a gradient, but an operation made it, and its gradient is dropped: ask for is_leaf too.",
    "zh": "product 需要梯度，但它由运算产生，梯度不会保留：还要看 is_leaf。",
}
product.sum().backward()
weight.grad = None
assert keeps_gradient(weight), {
    "en": "The answer should not depend on whether a gradient is there already: a cleared weight keeps the next one.",
    "zh": "回答不该取决于现在有没有梯度：清零之后的权重还会保留下一个梯度。",
}
