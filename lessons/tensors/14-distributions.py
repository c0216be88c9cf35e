# ---
# jupyter:
#   gradtutor:
#     title:
#       en: "Dice, coins, noise"
#       zh: "骰子、硬币、噪声"
#     summary:
#       en: "What randint, randn, bernoulli and normal draw, and noise shaped like something else."
#       zh: "randint、randn、bernoulli 和 normal 各抽什么，以及和别的张量一样大的噪声。"
#     topics:
#       en: [randint, randn, bernoulli, normal, randn_like, rand_like, standard deviation]
#       zh: [randint, randn, bernoulli, normal, randn_like, rand_like, 标准差]
#     aliases: [tensors/random]
# ---

# %% [markdown] question="predict" of="rolls.max().item()" lang="en"
# `torch.rand` draws evenly between 0 and 1. Often you need something else: whole numbers, coins, numbers around a mean.
# Step over these draws.
#
# The first line, `torch.randint(1, 6, (600,))`, throws a die six hundred times. What is the **largest** number among
# the rolls?

# %% [markdown] question="predict" of="rolls.max().item()" lang="zh"
# `torch.rand` 在 0 到 1 之间均匀地抽。常常需要别的抽法：整数、硬币、围绕某个均值的数。逐行走过去，看看各自抽到什么。
#
# 第一行 `torch.randint(1, 6, (600,))` 掷了六百次骰子。掷出的点数里，**最大**的是几？

# %% [markdown] wrong="6" lang="en"
# A die has a six, but `randint` leaves its end out, as `arange` and `range` do.

# %% [markdown] wrong="6" lang="zh"
# 骰子有六点，可是 `randint` 和 `arange`、`range` 一样，不含末尾。

# %%
import torch

torch.manual_seed(7)
rolls = torch.randint(1, 6, (600,))
around = torch.randn(4)
chances = torch.tensor([0.0, 0.5, 1.0])
coins = torch.bernoulli(chances)

# %% [markdown] question="predict" of="pairs.numel()" lang="en"
# Never a six: `randint` leaves its end out. A die is `randint(1, 7, …)`.
#
# `randn` draws around 0, close to it most of the time. `bernoulli` takes the *chance* of a 1, so chance decided only
# the middle coin.
#
# `normal` draws from a normal distribution: you choose the mean and the **standard deviation**, how far the numbers
# typically are from the mean. Here it gets **three means and three standard deviations**. How many numbers come out?

# %% [markdown] question="predict" of="pairs.numel()" lang="zh"
# 一个六点也没有：`randint` 不含末尾。真正的骰子要写 `randint(1, 7, …)`。
#
# `randn` 抽出的数以 0 为中心，多数离 0 不远。给 `bernoulli` 的是抽到 1 的**概率**，所以只有中间那枚硬币还有悬念。
#
# `normal` 从正态分布里抽数，均值和**标准差**（数通常离均值多远）由你定。这里给了它**三个均值、三个标准差**。
# 会得到几个数？

# %% [markdown] wrong="9" lang="en"
# Each mean is used with the standard deviation in *its* place, not with all three.

# %% [markdown] wrong="9" lang="zh"
# 每个均值只和*同一位置*的标准差配对，不是和三个都配。

# %%
means = torch.tensor([0.0, 10.0, 100.0])
spreads = torch.tensor([0.0, 1.0, 5.0])

pairs = torch.normal(means, spreads)
one_spread = torch.normal(means, 1.0)
one_mean = torch.normal(0.0, spreads)
neither = torch.normal(0.0, 1.0, (4,))

try:
    torch.normal(0.0, 1.0)
except TypeError as problem:
    print(str(problem).splitlines()[0])

# %% [markdown] question="predict" of="list(noise.shape)" lang="en"
# First with first, second with second: {{ pairs.tolist() }}. A standard deviation of zero gives the mean itself. A
# plain number serves all elements; two plain numbers do not say how many you want, so they need a **size**, or it
# fails.
#
# Noise should often be as large as the thing it is added to. `randn_like(x)` takes shape, `dtype` and device from
# `x`, and so do `rand_like`, `randint_like` and, without any chance, `zeros_like`, `ones_like` and `full_like`.
#
# `picture` has the shape [2, 3]. What is the shape of `noise`?

# %% [markdown] question="predict" of="list(noise.shape)" lang="zh"
# 第一个配第一个，第二个配第二个：{{ pairs.tolist() }}。标准差为零，抽到的就是均值本身。
# 有一个是标量，就由所有元素共用；两个都是标量，必须用 `size` 指明个数，否则出错。
#
# 噪声的形状常常要和被加的张量相同。`randn_like(x)` 的形状、`dtype` 和设备都取自 `x`；
# `rand_like`、`randint_like` 也一样，不带随机性的还有 `zeros_like`、`ones_like` 和 `full_like`。
#
# `picture` 的形状是 [2, 3]。`noise` 的形状是什么？

# %%
picture = torch.full((2, 3), 0.5)
noise = torch.randn_like(picture)
noisy = picture + 0.1 * noise
share = torch.rand_like(picture)
grey = torch.randint_like(picture, 0, 256)

try:
    torch.rand_like(torch.tensor([1, 2]))
except (RuntimeError, NotImplementedError) as problem:
    print(str(problem).splitlines()[0])

# %% [markdown] lang="en"
# {{ noise.shape }}, the shape of `picture`. But the type comes from there as well: `grey` holds whole numbers as
# `float32`, and for a tensor of integers `rand_like` has nothing to draw, and fails.
#
# Your turn. Write `throw(count)`: it throws a fair die `count` times and returns the numbers of points, 1 to 6 (`e`).

# %% [markdown] lang="zh"
# 是 {{ noise.shape }}，和 `picture` 一样。不过类型也取自那里：`grey` 装的是整数，类型却是 `float32`；
# 而对整数张量，`rand_like` 无法抽取，只能报错。
#
# 轮到你了。写一个函数 `throw(count)`：把一枚公平的骰子掷 `count` 次，返回点数，1 到 6。按 `e`。

# %% tags=["exercise"] id="dice" kind="write"
# throw(count)

# %% [markdown] tags=["hint"] lang="en"
# There is a draw for whole numbers in the first cell. Mind its end.

# %% [markdown] tags=["hint"] lang="zh"
# 第一个单元格里有抽整数的方法。注意它的末尾。

# %% [markdown] tags=["hint"] lang="en"
# `torch.randint(1, 7, (count,))`: the size is a tuple, with a comma even for one number.

# %% [markdown] tags=["hint"] lang="zh"
# `torch.randint(1, 7, (count,))`：大小要写成元组，只有一个数也要加逗号。


# %% tags=["solution"]
def throw(count):
    return torch.randint(1, 7, (count,))


print(throw(5))

# %% tags=["check"]
many = throw(600)
assert list(getattr(many, "shape", [])) == [600], {
    "en": f"throw(600) should return a tensor of 600 numbers, and gives {getattr(many, 'shape', many)}.",
    "zh": f"throw(600) 应当返回一个有 600 个数的张量，现在是 {getattr(many, 'shape', many)}。",
}
decimals = (many != many.round()).sum().item()
assert not decimals, {
    "en": f"{decimals} of 600 throws are no whole number of points.",
    "zh": f"600 次里有 {decimals} 次的点数不是整数。",
}
least, most = many.min().item(), many.max().item()
assert most > 5, {
    "en": f"In 600 throws there was no six: the largest is {most:g}. Which numbers does randint leave out?",
    "zh": f"掷了 600 次，没有一个六点：最大的是 {most:g}。randint 不含哪个数？",
}
assert most < 7, {
    "en": f"A die has no {most:g}.",
    "zh": f"骰子没有 {most:g} 点。",
}
assert least > 0, {
    "en": "There are zeros: let it begin at 1.",
    "zh": "出现了零点：应当从 1 开始。",
}
counts = [(many == points).sum().item() for points in range(1, 7)]
assert min(counts) > 60, {
    "en": f"Of 600 throws each number of points should come about 100 times: you have {counts} for 1 to 6.",
    "zh": f"600 次里，每种点数都应当出现 100 次左右：你的 1 到 6 点分别出现 {counts} 次。",
}
assert not torch.equal(throw(20), throw(20)), {
    "en": "Two calls give the same throws: do not set a seed in throw.",
    "zh": "两次调用掷出的点数完全相同：不要在 throw 里设种子。",
}
