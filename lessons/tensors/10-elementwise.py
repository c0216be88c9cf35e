# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "Element by element"
#       zh: "逐元素计算"
#     summary:
#       en: "Arithmetic on whole tensors at once, powers, logarithms and angles, and what type a plain number makes."
#       zh: "整个张量一起算：四则运算、乘方、对数、三角函数，以及普通的数对类型有什么影响。"
#     order: 120
#     topics:
#       en: [add, addcmul, addcdiv, exp, log, pow, acos, type promotion]
#       zh: [add, addcmul, addcdiv, exp, log, pow, acos, 类型提升]
#     aliases: [tensors/math]
# ---

# %% [markdown] question="predict" of="total" vary="a: [[1.0, 2.0], [5.0, 0.0]]; b: [[4.0, 5.0], [1.0, 3.0]]" lang="en"
# Arithmetic on tensors needs no loop. `+`, `-`, `*`, `/` work on each element by itself: the first with the first, the
# second with the second. Each sign is also a function, `add`, `sub`, `mul`, `div`, and some of these can do more.
#
# `torch.add(a, b, alpha=10)` multiplies by `alpha` before it adds. Only one of the two is multiplied: the **second**.
#
# `a` is `[1, 10, 100]`, and `b` is `[2, 4, 8]`. What will `total` hold?

# %% [markdown] question="predict" of="total" vary="a: [[1.0, 2.0], [5.0, 0.0]]; b: [[4.0, 5.0], [1.0, 3.0]]" lang="zh"
# 张量的算术不需要循环。`+`、`-`、`*`、`/` 对每个元素各算各的：第一个对第一个，第二个对第二个。
# 每个符号都有对应的函数，`add`、`sub`、`mul`、`div`，其中有的还能多做一点。
#
# `torch.add(a, b, alpha=10)` 先乘 `alpha` 再加。只乘其中一个：**第二个**。
#
# `a` 是 `[1, 10, 100]`，`b` 是 `[2, 4, 8]`。`total` 会是什么？

# %% [markdown] wrong="10 * a + b" lang="en"
# That multiplies the first. `alpha` belongs to the second.

# %% [markdown] wrong="10 * a + b" lang="zh"
# 这里乘的是第一个。`alpha` 乘的是第二个。

# %% [markdown] wrong="a + b" lang="en"
# Each `b` is multiplied by `alpha` before it is added.

# %% [markdown] wrong="a + b" lang="zh"
# 每个 `b` 要先乘以 `alpha`，再相加。

# %%
import torch

a = torch.tensor([1.0, 10.0, 100.0])
b = torch.tensor([2.0, 4.0, 8.0])
u = torch.tensor([-1.0, 0.0, 0.5])

total = torch.add(a, b, alpha=10)
minus = a.sub(b)
times = a.mul(b)
ratio = a.div(b)

# %% [markdown] question="predict" of="cmul" vary="u: [[1.0, 0.0, 3.0], [2.0, 1.0, 0.0]]" lang="en"
# {{ total.tolist() }}: `a + 10 * b`. (Old code puts the 10 between, `torch.add(a, 10, b)`; PyTorch now warns of
# that.)
#
# Optimizers do such things all day. `addcmul(a, b, u, value=2)` is `a + 2 * b * u`; `addcdiv` divides instead. After
# them come powers, logarithms and the like. (The logarithm of 8 to base 2 is 3, because 2³ is 8.)
#
# `a` is {{ a.tolist() }}, `b` is {{ b.tolist() }}, `u` is {{ u.tolist() }}. What will `cmul` hold?

# %% [markdown] question="predict" of="cmul" vary="u: [[1.0, 0.0, 3.0], [2.0, 1.0, 0.0]]" lang="zh"
# {{ total.tolist() }}：就是 `a + 10 * b`。
# （旧代码把 10 写在中间，`torch.add(a, 10, b)`，现在 PyTorch 会警告。）
#
# 训练中更新权重时，经常要做这种计算。`addcmul(a, b, u, value=2)` 就是 `a + 2 * b * u`；`addcdiv` 把乘换成除。
# 后面还有乘方、对数等等。（以 2 为底 8 的对数是 3，因为 2³ 是 8。）
#
# `a` 是 {{ a.tolist() }}，`b` 是 {{ b.tolist() }}，`u` 是 {{ u.tolist() }}。`cmul` 会是什么？

# %% [markdown] wrong="a + b * u" lang="en"
# `value=2` is missing: the product counts twice.

# %% [markdown] wrong="a + b * u" lang="zh"
# 漏了 `value=2`：乘积要算两份。

# %%
cmul = torch.addcmul(a, b, u, value=2)
cdiv = torch.addcdiv(a, u, b, value=2)

twos = b.log2()
digits = a.log10()
back = a.log().exp()
squares = b.pow(2)
sizes = u.abs()
ones = u.sin() ** 2 + u.cos() ** 2
angles = u.acos(), u.asin(), u.atan(), torch.atan2(u, a), u.cosh(), u.tanh()

# %% [markdown] question="choice" of="2 if scaled.dtype == a.dtype else 1" lang="en"
# {{ cmul.tolist() }}, and with the quotient {{ cdiv.tolist() }}. Where `u` is zero, `a` stays. (The last line has the
# inverse functions, `acos`, `asin`, `atan`, `atan2`, and the hyperbolic ones; angles are in radians.)
#
# A plain number needs no tensor around it: in `a * 2.5` it serves all elements. You may read that PyTorch turns it
# into a tensor first. But then its type would count, and it does not: Python's 2.5 has 64 bits, and `a * 2.5` stays
# `float32`. Only its *kind* counts, whole or with a point.
#
# `counts` holds integers, `[1, 2, 4]`. What type has `counts * 2.5`?
#
# 1. `int64`, as `counts`
# 2. `float32`
# 3. `float64`

# %% [markdown] question="choice" of="2 if scaled.dtype == a.dtype else 1" lang="zh"
# {{ cmul.tolist() }}；换成除是 {{ cdiv.tolist() }}。`u` 为零的地方，`a` 原样不动。
# （最后一行是反三角函数 `acos`、`asin`、`atan`、`atan2` 和双曲函数，角用弧度。）
#
# 普通的数不必先做成张量：在 `a * 2.5` 里，它由所有元素共用。有的资料说 PyTorch 会先把它转换成张量。
# 那样的话，它的类型就会起作用，其实不会：Python 的 2.5 有 64 位，`a * 2.5` 却还是 `float32`。
# 起作用的只是它的*种类*：是整数，还是带小数点。
#
# `counts` 装的是整数 `[1, 2, 4]`。`counts * 2.5` 是什么类型？
#
# 1. `int64`，和 `counts` 一样
# 2. `float32`
# 3. `float64`

# %% [markdown] wrong="3" lang="en"
# Two *tensors* would meet at the larger type. A Python number only says that a point is needed.

# %% [markdown] wrong="3" lang="zh"
# 两个*张量*相遇，取较大的类型。Python 的数只说明需要小数。

# %% [markdown] wrong="1" lang="en"
# 2.5 has no place among whole numbers: the result needs a point.

# %% [markdown] wrong="1" lang="zh"
# 2.5 不是整数，结果要有小数。

# %%
counts = torch.tensor([1, 2, 4])
doubled = counts * 2
scaled = counts * 2.5
wide = a * torch.tensor([1.0, 1.0, 1.0], dtype=torch.float64)
print(doubled.dtype, scaled.dtype, (a * 2.5).dtype, wide.dtype)

# %% [markdown] lang="en"
# `float32`, PyTorch's default for numbers with a point: {{ scaled.tolist() }}. `counts * 2` stays `int64`. Between two
# *tensors* it is different: the larger type wins, and `wide` is `float64`.
#
# Your turn. The **logistic function** is `1 / (1 + e^(-x))`. It turns any number into one between 0 and 1, and you
# will meet it again as `sigmoid`. Write it as a function `logistic(x)`, with `torch.exp`, for tensors of any shape:
# press `e`.

# %% [markdown] lang="zh"
# 是 `float32`，PyTorch 浮点数的默认类型：{{ scaled.tolist() }}。`counts * 2` 还是 `int64`。
# 两个*张量*之间则不同：取较大的类型，所以 `wide` 是 `float64`。
#
# 轮到你了。**逻辑函数**是 `1 / (1 + e^(-x))`。它把任何数变成 0 到 1 之间的数，以后会以 `sigmoid` 的名字再见到。
# 用 `torch.exp` 把它写成函数 `logistic(x)`，对任何形状的张量都适用：按 `e`。

# %% tags=["exercise"] id="logistic" kind="write"
# logistic(x)

# %% [markdown] tags=["hint"] lang="en"
# At 0 it should give a half: e to the power of 0 is 1, and 1 / (1 + 1) is 0.5.

# %% [markdown] tags=["hint"] lang="zh"
# 在 0 处应当得到二分之一：e 的 0 次方是 1，1 / (1 + 1) 就是 0.5。

# %% [markdown] tags=["hint"] lang="en"
# `torch.exp(-x)`, and brackets around all that is below the fraction bar.

# %% [markdown] tags=["hint"] lang="zh"
# `torch.exp(-x)`，整个分母要用括号括起来。


# %% tags=["solution"]
def logistic(x):
    return 1 / (1 + torch.exp(-x))


print(logistic(torch.tensor([-2.0, 0.0, 2.0])))

# %% tags=["check"]
given = torch.tensor([[-2.0, 0.0], [2.0, 5.0]])
made = logistic(given)
assert isinstance(made, torch.Tensor), {
    "en": f"It should return a tensor, and returns {made!r}.",
    "zh": f"应当返回张量，返回的却是 {made!r}。",
}
assert made.shape == given.shape, {
    "en": f"A number for each element: the shape should be {list(given.shape)}, and is {list(made.shape)}.",
    "zh": f"每个元素对应一个数：形状应当是 {list(given.shape)}，现在是 {list(made.shape)}。",
}
right = torch.tensor([[0.119203, 0.5], [0.880797, 0.993307]])
assert not torch.allclose(made, 1 - right, atol=1e-4), {
    "en": "It falls where it should rise: for 2 it gives 0.1192. The x in the exponent has a minus sign.",
    "zh": "该上升的地方在下降：对 2 给出 0.1192。指数里的 x 前面有负号。",
}
assert abs(made[0, 1].item() - 2) > 1e-4, {
    "en": "For 0 it gives 2: `1 / 1 + …` divides first. Put brackets around 1 + exp(-x).",
    "zh": "对 0 给出 2：`1 / 1 + …` 会先做除法。给 1 + exp(-x) 加上括号。",
}
assert torch.allclose(made, right, atol=1e-4), {
    "en": f"For 0 it should give 0.5 and for 2 0.8808, and yours gives {made[0, 1]:.4f} and {made[1, 0]:.4f}.",
    "zh": f"对 0 应当给出 0.5，对 2 给出 0.8808，你的给出 {made[0, 1]:.4f} 和 {made[1, 0]:.4f}。",
}
